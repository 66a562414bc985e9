//! Key filters: which keys are sent, to whom, and that the answer is that of one engine.

use meridian_proto::Form;

use crate::tests::keyed::Sent;
use crate::tests::world::{World, both, rows};

/// A world in which keys are sent wherever they can be.
fn keyed(world: World) -> (World, Sent) {
    let sent = Sent::default();
    (World { keyed: Some(sent.clone()), ..world }, sent)
}

/// Answers as one engine does; what bodies were sent with keys.
async fn sent(world: World, sql: &str) -> Vec<String> {
    let (world, sent) = keyed(world);
    let (here, there) = both(&world, sql).await;
    assert_eq!(here, there, "{sql}");
    sent.new_ones().into_iter().filter(|sql| sql.contains(" IN (")).collect()
}

#[tokio::test]
async fn each_key_is_sent_once_and_null_never() {
    let sql = "SELECT b.name, s.station FROM gla.boroughs b JOIN lfb.stations s ON b.gss = s.borough_gss";
    let sent = sent(World::open(), sql).await;
    assert_eq!(
        sent,
        ["gla: SELECT c0, c1 FROM (SELECT gss AS c0, \"name\" AS c1 FROM london.gla.boroughs) \
                       WHERE c0 IN ('E09000001', 'E09000007', 'E09000012', 'E09000033')"]
    );
}

#[tokio::test]
async fn one_key_is_sent_like_many() {
    let sql = "SELECT s.station, b.name FROM lfb.stations s JOIN gla.boroughs b ON b.gss = s.borough_gss \
               WHERE b.gss = 'E09000007' ORDER BY s.station";
    assert_eq!(
        sent(World::open(), sql).await,
        [
            "lfb: SELECT c0, c1 FROM (SELECT station AS c0, borough_gss AS c1 FROM london.lfb.stations WHERE borough_gss = 'E09000007') \
              WHERE c1 IN ('E09000007')"
        ]
    );
}

#[tokio::test]
async fn a_sort_that_is_moved_below_the_join_does_not_hinder() {
    let sql = "SELECT h.uprn, b.name FROM every.buildings h JOIN gla.boroughs b ON b.gss = h.borough_gss \
               WHERE b.name = 'Camden' ORDER BY h.uprn";
    let (world, sent) = keyed(World { single: true, ..World::open() });
    let plan = rows(&world.asker(), &format!("EXPLAIN {sql}")).await.unwrap().join("\n");
    let (join, sort) = (plan.find("HashJoinExec"), plan.find("SortExec"));
    assert!(plan.contains("KeyFilterExec") && join.is_some() && join < sort, "{plan}");
    let (here, there) = both(&world, sql).await;
    assert_eq!(here, there);
    assert!(sent.new_ones().iter().any(|sql| sql.contains(" IN (")));
}

#[tokio::test]
async fn nobody_is_asked_where_there_is_no_key() {
    let sql = "SELECT b.name, s.station FROM gla.boroughs b JOIN lfb.stations s ON b.gss = s.borough_gss WHERE s.station = 'none'";
    let (world, sent) = keyed(World::open());
    assert_eq!(both(&world, sql).await, (Vec::new(), Vec::new()));
    let asked = sent.new_ones();
    assert!(!asked.is_empty() && asked.iter().all(|sql| sql.starts_with("lfb: ")), "{asked:?}");
}

#[tokio::test]
async fn keys_are_values_of_the_other_columns_type() {
    // An INTEGER meets a BIGINT, then a DECIMAL(10,2) an INTEGER and a DECIMAL(12,2).
    for (on, of) in [
        ("i.year = b.population", "bigint"),
        ("b.population = i.households", "bigint"),
        ("i.uprn = b.population", "bigint"),
    ] {
        let sql = format!("SELECT i.uprn, b.gss FROM lfb.incidents i JOIN gla.boroughs b ON {on}");
        assert_eq!(sent(World::open(), &sql).await.len(), 1, "{sql} ({of})");
    }
    for on in ["i.cost = u.value", "i.cost = u.storeys", "i.households = u.value", "i.uprn = u.storeys"] {
        let sql = format!("SELECT i.uprn, u.height FROM lfb.incidents i JOIN every.buildings u ON {on}");
        sent(World::open(), &sql).await;
        let sql = format!("SELECT i.uprn, u.height FROM every.buildings u JOIN lfb.incidents i ON {on}");
        sent(World::open(), &sql).await;
    }
}

#[tokio::test]
async fn floats_have_no_exact_text_and_are_not_sent() {
    let sql = "SELECT b.name, u.uprn FROM gla.boroughs b JOIN every.buildings u ON b.area = u.height";
    assert_eq!(sent(World::open(), sql).await, Vec::<String>::new());
}

