//! A response body that ends in time, whether its reader reads or not, and that a panic ends with a status.
//!
//! HTTP/2 polls a body only while its reader takes what is sent. So the deadline can't be left to the body: a timer
//! of its own drops the answer and what it holds, and the reader finds the status when it comes back.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use tonic::Status;
use tonic::body::Body;

use super::super::status::FAULT;

/// `body` until `deadline`, then the status that `late` gives; `held` is dropped with the body.
pub(super) fn timed<H: Send + 'static>(
    body: Body,
    held: H,
    deadline: Instant,
    late: impl FnOnce() -> Status + Send + 'static,
) -> Body {
    if body.is_end_stream() {
        return body;
    }
    let shared = Arc::new(Mutex::new(Shared { live: Some((body, held)), waker: None, status: None }));
    let watched = Arc::downgrade(&shared);
    let timer = tokio::spawn(async move {
        tokio::time::sleep_until(deadline).await;
        if let Some(shared) = watched.upgrade() {
            expire(&shared, late());
        }
    });
    Body::new(Timed { shared, timer: timer.abort_handle() })
}

struct Timed<H> {
    shared: Arc<Mutex<Shared<H>>>,
    timer: AbortHandle,
}

struct Shared<H> {
    live: Option<(Body, H)>,
    waker: Option<Waker>,
    /// Said once, after the body was dropped before its end.
    status: Option<Status>,
}

fn lock<H>(shared: &Mutex<Shared<H>>) -> MutexGuard<'_, Shared<H>> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn expire<H>(shared: &Mutex<Shared<H>>, status: Status) {
    let mut guard = lock(shared);
    let Some(live) = guard.live.take() else { return };
    guard.status = Some(status);
    let waker = guard.waker.take();
    drop(guard);
    drop(live);
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl<H: Send + 'static> HttpBody for Timed<H> {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let mut shared = lock(&self.shared);
        let Some((body, _)) = shared.live.as_mut() else {
            return Poll::Ready(shared.status.take().map(|status| Ok(Frame::trailers(trailers(&status)))));
        };
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(body).poll_frame(cx)));
        let (polled, live) = match polled {
            Ok(Poll::Pending) => {
                shared.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            Ok(Poll::Ready(Some(Ok(frame)))) if frame.is_data() => return Poll::Ready(Some(Ok(frame))),
            Ok(Poll::Ready(last)) => (last, shared.live.take()),
            Err(_) => {
                tracing::error!("an answer that was under way panicked");
                (Some(Ok(Frame::trailers(trailers(&Status::internal(FAULT))))), shared.live.take())
            }
        };
        drop(shared);
        self.timer.abort();
        drop(live);
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        let shared = lock(&self.shared);
        match &shared.live {
            Some((body, _)) => body.is_end_stream(),
            None => shared.status.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.shared).live.as_ref().map(|(body, _)| body.size_hint()).unwrap_or_default()
    }
}

impl<H> Drop for Timed<H> {
    fn drop(&mut self) {
        self.timer.abort();
    }
}

/// The status as it stands behind a body.
pub(in super::super) fn trailers(status: &Status) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if status.add_header(&mut headers).is_err() {
        headers.insert(Status::GRPC_STATUS, http::HeaderValue::from(status.code() as i32));
    }
    headers
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::time::Duration;

    use futures::{StreamExt, stream};
    use http_body_util::{BodyExt, StreamBody};
    use tonic::Code;

    use super::*;

    const SOON: Duration = Duration::from_millis(20);

    /// Tells whether it was dropped.
    fn held() -> (Arc<()>, Arc<()>) {
        let held = Arc::new(());
        (Arc::clone(&held), held)
    }

    fn body(frames: impl futures::Stream<Item = &'static str> + Send + 'static) -> Body {
        Body::new(StreamBody::new(frames.map(|text| Ok::<_, Status>(Frame::data(Bytes::from_static(text.as_bytes()))))))
    }

    fn late() -> Status {
        Status::deadline_exceeded("late")
    }

    async fn status(body: &mut Body) -> Status {
        let frame = body.frame().await.unwrap().unwrap();
        Status::from_header_map(frame.trailers_ref().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_body_that_ends_in_time_is_passed_on_and_lets_go() {
        let (watch, held) = held();
        let deadline = Instant::now() + Duration::from_secs(60);
        let body = timed(body(stream::iter(["a", "b"])), held, deadline, late);
        assert_eq!(body.collect().await.unwrap().to_bytes(), "ab");
        assert_eq!(Arc::strong_count(&watch), 1);
    }

    #[tokio::test]
    async fn a_body_that_stalls_ends_with_the_status() {
        let (watch, held) = held();
        let deadline = Instant::now() + SOON;
        let mut body = timed(body(stream::iter(["a"]).chain(stream::pending())), held, deadline, late);
        assert!(body.frame().await.unwrap().unwrap().is_data());
        assert_eq!(status(&mut body).await.code(), Code::DeadlineExceeded);
        assert!(body.frame().await.is_none());
        assert_eq!(Arc::strong_count(&watch), 1);
    }

    #[tokio::test]
    async fn a_reader_that_stalls_holds_nothing_after_the_deadline() {
        let (watch, held) = held();
        let deadline = Instant::now() + SOON;
        let mut body = timed(body(stream::repeat("a")), held, deadline, late);
        assert!(body.frame().await.unwrap().unwrap().is_data());
        // It is dropped although nobody polls.
        while Arc::strong_count(&watch) > 1 {
            tokio::task::yield_now().await;
        }
        assert_eq!(status(&mut body).await.code(), Code::DeadlineExceeded);
    }

    #[tokio::test]
    async fn a_panic_ends_the_body_with_a_fixed_sentence() {
        let (watch, held) = held();
        let panics = stream::poll_fn(|_| -> Poll<Option<&'static str>> { panic!("a value") });
        let mut body = timed(body(panics), held, Instant::now() + Duration::from_secs(60), late);
        let status = status(&mut body).await;
        assert_eq!((status.code(), status.message()), (Code::Internal, FAULT));
        assert_eq!(Arc::strong_count(&watch), 1);
    }
}
