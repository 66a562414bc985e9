//! The way to other bodies, with a span for what each is asked, below which its own node's spans begin.

use async_trait::async_trait;
use futures::StreamExt;
use meridian_federation::remote::{self, RemoteError, RemoteStream, Transport};
use meridian_proto::{BodyName, wire::RemoteQuery};

use crate::traces::Trace;

/// The routes of one question.
#[derive(Debug)]
pub(super) struct Routes {
    routes: remote::Routes,
    trace: Trace,
}

impl Routes {
    pub(super) fn new(routes: remote::Routes, trace: Trace) -> Self {
        Self { routes, trace }
    }
}

#[async_trait]
impl Transport for Routes {
    async fn query(&self, body: &BodyName, query: RemoteQuery) -> Result<RemoteStream, RemoteError> {
        let span = self.trace.ask(&body.to_string());
        let asked = self.routes.ask(body, query, span.traceparent().as_deref()).await;
        let RemoteStream { items } = asked.inspect_err(|_| span.outcome("failed", false))?;
        // It ends with the answer, or with whoever reads it.
        let items = items.inspect(move |item| {
            if item.is_err() {
                span.outcome("failed", false);
            }
        });
        Ok(RemoteStream { items: items.boxed() })
    }
}
