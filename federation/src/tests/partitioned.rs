//! Joins of two standards at each body, and where they stay here.

use std::sync::Arc;

use arrow::array::{Int64Array, RecordBatch};
use meridian_proto::{Covers, Form};

use crate::tests::world::{World, both, texts_are};

/// Each is one question to each body, of which nothing is left to do here but to put the answers together.
const AT_EACH: &[&str] = &[
    "SELECT b.uprn, i.result FROM every.buildings b JOIN every.inspections i ON b.borough_gss = i.borough_gss AND b.uprn = i.uprn",
    "SELECT b.kind, i.result FROM every.inspections i JOIN every.buildings b ON i.uprn = b.uprn AND b._body = i._body WHERE b.storeys > 2",
    "SELECT i.result, b.kind FROM every.inspections i LEFT JOIN every.buildings b ON b.borough_gss = i.borough_gss AND b.uprn = i.uprn",
    "SELECT i.result, b.kind FROM every.buildings b RIGHT JOIN every.inspections i ON b.borough_gss = i.borough_gss AND b.uprn = i.uprn AND b.storeys > 3",
    "SELECT uprn FROM every.buildings b WHERE EXISTS (SELECT 1 FROM every.inspections i WHERE i._body = b._body AND i.uprn = b.uprn AND i.fine > b.storeys)",
    "SELECT result FROM every.inspections i WHERE NOT EXISTS (SELECT 1 FROM every.buildings b WHERE i.borough_gss = b.borough_gss AND i.uprn = b.uprn)",
    "SELECT a.uprn, b.uprn FROM every.buildings a JOIN every.buildings b ON a.borough_gss = b.borough_gss AND a.built = b.built AND a.uprn < b.uprn",
    "SELECT b.uprn, i.result, s.supplier FROM every.buildings b JOIN every.inspections i ON b.borough_gss = i.borough_gss AND b.uprn = i.uprn JOIN every.spend s ON s._body = b._body AND s.units = b.storeys",
    "SELECT b.borough_gss, count(*), sum(i.fine) FROM every.buildings b JOIN every.inspections i ON b.borough_gss = i.borough_gss AND b.uprn = i.uprn GROUP BY 1",
];

/// Their rows meet those of other bodies, or stay for want of one at a body that has no such dataset.
const HERE: &[&str] = &[
    "SELECT b.uprn, i.result FROM every.buildings b JOIN every.inspections i ON b.uprn = i.uprn",
    "SELECT b.uprn, i.result FROM every.buildings b LEFT JOIN every.inspections i ON b.borough_gss = i.borough_gss AND b.uprn = i.uprn",
    "SELECT b.uprn, i.result FROM every.buildings b FULL JOIN every.inspections i ON b.borough_gss = i.borough_gss AND b.uprn = i.uprn",
    "SELECT uprn FROM every.buildings b WHERE NOT EXISTS (SELECT 1 FROM every.inspections i WHERE i.borough_gss = b.borough_gss AND i.uprn = b.uprn)",
    "SELECT uprn FROM every.buildings b WHERE b.borough_gss NOT IN (SELECT borough_gss FROM every.inspections)",
    "SELECT b.uprn, s.supplier FROM every.buildings b JOIN every.spend s ON b.kind = s.department",
    "SELECT b.uprn, i.uprn FROM every.buildings b JOIN every.inspections i ON b.borough_gss <> i.borough_gss",
];

#[tokio::test]
async fn rows_that_meet_at_one_body_only_are_joined_there() {
    let world = World::open();
    for sql in AT_EACH {
        let placed = world.placed(sql).await.unwrap();
        let shown = format!("{sql}\n{}\n{}", placed.plan, placed.rejected.join("\n"));
        assert_eq!(placed.remotes.len(), 1, "{shown}");
        assert!(!placed.plan.to_string().contains("Join"), "{shown}");
    }
    for sql in AT_EACH.iter().chain(HERE) {
        let (here, there) = both(&world, sql).await;
        assert_eq!(here, there, "{sql}");
    }
}

#[tokio::test]
async fn rows_that_may_meet_those_of_other_bodies_are_joined_here() {
    let world = World::open();
    for sql in HERE {
        let placed = world.placed(sql).await.unwrap();
        let asked = |remote: &crate::RemoteSummary| remote.sql().contains("JOIN");
        assert!(!placed.remotes.iter().any(asked), "{sql}\n{}", placed.plan);
    }
}

