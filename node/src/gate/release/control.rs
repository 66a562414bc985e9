//! Threshold, dominance and noise: pure, one figure of one cell at a time.

use std::hash::Hasher;

use siphasher::sip::SipHasher24;

use super::{Figured, Kind, Point, Ruled};
use crate::gate::terms::{Controls, Precision};
use meridian_disclosure::cells::Cell;

/// What would be released of a figure, in fixed point; `None` where it is withheld.
pub(super) fn controlled(figure: &Cell, of: &Figured, point: &Point, ruled: &Ruled) -> Option<i128> {
    let controls = &ruled.controls;
    let units = i128::from(figure.units);
    let key = u8::try_from(figure.keys & 0xff).unwrap_or_default();
    let perturbed = units + i128::from(controls.counts.noise(figure.units, key));
    let threshold = i128::from(point.threshold);
    if units < threshold || perturbed < threshold {
        return None;
    }
    match of.kind {
        Kind::Units => Some(perturbed),
        Kind::Magnitude(precision) => {
            let dominated = ruled.dominance.holds(figure.absolute, &figure.largest);
            (!dominated).then(|| magnitude(figure, of, precision, controls))
        }
    }
}

/// The sum with noise in steps of the released precision: noise is never zero, not even after rounding.
fn magnitude(figure: &Cell, of: &Figured, precision: Precision, controls: &Controls) -> i128 {
    let step = i128::from(precision.multiple.max(1));
    let first = figure.largest.first().copied().unwrap_or_default();
    let largest = first / step + i128::from(first % step != 0);
    let noise = controls.magnitudes.noise(random(figure, of, &controls.key), largest);
    rounded(figure.sum, step).saturating_add(noise).saturating_mul(step)
}

/// The same for the same units, measure and sum, whatever the words, and for nobody to foresee who lacks the key.
///
/// The sum is in it since units keep their place in a cell while what they contribute is cut: two sums over the same
/// units with one noise would give their difference exactly.
fn random(figure: &Cell, of: &Figured, key: &[u8; 16]) -> u64 {
    let mut hasher = SipHasher24::new_with_key(key);
    hasher.write(of.function.as_bytes());
    hasher.write_u8(0);
    hasher.write(of.of.as_bytes());
    hasher.write_u8(0);
    hasher.write_u64(figure.keys);
    hasher.write(&figure.sum.to_le_bytes());
    hasher.finish()
}

/// A quotient to the nearest whole number, halves away from zero.
pub(in super::super) fn rounded(dividend: i128, divisor: i128) -> i128 {
    let (whole, rest) = (dividend / divisor, dividend % divisor);
    let up = rest.saturating_abs().saturating_mul(2) >= divisor.saturating_abs();
    let away = if (dividend < 0) == (divisor < 0) { 1 } else { -1 };
    whole + if up && rest != 0 { away } else { 0 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    #[test]
    fn quotients_are_rounded_half_away_from_zero() {
        let table = [(5, 2, 3), (-5, 2, -3), (4, 2, 2), (149, 100, 1), (150, 100, 2), (-149, 100, -1), (7, -2, -4)];
        for (dividend, divisor, expected) in table {
            assert_eq!(rounded(dividend, divisor), expected, "{dividend} / {divisor}");
        }
    }
}
