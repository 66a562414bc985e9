//! A dataset's terms: what its owner's configuration says of how it may leave.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::logical_expr::Expr;
use meridian_proto::{Dataset, DatasetName, Form, Name};

/// Smallest threshold that any configuration can bring about.
const LEAST_THRESHOLD: u32 = 3;
/// Threshold where neither dataset nor agreement names one.
const USUAL_THRESHOLD: u32 = 10;

/// How one dataset of this body may leave.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Its full name.
    pub name: DatasetName,
    /// What is published.
    pub dataset: Arc<Dataset>,
    /// What the body's own analysts get.
    pub own: Form,
    /// What it protects; there is none without which statistics could leave.
    pub unit: Option<Unit>,
    /// Bounds into which measures are clamped before they are summed.
    pub bounds: HashMap<Name, (f64, f64)>,
    /// Whether callers without an agreement may know that it exists.
    pub listed: bool,
    /// What agreements grant.
    pub grants: Vec<Grant>,
}

impl Terms {
    /// The threshold of released cells: the dataset's, or what an agreement raises it to.
    pub(super) fn threshold(&self, grant: Option<u32>) -> u32 {
        let own = if self.dataset.threshold == 0 { USUAL_THRESHOLD } else { self.dataset.threshold };
        own.max(grant.unwrap_or(0)).max(LEAST_THRESHOLD)
    }
}

/// What a dataset protects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unit {
    /// Each row is one unit.
    EachRow,
    /// A published column names the unit.
    Column {
        /// The column.
        name: Name,
        /// Whether no unit has more than one row, checked on load.
        unique: bool,
    },
}

/// What one agreement grants over one dataset.
#[derive(Debug, Clone)]
pub struct Grant {
    /// The agreement's id.
    pub agreement: String,
    /// The purpose that a query must state.
    pub purpose: String,
    /// The bodies that may ask.
    pub recipients: Vec<Name>,
    /// `rows` or `statistics`.
    pub form: Form,
    /// The columns; `None` for all that are visible.
    pub columns: Option<Vec<Name>>,
    /// Which rows, over the published columns, unqualified.
    pub filter: Option<Expr>,
    /// A threshold that may only raise the dataset's.
    pub threshold: Option<u32>,
    /// First day in force.
    pub start: NaiveDate,
    /// First day no longer in force.
    pub end: NaiveDate,
}

impl Grant {
    /// Whether it is in force on a day.
    pub fn in_force(&self, day: NaiveDate) -> bool {
        self.start <= day && day < self.end
    }
}
