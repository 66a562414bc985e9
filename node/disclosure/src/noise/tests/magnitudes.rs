//! Noise of magnitudes: moments, bounds, signs, and never zero.

use super::{
    super::{MagnitudeTable, TableError},
    moments, refused,
};

const SIGN: u64 = 1 << 63;
/// Contribution of so many steps that every quarter of it is whole.
const ONE: i128 = 4;

/// Largest multipliers and variances, from one end of the feasible range to the other.
fn sets() -> Vec<(u32, f64)> {
    let shares = [0.0, 1e-4, 0.02, 0.1, 0.3, 0.5, 0.9, 1.0];
    let range = |largest: u32| (0.0625, f64::from(largest).powi(2));
    let of = |largest| shares.map(|share| (largest, range(largest).0 + (range(largest).1 - range(largest).0) * share));
    (1..=10).chain([25]).flat_map(of).collect()
}

fn made((largest, variance): (u32, f64)) -> MagnitudeTable {
    MagnitudeTable::made(largest, variance).unwrap_or_else(|error| panic!("{largest}, {variance}: {error}"))
}

/// The multipliers' distribution as it comes out of `noise`, in quarters: where each starts is found by bisection.
fn distribution(table: &MagnitudeTable) -> Vec<(f64, f64)> {
    let at = |low: u64| table.noise(low, ONE);
    let mut starts = vec![0];
    while let Some(&from) = starts.last().filter(|&&from| at(from) < at(SIGN - 1)) {
        let (mut before, mut after) = (from, SIGN - 1);
        while after - before > 1 {
            let between = before.midpoint(after);
            if at(between) > at(from) { after = between } else { before = between }
        }
        starts.push(after);
    }
    let ends = starts.iter().skip(1).copied().chain([SIGN]);
    let positive: Vec<(f64, f64)> = starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| (at(start) as f64 / 4.0, (end - start) as f64 / 2_f64.powi(64)))
        .collect();
    positive.iter().flat_map(|&(v, p)| [(v, p), (-v, p)]).collect()
}

#[test]
fn mean_and_variance_hold() {
    for set in sets() {
        let table = made(set);
        let (mean, variance) = moments(distribution(&table).into_iter());
        assert!(mean.abs() <= 0.01, "{set:?}: mean {mean}");
        assert!((variance - set.1).abs() <= 0.01, "{set:?}: variance {variance}");
        assert!((table.deviation().powi(2) - variance).abs() < 1e-9, "{set:?}: {}", table.deviation());
    }
}

/// Of symmetric distributions over the quarters, ln p is a straight line in v² where the entropy is greatest.
#[test]
fn entropy_is_greatest() {
    for set in [(1, 0.3), (2, 1.08), (3, 2.5), (10, 30.0)] {
        let table = made(set);
        let positive: Vec<(f64, f64)> =
            distribution(&table).into_iter().filter(|(v, p)| *v > 0.0 && *p > 1e-5).collect();
        for three in positive.windows(3) {
            let slope = |a: (f64, f64), b: (f64, f64)| (b.1.ln() - a.1.ln()) / (b.0 * b.0 - a.0 * a.0);
            assert!((slope(three[0], three[1]) - slope(three[1], three[2])).abs() < 1e-2, "{set:?}: {three:?}");
        }
    }
}

#[test]
fn noise_is_never_zero_symmetric_and_bounded() {
    let contributions = [0, 1, 2, 3, 5, 1_000_003, i128::MAX / 7, i128::MAX - 1, i128::MAX];
    for set in sets() {
        let table = made(set);
        for random in randoms() {
            let mut smaller = 0;
            for contribution in contributions {
                let noise = table.noise(random, contribution);
                let bound = contribution.saturating_mul(set.0.into()).max(1);
                assert!(noise != 0 && noise.abs() <= bound, "{set:?}, {random}, {contribution}: {noise}");
                assert_eq!(table.noise(random ^ SIGN, contribution), -noise, "{set:?}, {random}, {contribution}");
                assert!(noise.abs() >= smaller, "{set:?}, {random}, {contribution}: {noise} under {smaller}");
                smaller = noise.abs();
            }
        }
    }
}

#[test]
fn multipliers_are_rounded_half_away_from_zero() {
    // The least variance leaves one quarter, either way; the greatest the largest multiplier.
    let (quarter, three) = (made((1, 0.0625)), made((3, 9.0)));
    for (contribution, noise) in
        [(0, 1), (1, 1), (2, 1), (5, 1), (6, 2), (7, 2), (9, 2), (10, 3), (i128::MAX, 1 << 125)]
    {
        assert_eq!(quarter.noise(5, contribution), noise, "{contribution}");
        assert_eq!(quarter.noise(5 | SIGN, contribution), -noise, "{contribution}");
    }
    for (contribution, noise) in [(0, 1), (1, 3), (2, 6), (1_001, 3_003), (i128::MAX, i128::MAX)] {
        assert_eq!(three.noise(5, contribution), noise, "{contribution}");
        assert_eq!(three.noise(5 | SIGN, contribution), -noise, "{contribution}");
    }
}

#[test]
fn parameters_out_of_range_are_refused_by_name() {
    let check = |largest, variance, name: &str| {
        let error = refused(MagnitudeTable::made(largest, variance));
        assert!(matches!(error, TableError::Parameter { parameter, .. } if parameter == name), "{error}");
    };
    check(0, 1.0, "largest");
    check(26, 1.0, "largest");
    for variance in [0.0, 0.06, 9.01, -1.0, f64::NAN, f64::INFINITY] {
        check(3, variance, "variance");
    }
}

#[test]
fn a_table_is_not_printed() {
    assert_eq!(format!("{:?}", made((2, 1.0))), "MagnitudeTable { .. }");
}

/// The ends of both halves, and numbers spread over the whole range.
fn randoms() -> Vec<u64> {
    let ends = [0, 1, SIGN - 1, SIGN, SIGN + 1, u64::MAX];
    ends.into_iter().chain((0..200_u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect()
}
