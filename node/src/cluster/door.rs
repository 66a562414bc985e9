//! Who may ask a worker for what: the node of the cluster gives work, the workers take results from each other, and nobody
//! without a certificate of the cluster gets as far as here.

use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::{Request, Response};
use meridian_certs::{Cluster, Verified};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

/// The call that fetches what was computed.
const EXECUTE: &str = "/worker.WorkerService/ExecuteTask";
/// The call that asks what runs here.
const INFO: &str = "/worker.WorkerService/GetWorkerInfo";

/// Lets the node call all, and workers what they need of each other.
#[derive(Debug, Clone)]
pub(super) struct Door;

impl<S> Layer<S> for Door {
    type Service = Behind<S>;

    fn layer(&self, inner: S) -> Behind<S> {
        Behind { inner }
    }
}

/// A service behind the door.
#[derive(Debug, Clone)]
pub(super) struct Behind<S> {
    inner: S,
}

impl<S> Service<Request<Body>> for Behind<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let caller = request.extensions().get::<Verified>();
        if is_let_in(caller, request.uri().path()) {
            return Box::pin(self.inner.call(request));
        }
        let who = caller.map(|caller| caller.identity().to_string()).unwrap_or_default();
        tracing::warn!(
            caller = who,
            call = request.uri().path(),
            "a caller was turned away: only the body's own node gives work"
        );
        let status = Status::permission_denied("only the body's own node gives work here");
        Box::pin(async move { Ok(status.into_http()) })
    }
}

fn is_let_in(caller: Option<&Verified>, call: &str) -> bool {
    caller.is_some_and(|caller| Cluster::is_node(caller.identity()) || matches!(call, EXECUTE | INFO))
}
