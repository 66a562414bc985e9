//! Open rows of the asking node's own: what a condition chooses among them is joined first, and its keys are sent, where they may be.

use meridian_proto::Form;

use crate::neighbours::regrouped;
use crate::tests::keyed::Sent;
use crate::tests::world::{World, both};

/// The boroughs are the asker's own.
fn own(open: bool) -> (World, Sent) {
    let sent = Sent::default();
    (World { keyed: Some(sent.clone()), own: Some(("gla", open)), ..World::open() }, sent)
}

const CHOSEN: &str = "SELECT c.crew, b.kind, g.name FROM lfb.crews c JOIN every.buildings b ON b.uprn = c.uprn \
                      JOIN gla.boroughs g ON g.gss = b.borough_gss WHERE g.population = 270000";

/// Answers as one engine does; what bodies were sent with keys.
async fn sent((world, sent): (World, Sent), sql: &str) -> Vec<String> {
    let (here, there) = both(&world, sql).await;
    assert!(!there.is_empty(), "{sql}");
    assert_eq!(here, there, "{sql}");
    let mut keyed: Vec<String> = sent.new_ones().into_iter().filter(|sql| sql.contains(" IN (")).collect();
    keyed.sort();
    keyed
}

#[tokio::test]
async fn the_keys_of_what_is_chosen_are_sent() {
    let found = sent(own(true), CHOSEN).await;
    let of = |body: &str| found.iter().filter(|sql| sql.starts_with(body)).count();
    assert_eq!((found.len(), of("lfb"), of("camden"), of("hackney"), of("barnet")), (4, 1, 1, 1, 1), "{found:#?}");
    for sql in &found {
        let keys = if sql.starts_with("lfb") { " IN (1, 2, 3, 4)" } else { " IN ('E09000007')" };
        assert!(sql.ends_with(keys), "{sql}");
    }
    // By themselves, without anything of another body.
    let sql =
        "SELECT s.station FROM gla.boroughs g JOIN lfb.stations s ON s.borough_gss = g.gss WHERE g.name = 'Hackney'";
    let found = sent(own(true), sql).await;
    assert!(found.len() == 1 && found[0].starts_with("lfb: ") && found[0].ends_with(" IN ('E09000012')"), "{found:?}");
}

#[tokio::test]
async fn they_are_not_sent_where_nobody_says_that_they_are_open() {
    assert_eq!(sent(own(false), CHOSEN).await, Vec::<String>::new());
    let sql =
        "SELECT s.station FROM gla.boroughs g JOIN lfb.stations s ON s.borough_gss = g.gss WHERE g.name = 'Hackney'";
    assert_eq!(sent(own(false), sql).await, Vec::<String>::new());
    // What lies elsewhere under an agreement makes a choice that nobody is told.
    let all = Sent::default();
    let world = World::with(|body, _| if body == "lfb" { Form::Rows } else { Form::Open });
    let world = World { keyed: Some(all.clone()), own: Some(("gla", true)), ..world };
    let sql = "SELECT b.kind FROM every.buildings b JOIN (SELECT g.gss FROM gla.boroughs g JOIN lfb.stations s ON s.borough_gss = g.gss) x \
               ON x.gss = b.borough_gss";
    let found = sent((world, all), sql).await;
    assert!(found.iter().all(|sql| sql.starts_with("lfb: ")), "{found:?}");
}

#[tokio::test]
async fn it_is_told_whose_keys_are_sent() {
    let placed = own(true).0.placed(CHOSEN).await.unwrap();
    let mut told: Vec<String> = placed.remotes.iter().map(|remote| remote.keys_of.join(", ")).collect();
    told.sort();
    let all = "london.barnet.buildings, london.camden.buildings, london.gla.boroughs, london.hackney.buildings";
    assert_eq!(told, [all, "london.gla.boroughs"]);
    let placed = own(false).0.placed(CHOSEN).await.unwrap();
    assert!(placed.remotes.iter().all(|remote| remote.keys_of.is_empty()), "{:?}", placed.remotes);
}

#[tokio::test]
async fn without_a_choice_or_by_other_joins_the_order_stays() {
    let (world, _) = own(true);
    let (_, plan) = world.optimised(CHOSEN).await;
    let turned = regrouped(&plan);
    assert!(turned.len() == 1 && turned[0].narrows, "{plan}");
    let joins = "FROM lfb.crews c JOIN every.buildings b ON b.uprn = c.uprn";
    for sql in [
        // All of them.
        format!("SELECT c.crew, g.name {joins} JOIN gla.boroughs g ON g.gss = b.borough_gss"),
        // No equality.
        format!("SELECT c.crew, g.name {joins} JOIN gla.boroughs g ON g.area < b.height WHERE g.name = 'Camden'"),
        // Rows that stay without a partner.
        format!("SELECT c.crew, g.name {joins} LEFT JOIN gla.boroughs g ON g.gss = b.borough_gss AND g.name = 'Camden'"),
        // Nobody else to be told.
        "SELECT s.station, g.name FROM lfb.stations s JOIN gla.boroughs g ON g.gss = s.borough_gss JOIN gla.boroughs h ON h.gss = g.gss \
         WHERE g.name = 'Camden'"
            .to_owned(),
    ] {
        let (_, plan) = world.optimised(&sql).await;
        assert!(regrouped(&plan).iter().all(|turned| !turned.narrows), "{sql}\n{plan}");
        let (here, there) = both(&world, &sql).await;
        assert_eq!(here, there, "{sql}");
    }
}
