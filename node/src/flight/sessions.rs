//! Sessions: the purpose, stated once for the calls that follow. They are their callers' own, few and short-lived.
//!
//! A session begins with SetSessionOptions and is told again by the cookie `arrow_flight_session_id`, as Arrow's own
//! servers do it. It holds the purpose and nothing else. How the purpose of a question is stated:
//!
//! | by | how |
//! | --- | --- |
//! | a header of each call | `meridian-purpose`; it goes before the session's |
//! | ADBC, each call | the option `adbc.flight.sql.rpc.call_header.meridian-purpose` of database, connection or statement |
//! | ADBC, a session | the database option `adbc.flight.sql.rpc.with_cookie_middleware` = `true`, then the connection option `adbc.flight.sql.session.option.purpose` |
//! | JDBC | the connection property `meridian-purpose`: the driver sends properties that it does not know as headers |
//! | SQL, in a session | `SET purpose = '…'` |
//! | `meridian query` | `--purpose`, or `SET purpose = '…';` in front of the query, which become the header |

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use http::{HeaderMap, HeaderValue, header};
use meridian_certs::Verified;
use prost::Message;
use tonic::Status;

use super::PURPOSE_HEADER;
use super::remote::{PURPOSE_CHARS, line};
use super::tickets::{Handle, Handles};
use crate::query;

/// The cookie that tells a session, as Flight suggests its name.
const COOKIE: &str = "arrow_flight_session_id";
/// Time after which a session that was not used is forgotten.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// Time after which a session ends however much it is used.
const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);
/// Options that one request may set.
const MOST_OPTIONS: usize = 64;
/// The one option that a session has.
const PURPOSE: &str = "purpose";

/// The sessions that are open.
#[derive(Clone)]
pub(super) struct Sessions(Arc<Handles<Session>>);

/// What a session holds.
#[derive(Debug, Clone)]
struct Session {
    purpose: Option<String>,
    begun: Instant,
}

/// The session of a call.
#[derive(Debug, Clone)]
pub(super) struct InSession {
    handle: Handle,
    owner: String,
    session: Session,
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions(…)")
    }
}

impl InSession {
    /// The purpose that was set.
    pub(super) fn purpose(&self) -> Option<String> {
        self.session.purpose.clone()
    }
}

impl Sessions {
    /// None yet.
    pub(super) fn new() -> Self {
        Self(Arc::new(Handles::new("sessions", IDLE)))
    }

    /// The session that a request's cookie tells; `None` where it tells none.
    pub(super) fn of(
        &self,
        headers: &HeaderMap,
        verified: &Verified,
        now: Instant,
    ) -> Result<Option<InSession>, Status> {
        let Some(text) = cookie(headers)? else { return Ok(None) };
        let owner = owner(verified);
        let found = Handle::parse(text.as_bytes()).and_then(|handle| {
            let session = self.find(&owner, &handle, now)?;
            Some(InSession { handle, owner, session })
        });
        // Closed, not used for long, somebody else's or made up: whoever tries learns nothing from the answer.
        found.map(Some).ok_or_else(|| {
            Status::not_found(format!(
                "the session of the cookie {COOKIE} is over, or it is not yours: leave the cookie out, and set the \
                 purpose again by SetSessionOptions"
            ))
        })
    }

    /// SetSessionOptions: what could not be set, and the cookie of a session that begins with it.
    pub(super) fn set(
        &self,
        body: &[u8],
        at: Option<&InSession>,
        verified: &Verified,
        now: Instant,
    ) -> Result<(Vec<u8>, Option<HeaderValue>), Status> {
        let request = SetSessionOptionsRequest::decode(body).map_err(|why| unreadable(&why))?;
        if request.session_options.len() > MOST_OPTIONS {
            return Err(Status::invalid_argument(format!("at most {MOST_OPTIONS} options are set at once")));
        }
        let mut errors = BTreeMap::new();
        let mut purpose = None;
        for (name, value) in request.session_options {
            let set = if name == PURPOSE { purpose_of(value) } else { Err(ErrorValue::InvalidName) };
            match set {
                Ok(value) => purpose = Some(value),
                Err(error) => drop(errors.insert(name, OptionError { value: error.into() })),
            }
        }
        let begun = match (purpose, at) {
            (None, _) => None,
            (Some(purpose), Some(at)) => self.change(at, purpose, now).map(|()| None)?,
            (Some(purpose), None) => Some(self.begin(owner(verified), purpose, now)?),
        };
        Ok((SetSessionOptionsResult { errors }.encode_to_vec(), begun))
    }

    /// GetSessionOptions.
    pub(super) fn options(at: Option<&InSession>) -> Result<Vec<u8>, Status> {
        let at = at.ok_or_else(|| {
            Status::not_found("the call tells no session: one begins with SetSessionOptions, which gives its cookie")
        })?;
        let value = |text| SessionOptionValue { option_value: Some(OptionValue::StringValue(text)) };
        let session_options = at.purpose().map(|purpose| (PURPOSE.to_owned(), value(purpose))).into_iter().collect();
        Ok(GetSessionOptionsResult { session_options }.encode_to_vec())
    }

