//! Which anchors may be near a cell, held in memory so that few are read from the file and fewer decoded.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::Scope;
use super::error::Fault;
use super::tables::{Listed, Tables, place_of_anchors};

/// Lists and their anchors held at most, about 60 bytes for each; beyond it the index starts again empty.
const MOST_HELD: usize = 1 << 19;

/// The outlines of anchors, by their scope and number of units; as the open transaction sees them.
#[derive(Default)]
pub(super) struct Index {
    scopes: HashMap<Scope, HashMap<u64, List>>,
    held: usize,
}

/// The anchors of a scope with one number of units, in order.
pub(super) struct List {
    /// Where they are in the file. It takes longer to find by its key than all that it is compared with.
    pub(super) place: u128,
    pub(super) anchors: Vec<Listed>,
}

impl Index {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// All anchors of a scope with so many units.
    pub(super) fn at(&mut self, scope: &Scope, units: u64, tables: &Tables<'_>) -> Result<&mut List, Fault> {
        if self.held >= MOST_HELD {
            self.clear();
        }
        match self.scopes.entry(scope.clone()).or_default().entry(units) {
            Entry::Occupied(list) => Ok(list.into_mut()),
            Entry::Vacant(list) => {
                let place = place_of_anchors(tables.keys, scope, units);
                let anchors = tables.listed(place)?;
                self.held += 1 + anchors.len();
                Ok(list.insert(List { place, anchors }))
            }
        }
    }

    /// Takes in an anchor that was made just now, and returns its place.
    pub(super) fn add(
        &mut self,
        scope: &Scope,
        units: u64,
        anchor: Listed,
        tables: &Tables<'_>,
    ) -> Result<u128, Fault> {
        let list = self.at(scope, units, tables)?;
        list.anchors.push(anchor);
        let place = list.place;
        self.held += 1;
        Ok(place)
    }
}
