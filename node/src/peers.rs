//! What the other bodies publish: their signed descriptions, learnt from any peer, verified, and kept on disk.
//!
//! A description is signed by its body, so that any peer can hand it on: a node that has just started asks a few
//! peers for all that they hold instead of every peer for its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use futures::{StreamExt, stream};
use meridian_certs::{Federation, Identity};
use meridian_federation::remote::Peers;
use meridian_proto::{DESCRIBE_ACTION, Dataset, Description, Name, Signed, wire};
use prost::Message;
use rand::seq::IndexedRandom;
use tokio::sync::Notify;

use crate::versions::{Versions, is_in};

/// Peers that are asked at the same time.
const AT_ONCE: usize = 4;
/// Time between rounds while a member's description is missing.
const HASTE: Duration = Duration::from_millis(200);
/// Longest time between rounds while all is known.
const CALM: Duration = Duration::from_secs(5);
/// Descriptions that were just learnt of which others are told: of more they learn by digests.
const MOST_LEARNT: usize = 64;
/// Longest wait for one peer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A description that was verified to be its body's own.
#[derive(Debug, Clone)]
pub struct Known {
    /// As signed, to be handed on.
    pub signed: Arc<Signed>,
    /// What it says.
    pub description: Arc<Description>,
    /// The end of the certificate that signed it: nobody else would take it any more.
    until: SystemTime,
}

/// The descriptions of one whole federation; in this body's own, its own included.
#[derive(Debug)]
pub struct Directory {
    /// This body, where it is of the federation.
    own: Option<Name>,
    federation: Federation,
    peers: Arc<Peers>,
    folder: PathBuf,
    known: RwLock<BTreeMap<Name, Known>>,
    /// How many descriptions were taken.
    taken: AtomicU64,
    /// Those that were taken since somebody was told.
    learnt: Mutex<Vec<(Name, u64)>>,
    /// That there is something to tell.
    news: Notify,
}

impl Directory {
    /// Begins with what is on disk in `folder`; files that don't verify any more are passed over.
    pub fn open(own: Option<Name>, federation: Federation, peers: Arc<Peers>, folder: PathBuf) -> Arc<Self> {
        let directory = Self {
            own,
            federation,
            peers,
            folder,
            known: RwLock::default(),
            taken: AtomicU64::default(),
            learnt: Mutex::default(),
            news: Notify::new(),
        };
        for body in directory.members() {
            let kept = std::fs::read(directory.file(&body)).ok().and_then(|bytes| Signed::decode(&bytes).ok());
            if let Some(signed) = kept
                && let Err(why) = directory.accept(signed)
            {
                tracing::info!(%body, why, "a description on disk is not used");
            }
        }
        // What was known before is no news.
        directory.learnt();
        Arc::new(directory)
    }

    /// The federation.
    pub fn federation(&self) -> &Name {
        self.federation.name()
    }

    /// All bodies of the federation, whether they have described themselves or not.
    pub fn members(&self) -> Vec<Name> {
        let mut members = self.peers.bodies();
        members.extend(self.own.iter().filter(|own| !members.contains(own)).cloned().collect::<Vec<_>>());
        members.sort();
        members
    }

    /// The descriptions that are known, of those who are members now.
    pub fn known(&self) -> BTreeMap<Name, Known> {
        let members = self.members();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let of_member = |body: &Name| Some((body.clone(), known.get(body)?.clone()));
        members.iter().filter_map(of_member).collect()
    }

    /// Another one whenever what is known, or who is a member, may have changed.
    pub fn stamp(&self) -> [u64; 2] {
        [self.taken.load(Ordering::Acquire), self.peers.version()]
    }

    /// What a body tells, if it is a member and has told it.
    pub fn description(&self, body: &Name) -> Option<Arc<Description>> {
        let is_member = self.own.as_ref() == Some(body) || self.peers.bodies().contains(body);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(body).filter(|_| is_member).map(|known| Arc::clone(&known.description))
    }

