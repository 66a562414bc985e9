//! The leaf that stands for what other bodies compute; execution makes one stream of its parts.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use datafusion::common::DFSchemaRef;
use datafusion::logical_expr::UserDefinedLogicalNodeCore;
use meridian_proto::{BodyName, DatasetName, Form};

/// What one body is asked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RemotePart {
    /// The body.
    pub body: BodyName,
    /// Its SQL. The columns of the answer stand by position for the node's.
    pub sql: String,
    /// The form in which the dataset leaves.
    pub form: Form,
    /// The dataset: `london.lfb.incidents`.
    pub dataset: String,
    /// Its other datasets in the SQL.
    pub beside: Vec<DatasetName>,
    /// Datasets of other bodies that it joins with its own at home, and asks those bodies for.
    pub references: Vec<DatasetName>,
    /// Whether it is asked as one of the bodies of `every.<standard>` and for nothing else, so that a partial answer may do
    /// without it.
    pub of_every: bool,
}

/// The concatenated answers of some bodies, in no order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RemoteNode {
    /// One query for each body; at least one.
    pub parts: Vec<RemotePart>,
    /// Names, qualifiers and types of the answer: those of the subtree that the node replaces. Where a part is released as
    /// statistics every column may be NULL, since a withheld cell is.
    pub schema: DFSchemaRef,
    /// What its columns are, for people.
    pub columns: Vec<String>,
    /// Roughly how many rows all parts answer together.
    pub rows: usize,
    /// Datasets of other bodies whose keys may be sent along, so that only rows that can match leave; placement's decision.
    pub keys_of: Vec<String>,
}

/// Roughly the most rows of an answer that is kept for a second reader.
const MOST_KEPT_ROWS: usize = 1_000_000;

impl RemoteNode {
    /// Whether several equal leaves are asked once, and all read what was answered: where it is not too much, and no keys of
    /// a join are sent along.
    pub(crate) fn may_share(&self) -> bool {
        self.keys_of.is_empty() && self.rows <= MOST_KEPT_ROWS
    }
}

impl UserDefinedLogicalNodeCore for RemoteNode {
    crate::leaf_node!("Remote");

    fn fmt_for_explain(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Remote:")?;
        for part in &self.parts {
            write!(f, " {} ({}): {};", part.body, part.form, part.sql)?;
        }
        Ok(())
    }
}

/// By hash: plans need some order, and this leaf has none of its own.
impl PartialOrd for RemoteNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let number = |node: &Self| {
            let mut hasher = std::hash::DefaultHasher::new();
            node.hash(&mut hasher);
            hasher.finish()
        };
        match number(self).cmp(&number(other)) {
            Ordering::Equal if self != other => None,
            order => Some(order),
        }
    }
}
