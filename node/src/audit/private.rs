//! The private part of a record: what stays at home, may be personal data, and is deleted on schedule.
//!
//! The log can't forget, so a record holds no literal of the SQL and no number of withheld cells. It commits to them:
//!
//! ```text
//! commitment = SHA-256("meridian private part 1\n" || salt || private part)
//! ```
//!
//! The salt is 32 random bytes, so that nobody can try out what a short private part may be; the private part is JSON as
//! it lies in the file. Whoever is shown salt and private part can check both against the log or a receipt; when they are
//! deleted, the commitment tells nothing.

use std::fmt;

use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::LogError;

const HEADING: &[u8] = b"meridian private part 1\n";

/// What a record keeps to itself. It has no form for messages.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Private {
    /// The literals of the SQL as they were written, in the order of its `?`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub literals: Vec<String>,
    /// The names of the SQL that nobody publishes, in the order of `_1`, `_2`, ….
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// The values bound to `$1`, `$2`, ….
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameters: Vec<String>,
    /// What became of the cells of a release, by release point.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<Cells>,
    /// Near pairs of counts that an alert is about.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pairs: u64,
}

/// What became of the cells of one release point.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cells {
    /// The datasets whose rows are below it.
    pub datasets: Vec<String>,
    /// Cells that left.
    pub released: u64,
    /// Cells with units that did not: under the threshold, or dominated.
    pub withheld: u64,
    /// Of those that left, with the answer of an earlier one that they are near.
    pub reused: u64,
    /// Pairs of a count that left and an earlier one that it is near.
    pub near: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_zero(pairs: &u64) -> bool {
    *pairs == 0
}

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Private(…)")
    }
}

/// A private part and what commits to it.
#[derive(Clone)]
pub struct Committed {
    pub(super) salt: [u8; 32],
    pub(super) bytes: Vec<u8>,
}

impl fmt::Debug for Committed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Committed").field("commitment", &hex::encode(self.commitment())).finish_non_exhaustive()
    }
}

impl Committed {
    /// Commits to a private part under a new salt.
    pub fn new(private: &Private) -> Result<Self, LogError> {
        let mut salt = [0; 32];
        SystemRandom::new().fill(&mut salt).map_err(|_| LogError::Write("no random numbers can be had".into()))?;
        let bytes = serde_json::to_vec(private).map_err(|error| LogError::Write(error.to_string()))?;
        Ok(Self { salt, bytes })
    }

    /// SHA-256 of heading, salt and private part.
    pub fn commitment(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [HEADING, &self.salt, &self.bytes] {
            hash.update(part);
        }
        hash.finalize().into()
    }

    /// The private part.
    pub fn private(&self) -> Option<Private> {
        serde_json::from_slice(&self.bytes).ok()
    }

    /// As it is sealed: salt, then private part.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        [self.salt.as_slice(), &self.bytes].concat()
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (salt, bytes) = bytes.split_first_chunk()?;
        Some(Self { salt: *salt, bytes: bytes.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_commitment_holds_one_private_part_and_tells_nothing_of_it() {
        let private = Private { literals: vec!["'Zamora'".into()], ..Private::default() };
        let committed = Committed::new(&private).unwrap();
        let again = Committed::from_bytes(&committed.to_bytes()).unwrap();
        assert_eq!(again.private().unwrap(), private);
        assert_eq!(again.commitment(), committed.commitment());
        let salted = [b"meridian private part 1\n".as_slice(), &committed.to_bytes()].concat();
        assert_eq!(committed.commitment(), <[u8; 32]>::from(Sha256::digest(salted)), "as the documentation says");
        assert_ne!(
            Committed::new(&private).unwrap().commitment(),
            committed.commitment(),
            "each has a salt of its own"
        );
        let other = Committed::new(&Private::default()).unwrap();
        assert_ne!(Committed { salt: committed.salt, ..other }.commitment(), committed.commitment());
        assert!(!format!("{private:?} {committed:?}").contains("Zamora"));
    }
}
