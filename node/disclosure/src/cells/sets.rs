//! Sets of units: how many there are, the sum of their hashes, and a fingerprint.

use crate::sketch::Parts;

/// The sets of units of many cells.
#[derive(Debug)]
pub(super) struct Sets {
    counts: Vec<Counted>,
    sketches: Option<Parts>,
}

/// Units and the sum of their hashes.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    units: u64,
    keys: u64,
}

/// A set of units.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Set {
    /// How many there are.
    pub units: u64,
    /// The sum of their hashes modulo 2^64.
    pub keys: u64,
    /// The fingerprint's part over units, in words; of no units it may be missing.
    pub sketch: Vec<u64>,
}

impl Set {
    /// The set without units that it has.
    pub(super) fn without(&self, other: &Self) -> Self {
        let mut sketch = self.sketch.clone();
        sketch.iter_mut().zip(&other.sketch).for_each(|(word, other)| *word ^= other);
        Self { units: self.units - other.units.min(self.units), keys: self.keys.wrapping_sub(other.keys), sketch }
    }
}

impl Sets {
    pub(super) fn new(capacity: Option<u16>) -> Self {
        Self { counts: Vec::new(), sketches: capacity.map(Parts::of_units) }
    }

    /// Adds empty sets up to a number.
    pub(super) fn grow(&mut self, cells: usize) {
        if self.counts.len() < cells {
            self.counts.resize(cells, Counted::default());
            if let Some(sketches) = &mut self.sketches {
                sketches.grow(cells);
            }
        }
    }

    /// One pass for each of what is gathered: they hold less at once, and are faster than one over all.
    pub(super) fn add(&mut self, cells: &[usize], units: &[u64]) {
        for (cell, unit) in cells.iter().zip(units) {
            if let Some(count) = self.counts.get_mut(*cell) {
                count.units += 1;
                count.keys = count.keys.wrapping_add(*unit);
            }
        }
        if let Some(sketches) = &mut self.sketches {
            sketches.toggle_units(cells, units);
        }
    }

    pub(super) fn merge(&mut self, cell: usize, other: &Set) -> Option<()> {
        let count = self.counts.get_mut(cell)?;
        count.units += other.units;
        count.keys = count.keys.wrapping_add(other.keys);
        match &mut self.sketches {
            Some(sketches) => sketches.merge(cell, &other.sketch),
            None => other.sketch.is_empty().then_some(()),
        }
    }

    /// Takes the first sets out, as many as there are.
    pub(super) fn take(&mut self, cells: usize) -> Vec<Set> {
        let counts: Vec<Counted> = self.counts.drain(..cells.min(self.counts.len())).collect();
        let sketches = self.sketches.as_mut().map(|sketches| sketches.take(counts.len())).unwrap_or_default();
        let mut sketches = sketches.into_iter();
        let set = |Counted { units, keys }| Set { units, keys, sketch: sketches.next().unwrap_or_default() };
        counts.into_iter().map(set).collect()
    }

    /// Bytes held.
    pub(super) fn size(&self) -> usize {
        self.counts.capacity() * size_of::<Counted>() + self.sketches.as_ref().map_or(0, Parts::size)
    }
}
