//! Several datasets, several groupings, declared labels and bands, with the exact answers.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::ScalarValue;

use super::admitted::data;
use super::setup::{BOUNDS, Body, Incident, exact, loda, name};
use crate::gate::{ColumnTerms, Precision, Terms};

/// As in the tests of single datasets.
fn body() -> Body {
    Body::new(&data())
}

async fn check(body: &Body, table: &[(&str, &[&str])]) {
    for (sql, expected) in table {
        let found = body.rows(sql, &loda()).await.unwrap_or_else(|why| panic!("{sql}\n{why}"));
        assert_eq!(found, *expected, "{sql}");
    }
}

#[tokio::test]
async fn datasets_of_the_body_are_joined_and_united() {
    let table: &[(&str, &[&str])] = &[
        // Open ones for their labels.
        ("SELECT count(*) FROM incidents i JOIN boroughs b ON i.borough = b.borough", &["12"]),
        (
            "SELECT b.borough, count(*) FROM boroughs b JOIN incidents i ON b.borough = i.borough GROUP BY 1",
            &["bexley 10"],
        ),
        (
            "SELECT o.borough, count(*) FROM incidents i LEFT JOIN boroughs o ON i.borough = o.borough AND o.borough = 'camden' GROUP BY 1",
            &["∅ 13"],
        ),
        ("SELECT borough, count(*) FROM boroughs LEFT JOIN incidents USING (borough) GROUP BY 1", &["bexley 10"]),
        (
            "SELECT count(*) FROM incidents WHERE borough IN (SELECT borough FROM boroughs WHERE borough = 'bexley')",
            &["10"],
        ),
        ("SELECT count(*) FROM incidents WHERE year = 2020 AND borough IN (SELECT borough FROM boroughs)", &["7"]),
        // Protected ones by their unit; rows multiply, units don't.
        (
            "SELECT i.borough, count(*), count(DISTINCT i.uprn) FROM incidents i JOIN homes h ON i.uprn = h.uprn GROUP BY 1",
            &["bexley 20 5", "∅ 3 3"],
        ),
        ("SELECT count(*) FROM incidents i JOIN homes h ON i.uprn = h.uprn AND h.year = 2021", &["10"]),
        ("SELECT count(*) FROM incidents WHERE uprn IN (SELECT uprn FROM homes WHERE year = 2021)", &["10"]),
        ("SELECT count(*) FROM incidents WHERE uprn IN (SELECT uprn FROM homes WHERE borough = 'camden')", &["∅"]),
        // United: a unit that is on both sides is one.
        (
            "SELECT count(*), count(DISTINCT uprn) FROM (SELECT uprn, borough FROM incidents UNION ALL SELECT uprn, borough FROM homes) t",
            &["30 10"],
        ),
        (
            "SELECT b, sum(cost) FROM (SELECT borough b, cost FROM incidents UNION ALL SELECT borough, cost FROM homes) t GROUP BY b",
            &["bexley 100", "∅ 600"],
        ),
        ("SELECT borough FROM incidents UNION SELECT borough FROM homes", &["bexley", "∅"]),
    ];
    check(&body(), table).await;
    // Labels that are looked up pick rows by the same rules as the dataset's own.
    let picked = "SELECT count(*) FROM incidents i JOIN (SELECT borough FROM boroughs WHERE length(borough) = 6) b USING (borough)";
    assert_eq!(body().refusal(picked, &loda()).await.rule, "statistics.expression");
    // Each branch and each side adds to what is chosen by.
    let years = |from: i32| (from..from + 12).map(|year| year.to_string()).collect::<Vec<_>>().join(", ");
    let branch = |from: i32| format!("SELECT uprn FROM incidents WHERE year IN ({})", years(from));
    let united = format!("SELECT count(*) FROM ({} UNION ALL {}) t", branch(2000), branch(2012));
    let joined = format!("SELECT count(*) FROM ({}) a JOIN ({}) b ON a.uprn = b.uprn", branch(2000), branch(2012));
    for sql in [united, joined] {
        assert!(body().refusal(&sql, &loda()).await.reason.contains("more than 20 constants"), "{sql}");
    }
    let measured = "SELECT b.people, count(*) FROM incidents i JOIN boroughs b USING (borough) GROUP BY 1";
    assert_eq!(body().refusal(measured, &loda()).await.rule, "statistics.column");
}

