//! The two proofs of the gate: a slow and obvious model that the engine agrees with, and twin databases of which nothing
//! that leaves tells what it must not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod asked;
mod case;
mod database;
mod generate;
mod keys;
mod model;
mod oracle;
mod regressions;
mod run;
mod shrink;
mod sql;
mod twins;
mod value;
