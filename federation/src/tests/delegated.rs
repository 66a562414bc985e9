//! Joins that go whole to the owner of the protected rows, and those that don't.

use meridian_proto::Form;

use crate::tests::world::{World, name, rows};

/// `lfb.incidents` leaves as statistics and declares the open `gla.boroughs`, but for its area and population.
fn world() -> World {
    let mut world = World::with(|body, _| if body == "lfb" { Form::Statistics } else { Form::Open });
    world.declare("incidents", "boroughs", "gss", &["inner_london", "name"]);
    world
}

const LEFT: &str = "(SELECT borough_gss AS c0 FROM london.lfb.incidents)";

#[tokio::test]
async fn the_owner_gets_the_whole_subtree() {
    let world = world();
    let cases = [
        (
            "SELECT b.name, count(*) FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss GROUP BY b.name",
            format!(
                "SELECT c2 AS c0, count(*) AS c1 FROM {LEFT} JOIN (SELECT gss AS c1, \"name\" AS c2 FROM london.gla.boroughs) \
                 ON c0 = c1 GROUP BY c2"
            ),
        ),
        (
            "SELECT b.name, count(*) FROM gla.boroughs b JOIN lfb.incidents i ON b.gss = i.borough_gss GROUP BY b.name",
            format!(
                "SELECT c2 AS c0, count(*) AS c1 FROM {LEFT} JOIN (SELECT gss AS c1, \"name\" AS c2 FROM london.gla.boroughs) \
                 ON c0 = c1 GROUP BY c2"
            ),
        ),
        (
            "SELECT b.name, sum(i.cost) AS s FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss \
             WHERE b.inner_london AND i.year = 2020 GROUP BY b.name ORDER BY s DESC LIMIT 2",
            "SELECT c5 AS c0, sum(c1) AS c1 FROM (SELECT borough_gss AS c0, \"cost\" AS c1, \"year\" AS c2 FROM \
             london.lfb.incidents WHERE \"year\" = CAST(2020 AS INTEGER)) JOIN (SELECT gss AS c3, inner_london AS c4, \
             \"name\" AS c5 FROM london.gla.boroughs WHERE inner_london) ON c0 = c3 GROUP BY c5 ORDER BY c1 DESC NULLS LAST LIMIT 2"
                .to_owned(),
        ),
        (
            "SELECT b.name, count(*) FROM lfb.incidents i LEFT JOIN gla.boroughs b ON i.borough_gss = b.gss AND b.inner_london \
             GROUP BY b.name",
            format!(
                "SELECT c3 AS c0, count(*) AS c1 FROM {LEFT} LEFT JOIN (SELECT gss AS c1, inner_london AS c2, \"name\" AS c3 FROM \
                 london.gla.boroughs WHERE inner_london) ON c0 = c1 GROUP BY c3"
            ),
        ),
        (
            "SELECT b.name, count(*) FROM gla.boroughs b RIGHT JOIN lfb.incidents i ON i.borough_gss = b.gss GROUP BY b.name",
            format!(
                "SELECT c2 AS c0, count(*) AS c1 FROM {LEFT} LEFT JOIN (SELECT gss AS c1, \"name\" AS c2 FROM \
                 london.gla.boroughs) ON c0 = c1 GROUP BY c2"
            ),
        ),
        (
            "SELECT year, count(*) FROM lfb.incidents WHERE borough_gss IN (SELECT gss FROM gla.boroughs WHERE inner_london) GROUP BY year",
            "SELECT c1 AS c0, count(*) AS c1 FROM (SELECT borough_gss AS c0, \"year\" AS c1 FROM london.lfb.incidents) LEFT SEMI \
             JOIN (SELECT gss AS c2, inner_london AS c3 FROM london.gla.boroughs WHERE inner_london) ON c0 = c2 GROUP BY c1"
                .to_owned(),
        ),
        // What the optimizer implies for the key is the owner's condition, and stands once.
        (
            "SELECT count(*) FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss WHERE i.borough_gss = 'E09000007'",
            "SELECT count(*) AS c0 FROM (SELECT borough_gss AS c0 FROM london.lfb.incidents WHERE borough_gss = 'E09000007') JOIN \
             (SELECT gss AS c1 FROM london.gla.boroughs) ON c0 = c1"
                .to_owned(),
        ),
        (
            "SELECT count(*) FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss WHERE b.gss IN ('E09000007', 'E09000012')",
            "SELECT count(*) AS c0 FROM (SELECT borough_gss AS c0 FROM london.lfb.incidents WHERE borough_gss IN ('E09000007', \
             'E09000012')) JOIN (SELECT gss AS c1 FROM london.gla.boroughs) ON c0 = c1"
                .to_owned(),
        ),
        (
            "SELECT count(DISTINCT uprn) FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss",
            "SELECT count(DISTINCT c1) AS c0 FROM (SELECT borough_gss AS c0, uprn AS c1 FROM london.lfb.incidents) JOIN (SELECT gss AS \
             c2 FROM london.gla.boroughs) ON c0 = c2"
                .to_owned(),
        ),
    ];
    let mut wrong = Vec::new();
    for (sql, expected) in cases {
        let placed = world.placed(sql).await.unwrap_or_else(|error| panic!("{sql}\n{error}"));
        let [remote] = placed.remotes.as_slice() else { panic!("{sql}\n{:?}", placed.remotes) };
        if (remote.bodies.as_slice(), remote.sql()) != (&[name("lfb").into()][..], expected.as_str()) {
            wrong.push(format!("{sql}\n  {}", remote.sql()));
        }
        let references: Vec<String> = remote.references().iter().map(ToString::to_string).collect();
        assert_eq!(references, ["london.gla.boroughs"]);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_answers_are_those_of_one_engine() {
    let world = world();
    let (asker, central) = (world.asker(), world.central());
    let questions = [
        "SELECT b.name, count(*) FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss GROUP BY b.name ORDER BY 1",
        "SELECT b.name, count(*), sum(i.cost) FROM gla.boroughs b JOIN lfb.incidents i ON b.gss = i.borough_gss GROUP BY b.name ORDER BY 1",
        "SELECT b.name, b.inner_london, count(*) FROM lfb.incidents i LEFT JOIN gla.boroughs b ON i.borough_gss = b.gss AND b.inner_london GROUP BY 1, 2 ORDER BY 1, 2",
        "SELECT b.inner_london, i.year, count(*) FROM gla.boroughs b RIGHT JOIN lfb.incidents i ON i.borough_gss = b.gss GROUP BY 1, 2 ORDER BY 1, 2",
        "SELECT year, count(*) FROM lfb.incidents WHERE borough_gss IN (SELECT gss FROM gla.boroughs WHERE name LIKE 'C%') GROUP BY year ORDER BY 1",
        "SELECT count(*) FROM lfb.incidents i, gla.boroughs b WHERE i.borough_gss = b.gss AND b.name = 'Camden' AND i.year > 2000",
        // What is released is joined here with what else there is.
        "SELECT x.name, x.n, b.population FROM (SELECT b.name, count(*) AS n FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss GROUP BY b.name) x JOIN gla.boroughs b ON x.name = b.name ORDER BY 1",
    ];
    for sql in questions {
        assert_eq!(rows(&asker, sql).await.unwrap(), rows(&central, sql).await.unwrap(), "{sql}");
    }
}

#[tokio::test]
async fn it_does_not_fire() {
    let join = "FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss";
    let cases = [
        (format!("SELECT b.name {join}"), "leaves as statistics only"),
        (format!("SELECT b.name, i.uprn, count(*) {join} GROUP BY 1, 2"), "groups by uprn"),
        (format!("SELECT max(i.cost) {join}"), "max over london.lfb.incidents"),
        ("SELECT count(*) FROM lfb.incidents i JOIN gla.boroughs b ON i.note = b.name".into(), "by the key"),
        ("SELECT count(*) FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss AND i.year < length(b.name)".into(), "by the key"),
        ("SELECT count(*) FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss IS NOT DISTINCT FROM b.gss".into(), "by the key"),
        ("SELECT count(*) FROM lfb.incidents i FULL JOIN gla.boroughs b ON i.borough_gss = b.gss".into(), "a Full join"),
        ("SELECT count(*) FROM lfb.incidents WHERE borough_gss NOT IN (SELECT gss FROM gla.boroughs)".into(), "join of london.lfb.incidents"),
        ("SELECT count(*) FROM lfb.incidents i JOIN (SELECT DISTINCT gss FROM gla.boroughs) b ON i.borough_gss = b.gss".into(), "computed first"),
        ("SELECT count(*) FROM lfb.incidents i JOIN camden.buildings c ON i.uprn = c.uprn".into(), "lfb declares no reference to london.camden.buildings"),
        ("SELECT count(*) FROM lfb.incidents i JOIN every.buildings c ON i.uprn = c.uprn".into(), "leaves as statistics only"),
    ];
    let world = world();
    for (sql, reason) in cases {
        // Some names are hidden, and do not get this far.
        if world.asker().sql(&sql).await.is_err() {
            assert!(sql.contains("i.note"), "{sql}");
            continue;
        }
        match world.placed(&sql).await {
            Err(error) => assert!(error.reason.contains(reason), "{sql}\n{error}"),
            Ok(placed) => panic!("{sql}\n{:?}", placed.remotes),
        }
    }
}

/// What the owner can't join it releases by key, and it is joined here.
#[tokio::test]
async fn it_leaves_to_eager_aggregation() {
    let join = "FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss";
    let cases = [
        format!("SELECT b.population, count(*) {join} GROUP BY b.population"),
        format!("SELECT count(*) {join} WHERE b.area > 5"),
        "SELECT count(*) FROM lfb.incidents i JOIN gla.boroughs b ON upper(i.borough_gss) = b.gss".into(),
        "SELECT count(*) FROM gla.boroughs b LEFT JOIN lfb.incidents i ON i.borough_gss = b.gss".into(),
    ];
    let world = world();
    for sql in cases {
        let placed = world.placed(&sql).await.unwrap_or_else(|error| panic!("{sql}\n{error}"));
        assert!(placed.remotes.iter().all(|remote| remote.references().is_empty()), "{sql}\n{:?}", placed.remotes);
        assert_eq!(placed.remotes.len(), 2, "{sql}");
    }
}

#[tokio::test]
async fn only_an_open_dataset_is_fetched_unasked() {
    let join =
        "SELECT b.name, count(*) FROM lfb.incidents i JOIN gla.boroughs b ON i.borough_gss = b.gss GROUP BY b.name";
    let declared = |form: Form| {
        let mut world = World::with(|body, _| if body == "lfb" { Form::Statistics } else { form });
        world.declare("incidents", "boroughs", "gss", &["name"]);
        world
    };
    let error = declared(Form::Statistics).placed(join).await.unwrap_err();
    assert!(error.reason.contains("and so does london.gla.boroughs"), "{error}");
    let placed = declared(Form::Rows).placed(join).await.unwrap();
    assert!(
        placed.rejected.iter().any(|why| why.contains("is not open, so that lfb is not asked")),
        "{:?}",
        placed.rejected
    );
    assert!(placed.remotes.iter().all(|remote| remote.references().is_empty()), "{:?}", placed.remotes);
    // Open rows on both sides need nobody's help.
    let mut world = World::open();
    world.declare("incidents", "boroughs", "gss", &["name"]);
    assert_eq!(world.placed(join).await.unwrap().remotes.len(), 2);
}

#[tokio::test]
async fn the_refusal_says_what_would_work() {
    let sql = "SELECT count(*) FROM lfb.incidents i JOIN camden.buildings c ON i.uprn = c.uprn";
    assert_eq!(
        world().placed(sql).await.unwrap_err().to_string(),
        "london.lfb.incidents leaves as statistics only, and lfb declares no reference to london.camden.buildings by which its rows \
         could be joined; join it with gla.boroughs by gss for inner_london, name, or aggregate london.lfb.incidents by itself and \
         join what is released, or ask lfb to declare the reference"
    );
}
