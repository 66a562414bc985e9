//! The way to every body that may be asked: the nodes of one's own federation, and those of each other that this node trusts.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use meridian_proto::{BodyName, Name, wire::RemoteQuery};

use super::{Peers, RemoteError, RemoteErrorKind, RemoteStream, Transport};

/// The nodes of each federation, kept apart.
#[derive(Debug, Clone)]
pub struct Routes {
    own: Arc<Peers>,
    others: BTreeMap<Name, Arc<Peers>>,
}

impl Routes {
    /// The nodes of one's own federation, and of others.
    pub fn new(own: Arc<Peers>, others: impl IntoIterator<Item = Arc<Peers>>) -> Self {
        let others = others.into_iter().map(|peers| (peers.federation().clone(), peers)).collect();
        Self { own, others }
    }

    /// Runs a Flight action at a body and returns the bodies of its results.
    pub async fn action(&self, body: &BodyName, kind: &str, request: Vec<u8>) -> Result<Vec<Vec<u8>>, RemoteError> {
        self.to(body)?.action(body.slug(), kind, request).await
    }

    /// Puts a query to a body, with the `traceparent` (W3C Trace Context) of the span that it is part of.
    pub async fn ask(
        &self,
        body: &BodyName,
        query: RemoteQuery,
        traceparent: Option<&str>,
    ) -> Result<RemoteStream, RemoteError> {
        self.to(body)?.ask(body.slug(), query, traceparent).await
    }

    fn to(&self, body: &BodyName) -> Result<&Arc<Peers>, RemoteError> {
        let Some(federation) = body.abroad() else { return Ok(&self.own) };
        self.others.get(federation).ok_or_else(|| {
            let why = format!("this node does not trust the federation {federation}");
            RemoteError::new(body, RemoteErrorKind::Unavailable, why)
        })
    }
}

#[async_trait]
impl Transport for Routes {
    async fn query(&self, body: &BodyName, query: RemoteQuery) -> Result<RemoteStream, RemoteError> {
        self.ask(body, query, None).await
    }
}
