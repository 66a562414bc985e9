//! Perturbation tables of the cell-key method: which noise a count or a magnitude takes.
//!
//! A table is pure: the same units and key give the same noise for ever. Whoever knows a table and a key can take the noise off again, so
//! that neither is ever printed, not even by `Debug`.

mod changes;
mod counts;
mod entropy;
mod error;
mod file;
mod keys;
mod magnitudes;
mod probabilities;
#[cfg(test)]
mod tests;

pub use counts::CountTable;
pub use error::TableError;
pub use magnitudes::MagnitudeTable;
pub use probabilities::{Parameters, probabilities};

/// Greatest `largest` that a table can be made with: over more values 256 keys spread too thinly.
pub const MOST_NOISE: u32 = 25;
