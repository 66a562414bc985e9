//! Who is in a federation, as its authority signed it: kept on disk, followed from the authority and from peers, and in
//! force at once.
//!
//! News comes three ways: every node asks the authorities and a few members every few seconds (its own federation's together with
//! all other news); whoever has just learnt of something asks again at once, and so tells those whom it asks that there is
//! news; and every request of a node says
//! which version it holds, so that a node that holds an older one fetches the newer before it answers. An older version
//! is never taken after a newer one, from nobody. A membership that is older than 96 hours lets only open data leave to other bodies.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use futures::{StreamExt, stream};
use meridian_certs::{Excluded, Federation, Verified, replace_file};
use meridian_federation::remote::Peers;
use meridian_proto::{MEMBERSHIP_ACTION, Membership, Name, Signed, wire};
use prost::Message;
use rand::seq::IteratorRandom;
use tokio::sync::{Mutex, Notify};

use crate::authority::client;
use crate::clock::Clock;

/// A membership that is older than this many milliseconds says nothing any more about who is out: 96 hours.
const LONGEST_AGE: i64 = 96 * 3600 * 1000;
/// A membership from further in the future than this many milliseconds is a wrong clock's, here or there.
const CLOCK_SKEW: i64 = 600_000;
/// Time between rounds.
const ROUND: Duration = Duration::from_secs(3);
/// Members that are asked in a round.
const AT_ONCE: usize = 3;
/// Nodes that ask the authorities in a round, about: where there are more, each leaves it to chance, and hears of news from
/// members meanwhile. An authority has as much to do in a large federation as in one of so many.
const ASK_AUTHORITIES: usize = 36;
/// Longest wait for one of them.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why a node can't tell who is in the federation.
#[derive(Debug, thiserror::Error)]
#[error("the membership {}: {problem}; fetch it again by `meridian node {command}`, or restore the file from a backup", path.display())]
pub struct MembershipError {
    path: PathBuf,
    problem: String,
    command: &'static str,
}

/// The membership that is in force.
pub struct Members {
    own: Option<Name>,
    federation: Federation,
    authorities: Vec<String>,
    peers: Arc<Peers>,
    clock: Clock,
    path: PathBuf,
    held: RwLock<Held>,
    /// The bodies that a membership was fetched from, each busy while one is.
    fetching: Mutex<HashMap<Name, Arc<Mutex<()>>>>,
    /// That there is a newer one.
    news: Notify,
}

#[derive(Debug)]
struct Held {
    signed: Signed,
    membership: Membership,
}

impl std::fmt::Debug for Members {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Members").field("version", &self.version()).finish_non_exhaustive()
    }
}

/// What a membership is followed with.
#[derive(Debug)]
pub struct Means {
    /// The body whose node this is, where it is of the federation.
    pub own: Option<Name>,
    /// The federation: what checks signatures, and shuts out whom the membership does.
    pub federation: Federation,
    /// Where the authorities are reached: `https://host:port`.
    pub authorities: Vec<String>,
    /// Whom else to ask, and whom to tell where members are.
    pub peers: Arc<Peers>,
    /// By which a membership ages.
    pub clock: Clock,
}

impl Members {
    /// Begins with the membership in a file, which joining wrote.
    pub fn open(means: Means, path: PathBuf) -> Result<Arc<Self>, MembershipError> {
        let command = if means.own.is_some() { "join" } else { "trust" };
        let wrong = |problem: String| MembershipError { path: path.clone(), problem, command };
        let bytes = fs::read(&path).map_err(|error| wrong(error.to_string()))?;
        let signed = Signed::decode(&bytes).map_err(|error| wrong(error.to_string()))?;
        // It was checked when it came; the certificate that signed it may have ended since.
        let membership = Membership::decode(&signed.payload).map_err(|error| wrong(error.to_string()))?;
        let then = SystemTime::UNIX_EPOCH + Duration::from_millis(membership.signed_at);
        means.federation.verify_authority(&signed, then).map_err(|error| wrong(error.to_string()))?;
        let Means { own, federation, authorities, peers, clock } = means;
        if membership.federation != *federation.name() {
            return Err(wrong(format!("is of {}, and should be of {}", membership.federation, federation.name())));
        }
        // Where the node ended before all of it was done.
        let mut succession = federation.succession(&signed, &membership, then).map_err(|why| wrong(why.to_string()))?;
        succession.bring_in().and_then(|_| succession.let_go()).map_err(|why| wrong(why.to_string()))?;
        let held = RwLock::new(Held { signed, membership });
        let fetching = Mutex::default();
        let news = Notify::new();
        let members = Self { own, federation, authorities, peers, clock, path, held, fetching, news };
        members.in_force();
        Ok(Arc::new(members))
    }