    /// CloseSession, and the cookie's end. Where there is none it is done already.
    pub(super) fn close(&self, at: Option<&InSession>, now: Instant) -> (Vec<u8>, Option<HeaderValue>) {
        let ended = at.map(|at| {
            self.0.take(now, &at.owner, &at.handle);
            HeaderValue::from_static("arrow_flight_session_id=; Max-Age=0; Secure; HttpOnly")
        });
        (CloseSessionResult { status: CLOSED }.encode_to_vec(), ended)
    }

    /// `SET purpose = '…'`, which takes effect with the next call.
    pub(super) fn set_purpose(&self, at: Option<&InSession>, purpose: String, now: Instant) -> Result<(), Status> {
        let purpose = line("the purpose", purpose.trim().to_owned(), PURPOSE_CHARS)?;
        self.change(in_session(at)?, purpose, now)
    }

    fn find(&self, owner: &str, handle: &Handle, now: Instant) -> Option<Session> {
        let session = self.0.get(now, owner, handle)?;
        if now.saturating_duration_since(session.begun) < LONGEST {
            return Some(session);
        }
        self.0.take(now, owner, handle).and(None)
    }

    fn begin(&self, owner: String, purpose: Option<String>, now: Instant) -> Result<HeaderValue, Status> {
        let bytes = purpose.as_ref().map_or(0, String::len);
        let handle = self.0.put(now, owner, Session { purpose, begun: now }, bytes)?;
        let text = format!("{COOKIE}={handle}; Max-Age={}; Secure; HttpOnly", LONGEST.as_secs());
        HeaderValue::try_from(text).map_err(|why| super::status::fault("write a cookie", &why))
    }

    fn change(&self, at: &InSession, purpose: Option<String>, now: Instant) -> Result<(), Status> {
        let bytes = purpose.as_ref().map_or(0, String::len);
        let session = Session { purpose, begun: at.session.begun };
        match self.0.replace(now, &at.owner, &at.handle, session, bytes)? {
            true => Ok(()),
            false => Err(Status::not_found("the session has ended meanwhile: begin another by SetSessionOptions")),
        }
    }
}

/// The purpose that a statement sets; `None` for any other statement.
pub(super) fn setting(sql: &str) -> Result<Option<String>, Status> {
    match query::set_purpose(sql) {
        Ok(Some((end, purpose))) if query::is_blank(sql.get(end..).unwrap_or_default()) => Ok(Some(purpose)),
        Ok(_) => Ok(None),
        Err(malformed) => Err(Status::invalid_argument(malformed.to_string())),
    }
}

/// The session of a call that has one; the advice for whoever has none.
pub(super) fn in_session(at: Option<&InSession>) -> Result<&InSession, Status> {
    at.ok_or_else(|| {
        Status::permission_denied(format!(
            "there is no session whose purpose could be set: state it in the header {PURPOSE_HEADER} (ADBC: the option \
             adbc.flight.sql.rpc.call_header.{PURPOSE_HEADER}; JDBC: a connection property of that name), or begin a \
             session with SetSessionOptions and keep its cookie (ADBC: adbc.flight.sql.rpc.with_cookie_middleware and \
             adbc.flight.sql.session.option.purpose)"
        ))
    })
}

/// What SET answers with: no rows of this.
pub(super) fn set_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new(PURPOSE, DataType::Utf8, true)]))
}

/// One certificate: with another one, though of the same name, the session is over.
fn owner(verified: &Verified) -> String {
    let until = verified.valid_until().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    format!("{} until {until}", verified.identity())
}

/// The session's cookie among those of a request (RFC 6265, section 4.2.1).
fn cookie(headers: &HeaderMap) -> Result<Option<&str>, Status> {
    let mut found = None;
    for value in headers.get_all(header::COOKIE) {
        let Ok(text) = value.to_str() else { continue };
        for (name, value) in text.split(';').filter_map(|pair| pair.split_once('=')) {
            if name.trim() == COOKIE && found.replace(value.trim()).is_some() {
                return Err(Status::invalid_argument(format!("the cookie {COOKIE} stands there more than once")));
            }
        }
    }
    Ok(found)
}

/// The purpose that an option sets; without a value, or with an empty one, there is none afterwards.
fn purpose_of(value: SessionOptionValue) -> Result<Option<String>, ErrorValue> {
    match value.option_value {
        None => Ok(None),
        Some(OptionValue::StringValue(text)) => {
            line("purpose", text.trim().to_owned(), PURPOSE_CHARS).map_err(|_| ErrorValue::InvalidValue)
        }
        Some(
            OptionValue::BoolValue(_)
            | OptionValue::Int64Value(_)
            | OptionValue::DoubleValue(_)
            | OptionValue::StringListValue(_),
        ) => Err(ErrorValue::InvalidValue),
    }
}

