//! Distributions of greatest entropy over given noise values, with mean 0 and a given variance.

use std::ops::RangeInclusive;

/// Newton steps; a dozen suffice but for variances next to the ends of their range.
const MOST_STEPS: usize = 500;
/// How near to its targets a solution comes, on values scaled to -1..=1.
const TOLERANCE: f64 = 1e-12;
/// Nearer than this to an end of the range (on the same scale) the solution of that end is taken.
const AT_AN_END: f64 = 1e-9;

/// Variances that distributions over `values` (ascending) with mean 0 can have.
///
/// The points (v, v²) lie on a parabola, so that their convex hull meets the line of mean 0 between the chord of the two values next to
/// 0 and the chord of the outermost two. A chord from a to b crosses that line at -ab.
pub(super) fn variances(values: &[i32]) -> RangeInclusive<f64> {
    let (inner, outer) = ends(values);
    let crossing = |(a, b): (i32, i32)| -f64::from(a) * f64::from(b);
    crossing(inner)..=crossing(outer)
}

/// The probabilities of `values` (ascending) with the greatest entropy among those with mean 0 and variance `variance`; `None` where
/// there are none.
pub(super) fn distribution(values: &[i32], variance: f64) -> Option<Vec<f64>> {
    let (inner, outer) = ends(values);
    let reach = f64::from(outer.0.abs().max(outer.1));
    let slack = AT_AN_END * reach * reach;
    let range = variances(values);
    if (variance - range.end()).abs() <= slack {
        Some(two_values(values, outer))
    } else if (variance - range.start()).abs() <= slack {
        Some(two_values(values, inner))
    } else if range.contains(&variance) {
        interior(values, variance, reach)
    } else {
        None
    }
}

/// The values next to 0 on either side (both 0 if it is one of them), and the outermost two; all 0 where mean 0 leaves nothing else.
fn ends(values: &[i32]) -> ((i32, i32), (i32, i32)) {
    let below = values.iter().copied().filter(|&v| v <= 0);
    let above = values.iter().copied().filter(|&v| v >= 0);
    let inner = below.clone().max().zip(above.clone().min());
    let outer = below.min().zip(above.max());
    (inner.unwrap_or_default(), outer.unwrap_or_default())
}

/// The only distribution over a and b with mean 0.
fn two_values(values: &[i32], (a, b): (i32, i32)) -> Vec<f64> {
    let width = f64::from(b) - f64::from(a);
    let probability = |v: i32| match v {
        _ if a == b => f64::from(u8::from(v == a)),
        _ if v == a => f64::from(b) / width,
        _ if v == b => -f64::from(a) / width,
        _ => 0.0,
    };
    values.iter().map(|&v| probability(v)).collect()
}

/// The solution inside the range: p(v) ∝ exp(λ v + μ v²), with (λ, μ) from damped Newton steps on the convex dual.
fn interior(values: &[i32], variance: f64, reach: f64) -> Option<Vec<f64>> {
    let points: Vec<f64> = values.iter().map(|&v| f64::from(v) / reach).collect();
    let target = variance / (reach * reach);
    let mut here = Dual::at(&points, target, (0.0, 0.0));
    for _ in 0..MOST_STEPS {
        if here.gradient.0.abs().max(here.gradient.1.abs()) <= TOLERANCE {
            return Some(here.probabilities);
        }
        here = here.descend(&points, target)?;
    }
    None
}

/// The dual function log Σ exp(λ t + μ t²) - μ T at one point.
struct Dual {
    multipliers: (f64, f64),
    probabilities: Vec<f64>,
    value: f64,
    gradient: (f64, f64),
    /// Covariances of t and t²: (t, t), (t, t²), (t², t²).
    hessian: (f64, f64, f64),
}

impl Dual {
    fn at(points: &[f64], target: f64, multipliers: (f64, f64)) -> Self {
        let exponents: Vec<f64> = points.iter().map(|t| multipliers.0 * t + multipliers.1 * t * t).collect();
        let greatest = exponents.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = exponents.iter().map(|e| (e - greatest).exp()).collect();
        let total: f64 = weights.iter().sum();
        let probabilities: Vec<f64> = weights.iter().map(|w| w / total).collect();
        let moment = |power: i32| points.iter().zip(&probabilities).map(|(t, p)| p * t.powi(power)).sum::<f64>();
        let (first, second, third, fourth) = (moment(1), moment(2), moment(3), moment(4));
        Self {
            multipliers,
            value: greatest + total.ln() - multipliers.1 * target,
            gradient: (first, second - target),
            hessian: (second - first * first, third - first * second, fourth - second * second),
            probabilities,
        }
    }

    /// One Newton step, halved until it descends.
    fn descend(&self, points: &[f64], target: f64) -> Option<Self> {
        let (a, b, d) = self.hessian;
        // Next to an end the covariance is singular to the last bit; this much keeps the step finite.
        let ridge = (a + d) * 1e-15;
        let (a, d) = (a + ridge, d + ridge);
        let determinant = a * d - b * b;
        let (g, h) = self.gradient;
        let step = ((b * h - d * g) / determinant, (b * g - a * h) / determinant);
        let slope = g * step.0 + h * step.1;
        let mut length = 1.0;
        while length > 1e-12 {
            let multipliers = (self.multipliers.0 + length * step.0, self.multipliers.1 + length * step.1);
            let there = Self::at(points, target, multipliers);
            // The last steps change the value by less than it can be told apart.
            if there.value <= self.value + 1e-4 * length * slope + 1e-14 {
                return Some(there);
            }
            length /= 2.0;
        }
        None
    }
}
