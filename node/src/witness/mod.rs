//! Witnesses: the bodies keep each other's checkpoints, so that none can show two histories or go back to an old backup.
//!
//! A node hands its newest checkpoint to up to three others, with the proof that it continues the one they hold. A witness
//! checks that, keeps the new one and cosigns it (`hold`). Whoever can't be shown such a proof keeps both checkpoints, signed
//! by the log's own key: together they prove the fork or the rollback. A node whose log turns out to be behind what a
//! witness holds answers nothing from then on (`rounds`).

mod hold;
mod rounds;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use meridian_certs::Credentials;
use meridian_federation::remote::Peers;
use meridian_proto::{LogKeys, Name, Signed, Witnessed};

use crate::audit::{self, Log, LogError, Witness};
use hold::Held;
pub use hold::Refusal;

/// Cosignatures from which on a checkpoint counts as witnessed.
pub const ENOUGH: usize = 2;

/// The file of the newest checkpoint of one's own that was cosigned, in the folder of witnessing: a `Witnessed`.
pub const COSIGNED: &str = "cosigned";

/// What the witnessing of a node is made of.
#[derive(Debug)]
pub struct Parts {
    /// The federation.
    pub federation: Name,
    /// The body whose node this is.
    pub body: Name,
    /// Its log.
    pub log: Arc<Log>,
    /// The seed of the key that cosigns.
    pub seed: [u8; 32],
    /// The node's own certificate, which says whose these keys are.
    pub credentials: Arc<Credentials>,
    /// The way to the other bodies.
    pub peers: Arc<Peers>,
    /// Where checkpoints of others are kept, and cosignatures of one's own.
    pub folder: PathBuf,
}

/// A node as witness of others and witnessed by others.
#[derive(Debug)]
pub struct Witnessing {
    parts: Parts,
    keys: LogKeys,
    held: Mutex<Held>,
    /// The newest checkpoint of one's own that was cosigned.
    seen: RwLock<Option<Arc<Seen>>>,
}

/// A checkpoint of one's own that others cosigned.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    checkpoint: audit::Signed,
    /// The keys of those who cosigned it, as their nodes signed them.
    witnesses: Vec<Signed>,
}

impl Witnessing {
    /// Begins with what is on disk.
    pub fn open(parts: Parts) -> Arc<Self> {
        let name = audit::witness_name(parts.federation.as_str(), parts.body.as_str());
        let witness = Witness::new(&name, &parts.seed);
        let keys = LogKeys {
            federation: parts.federation.clone(),
            body: parts.body.clone(),
            log: parts.log.key().to_owned(),
            witness: witness.verifier(),
        };
        let held = Mutex::new(Held::new(parts.folder.clone(), witness));
        let witnessing = Self { parts, keys, held, seen: RwLock::default() };
        let kept = std::fs::read(witnessing.file()).ok().and_then(|bytes| Witnessed::decode(&bytes).ok());
        let kept = kept.and_then(|kept| {
            let checkpoint = audit::Signed::verify(&kept.proof, witnessing.parts.log.key()).ok()?;
            Some(Seen { checkpoint, witnesses: kept.witnesses })
        });
        *witnessing.seen.write().unwrap_or_else(PoisonError::into_inner) = kept.map(Arc::new);
        Arc::new(witnessing)
    }

    /// The keys of this node's log and of its witness.
    pub fn keys(&self) -> &LogKeys {
        &self.keys
    }

    /// The proof of a record of this node's log under the newest checkpoint that was cosigned; `None` where none that
    /// covers it was.
    pub fn prove(&self, index: u64) -> Result<Option<Witnessed>, LogError> {
        let Some(seen) = self.seen().filter(|seen| index < seen.checkpoint.size) else { return Ok(None) };
        let proof = self.parts.log.prove_under(index, &seen.checkpoint)?.encode();
        let witnesses = seen.witnesses.clone();
        Ok(Some(Witnessed { body: self.parts.body.clone(), index, proof, witnesses }))
    }

    /// How many others have cosigned the newest checkpoint that any has.
    pub fn confirmed(&self) -> usize {
        self.seen().map_or(0, |seen| seen.witnesses.len())
    }

    fn seen(&self) -> Option<Arc<Seen>> {
        self.seen.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The file of the newest checkpoint that was cosigned: a `Witnessed` whose proof is the note alone.
    fn file(&self) -> PathBuf {
        self.parts.folder.join(COSIGNED)
    }

    fn signed_keys(&self) -> Result<Signed, String> {
        self.parts.credentials.sign(self.keys.encode()).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests;
