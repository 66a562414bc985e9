//! What SQL made of plans gets wrong, each case by name: one body is asked for the whole, and answers like one engine.
//!
//! The rows have NULLs and duplicates. The cases are those in which DataFusion's own unparser (55.2) writes another question.

use crate::tests::tpch;
use crate::tests::world::{World, both, rows, sorted};

/// Each query is answered like one engine does, from one question to one body.
async fn at_one_body(queries: &[&str]) {
    // Small stations and crews beside many incidents: joins of theirs are worth to go whole.
    let world = World::open().sized("stations", 2).sized("crews", 4);
    for sql in queries {
        let placed = world.placed(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(placed.remotes.len(), 1, "{sql}\n{}", placed.plan);
        same(&world, sql).await;
    }
}

async fn same(world: &World, sql: &str) {
    let (here, there) = both(world, sql).await;
    assert_eq!(here, there, "{sql}");
}

/// With all its tables at one body.
async fn of_tpc_h(number: usize) {
    let world = tpch::at_one_body();
    let sql = tpch::query_at_one_body(number);
    let placed = world.placed(&sql).await.unwrap_or_else(|error| panic!("query {number}: {error}"));
    let joined = placed.remotes.iter().any(|remote| remote.sql().contains("JOIN"));
    assert!(joined, "{}\n{}", placed.plan, placed.rejected.join("\n"));
    same(&world, &sql).await;
}

#[tokio::test]
async fn tpc_h_7_names_one_table_twice() {
    of_tpc_h(7).await;
}

#[tokio::test]
async fn tpc_h_18_looks_for_groups() {
    of_tpc_h(18).await;
}

#[tokio::test]
async fn tpc_h_21_looks_for_and_against_rows() {
    of_tpc_h(21).await;
}

#[tokio::test]
async fn tpc_h_22_filters_below_an_anti_join() {
    of_tpc_h(22).await;
}

#[tokio::test]
async fn a_filter_of_the_preserved_side_is_no_condition() {
    at_one_body(&[
        "SELECT i.cost, c.crew FROM lfb.incidents i LEFT JOIN lfb.crews c ON i.uprn = c.uprn WHERE i.year = 2021",
        "SELECT i.cost, c.crew FROM (SELECT * FROM lfb.incidents WHERE year > 2020) i LEFT JOIN lfb.crews c ON i.uprn = c.uprn AND c.hours > 1",
        "SELECT i.cost, c.crew FROM lfb.incidents i LEFT JOIN lfb.crews c ON i.uprn = c.uprn AND i.year > 2020",
        "SELECT i.cost, c.crew FROM lfb.incidents i RIGHT JOIN lfb.crews c ON i.uprn = c.uprn WHERE c.hours < 3",
        "SELECT i.cost, c.crew FROM lfb.incidents i RIGHT JOIN lfb.crews c ON i.uprn = c.uprn AND c.hours < 3",
        "SELECT i.cost, c.crew FROM lfb.incidents i FULL JOIN lfb.crews c ON i.uprn = c.uprn AND c.hours < 3 AND i.year = 2020",
        "SELECT i.cost, c.crew FROM lfb.incidents i LEFT JOIN lfb.crews c ON i.uprn = c.uprn WHERE c.crew IS NULL",
    ])
    .await;
}

#[tokio::test]
async fn filters_of_what_is_looked_for_are_not_lost() {
    at_one_body(&[
        "SELECT note FROM lfb.incidents WHERE uprn IN (SELECT uprn FROM lfb.crews WHERE hours > 1)",
        "SELECT note FROM lfb.incidents i WHERE EXISTS (SELECT 1 FROM lfb.crews c WHERE c.uprn = i.uprn AND c.crew = 'blue')",
        "SELECT note FROM lfb.incidents i WHERE NOT EXISTS (SELECT 1 FROM lfb.crews c WHERE c.uprn = i.uprn AND c.crew = 'blue')",
        "SELECT note FROM lfb.incidents i WHERE year = 2021 AND NOT EXISTS (SELECT 1 FROM lfb.crews c WHERE c.uprn = i.uprn)",
        "SELECT note FROM lfb.incidents i LEFT ANTI JOIN lfb.crews c ON i.uprn = c.uprn AND i.year = 2020 AND c.hours > 1",
    ])
    .await;
}

#[tokio::test]
async fn null_is_in_both_and_in_neither() {
    at_one_body(&[
        "SELECT borough_gss FROM lfb.stations INTERSECT SELECT borough_gss FROM lfb.incidents",
        "SELECT borough_gss, engines FROM lfb.stations INTERSECT SELECT borough_gss, households FROM lfb.incidents",
        "SELECT borough_gss FROM lfb.stations EXCEPT SELECT borough_gss FROM lfb.incidents",
        "SELECT borough_gss, year FROM lfb.incidents EXCEPT SELECT borough_gss, engines FROM lfb.stations",
        "SELECT s.station, count(*) FROM lfb.incidents i JOIN lfb.stations s ON i.borough_gss IS NOT DISTINCT FROM s.borough_gss GROUP BY s.station",
    ])
    .await;
}

#[tokio::test]
async fn not_in_minds_null() {
    at_one_body(&[
        // There is a NULL in it: no row.
        "SELECT note FROM lfb.incidents WHERE uprn NOT IN (SELECT uprn FROM lfb.crews)",
        "SELECT note FROM lfb.incidents WHERE uprn NOT IN (SELECT uprn FROM lfb.crews WHERE uprn IS NOT NULL)",
        // NULL is not in nothing.
        "SELECT note FROM lfb.incidents WHERE borough_gss NOT IN (SELECT borough_gss FROM lfb.stations WHERE engines > 99)",
        "SELECT note FROM lfb.incidents WHERE borough_gss NOT IN (SELECT borough_gss FROM lfb.stations WHERE engines = 3)",
        "SELECT note FROM lfb.incidents WHERE year > 2019 AND uprn NOT IN (SELECT uprn FROM lfb.crews WHERE hours > 2 AND uprn > 0) AND cost > 1",
        "SELECT count(*) FROM lfb.incidents WHERE borough_gss NOT IN (SELECT borough_gss FROM lfb.stations EXCEPT SELECT borough_gss FROM lfb.incidents)",
    ])
    .await;
}

#[tokio::test]
async fn a_limit_stays_where_it_is() {
    at_one_body(&[
        "SELECT x.year, c.crew FROM (SELECT year, uprn FROM lfb.incidents ORDER BY cost DESC, uprn LIMIT 3) x JOIN lfb.crews c ON x.uprn = c.uprn",
        "SELECT count(*) FROM lfb.incidents i JOIN (SELECT DISTINCT uprn FROM lfb.crews WHERE uprn > 0 ORDER BY uprn LIMIT 1) c ON i.uprn = c.uprn",
        "SELECT x.note FROM (SELECT note, uprn FROM lfb.incidents ORDER BY cost, uprn LIMIT 4) x WHERE x.uprn NOT IN (SELECT uprn FROM lfb.crews WHERE uprn < 8)",
        // A filter above it is not one below it.
        "SELECT * FROM (SELECT year, cost FROM lfb.incidents ORDER BY cost DESC, year LIMIT 4) WHERE year = 2021",
        "SELECT count(*) FROM (SELECT year FROM lfb.incidents ORDER BY year DESC, cost LIMIT 5 OFFSET 1) WHERE year < 2021",
        "SELECT year, count(*) FROM (SELECT year, cost FROM lfb.incidents ORDER BY cost DESC, year LIMIT 5) GROUP BY year",
        "SELECT year FROM (SELECT year, cost FROM lfb.incidents ORDER BY cost, year LIMIT 6) ORDER BY year DESC, cost LIMIT 2",
        "(SELECT year FROM lfb.incidents ORDER BY year LIMIT 2) UNION ALL (SELECT engines FROM lfb.stations ORDER BY engines DESC LIMIT 2)",
    ])
    .await;
}

#[tokio::test]
async fn an_order_that_picked_rows_is_not_the_one_above_it() {
    let world = World::open();
    let sql = "SELECT cost, year FROM (SELECT cost, year FROM lfb.incidents ORDER BY cost, year LIMIT 5) ORDER BY year DESC, cost DESC OFFSET 2";
    same(&world, sql).await;
    let sql = "SELECT year FROM (SELECT cost, year FROM (SELECT cost, year FROM lfb.incidents ORDER BY cost, year LIMIT 5) ORDER BY year DESC, cost DESC) LIMIT 2";
    same(&world, sql).await;
}

#[tokio::test]
async fn windows_are_over_the_rows_that_they_were_written_over() {
    at_one_body(&[
        "SELECT uprn, rank() OVER (PARTITION BY year ORDER BY cost) FROM lfb.incidents WHERE cost > 0",
        "SELECT * FROM (SELECT uprn, rank() OVER (PARTITION BY year ORDER BY cost) AS r FROM lfb.incidents) WHERE r = 1 AND uprn > 1",
        "SELECT * FROM (SELECT year, sum(cost) OVER (PARTITION BY year) AS s FROM lfb.incidents) WHERE year = 2021",
        "SELECT crew, count(*), rank() OVER (ORDER BY count(*) DESC) FROM lfb.crews GROUP BY crew",
        "SELECT x.r, c.crew FROM (SELECT uprn, dense_rank() OVER (ORDER BY cost) AS r FROM lfb.incidents) x JOIN lfb.crews c ON c.uprn = x.uprn AND x.r > 2",
        "SELECT year, sum(households) OVER (ORDER BY year, cost, uprn ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM lfb.incidents",
        "SELECT uprn, lag(cost, 1) OVER (ORDER BY uprn, cost), last_value(year) OVER (PARTITION BY borough_gss ORDER BY uprn, year) FROM lfb.incidents",
    ])
    .await;
}

#[tokio::test]
async fn cross_joins_have_their_filters() {
    at_one_body(&[
        "SELECT a.station, b.station FROM lfb.stations a CROSS JOIN lfb.stations b WHERE a.engines < b.engines AND a.station IS NOT NULL AND b.opened > DATE '1900-01-01' AND a.borough_gss = b.borough_gss",
        "SELECT count(*) FROM lfb.stations a, lfb.stations b WHERE a.engines > 1 AND b.engines > 2",
        "SELECT count(*) FROM lfb.stations a, lfb.stations b WHERE a.engines + b.engines > 3",
        "SELECT count(*) FROM lfb.stations CROSS JOIN (SELECT count(*) AS n FROM lfb.crews) x WHERE engines < x.n",
    ])
    .await;
}

#[tokio::test]
async fn a_name_that_stands_twice_is_two_columns() {
    at_one_body(&[
        "SELECT a.uprn, b.uprn, a.year, b.year FROM lfb.incidents a JOIN lfb.crews b ON a.uprn = b.uprn AND a.year < b.year",
        "SELECT a.uprn, b.uprn, c.uprn FROM lfb.crews a JOIN lfb.crews b ON a.uprn = b.uprn JOIN lfb.crews c ON b.year = c.year AND c.uprn = a.uprn",
        "SELECT b.year, count(*) FROM lfb.incidents a LEFT JOIN lfb.crews b ON a.uprn = b.uprn WHERE a.year IS NOT NULL AND (b.year IS NULL OR b.year <> a.year) GROUP BY b.year",
        "SELECT year FROM lfb.incidents a WHERE EXISTS (SELECT 1 FROM lfb.crews b WHERE b.uprn = a.uprn AND b.year <> a.year)",
        "SELECT a.borough_gss, b.borough_gss FROM lfb.stations a FULL JOIN lfb.incidents b ON a.borough_gss = b.borough_gss AND a.engines = b.households",
    ])
    .await;
}

/// Costs and what they are cast to, as `t`; the LIMIT keeps filters above.
const COSTS: &str = "WITH t AS (SELECT id, CAST(x AS DECIMAL(10,2)) AS x, CAST(b AS BIGINT) AS b, CAST(m AS TIMESTAMP(6)) AS m, \
                     CAST(f AS DOUBLE) AS f FROM (VALUES \
                     (1, 12.40, 5, '2020-01-01T00:00:00', 12.4), (2, 12.00, 4294967301, '2020-01-01T00:00:00.000001', 12.0), \
                     (3, -12.40, -4294967301, '2020-01-02T00:00:00', -12.4), (4, 0.99, -5, '1969-12-31T23:59:59.5', 0.9), \
                     (5, NULL, NULL, NULL, NULL)) v(id, x, b, m, f) LIMIT 9)";

#[tokio::test]
async fn a_cast_that_loses_something_is_compared_as_cast() {
    let world = World::open();
    let asker = world.asker();
    for (condition, ids) in [
        ("CAST(x AS INTEGER) = 12", "1 2"),
        ("12 = CAST(x AS BIGINT)", "1 2"),
        ("CAST(x AS INTEGER) <> 12", "3 4"),
        ("CAST(x AS INTEGER) = -12", "3"),
        ("CAST(x AS INTEGER) = 0", "4"),
        ("CAST(x AS INTEGER) > 11 AND CAST(x AS INTEGER) <= 12", "1 2"),
        ("CAST(x AS INTEGER) >= -12", "1 2 3 4"),
        ("CAST(x AS INTEGER) IN (12, 0)", "1 2 4"),
        ("CAST(x AS INTEGER) IN (1, 2, 3, 4, 12)", "1 2"),
        ("CAST(x AS INTEGER) NOT IN (12, 0)", "3"),
        ("CAST(x AS INTEGER) BETWEEN -12 AND 0", "3 4"),
        ("CAST(x AS INTEGER) NOT BETWEEN -12 AND 0", "1 2"),
        ("CAST(x AS INTEGER) IS NOT DISTINCT FROM 12", "1 2"),
        ("CAST(x AS INTEGER) IS DISTINCT FROM 12", "3 4 5"),
        ("CAST(x AS INTEGER) = 10 + 2", "1 2"),
        ("CAST(x AS INTEGER) * 1 = 12", "1 2"),
        ("CAST(CAST(x AS INTEGER) AS BIGINT) = 12", "1 2"),
        ("CAST(CAST(x AS DECIMAL(10,0)) AS DECIMAL(12,3)) = 12.000", "1 2"),
        ("CAST(x AS DECIMAL(10,1)) = CAST(12.4 AS DECIMAL(10,1))", "1"),
        ("CAST(x AS DECIMAL(10,0)) = CAST(12 AS DECIMAL(10,0))", "1 2"),
        ("CASE CAST(x AS INTEGER) WHEN 12 THEN true ELSE false END", "1 2"),
        ("NULLIF(CAST(x AS INTEGER), 12) IS NULL", "1 2 5"),
        ("NOT (CAST(x AS INTEGER) = 12)", "3 4"),
        // Those that have no INTEGER are neither this nor another.
        ("TRY_CAST(b AS INTEGER) <> 5", "4"),
        ("TRY_CAST(b AS INTEGER) < 0", "4"),
        ("TRY_CAST(b AS INTEGER) NOT IN (5, 6)", "4"),
        ("TRY_CAST(b AS INTEGER) = 5", "1"),
        ("CAST(f AS INTEGER) = 12", "1 2"),
        ("CAST(m AS DATE) = DATE '2020-01-01'", "1 2"),
        ("CAST(m AS TIMESTAMP(0)) = CAST('2020-01-01T00:00:00' AS TIMESTAMP(0))", "1 2"),
        // Between two microseconds there is none.
        ("m = TIMESTAMP '2020-01-01T00:00:00.0000005'", ""),
        ("m <= TIMESTAMP '2020-01-01T00:00:00.0000005'", "1 4"),
        ("m > TIMESTAMP '2020-01-01T00:00:00.0000005'", "2 3"),
        ("m = TIMESTAMP '2020-01-01T00:00:00'", "1"),
        // Nothing is lost.
        ("CAST(b AS DECIMAL(22,2)) = 5.00", "1"),
        ("CAST(x AS DECIMAL(20,4)) = CAST(12.4 AS DECIMAL(20,4))", "1"),
    ] {
        let sql = format!("{COSTS} SELECT id FROM t WHERE {condition}");
        assert_eq!(sorted(&asker, &sql).await.join(" "), ids, "{condition}");
    }
}

#[tokio::test]
async fn a_cast_is_compared_as_cast_wherever_it_stands() {
    let asker = World::open().asker();
    for (sql, expected) in [
        ("SELECT id FROM (SELECT id, CAST(x AS INTEGER) AS i FROM t) WHERE i = 12", "1 2"),
        ("SELECT id FROM (SELECT id, CAST(x AS INTEGER) * 1 AS i FROM t) WHERE i = 12", "1 2"),
        ("SELECT a.id FROM t a JOIN t b ON a.id = b.id AND CAST(a.x AS INTEGER) = 12", "1 2"),
        ("SELECT a.id FROM t a JOIN (SELECT 12 AS n) b ON CAST(a.x AS INTEGER) = b.n", "1 2"),
        ("SELECT a.id FROM t a LEFT JOIN t b ON a.id = b.id AND CAST(b.x AS INTEGER) = 12 WHERE b.id IS NULL", "3 4 5"),
        ("SELECT a.id FROM t a JOIN t b ON CAST(a.x AS INTEGER) = CAST(b.x AS INTEGER) WHERE b.id = 2", "1 2"),
        ("SELECT max(id) FROM t GROUP BY x HAVING CAST(max(x) AS INTEGER) = 12", "1 2"),
        ("SELECT count(*) FILTER (WHERE CAST(x AS INTEGER) = 12) FROM t", "2"),
        ("SELECT sum(CASE WHEN CAST(x AS INTEGER) = 12 THEN 1 ELSE 0 END) FROM t", "2"),
        ("SELECT id FROM t WHERE EXISTS (SELECT 1 FROM t u WHERE u.id = t.id AND CAST(u.x AS INTEGER) = 12)", "1 2"),
        ("SELECT id FROM t WHERE CAST(x AS INTEGER) IN (SELECT 12)", "1 2"),
    ] {
        assert_eq!(sorted(&asker, &format!("{COSTS} {sql}")).await.join(" "), expected, "{sql}");
    }
    let named = rows(&asker, &format!("{COSTS} SELECT narrowed(x) FROM t")).await.unwrap_err();
    assert!(named.contains("narrowed"), "{named}");
}

#[tokio::test]
async fn a_cast_is_compared_as_cast_at_one_body() {
    at_one_body(&[
        "SELECT uprn FROM lfb.incidents WHERE CAST(cost AS INTEGER) = 7",
        "SELECT uprn FROM lfb.incidents WHERE CAST(cost AS BIGINT) IN (7, 0, -3)",
        "SELECT year, count(*) FROM lfb.incidents WHERE CAST(cost AS INTEGER) BETWEEN 0 AND 9 GROUP BY year",
        "SELECT year FROM lfb.incidents GROUP BY year HAVING CAST(max(cost) AS INTEGER) = 55",
        "SELECT i.uprn, c.crew FROM lfb.incidents i LEFT JOIN lfb.crews c ON i.uprn = c.uprn AND CAST(c.hours AS INTEGER) = 1",
    ])
    .await;
    let world = World::open();
    for (condition, expected) in [
        ("CAST(cost AS INTEGER) = 7", "2"),
        ("CAST(cost AS INTEGER) = 0", "8 8"),
        ("CAST(cost AS INTEGER) = -3", "11"),
        ("CAST(cost AS DECIMAL(10,0)) IN (55, 7)", ""),
    ] {
        let sql = format!("SELECT uprn FROM lfb.incidents WHERE {condition}");
        let found = sorted(&world.asker(), &sql).await.join(" ");
        let expected =
            if expected.is_empty() { sorted(&world.central(), &sql).await.join(" ") } else { expected.into() };
        assert_eq!(found, expected, "{condition}");
    }
    let placed = world.placed("SELECT uprn FROM lfb.incidents WHERE CAST(cost AS INTEGER) = 7").await.unwrap();
    assert!(placed.remotes.iter().all(|remote| !remote.sql().contains("narrowed")), "{}", placed.plan);
}