#[tokio::test]
async fn several_groupings_are_released_each_by_itself() {
    let table: &[(&str, &[&str])] = &[
        (
            "SELECT borough, year, count(*) FROM incidents GROUP BY ROLLUP (borough, year)",
            &["∅ ∅ 15", "bexley ∅ 10", "∅ ∅ 3", "bexley 2020 5", "bexley 2021 5", "∅ 2020 3"],
        ),
        (
            "SELECT borough, grouping(borough) g, count(*) FROM incidents GROUP BY ROLLUP (borough)",
            &["∅ 1 15", "bexley 0 10", "∅ 0 3"],
        ),
        (
            "SELECT year, alarm, count(*) FROM incidents GROUP BY GROUPING SETS ((year), (alarm))",
            &["2020 ∅ 10", "2021 ∅ 5", "∅ false 5", "∅ true 10"],
        ),
        ("SELECT year, sum(cost) FROM incidents GROUP BY CUBE (year)", &["∅ 550", "2020 550"]),
    ];
    check(&body(), table).await;
}

#[tokio::test]
async fn the_same_question_in_other_words() {
    let table: &[(&str, &[&str])] = &[
        ("SELECT sum(CASE WHEN alarm THEN cost END) FROM incidents", &["550"]),
        ("SELECT sum(cost) FILTER (WHERE alarm) FROM incidents", &["550"]),
        ("SELECT sum(CASE WHEN borough = 'bexley' THEN 1 ELSE 0 END) FROM incidents", &["10"]),
        ("SELECT count(CASE borough WHEN 'bexley' THEN 7 END) FROM incidents", &["10"]),
        ("SELECT sum(1) FROM incidents", &["15"]),
        ("SELECT sum(CAST(CASE WHEN alarm THEN cost END AS BIGINT)) FROM incidents", &["550"]),
        ("SELECT approx_distinct(uprn) FROM incidents", &["10"]),
        // Released labels are counted, not those that there are.
        ("SELECT count(DISTINCT borough) FROM incidents", &["1"]),
        ("SELECT year, count(DISTINCT borough) b, count(*) FROM incidents GROUP BY year", &["2020 1 10", "2021 1 5"]),
        ("SELECT left(borough, 3) b, count(*) FROM incidents GROUP BY 1", &["bex 10", "∅ 3"]),
        ("SELECT coalesce(borough, 'unknown') b, count(*) FROM incidents GROUP BY 1", &["bexley 10", "unknown 3"]),
        ("SELECT upper(borough) b, count(*) FROM incidents GROUP BY 1", &["BEXLEY 10", "∅ 3"]),
        ("SELECT count(*) FROM incidents WHERE borough LIKE 'bex%'", &["10"]),
        ("SELECT count(*) FROM incidents WHERE starts_with(borough, 'b')", &["10"]),
    ];
    check(&body(), table).await;
}

fn amended(body: &Body, column: &str, terms: ColumnTerms) {
    let columns = HashMap::from([
        (name("cost"), ColumnTerms { bounds: Some(BOUNDS), ..ColumnTerms::default() }),
        (name(column), terms),
    ]);
    body.amend("incidents", |amended: &mut Terms| amended.columns = columns);
}

