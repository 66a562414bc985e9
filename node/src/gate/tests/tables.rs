//! A dataset without noise: exact cells of its declared tables, and nothing else.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, StringArray, UInt64Array};
use datafusion::common::ScalarValue;
use datafusion::prelude::DataFrame;
use meridian_disclosure::dominance::Dominance;
use meridian_disclosure::noise::CountTable;
use meridian_proto::{Column, ColumnType, Form, Role};

use super::setup::{Body, dimension, grant, lines, loda, name, scan, terms, unit, unit_hash};
use crate::gate::{
    ColumnTerms, DeclaredTable, PublishedTable, TableLayout, Tables, TablesError, Terms, UNIT_COLUMN, tabulation,
};

/// One visit; its unit is the person.
#[derive(Debug, Clone)]
struct Visit {
    ward: Option<&'static str>,
    kind: &'static str,
    year: i32,
    cost: Option<i32>,
    person: i64,
}

const WARDS: [&str; 3] = ["north", "south", "west"];
const KINDS: [&str; 2] = ["home", "school"];

fn texts(values: &[&str]) -> Vec<ScalarValue> {
    values.iter().map(|value| ScalarValue::Utf8(Some((*value).to_owned()))).collect()
}

/// How many visits of each ward, kind and year there are: one cell of three, and all else is large.
fn visits() -> Vec<Visit> {
    let cells = [
        ("north", "home", 2023, 40),
        ("north", "school", 2023, 3),
        ("south", "home", 2023, 25),
        ("south", "school", 2023, 31),
        ("west", "home", 2023, 52),
        ("west", "school", 2023, 44),
        ("north", "home", 2022, 30),
        ("south", "school", 2022, 20),
        ("west", "home", 2022, 21),
    ];
    let mut all = Vec::new();
    for (ward, kind, year, count) in cells {
        for _ in 0..count {
            let person = i64::try_from(all.len()).unwrap();
            all.push(Visit { ward: Some(ward), kind, year, cost: Some(10), person });
        }
    }
    all
}

fn columns() -> Vec<Column> {
    let plain = dimension("ward");
    let integer = |name: &str, role| Column {
        name: name.parse().unwrap(),
        column_type: ColumnType::Integer,
        role,
        ..plain.clone()
    };
    let required = Column { required: true, ..dimension("kind") };
    vec![
        plain.clone(),
        required,
        integer("year", Role::Dimension),
        integer("cost", Role::Measure),
        integer("age", Role::Dimension),
    ]
}

fn declared() -> Vec<DeclaredTable> {
    let year = ScalarValue::Int32(Some(2023));
    vec![
        DeclaredTable {
            name: name("by_ward"),
            dimensions: vec![name("ward"), name("kind")],
            filter: vec![(name("year"), year)],
            sum: Some(name("cost")),
        },
        DeclaredTable { name: name("by_year"), dimensions: vec![name("year")], filter: vec![], sum: None },
    ]
}

/// The dataset `visits`, solved.
async fn body_with(
    visits: &[Visit],
    tables: Vec<DeclaredTable>,
    rounding: Option<&CountTable>,
    single: bool,
) -> Result<Body, TablesError> {
    body_again(visits, tables, rounding, single, None).await.map(|(body, _)| body)
}