    /// Those that are newer than what the asker holds, as far as the asker can verify them; of bodies in some parts (all where
    /// none is named), and of one body alone, where one is.
    pub fn newer_than(&self, held: &[(Name, u64)], parts: &[u32], alone: Option<&Name>) -> Vec<Signed> {
        let held: BTreeMap<&Name, u64> = held.iter().map(|(body, version)| (body, *version)).collect();
        let is_newer = |body: &Name, version: u64| held.get(body).is_none_or(|held| version > *held);
        self.told(|told| {
            let meant = told.filter(|(body, _)| alone.is_none_or(|alone| *body == alone) && is_in(body, parts));
            let newer = meant.filter(|(body, known)| is_newer(body, known.description.version));
            newer.map(|(_, known)| known.signed.as_ref().clone()).collect()
        })
    }

    /// Digests of what can be handed on now.
    pub(crate) fn versions(&self) -> Versions {
        self.told(|told| Versions::of(told.map(|(body, known)| (body, known.description.version))))
    }

    /// What can be handed on now: of members, and while others can verify it.
    fn told<T>(&self, of: impl FnOnce(&mut dyn Iterator<Item = (&Name, &Known)>) -> T) -> T {
        let (members, now) = (self.members().into_iter().collect::<BTreeSet<_>>(), SystemTime::now());
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        of(&mut known.iter().filter(|(body, known)| members.contains(*body) && known.until > now))
    }

