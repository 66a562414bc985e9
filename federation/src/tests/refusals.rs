//! Questions that no body's terms allow, and what the asker is told.

use meridian_proto::Form;

use crate::PlacementError;
use crate::tests::world::{World, name, rows};

async fn refusal(world: &World, sql: &str) -> PlacementError {
    match world.placed(sql).await {
        Err(error) => error,
        Ok(placed) => panic!("{sql}: {:?}", placed.remotes),
    }
}

#[tokio::test]
async fn statistics_are_not_rows() {
    let world = World::with(|_, _| Form::Statistics);
    let cases = [
        ("SELECT borough_gss FROM lfb.incidents", "leaves as statistics only", Some("incidents")),
        ("SELECT * FROM lfb.incidents LIMIT 3", "leaves as statistics only", Some("incidents")),
        ("SELECT uprn, count(*) FROM lfb.incidents GROUP BY uprn", "groups by uprn", Some("uprn")),
        ("SELECT count(*) FROM lfb.incidents WHERE cost > 5", "filters by cost", Some("cost")),
        ("SELECT max(cost) FROM lfb.incidents", "max over london.lfb.incidents would show", Some("max")),
        ("SELECT sum(year) FROM lfb.incidents", "year of london.lfb.incidents is no measure", Some("year")),
        (
            "SELECT count(*) FROM (SELECT year FROM lfb.incidents LIMIT 5)",
            "LIMIT below the statistic",
            Some("incidents"),
        ),
        ("SELECT count(*) FROM lfb.incidents WHERE random() < 0.5", "random() gives another value each time", None),
        (
            "SELECT count(*) FROM lfb.incidents WHERE year > (SELECT min(population) FROM gla.boroughs)",
            "result of a subquery",
            None,
        ),
        ("SELECT kind, max(height) FROM every.buildings GROUP BY kind", "max over several bodies", None),
        ("SELECT count(DISTINCT uprn) FROM every.buildings", "count(DISTINCT …) over several bodies", None),
        (
            "SELECT count(*) FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss",
            "leaves as statistics only",
            None,
        ),
    ];
    for (sql, reason, needle) in cases {
        let error = refusal(&world, sql).await;
        assert!(error.reason.contains(reason), "{sql}: {error:?}");
        assert!(needle.is_none() || error.needle.as_deref() == needle, "{sql}: {error:?}");
    }
}

#[tokio::test]
async fn a_refusal_has_rule_and_column_and_what_it_advises_can_be_placed() {
    let world = World::with(|_, _| Form::Statistics);
    let cases = [
        (
            "SELECT borough_gss FROM lfb.incidents",
            ("statistics.shape", None, "aggregate it (COUNT, SUM, AVG), grouped or filtered by its dimensions"),
            "SELECT borough_gss, count(*) FROM lfb.incidents GROUP BY borough_gss",
        ),
        (
            "SELECT uprn, count(*) FROM lfb.incidents GROUP BY uprn",
            ("statistics.column", Some("uprn"), "borough_gss"),
            "SELECT borough_gss, count(*) FROM lfb.incidents GROUP BY borough_gss",
        ),
        (
            "SELECT count(*) FROM lfb.incidents WHERE cost > 5",
            ("statistics.column", Some("cost"), "year"),
            "SELECT count(*) FROM lfb.incidents WHERE year > 5",
        ),
        (
            "SELECT max(cost) FROM lfb.incidents",
            ("statistics.aggregate", None, "ask for COUNT, SUM or AVG"),
            "SELECT avg(cost) FROM lfb.incidents",
        ),
        (
            "SELECT sum(year) FROM lfb.incidents",
            ("statistics.column", Some("year"), "cost"),
            "SELECT sum(cost) FROM lfb.incidents",
        ),
        (
            "SELECT count(*) FROM (SELECT year FROM lfb.incidents LIMIT 5)",
            ("statistics.shape", None, "put the LIMIT above the aggregate"),
            "SELECT count(*) FROM lfb.incidents LIMIT 5",
        ),
    ];
    for (sql, (rule, column, remedy), instead) in cases {
        let error = refusal(&world, sql).await;
        assert_eq!((error.rule, error.column.as_deref()), (rule, column), "{sql}: {error:?}");
        assert_eq!(error.dataset.as_deref(), Some("london.lfb.incidents"), "{sql}");
        assert!(error.remedy.contains(remedy), "{sql}: {error:?}");
        assert!(world.placed(instead).await.is_ok(), "{sql}: {remedy}: {instead}");
    }
}

#[tokio::test]
async fn what_can_be_asked_of_others_is_found_where_the_whole_can_not_be_placed() {
    let world = World::with(|body, _| if body == "lfb" { Form::Statistics } else { Form::Open });
    let sql = "SELECT b.name, i.year FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss";
    let error = refusal(&world, sql).await;
    assert_eq!(error.rule, "placement.delegated");
    let plan = world.asker().sql(sql).await.unwrap().into_optimized_plan().unwrap();
    let asked = crate::askable(plan).unwrap();
    let bodies: Vec<String> = asked.iter().flat_map(|asked| &asked.bodies).map(ToString::to_string).collect();
    assert_eq!(bodies, ["gla"], "{asked:?}");
    assert_eq!(asked[0].columns.len(), 2, "{asked:?}");
}

#[tokio::test]
async fn what_leaves_in_no_form_is_named() {
    let error = refusal(&World::with(|_, _| Form::None), "SELECT count(*) FROM lfb.incidents").await;
    assert_eq!(error.dataset.as_deref(), Some("london.lfb.incidents"));
    assert!(error.to_string().contains("in no form"), "{error}");
}

#[tokio::test]
async fn a_member_that_is_not_known_is_named() {
    let world = World { missing: vec![name("brent"), name("ealing")], ..World::open() };
    let error = refusal(&world, "SELECT count(*) FROM every.spend").await;
    assert!(error.reason.contains("brent, ealing"), "{error}");
    assert!(world.placed("SELECT count(*) FROM camden.spend").await.is_ok());
}

#[tokio::test]
async fn a_refusal_is_found_in_the_planner_s_error() {
    let world = World::with(|_, _| Form::Statistics);
    let frame = world.asker().sql("SELECT note FROM camden.spend").await;
    assert!(frame.is_err(), "a hidden column does not exist");
    let error = world.asker().sql("SELECT supplier FROM camden.spend").await.unwrap().collect().await.unwrap_err();
    assert_eq!(PlacementError::find(&error).unwrap().dataset.as_deref(), Some("london.camden.spend"));
    assert!(rows(&world.asker(), "SELECT count(*) FROM camden.spend").await.is_ok());
}

#[tokio::test]
async fn what_was_rejected_is_told() {
    let placed = World::open().placed("SELECT count(*) FROM lfb.incidents WHERE random() < 2").await.unwrap();
    assert!(placed.rejected.iter().any(|text| text.contains("random()")), "{:?}", placed.rejected);
}
