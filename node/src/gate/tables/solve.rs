//! From the figures of all cells to what is published of them.

use std::collections::{HashMap, HashSet};

use arrow::array::{ArrayRef, RecordBatch};
use datafusion::common::ScalarValue;
use meridian_disclosure::dominance::Dominance;
use meridian_disclosure::noise::{CountTable, MOST_NOISE};
use meridian_disclosure::suppression::{self, Figure, Pattern, Predicate, Rules};

use super::{TableLayout, Tables, TablesError};
use crate::gate::release;
use crate::gate::terms::{ColumnTerms, Terms};

impl Tables {
    /// Decides what is published. `answers` are those of the plans of [`super::tabulation`], in their order; `rounding`
    /// is the table by which counts are rounded, and `kept` what [`Tables::published`] said of the same rows and tables when
    /// they were solved before: that pattern is used again, whatever this version of the program would choose.
    pub fn solve(
        layout: TableLayout,
        answers: &[Vec<RecordBatch>],
        terms: &Terms,
        dominance: Dominance,
        rounding: Option<&CountTable>,
        kept: Option<&str>,
    ) -> Result<Self, TablesError> {
        let figures = figures(&layout, answers)?;
        let threshold = terms.threshold(None);
        let rules = Rules {
            threshold: least(u64::from(threshold), rounding),
            dominance,
            single: terms.unit.as_ref().is_some_and(|unit| unit.unique),
            bounds: layout.measures.iter().map(|measure| bounds(terms.columns.get(measure))).collect(),
        };
        let pattern = match kept {
            Some(kept) => layout.again(kept),
            None => suppression::solve(&layout.shape, &figures, &rules)
                .map_err(|why| TablesError::Suppression { dataset: layout.dataset.clone(), why })?,
        };
        let rounded = |rows: i128| {
            let noise = rounding.zip(u64::try_from(rows).ok()).map_or(0, |(table, rows)| table.noise(rows, 0));
            rows + i128::from(noise)
        };
        let step =
            |measure| terms.columns.get(measure).map_or(1, |column| i128::from(column.precision.multiple.max(1)));
        let steps: Vec<i128> = layout.measures.iter().map(step).collect();
        let values = figures.iter().map(|figures| {
            let mut sums = figures.iter().map(|figure| figure.sum);
            let rows = sums.next().map(rounded);
            rows.into_iter().chain(sums.zip(&steps).map(|(sum, step)| release::rounded(sum, *step) * step)).collect()
        });
        let values = values.collect();
        Ok(Self { values, pattern, layout, threshold, rounded: rounding.is_some() })
    }
}

/// The least number of units of which, and of all more, the rounded count is not under the threshold either.
fn least(threshold: u64, rounding: Option<&CountTable>) -> u64 {
    let Some(rounding) = rounding else { return threshold };
    let under = |units: &u64| i128::from(*units) + i128::from(rounding.noise(*units, 0)) < i128::from(threshold);
    (threshold..=threshold + 2 * u64::from(MOST_NOISE)).rev().find(under).map_or(threshold, |units| units + 1)
}

/// The bounds of a measure in its fixed point.
fn bounds(column: Option<&ColumnTerms>) -> (i128, i128) {
    let (low, high) = column.and_then(|column| column.bounds).unwrap_or((f64::MIN, f64::MAX));
    let unit = 10_f64.powi(i32::from(column.map_or(0, |column| column.precision.decimals)));
    #[expect(clippy::cast_possible_truncation, reason = "beyond 128 bits it is saturated, and is no bound")]
    let fixed = |bound: f64| (bound * unit) as i128;
    (fixed(low.floor()), fixed(high.ceil()))
}

