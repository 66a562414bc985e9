//! Runs one SELECT at a server when it is executed; one partition.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Statistics;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_expr::{self, EquivalenceProperties, PhysicalSortExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PhysicalExpr, PlanProperties, SendableRecordBatchStream,
    StatisticsArgs,
};
use futures::TryStreamExt;
use futures::stream::try_unfold;

use super::fault::Fault;
use super::query::Key;
use super::reading::Streaming;
use super::rows::Rows;
use super::table::{Origin, Shape};
use crate::sources::{Cause, Unanswered};

/// A SELECT that is to be run.
pub(super) struct PostgresExec {
    origin: Origin,
    shape: Arc<Shape>,
    rows: usize,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl PostgresExec {
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

impl fmt::Debug for PostgresExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresExec").field("datasets", &self.origin.datasets()).finish_non_exhaustive()
    }
}

/// Without the SQL: the names of raw tables and columns are the owner's own.
impl DisplayAs for PostgresExec {
    fn fmt_as(&self, _t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresExec: columns={}", self.shape.columns.len())
    }
}

impl ExecutionPlan for PostgresExec {
    fn name(&self) -> &str {
        "PostgresExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(self: Arc<Self>, _children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, _task: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let rows = MetricBuilder::new(&self.metrics).output_rows(partition);
        let begun = Stage::Beginning(Arc::clone(&self.shape));
        let (origin, schema) = (self.origin.clone(), self.schema());
        let of_stream = Arc::clone(&schema);
        let batches = try_unfold(begun, move |stage| {
            let (origin, schema) = (origin.clone(), Arc::clone(&of_stream));
            async move { step(stage, &origin, schema).await }
        });
        let counted = batches.inspect_ok(move |batch: &RecordBatch| rows.add(batch.num_rows()));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, counted)))
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

/// How far a stream is.
enum Stage {
    Beginning(Arc<Shape>),
    Under(Box<(Streaming, Rows)>),
    Ended,
}

/// The next batch, and how far the stream is behind it.
async fn step(stage: Stage, origin: &Origin, schema: SchemaRef) -> Result<Option<(RecordBatch, Stage)>> {
    let (mut streaming, mut rows) = match stage {
        Stage::Beginning(shape) => {
            let begun = begin(origin, &shape).await;
            (begun.map_err(|fault| unanswered(origin, fault))?, Rows::new(schema, &shape.columns))
        }
        Stage::Under(under) => *under,
        Stage::Ended => return Ok(None),
    };
    while !rows.is_full() {
        let Some(piece) = streaming.next().await else {
            // What is cut short has not ended.
            let ended =
                if rows.has_ended() { streaming.end().await } else { Err(Fault::Gone("its answer is cut".into())) };
            ended.map_err(|fault| unanswered(origin, fault))?;
            origin.tell_beyond(rows.beyond());
            return if rows.is_empty() { Ok(None) } else { Ok(Some((rows.batch()?, Stage::Ended))) };
        };
        piece.and_then(|piece| rows.push(&piece)).map_err(|fault| unanswered(origin, fault))?;
    }
    Ok(Some((rows.batch()?, Stage::Under(Box::new((streaming, rows))))))
}

/// Begins to read, from tables that are as they were when their datasets were loaded.
async fn begin(origin: &Origin, shape: &Shape) -> Result<Streaming, Fault> {
    let mut reading = origin.server.read().await?;
    for table in origin.shapes() {
        reading.check(table).await?;
    }
    reading.check(shape).await?;
    reading.rows(&shape.select).await
}

/// What is told of a fault, and to whom.
fn unanswered(origin: &Origin, fault: Fault) -> DataFusionError {
    let config = origin.server.config();
    let datasets = origin.datasets();
    tracing::error!(datasets, database = %config.name, %fault, "a query of the database failed");
    if fault.is_change() {
        origin.suspect();
    }
    DataFusionError::External(Box::new(Unanswered { datasets, cause: Cause::Database(fault) }))
}
