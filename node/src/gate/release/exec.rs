//! The release point at work: takes all rows below it, and lets out what passes.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{Distribution, EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, InputDistributionRequirements, Partitioning, PlanProperties,
};
use futures::{StreamExt, stream};

use super::{Layout, cells};

/// Most groups of one release, before any is withheld.
const MOST_GROUPS: usize = 1_000_000;

/// Lets cells out that pass the threshold.
#[derive(Debug)]
pub(in super::super) struct ReleaseExec {
    dataset: String,
    layout: Layout,
    input: Arc<dyn ExecutionPlan>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl ReleaseExec {
    pub(in super::super) fn new(
        dataset: &str,
        layout: Layout,
        schema: SchemaRef,
        input: Arc<dyn ExecutionPlan>,
    ) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self { dataset: dataset.to_owned(), layout, input, schema, properties: Arc::new(properties) }
    }

    pub(in super::super) fn dataset(&self) -> &str {
        &self.dataset
    }
}

impl DisplayAs for ReleaseExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReleaseExec: {}, cells of at least {} units", self.dataset, self.layout.threshold)
    }
}

impl ExecutionPlan for ReleaseExec {
    fn name(&self) -> &str {
        "ReleaseExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn input_distribution_requirements(&self) -> InputDistributionRequirements {
        InputDistributionRequirements::new(vec![Distribution::SinglePartition])
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([input]) = <[_; 1]>::try_from(children) else {
            return Err(DataFusionError::Internal("a release point has one input".into()));
        };
        Ok(Arc::new(Self::new(&self.dataset, self.layout, Arc::clone(&self.schema), input)))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let partitions = self.input.properties().partitioning.partition_count();
        if partition != 0 || partitions != 1 {
            return Err(DataFusionError::Internal(format!(
                "a release point needs one input partition, not {partitions}"
            )));
        }
        let input = self.input.execute(0, Arc::clone(&context))?;
        let (layout, schema) = (self.layout, Arc::clone(&self.schema));
        let released = async move { release(input, layout, schema, &context).await };
        Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream::once(released))))
    }
}

/// All rows first, since a row's fate must not show in when it comes; then one batch of what passes.
async fn release(
    mut input: SendableRecordBatchStream,
    layout: Layout,
    schema: SchemaRef,
    context: &TaskContext,
) -> Result<RecordBatch> {
    let held = MemoryConsumer::new("release").register(context.memory_pool());
    let below = input.schema();
    let mut batches = Vec::new();
    let mut rows = 0;
    while let Some(batch) = input.next().await {
        let batch = batch?;
        rows += batch.num_rows();
        if rows > MOST_GROUPS {
            return Err(DataFusionError::ResourcesExhausted(format!("a release has more than {MOST_GROUPS} groups")));
        }
        held.try_grow(batch.get_array_memory_size())?;
        batches.push(batch);
    }
    let rows = concat_batches(&below, &batches)?;
    cells::withheld(&rows, layout, &schema)
}
