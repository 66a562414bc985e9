//! Keys and signed notes: checkpoints that the log signs, and cosignatures by which witnesses say that they saw them.
//!
//! The forms are C2SP's: signed-note, tlog-checkpoint and tlog-cosignature (`cosignature/v1`), by the crates `signed_note`
//! and `tlog_tiles`; only the cosignature, which they lack, is put together here from their parts.

use ed25519_dalek::{Signature, SignatureError, Signer as _, SigningKey, Verifier as _, VerifyingKey};
use signed_note::{Note, Signer, StandardVerifier, Verifier, VerifierList, key_id, new_ed25519_verifier_key};
use tlog_tiles::{Checkpoint, Hash};

use base64::prelude::{BASE64_STANDARD, Engine as _};

/// The signature type of a cosignature by Ed25519.
const COSIGNATURE: u8 = 4;
/// Bytes of a cosignature: a time, then the signature.
const COSIGNATURE_BYTES: usize = 72;
/// The longest checkpoint that is read (bytes).
pub(super) const MOST_BYTES: usize = 64 << 10;
/// The most records that a log can have: far beyond any, and below what the arithmetic of trees can't count.
const MOST_RECORDS: u64 = 1 << 48;

/// Why a note is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is not in the form of one.
    #[error("it is no signed checkpoint")]
    Malformed,
    /// It is another log's.
    #[error("it is of the log {found}, not of {expected}")]
    Origin {
        /// The log that it names.
        found: String,
        /// The log that was meant.
        expected: String,
    },
    /// The signature does not hold.
    #[error("it is not signed by the key {0}")]
    Unsigned(String),
    /// A key is not in the form of one.
    #[error("{0:?} is no key of a log or witness")]
    Key(String),
}

/// The name under which a body's log signs.
pub fn origin(federation: &str, body: &str) -> String {
    format!("{federation}/{body}/log")
}

/// The name under which a body cosigns the checkpoints of others.
pub fn witness_name(federation: &str, body: &str) -> String {
    format!("{federation}/{body}/witness")
}

/// The key of a log, with its name.
#[derive(Clone)]
pub struct LogKey {
    name: String,
    key: SigningKey,
}

impl std::fmt::Debug for LogKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LogKey({})", self.verifier())
    }
}

impl LogKey {
    /// The key of this seed.
    pub fn new(name: &str, seed: &[u8; 32]) -> Self {
        Self { name: name.to_owned(), key: SigningKey::from_bytes(seed) }
    }

    /// The key that others verify with, as signed notes write it.
    pub fn verifier(&self) -> String {
        new_ed25519_verifier_key(&self.name, &self.key.verifying_key())
    }

    /// The log's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The signed checkpoint of a tree.
    pub(crate) fn checkpoint(&self, size: u64, root: Hash) -> Result<Vec<u8>, NoteError> {
        let checkpoint = Checkpoint::new(&self.name, size, root, "").map_err(|_| NoteError::Malformed)?;
        let mut note = Note::new(&checkpoint.to_bytes(), &[]).map_err(|_| NoteError::Malformed)?;
        note.add_sigs(&[self]).map_err(|_| NoteError::Malformed)?;
        Ok(note.to_bytes())
    }
}

impl Signer for LogKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        key_id(&self.name, &[&[1], self.key.verifying_key().as_bytes().as_slice()].concat())
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        self.key.try_sign(message).map(|signature| signature.to_vec())
    }
}

/// A checkpoint whose signature by its log was verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Signed {
    /// Number of records.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
    /// The note, with whatever other signatures it carries.
    pub note: Vec<u8>,
}

impl Signed {
    /// Verifies a note under the key of its log.
    pub fn verify(note: &[u8], key: &str) -> Result<Self, NoteError> {
        let verifier = StandardVerifier::new(key).map_err(|_| NoteError::Key(key.to_owned()))?;
        let name = verifier.name().to_owned();
        if note.len() > MOST_BYTES {
            return Err(NoteError::Malformed);
        }
        let parsed = Note::from_bytes(note).map_err(|_| NoteError::Malformed)?;
        let checkpoint = Checkpoint::from_bytes(parsed.text()).map_err(|_| NoteError::Malformed)?;
        if checkpoint.origin() != name {
            return Err(NoteError::Origin { found: checkpoint.origin().to_owned(), expected: name });
        }
        parsed.verify(&VerifierList::new(vec![Box::new(verifier)])).map_err(|_| NoteError::Unsigned(key.to_owned()))?;
        if checkpoint.size() > MOST_RECORDS {
            return Err(NoteError::Malformed);
        }
        Ok(Self { size: checkpoint.size(), root: *checkpoint.hash(), note: note.to_vec() })
    }

    /// The names of those of these witnesses who cosigned it.
    pub fn cosigned_by(&self, witnesses: &[WitnessVerifier]) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for witness in witnesses {
            if self.cosigned_at(witness).is_some() && !names.contains(&witness.name) {
                names.push(witness.name.clone());
            }
        }
        names
    }

    /// When a witness cosigned it, in seconds since the Unix epoch; `None` if it did not.
    pub fn cosigned_at(&self, witness: &WitnessVerifier) -> Option<u64> {
        let note = Note::from_bytes(&self.note).ok()?;
        let (verified, _) = note.verify(&VerifierList::new(vec![Box::new(witness.clone())])).ok()?;
        let time = verified.first()?.signature().first_chunk()?;
        Some(u64::from_be_bytes(*time))
    }

    /// The note with a witness's signature line behind its own.
    pub fn with(&self, line: &[u8]) -> Vec<u8> {
        [self.note.as_slice(), line].concat()
    }
}

