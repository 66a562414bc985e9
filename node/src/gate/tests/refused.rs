//! What is refused over `statistics` and everywhere, by class of attack.

use super::setup::{Body, Incident, alike, loda};

fn body() -> Body {
    Body::new(&alike(
        5,
        1,
        &Incident { borough: Some("bexley"), year: Some(1987), cost: Some(7), ..Incident::default() },
    ))
}

#[tokio::test]
async fn attacks_on_statistics_are_refused_with_their_rule_and_remedy() {
    let body = body();
    let table: &[(&str, &str, &str)] = &[
        // Direct reads.
        ("SELECT * FROM incidents", "statistics.shape", "aggregate it"),
        ("SELECT borough FROM incidents", "statistics.shape", "aggregate it"),
        ("SELECT borough FROM incidents ORDER BY year LIMIT 1", "statistics.shape", "aggregate it"),
        ("SELECT min(cost), max(cost) FROM incidents", "statistics.aggregate", "COUNT(*)"),
        ("SELECT array_agg(borough) FROM incidents", "statistics.aggregate", "COUNT(*)"),
        ("SELECT string_agg(borough, ',') FROM incidents", "statistics.aggregate", "COUNT(*)"),
        ("SELECT first_value(cost ORDER BY year) FROM incidents", "statistics.aggregate", "COUNT(*)"),
        ("SELECT median(cost) FROM incidents", "statistics.aggregate", "COUNT(*)"),
        ("SELECT stddev(cost) FROM incidents", "statistics.aggregate", "COUNT(*)"),
        ("SELECT rank() OVER (ORDER BY cost) FROM incidents", "statistics.shape", "aggregate it"),
        ("SELECT count(*) FROM (SELECT row_number() OVER () r FROM incidents) t", "statistics.shape", "aggregate it"),
        ("SELECT borough FROM incidents UNION SELECT 'x'", "statistics.shape", "aggregate it"),
        (
            "SELECT count(*) FROM (SELECT borough FROM incidents UNION ALL SELECT 'x') t",
            "statistics.shape",
            "aggregate it",
        ),
        ("SELECT borough FROM boroughs INTERSECT SELECT borough FROM incidents", "statistics.shape", ""),
        ("SELECT borough FROM boroughs EXCEPT SELECT borough FROM incidents", "statistics.shape", ""),
        ("SELECT count(*) FROM (SELECT * FROM incidents LIMIT 4) t", "statistics.shape", "aggregate it"),
        ("SELECT DISTINCT ON (borough) borough, year FROM incidents", "statistics.shape", "aggregate it"),
        (
            "SELECT count(*) FROM incidents i JOIN calls c ON i.borough = c.borough",
            "statistics.join",
            "their unit columns",
        ),
        (
            "SELECT count(*) FROM incidents i JOIN (VALUES ('bexley')) v(b) ON i.borough = v.b",
            "statistics.shape",
            "aggregate it",
        ),
        (
            "SELECT count(*) FROM incidents i JOIN boroughs b ON i.borough < b.borough",
            "statistics.join",
            "column = column",
        ),
        ("SELECT count(*) FROM incidents i CROSS JOIN boroughs b", "statistics.join", "column = column"),
        ("SELECT count(*) FROM incidents i JOIN boroughs b ON i.note = b.borough", "statistics.column", ""),
        ("SELECT count(*) FROM incidents i JOIN boroughs b ON i.cost = b.people", "statistics.column", ""),
        (
            "SELECT count(*) FROM incidents WHERE borough NOT IN (SELECT borough FROM boroughs)",
            "statistics.expression",
            "",
        ),
        ("SELECT count(*) FROM incidents WHERE year IN (SELECT max(year) FROM incidents)", "statistics.aggregate", ""),
        ("SELECT count(*) FROM incidents a, incidents b", "statistics.join", "unit columns"),
        (
            "SELECT count(*) FROM incidents WHERE EXISTS (SELECT 1 FROM boroughs b WHERE b.borough = incidents.borough)",
            "statistics.expression",
            "",
        ),
        (
            "SELECT count(*) FROM incidents WHERE borough = (SELECT min(borough) FROM boroughs)",
            "statistics.expression",
            "",
        ),
        (
            "SELECT b.borough, (SELECT count(*) FROM incidents i WHERE i.borough = b.borough) FROM boroughs b",
            "statistics.expression",
            "",
        ),
        (
            "SELECT count(*) FROM boroughs b WHERE EXISTS (SELECT 1 FROM incidents i WHERE i.borough = b.borough)",
            "statistics.expression",
            "",
        ),
        ("SELECT count(*) FROM incidents GROUP BY ROLLUP (uprn)", "statistics.column", ""),
        // Columns by role.
        (
            "SELECT uprn, count(*) FROM incidents GROUP BY uprn",
            "statistics.column",
            "dimensions (borough, year, day, alarm)",
        ),
        ("SELECT cost, count(*) FROM incidents GROUP BY cost", "statistics.column", "sum or average it"),
        ("SELECT count(*) FROM incidents WHERE cost > 10", "statistics.column", "sum or average it"),
        ("SELECT count(*) FROM incidents WHERE cost = 7", "statistics.column", "sum or average it"),
        ("SELECT count(*) FROM incidents WHERE uprn = 3", "statistics.column", "dimensions"),
        ("SELECT count(*) FROM incidents WHERE uprn IS NULL", "statistics.column", "dimensions"),
        ("SELECT count(*) FROM incidents WHERE note = 'x'", "statistics.column", "its dimensions: borough"),
        ("SELECT count(note) FROM incidents", "statistics.column", "its dimensions: borough"),
        (
            "SELECT n, count(*) FROM (SELECT note AS n FROM incidents) t GROUP BY n",
            "statistics.column",
            "its dimensions: borough",
        ),
        ("SELECT sum(uprn) FROM incidents", "statistics.column", ""),
        ("SELECT sum(year) FROM incidents", "statistics.column", "use a measure (cost)"),
        ("SELECT count(DISTINCT cost) FROM incidents", "statistics.aggregate", "COUNT(DISTINCT uprn)"),
        ("SELECT sum(DISTINCT cost) FROM incidents", "statistics.aggregate", ""),
        ("SELECT count(*) FROM incidents WHERE borough < 'c'", "statistics.expression", "declares no ranges"),
        (
            "SELECT count(*) FROM incidents WHERE borough BETWEEN 'a' AND 'c'",
            "statistics.expression",
            "declares no ranges",
        ),
        // Weights and pseudo-random subsets.
        ("SELECT sum(CASE WHEN uprn = 3 THEN cost END) FROM incidents", "statistics.column", ""),
        (
            "SELECT sum(CASE WHEN borough = 'bexley' THEN cost ELSE 1 END) FROM incidents",
            "statistics.column",
            "sum or average it",
        ),
        ("SELECT sum(CASE WHEN borough = 'bexley' THEN 2 ELSE 0 END) FROM incidents", "statistics.column", ""),
        ("SELECT sum(cost * 1000000) FROM incidents", "statistics.expression", "FILTER"),
        ("SELECT sum(cost + 1) FROM incidents", "statistics.expression", "FILTER"),
        ("SELECT sum(-cost) FROM incidents", "statistics.expression", ""),
        ("SELECT count(*) FROM incidents WHERE year % 2 = 0", "statistics.expression", ""),
        ("SELECT count(*) FROM incidents WHERE year + 1 = 2021", "statistics.expression", ""),
        ("SELECT count(*) FROM incidents WHERE lower(borough) LIKE '%a'", "statistics.expression", ""),
        ("SELECT count(*) FROM incidents WHERE length(borough) = 6", "statistics.expression", "=, <>, IN"),
        ("SELECT count(*) FROM incidents WHERE borough LIKE 'b%y'", "statistics.expression", ""),
        ("SELECT count(*) FROM incidents WHERE borough ~ 'b'", "statistics.expression", ""),
        ("SELECT count(*) FROM incidents WHERE random() < 0.5", "statistics.expression", ""),
        ("SELECT count(*) FROM incidents WHERE borough = borough", "statistics.expression", ""),
        ("SELECT count(*) FILTER (WHERE cost > 3) FROM incidents", "statistics.column", ""),
        ("SELECT substr(borough, 2, 1), count(*) FROM incidents GROUP BY 1", "statistics.expression", ""),
        ("SELECT year / 10, count(*) FROM incidents GROUP BY 1", "statistics.expression", ""),
        ("SELECT date_trunc(borough, day), count(*) FROM incidents GROUP BY 1", "statistics.expression", ""),
        ("SELECT nullif(borough, borough), count(*) FROM incidents GROUP BY 1", "statistics.expression", ""),
        (
            "SELECT sum(CAST(CASE WHEN alarm THEN cost END AS SMALLINT)) FROM incidents",
            "statistics.column",
            "sum or average it",
        ),
        // Expressions that can fail.
        (
            "SELECT count(*) FROM incidents WHERE CAST(borough AS INT) = 3",
            "statistics.expression",
            "its own type (varchar)",
        ),
        ("SELECT count(*) FROM incidents WHERE borough = 3", "statistics.expression", "its own type (varchar)"),
        (
            "SELECT count(*) FROM incidents WHERE CAST(year AS VARCHAR) = '3'",
            "statistics.expression",
            "its own type (integer)",
        ),
        ("SELECT sum(1 / (cost - 7)) FROM incidents", "statistics.expression", ""),
        ("SELECT count(*) FROM incidents WHERE 1 / (year - 1987) = 1", "statistics.expression", ""),
        ("SELECT sqrt(cost), count(*) FROM incidents GROUP BY 1", "statistics.expression", ""),
    ];
    for (sql, rule, remedy) in table {
        let refused = body.refusal(sql, &loda()).await;
        assert_eq!(refused.rule, *rule, "{sql}\n{refused}");
        assert!(refused.remedy.contains(remedy), "{sql}\n{refused}");
        assert_eq!(refused.dataset.as_deref(), Some("london.lfb.incidents"), "{sql}");
        let text = format!("{refused:?}");
        assert!(!text.contains("SECRET") && !text.contains("__unit"), "{sql}\n{text}");
    }
}