#[tokio::test]
async fn declared_labels_are_complete_and_withheld_looks_like_zero() {
    let body = body();
    let text = |text: &str| ScalarValue::Utf8(Some(text.to_owned()));
    let domain = Some(vec![text("bexley"), text("camden"), text("ealing")]);
    amended(&body, "borough", ColumnTerms { domain, ..ColumnTerms::default() });
    let table: &[(&str, &[&str])] = &[
        ("SELECT borough, count(*) FROM incidents GROUP BY borough", &["bexley 10", "camden ∅", "ealing ∅", "∅ 3"]),
        ("SELECT borough, count(*) FROM incidents WHERE borough = 'bexley' GROUP BY borough", &["bexley 10"]),
        (
            "SELECT borough b, sum(cost) FROM incidents WHERE borough <> 'ealing' AND year = 2020 GROUP BY 1",
            &["bexley 50", "camden ∅"],
        ),
        // Labels alone are those that were released.
        ("SELECT DISTINCT borough FROM incidents", &["bexley", "∅"]),
        ("SELECT borough FROM incidents GROUP BY borough", &["bexley", "∅"]),
        // A key that declares nothing: absent, not marked.
        (
            "SELECT borough, year, count(*) FROM incidents GROUP BY borough, year",
            &["bexley 2020 5", "bexley 2021 5", "∅ 2020 3"],
        ),
    ];
    check(&body, table).await;
}

#[tokio::test]
async fn a_measure_is_cut_at_its_bands_and_nowhere_else() {
    let body = body();
    let bands = Some(vec![ScalarValue::Int32(Some(10)), ScalarValue::Int32(Some(60))]);
    amended(&body, "cost", ColumnTerms { bounds: Some(BOUNDS), bands, ..ColumnTerms::default() });
    let table: &[(&str, &[&str])] = &[
        ("SELECT count(*) FROM incidents WHERE cost >= 60", &["5"]),
        (
            "SELECT CASE WHEN cost < 10 THEN 'low' WHEN cost < 60 THEN 'middle' ELSE 'high' END c, count(*) FROM incidents GROUP BY 1",
            &["high 5", "low 5", "middle 5"],
        ),
    ];
    check(&body, table).await;
    for sql in [
        "SELECT count(*) FROM incidents WHERE cost >= 61",
        "SELECT count(*) FROM incidents WHERE cost > 60",
        "SELECT count(*) FROM incidents WHERE cost = 60",
        "SELECT cost, count(*) FROM incidents GROUP BY 1",
    ] {
        let refused = body.refusal(sql, &loda()).await;
        assert!(refused.remedy.contains("10, 60"), "{sql}: {refused}");
    }
}

#[tokio::test]
async fn sums_are_released_at_their_precision() {
    let body = body();
    let precision = Precision { decimals: 0, multiple: 100 };
    amended(&body, "cost", ColumnTerms { bounds: Some(BOUNDS), precision, ..ColumnTerms::default() });
    let table: &[(&str, &[&str])] = &[
        ("SELECT sum(cost) FROM incidents", &["600"]),
        ("SELECT sum(cost) FROM incidents WHERE borough = 'bexley'", &["100"]),
    ];
    check(&body, table).await;
}

#[tokio::test]
async fn a_sum_that_one_unit_dominates_is_withheld() {
    let rows = [(1, 100), (2, 4), (3, 3), (4, 3)];
    let rows: Vec<Incident> = rows
        .iter()
        .map(|(uprn, cost)| Incident { cost: Some(*cost), uprn: Some(*uprn), ..Incident::default() })
        .collect();
    let body = Body::new(&rows);
    let sql = "SELECT count(*), sum(cost), avg(cost) FROM incidents";
    assert_eq!(body.rows(sql, &loda()).await.unwrap(), ["4 110 27.5"]);
    body.amend("incidents", |terms| {
        let mut controls = exact();
        controls.dominance.percent = 10.0;
        terms.controls = Some(Arc::new(controls));
    });
    assert_eq!(body.rows(sql, &loda()).await.unwrap(), ["4 ∅ ∅"]);
}