fn unreadable(why: &prost::DecodeError) -> Status {
    Status::invalid_argument(format!("the action's body can't be read: {why}"))
}

/// Flight's CloseSessionResult.Status, as far as it is used.
const CLOSED: i32 = 1;

// Flight's messages about sessions, which arrow-flight does not have.

#[derive(Clone, PartialEq, prost::Message)]
struct SessionOptionValue {
    #[prost(oneof = "OptionValue", tags = "1, 2, 3, 4, 5")]
    option_value: Option<OptionValue>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum OptionValue {
    #[prost(string, tag = "1")]
    StringValue(String),
    #[prost(bool, tag = "2")]
    BoolValue(bool),
    #[prost(sfixed64, tag = "3")]
    Int64Value(i64),
    #[prost(double, tag = "4")]
    DoubleValue(f64),
    #[prost(message, tag = "5")]
    StringListValue(StringListValue),
}

#[derive(Clone, PartialEq, prost::Message)]
struct StringListValue {
    #[prost(string, repeated, tag = "1")]
    values: Vec<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SetSessionOptionsRequest {
    #[prost(btree_map = "string, message", tag = "1")]
    session_options: BTreeMap<String, SessionOptionValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct SetSessionOptionsResult {
    #[prost(btree_map = "string, message", tag = "1")]
    errors: BTreeMap<String, OptionError>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct OptionError {
    #[prost(enumeration = "ErrorValue", tag = "1")]
    value: i32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
enum ErrorValue {
    Unspecified = 0,
    InvalidName = 1,
    InvalidValue = 2,
    Error = 3,
}

#[derive(Clone, PartialEq, prost::Message)]
struct GetSessionOptionsResult {
    #[prost(btree_map = "string, message", tag = "1")]
    session_options: BTreeMap<String, SessionOptionValue>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct CloseSessionResult {
    #[prost(int32, tag = "1")]
    status: i32,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn headers(cookies: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for text in cookies {
            headers.append(header::COOKIE, HeaderValue::from_str(text).unwrap());
        }
        headers
    }

    #[test]
    fn the_cookie_is_found_among_others_and_stands_once() {
        assert_eq!(cookie(&headers(&[])).unwrap(), None);
        assert_eq!(cookie(&headers(&["a=b; x"])).unwrap(), None);
        let among = headers(&["a=b; arrow_flight_session_id=0123 ;c=d", "e=f"]);
        assert_eq!(cookie(&among).unwrap(), Some("0123"));
        assert!(cookie(&headers(&["arrow_flight_session_id=1", "arrow_flight_session_id=2"])).is_err());
    }

    #[test]
    fn only_a_purpose_of_one_line_of_text_is_set() {
        let of = |value| purpose_of(SessionOptionValue { option_value: value });
        let text = |text: &str| of(Some(OptionValue::StringValue(text.into())));
        assert_eq!(text(" fire-risk "), Ok(Some("fire-risk".into())));
        assert_eq!((text(""), of(None)), (Ok(None), Ok(None)));
        assert_eq!(text("a\nb"), Err(ErrorValue::InvalidValue));
        assert_eq!(text(&"x".repeat(PURPOSE_CHARS + 1)), Err(ErrorValue::InvalidValue));
        assert_eq!(of(Some(OptionValue::Int64Value(1))), Err(ErrorValue::InvalidValue));
    }

    #[test]
    fn set_purpose_is_told_from_other_statements() {
        assert_eq!(setting("-- why\nset purpose TO 'fire''s' ; -- so").unwrap().as_deref(), Some("fire's"));
        for other in ["SELECT 1", "SET time_zone = 'UTC'", "SET purpose = 'x'; SELECT 1"] {
            assert_eq!(setting(other).unwrap(), None, "{other}");
        }
        assert!(setting("SET purpose = x").is_err());
    }

    #[test]
    fn sessions_end_when_they_are_old_however_much_they_are_used() {
        let (sessions, now) = (Sessions::new(), Instant::now());
        let value = sessions.begin("asha".into(), Some("fire-risk".into()), now).unwrap();
        let id = value.to_str().unwrap().split([';', '=']).nth(1).unwrap().to_owned();
        let handle = Handle::parse(id.as_bytes()).unwrap();
        let session = Session { purpose: None, begun: now };
        let at = InSession { handle, owner: "asha".into(), session };
        let mut later = now;
        while later < now + LONGEST {
            sessions.set_purpose(Some(&at), "planning".into(), later).unwrap();
            assert!(sessions.find("bola", &handle, later).is_none());
            assert_eq!(sessions.find("asha", &handle, later).unwrap().purpose.as_deref(), Some("planning"));
            later += IDLE / 2;
        }
        assert!(sessions.find("asha", &handle, later).is_none());
        let idle = sessions.begin("asha".into(), None, now).unwrap();
        let id = idle.to_str().unwrap().split([';', '=']).nth(1).unwrap().to_owned();
        assert!(sessions.find("asha", &Handle::parse(id.as_bytes()).unwrap(), now + IDLE).is_none());
    }
}
