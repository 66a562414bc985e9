//! Threshold, dominance and noise: pure, one figure of one cell at a time.

use std::hash::Hasher;

use siphasher::sip::SipHasher24;

use super::figures::Figure;
use super::{Figured, Kind, Point};
use crate::gate::terms::{Controls, Dominance, Precision};

/// What would be released of a figure, in fixed point; `None` where it is withheld.
pub(super) fn controlled(figure: &Figure, of: &Figured, point: &Point) -> Option<i128> {
    let controls = &point.controls;
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
            (!dominated(figure, point.dominance)).then(|| magnitude(figure, of, precision, controls))
        }
    }
}

/// The rules against few units that make up most of a sum; a sum of nothing is dominated by whoever adds to it.
fn dominated(figure: &Figure, rules: Dominance) -> bool {
    let kept = |n: usize| figure.largest.iter().take(n).fold(0_i128, |sum, size| sum.saturating_add(*size));
    let by_share =
        rules.largest.is_some_and(|(n, share)| approximate(kept(n)) * 100.0 > share * approximate(figure.absolute));
    // Whole numbers first, and then products: what a limit meets exactly it is to meet, however large.
    let rest = approximate(figure.absolute.saturating_sub(kept(2)));
    rest * 100.0 < rules.percent * approximate(kept(1)) || by_share
}

/// The sum with noise in steps of the released precision: noise is never zero, not even after rounding.
fn magnitude(figure: &Figure, of: &Figured, precision: Precision, controls: &Controls) -> i128 {
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
fn random(figure: &Figure, of: &Figured, key: &[u8; 16]) -> u64 {
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
pub(super) fn rounded(dividend: i128, divisor: i128) -> i128 {
    let (whole, rest) = (dividend / divisor, dividend % divisor);
    let up = rest.saturating_abs().saturating_mul(2) >= divisor.saturating_abs();
    let away = if (dividend < 0) == (divisor < 0) { 1 } else { -1 };
    whole + if up && rest != 0 { away } else { 0 }
}

#[expect(clippy::cast_precision_loss, reason = "shares are compared, to 53 bits")]
fn approximate(value: i128) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    fn figure(contributions: &[i128], kept: usize) -> Figure {
        let mut largest: Vec<i128> = contributions.iter().map(|c| c.abs()).collect();
        largest.sort_unstable_by(|a, b| b.cmp(a));
        largest.truncate(kept);
        let absolute = contributions.iter().map(|c| c.abs()).sum();
        let units = u64::try_from(contributions.len()).unwrap();
        Figure { units, keys: 0, sum: contributions.iter().sum(), absolute, largest, sketch: None }
    }

    #[test]
    fn one_or_two_units_that_make_up_most_of_a_sum_are_dominant() {
        let percent = |percent| Dominance { percent, largest: None };
        let table = [
            (vec![100, 5, 5, 5], percent(10.0), false),
            (vec![100, 5, 4, 5], percent(10.0), true),
            (vec![-100, 5, 4, 5], percent(10.0), true),
            (vec![100, 5, 4, 3], percent(7.0), false),
            (vec![18_000_000_000_000_000_000, 6, 2], percent(0.0), false),
            (vec![1000, 1000, 1, 1, 1], percent(10.0), true),
            (vec![10, 10, 10, 10], percent(10.0), false),
            (vec![10, 10, 10, 10], Dominance { percent: 10.0, largest: Some((2, 50.0)) }, false),
            (vec![11, 10, 10, 10], Dominance { percent: 10.0, largest: Some((2, 50.0)) }, true),
            (vec![30, 30, 30, 1, 1], Dominance { percent: 1.0, largest: Some((3, 90.0)) }, true),
        ];
        for (contributions, rules, expected) in table {
            assert_eq!(dominated(&figure(&contributions, 3), rules), expected, "{contributions:?} {rules:?}");
        }
    }

    #[test]
    fn quotients_are_rounded_half_away_from_zero() {
        let table = [(5, 2, 3), (-5, 2, -3), (4, 2, 2), (149, 100, 1), (150, 100, 2), (-149, 100, -1), (7, -2, -4)];
        for (dividend, divisor, expected) in table {
            assert_eq!(rounded(dividend, divisor), expected, "{dividend} / {divisor}");
        }
    }
}
