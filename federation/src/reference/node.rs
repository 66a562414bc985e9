//! The leaf of a logical plan that stands for a reference: it takes no filter, no limit and no projection.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::common::DFSchemaRef;
use datafusion::logical_expr::UserDefinedLogicalNodeCore;

use super::Whole;

/// All rows of a reference: its key, then its labels.
#[derive(Debug, Clone)]
pub struct ReferenceNode {
    pub(super) whole: Arc<Whole>,
    pub(super) schema: DFSchemaRef,
}

impl ReferenceNode {
    /// What is fetched.
    pub fn whole(&self) -> &Arc<Whole> {
        &self.whole
    }
}

/// One query has one of each reference.
impl PartialEq for ReferenceNode {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.whole, &other.whole)
    }
}

impl Eq for ReferenceNode {}

impl Hash for ReferenceNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.whole.name().hash(state);
        self.whole.sql().hash(state);
    }
}

impl PartialOrd for ReferenceNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match self.whole.sql().cmp(other.whole.sql()) {
            Ordering::Equal if self != other => None,
            order => Some(order),
        }
    }
}

impl UserDefinedLogicalNodeCore for ReferenceNode {
    crate::leaf_node!("Reference");

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Reference: {}: {}", self.whole.name(), self.whole.sql())
    }
}
