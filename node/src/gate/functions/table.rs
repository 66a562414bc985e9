//! Table functions: none is answered. The walk refuses every scan that is no dataset; this says why of those known.

use super::Class::{self, Never};
use super::Why::Table;

/// All of them.
pub(super) const TABLE: &[(&str, Class)] = &[("generate_series", Never(Table)), ("range", Never(Table))];
