//! Other tables that agree with what is published: changes of withheld cells, in whole steps, that add up.

use std::collections::BTreeMap;

use super::layer::Layer;

/// By cell the change from its true value; cells that are not named keep theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Witness {
    changes: BTreeMap<usize, i64>,
}

/// A change of a cell that must remain possible: at least so far, upwards where positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) cell: usize,
    pub(super) change: i64,
}

impl Witness {
    /// The witness of these changes, if they are those of a table: exactly, every relation holds, and no cell leaves its
    /// room.
    pub(super) fn checked(layer: &Layer, changes: BTreeMap<usize, i64>) -> Option<Self> {
        let witness = Self { changes: changes.into_iter().filter(|(_, change)| *change != 0).collect() };
        let holds = witness.changes.iter().all(|(cell, change)| {
            let (down, up) = layer.room(*cell);
            let adds_up = layer.touching(*cell).all(|relation| {
                let parts: i64 = relation.parts.iter().map(|part| witness.change(*part)).sum();
                parts == witness.change(relation.whole)
            });
            -down <= *change && *change <= up && adds_up
        });
        holds.then_some(witness)
    }

    /// Whether it agrees with what an outsider sees.
    pub(super) fn agrees(&self, layer: &Layer, withheld: &[bool]) -> bool {
        self.changes.keys().all(|cell| !known(layer, withheld, *cell))
    }

    /// The cells that have another value.
    pub(super) fn changed(&self) -> impl Iterator<Item = usize> + '_ {
        self.changes.keys().copied()
    }

    pub(super) fn change(&self, cell: usize) -> i64 {
        self.changes.get(&cell).copied().unwrap_or_default()
    }

    /// Whether it takes a cell as far as it must be possible.
    pub(super) fn reaches(&self, target: Target) -> bool {
        let change = self.change(target.cell);
        if target.change > 0 { change >= target.change } else { change <= target.change }
    }
}

/// Whether an outsider sees a cell.
pub(super) fn known(layer: &Layer, withheld: &[bool], cell: usize) -> bool {
    layer.published(cell) && !withheld.get(cell).copied().unwrap_or(true)
}
