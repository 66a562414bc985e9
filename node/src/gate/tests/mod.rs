//! The gate from SQL to the rows that leave: tables of what is admitted, with exact answers, and of what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod abroad;
mod admitted;
mod forms;
mod geometry;
mod noise;
mod observed;
mod onward;
mod permits;
mod reference;
mod references;
mod refused;
mod remedies;
mod setup;
mod several;
mod tables;
mod total;
mod unknown;
mod ways_out;
