//! Noise of magnitudes: multipliers of the largest contribution, in quarters, never zero.

use std::fmt;

use super::{
    TableError, entropy,
    probabilities::{check_largest, check_variance},
};

/// Multipliers are whole numbers of quarters.
const QUARTERS: i32 = 4;
/// How many values the low 63 bits of a random number have; the highest bit is the sign.
const VALUES: u64 = 1 << 63;
/// Parts of a probability. Whole numbers, so that the last bit of an exponential, which differs between platforms, decides no multiplier.
const PARTS: f64 = 1e9;

/// Noise of magnitudes: a random multiplier of the largest contribution. It is never zero, so that no sum leaves as it is.
#[derive(Clone)]
pub struct MagnitudeTable {
    /// The multiplier has more than i quarters where the low 63 bits of the random number reach the i-th of these; the last is 2^63.
    thresholds: Vec<u64>,
}

impl MagnitudeTable {
    /// Makes the table whose multipliers, quarters from -`largest` to `largest` without 0, have the greatest entropy among all with
    /// mean 0 and this variance.
    ///
    /// # Errors
    /// [`TableError::Parameter`] if `largest` is out of range, or `variance` not from 1/16 to `largest` squared.
    pub fn made(largest: u32, variance: f64) -> Result<Self, TableError> {
        let most = check_largest(largest)? * QUARTERS;
        check_variance(variance)?;
        let values: Vec<i32> = (-most..=most).filter(|&quarters| quarters != 0).collect();
        let in_quarters = variance * f64::from(QUARTERS * QUARTERS);
        let probabilities = entropy::distribution(&values, in_quarters).ok_or_else(|| {
            let remedy =
                format!("choose from 0.0625, a quarter squared, to {}, the largest noise squared", largest * largest);
            TableError::Parameter { parameter: "variance", value: variance, remedy }
        })?;
        // Both signs together, which makes the mean exactly 0; the positive half ascends from one quarter.
        let either_sign = probabilities.iter().zip(probabilities.iter().rev()).map(|(p, q)| p + q);
        Ok(Self { thresholds: thresholds(either_sign.skip(values.len() / 2)) })
    }

    /// Noise for a uniformly distributed `random` number: a multiplier times `largest_contribution` (at least 0), both in steps of the
    /// fixed-point form. Rounded half away from zero, at least one step in absolute value, saturating.
    pub fn noise(&self, random: u64, largest_contribution: i128) -> i128 {
        #[cfg(feature = "testing")]
        if self.thresholds.is_empty() {
            return 0;
        }
        let low = random % VALUES;
        let reached = self.thresholds.partition_point(|&threshold| threshold <= low);
        let quarters = i128::try_from(reached).unwrap_or(i128::MAX).saturating_add(1);
        let contribution = largest_contribution.saturating_abs();
        let denominator = i128::from(QUARTERS);
        // Whole and remaining steps apart: their product with the quarters need not fit before it is divided.
        let whole = quarters.saturating_mul(contribution / denominator);
        let remaining = (quarters * (contribution % denominator) + denominator / 2) / denominator;
        let noise = whole.saturating_add(remaining).max(1);
        if random < VALUES { noise } else { -noise }
    }

    /// No noise at all, for tests of everything else.
    #[cfg(feature = "testing")]
    pub fn none() -> Self {
        Self { thresholds: Vec::new() }
    }

    /// Standard deviation of the multiplier: of the noise in units of the largest contribution.
    pub fn deviation(&self) -> f64 {
        let below = std::iter::once(0).chain(self.thresholds.iter().copied());
        let widths = self.thresholds.iter().zip(below).map(|(&above, below)| share(above - below));
        let multipliers = (1..).map(|quarters| f64::from(quarters) / f64::from(QUARTERS));
        widths.zip(multipliers).map(|(share, multiplier)| share * multiplier * multiplier).sum::<f64>().sqrt()
    }
}

/// Says nothing: noise in a log could be taken off again.
impl fmt::Debug for MagnitudeTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MagnitudeTable").finish_non_exhaustive()
    }
}

/// Cumulative probabilities, as shares of [`VALUES`].
fn thresholds(probabilities: impl Iterator<Item = f64>) -> Vec<u64> {
    let cumulative = probabilities.scan(0, |sum: &mut u64, probability| {
        *sum += parts(probability);
        Some(*sum)
    });
    let cumulative: Vec<u64> = cumulative.collect();
    let total = cumulative.last().copied().unwrap_or(1).max(1);
    let scaled = |sum: u64| u128::from(sum) * u128::from(VALUES) / u128::from(total);
    cumulative.into_iter().map(|sum| u64::try_from(scaled(sum)).unwrap_or(VALUES)).collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a probability has at most 10^9 parts")]
fn parts(probability: f64) -> u64 {
    (probability * PARTS).round() as u64
}

#[expect(clippy::cast_precision_loss, reason = "shares of 2^63 to 53 bits are exact enough for a description")]
fn share(values: u64) -> f64 {
    values as f64 / VALUES as f64
}
