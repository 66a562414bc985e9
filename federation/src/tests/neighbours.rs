//! Joins whose neighbours stand apart in the question, and where the order stays as it is.

use meridian_proto::Form;

use crate::tests::world::{World, both};

fn open() -> World {
    World::open().sized("stations", 2).sized("crews", 2).sized("boroughs", 2)
}

/// In each of them something of another body stands between two tables that one body, or each body of a standard, can join.
const APART: &[&str] = &[
    "SELECT i.cost, b.name, c.crew FROM lfb.incidents i JOIN gla.boroughs b ON b.gss = i.borough_gss JOIN lfb.crews c ON c.uprn = i.uprn",
    "SELECT b.name, count(*), sum(i.cost) FROM lfb.incidents i, gla.boroughs b, lfb.crews c WHERE b.gss = i.borough_gss AND c.uprn = i.uprn AND c.hours > i.year GROUP BY 1",
    "SELECT * FROM lfb.incidents i JOIN gla.boroughs b ON b.gss = i.borough_gss JOIN lfb.crews c ON c.uprn = i.uprn WHERE b.area > 1.0 OR c.hours > 3",
    "SELECT b.uprn, g.name, i.result FROM every.buildings b JOIN gla.boroughs g ON g.gss = b.borough_gss JOIN every.inspections i ON i.borough_gss = b.borough_gss AND i.uprn = b.uprn",
    "SELECT g.name, count(*), sum(i.fine) FROM every.buildings b JOIN gla.boroughs g ON g.gss = b.borough_gss JOIN every.inspections i ON i.borough_gss = b.borough_gss AND i.uprn = b.uprn AND i.fine < b.value WHERE g.inner_london GROUP BY 1",
    "SELECT i.note FROM lfb.incidents i WHERE i.cost >= (SELECT min(b.storeys + y.cost) FROM lfb.crews x JOIN every.buildings b ON b.uprn = x.uprn JOIN lfb.incidents y ON y.uprn = x.uprn)",
];

/// The neighbours are connected by no equality, stand beside each other already, or are joined by more than inner joins.
const AS_THEY_ARE: &[&str] = &[
    "SELECT i.cost, b.name, c.crew FROM lfb.incidents i JOIN gla.boroughs b ON b.gss = i.borough_gss JOIN lfb.crews c ON c.hours < i.cost",
    "SELECT i.cost, b.name, c.crew FROM lfb.incidents i JOIN lfb.crews c ON c.uprn = i.uprn JOIN gla.boroughs b ON b.gss = i.borough_gss",
    "SELECT i.cost, b.name, c.crew FROM lfb.incidents i LEFT JOIN gla.boroughs b ON b.gss = i.borough_gss LEFT JOIN lfb.crews c ON c.uprn = i.uprn",
    "SELECT i.cost, b.name, c.crew FROM lfb.incidents i JOIN gla.boroughs b ON b.gss = i.borough_gss LEFT JOIN lfb.crews c ON c.uprn = i.uprn",
];

/// Whether a body is asked for a join.
async fn is_joined_away(world: &World, sql: &str) -> bool {
    let placed = world.placed(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    placed.remotes.iter().any(|remote| remote.sql().contains("JOIN"))
}

#[tokio::test]
async fn neighbours_are_joined_at_home_whatever_stands_between_them() {
    let world = open();
    for sql in APART {
        assert!(is_joined_away(&world, sql).await, "{sql}\n{}", world.placed(sql).await.unwrap().plan);
    }
    for sql in APART.iter().chain(AS_THEY_ARE) {
        let (here, there) = both(&world, sql).await;
        assert_eq!(here, there, "{sql}");
    }
}

#[tokio::test]
async fn neighbours_that_no_equality_joins_stay_apart() {
    let world = open();
    for sql in [AS_THEY_ARE[0], AS_THEY_ARE[2], AS_THEY_ARE[3]] {
        assert!(!is_joined_away(&world, sql).await, "{sql}\n{}", world.placed(sql).await.unwrap().plan);
    }
    assert!(is_joined_away(&world, AS_THEY_ARE[1]).await);
}

#[tokio::test]
async fn protected_rows_are_joined_at_their_owner_across_what_stands_between_them() {
    let form = |body: &str, dataset: &str| {
        if body == "lfb" && dataset != "stations" { Form::Statistics } else { Form::Open }
    };
    let world = World::with(form).sized("boroughs", 2);
    let sql = APART[1].replace(" AND c.hours > i.year", "");
    let placed = world.placed(&sql).await.unwrap_or_else(|error| panic!("{error}"));
    let shown = placed.plan.to_string();
    assert!(placed.remotes.iter().any(|remote| remote.sql().contains("JOIN")), "{shown}");
    let (here, there) = both(&world, &sql).await;
    assert_eq!(here, there);
}
