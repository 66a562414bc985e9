//! Tables of counts: moments of every row, spreads, determinism.

use super::{
    super::{CountTable, Parameters, TableError, keys, probabilities},
    SEED, moments, parameter_sets, parameters, refused, stays,
};

fn made(parameters: &Parameters) -> CountTable {
    CountTable::made(parameters, SEED).unwrap_or_else(|error| panic!("{parameters:?}: {error}"))
}

fn row(table: &CountTable, units: u64) -> Vec<i64> {
    (0..=255).map(|key| table.noise(units, key)).collect()
}

#[test]
fn mean_and_variance_hold_in_every_row_of_every_table() {
    for set in parameter_sets().into_iter().chain([stays(parameters(5, 2.0, 2), 0.5)]) {
        let table = made(&set);
        for units in 1..=750 {
            let row = row(&table, units);
            let (mean, variance) = moments(row.iter().map(|&v| (v as f64, 1.0 / 256.0)));
            assert!(mean.abs() <= 0.01, "{set:?}, row {units}: mean {mean}");
            assert!((variance - set.variance).abs() <= 0.01, "{set:?}, row {units}: variance {variance}");
            let symmetric = units > u64::from(set.largest + set.forbidden);
            assert!(!symmetric || mean == 0.0, "{set:?}, row {units}: mean {mean}");
        }
        near_to_the_probabilities(&set, &table);
        assert!(table.largest() <= set.largest.into(), "{set:?}");
        assert!((table.deviation().powi(2) - set.variance).abs() <= 0.010_001, "{set:?}: {}", table.deviation());
        assert!(table.keyed(1), "{set:?}");
    }
}

/// No noise has 10 keys more or fewer than its probability asks for; most have less than one.
fn near_to_the_probabilities(set: &Parameters, table: &CountTable) {
    for units in 1..=set.largest + set.forbidden + 2 {
        let row = row(table, units.into());
        for (value, p) in probabilities(set, units).unwrap() {
            let keys = row.iter().filter(|v| **v == value).count() as f64;
            assert!((keys - 256.0 * p).abs() <= 10.0, "{set:?}, row {units}, {value}: {keys} of {}", 256.0 * p);
        }
    }
}

#[test]
fn no_count_becomes_negative_or_forbidden_and_none_stays_none() {
    let table = made(&parameters(5, 4.5, 3));
    for key in 0..=255 {
        assert_eq!(table.noise(0, key), 0);
        for units in 1..=2_000 {
            let result = units as i64 + table.noise(units, key);
            assert!(result == 0 || result > 3, "{units} to {result}");
        }
    }
}

/// A spread is refused only where there is none: compared with all spreads of rows of three or four values.
#[test]
fn spreads_are_refused_only_where_there_are_none() {
    let rows = [vec![-1, 0, 1], vec![-1, 1, 2], vec![-1, 2, 3], vec![-2, 0, 1, 2], vec![-1, 3, 4], vec![-1, 3, 4, 5]];
    for values in rows {
        let (first, last) = (values[0], values[values.len() - 1]);
        let inner = values
            .iter()
            .find(|v| **v >= 0)
            .map_or(0, |v| -v * values[values.iter().position(|w| w == v).unwrap() - 1]);
        let least = if values.contains(&0) { 0.0 } else { f64::from(inner) };
        let greatest = f64::from(-first * last);
        for step in 1..=40 {
            let variance = least + (greatest - least) * f64::from(step) / 40.0;
            let row: Vec<(i32, f64)> =
                values.iter().copied().zip(super::super::entropy::distribution(&values, variance).unwrap()).collect();
            let sums = sums_that_hold(&values, variance);
            let found = keys::spread(&row, variance);
            let sum =
                found.map(|keys| keys.iter().zip(&values).map(|(keys, v)| keys * i64::from(*v)).sum::<i64>().abs());
            assert_eq!(sum.is_some(), !sums.is_empty(), "{values:?}, {variance}: {sum:?}, {sums:?}");
        }
    }
}

