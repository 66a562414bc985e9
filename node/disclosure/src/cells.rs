//! What disclosure control needs to know of cells, gathered from units: how many there are, what they contribute, which
//! contributions are largest, and a fingerprint of the set.

use crate::sketch::{Shape, Sketch, Sketches};

/// What is gathered of each cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Gathered {
    /// Whether contributions are summed; otherwise units are counted.
    pub sums: bool,
    /// How many of the largest absolute contributions are kept, if contributions are summed.
    pub largest: usize,
    /// The most units by which sets differ and the fingerprint tells how many; `None` for no fingerprint.
    pub capacity: Option<u16>,
}

/// Many cells, by number.
#[derive(Debug)]
pub struct Cells {
    gathered: Gathered,
    counts: Vec<Counted>,
    /// As many as cells, if contributions are summed.
    sums: Vec<Summed>,
    /// `gathered.largest` of each cell, in descending order.
    largest: Vec<i128>,
    sketches: Option<Sketches>,
}

/// One cell, and what is gathered of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Units that contribute.
    pub units: u64,
    /// The sum of their hashes modulo 2^64; its low byte is the cell key.
    pub keys: u64,
    /// The sum of contributions, in fixed point; 0 where units are counted.
    pub sum: i128,
    /// The sum of absolute contributions.
    pub absolute: i128,
    /// The largest absolute contributions, in descending order.
    pub largest: Vec<i128>,
    /// The fingerprint.
    pub sketch: Option<Sketch>,
}

/// Units and the sum of their hashes.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    units: u64,
    keys: u64,
}

/// Contributions, their absolute values, and the least of the largest that are kept.
#[derive(Debug, Clone, Copy, Default)]
struct Summed {
    sum: i128,
    absolute: i128,
    least: i128,
}

impl Cells {
    /// No cells.
    pub fn new(gathered: Gathered) -> Self {
        let shape = |capacity| Shape { capacity, contributions: gathered.sums };
        let sketches = gathered.capacity.map(|capacity| Sketches::new(shape(capacity)));
        Self { gathered, counts: Vec::new(), sums: Vec::new(), largest: Vec::new(), sketches }
    }

    /// Adds empty cells up to a number.
    pub fn grow(&mut self, cells: usize) {
        self.counts.resize(cells, Counted::default());
        if self.gathered.sums {
            self.sums.resize(cells, Summed::default());
            self.largest.resize(cells * self.gathered.largest, 0);
        }
        if let Some(sketches) = &mut self.sketches {
            sketches.grow(cells);
        }
    }

    /// Adds units with their whole contributions to cells, all by position; a contribution of zero does not count.
    ///
    /// Each unit may come once for each cell. Its hash is under a secret key.
    pub fn add(&mut self, cells: &[usize], units: &[u64], contributions: &[i64]) {
        self.add_each(cells, units, contributions, i128::from);
    }

    /// The same for contributions that do not fit into 64 bits.
    pub fn add_wide(&mut self, cells: &[usize], units: &[u64], contributions: &[i128]) {
        self.add_each(cells, units, contributions, |contribution| contribution);
    }

    /// One pass for each of what is gathered: they hold less at once, and are faster than one over all.
    fn add_each<N: Copy>(&mut self, cells: &[usize], units: &[u64], contributions: &[N], wide: impl Fn(N) -> i128) {
        let all = || cells.iter().copied().zip(units.iter().copied()).zip(contributions.iter().map(|one| wide(*one)));
        let contributing = || all().filter(|(_, contribution)| *contribution != 0);
        for ((cell, unit), _) in contributing() {
            if let Some(count) = self.counts.get_mut(cell) {
                count.units += 1;
                count.keys = count.keys.wrapping_add(unit);
            }
        }
        if self.gathered.sums {
            for ((cell, _), contribution) in contributing() {
                let Some(sum) = self.sums.get_mut(cell) else { continue };
                let absolute = contribution.saturating_abs();
                sum.sum = sum.sum.saturating_add(contribution);
                sum.absolute = sum.absolute.saturating_add(absolute);
                if absolute > sum.least {
                    self.keep(cell, absolute);
                }
            }
        }
        if let Some(sketches) = &mut self.sketches {
            for ((cell, unit), contribution) in contributing() {
                sketches.toggle(cell, unit, contribution);
            }
        }
    }