#[tokio::test]
async fn rows_that_are_kept_without_a_partner_are_never_filtered() {
    for (join, asked) in [("LEFT", Some("lfb")), ("RIGHT", Some("gla")), ("FULL", None)] {
        let sql =
            format!("SELECT b.name, s.station FROM gla.boroughs b {join} JOIN lfb.stations s ON b.gss = s.borough_gss");
        let sent = sent(World::open(), &sql).await;
        let bodies: Vec<&str> = sent.iter().filter_map(|sql| sql.split(':').next()).collect();
        assert_eq!(bodies, asked.into_iter().collect::<Vec<_>>(), "{sql}: {sent:?}");
    }
}

#[tokio::test]
async fn semi_joins_are_filtered_and_anti_joins_are_not() {
    let of = "(SELECT s.borough_gss FROM lfb.stations s WHERE s.borough_gss IS NOT NULL)";
    let semi = format!("SELECT name FROM gla.boroughs WHERE gss IN {of}");
    assert_eq!(sent(World::open(), &semi).await.len(), 1);
    for sql in [
        format!("SELECT name FROM gla.boroughs WHERE gss NOT IN {of}"),
        "SELECT name FROM gla.boroughs b WHERE NOT EXISTS (SELECT 1 FROM lfb.stations s WHERE s.borough_gss = b.gss)"
            .into(),
        "SELECT b.name FROM gla.boroughs b JOIN lfb.stations s ON b.gss IS NOT DISTINCT FROM s.borough_gss".into(),
    ] {
        assert_eq!(sent(World::open(), &sql).await, Vec::<String>::new(), "{sql}");
    }
}

#[tokio::test]
async fn a_limit_below_the_join_stays_below_the_filter() {
    let sql = "SELECT b.name, s.station FROM (SELECT * FROM gla.boroughs ORDER BY population DESC NULLS LAST, gss LIMIT 3) b \
               JOIN lfb.stations s ON b.gss = s.borough_gss";
    sent(World::open(), sql).await;
}

#[tokio::test]
async fn no_key_of_what_is_not_open_is_sent() {
    let sql = "SELECT b.name, s.station FROM gla.boroughs b JOIN lfb.stations s ON b.gss = s.borough_gss";
    // Open keys may go to rows under an agreement, theirs to nobody.
    let world = World::with(|body, _| if body == "lfb" { Form::Rows } else { Form::Open });
    let found = sent(world, sql).await;
    assert!(found.len() == 1 && found[0].starts_with("lfb: "), "{found:?}");
    let world = World::with(|_, _| Form::Rows);
    assert_eq!(sent(world, sql).await, Vec::<String>::new());
    // What is protected decides which rows are open: these are not, either.
    let world = World::with(|body, _| if body == "lfb" { Form::Rows } else { Form::Open });
    let sql = "SELECT b.name, u.uprn FROM (SELECT * FROM gla.boroughs WHERE population > (SELECT count(*) FROM lfb.crews)) b \
               JOIN every.buildings u ON b.gss = u.borough_gss";
    let (world, sent) = keyed(world);
    let (here, there) = both(&world, sql).await;
    assert_eq!(here, there);
    let told = sent.new_ones().into_iter().filter(|sql| sql.contains(" IN (") && !sql.starts_with("gla"));
    assert_eq!(told.collect::<Vec<_>>(), Vec::<String>::new());
}

#[tokio::test]
async fn cells_are_never_filtered_by_keys() {
    let world = World::with(|body, _| if body == "lfb" { Form::Statistics } else { Form::Open });
    let (world, _) = keyed(world);
    let sql = "SELECT b.name, i.n FROM gla.boroughs b JOIN (SELECT borough_gss, count(*) AS n FROM lfb.incidents GROUP BY 1) i \
               ON b.gss = i.borough_gss";
    let placed = world.placed(sql).await.unwrap();
    assert!(placed.remotes.iter().all(|remote| remote.keys_of.is_empty()), "{placed:?}");
}

#[tokio::test]
async fn sizes_decide_and_explain_tells() {
    let sql = "SELECT b.name, s.station FROM gla.boroughs b JOIN lfb.stations s ON b.gss = s.borough_gss";
    let told = async |boroughs, stations| {
        let world = World::open().sized("boroughs", boroughs).sized("stations", stations);
        let placed = world.placed(sql).await.unwrap();
        placed.remotes.iter().map(|remote| remote.keys_of.join(", ")).collect::<Vec<_>>()
    };
    assert_eq!(told(2, 5).await, ["", "london.gla.boroughs"]);
    assert_eq!(told(5, 2).await, ["london.lfb.stations", ""]);
    assert_eq!(told(4, 4).await, ["", ""]);
    assert_eq!(told(5, 7).await, ["", "london.gla.boroughs"]);
    assert_eq!(told(6, 7).await, ["", ""]);
    let (world, _) = keyed(World { single: true, ..World::open() });
    let plan = rows(&world.asker(), &format!("EXPLAIN {sql}")).await.unwrap().join("\n");
    assert!(plan.contains("KeyFilterExec: side=left, keys=[c0 IN borough_gss@1]"), "{plan}");
}
