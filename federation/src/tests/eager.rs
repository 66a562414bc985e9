//! Aggregates that are computed below a join of several bodies, at one side or both, and those that are not.

use meridian_proto::Form;

use crate::tests::world::{World, asked, sorted};

/// The incidents leave as statistics; there is no reference.
fn incidents() -> World {
    World::with(|body, _| if body == "lfb" { Form::Statistics } else { Form::Open }).sized("boroughs", 2)
}

/// The incidents and the buildings leave as statistics.
fn both() -> World {
    World::with(|_, dataset| if dataset == "boroughs" { Form::Open } else { Form::Statistics }).sized("boroughs", 2)
}

const JOINED: &str = "FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss";

#[tokio::test]
async fn one_side_is_grouped() {
    let world = World::open().sized("boroughs", 2);
    let sql = format!("SELECT b.name, count(*), sum(i.cost) {JOINED} GROUP BY b.name");
    assert_eq!(
        asked(&world, &sql).await,
        [
            "lfb: SELECT borough_gss AS c0, count(*) AS c1, sum(\"cost\") AS c2 FROM london.lfb.incidents GROUP BY borough_gss",
            "gla: SELECT gss AS c0, \"name\" AS c1 FROM london.gla.boroughs",
        ]
    );
    let sql =
        format!("SELECT b.name, count(*) FILTER (WHERE i.year = 2020 AND b.inner_london) {JOINED} GROUP BY b.name");
    assert_eq!(
        asked(&world, &sql).await,
        [
            "lfb: SELECT borough_gss AS c0, count(*) FILTER (WHERE \"year\" = CAST(2020 AS INTEGER)) AS c1 FROM london.lfb.incidents GROUP BY borough_gss",
            "gla: SELECT gss AS c0, \"name\" AS c1, inner_london AS c2 FROM london.gla.boroughs",
        ]
    );
}

#[tokio::test]
async fn both_sides_are_grouped() {
    let sql = "SELECT b.name, count(*), sum(u.storeys), avg(i.cost) FROM lfb.incidents i JOIN every.buildings u ON u.borough_gss = i.borough_gss \
               JOIN gla.boroughs b ON b.gss = i.borough_gss GROUP BY b.name";
    let expected = [
        "lfb: SELECT borough_gss AS c0, count(*) AS c1, sum(\"cost\") AS c2, count(\"cost\") AS c3 FROM london.lfb.incidents GROUP BY borough_gss",
        "camden+hackney+barnet: SELECT borough_gss AS c0, count(*) AS c1, sum(CAST(storeys AS BIGINT)) AS c2 FROM london.camden.buildings GROUP BY borough_gss",
        "gla: SELECT gss AS c0, \"name\" AS c1 FROM london.gla.boroughs",
    ];
    let mut found = asked(&World::open().sized("boroughs", 2), sql).await;
    found.sort();
    let mut texts = expected.map(str::to_owned).to_vec();
    texts.sort();
    assert_eq!(found, texts);
    // A label without a key has no cell, and none is missing.
    texts[1].push_str(" WHERE gss IS NOT NULL");
    let mut found = asked(&both(), sql).await;
    found.sort();
    assert_eq!(found, texts);
    assert_eq!(sorted(&both().asker(), sql).await, sorted(&both().central(), sql).await);
}

#[tokio::test]
async fn open_rows_are_not_grouped_where_it_is_of_no_use() {
    let grouped = |asked: &[String]| asked.iter().any(|sql| sql.contains("GROUP BY"));
    let large = World::open();
    let small = World::open().sized("boroughs", 2).sized("incidents", 2);
    let count = format!("SELECT b.name, count(*) {JOINED} GROUP BY b.name");
    assert!(grouped(&asked(&large, &count).await));
    assert!(!grouped(&asked(&small, &count).await));
    for sql in [
        format!("SELECT b.name, var_pop(i.households) {JOINED} GROUP BY b.name"),
        format!("SELECT b.name, median(i.cost) {JOINED} GROUP BY b.name"),
        format!("SELECT b.name, array_agg(i.year ORDER BY i.cost) {JOINED} GROUP BY b.name"),
        format!("SELECT b.name, sum(i.cost * random()) {JOINED} GROUP BY b.name"),
        format!("SELECT b.name, i.year, count(*) {JOINED} GROUP BY GROUPING SETS ((b.name), (i.year))"),
        "SELECT count(*) FROM lfb.incidents i CROSS JOIN gla.boroughs b".to_owned(),
    ] {
        assert!(!grouped(&asked(&large, &sql).await), "{sql}: {:?}", asked(&large, &sql).await);
    }
}

