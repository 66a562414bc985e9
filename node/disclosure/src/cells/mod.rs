//! What disclosure control needs to know of cells, gathered from units: how many there are, what they contribute, which
//! contributions are largest, and a fingerprint of the set.
//!
//! The figures that a question asks of the same rows are gathered together. A count, a sum and an average of one measure
//! have nearly the same units: those that all have in common are gathered once, and for each figure those that it lacks
//! (no value, or zero), which are few. Every part is a sum or an xor, so that the rest follows by subtraction.

mod sets;
mod sums;

#[cfg(test)]
mod tests;

use std::ops::Range;

pub use sets::Set;
use sets::Sets;
pub use sums::Sum;
use sums::{Extent, Sums};

use crate::sketch::Sketch;

/// What is gathered of one figure of each cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Figure {
    /// How many units contribute.
    Units,
    /// What they contribute, and how many of the largest absolute contributions are kept.
    Sum {
        /// The number that is kept.
        largest: usize,
    },
}

/// What some units contribute to a figure, in the order of the units.
#[derive(Debug, Clone, Copy)]
pub enum Contributions<'a> {
    /// All of them, once.
    Each,
    /// All of them but those at these places, which ascend, once.
    AllBut(&'a [usize]),
    /// Amounts in fixed point; none at these places, which ascend.
    Amounts(&'a [i64], &'a [usize]),
    /// The same for amounts that do not fit into 64 bits.
    Wide(&'a [i128], &'a [usize]),
}

/// Figures of many cells, by the number of the cell.
#[derive(Debug)]
pub struct Cells {
    gathered: Vec<Figure>,
    capacity: Option<u16>,
    cells: usize,
    /// The units of each cell that contribute to any of the figures.
    shared: Sets,
    figures: Vec<Gathering>,
}

/// What is gathered of one figure.
#[derive(Debug)]
struct Gathering {
    /// The shared units that do not contribute.
    lacking: Sets,
    sums: Option<Sums>,
}

/// One cell with all of its figures, as it is gathered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gathered {
    /// The units that contribute to any figure.
    pub shared: Set,
    /// By figure, the units that do not contribute to it, and what the others contribute where it is summed.
    pub figures: Vec<(Set, Option<Sum>)>,
}

/// One figure of one cell.
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

impl Cells {
    /// No cells.
    ///
    /// `capacity` is the most units by which sets differ and their fingerprints tell how many; `None` for no fingerprints.
    pub fn new(figures: &[Figure], capacity: Option<u16>) -> Self {
        let gathering = |figure: &Figure| Gathering {
            lacking: Sets::new(capacity),
            sums: match figure {
                Figure::Units => None,
                Figure::Sum { largest } => Some(Sums::new(*largest, capacity)),
            },
        };
        let (gathered, shared) = (figures.to_vec(), Sets::new(capacity));
        Self { gathered, capacity, cells: 0, shared, figures: figures.iter().map(gathering).collect() }
    }

    /// No cells, of which the same would be gathered.
    pub fn empty(&self) -> Self {
        Self::new(&self.gathered, self.capacity)
    }

    /// Adds empty cells up to a number.
    pub fn grow(&mut self, cells: usize) {
        self.cells = self.cells.max(cells);
        self.shared.grow(self.cells);
        for sums in self.figures.iter_mut().filter_map(|figure| figure.sums.as_mut()) {
            sums.grow(self.cells);
        }
    }

