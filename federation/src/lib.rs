//! One SQL question over many bodies: catalogue view, placement, the wire SQL, remote execution.
//!
//! [`tables`] shows the datasets of other bodies to DataFusion. After DataFusion has optimised a plan over them, [`place`]
//! decides what is computed where ([`placement`], with its makers of alternatives in [`rules`]): a subtree that lives at one body
//! becomes a [`rel::Rel`], is written as SQL ([`wire`]), read back and compared ([`check`], through [`lower`]), and
//! replaced by a [`node::RemoteNode`]. [`FederationPlanner`] does this inside a DataFusion session that is set up by [`session`].

mod alike;
mod alternative;
mod average;
pub mod check;
mod constant;
mod coverage;
pub mod error;
pub mod keys;
pub mod lower;
mod narrowed;
mod neighbours;
pub mod node;
pub mod normal;
pub mod over;
pub mod placement;
pub mod planner;
mod pushdown;
pub mod reference;
pub mod rel;
pub mod released;
pub mod remote;
pub mod rules;
pub mod session;
mod statistics;
pub mod summary;
pub mod tables;
mod template;
mod tidy;
mod turns;
pub mod view;
pub mod wire;

pub use error::PlacementError;
pub use node::{RemoteNode, RemotePart};
pub use placement::{Placed, askable, place};
pub use planner::FederationPlanner;
pub use pushdown::physical_optimizer_rules;
pub use summary::RemoteSummary;
pub use tables::{EveryPart, EveryTable, ForeignTable};
pub use turns::unpaced;

#[cfg(test)]
mod tests;
