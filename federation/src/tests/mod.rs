//! Tests of the planner as a whole, over a small federation in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod corpus;
mod coverage;
mod delegated;
mod eager;
pub(crate) mod generated;
mod halves;
mod hazards;
pub(crate) mod keyed;
mod keys;
mod neighbours;
mod own;
mod partitioned;
mod questions;
mod refusals;
mod released;
mod roundtrip;
mod shared;
mod snapshots;
mod together;
mod tpch;
pub(crate) mod world;
