//! Answers that are under way when terms change or end.

use std::sync::{Arc, Mutex};

use arrow::array::StringArray;
use chrono::{DateTime, Days, Utc};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{col, lit};
use futures::StreamExt;
use meridian_proto::{DatasetName, Form};

use super::super::{Askers, Caller, Grant, InForce, Refused, Released, Terms, guard};
use super::setup::{Body, Incident, alike, analyst, grant, loda, name, now, scan, terms};
use crate::audit::Durable;

/// Rows of the dataset: more than leave between two looks.
const ROWS: i32 = 40_000;

/// The body's terms as they are, at a time that passes.
#[derive(Debug)]
struct Passing {
    body: Arc<dyn InForce>,
    now: Mutex<DateTime<Utc>>,
}

impl InForce for Passing {
    fn now(&self) -> DateTime<Utc> {
        *self.now.lock().unwrap()
    }

    fn terms(&self, dataset: &DatasetName) -> Option<Arc<Terms>> {
        self.body.terms(dataset)
    }
}

/// Many people, given as rows under one agreement: all but ward b, `id` and `ward`.
fn body() -> Body {
    let body = Body::new(&alike(40, 1, &Incident { borough: Some("bexley"), ..Incident::default() }));
    let columns = vec![super::setup::dimension("ward"), super::setup::dimension("street")];
    let texts = |text: &'static str| Arc::new(StringArray::from_iter_values((0..ROWS).map(|_| text)));
    let rows = scan(vec![("ward", texts("a")), ("street", texts("high"))]);
    let mut many = terms("many", Form::Rows, columns);
    let columns = Some(vec![name("ward")]);
    many.grants = vec![Grant { columns, filter: Some(col("ward").not_eq(lit("b"))), ..grant("wards", Form::Rows) }];
    body.add(many, rows);
    body
}

async fn begun(body: &Body, sql: &str, caller: &Caller) -> (Released, Arc<Passing>) {
    let admitted = body.admit(sql, caller).await.unwrap();
    let guarded = guard(body.physical(&admitted).await, &admitted).unwrap();
    let in_force = Arc::new(Passing { body: body.in_force(now()), now: Mutex::new(now()) });
    let released = guarded.release(Durable::for_test(), body.state.task_ctx(), Arc::clone(&in_force) as _).unwrap();
    (released, in_force)
}

/// The refusal that ends an answer; `None` where all of it comes.
async fn rest(mut released: Released) -> Option<Refused> {
    while let Some(batch) = released.next().await {
        let Err(error) = batch else { continue };
        assert!(released.next().await.is_none(), "nothing comes after an error");
        let DataFusionError::External(inner) = error.find_root() else { panic!("{error}") };
        return Some(inner.downcast_ref::<Refused>().unwrap().clone());
    }
    None
}

/// Whether an answer of rows that has begun ends with this change of terms.
async fn ends(change: impl FnOnce(&mut Terms)) -> bool {
    let body = body();
    let (mut released, _) = begun(&body, "SELECT ward FROM many", &loda()).await;
    let first = released.next().await.unwrap().unwrap();
    assert!(i32::try_from(first.num_rows()).unwrap() < ROWS / 2, "it is not all there yet");
    body.amend("many", change);
    let before = released.rows();
    match rest(released).await {
        None => false,
        Some(refused) => {
            assert_eq!((refused.rule, before), ("agreement.active", first.num_rows() as u64), "{refused}");
            assert!(refused.to_string().contains("london.lfb.many"), "{refused}");
            true
        }
    }
}

