//! What has changed since, asked in one exchange: of the membership, descriptions, registers and agreements.
//!
//! Every few seconds a node says to a few others, in digests, what it holds. Mostly that is what they hold, and nothing more
//! travels. Where something is other, the answer says in which of 64 parts, and only what the asker lacks of these is asked for: one
//! changed description among a thousand costs a few hundred bytes and the description. Whoever has just learnt of a description
//! asks a few others at once and names it, so that those ask back and do the same: it is everywhere within a few such steps. A
//! node that is asked by one that holds a newer membership fetches that before it answers, as on every request.
//!
//! What comes is judged where it is taken: each thing by the signature of whom it is of, whoever hands it on.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt, stream};
use meridian_federation::remote::{Peers, RemoteErrorKind};
use meridian_proto::{NEWS_ACTION, Name, Signed, wire};
use prost::Message;
use rand::seq::IteratorRandom;
use tokio::sync::Notify;

use crate::agreements::Agreements;
use crate::membership::Members;
use crate::peers::Directory;
use crate::register::Registers;
use crate::versions::Versions;

/// Others that are asked in a round.
const AT_ONCE: usize = 2;
/// Others that are asked at once where something is new here, and so learn of it.
const TOLD: usize = 4;
/// Others that are asked back in a round, since they told of something.
const ASKED_BACK: usize = 8;
/// Time between rounds where something is new, and the least between any two.
const HASTE: Duration = Duration::from_millis(100);
/// Time between rounds while something is missing that others may have.
const MISSING: Duration = Duration::from_secs(1);
/// Time between rounds while nothing changes.
const CALM: Duration = Duration::from_secs(3);
/// Longest wait for another.
const PATIENCE: Duration = Duration::from_secs(5);
/// Descriptions of which a request tells at most.
const MOST_LEARNT: usize = 100;

/// Of what a node tells and learns.
#[derive(Debug)]
pub struct Parts {
    /// The body whose node this is.
    pub own: Name,
    /// The way to the others.
    pub peers: Arc<Peers>,
    /// What they publish.
    pub directory: Arc<Directory>,
    /// What they tell the public.
    pub registers: Arc<Registers>,
    /// Who is in, where an authority says so.
    pub members: Option<Arc<Members>>,
    /// The agreements that many sign.
    pub agreements: Arc<Agreements>,
}

/// Tells other nodes what has changed, and learns it from them.
#[derive(Debug)]
pub struct News {
    parts: Parts,
    /// Those who told of something that is not known here.
    heard_from: Mutex<BTreeSet<Name>>,
    heard: Notify,
}

impl News {
    /// Over what it is of.
    pub fn new(parts: Parts) -> Arc<Self> {
        Arc::new(Self { parts, heard_from: Mutex::default(), heard: Notify::new() })
    }

    /// Answers the node of another body of the federation. The error says what is wrong with the request.
    pub fn answer(&self, from: &Name, request: &[u8]) -> Result<Vec<u8>, String> {
        let request = wire::NewsRequest::decode(request).map_err(|error| format!("it is no NewsRequest: {error}"))?;
        if request.learnt.len() > MOST_LEARNT {
            return Err(format!("a NewsRequest tells of {MOST_LEARNT} descriptions at most"));
        }
        let heard = |known: wire::Known| Some((known.body.parse::<Name>().ok()?, known.version));
        let heard: Vec<(Name, u64)> = request.learnt.into_iter().filter_map(heard).collect();
        if self.parts.directory.lacks(&heard) {
            self.heard_from.lock().unwrap_or_else(PoisonError::into_inner).insert(from.clone());
            self.heard.notify_one();
        }
        let newer = |held: wire::MembershipRequest| {
            self.parts.members.as_ref().and_then(|members| members.newer_than(held.version, held.signed_at))
        };
        let news = wire::News {
            membership: request.membership.and_then(newer).map(|signed| (&signed).into()),
            descriptions: other_parts(&self.parts.directory.versions(), &request.descriptions),
            registers: other_parts(&self.parts.registers.versions(), &request.registers),
            agreements: self.agreements_with(from) != request.agreements,
        };
        Ok(news.encode_to_vec())
    }

    /// Tells and learns for as long as the node runs.
    pub async fn follow(self: Arc<Self>) {
        let (mut pause, mut is_news) = (HASTE, true);
        loop {
            let learnt = self.parts.directory.learnt();
            let asked = self.choose(if is_news { TOLD } else { AT_ONCE });
            let (this, learnt) = (&self, &learnt);
            let asked = stream::iter(asked).map(|body| async move {
                let answer = this.exchange(&body, learnt).await;
                answer.inspect_err(|why| tracing::debug!(%body, why, "no news"))
            });
            let asked: Vec<_> = asked.buffer_unordered(ASKED_BACK).collect().await;
            let is_new = asked.into_iter().any(|news| news.unwrap_or(false));
            let longest = if self.is_complete() { CALM } else { MISSING };
            pause = if is_new { HASTE } else { (pause * 2).min(longest) };
            is_news = self.wait(pause.mul_f64(rand::random_range(0.8..1.2))).await;
        }
    }

