//! The whole list in the order in which it was made, and what of it concerns a dataset.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use meridian_proto::Name;
use serde::{Deserialize, Serialize};

use super::Entry;

/// The list. Entries are added at its end and never removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    entries: Vec<Entry>,
}

/// The kinds of unit that a dataset's rows can be found by.
#[derive(Debug, Clone, Copy, Default)]
pub struct Kinds<'a> {
    /// Its own, where a column names the unit.
    pub own: Option<&'a Name>,
    /// The one that its units belong to.
    pub outer: Option<&'a Name>,
}

impl Kinds<'_> {
    /// Whether rows can be found by units of this kind.
    pub fn contain(self, kind: &Name) -> bool {
        self.own == Some(kind) || self.outer == Some(kind)
    }
}

/// What of the list concerns a dataset now.
#[derive(Debug, Default, Clone)]
pub struct Concerning {
    /// Numbers of the entries that are about it, ended ones and their ends included, ascending.
    pub numbers: Vec<u64>,
    /// Hashes of the units whose rows are left out, of its own kind or the one that they belong to.
    pub left_out: HashSet<u64>,
    /// Right values: for a unit and column the last that was said.
    pub overlays: Vec<Overlay>,
}

/// A right value.
#[derive(Clone, PartialEq, Eq)]
pub struct Overlay {
    /// The entry that says so.
    pub number: u64,
    /// The unit's hash.
    pub unit: u64,
    /// The column.
    pub column: Name,
    /// The value's text.
    pub value: String,
}

impl std::fmt::Debug for Overlay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Overlay").field("number", &self.number).field("column", &self.column).finish_non_exhaustive()
    }
}

/// An entry that stands and can't be applied to a dataset that it is about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "entry {number} of the list of rights is about it by units of kind {kind}, and it no longer names such units; put \
     back its [unit], or withdraw the entry and make it anew"
)]
pub struct Misfit {
    /// The entry.
    pub number: u64,
    /// Its kind of unit.
    pub kind: Name,
}

impl List {
    /// The list of these entries, if they can be one: numbered from 1, and none ends what doesn't stand.
    pub(super) fn checked(self) -> Option<Self> {
        let mut standing = BTreeSet::new();
        for (number, entry) in (1..).zip(&self.entries) {
            let ends = entry.ends.is_none_or(|ended| standing.remove(&ended));
            if entry.number != number || !ends {
                return None;
            }
            if entry.right.stands() {
                standing.insert(number);
            }
        }
        Some(self)
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.entries.push(entry);
    }

    /// All entries, ended ones and ends included.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The number of the last entry; 0 where there is none.
    pub fn last(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.number)
    }

    /// An entry by its number.
    pub fn entry(&self, number: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(number.checked_sub(1)?).ok()?)
    }

    /// What ended an entry.
    pub fn end_of(&self, number: u64) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.ends == Some(number))
    }

    /// The entries that stand.
    pub fn standing(&self) -> impl Iterator<Item = &Entry> {
        let ended: BTreeSet<u64> = self.entries.iter().filter_map(|entry| entry.ends).collect();
        self.entries.iter().filter(move |entry| entry.right.stands() && !ended.contains(&entry.number))
    }

    /// What of the list concerns a dataset.
    ///
    /// # Errors
    ///
    /// An entry about it stands that can't be applied to it.
    pub fn concerning(&self, dataset: &Name, kinds: Kinds<'_>) -> Result<Concerning, Misfit> {
        let about =
            |entry: &Entry| entry.datasets.contains(dataset) || (!entry.named && kinds.contain(&entry.unit_kind));
        let mut found = Concerning::default();
        let mut overlays = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| about(entry)) {
            let started = entry.ends.and_then(|number| self.entry(number)).unwrap_or(entry);
            if started.right.stands() {
                found.numbers.push(entry.number);
            }
        }
        for entry in self.standing().filter(|entry| about(entry)) {
            let fits = if entry.right.leaves_out() {
                kinds.contain(&entry.unit_kind)
            } else {
                kinds.own == Some(&entry.unit_kind)
            };
            if !fits {
                return Err(Misfit { number: entry.number, kind: entry.unit_kind.clone() });
            }
            if entry.right.leaves_out() {
                found.left_out.extend(&entry.units);
            }
            for (unit, (column, value)) in
                entry.units.iter().flat_map(|unit| entry.values.iter().map(move |value| (*unit, value)))
            {
                let overlay = Overlay { number: entry.number, unit, column: column.clone(), value: value.clone() };
                overlays.insert((unit, column.clone()), overlay);
            }
        }
        found.overlays = overlays.into_values().collect();
        Ok(found)
    }
}