#[tokio::test]
async fn each_body_gets_the_join_of_its_own() {
    let join = "FROM every.buildings b JOIN every.inspections i ON b.borough_gss = i.borough_gss AND b.uprn = i.uprn";
    let rows = format!("SELECT b._body, b.kind, i.result {join}");
    let grouped = format!("SELECT b.borough_gss, count(*) {join} GROUP BY 1");
    texts_are(&World::open(), &[
        (&rows, &["camden+hackney: SELECT c3 AS c0, c2 AS c1, c5 AS c2 FROM (SELECT uprn AS c0, borough_gss AS c1, kind AS c2, 'camden' AS c3 \
                   FROM london.camden.buildings) JOIN (SELECT borough_gss AS c4, \"result\" AS c5, uprn AS c6 FROM london.camden.inspections) ON c1 = c4 AND c0 = c6"]),
        (&grouped, &["camden+hackney: SELECT c0, count(*) AS c1 FROM (SELECT borough_gss AS c0, uprn AS c1 FROM london.camden.buildings) \
                      JOIN (SELECT borough_gss AS c2, uprn AS c3 FROM london.camden.inspections) ON c0 = c2 AND c1 = c3 GROUP BY c0"]),
    ]).await;
}

#[tokio::test]
async fn nobody_is_asked_where_no_body_has_both() {
    let sql = "SELECT b.uprn FROM every.buildings b JOIN every.inspections i ON b.borough_gss = i.borough_gss WHERE b._body = 'barnet'";
    let world = World::open();
    assert_eq!(world.placed(sql).await.unwrap().remotes.len(), 0);
    assert_eq!(both(&world, sql).await, (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn a_body_with_two_datasets_of_a_standard_is_not_asked_for_the_join() {
    let mut world = World::open();
    let rows = world.rows("camden", "inspections");
    world.add(
        "camden",
        "visits",
        "uprn:bigint:identifier,borough_gss:varchar:dimension,result:varchar:dimension,fine:decimal(10,2):measure",
        rows,
        Form::Open,
        5,
    );
    world.conforms("inspections");
    for sql in AT_EACH {
        let (here, there) = both(&world, sql).await;
        assert_eq!(here, there, "{sql}");
    }
}

#[tokio::test]
async fn ranges_keep_bodies_apart_where_they_do_not_overlap() {
    let sql = "SELECT count(*) FROM every.firsts a JOIN every.seconds b ON a.n = b.n";
    let range = |from: &str, to: &str| {
        let end = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Covers::Range { from: end(from), to: end(to) }
    };
    for (firsts, seconds, apart) in [
        ([range("", "5"), range("6", "")], [range("1", "5"), range("6", "9")], true),
        ([range("", "5"), range("6", "")], [range("1", "6"), range("6", "9")], false),
        ([range("", "5"), range("6", "")], [range("1", ""), range("6", "9")], false),
        ([range("", "5"), range("6", "")], [range("7", "9"), range("1", "5")], false),
        ([range("1", "9"), range("3", "4")], [range("1", "9"), range("3", "4")], false),
        ([Covers::Value("4".into()), range("5", "")], [range("2", "4"), Covers::Value("7".into())], true),
        ([range("5", ""), range("", "4")], [range("6", "7"), range("1", "2")], true),
    ] {
        let mut world = World::default();
        for (dataset, covers) in [("firsts", &firsts), ("seconds", &seconds)] {
            for (body, covers) in ["camden", "hackney"].into_iter().zip(covers) {
                let rows = RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![4, 7])) as _)]).unwrap();
                world.hold(body, dataset, Some(dataset), &[rows]);
                world.covers("n", covers.clone());
            }
        }
        let placed = world.placed(sql).await.unwrap();
        let at_each = placed.remotes.iter().any(|remote| remote.sql().contains("JOIN"));
        assert_eq!(at_each, apart, "{firsts:?} {seconds:?}\n{}", placed.plan);
    }
}

#[tokio::test]
async fn what_leaves_as_statistics_is_joined_as_its_owner_allows() {
    let world = World::with(|_, dataset| if dataset == "buildings" { Form::Statistics } else { Form::Open });
    for sql in [AT_EACH[0], HERE[0]] {
        assert!(world.placed(sql).await.is_err(), "{sql}");
    }
}
