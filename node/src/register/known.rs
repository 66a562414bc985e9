//! The registers of the federation: told by their bodies, handed on from node to node, verified, and kept on disk.
//!
//! What a body said of itself stays readable when its node is down. Its signature counts when it arrives; whether the
//! certificate behind it has ended since is no matter for what was said.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::NaiveDate;
use meridian_certs::{Credentials, Identity};
use meridian_federation::remote::Peers;
use meridian_proto::{MOST_REGISTER_BYTES, Name, REGISTER_ACTION, Signed, ToldRegister, wire};
use prost::Message;

use super::model::{Agreement, Register};
use super::view::View;
use crate::audit::durable_file;
use crate::versions::{Versions, is_in};

/// Longest wait for one peer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time between two registers of this body that peers are told; its own pages are always as new as its log.
const RETOLD: Duration = Duration::from_secs(10);
/// The most bytes of registers that a peer is told at once.
const MOST_BYTES: usize = 16 << 20;
/// The most agreements of a body, in force or ended.
const MOST_AGREEMENTS: usize = 1_000;
/// The most text of a body's table of agreements, in bytes.
const MOST_TABLE: usize = 4 << 20;
/// A peer's clock may be ahead by this much.
const AHEAD: Duration = Duration::from_secs(300);
/// What the name of a kept file ends with.
const KEPT: &str = "register";

/// A register that was verified to be its body's own.
#[derive(Debug, Clone)]
struct Known {
    version: u64,
    register: Arc<Register>,
    /// To be handed on until the certificate that signed it ends.
    signed: Signed,
    until: SystemTime,
}

/// The registers of all bodies, this one's own included.
#[derive(Debug)]
pub struct Registers {
    own: Name,
    federation: Name,
    credentials: Arc<Credentials>,
    peers: Arc<Peers>,
    folder: PathBuf,
    known: RwLock<BTreeMap<Name, Known>>,
    /// This body's own as it is now, which may be newer than what was told.
    now: RwLock<Option<Arc<Register>>>,
}

impl Registers {
    /// Begins with what is on disk in `folder`.
    pub fn open(
        own: Name,
        federation: Name,
        credentials: Arc<Credentials>,
        peers: Arc<Peers>,
        folder: PathBuf,
    ) -> Arc<Self> {
        let registers =
            Self { own, federation, credentials, peers, folder, known: RwLock::default(), now: RwLock::default() };
        let mut found = BTreeMap::new();
        for (body, signed) in files(&registers.folder) {
            match registers.was_told(&body, &signed) {
                Ok(known) => drop(found.insert(body, known)),
                Err(why) => tracing::info!(%body, why, "a register on disk is not used"),
            }
        }
        *registers.known.write().unwrap_or_else(PoisonError::into_inner) = found;
        Arc::new(registers)
    }

    /// All bodies of the federation with what they said, as it is on a day.
    pub fn view(&self, today: NaiveDate) -> View {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let own = self.now.read().unwrap_or_else(PoisonError::into_inner).clone();
        let register = |body: Name| {
            let told = known.get(&body).map(|known| Arc::clone(&known.register));
            let register = if body == self.own { own.clone().or(told) } else { told };
            (body, register)
        };
        View::new(self.federation.clone(), today, self.members().into_iter().map(register))
    }

