//! Noise, history and allowances on the way from SQL to an answer.

use std::sync::Arc;

use meridian_disclosure::noise::{CountTable, MagnitudeTable, Parameters};

use super::setup::{Body, Incident, alike, exact, grant, lines, loda};
use crate::gate::{Controls, Intent, Terms};
use crate::history::History;

const LARGEST: i64 = 5;

/// Noise as a node makes it, under one secret.
fn noisy(history: &Arc<History>, reuse: bool) -> Controls {
    let parameters = Parameters { largest: 5, variance: 2.0, forbidden: 0, stay: None };
    Controls {
        counts: CountTable::made(&parameters, [5; 32]).unwrap(),
        magnitudes: MagnitudeTable::made(5, 2.0).unwrap(),
        history: Arc::clone(history),
        reuse,
        ..exact()
    }
}

/// Homes of one row each, under a node's controls.
fn body(homes: &[Incident], history: &Arc<History>, reuse: bool) -> Body {
    let body = Body::new(homes);
    body.amend("homes", |terms: &mut Terms| terms.controls = Some(Arc::new(noisy(history, reuse))));
    body
}

fn homes(units: i64, borough: &'static str, first: i64) -> Vec<Incident> {
    alike(units, first, &Incident { borough: Some(borough), year: Some(2020), cost: Some(50), ..Incident::default() })
}

async fn number(body: &Body, sql: &str) -> i64 {
    body.rows(sql, &loda()).await.unwrap()[0].parse().unwrap()
}

#[tokio::test]
async fn a_cell_has_one_answer_in_any_words_rows_and_restarts() {
    let rows = [homes(40, "bexley", 1), homes(30, "camden", 100)].concat();
    let mut shuffled = rows.clone();
    shuffled.reverse();
    let history = History::in_memory();
    let (one, other) = (body(&rows, &history, true), body(&shuffled, &History::in_memory(), true));
    let mut found = Vec::new();
    for sql in [
        "SELECT count(*) FROM homes WHERE borough = 'bexley'",
        "SELECT count(DISTINCT uprn) FROM homes WHERE NOT (borough <> 'bexley')",
        "SELECT count(*) FILTER (WHERE borough LIKE 'bex%') FROM homes",
        "SELECT sum(CASE WHEN borough IN ('bexley') THEN 1 END) FROM homes",
        "SELECT n FROM (SELECT borough, count(*) n FROM homes GROUP BY borough) t WHERE borough = 'bexley'",
    ] {
        found.push(number(&one, sql).await);
        found.push(number(&other, sql).await);
    }
    assert!(found.iter().all(|count| *count == found[0]), "{found:?}");
    assert!((found[0] - 40).abs() <= LARGEST, "{found:?}");
}

#[tokio::test]
async fn no_sum_leaves_as_it_is() {
    let body = body(&homes(40, "bexley", 1), &History::in_memory(), true);
    for condition in ["year = 2020", "borough = 'bexley'"] {
        let sum = number(&body, &format!("SELECT sum(cost) FROM homes WHERE {condition}")).await;
        assert!(sum != 2000 && (sum - 2000).abs() <= 50 * LARGEST, "{sum}");
    }
}

/// The analyst who knows all of a cell but one, and asks with and without: the second sum is the first's answer.
#[tokio::test]
async fn differencing_two_sums_that_are_near_gives_nothing() {
    let mut rows = homes(40, "bexley", 1);
    rows.extend(alike(
        2,
        900,
        &Incident { borough: Some("camden"), year: Some(2020), cost: Some(100), ..Incident::default() },
    ));
    let all = "SELECT sum(cost) FROM homes WHERE year = 2020";
    let without = "SELECT sum(cost) FROM homes WHERE year = 2020 AND borough = 'bexley'";
    for (first, second) in [(all, without), (without, all)] {
        let body = body(&rows, &History::in_memory(), true);
        assert_eq!(number(&body, first).await, number(&body, second).await);
    }
    // Without the history noise alone stands against it.
    let body = body(&rows, &History::in_memory(), false);
    assert_ne!(number(&body, all).await, number(&body, without).await);
}

/// Two boroughs' homes under an agreement of so many cells.
fn counted(allowance: u64) -> Body {
    let rows = [homes(40, "bexley", 1), homes(30, "camden", 100)].concat();
    let body = body(&rows, &History::in_memory(), true);
    body.amend("homes", |terms: &mut Terms| {
        let granted = grant("few-cells", meridian_proto::Form::Statistics);
        terms.grants = vec![crate::gate::Grant { allowance: Some(allowance), ..granted }];
        Arc::make_mut(&mut terms.dataset).needs_agreement = true;
    });
    body
}

const BY_BOROUGH: &str = "SELECT borough, count(*) FROM homes GROUP BY borough";

#[tokio::test]
async fn what_an_agreement_gives_is_spent_and_then_nothing_leaves() {
    let body = counted(4);
    assert_eq!(body.rows(BY_BOROUGH, &loda()).await.unwrap().len(), 2);
    // Of four cells two are left: the first borough's. What is over is as if it did not pass.
    let more = "SELECT borough, count(*), sum(cost) FROM homes GROUP BY 1";
    let (batches, facts) = body.run(more, &loda()).await.unwrap();
    let rows = lines(&batches);
    assert!(rows.len() == 1 && rows[0].starts_with("bexley ") && !rows[0].contains('∅'), "{rows:?}");
    assert!(facts.notices.iter().any(|notice| notice.contains("2 of them from this answer on")), "{facts:?}");
    let refused = body.refusal("SELECT count(*) FROM homes", &loda()).await;
    assert_eq!(refused.rule, "allowance.spent");
    // A check says nothing of what is left, since that tells how many cells were visible.
    let checked = body.decide("SELECT count(*) FROM homes", &loda(), Intent::Check).await.unwrap();
    assert!(checked.facts().notices.iter().any(|notice| notice.contains("is not looked at in a check")));
}

