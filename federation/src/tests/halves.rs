//! Semi and anti joins above inner joins: made of the relation that they are about where both lie at one place, and left alone elsewhere.

use crate::tests::world::{World, both};

fn open() -> World {
    World::open().sized("boroughs", 2).sized("crews", 2)
}

/// What is looked for lies where the rows do for which it is looked for; what they are joined with lies elsewhere.
const LOWERED: &[&str] = &[
    "SELECT g.name, i.cost FROM gla.boroughs g JOIN lfb.incidents i ON g.gss = i.borough_gss WHERE i.uprn IN (SELECT uprn FROM lfb.crews WHERE hours > 1)",
    "SELECT g.name, i.cost FROM gla.boroughs g JOIN lfb.incidents i ON g.gss = i.borough_gss WHERE EXISTS (SELECT 1 FROM lfb.crews c WHERE c.uprn = i.uprn AND c.hours < i.cost)",
    "SELECT g.name, count(*), sum(i.cost) FROM gla.boroughs g JOIN lfb.incidents i ON g.gss = i.borough_gss WHERE NOT EXISTS (SELECT 1 FROM lfb.crews c WHERE c.uprn = i.uprn AND c.year <> i.year) GROUP BY 1",
    "SELECT c.crew, b.kind FROM lfb.crews c JOIN every.buildings b ON b.uprn = c.uprn WHERE EXISTS (SELECT 1 FROM every.inspections i WHERE i.borough_gss = b.borough_gss AND i.uprn = b.uprn)",
    "SELECT c.crew, b.kind FROM lfb.crews c JOIN every.buildings b ON b.uprn = c.uprn WHERE b.borough_gss IN (SELECT borough_gss FROM every.inspections GROUP BY 1 HAVING count(*) > 1)",
];

/// They are about rows of two bodies, look for what lies elsewhere, would take one NULL of a body for one of all, or stand above rows
/// that an outer join leaves without a partner.
const AS_THEY_ARE: &[&str] = &[
    "SELECT g.name, i.cost FROM gla.boroughs g JOIN lfb.incidents i ON g.gss = i.borough_gss WHERE EXISTS (SELECT 1 FROM lfb.crews c WHERE c.uprn = i.uprn AND c.hours < g.population)",
    "SELECT g.name, i.cost FROM gla.boroughs g JOIN lfb.incidents i ON g.gss = i.borough_gss WHERE NOT EXISTS (SELECT 1 FROM lfb.crews c WHERE c.hours < g.area)",
    "SELECT g.name, i.cost FROM gla.boroughs g JOIN lfb.incidents i ON g.gss = i.borough_gss WHERE i.uprn NOT IN (SELECT uprn FROM lfb.crews)",
    "SELECT g.name, i.cost FROM gla.boroughs g JOIN lfb.incidents i ON g.gss = i.borough_gss WHERE i.uprn IN (SELECT uprn FROM camden.buildings)",
    "SELECT g.name, i.cost FROM gla.boroughs g LEFT JOIN lfb.incidents i ON g.gss = i.borough_gss WHERE NOT EXISTS (SELECT 1 FROM lfb.crews c WHERE c.uprn = i.uprn)",
    "SELECT g.name, i.cost FROM gla.boroughs g FULL JOIN lfb.incidents i ON g.gss = i.borough_gss WHERE NOT EXISTS (SELECT 1 FROM lfb.crews c WHERE c.uprn = i.uprn)",
];

/// Whether a body is asked for such a join.
async fn is_joined_away(world: &World, sql: &str) -> bool {
    let placed = world.placed(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    let asked = |sql: &str| sql.contains("SEMI JOIN") || sql.contains("ANTI JOIN");
    placed.remotes.iter().any(|remote| asked(remote.sql()))
}

#[tokio::test]
async fn they_are_made_at_the_body_of_the_rows_that_they_are_about() {
    let world = open();
    for sql in LOWERED {
        assert!(is_joined_away(&world, sql).await, "{sql}\n{}", world.placed(sql).await.unwrap().plan);
        let (here, there) = both(&world, sql).await;
        assert_eq!(here, there, "{sql}");
    }
}

#[tokio::test]
async fn elsewhere_they_stay_where_they_stand() {
    let world = open();
    for sql in AS_THEY_ARE {
        assert!(!is_joined_away(&world, sql).await, "{sql}\n{}", world.placed(sql).await.unwrap().plan);
        let (here, there) = both(&world, sql).await;
        assert_eq!(here, there, "{sql}");
    }
}