    /// The federation.
    pub fn federation(&self) -> &Name {
        self.federation.name()
    }

    /// The version that is held.
    pub fn version(&self) -> u64 {
        self.read(|held| held.membership.version)
    }

    /// The membership, where it is newer than what the asker holds, or was signed again since.
    pub fn newer_than(&self, version: u64, signed_at: u64) -> Option<Signed> {
        self.read(|held| {
            let Membership { version: own, signed_at: own_signed_at, .. } = held.membership;
            ((own, own_signed_at) > (version, signed_at)).then(|| held.signed.clone())
        })
    }

    /// Whether the membership is so old that only open data may leave to other bodies.
    pub fn is_stale(&self) -> bool {
        let signed_at = i64::try_from(self.read(|held| held.membership.signed_at)).unwrap_or(i64::MAX);
        self.clock.now().timestamp_millis().saturating_sub(signed_at) > LONGEST_AGE
    }

    /// Whether somebody may still ask: who was let in by an older membership may be out by this one.
    pub fn admits(&self, caller: &Verified) -> bool {
        self.federation.admits(caller)
    }

    /// Takes a membership that is newer than what is held, once its signature and its time are checked; returns whether it is.
    pub fn accept(&self, signed: Signed) -> Result<bool, String> {
        let now = self.clock.now();
        self.federation.verify_authority(&signed, now.into()).map_err(|error| error.to_string())?;
        let membership = Membership::decode(&signed.payload).map_err(|error| error.to_string())?;
        if membership.federation != *self.federation.name() {
            return Err(format!("it is of {}, and should be of {}", membership.federation, self.federation.name()));
        }
        let ahead = i64::try_from(membership.signed_at).unwrap_or(i64::MAX).saturating_sub(now.timestamp_millis());
        if ahead > CLOCK_SKEW {
            return Err(format!("it is of {} s in the future; is this clock right?", ahead / 1000));
        }
        {
            let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
            if !membership.is_after(&held.membership) {
                return Ok(false);
            }
            let refused = |error: meridian_certs::Error| error.to_string();
            let mut succession = self.federation.succession(&signed, &membership, now.into()).map_err(refused)?;
            // A new root counts before the membership does, which may be signed under it, and a retired one until then.
            if succession.bring_in().map_err(refused)? {
                tracing::info!(federation = %self.federation.name(), "a new root of the federation counts beside the old one");
            }
            // On disk before it is in force: a node that starts again does not go back behind it.
            replace_file(&self.path, 0o644, &signed.encode())
                .map_err(|error| format!("{} can't be written: {error}", self.path.display()))?;
            *held = Held { signed, membership };
            match succession.let_go() {
                Ok(true) => {
                    tracing::info!(federation = %self.federation.name(), "an old root of the federation is retired")
                }
                Ok(false) => {}
                Err(error) => tracing::error!(%error, "a retired root counts until the node starts again"),
            }
        }
        self.in_force();
        self.news.notify_one();
        let federation = self.federation.name();
        tracing::info!(%federation, version = self.version(), "the membership of the federation has changed");
        Ok(true)
    }

    /// Fetches the membership from a body that says that it holds `version`, unless this node holds it already.
    pub async fn catch_up(&self, body: &Name, version: u64) -> Result<(), String> {
        // Each body's requests one after another: those who wait find that it has come.
        let turn = Arc::clone(self.fetching.lock().await.entry(body.clone()).or_default());
        let _turn = turn.lock().await;
        if self.version() >= version {
            return Ok(());
        }
        self.ask(body).await?;
        if self.version() >= version { Ok(()) } else { Err(format!("{body} does not hold version {version} itself")) }
    }