#[tokio::test]
async fn rows_under_way_end_with_what_gives_them() {
    let day = now().date_naive();
    assert!(ends(|terms| terms.grants.clear()).await, "revoked");
    assert!(ends(|terms| terms.grants[0].end = day).await, "ended today");
    assert!(ends(|terms| terms.grants[0].start = day + Days::new(1)).await, "not yet in force");
    assert!(ends(|terms| terms.grants[0].purpose = "planning".into()).await, "another purpose");
    assert!(ends(|terms| terms.grants[0].recipients = vec![name("gla").into()]).await, "other recipients");
    assert!(
        ends(|terms| terms.grants[0].askers = Some(Askers { analysts: vec![name("bola")], ..Askers::default() })).await,
        "other analysts"
    );
    assert!(ends(|terms| terms.grants[0].columns = Some(vec![name("street")])).await, "other columns");
    assert!(ends(|terms| terms.grants[0].filter = Some(col("ward").eq(lit("c")))).await, "other rows");
    assert!(ends(|terms| Arc::make_mut(&mut terms.dataset).form = Form::None).await, "withdrawn");
    assert!(ends(|terms| Arc::make_mut(&mut terms.dataset).form = Form::Statistics).await, "statistics only");
    // Another agreement for the same purpose does not take over: rights of two are not joined.
    assert!(ends(|terms| terms.grants[0].agreement = "others".into()).await, "another agreement");
}

#[tokio::test]
async fn rows_under_way_go_on_where_no_less_is_given() {
    assert!(!ends(|_| {}).await);
    assert!(!ends(|terms| terms.grants[0].columns = None).await, "more columns");
    assert!(!ends(|terms| terms.grants[0].filter = None).await, "more rows");
    assert!(!ends(|terms| terms.grants.push(grant("others", Form::Rows))).await, "another agreement beside");
    assert!(!ends(|terms| Arc::make_mut(&mut terms.dataset).size_class = 7).await, "another size");
}

#[tokio::test]
async fn an_agreement_that_ends_while_rows_stream_ends_them() {
    let body = body();
    let (mut released, in_force) = begun(&body, "SELECT ward FROM many", &loda()).await;
    assert!(released.next().await.unwrap().is_ok());
    let last = grant("wards", Form::Rows).end;
    *in_force.now.lock().unwrap() = last.pred_opt().unwrap().and_hms_opt(23, 59, 59).unwrap().and_utc();
    assert!(released.next().await.unwrap().is_ok(), "the last second");
    *in_force.now.lock().unwrap() = last.and_hms_opt(0, 0, 0).unwrap().and_utc();
    let refused = rest(released).await.expect("it ends");
    assert!(refused.reason.contains("wards") && refused.rule == "agreement.active", "{refused}");
}

#[tokio::test]
async fn cells_that_have_not_left_stay() {
    let sql = "SELECT borough, count(*) FROM incidents GROUP BY borough";
    for (change, leaves) in [(12, false), (3, true)] {
        let body = body();
        body.amend("incidents", |terms| terms.grants = vec![grant("counts", Form::Statistics)]);
        body.amend("incidents", |terms| Arc::make_mut(&mut terms.dataset).needs_agreement = true);
        let (released, _) = begun(&body, sql, &loda()).await;
        body.amend("incidents", |terms| terms.grants[0].threshold = Some(change));
        assert_eq!(rest(released).await.is_none(), leaves, "{change}");
    }
    // Neither does an answer of no rows.
    let body = body();
    let (released, _) = begun(&body, "SELECT ward FROM many WHERE ward = 'z'", &loda()).await;
    body.amend("many", |terms| terms.grants.clear());
    assert!(rest(released).await.is_some());
}

#[tokio::test]
async fn open_data_and_own_rows_end_with_their_form() {
    let body = body();
    let (released, _) = begun(&body, "SELECT * FROM boroughs", &loda()).await;
    body.amend("boroughs", |terms| Arc::make_mut(&mut terms.dataset).form = Form::Rows);
    assert!(rest(released).await.unwrap().reason.contains("the terms of london.lfb.boroughs"));
    let (released, _) = begun(&body, "SELECT * FROM many", &analyst()).await;
    body.amend("many", |terms| terms.own = Form::None);
    assert!(rest(released).await.is_some());
}
