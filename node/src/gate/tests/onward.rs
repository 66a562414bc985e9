//! What one body was granted and asks for on behalf of another.

use datafusion::logical_expr::{col, lit};
use meridian_proto::Form;

use super::admitted::data;
use super::setup::{Body, grant, name, on_behalf_of};
use crate::gate::{Askers, Caller, Grant, Onward};

const ASHA: &str = "spiffe://london/body/loda/analyst/asha";
const SQL: &str = "SELECT id FROM people ORDER BY id";

/// People, as granted to the GLA and by `others`.
fn body(others: Vec<Grant>) -> Body {
    let body = Body::new(&data());
    body.amend("people", |terms| {
        let gla = Grant { recipients: vec![name("gla").into()], ..grant("to-gla", Form::Rows) };
        terms.grants = [gla].into_iter().chain(others).collect();
    });
    body
}

/// The GLA's node, for an analyst of LODA.
fn for_loda() -> Caller {
    on_behalf_of("gla", Some(ASHA))
}

#[tokio::test]
async fn rows_are_not_passed_on() {
    let body = body(vec![]);
    assert_eq!(body.rows(SQL, &on_behalf_of("gla", None)).await.unwrap().len(), 4);
    let own = "spiffe://london/body/gla/analyst/bo";
    assert_eq!(body.rows(SQL, &on_behalf_of("gla", Some(own))).await.unwrap().len(), 4);
    assert_eq!(body.rows(SQL, &on_behalf_of("gla", Some("bo"))).await.unwrap().len(), 4);
    for asker in [ASHA, "spiffe://paris/body/gla/analyst/bo", "spiffe://london/body/LODA/analyst/x", "spiffe://"] {
        let refused = body.refusal(SQL, &on_behalf_of("gla", Some(asker))).await;
        assert_eq!(refused.rule, "agreement.onward", "{asker}");
    }
    let refused = body.refusal(SQL, &for_loda()).await;
    assert_eq!(
        refused.to_string(),
        "to-gla gives london.lfb.people to gla, not to be passed on, and gla asks for loda; ask lfb for an agreement with \
         loda, or for onward = true in to-gla"
    );
    // By way of a third body, whoever asks.
    let via = on_behalf_of("gla", Some(own)).by_way_of(vec![name("loda").into()], &name("lfb")).unwrap();
    assert_eq!(body.refusal(SQL, &via).await.rule, "agreement.onward");
    // Whoever has no grant at all is told so, and nothing of others' agreements.
    assert_eq!(body.refusal(SQL, &on_behalf_of("camden", Some(ASHA))).await.rule, "agreement.active");
}

#[tokio::test]
async fn an_agreement_may_let_them_be_passed_on() {
    let body = body(vec![]);
    body.amend("people", |terms| terms.grants[0].onward = true);
    assert_eq!(body.rows(SQL, &for_loda()).await.unwrap(), ["1", "2", "3", "4"]);
}

#[tokio::test]
async fn they_reach_no_further_than_the_other_body_s_own_grant() {
    let own =
        Grant { columns: Some(vec![name("id")]), filter: Some(col("id").gt(lit(2))), ..grant("to-loda", Form::Rows) };
    let body = body(vec![own.clone()]);
    assert_eq!(body.rows(SQL, &for_loda()).await.unwrap(), ["3", "4"]);
    assert_eq!(body.refusal("SELECT ward FROM people", &for_loda()).await.rule, "rows.columns");
    body.amend("people", |terms| terms.grants[0].filter = Some(col("id").lt(lit(4))));
    assert_eq!(body.rows(SQL, &for_loda()).await.unwrap(), ["3"]);
    let lapsed = Grant { end: own.start.succ_opt().unwrap(), ..own.clone() };
    let elsewhere = Grant { purpose: "planning".into(), ..own.clone() };
    let ben = Askers { analysts: vec![name("ben")], groups: Vec::new() };
    let others = Grant { askers: Some(ben), ..own.clone() };
    let cells = Grant { form: Form::Statistics, filter: None, ..own };
    for grant in [lapsed, elsewhere, others, cells] {
        body.amend("people", |terms| terms.grants[1] = grant.clone());
        assert_eq!(body.refusal(SQL, &for_loda()).await.rule, "agreement.onward", "{grant:?}");
    }
}

#[tokio::test]
async fn cells_under_an_agreement_are_not_passed_on_either() {
    let body = Body::new(&data());
    let sql = "SELECT count(*) FROM incidents";
    assert!(body.rows(sql, &for_loda()).await.is_ok(), "for members, LODA among them");
    body.amend("incidents", |terms| {
        std::sync::Arc::make_mut(&mut terms.dataset).needs_agreement = true;
        terms.grants = vec![Grant { recipients: vec![name("gla").into()], ..grant("to-gla", Form::Statistics) }];
    });
    assert_eq!(body.refusal(sql, &for_loda()).await.rule, "agreement.onward");
    body.amend("incidents", |terms| {
        terms.grants.push(Grant { threshold: Some(1_000), ..grant("to-loda", Form::Statistics) });
    });
    assert_eq!(body.rows(sql, &for_loda()).await.unwrap(), ["∅"], "the higher threshold holds");
    body.amend("incidents", |terms| terms.grants[0].onward = true);
    assert_ne!(body.rows(sql, &for_loda()).await.unwrap(), ["∅"]);
}

#[test]
fn a_question_goes_in_no_circle_and_no_long_way() {
    let by_way_of = |via: &[&str]| {
        let via = via.iter().map(|body| name(body).into()).collect();
        on_behalf_of("gla", Some(ASHA)).by_way_of(via, &name("lfb")).map_err(|refused| refused.rule)
    };
    assert_eq!(
        by_way_of(&["loda"]).unwrap().onward(),
        Onward { asker: ASHA.to_owned(), groups: Vec::new(), via: vec![name("loda").into(), name("gla").into()] }
    );
    assert_eq!(by_way_of(&[]).unwrap().onward().via, [name("gla")]);
    for circle in [&["lfb"] as &[&str], &["gla"], &["loda", "loda"], &["loda", "lfb"]] {
        assert_eq!(by_way_of(circle).unwrap_err(), "via.cycle", "{circle:?}");
    }
    assert!(by_way_of(&["loda", "camden", "brent"]).is_ok());
    assert_eq!(by_way_of(&["loda", "camden", "brent", "ealing"]).unwrap_err(), "via.depth");
}
