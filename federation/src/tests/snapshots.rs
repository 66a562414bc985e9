//! What each body is asked.

use crate::tests::world::{World, rows, texts_are};
use meridian_proto::Form;

#[tokio::test]
async fn one_body_is_asked_for_the_whole() {
    texts_are(&World::open(), &[
        (
            "SELECT borough_gss, count(*) FROM lfb.incidents WHERE year = 2020 GROUP BY borough_gss HAVING count(*) > 1",
            &["lfb: SELECT c0, c1 FROM (SELECT borough_gss AS c0, count(*) AS c1 FROM london.lfb.incidents \
               WHERE \"year\" = CAST(2020 AS INTEGER) GROUP BY borough_gss) WHERE c1 > 1"],
        ),
        (
            "SELECT note FROM lfb.incidents ORDER BY cost DESC LIMIT 3",
            &["lfb: SELECT note AS c0, \"cost\" AS c1 FROM london.lfb.incidents ORDER BY c1 DESC NULLS LAST LIMIT 3"],
        ),
        ("SELECT count(*) FROM lfb.incidents", &["lfb: SELECT count(*) AS c0 FROM london.lfb.incidents"]),
        (
            "SELECT year FROM lfb.incidents WHERE random() < 0.5 AND year > 2019",
            &["lfb: SELECT \"year\" AS c0 FROM london.lfb.incidents WHERE \"year\" > CAST(2019 AS INTEGER)"],
        ),
        (
            "SELECT count(*) FROM lfb.incidents WHERE cost > (SELECT avg(area) FROM gla.boroughs)",
            &["gla: SELECT CAST(c0 AS DECIMAL(30,15)) AS c0 FROM (SELECT avg(area) AS c0 FROM london.gla.boroughs)",
              "lfb: SELECT \"cost\" AS c0 FROM london.lfb.incidents"],
        ),
    ]).await;
}

#[tokio::test]
async fn every_body_is_asked_for_its_own() {
    texts_are(&World::open(), &[
        (
            "SELECT _body, kind, count(*) FROM every.buildings GROUP BY _body, kind",
            &["camden+hackney+barnet: SELECT 'camden' AS c0, c0 AS c1, c1 AS c2 FROM (SELECT kind AS c0, count(*) AS c1 \
               FROM london.camden.buildings GROUP BY kind)"],
        ),
        (
            "SELECT borough_gss, avg(value) FROM every.buildings GROUP BY borough_gss",
            &["camden+hackney+barnet: SELECT borough_gss AS c0, avg(\"value\") AS c1 FROM london.camden.buildings GROUP BY borough_gss"],
        ),
        (
            "SELECT kind, avg(value) FROM every.buildings GROUP BY kind",
            &["camden+hackney+barnet: SELECT kind AS c0, sum(\"value\") AS c1, count(\"value\") AS c2 FROM london.camden.buildings GROUP BY kind"],
        ),
        (
            "SELECT kind, count(*) FROM every.buildings WHERE borough_gss IN ('E09000007', 'E09000012') GROUP BY kind",
            &["camden+hackney: SELECT kind AS c0, count(*) AS c1 FROM london.camden.buildings \
               WHERE borough_gss IN ('E09000007', 'E09000012') GROUP BY kind"],
        ),
        (
            "SELECT kind, stddev(storeys) FROM every.buildings WHERE _body = 'hackney' GROUP BY kind",
            &["hackney: SELECT kind AS c0, stddev(CAST(storeys AS DOUBLE)) AS c1 FROM london.hackney.buildings GROUP BY kind"],
        ),
        (
            "SELECT supplier FROM every.spend ORDER BY amount LIMIT 2",
            &["camden+hackney+barnet: SELECT supplier AS c0, amount AS c1 FROM london.camden.spend ORDER BY c1 ASC NULLS LAST LIMIT 2"],
        ),
        ("SELECT supplier FROM every.spend LIMIT 2", &["camden+hackney+barnet: SELECT supplier AS c0 FROM london.camden.spend LIMIT 2"]),
        // Not split: distinct across bodies, and what has no partial form.
        (
            "SELECT count(DISTINCT supplier) FROM every.spend",
            &["camden+hackney+barnet: SELECT supplier AS c0 FROM london.camden.spend"],
        ),
        (
            "SELECT stddev(rate) FROM every.spend",
            &["camden+hackney+barnet: SELECT rate AS c0 FROM london.camden.spend"],
        ),
        // A limit below keeps the rest above it.
        (
            "SELECT count(*) FROM (SELECT supplier FROM every.spend LIMIT 4) WHERE supplier = 'Acme'",
            &["camden+hackney+barnet: SELECT supplier AS c0 FROM london.camden.spend LIMIT 4"],
        ),
    ]).await;
}