/// Absolute sums, at most 2, of all spreads over three or four values whose variance holds.
fn sums_that_hold(values: &[i32], variance: f64) -> Vec<i64> {
    let v: Vec<i64> = values.iter().map(|&v| v.into()).collect();
    let mut sums = Vec::new();
    let fourth = if v.len() == 4 { v[3] - v[0] } else { 0 };
    for free in 0..=(if v.len() == 4 { 256 } else { 0 }) {
        for third in 0..=256 - free {
            // Each key moved from the first value to another adds the difference; the second takes what is left of the sum.
            let without_second = 256 * v[0] + free * fourth + third * (v[2] - v[0]);
            for sum in (-2..=2_i64).filter(|sum| (sum - without_second) % (v[1] - v[0]) == 0) {
                let second = (sum - without_second) / (v[1] - v[0]);
                let keys = [256 - free - third - second, second, third, free];
                let squares: i64 = v.iter().zip(keys).map(|(v, keys)| v * v * keys).sum();
                let mean = sum as f64 / 256.0;
                let holds = (squares as f64 / 256.0 - mean * mean - variance).abs() <= 0.01;
                if holds && keys.iter().all(|keys| *keys >= 0) {
                    sums.push(sum.abs());
                }
            }
        }
    }
    sums
}

#[test]
fn too_few_keys_are_refused_with_the_row() {
    // Variance 6 is the greatest of row 1: only -1 and 6, with probabilities 6/7 and 1/7, and 7 does not divide 256.
    let error = refused(CountTable::made(&parameters(6, 6.0, 0), SEED));
    assert!(matches!(error, TableError::Keys { units: 1, least: 0.0, greatest: 6.0, .. }), "{error}");
}

#[test]
fn no_table_is_made_of_parameters_that_one_row_refuses() {
    let error = refused(CountTable::made(&parameters(6, 3.5, 3), SEED));
    assert!(matches!(error, TableError::Infeasible { units: 2, .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("count of 2") && text.contains("from 4 to 12"), "{text}");
}

#[test]
fn the_same_seed_makes_the_same_table_and_another_seed_another() {
    let set = parameters(5, 3.0, 2);
    let (one, same) = (made(&set), made(&set));
    let other = CountTable::made(&set, [8; 32]).unwrap();
    for units in 1..=750 {
        assert_eq!(row(&one, units), row(&same, units));
        assert_ne!(row(&one, units), row(&other, units), "row {units}");
        assert_ne!(row(&one, units), row(&one, units + 1), "row {units}");
    }
}

/// Pinned: a table that changed with the version of a library would give every cell a second answer.
#[test]
fn a_table_is_the_same_for_ever() {
    let table = made(&parameters(2, 1.08, 1));
    let first = |units| (0..24).map(|key| table.noise(units, key)).collect::<Vec<_>>();
    assert_eq!(first(1), [-1, -1, -1, 1, 2, 1, 1, -1, -1, -1, 1, 1, 1, 1, -1, 1, -1, 1, 1, 1, 1, 1, 1, 1]);
    assert_eq!(first(750), [1, 0, -1, 2, 1, 0, -1, 1, 2, 1, -1, -1, 0, 1, 0, 1, 0, 1, 2, 0, 0, 1, 0, -2]);
    // Weighted by place, so that no two keys or rows can change places.
    let places = (1..=750).flat_map(|units| row(&table, units)).zip(1..);
    let sum = places.fold(0_u64, |sum, (noise, place): (i64, u64)| {
        sum.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(place.wrapping_mul(noise.wrapping_add(3) as u64))
    });
    assert_eq!(sum, 6_153_189_057_574_885_881);
}

/// Over all rows, each key gets each noise about as often as any other key does.
#[test]
fn keys_are_shuffled_evenly() {
    let table = made(&parameters(2, 1.08, 1));
    for key in 0..=255 {
        let (rows, sum) = (4..=750).fold((0, 0), |(rows, sum), units| (rows + 1, sum + table.noise(units, key)));
        // Five and a half standard deviations, for 256 keys.
        let most = 5.5 * (f64::from(rows) * 1.08).sqrt();
        assert!((sum as f64).abs() <= most, "key {key}: {sum}");
    }
}

#[test]
fn rows_of_large_counts_repeat() {
    let pcv = [(0, 0), (1, 1), (749, 749), (750, 750), (751, 501), (1_000, 750), (1_001, 501), (2_559, 559)];
    for (units, row) in pcv {
        assert_eq!(CountTable::pcv(units), row, "{units}");
    }
    assert!((501..=750).contains(&CountTable::pcv(u64::MAX)));
    let table = made(&parameters(2, 1.08, 1));
    assert_eq!(row(&table, 751), row(&table, 501));
    assert_eq!(row(&table, 1_000), row(&table, 750));
}

#[test]
fn a_table_is_not_printed() {
    assert_eq!(format!("{:?}", made(&parameters(2, 1.08, 1))), "CountTable { .. }");
}
