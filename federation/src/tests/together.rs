//! Subtrees over several datasets of one other body go there whole, and those that don't.

use meridian_proto::Form;

use crate::tests::world::{World, both, texts_are};

/// Small stations and crews beside many incidents.
fn open() -> World {
    World::open().sized("stations", 2).sized("crews", 4)
}

/// The fire brigade's incidents and crews leave as statistics, its stations are open.
fn statistics() -> World {
    let form = |body: &str, dataset: &str| {
        if body == "lfb" && dataset != "stations" { Form::Statistics } else { Form::Open }
    };
    World::with(form).sized("stations", 2).sized("crews", 4)
}

/// Each of them is one question to one body, of which nothing is left to do here.
const WHOLE: &[&str] = &[
    "SELECT i.cost, s.station FROM lfb.incidents i JOIN lfb.stations s ON i.borough_gss = s.borough_gss",
    "SELECT i.cost, s.station FROM lfb.incidents i JOIN lfb.stations s ON i.borough_gss = s.borough_gss AND i.year > s.engines AND s.opened < i.happened",
    "SELECT i.cost, c.crew FROM lfb.incidents i JOIN lfb.crews c ON i.uprn = c.uprn AND i.year = c.year",
    "SELECT i.cost, c.crew FROM lfb.incidents i LEFT JOIN lfb.crews c ON i.uprn = c.uprn AND c.hours > 1",
    "SELECT c.crew, count(i.cost) FROM lfb.incidents i RIGHT JOIN lfb.crews c ON i.uprn = c.uprn AND i.year > 2020 GROUP BY c.crew",
    "SELECT c.crew, i.year, count(*) FROM lfb.incidents i FULL JOIN lfb.crews c ON i.uprn = c.uprn GROUP BY 1, 2",
    "SELECT note FROM lfb.incidents WHERE uprn IN (SELECT uprn FROM lfb.crews WHERE crew = 'red')",
    "SELECT note FROM lfb.incidents WHERE uprn NOT IN (SELECT uprn FROM lfb.crews)",
    "SELECT note FROM lfb.incidents WHERE uprn NOT IN (SELECT uprn FROM lfb.crews WHERE uprn IS NOT NULL)",
    "SELECT note FROM lfb.incidents i WHERE EXISTS (SELECT 1 FROM lfb.crews c WHERE c.uprn = i.uprn AND c.hours > i.cost)",
    "SELECT note FROM lfb.incidents i WHERE NOT EXISTS (SELECT 1 FROM lfb.crews c WHERE c.uprn = i.uprn AND c.year = i.year)",
    "SELECT s.station, c.crew, count(*), sum(i.cost) FROM lfb.incidents i JOIN lfb.crews c ON i.uprn = c.uprn JOIN lfb.stations s ON s.borough_gss = i.borough_gss GROUP BY 1, 2",
    "SELECT a.cost, b.cost FROM lfb.incidents a JOIN lfb.incidents b ON a.uprn = b.uprn WHERE a.cost < b.cost",
    "SELECT count(*) FROM lfb.stations a CROSS JOIN lfb.stations b",
    "SELECT borough_gss FROM lfb.incidents UNION SELECT borough_gss FROM lfb.stations",
    "SELECT borough_gss FROM lfb.incidents UNION ALL SELECT borough_gss FROM lfb.stations",
    "SELECT borough_gss FROM lfb.stations INTERSECT SELECT borough_gss FROM lfb.incidents",
    "SELECT borough_gss, station FROM lfb.stations EXCEPT SELECT borough_gss, note FROM lfb.incidents",
    "SELECT g, count(*) FROM (SELECT borough_gss AS g FROM lfb.incidents UNION ALL SELECT station FROM lfb.stations) GROUP BY g",
    "SELECT uprn, rank() OVER (PARTITION BY year ORDER BY cost) FROM lfb.incidents",
    "SELECT * FROM (SELECT station, row_number() OVER (PARTITION BY borough_gss ORDER BY engines, station) AS n FROM lfb.stations) WHERE n = 1",
    "SELECT note FROM lfb.incidents WHERE cost = (SELECT max(cost) FROM lfb.incidents)",
    "SELECT note, cost - (SELECT avg(hours) FROM lfb.crews) FROM lfb.incidents WHERE year > (SELECT min(engines) FROM lfb.stations)",
    "SELECT year, borough_gss, count(*), sum(cost) FROM lfb.incidents GROUP BY ROLLUP (year, borough_gss)",
    "SELECT year, crew, sum(hours) FROM lfb.crews GROUP BY CUBE (year, crew) HAVING count(*) > 1",
    "SELECT x.year, count(*) FROM (SELECT year, uprn FROM lfb.incidents ORDER BY cost DESC, uprn LIMIT 5) x JOIN lfb.crews c ON x.uprn = c.uprn GROUP BY x.year",
    "SELECT x.year FROM (SELECT DISTINCT year FROM lfb.incidents) x JOIN (SELECT year FROM lfb.crews GROUP BY year HAVING count(*) > 1) y ON x.year = y.year",
];

