//! Keeps the newest checkpoint of each other log, and what proves that one of them was rewritten.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::{SystemTime, UNIX_EPOCH};

use meridian_certs::{Identity, Verified};
use meridian_proto::{LogKeys, Name, Said, WitnessAnswer, WitnessRequest};

use super::Witnessing;
use crate::audit::{self, Hash, Signed, Witness, check_tree, durable_file};

/// Pairs of checkpoints that are kept as evidence for one log.
const MOST_EVIDENCE: usize = 100;

/// Why a witness says nothing of a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The request is not what it should be.
    #[error("{0}")]
    Bad(String),
    /// What is to be kept can't be.
    #[error("the witness can't keep the checkpoint: {0}; ask again later")]
    Disk(#[from] io::Error),
}

/// The checkpoints of others, one folder a body.
#[derive(Debug)]
pub(super) struct Held {
    folder: PathBuf,
    witness: Witness,
}

impl Witnessing {
    /// What this node says of the newest checkpoint of another, which handed it over itself.
    pub fn answer(&self, asker: &Verified, request: &WitnessRequest) -> Result<WitnessAnswer, Refusal> {
        let now = SystemTime::now();
        let bad = |why: String| Refusal::Bad(why);
        let signer = self.parts.credentials.verify(&request.keys, now).map_err(|error| bad(error.to_string()))?;
        let keys = LogKeys::decode(&request.keys.payload).map_err(|error| bad(error.to_string()))?;
        let own = Identity::Node { federation: keys.federation.clone(), body: keys.body.clone() };
        if *signer.identity() != own || *asker.identity() != own {
            return Err(bad("a node hands over the checkpoints of its own log, with keys that it signed".into()));
        }
        let name = audit::origin(keys.federation.as_str(), keys.body.as_str());
        if keys.log.split('+').next() != Some(name.as_str()) {
            return Err(bad(format!("the log of {} is named {name}", keys.body)));
        }
        let checkpoint = Signed::verify(&request.checkpoint, &keys.log).map_err(|error| bad(error.to_string()))?;
        let time = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let said = held.compare(&keys, &checkpoint, request, time)?;
        let keys = self.signed_keys().map_err(bad)?;
        Ok(WitnessAnswer { said, keys })
    }
}

impl Held {
    pub(super) fn new(folder: PathBuf, witness: Witness) -> Self {
        Self { folder, witness }
    }

    fn compare(&self, keys: &LogKeys, new: &Signed, request: &WitnessRequest, time: u64) -> Result<Said, Refusal> {
        let folder = self.folder_of(&keys.body)?;
        self.same_key(&folder, keys)?;
        let Some(old) = read(&folder.join("checkpoint"), &keys.log)? else { return self.cosign(&folder, new, time) };
        let continues = |old: &Signed| {
            let proof: Vec<Hash> = request.proof.iter().map(|hash| Hash(*hash)).collect();
            old.size == 0 || check_tree(&proof, new.size, new.root, old.size, old.root).is_ok()
        };
        let why = match new.size.cmp(&old.size) {
            std::cmp::Ordering::Less => "it is older than one that was seen before: the log went back",
            std::cmp::Ordering::Equal if new.root != old.root => "it is of other records: the log was forked",
            std::cmp::Ordering::Greater if old.size > 0 && request.old_size != old.size => {
                return Ok(Said::Held(old.note));
            }
            std::cmp::Ordering::Greater if !continues(&old) => {
                "it does not continue the one before: the log was forked"
            }
            std::cmp::Ordering::Equal | std::cmp::Ordering::Greater => return self.cosign(&folder, new, time),
        };
        let kept = evidence(&folder, &old, new)?;
        tracing::error!(body = %keys.body, held = old.size, shown = new.size, evidence = %kept.display(),
            "a checkpoint of another body's log is refused: {why}; both are kept, signed by its own key: tell that body, \
             and the federation");
        Ok(Said::Refused(old.note))
    }

    fn cosign(&self, folder: &Path, new: &Signed, time: u64) -> Result<Said, Refusal> {
        let line = self.witness.cosign(new, time).map_err(|error| Refusal::Bad(error.to_string()))?;
        durable_file(&folder.join("checkpoint"), &new.with(&line))?;
        Ok(Said::Cosigned(line))
    }

    fn folder_of(&self, body: &Name) -> io::Result<PathBuf> {
        let folder = self.folder.join(body.as_str());
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(folder)
    }

    /// A log has one key for good: another one could tell another history.
    fn same_key(&self, folder: &Path, keys: &LogKeys) -> Result<(), Refusal> {
        let file = folder.join("key");
        match fs::read_to_string(&file) {
            Ok(known) if known.trim() == keys.log => Ok(()),
            Ok(known) => {
                tracing::error!(body = %keys.body, known = known.trim(), shown = %keys.log, file = %file.display(),
                    "the log of another body has another key than before: its checkpoints are refused until that body has \
                     said why, and the folder of the file is set aside");
                Err(Refusal::Bad(format!("the log of {} had another key when this witness first saw it", keys.body)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(durable_file(&file, format!("{}\n", keys.log).as_bytes())?)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// The checkpoint in a file, if there is one. One that can't be read is no reason to forget it.
fn read(file: &Path, key: &str) -> Result<Option<Signed>, Refusal> {
    match fs::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        note => {
            let broken = |error| io::Error::other(format!("{}: {error}", file.display()));
            Ok(Some(Signed::verify(&note?, key).map_err(broken)?))
        }
    }
}

/// Keeps two checkpoints that contradict each other, and says where.
fn evidence(folder: &Path, old: &Signed, new: &Signed) -> io::Result<PathBuf> {
    let short: String = hex::encode(new.root.0).chars().take(16).collect();
    let kept = folder.join(format!("evidence-{}-{}-{short}", old.size, new.size));
    let count = fs::read_dir(folder)?.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with("evi"));
    if !kept.exists() && count.count() < MOST_EVIDENCE {
        durable_file(&kept, &[old.note.as_slice(), b"\n", &new.note].concat())?;
    }
    Ok(kept)
}
