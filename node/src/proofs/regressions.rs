//! Cases that one of the proofs found, made small, and what was wrong.

use super::case::{
    Above::*, Call::*, Case, Cell, Column, Dataset, Expr::*, From::*, Grouping::*, Key, Named, Predicate::*, Projected,
    Protection, Question, Release, Role::*, Row, Select, Within,
};
use super::value::{Type::*, Value::*};
use super::{oracle, run, twins};

fn agrees(case: Case) {
    run::one(async move { oracle::differs(&case).await });
}

fn tell_nothing(one: Case, other: Case) {
    run::one(async move { twins::differs(&(one, other)).await.0 });
}

/// AVG of whole numbers reads them as doubles, whose bounds were not those of whole numbers: its sum was another than SUM's,
/// and had a noise of its own.
#[test]
fn the_sum_of_an_average_is_the_sum() {
    agrees(Case {
        datasets: vec![Dataset {
            name: "incidents",
            columns: vec![
                Column {
                    name: "cost",
                    of: Int,
                    role: Measure,
                    ranges: false,
                    bounds: Some((10.0, 60.5)),
                    precision: (0, 1),
                    bands: None,
                    domain: None,
                },
                Column {
                    name: "uid",
                    of: Text,
                    role: Identifier,
                    ranges: false,
                    bounds: None,
                    precision: (0, 1),
                    bands: None,
                    domain: None,
                },
            ],
            rows: vec![
                Row { number: 4, values: vec![Whole(250), Word("u3".into())] },
                Row { number: 10, values: vec![Whole(250), Word("u5".into())] },
                Row { number: 11, values: vec![Whole(2147483647), Word("u1".into())] },
            ],
            protection: Some(Protection {
                kind: "dwelling",
                unit: Some("uid"),
                unique: false,
                belongs_to: None,
                threshold: 3,
                noise: Some(0),
                percent: 0,
                largest: None,
                reuse: false,
                needs_agreement: false,
                grants: vec![],
            }),
        }],
        questions: vec![Question {
            purpose: Some("planning"),
            ask: Release {
                from: Select {
                    from: vec![Scan { dataset: "incidents", alias: "t0" }],
                    conditions: vec![],
                    within: vec![],
                },
                keys: vec![],
                grouping: Plain,
                cells: vec![Cell {
                    call: Average(Reference(Named { relation: "t0", column: "cost" })),
                    filter: None,
                    as_case: false,
                }],
                distinct: false,
            },
            above: Nothing,
        }],
    });
}

/// What is left of a large sum without its largest contributions was less than nothing in doubles.
#[test]
fn a_large_sum_is_dominated_by_nobody_where_no_rule_says_so() {
    agrees(Case {
        datasets: vec![Dataset {
            name: "incidents",
            columns: vec![
                Column {
                    name: "total",
                    of: Big,
                    role: Measure,
                    ranges: false,
                    bounds: Some((0.0, 9e18)),
                    precision: (0, 1),
                    bands: None,
                    domain: None,
                },
                Column {
                    name: "uid",
                    of: Big,
                    role: Identifier,
                    ranges: false,
                    bounds: None,
                    precision: (0, 1),
                    bands: None,
                    domain: None,
                },
            ],
            rows: vec![
                Row { number: 34, values: vec![Whole(1), Whole(6)] },
                Row { number: 35, values: vec![Whole(9223372036854775807), Whole(16)] },
                Row { number: 37, values: vec![Whole(3), Whole(15)] },
            ],
            protection: Some(Protection {
                kind: "incident",
                unit: None,
                unique: true,
                belongs_to: None,
                threshold: 3,
                noise: Some(0),
                percent: 0,
                largest: None,
                reuse: false,
                needs_agreement: false,
                grants: vec![],
            }),
        }],
        questions: vec![Question {
            purpose: Some("fire-risk"),
            ask: Release {
                from: Select {
                    from: vec![United {
                        branches: vec![
                            Projected {
                                items: vec![
                                    Key { of: Reference(Named { relation: "t1", column: "total" }), name: "total" },
                                    Key { of: Reference(Named { relation: "t1", column: "uid" }), name: "uid" },
                                ],
                                from: Select {
                                    from: vec![Scan { dataset: "incidents", alias: "t1" }],
                                    conditions: vec![],
                                    within: vec![],
                                },
                            },
                            Projected {
                                items: vec![
                                    Key { of: Reference(Named { relation: "t2", column: "total" }), name: "total" },
                                    Key { of: Reference(Named { relation: "t2", column: "uid" }), name: "uid" },
                                ],
                                from: Select {
                                    from: vec![Scan { dataset: "incidents", alias: "t2" }],
                                    conditions: vec![],
                                    within: vec![],
                                },
                            },
                        ],
                        alias: "t0",
                    }],
                    conditions: vec![],
                    within: vec![],
                },
                keys: vec![],
                grouping: Plain,
                cells: vec![Cell {
                    call: Average(Reference(Named { relation: "t0", column: "total" })),
                    filter: None,
                    as_case: false,
                }],
                distinct: false,
            },
            above: Nothing,
        }],
    });
}

/// The columns of a condition stood in records in an order that was never the same twice.
#[test]
fn records_name_columns_in_one_order() {
    let homes = |units: i64| Dataset {
        name: "homes",
        columns: vec![
            Column {
                name: "borough",
                of: Text,
                role: Dimension,
                ranges: false,
                bounds: None,
                precision: (0, 1),
                bands: None,
                domain: None,
            },
            Column {
                name: "uid",
                of: Big,
                role: Identifier,
                ranges: false,
                bounds: None,
                precision: (0, 1),
                bands: None,
                domain: None,
            },
        ],
        rows: (1..=units)
            .map(|unit| Row { number: unit.try_into().unwrap(), values: vec![Word("bexley".into()), Whole(unit)] })
            .collect(),
        protection: Some(Protection {
            kind: "dwelling",
            unit: Some("uid"),
            unique: true,
            belongs_to: None,
            threshold: 3,
            noise: Some(0),
            percent: 0,
            largest: None,
            reuse: false,
            needs_agreement: false,
            grants: vec![],
        }),
    };
    let open = |name| Column {
        name,
        of: Text,
        role: Dimension,
        ranges: false,
        bounds: None,
        precision: (0, 1),
        bands: None,
        domain: None,
    };
    let places = Dataset {
        name: "places",
        columns: vec![open("borough"), open("zone"), open("ward"), open("area")],
        rows: vec![Row {
            number: 0,
            values: vec![Word("bexley".into()), Word("z".into()), Word("w".into()), Word("a".into())],
        }],
        protection: None,
    };
    let named = |column| Reference(Named { relation: "t1", column });
    let condition =
        All(["zone", "ward", "area", "borough"].into_iter().map(|column| Missing(named(column), true)).collect());
    let of = Projected {
        items: vec![Key { of: named("borough"), name: "borough" }],
        from: Select {
            from: vec![Scan { dataset: "places", alias: "t1" }],
            conditions: vec![condition],
            within: vec![],
        },
    };
    let within = vec![Within { column: Named { relation: "t0", column: "borough" }, of }];
    let ask = Release {
        from: Select { from: vec![Scan { dataset: "homes", alias: "t0" }], conditions: vec![], within },
        keys: vec![],
        grouping: Plain,
        cells: vec![Cell { call: Rows, filter: None, as_case: false }],
        distinct: false,
    };
    let questions = vec![Question { purpose: Some("planning"), ask, above: Nothing }; 4];
    let case = |units| Case { datasets: vec![homes(units), places.clone()], questions: questions.clone() };
    tell_nothing(case(20), case(21));
}
