//! The key filter: the join keys of a small open side go to the other side's bodies first, which then send only rows that can match.
//!
//! Placement (`mark`) says where it may be done and is worth it, a physical rule (`rule`) puts a [`KeyFilterExec`] over the
//! join, and this one collects the small side when it runs (`exec`). It is the only way in which values of one body reach another, so
//! that all of the small side must be open, what this node has of it itself too (`own`); the other side never holds cells, of which
//! it would ask for finer ones.

mod exec;
mod list;
mod mark;
mod own;
mod rule;
mod small;

pub use exec::KeyFilterExec;
pub(crate) use mark::marked;
pub use own::OpenHere;
pub use rule::KeyFilters;

/// Keys of one column that are sent at most; above it, the join runs without.
pub const MOST_KEYS: usize = 20_000;
/// Rows in which keys are looked for at most.
const MOST_ROWS: usize = 100_000;
/// Bytes of a statement with keys at most: half of what a node takes unless its operator says otherwise.
const MOST_BYTES: usize = 512 * 1024;

/// When sending keys is worth the wait for them; an extension of a session's configuration, if it is not to be the default.
#[derive(Debug, Clone, Copy)]
pub struct Worth {
    /// Rows that the side whose keys are sent may have, roughly.
    pub small: f64,
    /// How many times as many the other side must have,
    pub times: f64,
    /// or how many in any case: estimates are rough, and what is not to be sent at all is worth more than a wait.
    pub many: f64,
}

impl Default for Worth {
    fn default() -> Self {
        Self { small: 200_000.0, times: 10.0, many: 50_000.0 }
    }
}
