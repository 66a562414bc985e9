//! Batches, or pieces of them, between which others have their turn.
//!
//! A join may make many batches of one, so that what it makes is counted. One that finds no pair makes no batch that could count,
//! and goes on to the next of its input in the same turn: where each batch of a side is compared with all rows of the other, a
//! piece of a batch is a turn.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Statistics, internal_datafusion_err};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execution_plan::{
    CardinalityEffect, ReplaceChildrenOptions, replace_children_if_necessary,
};
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, StatisticsContext};
use futures::{StreamExt, stream};

/// Pairs that are compared in a turn, as far as the rows of the other side can be estimated.
const TURN_PAIRS: usize = 1 << 26;
/// Rows of a piece at least: with fewer a join takes several times as long for all of them.
const LEAST_ROWS: usize = 1_024;
/// Batches that a join makes in a turn.
const TURN_BATCHES: usize = 16;

/// The join with its second side in pieces, where it may compare pairs without making any.
pub(super) fn paced(join: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    let filtered = join.downcast_ref::<HashJoinExec>().is_some_and(|join| join.filter().is_some());
    let nested = join.is::<NestedLoopJoinExec>();
    let children: Vec<_> = join.children().into_iter().map(Arc::clone).collect();
    let [held, compared] = children.as_slice() else { return Ok(join) };
    if !filtered && !nested {
        return Ok(join);
    }
    // Equal keys leave few pairs of each row, mostly.
    let rows = if nested { (TURN_PAIRS / rows(held).max(1)).max(LEAST_ROWS) } else { usize::MAX };
    let compared = Arc::new(PacedExec::new(Arc::clone(compared), rows, 1));
    replace_children_if_necessary(join, vec![Arc::clone(held), compared])
}

/// About how many rows a plan has; many where nothing is known.
fn rows(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let statistics = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new());
    statistics.ok().and_then(|known| known.num_rows.get_value().copied()).unwrap_or(usize::MAX)
}

/// The plan without these pieces, for whoever does not know of them.
pub fn unpaced(plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    plan.transform_up(|plan| match plan.downcast_ref::<PacedExec>() {
        Some(paced) => Ok(Transformed::yes(Arc::clone(&paced.input))),
        None => Ok(Transformed::no(plan)),
    })
    .data()
}

/// Its input in pieces of so many rows; others have their turn once for so many of these.
#[derive(Debug)]
pub(crate) struct PacedExec {
    input: Arc<dyn ExecutionPlan>,
    rows: usize,
    turn: usize,
}

impl PacedExec {
    fn new(input: Arc<dyn ExecutionPlan>, rows: usize, turn: usize) -> Self {
        Self { input, rows, turn }
    }

    /// What a join makes, as it is.
    pub(super) fn of_output(join: Arc<dyn ExecutionPlan>) -> Self {
        Self::new(join, usize::MAX, TURN_BATCHES)
    }

    pub(super) fn input(&self) -> &Arc<dyn ExecutionPlan> {
        &self.input
    }
}

impl DisplayAs for PacedExec {
    fn fmt_as(&self, _format: DisplayFormatType, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "PacedExec")
    }
}

impl ExecutionPlan for PacedExec {
    crate::plain_plan!("PacedExec");

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.into_iter().next();
        let input = input.ok_or_else(|| internal_datafusion_err!("PacedExec has one input"))?;
        Ok(Arc::new(Self::new(input, self.rows, self.turn)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (rows, turn) = (self.rows, self.turn);
        let batches = self.input.execute(partition, context)?;
        let pieces = batches.flat_map(move |batch| match batch {
            Ok(batch) => stream::iter(pieces(&batch, rows)).map(Ok).left_stream(),
            Err(error) => stream::iter([Err(error)]).right_stream(),
        });
        let pieces = pieces.enumerate().then(move |(at, piece)| async move {
            if (at + 1) % turn == 0 {
                tokio::task::yield_now().await;
            }
            piece
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), pieces)))
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], _args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let input = inputs.first().map(Arc::clone);
        input.ok_or_else(|| internal_datafusion_err!("PacedExec has one input"))
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }
}

fn pieces(batch: &RecordBatch, rows: usize) -> Vec<RecordBatch> {
    let from = (0..batch.num_rows()).step_by(rows.max(1));
    from.map(|from| batch.slice(from, rows.min(batch.num_rows() - from))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use arrow::array::{ArrayRef, Int64Array};
    use arrow::compute::concat_batches;

    use super::*;

    #[test]
    fn pieces_are_the_batch() {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..10));
        let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        for (rows, sizes) in [(3, vec![3, 3, 3, 1]), (5, vec![5, 5]), (10, vec![10]), (usize::MAX, vec![10])] {
            let pieces = pieces(&batch, rows);
            assert_eq!(pieces.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), sizes);
            assert_eq!(concat_batches(&batch.schema(), &pieces).unwrap(), batch);
        }
    }
}
