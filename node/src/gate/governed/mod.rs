//! Marks where a dataset's rows enter a plan, so that the way out can be checked, and keeps the caller's expressions
//! above what they may see.

use serde::{Deserialize, Serialize};

mod exec;
mod node;

pub(super) use exec::GovernedExec;
pub(super) use node::{GovernedNode, node};

/// What a mark stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Mark {
    /// Rows of a `statistics` dataset: every way to the root passes a release. Predicates pass downwards, since only
    /// admitted ones are above it.
    Protected,
    /// Rows that were granted: the caller's predicates stay above, so that none is evaluated on other rows.
    Barrier,
}
