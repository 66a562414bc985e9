//! Open rows of the asking node's own: what a condition chooses among them is joined first, and its keys are sent, where they may be.

use std::sync::Arc;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::LogicalPlan;
use meridian_proto::Form;

use crate::keys::OpenHere;
use crate::neighbours::regrouped;
use crate::tests::keyed::Sent;
use crate::tests::world::{World, both, sorted};

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
    // Keys of others are.
    let found = sent(own(false), CHOSEN).await;
    assert!(found.iter().all(|sql| !sql.contains("E09")), "{found:?}");
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
async fn what_a_subquery_comes_to_is_in_no_key() {
    for form in [Form::Rows, Form::Open] {
        for open in [true, false] {
            let all = Sent::default();
            let world = World::with(|body, _| if body == "lfb" { form } else { Form::Open });
            let world = World { keyed: Some(all.clone()), own: open.then_some(("gla", true)), ..world };
            // Who knows the population would know the incidents' last year.
            let sql = "SELECT b.kind FROM gla.boroughs g LEFT JOIN every.buildings b \
                       ON b.uprn = g.population + (SELECT max(year) FROM lfb.incidents) AND b.borough_gss = g.gss";
            assert_eq!(sent((world, all), sql).await, Vec::<String>::new(), "{form:?} {open}");
        }
    }
}

#[tokio::test]
async fn what_was_closed_meanwhile_is_not_sent() {
    let (world, all) = own(true);
    let asker = world.asker();
    let closed = OpenHere::new(vec!["london.gla.boroughs".into()], Arc::new(|| false));
    asker.state_ref().write().config_mut().options_mut().extensions.insert(closed);
    assert_eq!(sorted(&asker, CHOSEN).await, sorted(&world.central(), CHOSEN).await);
    let asked = all.new_ones();
    assert!(!asked.is_empty() && asked.iter().all(|sql| !sql.contains("E09000007")), "{asked:?}");
}

#[tokio::test]
async fn choices_that_have_but_their_neighbours_in_common_are_joined_one_after_the_other() {
    let (world, _) = own(true);
    let sql = "SELECT b.kind, g.name, h.name FROM lfb.incidents i JOIN every.buildings b ON b.uprn = i.uprn \
               JOIN gla.boroughs g ON g.gss = i.borough_gss JOIN gla.boroughs h ON h.area = i.households \
               WHERE g.name = 'Camden' AND h.population > 1";
    let (_, plan) = world.optimised(sql).await;
    let found = regrouped(&plan, true);
    assert!(found.iter().any(|turned| turned.narrows), "{plan}");
    for turned in found {
        let mut pairs = 0;
        turned
            .plan
            .apply(|node| {
                if let LogicalPlan::Join(join) = node {
                    pairs += usize::from(join.on.is_empty());
                }
                Ok(TreeNodeRecursion::Continue)
            })
            .unwrap();
        assert_eq!(pairs, 0, "{}", turned.plan);
    }
    let (here, there) = both(&world, sql).await;
    assert_eq!(here, there);
}

#[tokio::test]
async fn it_is_told_whose_keys_are_sent() {
    let placed = own(true).0.placed(CHOSEN).await.unwrap();
    let mut told: Vec<String> = placed.remotes.iter().map(|remote| remote.keys_of.join(", ")).collect();
    told.sort();
    let all = "london.barnet.buildings, london.camden.buildings, london.gla.boroughs, london.hackney.buildings";
    assert_eq!(told, [all, "london.gla.boroughs"]);
    let placed = own(false).0.placed(CHOSEN).await.unwrap();
    let told = placed.remotes.iter().flat_map(|remote| &remote.keys_of);
    assert!(told.into_iter().all(|of| !of.starts_with("london.gla.")), "{:?}", placed.remotes);
}

#[tokio::test]
async fn without_a_choice_or_by_other_joins_the_order_stays() {
    let (world, _) = own(true);
    let (_, plan) = world.optimised(CHOSEN).await;
    let turned = regrouped(&plan, true);
    assert!(turned.len() == 1 && turned[0].narrows, "{plan}");
    // Where nobody may be told of a choice, it is not made first.
    assert!(regrouped(&plan, false).iter().all(|turned| !turned.narrows), "{plan}");
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
        assert!(regrouped(&plan, true).iter().all(|turned| !turned.narrows), "{sql}\n{plan}");
        let (here, there) = both(&world, &sql).await;
        assert_eq!(here, there, "{sql}");
    }
}
