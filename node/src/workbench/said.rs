//! What a browser asks and what it is told, as JSON; an error in parts, so that the page can point into the SQL.

use std::io;

use arrow_flight::error::FlightError;
use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body as _, Incoming};
use meridian_proto::{REFUSAL_HEADER, Refusal};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::{Duration, timeout};
use tonic::{Code, Status};

use crate::flight::QUERY_ID_HEADER;
use crate::format;

/// What is answered.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Longest time in which a request's body arrives.
const PATIENCE: Duration = Duration::from_secs(120);

/// Why a request is not answered.
#[derive(Debug)]
pub(super) struct Problem {
    /// For the browser.
    pub(super) status: StatusCode,
    /// For the analyst.
    pub(super) told: Value,
}

impl Problem {
    /// With words alone.
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, told: json!({ "kind": "request", "message": message.into() }) }
    }

    /// What the node said to a question that was preceded by so many lines that the analyst did not write.
    pub(super) fn of(status: &Status, lines_before: u64) -> Self {
        let (place, message) = placed(status.message());
        let refusal = status.metadata().get_bin(REFUSAL_HEADER).and_then(|value| value.to_bytes().ok());
        let refusal = refusal.and_then(|bytes| Refusal::decode(&bytes).ok()).map(|mut refusal| {
            if let Some(place) = &mut refusal.place {
                place.line = place.line.saturating_sub(lines_before).max(1);
            }
            format::refusal(&refusal)
        });
        let query_id = status.metadata().get(QUERY_ID_HEADER).and_then(|id| id.to_str().ok());
        let told = json!({
            "kind": kind(status.code()),
            "message": message,
            "line": place.map(|(line, _)| line.saturating_sub(lines_before).max(1)),
            "column": place.map(|(_, column)| column),
            "refusal": refusal,
            "query_id": query_id,
        });
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, told }
    }

    /// The same of what a client of Flight found.
    pub(super) fn of_flight(error: &FlightError, lines_before: u64) -> Self {
        match error {
            FlightError::Tonic(status) => Self::of(status, lines_before),
            _ => {
                tracing::error!("the workbench can't read an answer of its own node");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer can't be read: a fault of this node")
            }
        }
    }

    /// As an answer.
    pub(super) fn response(&self) -> Response<Body> {
        answer(self.status, "application/json", json!({ "error": self.told }).to_string().into())
    }
}

impl From<FlightError> for Problem {
    fn from(error: FlightError) -> Self {
        Self::of_flight(&error, 0)
    }
}

impl From<Status> for Problem {
    fn from(status: Status) -> Self {
        Self::of(&status, 0)
    }
}

/// The word for a page.
fn kind(code: Code) -> &'static str {
    match code {
        Code::InvalidArgument => "sql",
        Code::PermissionDenied => "refused",
        Code::Unavailable | Code::Aborted => "body",
        Code::ResourceExhausted | Code::DeadlineExceeded => "limit",
        Code::Cancelled => "cancelled",
        _ => "fault",
    }
}

/// The place in front of a message and what it says, without the lines that show the place on a terminal.
fn placed(message: &str) -> (Option<(u64, u64)>, String) {
    let place = || {
        let rest = message.strip_prefix("line ")?;
        let (line, rest) = rest.split_once(", column ")?;
        let (column, what) = rest.split_once(": ")?;
        Some(((line.parse().ok()?, column.parse().ok()?), what))
    };
    let (place, what) = place().map_or((None, message), |(place, what)| (Some(place), what));
    let is_shown = |line: &&str| {
        let margin = line.trim_start().trim_start_matches(|c: char| c.is_ascii_digit());
        margin == "|" || margin == " |" || margin.starts_with(" | ") || margin.starts_with("| ")
    };
    let words: Vec<&str> = what.lines().filter(|line| place.is_none() || !is_shown(line)).collect();
    (place, words.join("\n"))
}

/// An answer of one piece.
pub(super) fn answer(status: StatusCode, kind: &'static str, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(Full::new(bytes).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}

/// An answer of one piece that says no.
pub(super) fn refused(status: StatusCode, why: &str) -> Response<Body> {
    let mut response = Problem::new(status, why).response();
    super::guard::seal(response.headers_mut());
    response
}

/// JSON.
pub(super) fn document(value: &Value) -> Response<Body> {
    answer(StatusCode::OK, "application/json", value.to_string().into())
}

/// The bytes of a request, no more than `most` of them.
pub(super) async fn bytes(body: Incoming, most: usize) -> Result<Bytes, Problem> {
    let large = || {
        let why = format!("a request has {most} bytes at most here, or it was cut off");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, why)
    };
    // What says that it is too large is not waited for.
    if usize::try_from(body.size_hint().lower()).map_or(true, |least| least > most) {
        return Err(large());
    }
    let slow = |_| Problem::new(StatusCode::REQUEST_TIMEOUT, "the request has not arrived in time: send it again");
    let read = timeout(PATIENCE, Limited::new(body, most).collect()).await.map_err(slow)?;
    read.map(http_body_util::Collected::to_bytes).map_err(|_| large())
}

/// What a request says.
pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes)
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("the request is no JSON of its kind: {error}")))
}

#[cfg(test)]
mod tests {
    use super::placed;

    #[test]
    fn a_place_is_told_from_the_words() {
        let message = "line 2, column 8: no field named firse; there is fires\n  |\n2 |   FROM firse\n  |        ^";
        assert_eq!(placed(message), (Some((2, 8)), "no field named firse; there is fires".into()));
        assert_eq!(placed("camden is unavailable\n| so"), (None, "camden is unavailable\n| so".into()));
        assert_eq!(placed("line up, column one: x"), (None, "line up, column one: x".into()));
    }
}
