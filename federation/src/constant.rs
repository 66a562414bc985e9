//! A physical rule: what is constant on one side of an outer join is not said to be constant above it, where it may be NULL.
//!
//! DataFusion 55.2 joins what it knows of both sides whatever the join. Over `b LEFT JOIN (SELECT … WHERE year = 2020) a` it takes `a.year`
//! for constant, leaves it out of every order, and `ORDER BY a.year LIMIT 1` answers with a row in which it is NULL.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{JoinType, Statistics, internal_datafusion_err};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::{
    CardinalityEffect, ReplaceChildrenOptions, replace_children_if_necessary,
};
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

/// Puts [`ForgetExec`] on the sides of outer joins that may be NULL and of which something is known to be constant.
#[derive(Debug)]
pub(crate) struct ForgetConstants;

impl PhysicalOptimizerRule for ForgetConstants {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            let Some((left, right)) = join_type(&plan).map(nullable) else { return Ok(Transformed::no(plan)) };
            let children = plan.children();
            let marked: Vec<Arc<dyn ExecutionPlan>> =
                children.into_iter().zip([left, right]).map(|(child, nullable)| marked(child, nullable)).collect();
            if plan.children().into_iter().zip(&marked).all(|(old, new)| Arc::ptr_eq(old, new)) {
                return Ok(Transformed::no(plan));
            }
            replace_children_if_necessary(plan, marked).map(Transformed::yes)
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "ForgetConstants"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn join_type(plan: &Arc<dyn ExecutionPlan>) -> Option<JoinType> {
    let hash = plan.downcast_ref::<HashJoinExec>().map(|join| *join.join_type());
    let nested = || plan.downcast_ref::<NestedLoopJoinExec>().map(|join| *join.join_type());
    let merge = || plan.downcast_ref::<SortMergeJoinExec>().map(SortMergeJoinExec::join_type);
    hash.or_else(nested).or_else(merge)
}

/// Whether a row of the left side, of the right side may be missing.
fn nullable(join: JoinType) -> (bool, bool) {
    match join {
        JoinType::Left => (false, true),
        JoinType::Right => (true, false),
        JoinType::Full => (true, true),
        JoinType::Inner
        | JoinType::LeftSemi
        | JoinType::RightSemi
        | JoinType::LeftAnti
        | JoinType::RightAnti
        | JoinType::LeftMark
        | JoinType::RightMark => (false, false),
    }
}

fn marked(side: &Arc<dyn ExecutionPlan>, nullable: bool) -> Arc<dyn ExecutionPlan> {
    if nullable && !side.properties().equivalence_properties().constants().is_empty() {
        Arc::new(ForgetExec::new(Arc::clone(side)))
    } else {
        Arc::clone(side)
    }
}

/// The rows of its input, of which it says neither what is constant nor in which order they are.
#[derive(Debug)]
struct ForgetExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl ForgetExec {
    fn new(input: Arc<dyn ExecutionPlan>) -> Self {
        let nothing = EquivalenceProperties::new(input.schema());
        let properties = PlanProperties::clone(input.properties()).with_eq_properties(nothing);
        Self { input, properties: Arc::new(properties) }
    }
}

impl DisplayAs for ForgetExec {
    fn fmt_as(&self, _format: DisplayFormatType, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "ForgetExec")
    }
}

impl ExecutionPlan for ForgetExec {
    crate::plain_plan!("ForgetExec");

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.into_iter().next();
        let input = input.ok_or_else(|| internal_datafusion_err!("ForgetExec has one input"))?;
        Ok(Arc::new(Self::new(input)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], _args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let input = inputs.first().map(Arc::clone);
        input.ok_or_else(|| internal_datafusion_err!("ForgetExec has one input"))
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use datafusion::execution::SessionStateBuilder;
    use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::physical_optimizer_rules;
    use crate::session::session_config;
    use crate::tests::world::rows;

    /// Each answers with rows in which `k` is not NULL first.
    const CASES: [(&str, &[&str]); 3] = [
        (
            "SELECT k, m FROM b LEFT JOIN (SELECT * FROM a WHERE k = 2020) a ON k = m ORDER BY k, m LIMIT 1",
            &["2020 | 2020"],
        ),
        (
            "SELECT k, m FROM (SELECT * FROM a WHERE k = 2020) a RIGHT JOIN b ON k = m ORDER BY k, m LIMIT 1",
            &["2020 | 2020"],
        ),
        (
            "SELECT k, first_value(k) OVER (ORDER BY k, m) FROM (SELECT * FROM a WHERE k = 2020) a FULL JOIN b ON k = m ORDER BY m",
            &["NULL | 2020", "2020 | 2020", "NULL | 2020"],
        ),
    ];

    async fn answers(rules: Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>>) -> Vec<Vec<String>> {
        let state = SessionStateBuilder::new_with_default_features()
            .with_config(session_config().with_target_partitions(1))
            .with_physical_optimizer_rules(rules);
        let engine = SessionContext::new_with_state(state.build());
        for table in
            ["CREATE TABLE a(k INT) AS VALUES (2019), (2020)", "CREATE TABLE b(m INT) AS VALUES (1999), (2020), (2021)"]
        {
            rows(&engine, table).await.unwrap();
        }
        let mut found = Vec::new();
        for (sql, _) in CASES {
            found.push(rows(&engine, sql).await.unwrap());
        }
        found
    }

    #[tokio::test]
    async fn a_column_that_may_be_null_is_not_constant() {
        let right: Vec<Vec<String>> =
            CASES.iter().map(|(_, rows)| rows.iter().map(ToString::to_string).collect()).collect();
        assert_eq!(answers(physical_optimizer_rules()).await, right);
        let plain = answers(PhysicalOptimizer::new().rules).await;
        assert_ne!(plain, right, "DataFusion gets it right now: this file can go");
    }
}
