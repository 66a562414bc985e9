//! A physical rule: operators that make many batches of one let others have their turn.
//!
//! In DataFusion 55.2 only what reads rows counts against a task's turn. Seven joins without a condition make 33⁷ rows of 33
//! that were read: all that in one turn of hours, in which nobody else is answered on its thread, and which no cancellation ends.

mod paced;

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, PiecewiseMergeJoinExec, SortMergeJoinExec, SymmetricHashJoinExec,
};

use crate::keys::KeyFilterExec;

pub(crate) use paced::PacedExec;
pub use paced::unpaced;

/// Has others their turn between batches of what multiplies rows, and between pieces of what may compare many without making any.
///
/// What is counted is what was made. DataFusion's own `CooperativeExec` counts on the way down to the rows as well, so that more
/// joins, one over the other, than a turn has never come to one.
#[derive(Debug)]
pub(crate) struct Turns;

impl PhysicalOptimizerRule for Turns {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            let paced = if multiplies(&plan) {
                paced::paced(plan)?
            } else if plan.is::<KeyFilterExec>() {
                // It runs its join itself: what counts stands above both.
                let join = plan.children().first().map(|join| bare(join)).into_iter().collect();
                replace_children_if_necessary(plan, join)?
            } else {
                return Ok(Transformed::no(plan));
            };
            Ok(Transformed::yes(Arc::new(PacedExec::of_output(paced)) as _))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "Turns"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// A join whose batches are not counted yet.
fn bare(plan: &Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    plan.downcast_ref::<PacedExec>().map_or_else(|| Arc::clone(plan), |counted| Arc::clone(counted.input()))
}

fn multiplies(plan: &Arc<dyn ExecutionPlan>) -> bool {
    plan.is::<CrossJoinExec>()
        || plan.is::<HashJoinExec>()
        || plan.is::<NestedLoopJoinExec>()
        || plan.is::<PiecewiseMergeJoinExec>()
        || plan.is::<SortMergeJoinExec>()
        || plan.is::<SymmetricHashJoinExec>()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use arrow::array::{ArrayRef, Int64Array, RecordBatch};
    use datafusion::datasource::MemTable;
    use datafusion::prelude::SessionContext;

    use crate::session::{session_builder, session_config};
    use crate::tests::world::rows;

    use super::*;

    const ROWS: i64 = 33;
    /// Some 37,000 batches of three joins, where a turn is of 128; and none, of some that are compared with many rows.
    const LONG: [&str; 5] = [
        "SELECT max(a.n + d.n) FROM t a, t b, t c, t d",
        "SELECT max(a.n + d.n) FROM t a JOIN t b ON a.k = b.k JOIN t c ON b.k = c.k JOIN t d ON c.k = d.k",
        "SELECT max(a.n + d.n) FROM t a JOIN t b ON a.n < b.n + 100 JOIN t c ON b.n < c.n + 100 JOIN t d ON c.n < d.n + 100",
        "SELECT max(a.n) FROM many a JOIN many b ON a.n + b.n < 0",
        "SELECT max(a.n) FROM many a JOIN many b ON a.k = b.k AND a.n + b.n < 0",
    ];
    /// Batches of the table of many rows: both sides together are less than a turn.
    const BATCHES: i64 = 50;

    fn context() -> SessionContext {
        let config = session_config().with_target_partitions(1).with_batch_size(ROWS as usize);
        let context = SessionContext::new_with_state(session_builder(config).build());
        let batch = |at: i64| {
            let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(at * ROWS..(at + 1) * ROWS));
            let one: ArrayRef = Arc::new(Int64Array::from_iter_values((0..ROWS).map(|_| 1)));
            RecordBatch::try_from_iter([("n", numbers), ("k", one)]).unwrap()
        };
        for (name, batches) in [("t", 1), ("many", BATCHES)] {
            let batches: Vec<_> = (0..batches).map(batch).collect();
            let table = MemTable::try_new(batches[0].schema(), vec![batches]).unwrap();
            context.register_table(name, Arc::new(table)).unwrap();
        }
        context
    }

    /// More than a task's turn, one over the other.
    const DEEP: usize = 150;

    #[tokio::test]
    async fn many_joins_one_over_the_other_come_to_an_end() {
        let joins: Vec<String> = (1..DEEP).map(|at| format!(" JOIN one AS j{at} ON j{at}.n = j{}.n", at - 1)).collect();
        let context = context();
        let table = MemTable::try_new(Arc::clone(&one_row().schema()), vec![vec![one_row()]]).unwrap();
        context.register_table("one", Arc::new(table)).unwrap();
        assert_eq!(rows(&context, &format!("SELECT count(*) FROM one AS j0{}", joins.concat())).await.unwrap(), ["1"]);
    }

    fn one_row() -> RecordBatch {
        let number: ArrayRef = Arc::new(Int64Array::from(vec![7]));
        RecordBatch::try_from_iter([("n", number)]).unwrap()
    }

    /// On one thread.
    #[tokio::test]
    async fn others_are_answered_beside_a_question_that_multiplies_rows_and_it_can_be_ended() {
        for long in LONG {
            let asked = context();
            let asked = tokio::spawn(async move { rows(&asked, long).await });
            // It begins.
            tokio::task::yield_now().await;
            assert_eq!(rows(&context(), "SELECT sum(n) FROM t").await.unwrap(), ["528"]);
            assert!(!asked.is_finished(), "{long} went on to its end before anybody else was answered");
            asked.abort();
            assert!(asked.await.unwrap_err().is_cancelled());
        }
    }
}
