//! Which anchors may be near a cell, held in memory so that few are read from the file and fewer decoded.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::error::Fault;
use super::tables::{Listed, Tables};

/// Lists and their anchors held at most, about 50 bytes for each; beyond it the index starts again empty.
const MOST_HELD: usize = 1 << 19;

/// The outlines of anchors, by the place of their scope and number of units; as the open transaction sees them.
#[derive(Default)]
pub(super) struct Index {
    lists: HashMap<u128, Vec<Listed>>,
    held: usize,
}

impl Index {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// All anchors at a place, in order.
    pub(super) fn at(&mut self, place: u128, tables: &Tables<'_>) -> Result<&[Listed], Fault> {
        if self.held >= MOST_HELD {
            self.clear();
        }
        match self.lists.entry(place) {
            Entry::Occupied(list) => Ok(list.into_mut()),
            Entry::Vacant(list) => {
                let listed = tables.listed(place)?;
                self.held += 1 + listed.len();
                Ok(list.insert(listed))
            }
        }
    }

    /// Takes in an anchor just made; a place that isn't held is read when it is needed.
    pub(super) fn add(&mut self, place: u128, anchor: Listed) {
        if let Some(list) = self.lists.get_mut(&place) {
            list.push(anchor);
            self.held += 1;
        }
    }
}