#[tokio::test]
async fn open_rows_are_not_grouped_by_what_tells_them_apart() {
    let world = World::open().sized("boroughs", 2);
    let grouped = async |key: &str| {
        let sql = format!(
            "SELECT c.crew, count(*) FROM lfb.incidents i JOIN barnet.buildings b ON b.{key} = i.{key} JOIN gla.boroughs g ON g.gss = i.borough_gss \
                           JOIN lfb.crews c ON c.crew = g.name GROUP BY c.crew"
        );
        asked(&world, &sql)
            .await
            .into_iter()
            .filter(|sql| sql.starts_with("barnet") && sql.contains("GROUP BY"))
            .count()
    };
    assert_eq!(grouped("borough_gss").await, 1);
    assert_eq!(grouped("uprn").await, 0);
}

#[tokio::test]
async fn what_may_fail_is_computed_where_rows_have_met() {
    // A year that has no partner must not divide by zero.
    let sql = format!("SELECT b.name, sum(10 / (i.year - 2019)) {JOINED} WHERE b.inner_london GROUP BY b.name");
    for sql in asked(&World::open(), &sql).await {
        assert!(!sql.contains("sum("), "{sql}");
    }
    assert_eq!(sorted(&World::open().asker(), &sql).await, sorted(&World::open().central(), &sql).await);
}

#[tokio::test]
async fn cells_are_joined_here() {
    let world = incidents();
    for sql in [
        format!("SELECT b.name, count(*) {JOINED} GROUP BY b.name"),
        format!(
            "SELECT b.name, i.year, count(*), avg(i.cost), sum(i.cost), sum(b.population), max(b.area) {JOINED} GROUP BY b.name, i.year"
        ),
        format!(
            "SELECT b.gss, b.name, count(*) FILTER (WHERE i.year = 2020) {JOINED} AND b.name = 'Camden' GROUP BY b.gss, b.name"
        ),
        format!(
            "SELECT b.inner_london, count(*), count(DISTINCT b.name) {JOINED} WHERE b.gss IN ('E09000007', 'E09000012', 'E09000003') GROUP BY b.inner_london"
        ),
        format!("SELECT i.borough_gss, count(*) {JOINED} GROUP BY i.borough_gss"),
        format!("SELECT count(*), sum(i.cost) {JOINED} WHERE b.name IN ('Camden', 'Hackney')"),
    ] {
        assert_eq!(sorted(&world.asker(), &sql).await, sorted(&world.central(), &sql).await, "{sql}");
    }
}

#[tokio::test]
async fn an_absent_cell_is_unknown() {
    let coarse = format!("SELECT b.inner_london, count(*), max(b.area) {JOINED} GROUP BY b.inner_london");
    // Nothing is released for the City, which may have fires that are withheld; a borough without a code has no cell.
    assert_eq!(sorted(&incidents().asker(), &coarse).await, ["false | 1 | 86.75", "true | NULL | NULL"]);
    let whole = format!("SELECT count(*) {JOINED}");
    assert_eq!(sorted(&incidents().asker(), &whole).await, ["NULL"]);
    let by_year = format!(
        "SELECT b.inner_london, i.year, count(*) {JOINED} WHERE b.gss IN ('E09000007', 'E09000012') GROUP BY 1, 2"
    );
    assert_eq!(sorted(&incidents().asker(), &by_year).await, ["true | 2020 | 3", "true | 2021 | 3"]);

    let by_name = format!("SELECT b.name, count(*), sum(i.cost) {JOINED} GROUP BY b.name");
    let world = World { withheld: vec![("lfb", "E09000007")], ..incidents() };
    assert_eq!(
        sorted(&world.asker(), &by_name).await,
        ["Barnet | 1 | 9.99", "Camden | NULL | NULL", "Hackney | 3 | 12.02"]
    );
    let world = World { absent: vec![("lfb", "E09000012")], ..incidents() };
    assert_eq!(sorted(&world.asker(), &by_name).await, ["Barnet | 1 | 9.99", "Camden | 3 | 107.75"]);
    let left = "SELECT b.name, count(i.year) FROM gla.boroughs b LEFT JOIN lfb.incidents i ON i.borough_gss = b.gss GROUP BY b.name";
    assert_eq!(
        sorted(&incidents().asker(), left).await,
        ["Barnet | 0", "Camden | 3", "City | NULL", "Hackney | 3", "Nowhere | NULL", "Unknown | NULL"]
    );
}

