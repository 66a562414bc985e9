//! Which anchors may be near a cell, and what they hold, in memory: the file is read once for each list of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::Scope;
use super::error::Fault;
use super::tables::{Listed, Tables, place_of_anchors};

/// Lists and their anchors held at most, about 250 bytes for each; beyond it the index starts again empty.
const MOST_HELD: usize = 1 << 18;

/// The anchors, by their scope and number of units; as the open transaction sees them.
#[derive(Default)]
pub(super) struct Index {
    scopes: HashMap<Scope, HashMap<u64, List>>,
    held: usize,
}

/// The lists of one scope.
pub(super) struct Lists<'i> {
    scope: &'i Scope,
    by_units: &'i mut HashMap<u64, List>,
    held: &'i mut usize,
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

    /// The lists of a scope.
    pub(super) fn of<'i>(&'i mut self, scope: &'i Scope) -> Lists<'i> {
        if self.held >= MOST_HELD {
            self.clear();
        }
        let by_units = self.scopes.entry(scope.clone()).or_default();
        Lists { scope, by_units, held: &mut self.held }
    }
}

impl Lists<'_> {
    /// All anchors with so many units.
    pub(super) fn at(&mut self, units: u64, tables: &Tables<'_>) -> Result<&mut List, Fault> {
        match self.by_units.entry(units) {
            Entry::Occupied(list) => Ok(list.into_mut()),
            Entry::Vacant(list) => {
                let place = place_of_anchors(tables.keys, self.scope, units);
                let anchors = tables.listed(place)?;
                *self.held += 1 + anchors.len();
                Ok(list.insert(List { place, anchors }))
            }
        }
    }

    /// Takes in an anchor that was made just now.
    pub(super) fn add(&mut self, units: u64, anchor: Listed, tables: &Tables<'_>) -> Result<(), Fault> {
        self.at(units, tables)?.anchors.push(anchor);
        *self.held += 1;
        Ok(())
    }
}
