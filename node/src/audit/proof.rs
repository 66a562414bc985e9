//! A proof that a record is in a log, in C2SP's form tlog-proof: it holds by itself, for whoever has the log's key.

use std::fmt::Write;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use tlog_tiles::{Hash, check_record};

use super::note::{MOST_BYTES, NoteError, Signed};

const HEADING: &str = "c2sp.org/tlog-proof@v1";
/// Hashes of the longest proof: one for each level of a tree.
const MOST_HASHES: usize = 64;

/// A record's way to the root of a checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Proof {
    /// The record itself, where it is handed on with its proof.
    pub extra: Option<Vec<u8>>,
    /// The record's index.
    pub index: u64,
    /// The hashes beside the way, from the record up.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint.
    pub note: Vec<u8>,
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// It is not in the form of one.
    #[error("it is no tlog-proof: {0}")]
    Malformed(&'static str),
    /// Its checkpoint is not the log's.
    #[error("its checkpoint can't be relied on: {0}")]
    Checkpoint(#[from] NoteError),
    /// It does not lead to the checkpoint.
    #[error("the record is not in the tree of its checkpoint")]
    NotIncluded,
}

impl Proof {
    /// As text.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = format!("{HEADING}\n");
        if let Some(extra) = &self.extra {
            let _ = writeln!(text, "extra {}", BASE64_STANDARD.encode(extra));
        }
        let _ = writeln!(text, "index {}", self.index);
        for hash in &self.hashes {
            let _ = writeln!(text, "{hash}");
        }
        text.push('\n');
        [text.as_bytes(), &self.note].concat()
    }

    /// Reads one; nothing is checked yet.
    pub fn decode(bytes: &[u8]) -> Result<Self, ProofError> {
        let text = std::str::from_utf8(bytes).map_err(|_| ProofError::Malformed("it is no text"))?;
        let (head, note) = text.split_once("\n\n").ok_or(ProofError::Malformed("it has no checkpoint"))?;
        if note.len() > MOST_BYTES {
            return Err(ProofError::Malformed("its checkpoint is too long"));
        }
        let mut lines = head.lines().peekable();
        if lines.next() != Some(HEADING) {
            return Err(ProofError::Malformed("its first line is another"));
        }
        let extra = lines.next_if(|line| line.starts_with("extra "));
        let extra = extra.map(|line| BASE64_STANDARD.decode(line.trim_start_matches("extra "))).transpose();
        let extra = extra.map_err(|_| ProofError::Malformed("what it holds beside is no base64"))?;
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index.and_then(|text| text.parse::<u64>().ok().filter(|index| index.to_string() == text));
        let index = index.ok_or(ProofError::Malformed("it names no index"))?;
        let hashes: Vec<Hash> = lines
            .map(Hash::parse_hash)
            .collect::<Result<_, _>>()
            .map_err(|_| ProofError::Malformed("a line of it is no hash"))?;
        if hashes.len() > MOST_HASHES {
            return Err(ProofError::Malformed("it has too many hashes"));
        }
        Ok(Self { extra, index, hashes, note: note.as_bytes().to_vec() })
    }

    /// Checks that a record with this hash is in the log whose key this is, and returns the checkpoint that says so.
    pub fn check(&self, key: &str, record: Hash) -> Result<Signed, ProofError> {
        let signed = Signed::verify(&self.note, key)?;
        check_record(&self.hashes, signed.size, signed.root, self.index, record)
            .map_err(|_| ProofError::NotIncluded)?;
        Ok(signed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tlog_tiles::{node_hash, record_hash};

    use super::*;
    use crate::audit::note::LogKey;

    #[test]
    fn a_proof_comes_back_and_proves_one_record_of_one_log() {
        let key = LogKey::new("london/lfb/log", &[1; 32]);
        let (a, b) = (record_hash(b"a"), record_hash(b"b"));
        let note = key.checkpoint(2, node_hash(a, b)).unwrap();
        let proof = Proof { extra: Some(b"b".to_vec()), index: 1, hashes: vec![a], note };
        let text = proof.encode();
        assert!(text.starts_with(b"c2sp.org/tlog-proof@v1\nextra Yg==\nindex 1\n"));
        let again = Proof::decode(&text).unwrap();
        assert_eq!(again, proof);
        assert_eq!(again.check(&key.verifier(), b).unwrap().size, 2);
        assert_eq!(again.check(&key.verifier(), a), Err(ProofError::NotIncluded));
        let other = Proof { index: 0, ..again.clone() };
        assert_eq!(other.check(&key.verifier(), b), Err(ProofError::NotIncluded));
        assert_eq!(Proof { index: 7, ..again.clone() }.check(&key.verifier(), b), Err(ProofError::NotIncluded));
        let stranger = LogKey::new("london/lfb/log", &[2; 32]);
        assert!(matches!(again.check(&stranger.verifier(), b), Err(ProofError::Checkpoint(_))));
        for bad in ["", "c2sp.org/tlog-proof@v1\nindex 01\n\nx", "c2sp.org/tlog-proof@v1\nindex 1\nzz\n\nx", "x\n\ny"] {
            assert!(matches!(Proof::decode(bad.as_bytes()), Err(ProofError::Malformed(_))), "{bad:?}");
        }
    }
}
