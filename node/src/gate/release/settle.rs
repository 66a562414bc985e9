//! All cells of a release at once: what control lets out is brought before the history, coarsest grouping first.

use std::collections::HashSet;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{SortColumn, SortOptions, lexsort_to_indices};
use arrow::datatypes::Schema;
use datafusion::error::{DataFusionError, Result};

use super::figures;
use super::seen::Seen;
use super::{Figured, Kind, Point, Ruled, Set, control};
use crate::audit::Cells;
use crate::gate::Refused;
use crate::history::{Observation, Release, Scope, Settled};
use meridian_disclosure::cells::Cell;

/// The rows of one grouping: its keys, and for each figure what is released of each row.
pub(super) struct Grouped {
    pub(super) keys: Vec<ArrayRef>,
    /// By figure of the grouping, then by row.
    pub(super) answers: Vec<Vec<Option<i128>>>,
    pub(super) rows: usize,
    /// Rows and outputs that are behind the end of an allowance.
    pub(super) unseen: HashSet<(usize, usize)>,
}

/// A cell that passed control, and where its answer goes.
struct Passed {
    set: usize,
    figure: usize,
    row: usize,
}

/// Decides every cell of every grouping. `rows` are those below, one batch for each grouping.
pub(super) async fn settled(
    point: &Point,
    ruled: &Ruled,
    rows: &[RecordBatch],
    schema: &Schema,
) -> Result<Vec<Grouped>> {
    let mut groups = Vec::with_capacity(rows.len());
    let mut passed = Vec::new();
    let mut cells = Vec::new();
    let mut withheld = 0;
    for (index, (set, rows)) in point.sets.iter().zip(rows).enumerate() {
        let (mut group, figures) = read(set, rows)?;
        let figured: Vec<&Figured> = set.figures.iter().filter_map(|figure| point.figures.get(*figure)).collect();
        for row in in_order(&group.keys, group.rows)? {
            for (at, (of, figures)) in figured.iter().zip(&figures).enumerate() {
                let Some(figure) = figures.get(row) else { continue };
                let Some(answer) = control::controlled(figure, of, point, ruled) else {
                    withheld += u64::from(figure.units > 0);
                    continue;
                };
                passed.push(Passed { set: index, figure: at, row });
                cells.push(observation(point, ruled, figure, of, answer)?);
                if let Some(slot) = group.answers.get_mut(at).and_then(|answers| answers.get_mut(row)) {
                    *slot = Some(answer);
                }
            }
        }
        groups.push(group);
    }
    let seen = Seen::of(point, &groups, schema)?;
    let made = seen.made_of(point, &groups)?;
    for (at, cell) in passed.iter().zip(&mut cells) {
        cell.seen_in = made.first(at.set, at.figure, at.row);
    }
    let (answers, shown) = remembered(point, ruled, cells, seen.cells.len() as u64, withheld).await?;
    for (cell, answer) in passed.iter().zip(answers) {
        let slot = groups.get_mut(cell.set).and_then(|group| group.answers.get_mut(cell.figure)?.get_mut(cell.row));
        if let Some(slot) = slot {
            *slot = answer;
        }
    }
    for cell in seen.cells.iter().skip(usize::try_from(shown).unwrap_or(usize::MAX)) {
        if let Some(group) = groups.get_mut(cell.set) {
            group.unseen.insert((cell.row, cell.output));
        }
    }
    Ok(groups)
}

/// What is answered of cells that passed, after the history was asked, and how many visible ones are shown.
async fn remembered(
    point: &Point,
    ruled: &Ruled,
    cells: Vec<Observation>,
    visible: u64,
    withheld: u64,
) -> Result<(Vec<Option<i128>>, u64)> {
    let mut counted = Cells { datasets: point.datasets.clone(), withheld, ..Cells::default() };
    if cells.is_empty() {
        point.tally.note(counted, Vec::new());
        return Ok((Vec::new(), 0));
    }
    let answers: Vec<i128> = cells.iter().map(|cell| cell.answer).collect();
    let release = Release {
        cells,
        visible,
        nearness: u64::from(point.nearness),
        caller: point.caller.clone(),
        accounts: point.accounts.clone(),
        question: point.question.clone(),
        day: point.day,
    };
    let outcome = ruled.controls.history.settled(release).await;
    let outcome = outcome.map_err(|error| {
        tracing::error!(%error, "the history can't be written");
        DataFusionError::from(Refused::forgetful(&point.datasets.join("+")))
    })?;
    let unseen = outcome.settled.iter().filter(|settled| **settled == Settled::Unseen).count() as u64;
    counted.withheld += unseen;
    counted.released = outcome.settled.len() as u64 - unseen;
    counted.reused = outcome.settled.iter().filter(|settled| matches!(settled, Settled::Reused(_))).count() as u64;
    counted.near = outcome.pairs;
    point.tally.note(counted, outcome.near);
    let settled = answers.into_iter().zip(outcome.settled).map(|(answer, settled)| match settled {
        Settled::Fresh | Settled::Repeated | Settled::Near => Some(answer),
        Settled::Reused(earlier) => Some(earlier),
        Settled::Unseen => None,
    });
    Ok((settled.collect(), outcome.shown))
}

fn observation(point: &Point, ruled: &Ruled, figure: &Cell, of: &Figured, answer: i128) -> Result<Observation> {
    let Some(sketch) = figure.sketch.clone() else {
        return Err(DataFusionError::Internal("a cell without a fingerprint".into()));
    };
    // Not by the datasets that are read: a join that changes nothing would be a way round what was answered before.
    let scope = Scope::new(&point.unit, of.function, &of.of);
    let reuse = matches!(of.kind, Kind::Magnitude(_)) && ruled.reuse;
    Ok(Observation { seen_in: 0, scope, units: figure.units, sketch, answer, reuse })
}

/// A grouping's keys and figures.
fn read(set: &Set, rows: &RecordBatch) -> Result<(Grouped, Vec<Vec<Cell>>)> {
    let columns = rows.columns();
    let Some((keys, figures)) = columns.split_at_checked(set.keys.len() + usize::from(set.inner.is_some())) else {
        return Err(DataFusionError::Internal("a release point has too few columns".into()));
    };
    if figures.len() != set.figures.len() {
        return Err(DataFusionError::Internal("a release point has other figures than were asked".into()));
    }
    let figures = figures.iter().map(figures::read).collect::<Result<Vec<_>>>()?;
    let answers = vec![vec![None; rows.num_rows()]; figures.len()];
    Ok((Grouped { keys: keys.to_vec(), answers, rows: rows.num_rows(), unseen: HashSet::new() }, figures))
}

/// Rows by label, NULL last.
pub(super) fn in_order(keys: &[ArrayRef], rows: usize) -> Result<Vec<usize>> {
    if keys.is_empty() {
        return Ok((0..rows).collect());
    }
    let options = Some(SortOptions { descending: false, nulls_first: false });
    let columns: Vec<SortColumn> = keys.iter().map(|key| SortColumn { values: key.clone(), options }).collect();
    let order = lexsort_to_indices(&columns, None)?;
    Ok(order.values().iter().filter_map(|row| usize::try_from(*row).ok()).collect())
}