    /// Follows the membership of another federation for as long as the node runs.
    pub async fn follow(self: Arc<Self>) {
        let this = &self;
        loop {
            let before = self.version();
            let asked = stream::iter(self.choose(AT_ONCE));
            let of_members = asked.map(|body| async move { (body.to_string(), this.ask(&body).await) });
            let of_members = of_members.buffer_unordered(AT_ONCE).collect::<Vec<_>>();
            let (answers, ()) = tokio::join!(of_members, self.ask_authorities());
            answers.into_iter().for_each(unheard);
            self.pause(before).await;
        }
    }

    /// Follows the authorities for as long as the node runs, where members are asked with all other news.
    pub async fn follow_authorities(self: Arc<Self>) {
        loop {
            let before = self.version();
            self.ask_authorities().await;
            self.pause(before).await;
        }
    }

    /// Waits until a newer membership has come.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    async fn ask_authorities(&self) {
        let members = self.read(|held| held.membership.members.len());
        let authorities = if asks_authorities(members, rand::random()) { self.authorities.clone() } else { Vec::new() };
        let asked = stream::iter(authorities).map(|authority| async move {
            let answer = self.ask_authority(&authority).await;
            (authority, answer)
        });
        asked.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await.into_iter().for_each(unheard);
    }

    async fn pause(&self, before: u64) {
        if self.version() == before {
            tokio::time::sleep(ROUND.mul_f64(rand::random_range(0.7..1.0))).await;
        }
    }

    fn choose(&self, most: usize) -> Vec<Name> {
        self.read(|held| {
            let others = held
                .membership
                .members
                .iter()
                .filter(|member| Some(&member.body) != self.own.as_ref() && !member.suspended);
            others.map(|member| member.body.clone()).choose_multiple(&mut rand::rng(), most)
        })
    }

    /// What is held, for whoever has a newer one.
    pub fn request(&self) -> wire::MembershipRequest {
        let (version, signed_at) = self.read(|held| (held.membership.version, held.membership.signed_at));
        wire::MembershipRequest { version, signed_at }
    }

    /// Asks a member for a newer one; returns whether it had one.
    pub async fn ask(&self, body: &Name) -> Result<bool, String> {
        let request = self.request().encode_to_vec();
        let answer = tokio::time::timeout(PATIENCE, self.peers.action(body, MEMBERSHIP_ACTION, request)).await;
        let answer = answer.map_err(|_| "it did not answer in time".to_owned())?.map_err(|error| error.message)?;
        let Some(newer) = answer.first() else { return Ok(false) };
        let taken = Signed::decode(newer).map_err(|error| error.to_string()).and_then(|signed| self.accept(signed));
        taken.inspect_err(|why| tracing::warn!(from = %body, why, "a membership is not accepted"))
    }

    async fn ask_authority(&self, authority: &str) -> Result<bool, String> {
        let connector = self.federation.authority_connector();
        let asked = tokio::time::timeout(PATIENCE, client::membership(&connector, authority)).await;
        let signed = asked.map_err(|_| "it did not answer in time".to_owned())?.map_err(|error| error.to_string())?;
        let theirs = Membership::decode(&signed.payload).map_err(|error| error.to_string())?;
        let taken =
            self.accept(signed).inspect_err(|why| tracing::warn!(why, "an authority's membership is not accepted"));
        if let (Ok(false), Some(newer)) = (&taken, self.newer_than(theirs.version, theirs.signed_at)) {
            // Another authority has signed since, or this one went back to a backup: it has to go on from what is in force.
            let told = tokio::time::timeout(PATIENCE, client::tell(&connector, authority, &newer)).await;
            told.map_err(|_| "it did not answer in time".to_owned())?.map_err(|error| error.to_string())?;
            tracing::info!(authority, "an authority is told of a newer membership than its own");
        }
        taken
    }

    fn in_force(&self) {
        self.read(|held| {
            self.federation.exclude(Excluded::from(&held.membership));
            self.peers.set_members(held.membership.version, &held.membership.members);
        });
    }

    fn read<T>(&self, of: impl FnOnce(&Held) -> T) -> T {
        of(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn unheard((from, answer): (String, Result<bool, String>)) {
    if let Err(why) = answer {
        tracing::debug!(from, why, "no membership was learnt");
    }
}

/// Whether one of so many members asks the authorities in a round for which `drawn`, from 0 and below 1, has been drawn.
fn asks_authorities(members: usize, drawn: f64) -> bool {
    let members = members as f64;
    drawn * members < ASK_AUTHORITIES as f64
}

#[cfg(test)]
mod tests;
