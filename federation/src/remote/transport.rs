//! How one query reaches one body, and what a query carries with it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use async_trait::async_trait;
use futures::stream::BoxStream;
use meridian_proto::{BodyName, Name, Receipt, wire::RemoteQuery};

use super::{Begun, Receipts, RemoteError};

/// A part of a body's answer.
#[derive(Debug)]
pub enum RemoteItem {
    /// Rows.
    Batch(RecordBatch),
    /// The end: what the body says that it released. Its releases are not verified yet.
    Receipt(Receipt),
}

/// A body's answer as it arrives.
pub struct RemoteStream {
    /// Batches, then the receipt.
    pub items: BoxStream<'static, Result<RemoteItem, RemoteError>>,
}

/// Sends a query to a body.
#[async_trait]
pub trait Transport: Send + Sync + fmt::Debug {
    /// Asks `body`; returns when it has admitted the query and begun to answer.
    async fn query(&self, body: &BodyName, query: RemoteQuery) -> Result<RemoteStream, RemoteError>;
}

/// What every remote leaf of one query shares; set as an extension of the session's configuration.
#[derive(Debug)]
pub struct QueryContext {
    /// The same at every body that the question reaches.
    pub query_id: String,
    /// The analyst, as this node names them to its peers.
    pub on_behalf_of: String,
    /// The groups that the analyst is in, as their own body says.
    pub groups: Vec<Name>,
    /// The bodies whose nodes passed the question on to others, the analyst's own first, this one last; empty at the
    /// analyst's own node.
    pub via: Vec<BodyName>,
    /// The purpose that the analyst stated.
    pub purpose: String,
    /// The way to the other bodies.
    pub transport: Arc<dyn Transport>,
    /// Longest time that a body may take for the whole of its part.
    pub patience: Duration,
    /// Endpoints at which the long answer of a body is read at once; at least 1.
    pub endpoints: u32,
    /// What they say they released.
    pub receipts: Arc<Receipts>,
    /// The answers that have begun before the plan runs, where a partial one is asked for.
    pub begun: Option<Arc<Begun>>,
}

impl QueryContext {
    pub(crate) fn remote_query(&self, sql: &str) -> RemoteQuery {
        RemoteQuery {
            query_id: self.query_id.clone(),
            sql: sql.to_owned(),
            on_behalf_of: self.on_behalf_of.clone(),
            groups: self.groups.iter().map(ToString::to_string).collect(),
            purpose: self.purpose.clone(),
            via: self.via.iter().map(ToString::to_string).collect(),
            endpoints: self.endpoints,
        }
    }
}
