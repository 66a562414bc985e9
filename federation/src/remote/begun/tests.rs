//! Which bodies have begun, and what may be left out: in memory, with bodies that are held back.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use async_trait::async_trait;
use datafusion::common::DFSchema;
use datafusion::physical_plan::union::UnionExec;
use datafusion::prelude::{SessionConfig, SessionContext};
use meridian_proto::wire::RemoteQuery;
use meridian_proto::{Form, Receipt, Signed};

use super::super::{Receipts, RemoteItem, Transport};
use super::*;
use crate::node::RemoteNode;

/// What a body does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Does {
    Answers,
    /// Fails before anything has come.
    Fails(RemoteErrorKind),
    /// Sends one batch and fails.
    Breaks,
    /// Sends what is no record that anybody signed.
    Lies,
    Waits,
}

#[derive(Debug)]
struct Bodies(Vec<(&'static str, &'static str, Does)>);

#[async_trait]
impl Transport for Bodies {
    async fn query(&self, body: &meridian_proto::BodyName, query: RemoteQuery) -> Result<RemoteStream, RemoteError> {
        let (.., does) =
            self.0.iter().find(|(of, sql, _)| *of == body.slug().as_str() && *sql == query.sql).copied().unwrap();
        let batch = Ok(RemoteItem::Batch(batch()));
        let signed = Signed { payload: Vec::new(), chain: Vec::new(), signature: Vec::new(), scheme: 0 };
        let receipt = Receipt { query_id: query.query_id, releases: vec![signed], witnessed: vec![] };
        let items = match does {
            Does::Fails(kind) => return Err(RemoteError::new(body, kind, "no")),
            Does::Waits => return std::future::pending().await,
            Does::Answers => vec![batch],
            Does::Breaks => vec![batch, Err(RemoteError::new(body, RemoteErrorKind::Unavailable, "it went away"))],
            Does::Lies => vec![Ok(RemoteItem::Receipt(receipt))],
        };
        Ok(RemoteStream { items: stream::iter(items).boxed() })
    }
}

fn batch() -> RecordBatch {
    RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![1])) as ArrayRef)]).unwrap()
}

fn part(body: &str, sql: &str, of_every: bool) -> RemotePart {
    RemotePart {
        body: body.parse().unwrap(),
        sql: sql.into(),
        form: Form::Open,
        dataset: format!("london.{body}.things"),
        beside: Vec::new(),
        references: Vec::new(),
        of_every,
    }
}

fn leaf(parts: Vec<RemotePart>) -> Arc<dyn ExecutionPlan> {
    let schema = Schema::new(vec![Field::new("n", DataType::Int64, true)]);
    let schema = Arc::new(DFSchema::try_from(schema).unwrap());
    Arc::new(RemoteExec::new(&RemoteNode { parts, schema, columns: vec!["n".into()], rows: 1, keys_of: Vec::new() }))
}

fn context(bodies: Vec<(&'static str, &'static str, Does)>) -> QueryContext {
    QueryContext {
        query_id: "q".into(),
        on_behalf_of: String::new(),
        groups: Vec::new(),
        via: Vec::new(),
        purpose: String::new(),
        transport: Arc::new(Bodies(bodies)),
        patience: Duration::from_secs(60),
        endpoints: 1,
        receipts: Receipts::new(Arc::new(|_| Err("nobody signed it".into()))),
        begun: Some(Arc::default()),
    }
}

async fn begin(plan: &Arc<dyn ExecutionPlan>, context: &QueryContext) -> Result<Vec<String>, RemoteError> {
    let missing = context.begun.as_ref().unwrap().begin(plan, context).await?;
    let mut bodies: Vec<String> = missing.into_iter().map(|error| error.body.to_string()).collect();
    bodies.sort();
    Ok(bodies)
}