    /// Keeps a contribution if it is one of the largest.
    fn keep(&mut self, cell: usize, mut contribution: i128) {
        let kept = self.gathered.largest;
        let Some(largest) = self.largest.get_mut(cell * kept..(cell + 1) * kept) else { return };
        for held in &mut *largest {
            if contribution > *held {
                std::mem::swap(held, &mut contribution);
            }
        }
        if let (Some(sum), Some(least)) = (self.sums.get_mut(cell), largest.last()) {
            sum.least = *least;
        }
    }

    /// Adds other units of the same cell, gathered apart.
    ///
    /// `None` if something else was gathered of them.
    pub fn merge(&mut self, cell: usize, other: &Cell) -> Option<()> {
        let count = self.counts.get_mut(cell)?;
        count.units += other.units;
        count.keys = count.keys.wrapping_add(other.keys);
        if let Some(sum) = self.sums.get_mut(cell) {
            sum.sum = sum.sum.saturating_add(other.sum);
            sum.absolute = sum.absolute.saturating_add(other.absolute);
        }
        for contribution in &other.largest {
            self.keep(cell, *contribution);
        }
        match (&mut self.sketches, &other.sketch) {
            (Some(sketches), Some(sketch)) => sketches.merge(cell, sketch),
            (None, None) => Some(()),
            (Some(_), None) | (None, Some(_)) => None,
        }
    }

    /// Takes the first cells out; those after them move up.
    pub fn take(&mut self, cells: usize) -> Vec<Cell> {
        let counts: Vec<Counted> = self.counts.drain(..cells.min(self.counts.len())).collect();
        let mut sums = self.sums.drain(..counts.len().min(self.sums.len()));
        let kept = self.gathered.largest;
        let mut largest = self.largest.drain(..(counts.len() * kept).min(self.largest.len()));
        let mut sketches =
            self.sketches.as_mut().map(|sketches| sketches.take(counts.len())).unwrap_or_default().into_iter();
        let cell = |Counted { units, keys }| {
            let Summed { sum, absolute, .. } = sums.next().unwrap_or_default();
            Cell { units, keys, sum, absolute, largest: largest.by_ref().take(kept).collect(), sketch: sketches.next() }
        };
        counts.into_iter().map(cell).collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.counts.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// Bytes held.
    pub fn size(&self) -> usize {
        self.counts.capacity() * size_of::<Counted>()
            + self.sums.capacity() * size_of::<Summed>()
            + self.largest.capacity() * size_of::<i128>()
            + self.sketches.as_ref().map_or(0, Sketches::size)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    const SUMS: Gathered = Gathered { sums: true, largest: 2, capacity: Some(4) };

    #[test]
    fn parts_gathered_apart_are_the_whole() {
        let units: Vec<u64> = (1..=9).map(|unit: u64| unit.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        let contributions = [5, -7, 0, 3, 3, i64::MAX, i64::MIN, 1, 2];
        let cells = [0, 0, 0, 1, 0, 1, 1, 0, 1];
        let mut whole = Cells::new(SUMS);
        whole.grow(2);
        whole.add(&cells, &units, &contributions);
        let mut merged = Cells::new(SUMS);
        merged.grow(2);
        for part in 0..3 {
            let range = 3 * part..3 * part + 3;
            let mut apart = Cells::new(SUMS);
            apart.grow(2);
            let wide: Vec<i128> = contributions[range.clone()].iter().map(|one| i128::from(*one)).collect();
            apart.add_wide(&cells[range.clone()], &units[range], &wide);
            for (cell, of) in apart.take(2).iter().enumerate() {
                merged.merge(cell, of).unwrap();
            }
        }
        let whole = whole.take(2);
        assert_eq!(merged.take(2), whole);
        // The unit that contributes nothing is in neither.
        assert_eq!((whole[0].units, whole[0].sum, whole[0].absolute), (4, 2, 16));
        assert_eq!(whole[0].largest, [7, 5]);
        assert_eq!((whole[1].units, whole[1].sum), (4, 4));
        assert_eq!(whole[1].largest, [1 << 63, i128::from(i64::MAX)]);
    }

    #[test]
    fn what_was_gathered_otherwise_does_not_merge() {
        let mut counts = Cells::new(Gathered { sums: false, ..SUMS });
        counts.grow(1);
        counts.add(&[0], &[3], &[1]);
        let counted = counts.take(1);
        assert_eq!((counted[0].units, counted[0].sum, counted[0].largest.len()), (1, 0, 0));
        let mut sums = Cells::new(SUMS);
        sums.grow(1);
        assert_eq!(sums.merge(0, &counted[0]), None);
        assert_eq!(sums.merge(0, &Cell { sketch: None, ..counted[0].clone() }), None);
        assert_eq!(sums.merge(1, &counted[0]), None);
    }
}
