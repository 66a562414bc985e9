//! A node of the Meridian mesh, and the command line that goes with it.
//!
//! Layers, top to bottom; imports go down this list only, and a test says so.

pub mod cli;
pub mod app;
pub mod config;
pub mod flight;
pub mod web;
pub mod query;
pub mod catalogue;
pub mod sources;
pub mod peers;
pub mod gate;
pub mod audit;
pub mod telemetry;