/// Likewise, with the pattern that was kept; and the pattern that it has.
async fn body_again(
    visits: &[Visit],
    tables: Vec<DeclaredTable>,
    rounding: Option<&CountTable>,
    single: bool,
    kept: Option<&str>,
) -> Result<(Body, String), TablesError> {
    let body = Body::new(&[]);
    let columns_of: Vec<(&str, ArrayRef)> = vec![
        ("ward", Arc::new(visits.iter().map(|v| v.ward).collect::<StringArray>())),
        ("kind", Arc::new(visits.iter().map(|v| Some(v.kind)).collect::<StringArray>())),
        ("year", Arc::new(visits.iter().map(|v| Some(v.year)).collect::<Int32Array>())),
        ("cost", Arc::new(visits.iter().map(|v| v.cost).collect::<Int32Array>())),
        ("age", Arc::new(visits.iter().map(|_| Some(7)).collect::<Int32Array>())),
        (UNIT_COLUMN, Arc::new(visits.iter().map(|v| Some(unit_hash(v.person))).collect::<UInt64Array>())),
    ];
    let rows = scan(columns_of);
    let domain = |values| ColumnTerms { domain: Some(values), ..ColumnTerms::default() };
    let years = (2020..2024).map(|year| ScalarValue::Int32(Some(year))).collect();
    let mut of = terms("visits", Form::Statistics, columns());
    of.unit = Some(unit(None, single));
    of.columns = HashMap::from([
        (name("ward"), domain(texts(&WARDS))),
        (name("kind"), domain(texts(&KINDS))),
        (name("year"), domain(years)),
        (name("cost"), ColumnTerms { bounds: Some((0.0, 100.0)), ..ColumnTerms::default() }),
    ]);
    Arc::make_mut(&mut of.dataset).threshold = 10;
    let layout = TableLayout::new(&of, tables)?;
    let table = PublishedTable::new(Arc::new(of.clone()), rows.clone()).unwrap();
    let mut answers = Vec::new();
    for plan in tabulation(&table, &layout, 2)? {
        answers.push(DataFrame::new(body.state.clone(), plan).collect().await.unwrap());
    }
    let dominance = Dominance { percent: 10.0, largest: None };
    let tables = Tables::solve(layout, &answers, &of, dominance, rounding, kept)?;
    let published = tables.published();
    of.tables = Some(Arc::new(tables));
    body.add(of, rows);
    Ok((body, published))
}

async fn body() -> Body {
    body_with(&visits(), declared(), None, true).await.unwrap()
}

