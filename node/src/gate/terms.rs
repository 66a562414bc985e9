//! A dataset's terms: what its owner's configuration says of how it may leave.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDate;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
pub use meridian_disclosure::dominance::Dominance;
use meridian_disclosure::noise::{CountTable, MagnitudeTable};
use meridian_proto::{BodyName, Dataset, DatasetName, Form, Name};

use super::tables::Tables;
use crate::history::History;

/// The column of a published table's rows, behind the published ones, that stands for the unit: a keyed hash, 64 bits
/// unsigned, NULL where the row has no unit.
pub const UNIT_COLUMN: &str = "__unit";

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
    /// What may be known of single columns beyond their roles.
    pub columns: HashMap<Name, ColumnTerms>,
    /// Disclosure control of what SQL asks for; without it no statistics are made of this dataset.
    pub controls: Option<Arc<Controls>>,
    /// The declared tables, solved: where they are, nothing else is answered.
    pub tables: Option<Arc<Tables>>,
    /// Whether callers without an agreement may know that it exists.
    pub listed: bool,
    /// What agreements grant.
    pub grants: Vec<Grant>,
    /// Datasets of other bodies that its rows may be joined with.
    pub references: Vec<Reference>,
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
pub struct Unit {
    /// What a unit is: `person`, `dwelling`. Units of one kind are the same in all datasets of a body.
    pub kind: Name,
    /// The published column that names it; `None` where each row is one.
    pub column: Option<Name>,
    /// Whether no unit has more than one row, checked on load.
    pub unique: bool,
    /// The unit of another kind that this one is part of: a household that persons live in.
    pub belongs_to: Option<Belongs>,
}

/// A unit of another kind, and the published column that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Belongs {
    /// The kind.
    pub kind: Name,
    /// The column, an identifier.
    pub column: Name,
}

/// A dataset of another body that may be joined: this node fetches it whole, checks it and joins at home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The other body.
    pub body: Name,
    /// Its dataset; a pair of body and dataset stands once.
    pub dataset: Name,
    /// The column of the reference that joins and has no value twice.
    pub key: Name,
    /// SHA-256 of the reference's content.
    pub sha256: [u8; 32],
    /// The columns of the reference that may be used, all as dimensions, sorted by name, at least one; and all values
    /// that each can have, as texts, where they are said.
    pub labels: Vec<(Name, Option<Vec<String>>)>,
}

impl Reference {
    /// What the federation is told of it.
    pub fn described(&self) -> meridian_proto::Reference {
        let Self { body, dataset, key, sha256: _, labels } = self;
        let labels = labels.iter().map(|(name, _)| name.clone()).collect();
        meridian_proto::Reference { body: body.clone(), dataset: dataset.clone(), key: key.clone(), labels }
    }
}

/// What may be known of a column's values.
#[derive(Debug, Clone, Default)]
pub struct ColumnTerms {
    /// Bounds into which a measure is clamped before it is summed.
    pub bounds: Option<(f64, f64)>,
    /// How exactly sums of a measure are released.
    pub precision: Precision,
    /// The only values at which ranges may begin and end; `None` where the column's `ranges` says it all.
    pub bands: Option<Vec<ScalarValue>>,
    /// All values that a dimension can have.
    pub domain: Option<Vec<ScalarValue>>,
}

/// Released values are multiples of `multiple` / 10^`decimals`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Precision {
    /// Decimals of the fixed point in which values are summed.
    pub decimals: u8,
    /// The step between released values, in fixed point; at least 1.
    pub multiple: u64,
}

impl Default for Precision {
    fn default() -> Self {
        Self { decimals: 0, multiple: 1 }
    }
}

/// Disclosure control of a dataset: fixed with its snapshot, the same for every caller and agreement.
#[derive(Debug)]
pub struct Controls {
    /// Noise of counts.
    pub counts: CountTable,
    /// Noise of sums.
    pub magnitudes: MagnitudeTable,
    /// When few units make up most of a sum.
    pub dominance: Dominance,
    /// The key of the pseudo-random function that draws noise for sums.
    pub key: [u8; 16],
    /// Whether near sums take each other's answer.
    pub reuse: bool,
    /// What has been answered before.
    pub history: Arc<History>,
}

/// The analysts of a recipient for whom it may ask: those who are named, and those who are in one of the groups, as the
/// recipient's own node says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Askers {
    /// Each by name.
    pub analysts: Vec<Name>,
    /// Groups that the recipients keep.
    pub groups: Vec<Name>,
}

/// What one agreement grants over one dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The agreement's id.
    pub agreement: String,
    /// The purpose that a query must state.
    pub purpose: String,
    /// The bodies that may ask.
    pub recipients: Vec<BodyName>,
    /// `rows` or `statistics`.
    pub form: Form,
    /// The columns; `None` for all that are visible.
    pub columns: Option<Vec<Name>>,
    /// Which rows, over the published columns, unqualified.
    pub filter: Option<Expr>,
    /// A threshold that may only raise the dataset's.
    pub threshold: Option<u32>,
    /// Most cells that may leave under it.
    pub allowance: Option<u64>,
    /// For whom a recipient may ask; `None` for all of its analysts.
    pub askers: Option<Askers>,
    /// Whether a recipient may have it for the analysts of other bodies, too.
    pub onward: bool,
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
