//! The ticket that another node sends: its question in one message, answered in one round trip.
//!
//! Its bytes are a `google.protobuf.Any` whose type is [`REMOTE_QUERY_URL`] and whose value is a `RemoteQuery`. It is
//! no secret and gives no right: whoever sends it is judged by their own certificate.

use arrow_flight::Ticket;
use arrow_flight::sql::Any;
use meridian_certs::{Identity, MOST_GROUPS, Verified};
use meridian_proto::{BodyName, Name, wire};
use prost::Message;
use tonic::Status;

use super::{endpoints, status};
use crate::gate::Caller;
use crate::query::Asked;
use crate::traces::Trace;

/// The type of a `RemoteQuery` in a ticket.
pub const REMOTE_QUERY_URL: &str = "type.googleapis.com/meridian.v1.RemoteQuery";

/// Longest query id, in characters.
const QUERY_ID_CHARS: usize = 64;
/// Longest purpose, in characters.
pub(super) const PURPOSE_CHARS: usize = 200;
/// Longest name of an analyst, in characters.
const ON_BEHALF_OF_CHARS: usize = 500;

/// The ticket that puts `query` to a node.
pub fn remote_ticket(query: &wire::RemoteQuery) -> Ticket {
    let any = Any { type_url: REMOTE_QUERY_URL.into(), value: query.encode_to_vec().into() };
    Ticket { ticket: any.encode_to_vec().into() }
}

/// What a peer asks, if it is a node, and at how many endpoints it reads the answer at once.
pub(super) fn asked(value: &[u8], verified: &Verified, own: (&Name, &Name)) -> Result<(Asked, usize), Status> {
    node(verified, "put a RemoteQuery")?;
    let query = wire::RemoteQuery::decode(value)
        .map_err(|why| Status::invalid_argument(format!("the ticket holds no RemoteQuery that can be read: {why}")))?;
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if query.query_id.is_empty() || query.query_id.len() > QUERY_ID_CHARS || !query.query_id.chars().all(word) {
        return Err(Status::invalid_argument(format!(
            "RemoteQuery.query_id is 1 to {QUERY_ID_CHARS} letters, digits, hyphens and underscores"
        )));
    }
    let purpose = line("RemoteQuery.purpose", query.purpose, PURPOSE_CHARS)?;
    let on_behalf_of = line("RemoteQuery.on_behalf_of", query.on_behalf_of, ON_BEHALF_OF_CHARS)?;
    let (via, groups) = (via(query.via)?, groups(query.groups)?);
    let caller = Caller::new(verified, own, purpose, on_behalf_of)
        .and_then(|caller| caller.in_groups(groups).by_way_of(via, own.1))
        .map_err(|refused| status::refused(&refused))?;
    let endpoints = usize::try_from(query.endpoints).unwrap_or(usize::MAX).clamp(1, endpoints::MOST);
    Ok((Asked { trace: Trace::current(), ..Asked::new(caller, query.sql, query.query_id) }, endpoints))
}

/// The bodies whose nodes passed the question on.
fn via(names: Vec<String>) -> Result<Vec<BodyName>, Status> {
    let unfit = |_| Status::invalid_argument("RemoteQuery.via holds names of bodies");
    names.iter().map(|name| name.parse().map_err(unfit)).collect()
}

/// The groups that the analyst is in.
fn groups(names: Vec<String>) -> Result<Vec<Name>, Status> {
    let unfit = || Status::invalid_argument(format!("RemoteQuery.groups holds {MOST_GROUPS} names of groups at most"));
    if names.len() > MOST_GROUPS {
        return Err(unfit());
    }
    names.iter().map(|name| name.parse().map_err(|_| unfit())).collect()
}

/// Only nodes may do what is attempted.
pub(super) fn node(verified: &Verified, attempted: &str) -> Result<(), Status> {
    match verified.identity() {
        Identity::Node { .. } => Ok(()),
        Identity::Analyst { .. } => Err(Status::permission_denied(format!(
            "only nodes {attempted}; an analyst asks their own body's node by Flight SQL"
        ))),
    }
}

/// One line of text of bounded length; nothing where it is empty.
pub(super) fn line(what: &str, text: String, chars: usize) -> Result<Option<String>, Status> {
    if text.chars().any(char::is_control) || text.chars().count() > chars {
        return Err(Status::invalid_argument(format!("{what} is one line of {chars} characters at most")));
    }
    Ok(Some(text).filter(|text| !text.trim().is_empty()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_ticket_is_a_packed_remote_query() {
        let query = wire::RemoteQuery { query_id: "q".into(), sql: "SELECT 1".into(), ..Default::default() };
        let any = Any::decode(remote_ticket(&query).ticket).unwrap();
        assert_eq!(any.type_url, REMOTE_QUERY_URL);
        assert_eq!(wire::RemoteQuery::decode(any.value).unwrap(), query);
    }

    #[test]
    fn what_goes_into_the_log_is_one_bounded_line() {
        assert_eq!(line("x", "fire-risk".into(), 9).unwrap().as_deref(), Some("fire-risk"));
        assert_eq!(line("x", " ".into(), 9).unwrap(), None);
        for bad in ["fire-risk-2", "a\nb", "\u{1b}[2J"] {
            assert!(line("x", bad.into(), 9).is_err(), "{bad:?}");
        }
    }
}
