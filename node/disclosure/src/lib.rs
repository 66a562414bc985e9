//! Statistical disclosure control in plain Rust: pure, no I/O, no engine.
//!
//! | where | what |
//! | --- | --- |
//! | `noise` | perturbation tables of the cell-key method, for counts and magnitudes |
//! | `sketch` | fingerprints of cells, whose difference tells how far two are apart |

pub mod noise;
pub mod sketch;