async fn answer(body: &Body, sql: &str) -> Vec<String> {
    body.rows(sql, &loda()).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Another version of the program may choose other secondary cells, and both patterns together tell more than either.
#[tokio::test]
async fn a_pattern_that_was_kept_is_used_again() {
    let by_both = "SELECT ward, kind, count(*) FROM visits WHERE year = 2023 GROUP BY ward, kind";
    let again = |kept: String| async move { body_again(&visits(), declared(), None, true, Some(&kept)).await.unwrap() };
    let (first, published) = body_again(&visits(), declared(), None, true, None).await.unwrap();
    let cells = answer(&first, by_both).await;
    assert_eq!(answer(&again(published.clone()).await.0, by_both).await, cells);
    // One cell fewer, which this version would publish.
    let shown = cells.iter().find(|line| !line.ends_with('∅')).unwrap();
    let (ward, kind) = shown.split_once(' ').map(|(ward, rest)| (ward, rest.split(' ').next().unwrap())).unwrap();
    let of_it = |line: &&str| line.contains(ward) && line.contains(kind);
    assert_eq!(published.lines().filter(of_it).count(), 1, "{published}");
    let fewer = published.lines().filter(|line| !of_it(line)).collect::<Vec<_>>().join("\n");
    let (body, kept) = again(fewer.clone()).await;
    assert_eq!(kept, fewer);
    let hidden = format!("{ward} {kind} ∅");
    assert!(answer(&body, by_both).await.contains(&hidden));
    // Nothing that was kept publishes a cell which is not published at all, or that nobody declared.
    let (_, none) = again("{\"ward\": \"= nowhere\"}".into()).await;
    assert_eq!(none, "");
}

#[tokio::test]
async fn what_is_declared_is_exact() {
    let body = body().await;
    let table = [
        ("SELECT count(*) FROM visits WHERE year = 2023", vec!["195"]),
        (
            "SELECT year, count(*) FROM visits GROUP BY year ORDER BY year",
            vec!["2020 ∅", "2021 ∅", "2022 ∅", "2023 195"],
        ),
        ("SELECT count(*) AS n, sum(cost) AS s FROM visits WHERE 2023 = year", vec!["195 1950"]),
        (
            "SELECT count(DISTINCT kind) FROM (SELECT kind, count(*) n FROM visits WHERE year = 2023 GROUP BY kind) t",
            vec!["2"],
        ),
        ("SELECT kind, sum(cost) FROM visits WHERE year IN (2023) GROUP BY kind", vec!["home 1170", "school 780"]),
        ("SELECT kind, count(kind) FROM visits WHERE year = 2023 GROUP BY kind", vec!["home 117", "school 78"]),
        ("SELECT count(1) FROM visits WHERE year = 2023 AND kind = 'home'", vec!["117"]),
        ("SELECT sum(1) FROM visits WHERE kind = 'home' AND year = 2023 AND TRUE", vec!["117"]),
        ("SELECT count(*) FROM visits WHERE NOT kind <> 'home' AND year = 2023", vec!["117"]),
        (
            "SELECT k, n FROM (SELECT kind k, count(*) n FROM visits v WHERE v.year = 2023 GROUP BY 1) t ORDER BY n",
            vec!["school 78", "home 117"],
        ),
    ];
    for (sql, expected) in table {
        assert_eq!(answer(&body, sql).await, expected, "{sql}");
    }
}

#[tokio::test]
async fn margins_do_not_tell_a_withheld_cell() {
    let body = body().await;
    let by_both = "SELECT ward, kind, count(*) n, sum(cost) c FROM visits WHERE year = 2023 GROUP BY ward, kind";
    let cells = answer(&body, by_both).await;
    assert_eq!(cells.len(), 6, "{cells:?}");
    assert!(cells.contains(&"north school ∅ ∅".to_owned()), "{cells:?}");
    // With all margins published one withheld cell takes three others with it.
    assert_eq!(cells.iter().filter(|cell| cell.contains('∅')).count(), 4, "{cells:?}");
    assert_eq!(
        answer(&body, "SELECT ward, count(*) FROM visits WHERE year = 2023 GROUP BY ward").await,
        ["north 43", "south 56", "west 96",]
    );
    // In whatever words, and in the company of its margins.
    for sql in [
        "SELECT count(*) FROM visits WHERE year = 2023 AND ward = 'north' AND kind = 'school'",
        "SELECT n FROM (SELECT ward, kind, count(*) n FROM visits WHERE year = 2023 GROUP BY kind, ward) t \
         WHERE ward = 'north' AND kind = 'school'",
        "SELECT count(*) FROM visits WHERE kind IN ('school') AND ward = 'north' AND year = 2023 GROUP BY ward",
    ] {
        assert_eq!(answer(&body, sql).await, ["∅"], "{sql}");
    }
    let sets = "SELECT ward, kind, count(*) FROM visits WHERE year = 2023 GROUP BY CUBE (ward, kind)";
    let cube = answer(&body, sets).await;
    assert_eq!(cube.len(), 12, "{cube:?}");
    assert!(cube.contains(&"∅ ∅ 195".to_owned()) && cube.contains(&"north school ∅".to_owned()), "{cube:?}");
}

#[tokio::test]
async fn zero_and_too_few_look_alike() {
    let body = body().await;
    let (_, few) = body.run("SELECT count(*) n FROM visits WHERE year = 2021", &loda()).await.unwrap();
    let (_, none) = body.run("SELECT count(*) n FROM visits WHERE year = 2020", &loda()).await.unwrap();
    assert_eq!(few, none);
    let mut more = visits();
    let like = more[0].clone();
    more.extend((0..9).map(|i| Visit { year: 2021, person: 10_000 + i, ..like.clone() }));
    let more = body_with(&more, declared(), None, true).await.unwrap();
    let sql = "SELECT year, count(*) FROM visits WHERE year IN (2020, 2021) GROUP BY year";
    assert_eq!(answer(&body, sql).await, answer(&more, sql).await);
}

#[tokio::test]
async fn everything_else_is_refused_with_the_tables() {
    let body = body().await;
    for sql in [
        "SELECT ward, count(*) FROM visits GROUP BY ward",
        "SELECT year, sum(cost) FROM visits GROUP BY year",
        "SELECT count(*) FROM visits WHERE year = 2022 AND kind = 'home'",
        "SELECT count(*) FROM visits WHERE year = 2023 AND kind IN ('home', 'school') AND ward <> 'west'",
        "SELECT count(*) FROM visits WHERE year IN (2022, 2023)",
        "SELECT count(*) FROM visits WHERE year = 1999",
        "SELECT count(*) FROM visits WHERE year = 2023 AND FALSE",
        "SELECT count(*) FROM visits WHERE year = 2023 OR kind = 'home'",
        "SELECT count(*) FROM visits WHERE year = 2023 AND age = 7",
        "SELECT age, count(*) FROM visits WHERE year = 2023 GROUP BY age",
        "SELECT left(ward, 1), count(*) FROM visits WHERE year = 2023 GROUP BY 1",
        "SELECT CASE WHEN ward = 'west' THEN 'a' ELSE 'b' END x, count(*) FROM visits WHERE year = 2023 GROUP BY 1",
        "SELECT count(*) FILTER (WHERE kind = 'home') FROM visits WHERE year = 2023",
        "SELECT count(CASE WHEN kind = 'home' THEN 1 END) FROM visits WHERE year = 2023",
        "SELECT count(DISTINCT ward) FROM visits WHERE year = 2023",
        "SELECT count(ward) FROM visits WHERE year = 2023",
        "SELECT avg(cost) FROM visits WHERE year = 2023",
        "SELECT max(cost) FROM visits WHERE year = 2023",
        "SELECT DISTINCT ward FROM visits WHERE year = 2023",
        "SELECT ward FROM visits WHERE year = 2023 GROUP BY ward",
        "SELECT count(*) FROM visits a JOIN boroughs b ON a.ward = b.borough WHERE a.year = 2023",
        "SELECT count(*) FROM visits WHERE year = 2023 AND ward IN (SELECT borough FROM boroughs)",
        "SELECT count(*) FROM (SELECT * FROM visits WHERE year = 2023 UNION ALL SELECT * FROM visits WHERE year = 2022) t",
        "SELECT ward FROM visits",
        "SELECT a, b, count(*) FROM (SELECT ward a, ward b FROM visits WHERE year = 2023) t GROUP BY a, b",
        "SELECT count(*) FROM (SELECT DISTINCT ward FROM visits WHERE year = 2023) t",
        "SELECT count(*) FROM visits WHERE year = 2023 AND ward || 'x' = 'westx'",
    ] {
        let refused = body.refusal(sql, &loda()).await;
        assert!(refused.rule.starts_with("statistics."), "{sql}: {refused:?}");
        let listed = "by_ward: COUNT(*), SUM(cost) by ward, kind where year = 2023; by_year: COUNT(*) by year";
        assert!(refused.remedy.contains(listed), "{sql}: {refused:?}");
        assert_eq!(refused.dataset.as_deref(), Some("london.lfb.visits"), "{sql}");
    }
}

#[tokio::test]
async fn an_answer_says_that_it_is_of_a_table() {
    let body = body().await;
    let (_, facts) = body.run("SELECT sum(cost) FROM visits WHERE year = 2023", &loda()).await.unwrap();
    for rule in ["statistics.table", "statistics.secondary", "form.statistics"] {
        assert!(facts.rules.iter().any(|held| held == rule), "{facts:?}");
    }
    assert_eq!(facts.datasets[0].columns, ["year", "cost"]);
    assert!(facts.notices[0].contains("exact and come from its declared tables"), "{facts:?}");
}

#[tokio::test]
async fn an_agreement_may_leave_out_columns_but_not_raise_the_threshold() {
    let body = body().await;
    let with = |threshold: Option<u32>, columns: &[&str]| {
        body.amend("visits", |terms: &mut Terms| {
            let columns = Some(columns.iter().map(|column| name(column)).collect());
            terms.grants = vec![crate::gate::Grant { threshold, columns, ..grant("some", Form::Statistics) }];
            Arc::make_mut(&mut terms.dataset).needs_agreement = true;
        });
    };
    with(None, &["year"]);
    assert_eq!(answer(&body, "SELECT count(*) FROM visits WHERE year = 2023").await, ["195"]);
    let refused = body.refusal("SELECT kind, count(*) FROM visits WHERE year = 2023 GROUP BY kind", &loda()).await;
    assert_eq!(refused.rule, "statistics.column");
    with(Some(20), &["year"]);
    let refused = body.refusal("SELECT count(*) FROM visits WHERE year = 2023", &loda()).await;
    assert!(refused.reason.contains("higher threshold"), "{refused:?}");
}

#[tokio::test]
async fn labels_outside_of_a_domain_are_not_left_to_a_difference() {
    for wrong in [None, Some("elsewhere")] {
        let mut rows = visits();
        rows[0].ward = wrong;
        let error = body_with(&rows, declared(), None, true).await.err().unwrap();
        assert!(matches!(&error, TablesError::Column { column, .. } if *column == name("ward")), "{error}");
        assert!(!error.to_string().contains("elsewhere"), "{error}");
    }
    // A filter's column as well, though only one of its labels is told apart.
    let mut rows = visits();
    rows[0].year = 1999;
    let tables = vec![
        DeclaredTable { dimensions: vec![], ..declared()[0].clone() },
        DeclaredTable { name: name("all"), dimensions: vec![], filter: vec![], sum: None },
    ];
    assert!(body_with(&rows, tables.clone(), None, true).await.is_err());
    // The rest is 71, and neither is told by the other.
    let body = body_with(&visits(), tables, None, true).await.unwrap();
    assert_eq!(answer(&body, "SELECT count(*) FROM visits").await, ["266"]);
    assert_eq!(answer(&body, "SELECT count(*) FROM visits WHERE year = 2023").await, ["195"]);
    body.refusal("SELECT count(*) FROM visits WHERE year = 2022", &loda()).await;
}

#[tokio::test]
async fn counts_are_rounded_by_a_table_that_rounds() {
    let mut csv = "pcv,ckey,pvalue\n".to_owned();
    for units in 1..=750_i64 {
        let rounded = (units + 2) / 5 * 5;
        (0..256).for_each(|key| csv.push_str(&format!("{units},{key},{}\n", rounded - units)));
    }
    let table = CountTable::read(csv.as_bytes()).unwrap();
    let body = body_with(&visits(), declared(), Some(&table), true).await.unwrap();
    assert_eq!(answer(&body, "SELECT count(*) FROM visits").await, ["265"]);
    let kinds = "SELECT kind, count(*), sum(cost) FROM visits WHERE year = 2023 GROUP BY kind";
    assert_eq!(answer(&body, kinds).await, ["home 115 1170", "school 80 780"]);
}

/// Units of several rows: rows are counted, and few units behind many rows are few.
#[tokio::test]
async fn a_unit_with_many_rows_is_one() {
    let mut rows = visits();
    let like = rows[0].clone();
    rows.extend((0..40).map(|i| Visit { year: 2021, person: 10_000 + i % 4, ..like.clone() }));
    let body = body_with(&rows, declared(), None, false).await.unwrap();
    let years = answer(&body, "SELECT year, count(*) FROM visits GROUP BY year").await;
    assert!(years.contains(&"2021 ∅".to_owned()) && years.contains(&"2023 195".to_owned()), "{years:?}");
    body.refusal("SELECT count(DISTINCT age) FROM visits WHERE year = 2023", &loda()).await;
}

#[tokio::test]
async fn published_values_are_in_no_debug_text() {
    let body = body().await;
    let admitted = body.admit("SELECT count(*) FROM visits WHERE year = 2023", &loda()).await.unwrap();
    let text = format!("{admitted:?} {}", admitted.plan().display_indent());
    assert!(!text.contains("195"), "{text}");
    let (batches, _) = body.run("SELECT count(*) FROM visits WHERE year = 2023", &loda()).await.unwrap();
    assert_eq!(lines(&batches), ["195"]);
}
