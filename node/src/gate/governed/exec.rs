//! The mark in a physical plan: rows pass as they are, filters and statistics don't.

use std::fmt;
use std::sync::Arc;

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execution_plan::ReplaceChildrenOptions;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use super::Mark;

/// A marked plan.
#[derive(Debug)]
pub(in super::super) struct GovernedExec {
    mark: Mark,
    dataset: String,
    input: Arc<dyn ExecutionPlan>,
}

impl GovernedExec {
    pub(in super::super) fn new(mark: Mark, dataset: &str, input: Arc<dyn ExecutionPlan>) -> Self {
        Self { mark, dataset: dataset.to_owned(), input }
    }

    pub(in super::super) fn mark(&self) -> Mark {
        self.mark
    }

    pub(in super::super) fn dataset(&self) -> &str {
        &self.dataset
    }
}

impl DisplayAs for GovernedExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GovernedExec: {}, {:?}", self.dataset, self.mark)
    }
}

impl ExecutionPlan for GovernedExec {
    meridian_federation::plain_plan!("GovernedExec");

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([input]) = <[_; 1]>::try_from(children) else {
            return Err(DataFusionError::Internal("a mark has one input".into()));
        };
        Ok(Arc::new(Self::new(self.mark, &self.dataset, input)))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}
