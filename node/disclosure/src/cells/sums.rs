//! Sums of contributions, of their absolute values, and the largest of them.
//!
//! Sums have 128 bits. Amounts of 64 bits are added up in 64 as long as nothing can be lost, which is faster,
//! and carried over before something could; those below zero apart, since most measures have none.

use crate::sketch::Parts;

/// The sums of many cells.
#[derive(Debug)]
pub(super) struct Sums {
    /// How many of the largest are kept.
    kept: usize,
    whole: Vec<Whole>,
    part: Vec<Part>,
    /// A bound of what `part` holds of any cell.
    bound: u64,
    /// `kept` of each cell, in descending order.
    largest: Vec<i128>,
    sketches: Option<Parts>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Whole {
    sum: i128,
    absolute: i128,
}

/// What is not yet in the whole.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    above: u64,
    /// Without its sign.
    below: u64,
    /// The least of the largest that are kept, or the most that 64 bits hold.
    least: u64,
}

/// What bounds some amounts.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extent {
    /// All bits that an absolute amount has.
    pub bits: u64,
    /// Whether one is below zero.
    pub below_zero: bool,
}

/// What units contribute to one cell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sum {
    /// The sum of contributions, in fixed point.
    pub sum: i128,
    /// The sum of absolute contributions.
    pub absolute: i128,
    /// The largest absolute contributions, in descending order.
    pub largest: Vec<i128>,
    /// The fingerprint's part over contributions, in words.
    pub sketch: Vec<u64>,
}

impl Sums {
    pub(super) fn new(kept: usize, capacity: Option<u16>) -> Self {
        let sketches = capacity.map(Parts::of_contributions);
        Self { kept, whole: Vec::new(), part: Vec::new(), bound: 0, largest: Vec::new(), sketches }
    }

    /// Adds empty sums up to a number.
    pub(super) fn grow(&mut self, cells: usize) {
        self.whole.resize(cells, Whole::default());
        self.part.resize(cells, Part::default());
        self.largest.resize(cells * self.kept, 0);
        if let Some(sketches) = &mut self.sketches {
            sketches.grow(cells);
        }
    }

    /// Adds the amounts of units to cells, by position; they are within the extent.
    pub(super) fn add(&mut self, cells: &[usize], units: &[u64], amounts: &[i64], extent: Extent) {
        // A power of two above each absolute amount, times their number.
        let bound = u64::MAX.checked_shr(extent.bits.leading_zeros()).unwrap_or_default();
        let bound = u64::try_from(amounts.len()).ok().and_then(|rows| rows.checked_mul(bound));
        let Some(bound) = bound.filter(|bound| *bound <= i64::MAX.unsigned_abs()) else {
            let wide: Vec<i128> = amounts.iter().copied().map(i128::from).collect();
            return self.add_wide(cells, units, &wide);
        };
        if self.bound + bound > i64::MAX.unsigned_abs() {
            self.carry();
        }
        self.bound += bound;
        if extent.below_zero {
            self.add_parts::<true>(cells, amounts);
        } else {
            self.add_parts::<false>(cells, amounts);
        }
        if let Some(sketches) = &mut self.sketches {
            sketches.toggle_contributions(cells, units, amounts);
        }
    }

    fn add_parts<const BELOW_ZERO: bool>(&mut self, cells: &[usize], amounts: &[i64]) {
        for (cell, amount) in cells.iter().zip(amounts) {
            let Some(part) = self.part.get_mut(*cell) else { continue };
            let absolute = if BELOW_ZERO { amount.unsigned_abs() } else { amount.cast_unsigned() };
            let below = if BELOW_ZERO && *amount < 0 { absolute } else { 0 };
            part.above = part.above.wrapping_add(absolute - below);
            if BELOW_ZERO {
                part.below = part.below.wrapping_add(below);
            }
            if absolute > part.least {
                self.keep(*cell, absolute.into());
            }
        }
    }

    /// The same for amounts that do not fit into 64 bits.
    pub(super) fn add_wide(&mut self, cells: &[usize], units: &[u64], amounts: &[i128]) {
        for (cell, amount) in cells.iter().zip(amounts) {
            let Some(whole) = self.whole.get_mut(*cell) else { continue };
            let absolute = amount.saturating_abs();
            whole.sum = whole.sum.saturating_add(*amount);
            whole.absolute = whole.absolute.saturating_add(absolute);
            self.keep(*cell, absolute);
        }
        if let Some(sketches) = &mut self.sketches {
            sketches.toggle_contributions(cells, units, amounts);
        }
    }

    /// Brings what was added up in 64 bits to the whole.
    fn carry(&mut self) {
        for (whole, part) in self.whole.iter_mut().zip(&mut self.part) {
            let (above, below) = (i128::from(part.above), i128::from(part.below));
            whole.sum = whole.sum.saturating_add(above - below);
            whole.absolute = whole.absolute.saturating_add(above + below);
            (part.above, part.below) = (0, 0);
        }
        self.bound = 0;
    }

    /// Keeps a contribution if it is one of the largest.
    #[cold]
    fn keep(&mut self, cell: usize, mut contribution: i128) {
        let Some(largest) = self.largest.get_mut(cell * self.kept..(cell + 1) * self.kept) else { return };
        for held in &mut *largest {
            if contribution > *held {
                std::mem::swap(held, &mut contribution);
            }
        }
        let least = largest.last().map_or(u64::MAX, |least| u64::try_from(*least).unwrap_or(u64::MAX));
        if let Some(part) = self.part.get_mut(cell) {
            part.least = least;
        }
    }

    pub(super) fn merge(&mut self, cell: usize, other: &Sum) -> Option<()> {
        let whole = self.whole.get_mut(cell)?;
        whole.sum = whole.sum.saturating_add(other.sum);
        whole.absolute = whole.absolute.saturating_add(other.absolute);
        other.largest.iter().for_each(|contribution| self.keep(cell, *contribution));
        match &mut self.sketches {
            Some(sketches) => sketches.merge(cell, &other.sketch),
            None => other.sketch.is_empty().then_some(()),
        }
    }

    /// Takes the first sums out, as many as there are.
    pub(super) fn take(&mut self, cells: usize) -> Vec<Sum> {
        self.carry();
        let whole: Vec<Whole> = self.whole.drain(..cells.min(self.whole.len())).collect();
        self.part.drain(..whole.len().min(self.part.len()));
        let largest: Vec<i128> = self.largest.drain(..(whole.len() * self.kept).min(self.largest.len())).collect();
        let mut largest = largest.into_iter();
        let sketches = self.sketches.as_mut().map(|sketches| sketches.take(whole.len())).unwrap_or_default();
        let mut sketches = sketches.into_iter();
        let sum = |Whole { sum, absolute }| Sum {
            sum,
            absolute,
            largest: largest.by_ref().take(self.kept).collect(),
            sketch: sketches.next().unwrap_or_default(),
        };
        whole.into_iter().map(sum).collect()
    }

    /// Bytes held.
    pub(super) fn size(&self) -> usize {
        self.whole.capacity() * size_of::<Whole>()
            + self.part.capacity() * size_of::<Part>()
            + self.largest.capacity() * size_of::<i128>()
            + self.sketches.as_ref().map_or(0, Parts::size)
    }
}