#[tokio::test]
async fn a_finer_release_is_told_and_the_last_resort() {
    let finer = |placed: &crate::Placed| placed.notices.iter().any(|notice| notice.contains("finer than the question"));
    let by_name = format!("SELECT b.name, count(*) {JOINED} GROUP BY b.name");
    assert!(finer(&incidents().placed(&by_name).await.unwrap()));
    let by_key = format!("SELECT b.gss, count(*) {JOINED} GROUP BY b.gss");
    assert!(!finer(&incidents().placed(&by_key).await.unwrap()));
    let mut declared = incidents();
    declared.declare("incidents", "boroughs", "gss", &["name"]);
    let placed = declared.placed(&by_name).await.unwrap();
    assert!(!finer(&placed) && placed.remotes.len() == 1, "{:?}", placed.remotes);
}

#[tokio::test]
async fn cells_that_are_not_enough_are_refused() {
    for sql in [
        // A key that is no dimension, or that nothing fixes.
        "SELECT count(*) FROM lfb.incidents i JOIN camden.buildings c ON i.uprn = c.uprn".to_owned(),
        "SELECT count(*) FROM lfb.incidents i JOIN every.buildings u ON i.borough_gss = u.borough_gss".to_owned(),
        // Rows without a partner, for which absent cells are not seen.
        "SELECT b.name, count(*) FROM lfb.incidents i LEFT JOIN gla.boroughs b ON i.borough_gss = b.gss GROUP BY b.name".to_owned(),
        "SELECT b.name, count(*) FROM lfb.incidents i FULL JOIN gla.boroughs b ON i.borough_gss = b.gss GROUP BY b.name".to_owned(),
        "SELECT count(*) FROM lfb.incidents WHERE borough_gss NOT IN (SELECT gss FROM gla.boroughs)".to_owned(),
        // Conditions over rows.
        format!("SELECT b.name, count(*) {JOINED} AND i.year > b.population GROUP BY b.name"),
        format!("SELECT b.name, count(*) {JOINED} WHERE i.year > 2019 OR b.inner_london GROUP BY b.name"),
        "SELECT b.name, count(*) FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss IS NOT DISTINCT FROM b.gss GROUP BY b.name".to_owned(),
        "SELECT b.name, count(*) FROM lfb.incidents i CROSS JOIN gla.boroughs b GROUP BY b.name".to_owned(),
        // What is no cell.
        format!("SELECT b.name, max(i.cost) {JOINED} GROUP BY b.name"),
        format!("SELECT b.name, count(DISTINCT i.year) {JOINED} GROUP BY b.name"),
        format!("SELECT b.name, sum(i.cost * b.area) {JOINED} GROUP BY b.name"),
        format!("SELECT DISTINCT b.name {JOINED}"),
        format!("SELECT i.year + length(b.name), count(*) {JOINED} GROUP BY 1"),
        format!("SELECT b.name, count(*) FILTER (WHERE i.year > b.population) {JOINED} GROUP BY b.name"),
    ] {
        let placed = both().placed(&sql).await;
        assert!(placed.is_err(), "{sql}\n{:?}", placed.unwrap().remotes);
    }
    // Equal keys of cells alone are enough where they are asked for.
    let sql = "SELECT i.borough_gss, count(*) FROM lfb.incidents i JOIN every.buildings u ON i.borough_gss = u.borough_gss GROUP BY i.borough_gss";
    assert_eq!(sorted(&both().asker(), sql).await, sorted(&both().central(), sql).await);
}

#[tokio::test]
async fn the_refusal_is_about_the_dataset_that_stays() {
    let error = both()
        .placed("SELECT sum(u.storeys) FROM lfb.incidents i JOIN every.buildings u ON i.borough_gss = u.borough_gss")
        .await;
    let error = error.unwrap_err();
    assert_eq!(error.rule, "placement.eager", "{error}");
    assert!(error.reason.contains("neither labels nor asked for"), "{error}");
}
