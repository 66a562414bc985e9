//! What is computed from withheld cells is unknown, or a notice says what it is (invariant I9).

use super::setup::{Body, Incident, alike, loda};

/// Cells of two boroughs, `m` of Camden withheld.
const CELLS: &str = "(SELECT borough, count(*) AS n, count(*) FILTER (WHERE year = 2020) AS m FROM incidents \
                     GROUP BY borough) AS cells";

fn body() -> Body {
    let in_year = |borough, year, n, first| {
        alike(n, first, &Incident { borough: Some(borough), year: Some(year), ..Incident::default() })
    };
    Body::new(&[in_year("bexley", 2020, 5, 1), in_year("camden", 2021, 4, 11), in_year("camden", 2020, 1, 21)].concat())
}

#[tokio::test]
async fn aggregates_over_cells_are_unknown_where_a_cell_is() {
    let body = body();
    for (what, expected) in [
        ("sum(n), sum(m), count(*), count(m)", "10 ∅ 2 1"),
        ("avg(n), avg(m), max(n), max(m), min(m)", "5.0 ∅ 5 ∅ ∅"),
        ("sum(n + m), sum(m) + 1, median(m), stddev(m)", "∅ ∅ ∅ ∅"),
        ("sum(m) FILTER (WHERE borough = 'bexley'), sum(m) FILTER (WHERE borough = 'camden')", "5 ∅"),
        ("sum(n) FILTER (WHERE m > 1), count(*) FILTER (WHERE m > 1)", "∅ ∅"),
        ("sum(CASE WHEN m > 1 THEN n ELSE 0 END), sum(CASE WHEN m IS NULL THEN n ELSE 0 END)", "∅ 5"),
        ("sum(DISTINCT m), string_agg(CAST(m AS VARCHAR), ',')", "∅ ∅"),
        ("1000 * sum(m) / sum(n) AS rate, 1000 * sum(n) / sum(n) AS whole", "∅ 1000"),
    ] {
        let rows = body.rows(&format!("SELECT {what} FROM {CELLS}"), &loda()).await;
        assert_eq!(rows, Ok(vec![expected.to_owned()]), "{what}");
    }
}

#[tokio::test]
async fn unknown_cells_are_followed_through_projections_joins_and_unions() {
    let body = body();
    for (sql, expected) in [
        (format!("SELECT sum(x) FROM (SELECT m * 2 AS x FROM {CELLS}) t"), &["∅"] as &[&str]),
        (format!("SELECT borough, sum(m) FROM {CELLS} GROUP BY borough ORDER BY borough"), &["bexley 5", "camden ∅"]),
        (format!("SELECT sum(m) FROM {CELLS} JOIN boroughs b ON b.borough = cells.borough"), &["∅"]),
        (format!("SELECT sum(people) FROM {CELLS} JOIN boroughs b ON b.borough = cells.borough"), &["456"]),
        (format!("SELECT sum(x) FROM (SELECT m AS x FROM {CELLS} UNION ALL SELECT 1 AS x) t"), &["∅"]),
        (format!("SELECT sum(s) FROM (SELECT borough, sum(m) AS s FROM {CELLS} GROUP BY borough) t"), &["∅"]),
        (
            format!(
                "SELECT b.people, (SELECT sum(n) FROM {CELLS} WHERE cells.borough = b.borough) FROM boroughs b ORDER BY 1"
            ),
            &["210 5", "246 5"],
        ),
        (
            format!("SELECT borough, sum(n) OVER () AS n, sum(m) OVER () AS m FROM {CELLS} ORDER BY borough"),
            &["bexley 10 ∅", "camden 10 ∅"],
        ),
        (
            format!(
                "SELECT borough, sum(m) OVER (ORDER BY borough), row_number() OVER (ORDER BY borough) FROM {CELLS}"
            ),
            &["bexley 5 1", "camden ∅ 2"],
        ),
        (
            format!("SELECT sum(n) FROM (SELECT borough, count(*) AS n FROM incidents GROUP BY ROLLUP (borough)) t"),
            &["20"],
        ),
    ] {
        assert_eq!(body.rows(&sql, &loda()).await.unwrap(), expected, "{sql}");
    }
}

#[tokio::test]
async fn columns_keep_their_names() {
    let body = body();
    let sql = format!("SELECT borough, sum(m), avg(m) AS a FROM {CELLS} GROUP BY borough");
    let admitted = body.admit(&sql, &loda()).await.unwrap();
    let names: Vec<_> = admitted.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["borough", "sum(cells.m)", "a"]);
}

#[tokio::test]
async fn what_takes_the_unknown_for_something_else_says_so() {
    let body = body();
    for (sql, notice) in [
        (format!("SELECT sum(coalesce(m, 0)) FROM {CELLS}"), "stand as what COALESCE puts in their place"),
        (format!("SELECT coalesce(m, 0) FROM {CELLS}"), "stand as what COALESCE puts in their place"),
        (format!("SELECT CASE WHEN m > 1 THEN 'many' ELSE 'few' END FROM {CELLS}"), "stand as what CASE puts in"),
        (
            format!("SELECT borough FROM boroughs WHERE borough NOT IN (SELECT borough FROM {CELLS})"),
            "computed over released cells of london.lfb.incidents only",
        ),
        (
            format!("SELECT borough FROM boroughs EXCEPT SELECT borough FROM {CELLS}"),
            "computed over released cells of london.lfb.incidents only",
        ),
    ] {
        let (_, facts) = body.run(&sql, &loda()).await.unwrap();
        assert!(facts.notices.iter().any(|held| held.contains(notice)), "{sql}: {:?}", facts.notices);
    }
    let (_, facts) = body.run(&format!("SELECT borough, n FROM {CELLS}"), &loda()).await.unwrap();
    assert!(facts.notices.iter().all(|notice| !notice.contains("stand as")), "{:?}", facts.notices);
}
