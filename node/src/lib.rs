//! A node of the Meridian mesh, and the command line that goes with it.
//!
//! Layers, top to bottom; imports go down this list only, and a test says so.

pub mod agreements;
pub mod app;
pub mod audit;
pub mod authority;
pub mod catalogue;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod downloads;
pub mod flight;
mod format;
pub mod gate;
mod geometry;
pub mod history;
pub mod membership;
pub mod metrics;
pub mod news;
pub mod peers;
mod port;
mod portable;
pub mod portal;
mod printable;
pub mod query;
pub mod register;
pub mod rights;
mod seal;
pub mod secrets;
mod shares;
pub mod sources;
mod spelling;
pub mod standards;
pub mod telemetry;
pub mod traces;
mod versions;
pub mod web;
pub mod witness;
pub mod workbench;

#[cfg(test)]
#[allow(clippy::expect_used)]
#[path = "../../tests/ports.rs"]
mod ports;
#[cfg(test)]
mod proofs;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod testing;
