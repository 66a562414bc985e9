//! What a question would do, before anything runs: who would be asked what, and whether each would release its part.

use arrow::array::AsArray;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow_flight::Action;
use arrow_flight::decode::DecodedPayload;
use arrow_flight::error::FlightError;
use futures::TryStreamExt;
use http::StatusCode;
use meridian_certs::Verified;
use meridian_proto::{CHECK_ACTION, CheckAnswer, wire};
use prost::Message;
use serde_json::Value;

use super::run::{Asking, Question};
use super::said::Problem;
use crate::flight::Door;
use crate::format;
use crate::query::Watch;

/// What stands in front of the analyst's own lines.
const EXPLAIN: &str = "EXPLAIN (FORMAT JSON)\n";

/// The explanation of a question, as the node gives it.
pub(super) async fn explain(question: Question, door: &Door, verified: &Verified) -> Result<Value, Problem> {
    let Asking { mut client, sql } = question.enter(door, verified, &Watch::default())?;
    let problem = |error: FlightError| Problem::of_flight(&error, 1);
    let info = client.execute(format!("{EXPLAIN}{sql}"), None).await.map_err(problem)?;
    let ticket = info.endpoint.into_iter().next().and_then(|endpoint| endpoint.ticket).ok_or_else(unreadable)?;
    let mut messages = client.do_get(ticket).await.map_err(problem)?.into_inner();
    let mut text = String::new();
    while let Some(message) = messages.try_next().await.map_err(problem)? {
        let DecodedPayload::RecordBatch(batch) = message.payload else { continue };
        let Some(plan) = batch.column_by_name("plan") else { continue };
        let lines = cast(plan, &DataType::Utf8).map_err(|_| unreadable())?;
        for line in lines.as_string::<i32>().iter().flatten() {
            text.push_str(line);
            text.push('\n');
        }
    }
    serde_json::from_str(&text).map_err(|_| unreadable())
}

/// Whether each body that a question needs would release its part.
pub(super) async fn check(question: Question, door: &Door, verified: &Verified) -> Result<Value, Problem> {
    let Asking { mut client, sql } = question.enter(door, verified, &Watch::default())?;
    let request = wire::RemoteQuery { sql, ..wire::RemoteQuery::default() };
    let action = Action { r#type: CHECK_ACTION.into(), body: request.encode_to_vec().into() };
    let results: Vec<_> = client.do_action(action).await?.try_collect().await?;
    let result = results.first().ok_or_else(unreadable)?;
    let answer = CheckAnswer::decode(&result.body).map_err(|_| unreadable())?;
    Ok(format::verdicts(&answer))
}

fn unreadable() -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the node's own answer can't be read: a fault of this node")
}
