//! All cells of a release at once: what control lets out is brought before the history, coarsest grouping first.

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::{SortColumn, SortOptions, lexsort_to_indices};
use datafusion::error::{DataFusionError, Result};

use super::figures;
use super::{Figured, Kind, Point, Ruled, Set, answer, control};
use crate::audit::Cells;
use crate::gate::Refused;
use crate::history::{HistoryError, Observation, Release, Scope, Settled};
use meridian_disclosure::cells::Cell;

/// The rows of one grouping: its keys, and for each figure what is released of each row.
pub(super) struct Grouped {
    pub(super) keys: Vec<ArrayRef>,
    /// By figure of the grouping, then by row.
    pub(super) answers: Vec<Vec<Option<i128>>>,
    pub(super) rows: usize,
}

/// A cell that passed control, and where its answer goes.
struct Passed {
    set: usize,
    figure: usize,
    row: usize,
}

/// Decides every cell of every grouping. `rows` are those below, one batch for each grouping.
pub(super) async fn settled(point: &Point, ruled: &Ruled, rows: &[RecordBatch]) -> Result<Vec<Grouped>> {
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
    let visible = answer::visible(point, &groups)?;
    for (cell, answer) in passed.iter().zip(remembered(point, ruled, cells, visible, withheld).await?) {
        let slot = groups.get_mut(cell.set).and_then(|group| group.answers.get_mut(cell.figure)?.get_mut(cell.row));
        if let Some(slot) = slot {
            *slot = Some(answer);
        }
    }
    Ok(groups)
}

/// What is answered of cells that passed, after the history was asked.
async fn remembered(
    point: &Point,
    ruled: &Ruled,
    cells: Vec<Observation>,
    visible: u64,
    withheld: u64,
) -> Result<Vec<i128>> {
    let mut counted = Cells { datasets: point.datasets.clone(), withheld, ..Cells::default() };
    if cells.is_empty() {
        point.tally.note(counted, Vec::new());
        return Ok(Vec::new());
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
    let outcome = outcome.map_err(|error| match error {
        HistoryError::Spent { agreement, dataset, allowance } => {
            DataFusionError::from(Refused::spent(agreement.as_deref(), &dataset, allowance))
        }
        other => {
            tracing::error!(error = %other, "the history can't be written");
            Refused::forgetful(&point.datasets.join("+")).into()
        }
    })?;
    counted.released = outcome.settled.len() as u64;
    counted.reused = outcome.settled.iter().filter(|settled| matches!(settled, Settled::Reused(_))).count() as u64;
    counted.near = outcome.pairs;
    point.tally.note(counted, outcome.near);
    let settled = answers.into_iter().zip(outcome.settled).map(|(answer, settled)| match settled {
        Settled::Fresh | Settled::Repeated | Settled::Near => answer,
        Settled::Reused(earlier) => earlier,
    });
    Ok(settled.collect())
}

fn observation(point: &Point, ruled: &Ruled, figure: &Cell, of: &Figured, answer: i128) -> Result<Observation> {
    let Some(sketch) = figure.sketch.clone() else {
        return Err(DataFusionError::Internal("a cell without a fingerprint".into()));
    };
    // Not by the datasets that are read: a join that changes nothing would be a way round what was answered before.
    let scope = Scope::new(&point.unit, of.function, &of.of);
    let reuse = matches!(of.kind, Kind::Magnitude(_)) && ruled.reuse;
    Ok(Observation { scope, units: figure.units, sketch, answer, reuse })
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
    Ok((Grouped { keys: keys.to_vec(), answers, rows: rows.num_rows() }, figures))
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
