//! The release point in a logical plan: a leaf, so that no optimizer rule moves anything into it or out of it.
//!
//! DataFusion pushes predicates without columns (`random() < 0.5`) through any extension node that has inputs, which
//! here would pick rows below the threshold. The plans below are therefore optimised by themselves, when they are planned.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::DFSchemaRef;
use datafusion::logical_expr::{Extension, LogicalPlan, UserDefinedLogicalNodeCore};

use super::Point;

/// A release point over the plans that gather its figures, one for each grouping.
#[derive(Debug, Clone)]
pub(in super::super) struct ReleaseNode {
    point: Arc<Point>,
    below: Vec<LogicalPlan>,
    schema: DFSchemaRef,
}

/// A release point as a plan.
pub(in super::super) fn node(point: Point, below: Vec<LogicalPlan>, schema: DFSchemaRef) -> LogicalPlan {
    let node = ReleaseNode { point: Arc::new(point), below, schema };
    LogicalPlan::Extension(Extension { node: Arc::new(node) })
}

impl ReleaseNode {
    pub(in super::super) fn point(&self) -> &Arc<Point> {
        &self.point
    }

    /// The plans below the release.
    pub(in super::super) fn below(&self) -> &[LogicalPlan] {
        &self.below
    }

    /// What tells two release points of one plan apart.
    fn parts(&self) -> (&Vec<LogicalPlan>, &DFSchemaRef, usize) {
        (&self.below, &self.schema, Arc::as_ptr(&self.point).addr())
    }
}

impl PartialEq for ReleaseNode {
    fn eq(&self, other: &Self) -> bool {
        self.parts() == other.parts()
    }
}

impl Eq for ReleaseNode {}

impl Hash for ReleaseNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.parts().hash(state);
    }
}

impl PartialOrd for ReleaseNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if self == other {
            return Some(Ordering::Equal);
        }
        self.below.partial_cmp(&other.below).filter(|order| order.is_ne())
    }
}

impl UserDefinedLogicalNodeCore for ReleaseNode {
    meridian_federation::leaf_node!("Release");

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Release: {}, cells of at least {} units", self.point.datasets.join(", "), self.point.threshold)
    }
}
