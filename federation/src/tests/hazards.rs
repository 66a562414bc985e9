//! What SQL made of plans gets wrong, each case by name: one body is asked for the whole, and answers like one engine.
//!
//! The rows have NULLs and duplicates. The cases are those in which DataFusion's own unparser (55.2) writes another question.

use crate::tests::tpch;
use crate::tests::world::{World, both};

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