#[tokio::test]
async fn statistics_are_asked_for_cells() {
    let world = World::with(|_, dataset| if dataset == "boroughs" { Form::Open } else { Form::Statistics });
    texts_are(&world, &[
        (
            "SELECT borough_gss, count(*) AS n FROM lfb.incidents GROUP BY borough_gss ORDER BY n DESC LIMIT 2",
            &["lfb: SELECT borough_gss AS c0, count(*) AS c1 FROM london.lfb.incidents GROUP BY borough_gss ORDER BY c1 DESC NULLS LAST LIMIT 2"],
        ),
        (
            "SELECT b.name, i.n FROM gla.boroughs b JOIN (SELECT borough_gss, count(DISTINCT uprn) AS n FROM lfb.incidents GROUP BY 1) i ON b.gss = i.borough_gss",
            &["gla: SELECT gss AS c0, \"name\" AS c1 FROM london.gla.boroughs",
              "lfb: SELECT borough_gss AS c0, count(DISTINCT uprn) AS c1 FROM london.lfb.incidents GROUP BY borough_gss"],
        ),
        (
            "SELECT kind, avg(storeys), sum(value) FROM every.buildings GROUP BY kind",
            &["camden+hackney+barnet: SELECT kind AS c0, sum(CAST(storeys AS BIGINT)) AS c1, count(storeys) AS c2, sum(\"value\") AS c3 \
               FROM london.camden.buildings GROUP BY kind"],
        ),
        (
            "SELECT _body, count(*) FROM every.spend GROUP BY _body",
            &["camden+hackney+barnet: SELECT 'camden' AS c0, c0 AS c1 FROM (SELECT count(*) AS c0 FROM london.camden.spend)"],
        ),
        (
            "SELECT _body, count(*) FROM every.spend WHERE _body IN ('camden', 'barnet') AND department = 'parks' GROUP BY _body",
            &["camden+barnet: SELECT 'camden' AS c0, c0 AS c1 FROM (SELECT count(*) AS c0 FROM london.camden.spend WHERE department = 'parks')"],
        ),
    ]).await;
}

#[tokio::test]
async fn explain_and_local_rows_go_through_the_same_planner() {
    let asker = World::open().asker();
    let plan = rows(&asker, "EXPLAIN SELECT count(*) FROM lfb.incidents").await.unwrap();
    assert!(!plan.is_empty());
    let sql = "SELECT v.k, count(i.uprn) FROM (VALUES (2020), (1999)) AS v(k) LEFT JOIN lfb.incidents i ON i.year = v.k GROUP BY v.k ORDER BY v.k";
    assert_eq!(rows(&asker, sql).await.unwrap(), ["1999 | 0", "2020 | 3"]);
}

#[tokio::test]
async fn many_bodies_share_one_summary() {
    let mut world = World::open();
    let camden = world.holdings.iter().position(|holding| holding.name.dataset.as_str() == "spend").unwrap();
    for number in 0..300 {
        let copy = world.holdings[camden].renamed(&format!("b{number}"));
        world.holdings.push(copy);
    }
    let (context, plan) =
        world.optimised("SELECT supplier, avg(amount) FROM every.spend WHERE units > 1 GROUP BY supplier").await;
    let placed = crate::place(plan, &context.state()).unwrap();
    assert_eq!(placed.remotes.iter().map(|remote| remote.bodies.len()).collect::<Vec<_>>(), [303]);
}
