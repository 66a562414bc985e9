//! The leaf of a physical plan that yields a reference's rows: they were fetched and checked before the plan runs, so that
//! nothing above it, no filter, no limit and no empty side of a join, changes what the other body is asked.

use std::fmt;
use std::sync::Arc;

use datafusion::common::stats::Precision;
use datafusion::common::{Result, Statistics};
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::memory::MemoryStream;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, StatisticsArgs,
};

use super::{ReferenceNode, Whole};

/// All rows of a reference; one output partition.
#[derive(Debug)]
pub struct ReferenceExec {
    whole: Arc<Whole>,
    properties: Arc<PlanProperties>,
}

impl ReferenceExec {
    /// The leaf for `node`.
    pub fn new(node: &ReferenceNode) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(node.whole.schema())),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self { whole: Arc::clone(&node.whole), properties: Arc::new(properties) }
    }
}

impl DisplayAs for ReferenceExec {
    fn fmt_as(&self, _t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReferenceExec: {}", self.whole.name())
    }
}

impl ExecutionPlan for ReferenceExec {
    crate::leaf_plan!("ReferenceExec");

    fn execute(&self, _partition: usize, _task: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let batches = self.whole.batches().ok_or_else(|| {
            DataFusionError::Internal(format!("{} was to be joined before it was fetched", self.whole.name()))
        })?;
        Ok(Box::pin(MemoryStream::try_new(batches.to_vec(), Arc::clone(self.whole.schema()), None)?))
    }

    fn statistics_from_inputs(
        &self,
        _input_stats: &[Arc<Statistics>],
        _args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let rows = Precision::Inexact(self.whole.rows());
        Ok(Arc::new(Statistics::new_unknown(self.whole.schema()).with_num_rows(rows)))
    }
}