#[tokio::test]
async fn a_refusal_names_no_value_of_a_row_and_does_not_depend_on_rows() {
    let (full, empty) = (body(), Body::new(&[]));
    for sql in [
        "SELECT * FROM incidents",
        "SELECT max(cost) FROM incidents",
        "SELECT count(*) FROM incidents WHERE 1 / (year - 1987) = 1",
        "SELECT count(*) FROM incidents WHERE CAST(borough AS INT) = 3",
    ] {
        let refused = full.refusal(sql, &loda()).await;
        assert_eq!(refused, empty.refusal(sql, &loda()).await, "{sql}");
        assert!(!refused.to_string().contains("bexley"), "{refused}");
    }
}

#[tokio::test]
async fn a_bad_constant_is_an_error_of_the_query_not_of_its_rows() {
    let refused =
        Body::new(&[]).refusal("SELECT count(*) FROM incidents WHERE day = CAST('nonsense' AS DATE)", &loda()).await;
    assert_eq!(refused.rule, "statistics.constant");
}

/// The engine would give the first row's text for all rows, over open data as well.
#[tokio::test]
async fn a_format_that_differs_by_row_is_refused() {
    let body = body();
    for sql in [
        "SELECT to_char(DATE '2026-01-02', borough) FROM boroughs",
        "SELECT to_char(d, f) FROM (SELECT DATE '2026-01-02' AS d, borough AS f FROM boroughs) t",
        "SELECT to_char(DATE '2026-01-02', (SELECT min(borough) FROM boroughs)) FROM boroughs",
        "SELECT borough FROM boroughs ORDER BY to_char(DATE '2026-01-02', borough || '%Y')",
    ] {
        let refused = body.refusal(sql, &loda()).await;
        assert_eq!((refused.rule, refused.needle.as_deref()), ("function", Some("to_char")), "{sql}");
        assert!(refused.remedy.contains("as a text"), "{refused}");
    }
    assert!(body.rows("SELECT to_char(DATE '2026-01-02', '%d/%m/%Y') FROM boroughs", &loda()).await.is_ok());
}