/// Runs a plan to its end, and tells why it failed.
async fn run(plan: Arc<dyn ExecutionPlan>, context: QueryContext) -> String {
    let session = SessionContext::new_with_config(SessionConfig::new().with_extension(Arc::new(context)));
    match datafusion::physical_plan::collect(plan, session.task_ctx()).await {
        Ok(_) => panic!("an answer without a release record"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn whoever_is_unreachable_refuses_stops_or_is_too_slow_is_missing() {
    use RemoteErrorKind::{Limit, Refused, Unavailable};
    let plan = leaf(["camden", "city", "hackney", "ealing", "barnet"].map(|body| part(body, "q", true)).into());
    let context = context(vec![
        ("camden", "q", Does::Answers),
        ("city", "q", Does::Fails(Unavailable)),
        ("hackney", "q", Does::Fails(Refused)),
        ("ealing", "q", Does::Fails(Limit)),
        ("barnet", "q", Does::Waits),
    ]);
    // The others are there at once, however short the time.
    let context = QueryContext { patience: Duration::from_millis(1), ..context };
    assert_eq!(begin(&plan, &context).await.unwrap(), ["barnet", "city", "ealing", "hackney"]);
    let begun = context.begun.as_ref().unwrap();
    assert!(begun.has_answered(&"camden".parse().unwrap()) && !begun.has_answered(&"city".parse().unwrap()));
}

#[tokio::test]
async fn who_is_asked_for_more_than_every_fails_the_query() {
    let plan = leaf(vec![part("camden", "q", true), part("city", "p", false)]);
    let context =
        context(vec![("camden", "q", Does::Answers), ("city", "p", Does::Fails(RemoteErrorKind::Unavailable))]);
    assert_eq!(begin(&plan, &context).await.unwrap_err().body.slug().as_str(), "city");
}

#[tokio::test]
async fn what_can_not_be_read_fails_the_query() {
    let plan = leaf(vec![part("camden", "q", true)]);
    let context = context(vec![("camden", "q", Does::Fails(RemoteErrorKind::Failed))]);
    assert_eq!(begin(&plan, &context).await.unwrap_err().kind, RemoteErrorKind::Failed);
}

#[tokio::test]
async fn a_body_that_answers_one_part_and_not_another_is_told() {
    let leaves = vec![leaf(vec![part("camden", "q", true)]), leaf(vec![part("camden", "p", true)])];
    let plan = UnionExec::try_new(leaves).unwrap();
    let context = context(vec![("camden", "q", Does::Answers), ("camden", "p", Does::Fails(RemoteErrorKind::Refused))]);
    assert_eq!(begin(&plan, &context).await.unwrap(), ["camden"]);
    assert!(context.begun.as_ref().unwrap().has_answered(&"camden".parse().unwrap()));
}

#[tokio::test]
async fn what_waits_is_not_asked_for_again() {
    let camden = part("camden", "q", true);
    let context = context(vec![("camden", "q", Does::Answers), ("city", "q", Does::Answers)]);
    let begun = Arc::clone(context.begun.as_ref().unwrap());
    begin(&leaf(vec![camden.clone()]), &context).await.unwrap();
    let twice = leaf(vec![camden.clone(), camden.clone(), part("city", "q", true)]);
    begin(&twice, &context).await.unwrap();
    assert_eq!(begun.state().waiting[&key(&camden)].len(), 2);
    assert!(begun.take(&camden).is_some() && begun.take(&camden).is_some() && begun.take(&camden).is_none());
}

#[tokio::test]
async fn a_failure_behind_the_first_batch_and_a_receipt_that_nobody_signed_fail_the_query() {
    for (does, why) in
        [(Does::Breaks, "it went away"), (Does::Lies, "nobody signed it"), (Does::Answers, "without a release record")]
    {
        let plan = leaf(vec![part("camden", "q", true)]);
        let context = context(vec![("camden", "q", does)]);
        assert_eq!(begin(&plan, &context).await.unwrap(), Vec::<String>::new());
        let said = run(plan, context).await;
        assert!(said.contains("camden") && said.contains(why), "{does:?}: {said}");
    }
}

#[tokio::test]
async fn nothing_is_handed_on_before_all_have_begun() {
    let plan = leaf(vec![part("camden", "q", true), part("city", "q", true)]);
    let fails = Does::Fails(RemoteErrorKind::Unavailable);
    let context = QueryContext { begun: None, ..context(vec![("camden", "q", Does::Answers), ("city", "q", fails)]) };
    let session = SessionContext::new_with_config(SessionConfig::new().with_extension(Arc::new(context)));
    let mut answer = plan.execute(0, session.task_ctx()).unwrap();
    let first = answer.next().await.unwrap();
    assert!(first.unwrap_err().to_string().contains("city"));
}