/// The figures of every cell; of a group that is no cell nothing is kept.
fn figures(layout: &TableLayout, answers: &[Vec<RecordBatch>]) -> Result<Vec<Vec<Figure>>, TablesError> {
    let layers = layout.measures.len() + 1;
    let mut found = vec![vec![Figure::default(); layers]; layout.shape.cells().len()];
    for (grouping, batches) in layout.groupings().iter().zip(answers) {
        for batch in batches {
            let Some((keys, columns)) = batch.columns().split_at_checked(grouping.len()) else {
                return Err(layout.wrong("a grouping has too few columns"));
            };
            let columns = columns.iter().map(release::read_figures).collect::<Result<Vec<_>, _>>();
            let columns = columns.map_err(|_| layout.wrong("the figures are malformed"))?;
            for (row, cell) in cells(layout, grouping, keys, batch.num_rows())?.into_iter().enumerate() {
                let Some(cell) = cell.and_then(|cell| found.get_mut(cell)) else { continue };
                for (figure, column) in cell.iter_mut().zip(&columns) {
                    *figure = column.get(row).cloned().unwrap_or_default();
                }
            }
        }
    }
    Ok(found)
}

/// The cell of each row of a grouping.
fn cells(
    layout: &TableLayout,
    grouping: &[usize],
    keys: &[ArrayRef],
    rows: usize,
) -> Result<Vec<Option<usize>>, TablesError> {
    let mut predicates: Vec<Predicate> = vec![vec![None; layout.dimensions.len()]; rows];
    for (place, key) in grouping.iter().zip(keys) {
        let labels = layout.labels(*place, key)?;
        for (row, predicate) in predicates.iter_mut().enumerate() {
            let value = ScalarValue::try_from_array(key, row).map_err(|_| layout.wrong("a label can't be read"))?;
            let label = labels.get(&value).copied().ok_or_else(|| layout.outside(*place))?;
            if let Some(held) = predicate.get_mut(*place) {
                *held = Some(label);
            }
        }
    }
    Ok(predicates.iter().map(|predicate| layout.shape.cell(predicate)).collect())
}

impl TableLayout {
    /// The pattern that was kept; a cell that it doesn't name is withheld.
    fn again(&self, kept: &str) -> Pattern {
        let published: HashSet<&str> = kept.lines().collect();
        let cells = self.words().into_iter().enumerate();
        let withheld =
            |(cell, word): (usize, String)| !self.shape.published(cell) || !published.contains(word.as_str());
        Pattern::chosen(cells.map(withheld).collect())
    }

    /// The labels that are told apart, by their values in the type of the rows.
    fn labels(&self, place: usize, key: &ArrayRef) -> Result<HashMap<ScalarValue, usize>, TablesError> {
        let values = self.told_apart(place).into_iter().map(|(label, value)| {
            let value = value.cast_to(key.data_type()).map_err(|_| self.outside(place))?;
            Ok((value, label))
        });
        values.collect()
    }

    /// The labels of a dimension that are told apart, each with a value that stands for it.
    pub(in super::super) fn told_apart(&self, place: usize) -> Vec<(usize, ScalarValue)> {
        let Some(dimension) = self.dimensions.get(place) else { return Vec::new() };
        let told = self.shape.labels(place);
        let value = |label: &usize| {
            // All that are not told apart are one: the first of them stands for all.
            let others = || (0..dimension.labels.len()).find(|other| !told.contains(other));
            let shown = if *label < dimension.labels.len() { Some(*label) } else { others() };
            Some((*label, dimension.labels.get(shown?)?.clone()))
        };
        told.iter().filter_map(value).collect()
    }

    fn outside(&self, place: usize) -> TablesError {
        let column = self.dimensions.get(place).map_or_else(|| self.dataset.dataset.clone(), |d| d.name.clone());
        let why = "has NULL or another value outside of its domain in some rows: add it to the domain, or give such rows a value of it in the mapping";
        TablesError::Column { dataset: self.dataset.clone(), column, why }
    }

    fn wrong(&self, why: &str) -> TablesError {
        TablesError::Figures { dataset: self.dataset.clone(), why: why.to_owned() }
    }
}
