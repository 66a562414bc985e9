//! Which cells of an answer can be seen, in the order in which an allowance is spent on them.
//!
//! The order is that of the answer: the coarsest grouping first, then by label, then by column. Nothing of a cell's
//! figures is in it, so that what an allowance cuts off is cut off by labels alone.

use std::collections::HashMap;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::Schema;
use datafusion::common::ScalarValue;
use datafusion::error::Result;

use super::answer;
use super::settle::{Grouped, in_order};
use super::{Output, Percentile, Point};

pub(super) type Label = Vec<ScalarValue>;

/// The rows of each inner grouping that were released, by output, outer keys and outer label: `COUNT(DISTINCT dimension)`
/// is their number.
pub(super) type InnerRows = HashMap<(usize, Vec<usize>), HashMap<Label, Vec<usize>>>;

/// The visible cells of what passed control, in order.
pub(super) struct Seen {
    pub(super) cells: Vec<SeenCell>,
    inner: InnerRows,
}

/// One visible cell.
pub(super) struct SeenCell {
    pub(super) set: usize,
    pub(super) row: usize,
    /// 0 for an answer of labels alone.
    pub(super) output: usize,
}

/// By grouping, figure and row: the first visible cell that is made of it.
pub(super) struct MadeOf(Vec<Vec<Vec<u64>>>);

impl Seen {
    pub(super) fn of(point: &Point, groups: &[Grouped], schema: &Schema) -> Result<Self> {
        let inner = inner_rows(point, groups)?;
        let mut cells = Vec::new();
        for (at, (set, group)) in point.sets.iter().zip(groups).enumerate() {
            if set.inner.is_some() {
                continue;
            }
            for row in in_order(&group.keys, group.rows)? {
                if point.outputs.is_empty() && labelled(group, row) {
                    cells.push(SeenCell { set: at, row, output: 0 });
                }
                for (output, of) in point.outputs.iter().enumerate() {
                    let data_type = answer::output_type(point, schema, output);
                    if !answer::cell(point, of, output, set, group, row, &inner, &data_type)?.is_null() {
                        cells.push(SeenCell { set: at, row, output });
                    }
                }
            }
        }
        Ok(Self { cells, inner })
    }

    /// Of which figures the visible cells are made.
    pub(super) fn made_of(&self, point: &Point, groups: &[Grouped]) -> Result<MadeOf> {
        let none = |group: &Grouped| group.answers.iter().map(|answers| vec![0; answers.len()]).collect();
        let mut made = MadeOf(groups.iter().map(none).collect());
        for (cell, number) in self.cells.iter().zip(1..) {
            match point.outputs.get(cell.output) {
                None => made.note(cell.set, 0, cell.row, number),
                Some(Output::Figure(figure)) => made.note(cell.set, *figure, cell.row, number),
                Some(Output::Ratio { sum, count }) => {
                    made.note(cell.set, *sum, cell.row, number);
                    made.note(cell.set, *count, cell.row, number);
                }
                Some(Output::Percentile(percentile)) => {
                    percentile.figures.iter().for_each(|figure| made.note(cell.set, *figure, cell.row, number));
                }
                Some(Output::Labels) => self.note_inner(point, groups, cell, number, &mut made)?,
            }
        }
        Ok(made)
    }

    fn note_inner(
        &self,
        point: &Point,
        groups: &[Grouped],
        cell: &SeenCell,
        number: u64,
        made: &mut MadeOf,
    ) -> Result<()> {
        let (Some(set), Some(group)) = (point.sets.get(cell.set), groups.get(cell.set)) else { return Ok(()) };
        let under = label(group.keys.get(..set.keys.len()).unwrap_or_default(), cell.row)?;
        let rows = self.inner.get(&(cell.output, set.keys.clone())).and_then(|labels| labels.get(&under));
        let of = point.sets.iter().position(|other| other.inner == Some(cell.output) && other.keys == set.keys);
        if let (Some(rows), Some(of)) = (rows, of) {
            rows.iter().for_each(|row| made.note(of, 0, *row, number));
        }
        Ok(())
    }
}

impl MadeOf {
    /// The first visible cell that is made of a figure, from 1; 0 where none is.
    pub(super) fn first(&self, set: usize, figure: usize, row: usize) -> u64 {
        let found = self.0.get(set).and_then(|figures| figures.get(figure)?.get(row));
        found.copied().unwrap_or_default()
    }

    fn note(&mut self, set: usize, figure: usize, row: usize, number: u64) {
        let slot = self.0.get_mut(set).and_then(|figures| figures.get_mut(figure)?.get_mut(row));
        if let Some(slot) = slot.filter(|slot| **slot == 0) {
            *slot = number;
        }
    }
}

/// The released rows of the inner groupings.
pub(super) fn inner_rows(point: &Point, groups: &[Grouped]) -> Result<InnerRows> {
    let mut rows = InnerRows::new();
    for (set, group) in point.sets.iter().zip(groups) {
        let (Some(output), Some(released), Some((dimension, keys))) =
            (set.inner, group.answers.first(), group.keys.split_last())
        else {
            continue;
        };
        let under: &mut HashMap<Label, Vec<usize>> = rows.entry((output, set.keys.clone())).or_default();
        for (row, _) in released.iter().enumerate().filter(|(_, answer)| answer.is_some()) {
            if !dimension.is_null(row) {
                under.entry(label(keys, row)?).or_default().push(row);
            }
        }
    }
    Ok(rows)
}

pub(super) fn label(keys: &[ArrayRef], row: usize) -> Result<Label> {
    keys.iter().map(|key| ScalarValue::try_from_array(key, row)).collect()
}

pub(super) fn released(group: &Grouped, figure: usize, row: usize) -> Option<i128> {
    group.answers.get(figure)?.get(row).copied().flatten()
}

/// For an answer of labels alone: whether a row leaves.
pub(super) fn labelled(group: &Grouped, row: usize) -> bool {
    released(group, 0, row).is_some() && !group.unseen.contains(&(row, 0))
}

pub(super) fn percentile_of(point: &Point, percentile: &Percentile, group: &Grouped, row: usize) -> Option<f64> {
    let counts: Vec<Option<i128>> = percentile.figures.iter().map(|figure| released(group, *figure, row)).collect();
    percentile.of(&counts, point.threshold)
}
