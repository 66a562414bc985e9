//! What perturbation tables promise: their moments, the published values, and that they never change.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod counts;
mod file;
mod magnitudes;
mod probabilities;
mod reference;

use super::{Parameters, TableError};

/// A seed that is nothing but a test's.
pub(super) const SEED: [u8; 32] = [7; 32];

pub(super) fn parameters(largest: u32, variance: f64, forbidden: u32) -> Parameters {
    Parameters { largest, variance, forbidden, stay: None }
}

/// Least and greatest variance that every row of a table allows: from the two rows nearest to the forbidden results, written down from the
/// definition and not from the code under test.
pub(super) fn feasible(largest: u32, forbidden: u32) -> (f64, f64) {
    // Row n <= js goes down n, to 0, or up js + 1 - n at least.
    let least = (1..=forbidden).map(|n| n * (forbidden + 1 - n)).max().unwrap_or_default();
    // Row 1 goes down 1, or up D at most.
    (least.into(), largest.into())
}

/// Mean and variance of a distribution.
pub(super) fn moments(distribution: impl Iterator<Item = (f64, f64)> + Clone) -> (f64, f64) {
    let mean: f64 = distribution.clone().map(|(v, p)| v * p).sum();
    (mean, distribution.map(|(v, p)| v * v * p).sum::<f64>() - mean * mean)
}

/// Largest noise and forbidden results of every table that the tests make, with variances over the whole feasible range.
pub(super) fn parameter_sets() -> Vec<Parameters> {
    let forms = (1..=10).flat_map(|largest| (0..=3).filter(move |js| *js < largest).map(move |js| (largest, js)));
    let sets = forms.flat_map(|(largest, js)| {
        let (least, greatest) = feasible(largest, js);
        let within = [0.03, 0.57].map(|share| least + (greatest - least) * share);
        within.map(|variance| parameters(largest, variance, js))
    });
    sets.chain([parameters(2, 1.08, 1), parameters(2, 1.05, 1), parameters(5, 3.0, 2), parameters(25, 20.0, 3)])
        .collect()
}

pub(super) fn stays(parameters: Parameters, stay: f64) -> Parameters {
    Parameters { stay: Some(stay), ..parameters }
}

pub(super) fn refused<T>(result: Result<T, TableError>) -> TableError {
    result.err().expect("a table that cannot be made was made")
}
