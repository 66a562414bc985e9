//! The limits of a call: how many at once, how long, and that its panic ends it alone.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, ready};
use http::Request;
use meridian_proto::BodyName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use super::super::Limits;
use super::super::status::FAULT;
use super::{DO_GET, Response, body};
use crate::gate::Caller;
use crate::shares::{Share, Shares};

/// Calls under way for each answer that may be: planning and metadata are short, but not free.
const CALLS_PER_ANSWER: usize = 4;
/// The part of the answers that is kept for other bodies when one body asks for all: one in so many.
const KEPT_FOR_OTHERS: usize = 8;

/// Limits calls.
#[derive(Debug, Clone)]
pub(in super::super) struct Bounded {
    limits: Limits,
    answers: Arc<Semaphore>,
    calls: Arc<Semaphore>,
    shares: Shares<BodyName>,
}

impl Bounded {
    /// As `limits` says.
    pub(in super::super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            answers: Arc::new(Semaphore::new(limits.streams)),
            calls: Arc::new(Semaphore::new(limits.streams.saturating_mul(CALLS_PER_ANSWER))),
            shares: Shares::default(),
        }
    }

    /// Room for one call more, or why there is none. Nobody waits in a queue.
    fn admit(&self, request: &Request<Body>) -> Result<Permit, Status> {
        if request.uri().path() != DO_GET {
            let permit = Arc::clone(&self.calls).try_acquire_owned().map_err(|_| {
                Status::resource_exhausted(
                    "this node has as many calls under way as it takes on at once: try again shortly",
                )
            })?;
            return Ok(Permit { _call: permit, _share: None });
        }
        let streams = self.limits.streams;
        let permit = Arc::clone(&self.answers).try_acquire_owned().map_err(|_| {
            Status::resource_exhausted(format!(
                "this node has {streams} answers under way, which is its limit (limits.streams): try again shortly"
            ))
        })?;
        let share = match request.extensions().get::<Caller>() {
            Some(caller) => Some(self.share(caller.body())?),
            None => None,
        };
        Ok(Permit { _call: permit, _share: share })
    }

    /// A body's room for one answer more, if it leaves the rest to others.
    fn share(&self, body: &BodyName) -> Result<Share<BodyName>, Status> {
        let most = self.limits.streams - self.limits.streams / KEPT_FOR_OTHERS;
        self.shares.take(body.clone(), most).ok_or_else(|| {
            Status::resource_exhausted(format!(
                "{body} has {most} answers under way at this node, which leaves the rest to other bodies: try again shortly"
            ))
        })
    }
}

/// Room that a call takes up until it is dropped.
struct Permit {
    _call: OwnedSemaphorePermit,
    _share: Option<Share<BodyName>>,
}

fn late(time: Duration) -> Status {
    Status::deadline_exceeded(format!(
        "the call took longer than {} s, the limit of this node (limits.seconds): ask for less, or in parts",
        time.as_secs_f64()
    ))
}

impl<S> Layer<S> for Bounded {
    type Service = BoundedService<S>;

    fn layer(&self, inner: S) -> BoundedService<S> {
        BoundedService { bounded: self.clone(), inner }
    }
}

/// A service whose calls are limited.
#[derive(Debug, Clone)]
pub(in super::super) struct BoundedService<S> {
    bounded: Bounded,
    inner: S,
}

impl<S> Service<Request<Body>> for BoundedService<S>
where
    S: Service<Request<Body>, Response = Response>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let permit = match self.bounded.admit(&request) {
            Ok(permit) => permit,
            Err(status) => return Box::pin(ready(Ok(status.into_http()))),
        };
        let time = self.bounded.limits.time;
        let deadline = Instant::now() + time;
        let answer = AssertUnwindSafe(self.inner.call(request)).catch_unwind();
        Box::pin(async move {
            match tokio::time::timeout_at(deadline, answer).await {
                Ok(Ok(response)) => Ok(response?.map(|inner| body::timed(inner, permit, deadline, move || late(time)))),
                Ok(Err(_panic)) => {
                    tracing::error!("a call panicked");
                    Ok(Status::internal(FAULT).into_http())
                }
                Err(_elapsed) => Ok(late(time).into_http()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::convert::Infallible;

    use tonic::Code;

    use super::*;

    fn bounded(streams: usize) -> Bounded {
        let limits =
            Limits { streams, message_bytes: 1 << 20, statement_bytes: 1 << 10, time: Duration::from_millis(20) };
        Bounded::new(limits)
    }

    fn do_get() -> Request<Body> {
        Request::builder().uri(DO_GET).body(Body::empty()).unwrap()
    }

    fn code(response: &Response) -> Option<Code> {
        Status::from_header_map(response.headers()).map(|status| status.code())
    }

    #[tokio::test]
    async fn an_answer_takes_room_until_its_body_is_gone() {
        let inner = tower::service_fn(|_: Request<Body>| async {
            let endless = futures::stream::pending::<Result<hyper::body::Frame<bytes::Bytes>, Status>>();
            Ok::<_, Infallible>(Response::new(Body::new(http_body_util::StreamBody::new(endless))))
        });
        let mut service = bounded(1).layer(inner);
        let first = service.call(do_get()).await.unwrap();
        assert_eq!(code(&first), None);
        assert_eq!(code(&service.call(do_get()).await.unwrap()), Some(Code::ResourceExhausted));
        assert_eq!(code(&service.call(Request::default()).await.unwrap()), None, "other calls have room of their own");
        drop(first);
        assert_eq!(code(&service.call(do_get()).await.unwrap()), None);
    }

    #[tokio::test]
    async fn a_call_that_takes_too_long_or_panics_ends_with_a_status() {
        let slow = tower::service_fn(|_: Request<Body>| std::future::pending::<Result<Response, Infallible>>());
        assert_eq!(code(&bounded(1).layer(slow).call(do_get()).await.unwrap()), Some(Code::DeadlineExceeded));
        let panics = tower::service_fn(|_: Request<Body>| async { panic!("a value") as Result<Response, Infallible> });
        let response = bounded(1).layer(panics).call(do_get()).await.unwrap();
        let status = Status::from_header_map(response.headers()).unwrap();
        assert_eq!((status.code(), status.message()), (Code::Internal, FAULT));
    }
}