#[tokio::test]
async fn the_body_gets_the_whole() {
    let world = open();
    let mut wrong = Vec::new();
    for sql in WHOLE {
        let placed = world.placed(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        if placed.remotes.len() != 1 || placed.plan.inputs().len() > 1 {
            wrong.push(format!("{sql}\n{}\n  {}", placed.plan, placed.rejected.join("\n  ")));
        }
        let (here, there) = both(&world, sql).await;
        if here != there {
            wrong.push(format!("{sql}\n  federated {here:?}\n  central {there:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn texts() {
    texts_are(&open(), &[
        (
            "SELECT i.cost, s.station FROM lfb.incidents i JOIN lfb.stations s ON i.borough_gss = s.borough_gss AND i.year > s.engines",
            &["lfb: SELECT c1 AS c0, c5 AS c1 FROM (SELECT borough_gss AS c0, \"cost\" AS c1, \"year\" AS c2 FROM london.lfb.incidents) JOIN \
             (SELECT borough_gss AS c3, engines AS c4, station AS c5 FROM london.lfb.stations) ON c0 = c3 AND c2 > c4"],
        ),
        ("SELECT note FROM lfb.incidents WHERE uprn NOT IN (SELECT uprn FROM lfb.crews)",
            &["lfb: SELECT c0 FROM (SELECT note AS c0, uprn AS c1 FROM london.lfb.incidents) WHERE c1 NOT IN (SELECT uprn AS c2 FROM london.lfb.crews)"]),
        ("SELECT note FROM lfb.incidents WHERE cost = (SELECT max(cost) FROM lfb.incidents)",
            &["lfb: SELECT note AS c0 FROM london.lfb.incidents WHERE \"cost\" = (SELECT max(\"cost\") AS c0 FROM london.lfb.incidents)"]),
        ("SELECT borough_gss FROM lfb.stations INTERSECT SELECT borough_gss FROM lfb.incidents",
            &["lfb: SELECT c0 FROM (SELECT borough_gss AS c0 FROM london.lfb.stations GROUP BY borough_gss) LEFT SEMI JOIN (SELECT borough_gss AS c1 FROM london.lfb.incidents) ON c0 IS NOT DISTINCT FROM c1"]),
        ("SELECT year, borough_gss, count(*) FROM lfb.incidents GROUP BY ROLLUP (year, borough_gss)",
            &["lfb: SELECT \"year\" AS c0, borough_gss AS c1, count(*) AS c2 FROM london.lfb.incidents GROUP BY GROUPING SETS ((\"year\", borough_gss), (\"year\"), ())"]),
        ("SELECT uprn, sum(cost) OVER (PARTITION BY year ORDER BY uprn) FROM lfb.incidents",
            &["lfb: SELECT uprn AS c0, sum(\"cost\") OVER (PARTITION BY \"year\" ORDER BY uprn ASC NULLS LAST RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS c1 FROM london.lfb.incidents"]),
        ("SELECT x.year FROM (SELECT year, uprn FROM lfb.incidents ORDER BY cost DESC, uprn LIMIT 5) x JOIN lfb.crews c ON x.uprn = c.uprn",
            &["lfb: SELECT c2 AS c0 FROM (SELECT \"cost\" AS c0, uprn AS c1, \"year\" AS c2 FROM london.lfb.incidents ORDER BY c0 DESC NULLS LAST, c1 ASC NULLS LAST LIMIT 5) JOIN (SELECT uprn AS c3 FROM london.lfb.crews) ON c1 = c3"]),
    ]).await;
}

/// What the owner's gate lets out is asked for in one piece.
#[tokio::test]
async fn protected_rows_are_joined_where_they_are() {
    let world = statistics();
    texts_are(&world, &[
        ("SELECT c.crew, count(*), sum(i.cost) FROM lfb.incidents i JOIN lfb.crews c ON i.uprn = c.uprn GROUP BY c.crew",
            &["lfb: SELECT c2 AS c0, count(*) AS c1, sum(c0) AS c2 FROM (SELECT \"cost\" AS c0, uprn AS c1 FROM london.lfb.incidents) JOIN (SELECT crew AS c2, uprn AS c3 FROM london.lfb.crews) ON c1 = c3 GROUP BY c2"]),
        ("SELECT s.station, count(*) FROM lfb.incidents i JOIN lfb.stations s ON i.borough_gss = s.borough_gss GROUP BY s.station",
            &["lfb: SELECT c2 AS c0, count(*) AS c1 FROM (SELECT borough_gss AS c0 FROM london.lfb.incidents) JOIN (SELECT borough_gss AS c1, station AS c2 FROM london.lfb.stations) ON c0 = c1 GROUP BY c2"]),
        ("SELECT i.year, count(*) FROM lfb.incidents i WHERE i.uprn IN (SELECT uprn FROM lfb.crews WHERE crew = 'red') GROUP BY i.year",
            &["lfb: SELECT c1 AS c0, count(*) AS c1 FROM (SELECT uprn AS c0, \"year\" AS c1 FROM london.lfb.incidents) LEFT SEMI JOIN (SELECT crew AS c2, uprn AS c3 FROM london.lfb.crews WHERE crew = 'red') ON c0 = c3 GROUP BY c1"]),
        (
            "SELECT b.name, count(*) FROM lfb.incidents i JOIN lfb.crews c ON i.uprn = c.uprn JOIN gla.boroughs b ON b.gss = i.borough_gss GROUP BY b.name",
            &["gla: SELECT c0, c1, c2 FROM (SELECT gss AS c0, \"name\" AS c1, count(*) AS c2 FROM london.gla.boroughs GROUP BY gss, \"name\") WHERE c0 IS NOT NULL", "lfb: SELECT c0, count(*) AS c1 FROM (SELECT borough_gss AS c0, uprn AS c1 FROM london.lfb.incidents) JOIN (SELECT uprn AS c2 FROM london.lfb.crews) ON c1 = c2 GROUP BY c0"],
        ),
        ("SELECT year, borough_gss, count(*) FROM lfb.incidents GROUP BY ROLLUP (year, borough_gss)",
            &["lfb: SELECT \"year\" AS c0, borough_gss AS c1, count(*) AS c2 FROM london.lfb.incidents GROUP BY GROUPING SETS ((\"year\", borough_gss), (\"year\"), ())"]),
    ]).await;
}

/// Answers of statistics that are whole are those of one engine.
#[tokio::test]
async fn what_is_released_of_a_join_is_its_statistic() {
    let world = statistics();
    for sql in [
        "SELECT c.crew, count(*), sum(i.cost) FROM lfb.incidents i JOIN lfb.crews c ON i.uprn = c.uprn GROUP BY c.crew",
        "SELECT s.station, count(*) FROM lfb.incidents i LEFT JOIN lfb.stations s ON i.borough_gss = s.borough_gss GROUP BY s.station",
        "SELECT b.name, count(*), sum(c.hours) FROM lfb.incidents i JOIN lfb.crews c ON i.uprn = c.uprn JOIN gla.boroughs b ON b.gss = i.borough_gss GROUP BY b.name",
    ] {
        let (here, there) = both(&world, sql).await;
        assert_eq!(here, there, "{sql}");
    }
}

#[tokio::test]
async fn it_does_not_fire() {
    let (open, statistics) = (open(), statistics());
    let several = [
        // Of two bodies.
        (&open, "SELECT i.cost, b.name FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss", 2),
        (&open, "SELECT borough_gss FROM lfb.incidents UNION ALL SELECT gss FROM gla.boroughs", 2),
        (&open, "SELECT note FROM lfb.incidents WHERE cost > (SELECT max(area) FROM gla.boroughs)", 2),
        (&open, "SELECT u.uprn, s.supplier FROM every.buildings u JOIN every.spend s ON u.storeys = s.units", 2),
        // More rows than both have; both are one question.
        (&open, "SELECT a.note, b.note FROM lfb.incidents a CROSS JOIN lfb.incidents b", 1),
        // EXISTS as a value.
        (
            &open,
            "SELECT note FROM lfb.incidents i WHERE year = 2020 OR EXISTS (SELECT 1 FROM lfb.crews c WHERE c.uprn = i.uprn)",
            2,
        ),
        // Cells are put together where they were asked for.
        (
            &statistics,
            "SELECT x.n, y.n FROM (SELECT year, count(*) AS n FROM lfb.incidents GROUP BY year) x JOIN (SELECT year, count(*) AS n FROM lfb.crews GROUP BY year) y ON x.year = y.year",
            2,
        ),
        (
            &statistics,
            "SELECT year, count(*) FROM lfb.incidents GROUP BY year UNION ALL SELECT year, count(*) FROM lfb.crews GROUP BY year",
            2,
        ),
        (&statistics, "SELECT year, rank() OVER (ORDER BY count(*)) FROM lfb.incidents GROUP BY year", 1),
        // Protected rows that have no unit in common: cells of each, joined here.
        (
            &statistics,
            "SELECT i.year, count(*) FROM lfb.incidents i JOIN lfb.crews c ON i.year = c.year GROUP BY i.year",
            2,
        ),
    ];
    for (world, sql, remotes) in several {
        let placed = world.placed(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert_eq!(placed.remotes.len(), remotes, "{sql}\n{}", placed.plan);
        assert!(placed.remotes.iter().all(|remote| !remote.sql().contains("JOIN")), "{sql}\n{}", placed.plan);
    }
}

#[tokio::test]
async fn what_the_owner_would_refuse_is_said() {
    let world = statistics();
    let cases = [
        ("SELECT c.crew, i.cost FROM lfb.incidents i JOIN lfb.crews c ON i.uprn = c.uprn", "leaves as statistics only"),
        (
            "SELECT c.crew, max(i.cost) FROM lfb.incidents i JOIN lfb.crews c ON i.uprn = c.uprn GROUP BY c.crew",
            "max over",
        ),
        (
            "SELECT i.uprn, count(*) FROM lfb.incidents i JOIN lfb.crews c ON i.uprn = c.uprn GROUP BY i.uprn",
            "groups by uprn",
        ),
        ("SELECT count(*) FROM lfb.incidents i FULL JOIN lfb.crews c ON i.uprn = c.uprn", "partners that they have"),
        (
            "SELECT count(*) FROM lfb.incidents WHERE uprn NOT IN (SELECT uprn FROM lfb.crews)",
            "partners that they have",
        ),
        (
            "SELECT count(*) FROM lfb.incidents i JOIN lfb.crews c ON i.uprn = c.uprn AND i.cost > c.hours",
            "joins by cost",
        ),
        (
            "SELECT count(*) FROM (SELECT row_number() OVER (ORDER BY year) AS r FROM lfb.incidents) WHERE r < 5",
            "window function",
        ),
    ];
    for (sql, reason) in cases {
        match world.placed(sql).await {
            Err(error) => assert!(error.reason.contains(reason), "{sql}\n{error}"),
            Ok(placed) => panic!("{sql}\n{}", placed.plan),
        }
    }
}

#[tokio::test]
async fn keys_that_are_compared_may_stand_in_many_rows_of_the_larger_dataset() {
    let rows = async |incidents, crews, sql: &str| {
        let world = World::open().sized("incidents", incidents).sized("crews", crews);
        let placed = world.placed(sql).await.unwrap();
        placed.remotes.iter().map(|remote| remote.rows).collect::<Vec<_>>()
    };
    let of = "FROM lfb.incidents i JOIN lfb.crews c ON c.uprn = i.uprn";
    // As many as the larger has, but for that they are one answer instead of two.
    assert_eq!(rows(6, 4, &format!("SELECT i.cost, i.year, c.crew, c.hours {of}")).await, [505_000]);
    assert_eq!(rows(4, 6, &format!("SELECT i.cost, i.year, c.crew, c.hours {of}")).await, [505_000]);
    // A choice among either is one among what they are joined with.
    assert_eq!(
        rows(6, 4, &format!("SELECT i.cost, i.year, c.crew, c.hours {of} WHERE c.crew = 'red'")).await,
        [200_000]
    );
    // No more rows than there are keys to look for.
    let semi = "SELECT cost FROM lfb.incidents WHERE uprn IN (SELECT uprn FROM lfb.crews WHERE crew = 'red')";
    assert_eq!(rows(4, 2, semi).await, [2_000]);
}