#[tokio::test]
async fn long_choices_are_refused_in_any_words() {
    let body = body();
    let list = |n: i32, one: &dyn Fn(i32) -> String, between: &str| (0..n).map(one).collect::<Vec<_>>().join(between);
    let number = |i: i32| i.to_string();
    for (what, n, admitted) in [("IN", 20, true), ("IN", 21, false), ("OR", 21, false), ("AND", 21, false)] {
        let condition = match what {
            "IN" => format!("year IN ({})", list(n, &number, ",")),
            "OR" => list(n, &|i| format!("year = {i}"), " OR "),
            _ => list(n, &|i| format!("NOT year = {i}"), " AND "),
        };
        let sql = format!("SELECT count(*) FROM incidents WHERE {condition}");
        assert_eq!(body.admit(&sql, &loda()).await.is_ok(), admitted, "{sql}");
    }
    let (low, high) = (list(11, &number, ","), list(11, &|i| (i + 100).to_string(), ","));
    let whens = list(21, &|i| format!("WHEN {i} THEN 'x'"), " ");
    for sql in [
        format!(
            "SELECT count(*) FROM (SELECT * FROM incidents WHERE year NOT IN ({low})) t WHERE year NOT IN ({high})"
        ),
        format!("SELECT count(*) FROM incidents WHERE NOT (year NOT IN ({low}) AND NOT (alarm OR year IN ({high})))"),
        format!("SELECT count(*) FILTER (WHERE year IN ({high})) FROM incidents WHERE year IN ({low})"),
        format!("SELECT CASE year {whens} END, count(*) FROM incidents GROUP BY 1"),
        format!("SELECT x, count(*) FROM (SELECT CASE year {whens} END AS x FROM incidents) t GROUP BY 1"),
    ] {
        let refused = body.refusal(&sql, &loda()).await;
        assert!(refused.reason.contains("more than 20 constants"), "{sql}\n{refused}");
    }
}

