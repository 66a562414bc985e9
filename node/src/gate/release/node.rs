//! The release point in a logical plan: a leaf, so that no optimizer rule moves anything into it or out of it.
//!
//! DataFusion pushes predicates without columns (`random() < 0.5`) through any extension node that has inputs, which
//! here would pick rows below the threshold. The plan below is therefore optimised by itself, when it is planned.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use datafusion::common::DFSchemaRef;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNodeCore};

use super::Layout;

/// A release point over the plan that computes values and units.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in super::super) struct ReleaseNode {
    dataset: String,
    layout: Layout,
    below: Arc<LogicalPlan>,
    schema: DFSchemaRef,
}

/// A release point as a plan.
pub(in super::super) fn node(
    dataset: &str,
    threshold: u32,
    keys: usize,
    cells: usize,
    below: LogicalPlan,
    schema: DFSchemaRef,
) -> LogicalPlan {
    let layout = Layout { keys, cells, threshold };
    let node = ReleaseNode { dataset: dataset.to_owned(), layout, below: Arc::new(below), schema };
    LogicalPlan::Extension(Extension { node: Arc::new(node) })
}

impl ReleaseNode {
    pub(in super::super) fn dataset(&self) -> &str {
        &self.dataset
    }

    pub(in super::super) fn layout(&self) -> Layout {
        self.layout
    }

    /// The plan below the release.
    pub(in super::super) fn below(&self) -> &LogicalPlan {
        &self.below
    }
}

impl PartialOrd for ReleaseNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if self == other {
            return Some(Ordering::Equal);
        }
        match (&self.dataset, self.layout).cmp(&(&other.dataset, other.layout)) {
            Ordering::Equal => self.below.partial_cmp(&other.below).filter(|order| order.is_ne()),
            order => Some(order),
        }
    }
}

impl UserDefinedLogicalNodeCore for ReleaseNode {
    fn name(&self) -> &str {
        "Release"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        Vec::new()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Release: {}, cells of at least {} units", self.dataset, self.layout.threshold)
    }

    fn with_exprs_and_inputs(&self, exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        if exprs.is_empty() && inputs.is_empty() {
            Ok(self.clone())
        } else {
            Err(DataFusionError::Internal("a release point takes nothing from outside".into()))
        }
    }
}
