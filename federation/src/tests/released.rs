//! What is computed from released cells: a withheld or absent one is unknown, never 0.

use meridian_proto::Form;

use crate::tests::world::{World, rows};

fn statistics() -> World {
    World::with(|_, _| Form::Statistics)
}

async fn answer(world: &World, sql: &str) -> Vec<String> {
    let mut found = rows(&world.asker(), sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    found.sort();
    found
}

#[tokio::test]
async fn cells_of_all_bodies_add_up() {
    let found = answer(&statistics(), "SELECT count(*), sum(units), avg(units) FROM every.spend").await;
    // The body without rows gives no sum, which is not known to be nothing.
    assert_eq!(found, ["8 | NULL | NULL"]);
    let sql = "SELECT count(*), sum(units), avg(units) FROM every.spend WHERE _body <> 'barnet'";
    assert_eq!(answer(&statistics(), sql).await, ["8 | 22 | 3.142857142857143"]);
}

#[tokio::test]
async fn a_withheld_cell_withholds_the_total() {
    let world = World { withheld: vec![("hackney", "*")], ..statistics() };
    assert_eq!(answer(&world, "SELECT count(*) FROM every.spend").await, ["NULL"]);
    assert_eq!(answer(&world, "SELECT count(*) FROM every.spend WHERE _body <> 'hackney'").await, ["5"]);
    let world = World { withheld: vec![("hackney", "hackney")], ..statistics() };
    assert_eq!(
        answer(&world, "SELECT _body, count(*) FROM every.spend GROUP BY _body").await,
        ["barnet | 0", "camden | 5", "hackney | NULL"]
    );
}

#[tokio::test]
async fn an_absent_group_is_unknown() {
    let sql = "SELECT department, count(*) FROM every.spend WHERE _body <> 'barnet' GROUP BY department";
    let world = World { withheld: vec![("hackney", "roads")], ..statistics() };
    // Camden has no group without a department: absent, so unknown.
    assert_eq!(answer(&world, sql).await, ["NULL | NULL", "parks | 4", "roads | NULL"]);
    let world = World { absent: vec![("camden", "parks")], ..statistics() };
    assert_eq!(answer(&world, sql).await, ["NULL | NULL", "parks | NULL", "roads | 3"]);
}

#[tokio::test]
async fn coverage_rules_a_group_out() {
    // Camden and Hackney as statistics with coverage, all groups across bodies by a second standard without it.
    let world = statistics();
    let sql = "SELECT borough_gss, count(*) FROM every.buildings GROUP BY borough_gss";
    assert_eq!(answer(&world, sql).await, ["E09000003 | 1", "E09000007 | 4", "E09000012 | 4"]);
    let mut mixed = World::with(|body, _| if body == "camden" { Form::Statistics } else { Form::Open });
    for holding in &mut mixed.holdings {
        if holding.name.body.as_str() == "barnet" {
            let mut dataset = holding.dataset.as_ref().clone();
            dataset.coverage.clear();
            holding.dataset = dataset.into();
        }
    }
    assert_eq!(answer(&mixed, sql).await, ["E09000003 | 1", "E09000007 | 4", "E09000012 | 4"]);
    mixed.withheld = vec![("camden", "E09000007")];
    assert_eq!(answer(&mixed, sql).await, ["E09000003 | 1", "E09000007 | NULL", "E09000012 | 4"]);
    mixed.withheld = vec![("camden", "house")];
    let sql =
        "SELECT kind, count(*), avg(storeys), sum(value) FROM every.buildings WHERE kind IS NOT NULL GROUP BY kind";
    assert_eq!(answer(&mixed, sql).await, ["flat | 4 | 15.0 | 250099.99", "house | NULL | NULL | NULL"]);
}

#[tokio::test]
async fn notices_say_what_is_not_in_it() {
    let world = statistics();
    let placed = world.placed("SELECT kind, count(*) FROM every.buildings GROUP BY kind").await.unwrap();
    assert!(placed.notices.iter().any(|notice| notice.contains("withheld where one of them")), "{:?}", placed.notices);
    for sql in [
        "SELECT avg(n) FROM (SELECT borough_gss, count(*) AS n FROM lfb.incidents GROUP BY borough_gss)",
        "SELECT avg(n) FROM (SELECT borough_gss, count(*) AS n FROM lfb.incidents GROUP BY borough_gss) WHERE n > random()",
    ] {
        let placed = world.placed(sql).await.unwrap();
        let expected = "computed over released cells of london.lfb.incidents only; withheld groups are not in it";
        assert!(placed.notices.iter().any(|notice| notice == expected), "{sql}: {:?}", placed.notices);
    }
    let placed = world.placed("SELECT count(*) FROM lfb.incidents").await.unwrap();
    assert!(placed.notices.is_empty(), "{:?}", placed.notices);
}

#[tokio::test]
async fn a_count_from_statistics_may_be_null() {
    let world = World { withheld: vec![("lfb", "*")], ..statistics() };
    assert_eq!(answer(&world, "SELECT count(*) AS n FROM lfb.incidents").await, ["NULL"]);
    assert_eq!(
        answer(
            &world,
            "SELECT n + 1 FROM (SELECT count(*) AS n FROM lfb.incidents) WHERE (n + random() > 0) IS NOT FALSE"
        )
        .await,
        ["NULL"]
    );
    let sql = "SELECT count(*) AS n FROM lfb.incidents UNION ALL SELECT 5 AS n";
    assert_eq!(answer(&world, sql).await, ["5", "NULL"]);
}