#[tokio::test]
async fn the_same_question_is_charged_once() {
    let body = counted(3);
    let first = body.rows(BY_BOROUGH, &loda()).await.unwrap();
    for _ in 0..3 {
        assert_eq!(body.rows(BY_BOROUGH, &loda()).await.unwrap(), first);
    }
    // In other words it is another question, though its cells are the same: free, it would tell that they are.
    let other = "SELECT borough, count(*) FROM homes WHERE year = 2020 GROUP BY borough";
    assert_eq!(body.rows(other, &loda()).await.unwrap(), first[..1]);
    assert_eq!(body.refusal(BY_BOROUGH, &loda()).await.rule, "allowance.spent");
}

#[tokio::test]
async fn where_one_agreement_is_spent_another_may_give() {
    let body = counted(2);
    body.amend("homes", |terms: &mut Terms| {
        let second = crate::gate::Grant { agreement: "more".into(), ..terms.grants[0].clone() };
        terms.grants.push(second);
    });
    for agreement in ["few-cells", "more"] {
        let (_, facts) = body.run(&format!("{BY_BOROUGH} -- {agreement}"), &loda()).await.unwrap();
        assert_eq!(facts.agreements, [agreement]);
    }
    assert_eq!(body.refusal(BY_BOROUGH, &loda()).await.rule, "allowance.spent");
}

/// Units stay in a cell while what they contribute is cut: with one noise for both sums, their difference would be the
/// exact sum of what was cut.
#[tokio::test]
async fn sums_over_the_same_units_have_noise_of_their_own() {
    let mut rows = homes(40, "bexley", 1);
    for row in &mut rows {
        row.cost = Some(60);
    }
    // One that contributes most in either cell, so that noise has one scale.
    let busy = rows[30].clone();
    rows.extend([busy.clone(), busy]);
    let cut = Incident { borough: Some("camden"), year: Some(2021), cost: Some(10), ..Incident::default() };
    rows.extend(alike(15, 1, &cut));
    for (all, less) in [
        ("SELECT sum(cost) FROM incidents", "SELECT sum(cost) FROM incidents WHERE borough <> 'camden'"),
        ("SELECT count(*) FROM incidents", "SELECT count(*) FROM incidents WHERE borough <> 'camden'"),
        (
            "SELECT sum(cost) FROM (SELECT cost FROM incidents UNION ALL SELECT cost FROM incidents WHERE year = 2020) t",
            "SELECT sum(cost) FROM (SELECT cost FROM incidents WHERE year = 2020 UNION ALL SELECT cost FROM incidents WHERE year = 2020) t",
        ),
    ] {
        let body = Body::new(&rows);
        let controls = Arc::new(noisy(&History::in_memory(), false));
        body.amend("incidents", |terms: &mut Terms| terms.controls = Some(controls));
        let exact = if all.contains("count") { 15 } else { 150 };
        assert_ne!(number(&body, all).await - number(&body, less).await, exact, "{all}");
    }
}

/// A join that changes nothing is no way round what was answered before, nor does it give another noise.
#[tokio::test]
async fn a_join_gives_no_second_answer() {
    let mut rows = homes(40, "bexley", 1);
    rows.extend(alike(2, 900, &Incident { borough: Some("camden"), cost: Some(100), ..Incident::default() }));
    let body = body(&rows, &History::in_memory(), true);
    let all = number(&body, "SELECT sum(cost) FROM homes").await;
    for condition in ["true", "borough = 'bexley'"] {
        let joined = format!("SELECT sum(cost) FROM homes WHERE uprn IN (SELECT uprn FROM incidents) AND {condition}");
        assert_eq!(number(&body, &joined).await, all, "{condition}");
    }
}

#[tokio::test]
async fn each_dataset_of_a_join_is_charged_under_its_own_agreement() {
    let history = History::in_memory();
    let body = body(&homes(40, "bexley", 1), &history, true);
    for (dataset, allowance) in [("homes", 2), ("incidents", 9)] {
        body.amend(dataset, |terms: &mut Terms| {
            let granted = grant(dataset, meridian_proto::Form::Statistics);
            terms.grants = vec![crate::gate::Grant { allowance: Some(allowance), ..granted }];
            terms.controls = Some(Arc::new(noisy(&history, true)));
            Arc::make_mut(&mut terms.dataset).needs_agreement = true;
        });
    }
    let joined = |year: i32| {
        format!("SELECT count(DISTINCT h.uprn) FROM homes h JOIN incidents i ON h.uprn = i.uprn WHERE i.year >= {year}")
    };
    let spent = |dataset: &str| history.spent(Some(dataset), &format!("london.lfb.{dataset}")).unwrap();
    body.rows(&joined(2019), &loda()).await.unwrap();
    assert_eq!((spent("homes"), spent("incidents")), (1, 1));
    body.rows("SELECT count(*) FROM homes", &loda()).await.unwrap();
    // A join is no way around what is spent of one of its datasets.
    let refused = body.refusal(&joined(2020), &loda()).await;
    assert!(refused.reason.contains("homes gives 2 cells of london.lfb.homes"), "{refused}");
    assert!(body.rows("SELECT count(*) FROM incidents", &loda()).await.is_ok());
}
