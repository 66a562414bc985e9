//! Cells gathered together, apart, or one figure after another are the same, by a slow model.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::{Cell, Cells, Contributions, Figure, Gathered};
use crate::sketch::{Shape, Sketch};

const CAPACITY: u16 = 4;

/// Units of cells, and what each contributes to each figure, if anything.
struct Rows {
    cells: Vec<usize>,
    units: Vec<u64>,
    amounts: Vec<Vec<Option<i128>>>,
}

impl Rows {
    fn random(random: &mut StdRng, figures: &[Figure], rows: usize, most: i128) -> Self {
        let amount = |random: &mut StdRng, figure: &Figure| match (random.random_range(0..8), figure) {
            (0, _) => None,
            (1, Figure::Sum { .. }) => Some(0),
            (_, Figure::Units) => Some(1),
            (_, Figure::Sum { .. }) => Some(random.random_range(-most..=most)),
        };
        Self {
            cells: (0..rows).map(|_| random.random_range(0..3)).collect(),
            units: (0..rows).map(|_| random.random()).collect(),
            amounts: figures.iter().map(|figure| (0..rows).map(|_| amount(random, figure)).collect()).collect(),
        }
    }

    fn part(&self, from: usize, to: usize) -> Self {
        Self {
            cells: self.cells[from..to].to_vec(),
            units: self.units[from..to].to_vec(),
            amounts: self.amounts.iter().map(|amounts| amounts[from..to].to_vec()).collect(),
        }
    }

    /// Adds them; amounts that fit go as 64 bits, unless all are to be wide.
    fn add(&self, to: &mut Cells, figures: &[Figure], wide: bool) {
        let none = |amounts: &[Option<i128>]| {
            let places = amounts.iter().enumerate();
            places.filter(|(_, amount)| amount.is_none()).map(|(place, _)| place).collect::<Vec<_>>()
        };
        let none: Vec<Vec<usize>> = self.amounts.iter().map(|amounts| none(amounts)).collect();
        // What stands where there is no amount does not matter.
        let full: Vec<Vec<i128>> =
            self.amounts.iter().map(|amounts| amounts.iter().map(|amount| amount.unwrap_or(77)).collect()).collect();
        let narrow: Vec<Option<Vec<i64>>> =
            full.iter().map(|amounts| amounts.iter().map(|amount| i64::try_from(*amount).ok()).collect()).collect();
        let contributions = figures.iter().enumerate().map(|(at, figure)| match (figure, &narrow[at]) {
            (Figure::Units, _) if none[at].is_empty() => Contributions::Each,
            (Figure::Units, _) => Contributions::AllBut(&none[at]),
            (Figure::Sum { .. }, Some(narrow)) if !wide => Contributions::Amounts(narrow, &none[at]),
            (Figure::Sum { .. }, _) => Contributions::Wide(&full[at], &none[at]),
        });
        to.add(&self.cells, &self.units, &contributions.collect::<Vec<_>>());
    }

    /// The same by the definition: by cell, then by figure.
    fn model(&self, figures: &[Figure]) -> BTreeMap<usize, Vec<Cell>> {
        let mut cells = BTreeMap::new();
        for cell in 0..3 {
            let figure = |(figure, amounts): (&Figure, &Vec<Option<i128>>)| {
                let set: Vec<(u64, i128)> = (0..self.units.len())
                    .filter(|row| self.cells[*row] == cell)
                    .filter_map(|row| Some((self.units[row], amounts[row].filter(|amount| *amount != 0)?)))
                    .collect();
                let mut absolute: Vec<i128> = set.iter().map(|(_, amount)| amount.abs()).collect();
                absolute.sort_unstable_by(|a, b| b.cmp(a));
                let (sums, kept) = match figure {
                    Figure::Units => (false, 0),
                    Figure::Sum { largest } => (true, *largest),
                };
                Cell {
                    units: u64::try_from(set.len()).unwrap(),
                    keys: set.iter().fold(0, |keys, (unit, _)| keys.wrapping_add(*unit)),
                    sum: if sums { set.iter().map(|(_, amount)| amount).sum() } else { 0 },
                    absolute: if sums { absolute.iter().sum() } else { 0 },
                    largest: absolute.iter().copied().chain(std::iter::repeat(0)).take(kept).collect(),
                    sketch: Some(Sketch::of(Shape { capacity: CAPACITY, contributions: sums }, set)),
                }
            };
            cells.insert(cell, figures.iter().zip(&self.amounts).map(figure).collect());
        }
        cells
    }
}

fn cells(figures: &[Figure]) -> Cells {
    let mut cells = Cells::new(figures, Some(CAPACITY));
    cells.grow(3);
    cells
}