    /// Adds units to cells, by position, with their whole contributions to each figure; one of zero does not count.
    ///
    /// Each unit may come once for each cell. Its hash is under a secret key.
    pub fn add(&mut self, cells: &[usize], units: &[u64], contributions: &[Contributions<'_>]) {
        let (lacking, extents): (Vec<_>, Vec<_>) = contributions.iter().map(Contributions::looked_over).unzip();
        let none = in_all(&lacking);
        for run in runs(units.len(), &none) {
            self.shared.add(part(cells, &run), part(units, &run));
        }
        let looked_over = lacking.iter().zip(extents);
        for ((figure, contributions), (lacking, extent)) in self.figures.iter_mut().zip(contributions).zip(looked_over)
        {
            let own = lacking.iter().filter(|row| none.binary_search(row).is_err());
            let own: (Vec<usize>, Vec<u64>) =
                own.filter_map(|row| Some((*cells.get(*row)?, *units.get(*row)?))).unzip();
            if !own.0.is_empty() {
                figure.lacking.grow(self.cells);
                figure.lacking.add(&own.0, &own.1);
            }
            let Some(sums) = &mut figure.sums else { continue };
            for run in runs(units.len(), lacking) {
                let (cells, units) = (part(cells, &run), part(units, &run));
                match contributions {
                    Contributions::Each | Contributions::AllBut(_) => {}
                    Contributions::Amounts(amounts, _) => sums.add(cells, units, part(amounts, &run), extent),
                    Contributions::Wide(amounts, _) => sums.add_wide(cells, units, part(amounts, &run)),
                }
            }
        }
    }

    /// Adds other units of the same cell, gathered apart.
    ///
    /// `None` if something else was gathered of them.
    pub fn merge(&mut self, cell: usize, other: &Gathered) -> Option<()> {
        self.shared.merge(cell, &other.shared)?;
        if other.figures.len() != self.figures.len() {
            return None;
        }
        for (figure, (lacking, sum)) in self.figures.iter_mut().zip(&other.figures) {
            if lacking.units > 0 {
                figure.lacking.grow(self.cells);
                figure.lacking.merge(cell, lacking)?;
            }
            match (&mut figure.sums, sum) {
                (Some(sums), Some(sum)) => sums.merge(cell, sum)?,
                (None, None) => {}
                (Some(_), None) | (None, Some(_)) => return None,
            }
        }
        Some(())
    }

    /// Takes the first cells out; those after them move up.
    pub fn take(&mut self, cells: usize) -> Vec<Gathered> {
        let cells = cells.min(self.cells);
        self.cells -= cells;
        let mut figures: Vec<_> = self.figures.iter_mut().map(|figure| figure.take(cells)).collect();
        let gathered = |shared| Gathered { shared, figures: figures.iter_mut().filter_map(Iterator::next).collect() };
        self.shared.take(cells).into_iter().map(gathered).collect()
    }

    /// Of a cell that was taken out, each figure; `None` if it is of another capacity.
    pub fn finished(&self, gathered: Gathered) -> Option<Vec<Cell>> {
        let Gathered { shared, figures } = gathered;
        figures.into_iter().map(|(lacking, sum)| Cell::new(self.capacity, &shared, &lacking, sum)).collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.cells
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.cells == 0
    }

    /// Bytes held.
    pub fn size(&self) -> usize {
        let figures = self.figures.iter();
        let figures = figures.map(|figure| figure.lacking.size() + figure.sums.as_ref().map_or(0, Sums::size));
        self.shared.size() + figures.sum::<usize>()
    }
}

impl Gathering {
    fn take(&mut self, cells: usize) -> impl Iterator<Item = (Set, Option<Sum>)> + use<> {
        let lacking = self.lacking.take(cells);
        let lacking = lacking.into_iter().chain(std::iter::repeat(Set::default())).take(cells);
        let mut sums = self.sums.as_mut().map(|sums| sums.take(cells)).unwrap_or_default().into_iter();
        lacking.map(move |lacking| (lacking, sums.next()))
    }
}

impl Cell {
    fn new(capacity: Option<u16>, shared: &Set, lacking: &Set, sum: Option<Sum>) -> Option<Self> {
        let Set { units, keys, sketch } = shared.without(lacking);
        let sketch = match capacity {
            Some(capacity) => Some(Sketch::of_parts(capacity, &sketch, sum.as_ref().map(|sum| sum.sketch.as_slice()))?),
            None => None,
        };
        let Sum { sum, absolute, largest, .. } = sum.unwrap_or_default();
        Some(Self { units, keys, sum, absolute, largest, sketch })
    }
}

impl Contributions<'_> {
    /// The places of those that do not contribute, in ascending order, and the extent of amounts of 64 bits.
    fn looked_over(&self) -> (Vec<usize>, Extent) {
        match self {
            Self::Each => Default::default(),
            Self::AllBut(none) => (none.to_vec(), Extent::default()),
            Self::Amounts(amounts, none) => {
                let (zeros, extent) = zeros(amounts);
                (together(zeros, none), extent)
            }
            Self::Wide(amounts, none) => (together(places_of_zeros(0, amounts).collect(), none), Extent::default()),
        }
    }
}

/// Amounts that are looked at together.
const CHUNK: usize = 64;

/// The places of zeros and the extent of all, in one pass without a branch for each amount.
fn zeros(amounts: &[i64]) -> (Vec<usize>, Extent) {
    let mut places = Vec::new();
    let mut all = 0;
    for (chunk, amounts) in amounts.chunks(CHUNK).enumerate() {
        // Zero alone has no sign, and has one when it is less by one.
        let (zero, bits) = amounts
            .iter()
            .fold((0, 0), |(zero, bits), amount| (zero | (amount.wrapping_sub(1) & !amount), bits | *amount));
        all |= bits;
        if zero < 0 {
            places.extend(places_of_zeros(chunk * CHUNK, amounts));
        }
    }
    let below_zero = all < 0;
    let bits = if below_zero {
        amounts.iter().fold(0, |bits, amount| bits | amount.unsigned_abs())
    } else {
        all.cast_unsigned()
    };
    (places, Extent { bits, below_zero })
}

fn places_of_zeros<N: Default + PartialEq>(first: usize, amounts: &[N]) -> impl Iterator<Item = usize> {
    let places = amounts.iter().enumerate().filter(|(_, amount)| **amount == N::default());
    places.map(move |(place, _)| first + place)
}

/// What is in either of two ascending lists.
fn together(mut places: Vec<usize>, others: &[usize]) -> Vec<usize> {
    if !others.is_empty() {
        places.extend_from_slice(others);
        places.sort_unstable();
        places.dedup();
    }
    places
}

/// What is in all of several ascending lists.
fn in_all(lists: &[Vec<usize>]) -> Vec<usize> {
    let Some((first, others)) = lists.split_first() else { return Vec::new() };
    first.iter().copied().filter(|place| others.iter().all(|other| other.binary_search(place).is_ok())).collect()
}

/// The runs of places up to a number that leave out some, which ascend.
fn runs(places: usize, without: &[usize]) -> impl Iterator<Item = Range<usize>> {
    let ends = without.iter().copied().chain([places]);
    let mut start = 0;
    ends.map(move |end| std::mem::replace(&mut start, end + 1)..end).filter(|run| !run.is_empty())
}

fn part<'a, T>(of: &'a [T], run: &Range<usize>) -> &'a [T] {
    of.get(run.clone()).unwrap_or_default()
}
