//! The makers of alternatives: each says how one kind of node may be computed where its inputs are.

use datafusion::logical_expr::LogicalPlan;

use crate::alternative::Alternative;
use crate::placement::Search;

mod combine;
pub mod delegated;
pub mod eager;
pub mod partitioned;
pub mod split;
pub mod together;
pub mod whole;

/// From a node and the alternatives of its inputs to alternatives of the node.
pub(crate) type Maker = fn(&mut Search, &LogicalPlan, &[Vec<Alternative>]) -> Vec<Alternative>;

/// In this order.
pub(crate) const MAKERS: [Maker; 6] =
    [whole::make, together::make, partitioned::make, split::make, delegated::make, eager::make];