#[tokio::test]
async fn deep_and_long_queries_are_walked_or_refused() {
    let body = body();
    let unions = |n: usize| vec!["SELECT people FROM boroughs"; n].join(" UNION ALL ");
    let chain = vec!["alarm"; 1_000].join(" OR ");
    assert_eq!(body.refusal(&unions(400), &loda()).await.rule, "plan.depth");
    assert!(body.admit(&unions(120), &loda()).await.is_ok());
    assert!(body.admit(&format!("SELECT count(*) FROM incidents WHERE {chain}"), &loda()).await.is_ok());
}

#[tokio::test]
async fn what_is_no_query_is_refused() {
    let body = body();
    for sql in [
        "EXPLAIN SELECT 1",
        "EXPLAIN ANALYZE SELECT count(*) FROM incidents",
        "COPY (SELECT count(*) FROM incidents) TO 'x.csv'",
        "CREATE TABLE t AS SELECT count(*) FROM incidents",
        "CREATE VIEW v AS SELECT * FROM incidents",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'x.csv'",
        "DROP TABLE incidents",
        "INSERT INTO boroughs VALUES ('x', 1)",
        "SET datafusion.execution.batch_size = 1",
        "PREPARE p AS SELECT 1",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r WHERE n < 5) SELECT * FROM r",
    ] {
        let refused = body.refusal(sql, &loda()).await;
        assert_eq!(refused.rule, "statement", "{sql}\n{refused}");
    }
    for sql in ["SELECT * FROM stray", "SELECT * FROM generate_series(1, 3)"] {
        let refused = body.refusal(sql, &loda()).await;
        assert_eq!(refused.rule, "table.unknown", "{sql}\n{refused}");
    }
}

#[tokio::test]
async fn constants_add_up_in_whatever_words_they_choose() {
    let body = body();
    let is_one_of = |from: i32| {
        let years = (from..from + 12).map(|year| year.to_string()).collect::<Vec<_>>().join(", ");
        format!("year IN ({years})")
    };
    let (first, second) = (is_one_of(1900), is_one_of(1950));
    let ranges = |times: i32| (0..times).map(|n| format!("year BETWEEN {n} AND {n}")).collect::<Vec<_>>().join(" OR ");
    let below = |times: i32| (0..times).map(|n| format!("WHEN year < {n} THEN {n}")).collect::<Vec<_>>().join(" ");
    for sql in [
        format!(
            "SELECT count(*) FROM (SELECT CASE WHEN {first} THEN 1 END a, CASE WHEN {second} THEN 1 END b FROM incidents) t \
             WHERE a = 1 OR b = 1"
        ),
        format!(
            "SELECT b, count(*) FROM (SELECT CASE WHEN {first} THEN 1 END b FROM incidents WHERE {second}) t GROUP BY b"
        ),
        format!("SELECT count(*) FROM incidents GROUP BY CASE WHEN {first} THEN 1 END, CASE WHEN {second} THEN 1 END"),
        format!("SELECT count(*) FILTER (WHERE {second}) FROM incidents GROUP BY CASE WHEN {first} THEN 1 END"),
        format!("SELECT count(CASE WHEN {first} THEN 1 WHEN {second} THEN 2 END) FROM incidents"),
        format!("SELECT count(DISTINCT CASE WHEN {first} THEN 1 END) FILTER (WHERE {second}) FROM incidents"),
        format!("SELECT count(*) FROM incidents WHERE {}", ranges(21)),
        format!("SELECT count(*) FROM incidents GROUP BY CASE {} END", below(21)),
    ] {
        assert!(body.refusal(&sql, &loda()).await.reason.contains("more than 20 constants"), "{sql}");
    }
    for sql in [
        format!("SELECT count(*) FROM incidents WHERE {}", ranges(20)),
        format!("SELECT count(*) FROM incidents GROUP BY CASE {} END", below(20)),
        format!("SELECT count(*) FILTER (WHERE {second}), count(*) FILTER (WHERE {first}) FROM incidents"),
    ] {
        body.admit(&sql, &loda()).await.unwrap_or_else(|why| panic!("{sql}: {why}"));
    }
}
