//! The release point at work: takes all rows below it, and lets out what passes.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, EquivalenceProperties};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::metrics::{ExecutionPlanMetricsSet, MetricBuilder};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, Partitioning, PlanProperties,
};
use futures::{StreamExt, stream};

use super::{Point, Source, answer, settle, solved};

/// Most groups of one release, before any is withheld.
const MOST_GROUPS: usize = 1_000_000;

/// The name of the one figure that it keeps of its run. It has no `metrics`, so that nobody shows figures of a release by chance.
const VISIBLE: &str = "visible_cells";

/// Lets cells out that pass the threshold.
#[derive(Debug)]
pub(in super::super) struct ReleaseExec {
    point: Arc<Point>,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    seen: ExecutionPlanMetricsSet,
}

impl ReleaseExec {
    pub(in super::super) fn new(point: Arc<Point>, schema: SchemaRef, inputs: Vec<Arc<dyn ExecutionPlan>>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self { point, inputs, schema, properties: Arc::new(properties), seen: ExecutionPlanMetricsSet::new() }
    }

    /// The datasets whose rows may be below.
    pub(in super::super) fn datasets(&self) -> &[String] {
        &self.point.datasets
    }

    /// Cells of what it let out that are there to be seen; `None` before it has run.
    pub(in super::super) fn visible(&self) -> Option<u64> {
        self.seen.clone_inner().sum_by_name(VISIBLE).map(|cells| cells.as_usize() as u64)
    }
}

impl DisplayAs for ReleaseExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (datasets, threshold) = (self.point.datasets.join(", "), self.point.threshold);
        write!(f, "ReleaseExec: {datasets}, cells of at least {threshold} units")
    }
}

impl ExecutionPlan for ReleaseExec {
    meridian_federation::plain_plan!("ReleaseExec");

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition; self.inputs.len()])
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.inputs.len()]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.len() != self.inputs.len() {
            return Err(DataFusionError::Internal("a release point has one input for each grouping".into()));
        }
        Ok(Arc::new(Self::new(Arc::clone(&self.point), Arc::clone(&self.schema), children)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let partitioned = |input: &Arc<dyn ExecutionPlan>| input.properties().partitioning.partition_count() != 1;
        if partition != 0 || self.inputs.iter().any(partitioned) {
            return Err(DataFusionError::Internal("a release point needs one partition of each input".into()));
        }
        let execute = |input: &Arc<dyn ExecutionPlan>| input.execute(0, Arc::clone(&context));
        let inputs = self.inputs.iter().map(execute).collect::<Result<Vec<_>>>()?;
        let (point, schema) = (Arc::clone(&self.point), Arc::clone(&self.schema));
        let visible = MetricBuilder::new(&self.seen).counter(VISIBLE, partition);
        let released = async move {
            let released = release(inputs, &point, schema, &context).await?;
            visible.add(answer::visible(&point, &released));
            Ok(released)
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream::once(released))))
    }
}

/// All rows first, since a row's fate must not show in when it comes; then one batch of what passes.
async fn release(
    inputs: Vec<SendableRecordBatchStream>,
    point: &Point,
    schema: SchemaRef,
    context: &TaskContext,
) -> Result<RecordBatch> {
    let held = MemoryConsumer::new("release").register(context.memory_pool());
    let mut groups = 0;
    let mut rows = Vec::with_capacity(inputs.len());
    for mut input in inputs {
        let mut batches = Vec::new();
        while let Some(batch) = input.next().await {
            let batch = batch?;
            groups += batch.num_rows();
            if groups > MOST_GROUPS {
                let why = format!("a release has more than {MOST_GROUPS} groups");
                return Err(DataFusionError::ResourcesExhausted(why));
            }
            held.try_grow(batch.get_array_memory_size())?;
            batches.push(batch);
        }
        rows.push(concat_batches(&input.schema(), &batches)?);
    }
    let groups = match &point.source {
        Source::Gathered(ruled) => settle::settled(point, ruled, &rows, &schema).await?,
        Source::Solved(solved) => solved::grouped(point, solved, &schema)?,
    };
    answer::table(point, &groups, &schema)
}
