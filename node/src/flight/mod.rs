//! Flight SQL over mutual TLS: the one front door of a node, for its own analysts and for its peers.
//!
//! What leaves is what the gate released ([`crate::gate::Released`]) and what the catalogue lists; no handler here
//! can make a stream of anything else. The parts, in the order in which a call meets them:
//!
//! - `door`: all of it as one service, for the network and for the workbench
//! - `layers`: who is calling, one trace of the call, and its limits
//! - `service`: the Flight calls, each handed to whoever answers it
//! - `command`: what a descriptor or a ticket asks for
//! - `statements`: from a statement to a ticket, and from a ticket to an answer
//! - `metadata`, `sql_info`: what clients ask about the server and the catalogue
//! - `actions`: the Flight actions
//! - `partial`: whether an analyst takes an answer without some bodies
//! - `remote`: the ticket that another node sends
//! - `sessions`: the purpose that is stated once for several calls
//! - `tickets`: the handles that are out, and whose they are
//! - `encode`: batches into Flight messages, and the receipt behind them
//! - `endpoints`: one answer that leaves over several connections at once
//! - `message`: such a message, and how it is sent without a copy
//! - `status`: errors into gRPC statuses

mod actions;
mod catalogue;
mod command;
mod door;
mod encode;
mod endpoints;
mod layers;
mod logs;
mod message;
mod metadata;
mod partial;
mod remote;
mod service;
mod sessions;
mod sql_info;
mod statements;
mod status;
mod tickets;

use std::io;
#[cfg(test)]
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use meridian_certs::Verified;
use tokio::io::{AsyncRead, AsyncWrite};
use tonic::transport::server::{Connected, Server};

#[cfg(test)]
use crate::query::Engine;

pub use door::{Door, Inside};
pub use endpoints::MOST as MOST_ENDPOINTS;
pub use remote::{REMOTE_QUERY_URL, remote_ticket};

#[cfg(test)]
pub(crate) use encode::Messages;
#[cfg(test)]
pub(crate) use service::Service;

/// Request header in which an analyst's client states the purpose of its queries.
pub const PURPOSE_HEADER: &str = "meridian-purpose";

/// Request header in which an analyst's client says, by `true`, that it takes an answer without bodies of `every.<standard>`
/// that do not answer.
pub const PARTIAL_HEADER: &str = "meridian-partial";

/// Response header that names the query an answer, or a refusal, belongs to.
pub const QUERY_ID_HEADER: &str = "meridian-query-id";

/// HTTP/2 flow-control window of a stream and of a connection, in bytes.
const WINDOW_BYTES: u32 = 1 << 20;
/// Calls that one connection may have under way; the client holds back what is beyond.
const CALLS_PER_CONNECTION: u32 = 256;
/// Silence on a connection after which the node asks whether the other side is still there.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Time for the answer to that question.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// A connection takes no new calls after this time, and ends with those that are under way: its client makes another, with the
/// certificates that both sides have then.
const CONNECTION_LIFE: Duration = Duration::from_secs(3600);
/// Size of a request's headers together, in bytes.
const HEADER_BYTES: u32 = 16 << 10;

/// What one node takes on; every limit is told to whoever meets it.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Answers that may be under way at once.
    pub streams: usize,
    /// Largest Flight message, in bytes, in either direction.
    pub message_bytes: usize,
    /// Longest SQL statement, in bytes.
    pub statement_bytes: usize,
    /// Longest time from a call's first byte to its answer's last.
    pub time: Duration,
}

/// Why a node could not serve Flight SQL.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// What the server says of itself can't be encoded: a fault of this program.
    #[error("what the server says of itself can't be encoded: {0}; report this with the version of the node")]
    Description(#[from] arrow_flight::error::FlightError),
    /// The transport ended.
    #[error("the Flight SQL server ended: {0}; see the messages before this one")]
    Transport(#[from] tonic::transport::Error),
}

/// The calls without their transport, for tests of all that leaves.
#[cfg(test)]
pub(crate) fn service(engine: Arc<Engine>, limits: Limits) -> Result<Service, ServeError> {
    Ok(Service::new(engine, limits, sessions::Sessions::new())?)
}

/// Serves connections whose callers are verified, until `shutdown`; calls under way are finished first.
pub async fn serve<IO>(
    incoming: impl Stream<Item = io::Result<IO>>,
    door: Door,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServeError>
where
    IO: AsyncRead + AsyncWrite + Connected<ConnectInfo = Verified> + Unpin + Send + 'static,
{
    Server::builder()
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_concurrent_streams(CALLS_PER_CONNECTION)
        .http2_keepalive_interval(Some(KEEP_ALIVE))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
        .http2_max_header_list_size(HEADER_BYTES)
        .max_connection_age(CONNECTION_LIFE)
        .serve_with_incoming_shutdown(door, incoming, shutdown)
        .await?;
    Ok(())
}
