//! The mesh end to end: real processes of the binary that was just built, real certificates, clients no one here wrote.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod answers;
mod clients;
mod faults;
mod house;
mod protection;
mod support;
