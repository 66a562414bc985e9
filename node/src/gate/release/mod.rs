//! A release point: what leaves it has passed the threshold, cell by cell.

mod cells;
mod exec;
mod node;

pub(super) use exec::ReleaseExec;
pub(super) use node::{ReleaseNode, node};

/// How the rows below a release point are laid out: group keys, then values, then the units of each value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Layout {
    /// Group keys; with none there is exactly one row.
    pub(super) keys: usize,
    /// Cells of a row; with none the row itself is the cell.
    pub(super) cells: usize,
    /// Smallest number of units of a cell that leaves.
    pub(super) threshold: u32,
}
