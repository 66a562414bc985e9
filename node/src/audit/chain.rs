//! Reading the log back: the chain of hashes, a torn tail, and releases whose outcome is not known.

use std::collections::BTreeSet;
use std::fmt;

use sha2::{Digest, Sha256};

use super::read::Recorded;
use super::record::{Line, Record};

/// What reading a whole log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Number of records.
    pub records: u64,
    /// SHA-256 of the last line, zeros if there is none.
    pub head: [u8; 32],
    /// Bytes of whole, chained lines; what follows is a torn tail.
    pub whole: usize,
    /// Releases whose outcome no record tells.
    pub open: BTreeSet<u64>,
    /// What is said of rights.
    pub rights: Rights,
}

/// The rights that a log tells of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rights {
    /// Their numbers.
    pub rights: BTreeSet<u64>,
    /// Datasets and the numbers of rights that are in force in them.
    pub effects: BTreeSet<(String, u64)>,
}

impl Rights {
    fn add(&mut self, record: &Record) {
        match record {
            Record::Right(right) => {
                self.rights.insert(right.number);
            }
            Record::Effect { dataset, rights } => {
                self.effects.extend(rights.iter().map(|number| (dataset.clone(), *number)));
            }
            Record::Release(_) | Record::Refusal(_) | Record::Check(_) | Record::Alert(_) | Record::Outcome { .. } => {}
        }
    }

    /// What these records tell of rights.
    pub fn of(records: &[Recorded]) -> Self {
        let mut rights = Self::default();
        records.iter().for_each(|recorded| rights.add(&recorded.record));
        rights
    }

    /// The highest number, 0 where there is none.
    pub fn last(&self) -> u64 {
        self.rights.last().copied().unwrap_or_default()
    }
}

/// Where a chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Line number, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub why: &'static str,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.why)
    }
}

/// Re-derives the chain of a log from its bytes.
///
/// A last line without its line end was never acknowledged: it is the torn tail of a crash, not damage.
pub fn verify(bytes: &[u8]) -> Result<Verified, Broken> {
    let mut state = Verified { records: 0, head: [0; 32], whole: 0, open: BTreeSet::new(), rights: Rights::default() };
    for text in bytes.split_inclusive(|byte| *byte == b'\n') {
        let Some(text) = text.strip_suffix(b"\n") else { break };
        let broken = |why| Broken { line: state.records + 1, why };
        let line: Line = serde_json::from_slice(text).map_err(|_| broken("it is no record"))?;
        if line.index != state.records {
            return Err(broken("its index is not the next one"));
        }
        if line.previous != hex::encode(state.head) {
            return Err(broken("it does not continue the line before it"));
        }
        state.rights.add(&line.record);
        match line.record {
            Record::Release(_) => {
                state.open.insert(line.index);
            }
            Record::Refusal(_) | Record::Check(_) | Record::Alert(_) | Record::Right(_) | Record::Effect { .. } => {}
            Record::Outcome { of, .. } => {
                if !state.open.remove(&of) {
                    return Err(broken("it tells the outcome of no open release"));
                }
            }
        }
        state.records += 1;
        state.head = hash(text);
        state.whole += text.len() + 1;
    }
    Ok(state)
}

/// SHA-256 of a line without its line end.
pub(super) fn hash(line: &[u8]) -> [u8; 32] {
    Sha256::digest(line).into()
}
