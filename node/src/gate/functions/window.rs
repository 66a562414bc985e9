//! Window functions by their canonical names. None stands below a release point. Their counts and offsets are constants,
//! read when a query is planned; a frame whose bound would overflow ends at the partition's edge.

use super::Class::{self, Above};
use super::Totality::Total;

/// All of them.
pub(super) const WINDOW: &[(&str, Class)] = &[
    ("cume_dist", Above(Total)),
    ("dense_rank", Above(Total)),
    ("first_value", Above(Total)),
    ("lag", Above(Total)),
    ("last_value", Above(Total)),
    ("lead", Above(Total)),
    ("nth_value", Above(Total)),
    ("ntile", Above(Total)),
    ("percent_rank", Above(Total)),
    ("rank", Above(Total)),
    ("row_number", Above(Total)),
];