    /// This is what this body says now. The other nodes are told where it is news to them, and not too often.
    pub fn say(&self, register: Register) {
        let register = {
            let mut now = self.now.write().unwrap_or_else(PoisonError::into_inner);
            // The same stays the very same, so that readers are shown what was made of it before.
            let same = now.take().filter(|held| **held == register);
            Arc::clone(now.insert(same.unwrap_or_else(|| Arc::new(register))))
        };
        let now = SystemTime::now();
        let told = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&self.own).cloned();
        let last = told.as_ref().map_or(0, |told| told.version);
        let version = milliseconds(now).max(last.saturating_add(1));
        let is_news = told.is_none_or(|told| {
            let is_due = version.saturating_sub(told.version) >= u64::try_from(RETOLD.as_millis()).unwrap_or(u64::MAX);
            is_due && (told.register != register || told.until != self.credentials.valid_until())
        });
        if is_news && let Err(why) = self.tell(&register, version) {
            tracing::error!(why, "the federation can't be told this body's register");
        }
    }

    fn tell(&self, register: &Register, version: u64) -> Result<(), String> {
        let json = serde_json::to_vec(register).map_err(|error| error.to_string())?;
        if json.len() > MOST_REGISTER_BYTES {
            return Err(format!("it has {} bytes, and {MOST_REGISTER_BYTES} are the most", json.len()));
        }
        let (federation, body) = (self.federation.clone(), self.own.clone());
        let told = ToldRegister { federation, body, version, json };
        let signed = self.credentials.sign(told.encode()).map_err(|error| error.to_string())?;
        self.accept(signed).map(drop)
    }

    /// Those that are newer than what the asker holds, as far as the asker can verify them, of bodies in some parts (all where
    /// none is named).
    pub fn newer_than(&self, held: &[(Name, u64)], parts: &[u32]) -> Vec<Signed> {
        let held: BTreeMap<&Name, u64> = held.iter().map(|(body, version)| (body, *version)).collect();
        self.told(|told| {
            let newer = told.filter(|(body, known)| {
                is_in(body, parts) && held.get(body).is_none_or(|version| known.version > *version)
            });
            // Whoever has taken these asks for the others next.
            let mut bytes = 0;
            let within = newer.take_while(|(_, known)| {
                bytes += known.signed.payload.len();
                bytes <= MOST_BYTES
            });
            within.map(|(_, known)| known.signed.clone()).collect()
        })
    }

    /// Digests of what can be handed on now.
    pub(crate) fn versions(&self) -> Versions {
        self.told(|told| Versions::of(told.map(|(body, known)| (body, known.version))))
    }

    /// What can be handed on now: of members, and while others can verify it.
    fn told<T>(&self, of: impl FnOnce(&mut dyn Iterator<Item = (&Name, &Known)>) -> T) -> T {
        let (now, members) = (SystemTime::now(), self.members());
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        of(&mut known.iter().filter(|(body, known)| members.contains(body) && known.until > now))
    }

    /// Whether every member's register is known.
    pub fn is_complete(&self) -> bool {
        let members = self.members();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        members.iter().all(|body| known.contains_key(body))
    }

    /// Takes a register if it is its body's own and newer than the one that is known.
    pub fn accept(&self, signed: Signed) -> Result<bool, String> {
        let now = SystemTime::now();
        let known = self.verified(signed, now)?;
        let body = known.register.body.clone();
        if known.version > milliseconds(now + AHEAD) {
            return Err(format!("{body} says that it is of a time to come"));
        }
        if !self.members().contains(&body) {
            return Err(format!("{body} is no member"));
        }
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if all.get(&body).is_some_and(|old| old.version >= known.version) {
            return Ok(false);
        }
        if let Err(error) = durable_file(&file(&self.folder, &body), &known.signed.encode()) {
            tracing::warn!(%body, %error, "a register is not kept on disk");
        }
        all.insert(body, known);
        Ok(true)
    }

    /// Asks one body for what is newer than what is known here, of bodies in some parts or of all; returns how much was new.
    pub async fn pull(&self, body: &Name, parts: &[u32]) -> Result<usize, String> {
        let known: Vec<wire::Known> = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            let held = known.iter().filter(|(body, _)| is_in(body, parts));
            held.map(|(body, known)| wire::Known { body: body.to_string(), version: known.version }).collect()
        };
        let request = wire::DescribeRequest { known, parts: parts.to_vec() }.encode_to_vec();
        let answer = tokio::time::timeout(PATIENCE, self.peers.action(body, REGISTER_ACTION, request)).await;
        let results = answer.map_err(|_| "it did not answer in time".to_owned())?.map_err(|error| error.message)?;
        let mut news = 0;
        for result in results.into_iter().take(self.members().len()) {
            match Signed::decode(&result).map_err(|error| error.to_string()).and_then(|it| self.accept(it)) {
                Ok(new) => news += usize::from(new),
                Err(why) => tracing::warn!(from = %body, why, "a register is not accepted"),
            }
        }
        Ok(news)
    }

    fn members(&self) -> Vec<Name> {
        let mut members = self.peers.bodies();
        if !members.contains(&self.own) {
            members.push(self.own.clone());
        }
        members.sort();
        members
    }

    /// What this node took itself, at the time at which it was told.
    fn was_told(&self, body: &Name, signed: &Signed) -> Result<Known, String> {
        let version = ToldRegister::decode(&signed.payload).map_err(|error| error.to_string())?.version;
        let known = self.verified(signed.clone(), UNIX_EPOCH + Duration::from_millis(version))?;
        if known.register.body == *body { Ok(known) } else { Err("it is another body's".into()) }
    }

    /// That a node of the federation signed it, and what it says of its own body.
    fn verified(&self, signed: Signed, at: SystemTime) -> Result<Known, String> {
        let verified = self.credentials.verify(&signed, at).map_err(|error| error.to_string())?;
        let told = ToldRegister::decode(&signed.payload).map_err(|error| error.to_string())?;
        let Identity::Node { federation, body } = verified.identity() else {
            return Err("it was not signed by a node".into());
        };
        if (federation, body) != (&told.federation, &told.body) || *federation != self.federation {
            return Err(format!("{body} signed it, and it is of {}", told.body));
        }
        let register = read(&told)?;
        Ok(Known { version: told.version, register: Arc::new(register), until: verified.valid_until(), signed })
    }
}

