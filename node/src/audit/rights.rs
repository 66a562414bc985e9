//! What the log tells of rights that persons exercised.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::record::Record;

/// The rights that a log tells of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights {
    /// Their numbers.
    pub rights: BTreeSet<u64>,
    /// Datasets and the numbers of rights that are in force in them.
    pub effects: BTreeSet<(String, u64)>,
}

impl Rights {
    pub(super) fn add(&mut self, record: &Record) {
        match record {
            Record::Right(right) => {
                self.rights.insert(right.number);
            }
            Record::Effect { dataset, rights } => {
                self.effects.extend(rights.iter().map(|number| (dataset.clone(), *number)));
            }
            Record::Release(_)
            | Record::Refusal(_)
            | Record::Check(_)
            | Record::Alert(_)
            | Record::Outcome { .. }
            | Record::Long(_) => {}
        }
    }

    /// The highest number, 0 where there is none.
    pub fn last(&self) -> u64 {
        self.rights.last().copied().unwrap_or_default()
    }
}
