//! Runs one SELECT of another engine when it is executed; one partition.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion::error::Result;
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{self, EquivalenceProperties, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, SendableRecordBatchStream,
    StatisticsArgs,
};
use futures::TryStreamExt;

use super::Asked;
use super::query::Key;
use super::table::{Origin, Shape};

/// A SELECT that is to be run.
pub(super) struct EngineExec {
    origin: Origin,
    shape: Arc<Shape>,
    rows: usize,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl EngineExec {
    /// Its rows come in an order, and are about so many.
    pub(super) fn new(origin: Origin, shape: Shape, (order, rows): (&[Key], usize), schema: SchemaRef) -> Self {
        let key = |key: &Key| {
            let column = physical_expr::expressions::Column::new(schema.fields().get(key.column)?.name(), key.column);
            Some(PhysicalSortExpr::new(Arc::new(column), key.options))
        };
        let order: Vec<PhysicalSortExpr> = order.iter().map_while(key).collect();
        let properties = PlanProperties::new(
            EquivalenceProperties::new_with_orderings(Arc::clone(&schema), [order]),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let metrics = ExecutionPlanMetricsSet::new();
        Self { origin, shape: Arc::new(shape), rows, properties: Arc::new(properties), metrics }
    }
}

impl fmt::Debug for EngineExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineExec").field("datasets", &self.origin.datasets()).finish_non_exhaustive()
    }
}

/// Without the SQL: the names of raw tables and columns are the owner's own.
impl DisplayAs for EngineExec {
    fn fmt_as(&self, _t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EngineExec: columns={}", self.shape.columns.len())
    }
}

impl ExecutionPlan for EngineExec {
    meridian_federation::leaf_plan!("EngineExec");

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, _task: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = MetricBuilder::new(&self.metrics).output_rows(partition);
        let asked = Asked { origin: self.origin.clone(), shape: Arc::clone(&self.shape), schema: self.schema() };
        let batches = Arc::clone(&self.origin.engine).run(asked);
        let counted = batches.inspect_ok(move |batch: &RecordBatch| rows.add(batch.num_rows()));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), counted)))
    }

    fn statistics_from_inputs(
        &self,
        _input_stats: &[Arc<Statistics>],
        _args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        // Joins build their hash table on the smaller side, which can't spill: a rough count beats none.
        Ok(Arc::new(Statistics::new_unknown(&self.schema()).with_num_rows(Precision::Inexact(self.rows))))
    }
}