    /// Waits so long, or until there is something to tell or to ask for, and returns whether there is.
    async fn wait(&self, pause: Duration) -> bool {
        let membership = async {
            match &self.parts.members {
                Some(members) => members.news().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => return false,
            () = self.parts.directory.news() => {}
            () = membership => {}
            () = self.heard.notified() => {}
        }
        // Whoever tells of something all the time is not asked all the time.
        tokio::time::sleep(HASTE.min(pause)).await;
        true
    }

    /// Those who have told of something, and so many others.
    fn choose(&self, others: usize) -> BTreeSet<Name> {
        let mut heard_from = self.heard_from.lock().unwrap_or_else(PoisonError::into_inner);
        let mut chosen: BTreeSet<Name> = std::iter::from_fn(|| heard_from.pop_first()).take(ASKED_BACK).collect();
        drop(heard_from);
        let bodies = self.parts.peers.bodies().into_iter().filter(|body| *body != self.parts.own);
        chosen.extend(bodies.choose_multiple(&mut rand::rng(), others));
        chosen
    }

    fn is_complete(&self) -> bool {
        self.parts.directory.is_complete() && self.parts.registers.is_complete()
    }

    /// Asks a body's node what has changed, and learns it; returns whether something was new here.
    async fn exchange(&self, body: &Name, learnt: &[(Name, u64)]) -> Result<bool, String> {
        let request = self.request(body, learnt).encode_to_vec();
        let asked = self.parts.peers.action(body, NEWS_ACTION, request);
        let answer = tokio::time::timeout(PATIENCE, asked).await.map_err(|_| {
            self.parts.peers.note(body, false);
            "it did not answer in time".to_owned()
        })?;
        let results = match answer {
            Ok(results) => results,
            // A node of an earlier version, which tells each thing by itself.
            Err(error) if error.kind == RemoteErrorKind::Failed => return self.exchange_each(body).await,
            Err(error) => return Err(error.message),
        };
        let [result] = results.as_slice() else { return Err("it gave no one answer".into()) };
        let news = wire::News::decode(result.as_slice()).map_err(|error| error.to_string())?;
        self.learn(body, news).await
    }

    /// What is held here, for another to compare.
    fn request(&self, body: &Name, learnt: &[(Name, u64)]) -> wire::NewsRequest {
        let known = |(body, version): &(Name, u64)| wire::Known { body: body.to_string(), version: *version };
        wire::NewsRequest {
            membership: self.parts.members.as_ref().map(|members| members.request()),
            descriptions: self.parts.directory.versions().whole(),
            registers: self.parts.registers.versions().whole(),
            agreements: self.agreements_with(body),
            learnt: learnt.iter().take(MOST_LEARNT).map(known).collect(),
        }
    }

    /// Asks for what another holds and this node does not.
    async fn learn(&self, body: &Name, news: wire::News) -> Result<bool, String> {
        let mut is_new = false;
        if let (Some(members), Some(newer)) = (&self.parts.members, news.membership) {
            let signed = Signed::try_from(newer).map_err(|error| error.to_string())?;
            let taken = members.accept(signed);
            is_new |= taken.inspect_err(|why| tracing::warn!(from = %body, why, "a membership is not accepted"))?;
        }
        let descriptions = self.parts.directory.versions().differing(&news.descriptions);
        if !descriptions.is_empty() {
            is_new |= self.parts.directory.pull(body, &descriptions).await? > 0;
        }
        let registers = self.parts.registers.versions().differing(&news.registers);
        if !registers.is_empty() {
            is_new |= self.parts.registers.pull(body, &registers).await? > 0;
        }
        if news.agreements {
            self.parts.agreements.exchange(body).await?;
        }
        Ok(is_new)
    }

    /// Asks for each thing by itself. What fails is no reason to leave out the rest.
    async fn exchange_each(&self, body: &Name) -> Result<bool, String> {
        let membership = async {
            match &self.parts.members {
                Some(members) => members.ask(body).await,
                None => Ok(false),
            }
        };
        let (membership, descriptions, registers, agreements) = tokio::join!(
            membership,
            self.parts.directory.pull(body, &[]),
            self.parts.registers.pull(body, &[]),
            self.parts.agreements.exchange(body),
        );
        let is_new = [membership, descriptions.map(|news| news > 0), registers.map(|news| news > 0)];
        let is_new = is_new.into_iter().try_fold(false, |sum, news| news.map(|news| sum || news));
        agreements.and(is_new)
    }

    /// What is held of the agreements that concern a body; where that can't be read, nothing that it could hold, too.
    fn agreements_with(&self, body: &Name) -> Vec<u8> {
        self.parts.agreements.digest(body).unwrap_or_else(|error| {
            tracing::debug!(%error, "agreements can't be compared");
            Vec::new()
        })
    }
}

/// The digests of all parts, where somebody with another digest over all of them holds something else.
fn other_parts(own: &Versions, theirs: &[u8]) -> Vec<u64> {
    if own.whole() == theirs { Vec::new() } else { own.parts().to_vec() }
}

#[cfg(test)]
mod tests;