/// Reads what was told; it speaks of its own body.
fn read(told: &ToldRegister) -> Result<Register, String> {
    // The error's text may hold what the peer wrote.
    let register: Register = serde_json::from_slice(&told.json).map_err(|error| {
        format!("what {} told is no register (line {}, column {})", told.body, error.line(), error.column())
    })?;
    if register.body != told.body || register.federation != told.federation {
        return Err(format!("{} speaks of {}", told.body, register.body));
    }
    let lines = |agreement: &Agreement| agreement.items.len().max(1);
    let texts = |agreement: &Agreement| agreement.facts().iter().map(|fact| fact.text.len()).sum::<usize>();
    // Tables say all of an agreement beside each of its datasets.
    let table: usize = register.agreements.iter().map(|agreement| lines(agreement) * texts(agreement)).sum();
    if register.agreements.len() > MOST_AGREEMENTS || register.ended.len() > MOST_AGREEMENTS || table > MOST_TABLE {
        return Err(format!("what {} told is more than readers are shown of a body", told.body));
    }
    Ok(register)
}

/// The registers that a node keeps in a folder, as it verified them.
pub fn kept(folder: &Path) -> BTreeMap<Name, Arc<Register>> {
    let read = |(body, signed): (Name, Signed)| {
        let register = read(&ToldRegister::decode(&signed.payload).ok()?).ok()?;
        (register.body == body).then(|| (body, Arc::new(register)))
    };
    files(folder).filter_map(read).collect()
}

fn files(folder: &Path) -> impl Iterator<Item = (Name, Signed)> {
    let paths = folder.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == KEPT)).filter_map(|path| {
        let body = path.file_stem()?.to_str()?.parse().ok()?;
        Some((body, Signed::decode(&std::fs::read(&path).ok()?).ok()?))
    })
}

fn file(folder: &Path, body: &Name) -> PathBuf {
    folder.join(format!("{body}.{KEPT}"))
}

fn milliseconds(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