    /// Which descriptions were taken since this was last asked, a few at most, the newest last.
    pub fn learnt(&self) -> Vec<(Name, u64)> {
        std::mem::take(&mut *self.learnt.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether one of these is newer than what is known.
    pub fn lacks(&self, heard: &[(Name, u64)]) -> bool {
        let members = self.members();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let is_news = |(body, version): &(Name, u64)| {
            members.contains(body) && known.get(body).is_none_or(|known| *version > known.description.version)
        };
        heard.iter().any(is_news)
    }

    /// Waits until a description is taken.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// Whether every member's description is known.
    pub fn is_complete(&self) -> bool {
        self.missing(&self.members()).is_empty()
    }

    /// Whether a name is that of a body, or of a dataset, a column or a standard of one that is known.
    pub fn publishes(&self, name: &str) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let datasets = || known.values().flat_map(|known| &known.description.datasets);
        self.own.as_ref().is_some_and(|own| own.as_str() == name)
            || self.peers.bodies().iter().any(|body| body.as_str() == name)
            || datasets().any(|dataset| names(dataset, name))
    }

    /// Takes a description if it is its body's own and newer than the one that is known.
    pub fn accept(&self, signed: Signed) -> Result<bool, String> {
        let verified = self.federation.verify(&signed, SystemTime::now()).map_err(|error| error.to_string())?;
        let description = Description::decode(&signed.payload).map_err(|error| error.to_string())?;
        let Identity::Node { federation, body } = verified.identity() else {
            return Err("it was not signed by a node".into());
        };
        if federation != self.federation.name()
            || *body != description.body
            || description.federation != *self.federation.name()
        {
            return Err(format!("{body} signed it, and it describes {}", description.body));
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.get(body).is_some_and(|old| old.description.version >= description.version) {
            return Ok(false);
        }
        let body = body.clone();
        if let Err(error) =
            std::fs::create_dir_all(&self.folder).and_then(|()| std::fs::write(self.file(&body), signed.encode()))
        {
            tracing::warn!(%body, %error, "a description is not kept on disk");
        }
        let (version, until) = (description.version, verified.valid_until());
        known.insert(body.clone(), Known { signed: Arc::new(signed), description: Arc::new(description), until });
        self.taken.fetch_add(1, Ordering::Release);
        let mut learnt = self.learnt.lock().unwrap_or_else(PoisonError::into_inner);
        if learnt.len() < MOST_LEARNT {
            learnt.push((body, version));
        }
        self.news.notify_one();
        Ok(true)
    }

    /// Makes sure that these bodies' descriptions are known, asking each body itself for what is missing.
    /// Returns those that are still missing, with the reason.
    pub async fn ensure(&self, bodies: &[Name]) -> Vec<(Name, String)> {
        let missing = self.missing(bodies);
        let asked = stream::iter(missing).map(|body| async move {
            let why = self.pull(&body, &[]).await.err();
            (body, why)
        });
        let asked: Vec<(Name, Option<String>)> = asked.buffer_unordered(AT_ONCE).collect().await;
        let known = self.known();
        let silent = asked.into_iter().filter(|(body, _)| !known.contains_key(body));
        silent.map(|(body, why)| (body, why.unwrap_or_else(|| "it has not described itself".into()))).collect()
    }

    /// Learns descriptions of another federation for as long as the node runs: in haste while one is missing, calmly
    /// afterwards. Those of its own come with all other news.
    pub async fn learn(self: Arc<Self>) {
        let mut pause = HASTE;
        loop {
            let members: Vec<Name> =
                self.members().into_iter().filter(|body| Some(body) != self.own.as_ref()).collect();
            let some: Vec<Name> = members.choose_multiple(&mut rand::rng(), AT_ONCE).cloned().collect();
            let this = &self;
            let asked = stream::iter(some).map(|body| async move { this.pull(&body, &[]).await.unwrap_or(0) });
            let news: usize = asked.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await.into_iter().sum();
            let complete = self.missing(&members).is_empty();
            pause = if news > 0 { HASTE } else { (pause * 2).min(if complete { CALM } else { CALM / 4 }) };
            tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.5))).await;
        }
    }

    fn missing(&self, bodies: &[Name]) -> Vec<Name> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        bodies.iter().filter(|body| !known.contains_key(*body)).cloned().collect()
    }

    /// Asks one body for what is newer than what is known here, of bodies in some parts or of all; returns how much was new.
    pub async fn pull(&self, body: &Name, parts: &[u32]) -> Result<usize, String> {
        let request = self.describe_request(parts).encode_to_vec();
        let answer = tokio::time::timeout(PATIENCE, self.peers.action(body, DESCRIBE_ACTION, request)).await;
        let results = answer.map_err(|_| "it did not answer in time".to_owned())?.map_err(|error| error.message)?;
        Ok(self.take(body, results))
    }

    /// What is held of bodies in some parts, or of all, and that newer descriptions are wanted.
    pub(crate) fn describe_request(&self, parts: &[u32]) -> wire::DescribeRequest {
        let known = self.told(|told| {
            let held = told.filter(|(body, _)| is_in(body, parts));
            held.map(|(body, known)| wire::Known { body: body.to_string(), version: known.description.version })
                .collect()
        });
        wire::DescribeRequest { known, parts: parts.to_vec() }
    }

    /// Takes what a body has answered; returns how much was new.
    pub(crate) fn take(&self, from: &Name, results: Vec<Vec<u8>>) -> usize {
        let mut news = 0;
        for result in results {
            let taken = Signed::decode(&result).map_err(|e| e.to_string()).and_then(|signed| self.accept(signed));
            match taken {
                Ok(new) => news += usize::from(new),
                Err(why) => tracing::warn!(%from, why, "a description is not accepted"),
            }
        }
        news
    }

    fn file(&self, body: &Name) -> PathBuf {
        self.folder.join(format!("{body}.description"))
    }
}

/// Whether a dataset has a name, as its own or as a part of it.
fn names(dataset: &Dataset, name: &str) -> bool {
    dataset.name.as_str() == name
        || dataset.standard.as_ref().is_some_and(|standard| standard.as_str() == name)
        || dataset.columns.iter().any(|column| column.name.as_str() == name)
}
