//! Joins whose neighbours stand apart in the question, and where the order stays as it is.

use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::{SessionContext, col};
use meridian_proto::Form;

use crate::neighbours::regrouped;
use crate::place;
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

#[tokio::test]
async fn longer_chains_stay_in_their_order() {
    let world = open();
    let joins = |boroughs: usize| {
        let names = (0..boroughs).map(|at| format!(" JOIN gla.boroughs b{at} ON b{at}.gss = i.borough_gss"));
        let names: String = names.collect();
        format!("SELECT i.cost, b0.name, c.crew FROM lfb.incidents i{names} JOIN lfb.crews c ON c.uprn = i.uprn")
    };
    for boroughs in [22, 23, 24, 30] {
        let sql = joins(boroughs);
        assert_eq!(is_joined_away(&world, &sql).await, boroughs <= 22, "{boroughs}");
        let (here, there) = both(&world, &sql).await;
        assert_eq!(here, there, "{boroughs}");
    }
}

/// Incidents joined with boroughs, some columns left out above, and joined with crews: neighbours stand apart.
async fn with_a_projection(
    world: &World,
    boroughs: &[Expr],
    kept: &[&str],
    crews: (&str, &str),
) -> (SessionContext, LogicalPlan) {
    let (context, incidents) = world.optimised("SELECT i.borough_gss, i.cost FROM lfb.incidents i").await;
    let (_, names) = world.optimised("SELECT b.gss, b.name FROM gla.boroughs b").await;
    let (_, crews_of) = world.optimised(crews.0).await;
    let names = LogicalPlanBuilder::from(names).project(boroughs.to_vec()).unwrap().build().unwrap();
    let plan = LogicalPlanBuilder::from(incidents)
        .join_on(names, JoinType::Inner, [col("i.borough_gss").eq(col("b.gss"))])
        .and_then(|joined| joined.project(kept.iter().map(|name| col(*name))))
        .and_then(|kept| kept.join_on(crews_of, JoinType::Inner, [col("i.borough_gss").eq(col(crews.1))]))
        .and_then(LogicalPlanBuilder::build);
    (context, plan.unwrap())
}

#[tokio::test]
async fn joins_whose_columns_would_meet_stay_as_they_are() {
    let world = open();
    // `uprn` of boroughs is gone where the crews' is joined; beside each other they can't be told apart.
    let named = [col("b.gss"), col("b.name").alias("uprn")];
    let crews = ("SELECT c.uprn, c.crew FROM lfb.crews c", "c.crew");
    let (context, plan) = with_a_projection(&world, &named, &["i.borough_gss", "i.cost"], crews).await;
    assert!(regrouped(&plan, true).is_empty(), "{plan}");
    place(plan, &context.state()).unwrap();

    // Two relations have `i.cost`.
    let same = [col("b.gss"), col("b.name")];
    let again = ("SELECT i.cost, i.note FROM lfb.incidents i", "i.note");
    let (context, plan) = with_a_projection(&world, &same, &["i.borough_gss"], again).await;
    assert!(regrouped(&plan, true).is_empty(), "{plan}");
    place(plan, &context.state()).unwrap();
}
