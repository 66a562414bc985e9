//! Probabilities before they are spread over keys: the published ones, greatest entropy, and what is refused.

use super::{
    super::{Parameters, TableError, probabilities},
    feasible, moments, parameter_sets, parameters, refused, stays,
};

fn row(parameters: &Parameters, units: u32) -> Vec<(i64, f64)> {
    probabilities(parameters, units).unwrap_or_else(|error| panic!("{parameters:?}: {error}"))
}

#[test]
fn the_published_example_has_its_published_probabilities() {
    let example = parameters(2, 1.08, 1);
    let check = |units, expected: &[(i64, f64)]| {
        let row = row(&example, units);
        assert_eq!(row.len(), expected.len(), "row {units}");
        for ((value, probability), (expected_value, expected)) in row.iter().zip(expected) {
            assert_eq!(value, expected_value, "row {units}");
            assert!((probability - expected).abs() < 5.1e-6, "row {units}, {value}: {probability}");
        }
    };
    check(0, &[(0, 1.0)]);
    check(1, &[(-1, 0.51333), (1, 0.46), (2, 0.02667)]);
    for units in [4, 5, 750, 12_326] {
        check(units, &[(-2, 0.073947), (-1, 0.244213), (0, 0.363680), (1, 0.244213), (2, 0.073947)]);
    }
}

#[test]
fn results_are_never_negative_nor_forbidden() {
    for set in parameter_sets() {
        for units in 1..=set.largest + set.forbidden + 2 {
            for (value, _) in row(&set, units) {
                let result = i64::from(units) + value;
                assert!(result == 0 || result > set.forbidden.into(), "{set:?}, {units} to {result}");
                assert!(value.unsigned_abs() <= set.largest.into(), "{set:?}, {units} to {result}");
            }
        }
    }
}

#[test]
fn mean_variance_and_sum_hold_in_every_row() {
    for set in parameter_sets().into_iter().chain(next_to_the_ends()) {
        for units in 1..=set.largest + set.forbidden + 2 {
            let row = row(&set, units);
            let (mean, variance) = moments(row.iter().map(|&(v, p)| (v as f64, p)));
            let sum: f64 = row.iter().map(|(_, p)| p).sum();
            assert!(row.iter().all(|&(_, p)| (0.0..=1.0).contains(&p)), "{set:?}, row {units}: {row:?}");
            assert!((sum - 1.0).abs() < 1e-9, "{set:?}, row {units}: sum {sum}");
            assert!(
                mean.abs() < 1e-7 && (variance - set.variance).abs() < 1e-6,
                "{set:?}, row {units}: {mean}, {variance}"
            );
        }
    }
}

/// At greatest entropy ln p(v) is a polynomial of second degree in v, so that its third divided differences are 0.
#[test]
fn entropy_is_greatest() {
    for set in parameter_sets() {
        for units in 1..=set.largest + set.forbidden + 2 {
            let row = row(&set, units);
            for four in row.windows(4).filter(|four| four.iter().all(|(_, p)| *p > 1e-9)) {
                let product =
                    |v: i64| four.iter().filter(|(w, _)| *w != v).map(|(w, _)| (v - w) as f64).product::<f64>();
                let difference: f64 = four.iter().map(|&(v, p)| p.ln() / product(v)).sum();
                assert!(difference.abs() < 1e-6, "{set:?}, row {units}: {four:?} gives {difference}");
            }
        }
    }
}

#[test]
fn a_count_stays_as_often_as_asked() {
    let set = stays(parameters(5, 2.0, 2), 0.5);
    for units in 1..=12 {
        let row = row(&set, units);
        let (mean, variance) = moments(row.iter().map(|&(v, p)| (v as f64, p)));
        assert!(mean.abs() < 1e-9 && (variance - 2.0).abs() < 1e-9, "row {units}: {mean}, {variance}");
        let stay = row.iter().find(|(v, _)| *v == 0).map_or(0.0, |(_, p)| *p);
        assert_eq!((stay - 0.5).abs() < 1e-12, units >= 8, "row {units}: {stay}");
    }
}

#[test]
fn variances_out_of_range_are_refused_with_the_row_and_its_range() {
    let check = |set: Parameters, row: u32, range: (f64, f64)| {
        let error = refused((1..).find_map(|units| probabilities(&set, units).err()).map_or(Ok(()), Err));
        let TableError::Infeasible { units, variance, least, greatest } = error else { panic!("{error}") };
        assert_eq!((units, variance, (least, greatest)), (row, set.variance, range), "{set:?}");
    };
    check(parameters(5, 0.9, 1), 1, (1.0, 5.0));
    check(parameters(2, 2.1, 0), 1, (0.0, 2.0));
    check(parameters(2, 2.1, 1), 1, (1.0, 2.0));
    check(parameters(6, 3.5, 3), 2, (4.0, 12.0));
    check(stays(parameters(4, 2.0, 0), 0.9), 4, (0.1, 1.6));
    check(stays(parameters(4, 0.4, 0), 0.5), 4, (0.5, 8.0));
}

#[test]
fn the_ends_of_the_range_are_reached_and_not_passed() {
    for (largest, js) in [(1, 0), (3, 0), (3, 1), (5, 2), (10, 3)] {
        let (least, greatest) = feasible(largest, js);
        let all_rows = |variance: f64| {
            let set = parameters(largest, variance, js);
            (1..=largest + js + 2).all(|units| probabilities(&set, units).is_ok())
        };
        assert!(all_rows(greatest) && !all_rows(greatest + 1e-3), "{largest}, {js}");
        assert!(least == 0.0 || (all_rows(least) && !all_rows(least - 1e-3)), "{largest}, {js}");
    }
}

#[test]
fn parameters_out_of_range_are_refused_by_name() {
    let check = |set: Parameters, name: &str| {
        let error = refused(probabilities(&set, 3));
        assert!(matches!(error, TableError::Parameter { parameter, .. } if parameter == name), "{set:?}: {error}");
    };
    check(parameters(0, 1.0, 0), "largest");
    check(parameters(26, 1.0, 0), "largest");
    check(parameters(u32::MAX, 1.0, 0), "largest");
    for variance in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        check(parameters(5, variance, 0), "variance");
    }
    check(parameters(5, 3.0, 5), "forbidden");
    check(parameters(5, 3.0, u32::MAX), "forbidden");
    for stay in [-0.1, 1.0, f64::NAN] {
        check(stays(parameters(5, 3.0, 0), stay), "stay");
    }
}

/// Variances so near to an end of the range that nearly all probability lies on two values.
fn next_to_the_ends() -> Vec<Parameters> {
    let forms = [(1, 0), (2, 0), (2, 1), (5, 2), (10, 0), (10, 3), (25, 1)];
    let ends = |(largest, js)| {
        let (least, greatest) = feasible(largest, js);
        [1e-3, 1e-5, 1e-7, 1e-9]
            .into_iter()
            .flat_map(move |off| [(least + off), (greatest - off)])
            .map(move |v| (largest, v, js))
    };
    forms.into_iter().flat_map(ends).map(|(largest, variance, js)| parameters(largest, variance, js)).collect()
}