fn finished(cells: &mut Cells) -> BTreeMap<usize, Vec<Cell>> {
    let taken = cells.take(3).into_iter().enumerate();
    taken.map(|(cell, gathered)| (cell, cells.finished(gathered).unwrap())).collect()
}

const SUM: Figure = Figure::Sum { largest: 2 };

#[test]
fn figures_gathered_together_and_in_parts_are_those_of_the_definition() {
    let mut random = StdRng::seed_from_u64(1);
    let questions: [&[Figure]; 6] = [
        &[Figure::Units],
        &[SUM],
        &[Figure::Units, SUM, Figure::Units],
        &[SUM, Figure::Sum { largest: 3 }],
        &[SUM, Figure::Units],
        &[],
    ];
    for round in 0..600 {
        let figures = questions[round % questions.len()];
        // Up to where 64 bits hold neither the sum of a batch nor, then, that of several, nor an amount.
        let most = 1 << [3, 20, 50, 58, 62, 63, 64, 90][round % 8];
        let count = random.random_range(0..60);
        let rows = Rows::random(&mut random, figures, count, most);
        let model = rows.model(figures);
        let mut whole = cells(figures);
        rows.add(&mut whole, figures, false);
        assert_eq!(finished(&mut whole), model, "round {round}, together");
        let (mut batches, mut merged) = (cells(figures), cells(figures));
        let ends = (0..=count).step_by(7).chain([count]).collect::<Vec<_>>();
        for (number, bounds) in ends.windows(2).enumerate() {
            let part = rows.part(bounds[0], bounds[1]);
            part.add(&mut batches, figures, number % 3 == 2);
            let mut apart = cells(figures);
            part.add(&mut apart, figures, number % 2 == 1);
            for (cell, gathered) in apart.take(3).iter().enumerate() {
                merged.merge(cell, gathered).unwrap();
            }
        }
        assert_eq!(finished(&mut batches), model, "round {round}, batch by batch");
        assert_eq!(finished(&mut merged), model, "round {round}, merged");
    }
}

#[test]
fn the_extremes_of_64_bits_add_up() {
    let mut sums = cells(&[SUM]);
    sums.add(&[0, 0, 1], &[5, 6, 7], &[Contributions::Amounts(&[i64::MIN, i64::MAX, i64::MIN], &[])]);
    sums.add(&[1], &[8], &[Contributions::Amounts(&[i64::MIN], &[])]);
    let cells = finished(&mut sums);
    assert_eq!((cells[&0][0].sum, cells[&0][0].absolute), (-1, (1 << 64) - 1));
    assert_eq!((cells[&1][0].sum, cells[&1][0].absolute), (-(1 << 64), 1 << 64));
    assert_eq!(cells[&0][0].largest, [1 << 63, i128::from(i64::MAX)]);
}

#[test]
fn cells_are_taken_from_the_first_on() {
    let mut counts = cells(&[Figure::Units, SUM]);
    counts.add(&[0, 1, 1, 2], &[1, 2, 3, 4], &[Contributions::Each, Contributions::Amounts(&[5, 0, 6, 7], &[3])]);
    let units = |gathered: &[Gathered]| gathered.iter().map(|cell| cell.shared.units).collect::<Vec<_>>();
    assert_eq!(units(&counts.take(1)), [1]);
    assert_eq!(counts.len(), 2);
    counts.grow(3);
    counts.add(&[2], &[9], &[Contributions::Each, Contributions::AllBut(&[0])]);
    let rest = counts.take(9);
    assert_eq!(units(&rest), [2, 1, 1]);
    let sums: Vec<(u64, i128)> =
        rest.into_iter().map(|cell| counts.finished(cell).unwrap()).map(|cell| (cell[1].units, cell[1].sum)).collect();
    assert_eq!(sums, [(1, 6), (0, 0), (0, 0)]);
    assert!(counts.is_empty());
}

#[test]
fn what_was_gathered_otherwise_does_not_merge() {
    let mut counts = cells(&[Figure::Units]);
    counts.add(&[0], &[3], &[Contributions::Each]);
    let [counted]: [Gathered; 1] = counts.take(1).try_into().unwrap();
    let mut sums = cells(&[SUM]);
    assert_eq!(sums.merge(0, &counted), None);
    assert_eq!(counts.merge(7, &counted), None);
    let mut without = Cells::new(&[Figure::Units], None);
    without.grow(1);
    assert_eq!(without.merge(0, &counted), None);
    let mut larger = Cells::new(&[Figure::Units], Some(40));
    larger.grow(1);
    assert_eq!(larger.merge(0, &counted), None);
}
