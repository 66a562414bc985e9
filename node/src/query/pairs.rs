//! Joins without a condition: the pairs that they would make are estimated, and too many are refused before they are made.
//!
//! A cross join gathers its whole left side in memory that no pool counts, and eight small tables are enough to fill
//! any machine.

use std::sync::Arc;

use datafusion::physical_plan::joins::{CrossJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::{ExecutionPlan, StatisticsArgs};

use super::QueryError;

/// Most rows of one side of a join without an equality, as far as can be estimated.
const MOST_GATHERED: f64 = 2e6;
/// What is assumed of inputs that tell nothing.
const UNKNOWN_ROWS: f64 = 100.0;

/// Refuses a plan in which a join without an equality would gather too many rows.
pub(super) fn check(plan: &Arc<dyn ExecutionPlan>) -> Result<(), QueryError> {
    rows(plan).map(drop)
}

/// About how many rows a plan yields.
fn rows(plan: &Arc<dyn ExecutionPlan>) -> Result<f64, QueryError> {
    let mut inputs = Vec::new();
    for child in plan.children() {
        inputs.push(rows(child)?);
    }
    let most = inputs.iter().copied().fold(0.0, f64::max);
    let estimate = if inputs.is_empty() {
        let statistics = plan.statistics_from_inputs(&[], &StatisticsArgs::new());
        let known = statistics.ok().and_then(|statistics| statistics.num_rows.get_value().copied());
        known.map_or(UNKNOWN_ROWS, |rows| rows as f64)
    } else if plan.is::<CrossJoinExec>() || plan.is::<NestedLoopJoinExec>() {
        if let Some(left) = inputs.first().filter(|left| **left > MOST_GATHERED) {
            return Err(QueryError::limit(format!(
                "a join without an equality would pair about {left:.0e} rows with others: join on equal columns, or leave \
                 tables out"
            )));
        }
        inputs.iter().product()
    } else if inputs.len() > 1 && plan.name().contains("Union") {
        inputs.iter().sum()
    } else {
        most
    };
    Ok(plan.fetch().map_or(estimate, |fetch| estimate.min(fetch as f64)))
}
