//! One span for each call, and one line when it has ended: who, what, how; never a value and never a literal.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use futures::future::BoxFuture;
use http::{HeaderMap, Request};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::{Instrument, Span, field};

use super::Response;
use crate::gate::Caller;
use crate::query::Progress;
use crate::traces;

/// Traces calls.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Trace;

impl<S> Layer<S> for Trace {
    type Service = Traced<S>;

    fn layer(&self, inner: S) -> Traced<S> {
        Traced { inner }
    }
}

/// A service whose calls are traced.
#[derive(Debug, Clone)]
pub(in super::super) struct Traced<S> {
    inner: S,
}

impl<S> Service<Request<Body>> for Traced<S>
where
    S: Service<Request<Body>, Response = Response>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let caller = request.extensions().get::<Caller>();
        let body = caller.map(|caller| caller.body().to_string()).unwrap_or_default();
        let caller = caller.map(Caller::spiffe).unwrap_or_default();
        let method = method(request.uri().path());
        let traced = match method {
            "GetFlightInfo" | "PollFlightInfo" | "GetSchema" | "DoGet" | "DoPut" => {
                traces::Span::of_call(method, body, request.headers())
            }
            _ => traces::Span::none(),
        };
        let span = tracing::info_span!("call", method, caller, query_id = field::Empty);
        let answer = traced.follow(span.in_scope(|| self.inner.call(request)).instrument(span.clone()));
        let mut call = Call { span, traced, started: Instant::now(), progress: None, outcome: None };
        Box::pin(async move {
            let response = answer.await?;
            call.progress = response.extensions().get::<Progress>().cloned();
            call.note(response.headers());
            Ok(response.map(|inner| Body::new(TracedBody { inner, call })))
        })
    }
}

/// The call's name; a path that a client made up is not repeated.
fn method(path: &str) -> &'static str {
    const METHODS: [&str; 10] = [
        "Handshake",
        "ListFlights",
        "GetFlightInfo",
        "PollFlightInfo",
        "GetSchema",
        "DoGet",
        "DoPut",
        "DoExchange",
        "DoAction",
        "ListActions",
    ];
    let name = path.strip_prefix("/arrow.flight.protocol.FlightService/").unwrap_or_default();
    METHODS.into_iter().find(|method| *method == name).unwrap_or("unknown")
}

/// A call that is under way; its end is told when it is dropped.
struct Call {
    span: Span,
    traced: traces::Span,
    started: Instant,
    progress: Option<Progress>,
    outcome: Option<Code>,
}

impl Call {
    fn note(&mut self, headers: &HeaderMap) {
        if let Some(status) = Status::from_header_map(headers) {
            self.outcome = Some(status.code());
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (rows, bytes) = self.progress.as_ref().map_or((0, 0), |progress| (progress.rows(), progress.bytes()));
        // A peer hangs up as soon as it has the receipt.
        let complete = self.progress.as_ref().is_some_and(Progress::complete);
        let outcome = match self.outcome {
            None if complete => "Ok".to_owned(),
            None => "left by the caller".to_owned(),
            Some(code) => format!("{code:?}"),
        };
        self.traced.outcome(&outcome, outcome == "Ok");
        tracing::info!(parent: &self.span, outcome, ms, rows, bytes, "call ended");
    }
}

struct TracedBody {
    inner: Body,
    call: Call,
}

impl HttpBody for TracedBody {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<bytes::Bytes>, Status>>> {
        let this = &mut *self;
        let _entered = this.call.span.enter();
        let polled = Pin::new(&mut this.inner).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref()
                    && let Some(status) = Status::from_header_map(trailers)
                {
                    this.call.outcome = Some(status.code());
                }
            }
            Poll::Ready(Some(Err(status))) => this.call.outcome = Some(status.code()),
            Poll::Ready(None) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_path_is_not_repeated() {
        assert_eq!(method("/arrow.flight.protocol.FlightService/DoGet"), "DoGet");
        assert_eq!(method("/arrow.flight.protocol.FlightService/\u{1b}[2J"), "unknown");
        assert_eq!(method("/elsewhere/DoGet"), "unknown");
    }
}
