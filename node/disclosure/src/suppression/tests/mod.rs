//! Tables from rows, and what is withheld of them.

mod attacker;
mod shapes;
mod textbook;

use super::*;
use crate::dominance::Dominance;

/// One unit: its labels, and its contribution to each measure.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) labels: Vec<usize>,
    pub(super) measures: Vec<i128>,
}

pub(super) fn row(labels: &[usize]) -> Row {
    Row { labels: labels.to_vec(), measures: Vec::new() }
}

/// `n` units of the same labels.
pub(super) fn rows(n: usize, labels: &[usize]) -> Vec<Row> {
    vec![row(labels); n]
}

pub(super) fn table(dimensions: &[usize], filter: &[(usize, usize)]) -> Table {
    Table { dimensions: dimensions.to_vec(), filter: filter.to_vec(), sum: None }
}

pub(super) fn rules(threshold: u64) -> Rules {
    let dominance = Dominance { percent: 10.0, largest: None };
    Rules { threshold, dominance, single: true, bounds: vec![(0, 1_000_000)] }
}

/// Whether a row is in a cell.
pub(super) fn is_in(row: &Row, cell: &Predicate, shape: &Shape) -> bool {
    cell.iter().enumerate().all(|(dimension, label)| match label {
        None => true,
        Some(label) if *label == row.labels[dimension] => true,
        // The label that stands for all that are not told apart.
        Some(label) => {
            let apart = shape.labels(dimension);
            !apart.contains(&row.labels[dimension]) && apart.last() == Some(label)
        }
    })
}

pub(super) fn figures(shape: &Shape, rows: &[Row], measures: usize) -> Vec<Vec<Figure>> {
    let of = |contributions: Vec<i128>| {
        let contributions: Vec<i128> = contributions.into_iter().filter(|c| *c != 0).collect();
        let mut largest: Vec<i128> = contributions.iter().map(|c| c.abs()).collect();
        largest.sort_unstable_by(|a, b| b.cmp(a));
        let absolute = largest.iter().sum();
        largest.truncate(3);
        let units = u64::try_from(contributions.len()).unwrap();
        Figure { units, sum: contributions.iter().sum(), absolute, largest }
    };
    let cell = |cell: &Predicate| {
        let here: Vec<&Row> = rows.iter().filter(|row| is_in(row, cell, shape)).collect();
        let count = of(here.iter().map(|_| 1).collect());
        let sums = (0..measures).map(|measure| of(here.iter().map(|row| row.measures[measure]).collect()));
        std::iter::once(count).chain(sums).collect()
    };
    shape.cells().iter().map(cell).collect()
}

/// The counts that are published of some tables, by predicate; `None` where one is withheld.
pub(super) fn counts(labels: &[usize], tables: &[Table], rows: &[Row], k: u64) -> Vec<(Predicate, Option<u64>)> {
    let shape = Shape::new(labels, 0, tables).unwrap();
    let figures = figures(&shape, rows, 0);
    let pattern = solve(&shape, &figures, &rules(k)).unwrap();
    let published = shape.cells().iter().enumerate().filter(|(cell, _)| shape.published(*cell));
    published
        .map(|(cell, predicate)| (predicate.clone(), (!pattern.withheld(cell)).then(|| figures[cell][0].units)))
        .collect()
}

/// The count of one cell among those.
pub(super) fn count(of: &[(Predicate, Option<u64>)], cell: &[Option<usize>]) -> Option<u64> {
    of.iter().find(|(predicate, _)| predicate == cell).unwrap().1
}