/// Cosigns the checkpoints of other logs.
#[derive(Clone)]
pub struct Witness {
    name: String,
    key: SigningKey,
}

impl std::fmt::Debug for Witness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Witness({})", self.verifier())
    }
}

impl Witness {
    /// The witness of this seed.
    pub fn new(name: &str, seed: &[u8; 32]) -> Self {
        Self { name: name.to_owned(), key: SigningKey::from_bytes(seed) }
    }

    /// The key that others verify with, as C2SP writes it.
    pub fn verifier(&self) -> String {
        let key = material(&self.key.verifying_key());
        format!("{}+{:08x}+{}", self.name, key_id(&self.name, &key), BASE64_STANDARD.encode(key))
    }

    /// The signature line that says that this was, at that time (seconds since the Unix epoch), the newest checkpoint of
    /// its log that this witness had seen.
    pub fn cosign(&self, checkpoint: &Signed, time: u64) -> Result<Vec<u8>, NoteError> {
        let note = Note::from_bytes(&checkpoint.note).map_err(|_| NoteError::Malformed)?;
        let signature =
            self.key.try_sign(&message(time, note.text())).map_err(|_| NoteError::Unsigned(self.name.clone()))?;
        let id = key_id(&self.name, &material(&self.key.verifying_key()));
        let bytes = [time.to_be_bytes().as_slice(), &signature.to_bytes()].concat();
        let line = signed_note::Signature::new(self.name.clone(), id, bytes).map_err(|_| NoteError::Malformed)?;
        Ok(line.to_bytes())
    }
}

/// Verifies the cosignatures of one witness.
#[derive(Clone)]
pub struct WitnessVerifier {
    name: String,
    id: u32,
    key: VerifyingKey,
}

impl WitnessVerifier {
    /// Reads a key of the form `name+id+key`.
    pub fn new(text: &str) -> Result<Self, NoteError> {
        let bad = || NoteError::Key(text.to_owned());
        let (name, rest) = text.split_once('+').ok_or_else(bad)?;
        let (id, key) = rest.split_once('+').ok_or_else(bad)?;
        let id = u32::from_str_radix(id, 16).map_err(|_| bad())?;
        let material = BASE64_STANDARD.decode(key).map_err(|_| bad())?;
        let (kind, key) = material.split_first().ok_or_else(bad)?;
        if *kind != COSIGNATURE || id != key_id(name, &material) || !signed_note::is_key_name_valid(name) {
            return Err(bad());
        }
        let key = VerifyingKey::try_from(key).map_err(|_| bad())?;
        Ok(Self { name: name.to_owned(), id, key })
    }

    /// The witness's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Verifier for WitnessVerifier {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let Ok(bytes) = <[u8; COSIGNATURE_BYTES]>::try_from(signature) else { return false };
        let (time, signature) = bytes.split_at(8);
        let Ok(time) = time.try_into().map(u64::from_be_bytes) else { return false };
        let Ok(signature) = Signature::from_slice(signature) else { return false };
        self.key.verify(&message(time, text), &signature).is_ok()
    }
}

fn material(key: &VerifyingKey) -> Vec<u8> {
    [&[COSIGNATURE], key.as_bytes().as_slice()].concat()
}

fn message(time: u64, text: &[u8]) -> Vec<u8> {
    [format!("cosignature/v1\ntime {time}\n").as_bytes(), text].concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_checkpoint_is_its_logs_and_a_cosignature_its_witnesss() {
        let log = LogKey::new(&origin("london", "lfb"), &[1; 32]);
        let other = LogKey::new(&origin("london", "gla"), &[1; 32]);
        let note = log.checkpoint(3, Hash([7; 32])).unwrap();
        let signed = Signed::verify(&note, &log.verifier()).unwrap();
        assert_eq!((signed.size, signed.root), (3, Hash([7; 32])));
        assert!(matches!(Signed::verify(&note, &other.verifier()), Err(NoteError::Origin { .. })));
        let forged = LogKey::new(&origin("london", "lfb"), &[2; 32]).checkpoint(3, Hash([7; 32])).unwrap();
        assert!(matches!(Signed::verify(&forged, &log.verifier()), Err(NoteError::Unsigned(_))));
        let text = String::from_utf8(note.clone()).unwrap().replacen("\n3\n", "\n4\n", 1);
        assert!(matches!(Signed::verify(text.as_bytes(), &log.verifier()), Err(NoteError::Unsigned(_))));

        let witness = Witness::new(&witness_name("london", "gla"), &[3; 32]);
        let line = witness.cosign(&signed, 1_679_315_147).unwrap();
        let cosigned = Signed::verify(&signed.with(&line), &log.verifier()).unwrap();
        let known = WitnessVerifier::new(&witness.verifier()).unwrap();
        let stranger = WitnessVerifier::new(&Witness::new("london/gla/witness", &[4; 32]).verifier()).unwrap();
        assert_eq!(cosigned.cosigned_by(&[known.clone(), stranger.clone(), known.clone()]), ["london/gla/witness"]);
        assert!(signed.cosigned_by(&[known.clone()]).is_empty() && cosigned.cosigned_by(&[stranger]).is_empty());
        // Its time is part of what it says.
        let later = witness.cosign(&signed, 1_679_315_148).unwrap();
        assert_ne!(line, later);
        assert!(WitnessVerifier::new(&log.verifier()).is_err(), "a log's key is no witness's");
    }
}
