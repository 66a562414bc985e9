//! Statistical disclosure control in plain Rust: pure, no I/O, no engine.
//!
//! | where | what |
//! | --- | --- |
//! | `cells` | what has to be known of cells, gathered from units |
//! | `noise` | perturbation tables of the cell-key method, for counts and magnitudes |
//! | `sketch` | fingerprints of cells, whose difference tells how far two are apart |
//! | `dominance` | the rules against few units that make up most of a sum |
//! | `suppression` | which cells of linked tables are withheld, so that the others don't tell them |

pub mod cells;
pub mod dominance;
pub mod noise;
pub mod sketch;
pub mod suppression;
