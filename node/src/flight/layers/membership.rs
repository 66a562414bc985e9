//! Whether the caller is still in: by the newest membership that this node, or the calling one, knows of.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::Request;
use meridian_certs::{Identity, Verified};
use meridian_proto::MEMBERSHIP_HEADER;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use super::Response;
use crate::membership::Members;

/// Fetches a membership that is newer before a call is answered, and turns away who is out by it.
#[derive(Debug, Clone)]
pub(in super::super) struct Membership(Option<Arc<Members>>);

impl Membership {
    /// With the membership that the node follows, if it follows one.
    pub(in super::super) fn new(members: Option<Arc<Members>>) -> Self {
        Self(members)
    }
}

impl<S> Layer<S> for Membership {
    type Service = InMembership<S>;

    fn layer(&self, inner: S) -> InMembership<S> {
        InMembership { members: self.0.clone(), inner }
    }
}

/// A service that answers members alone.
#[derive(Debug, Clone)]
pub(in super::super) struct InMembership<S> {
    members: Option<Arc<Members>>,
    inner: S,
}

impl<S> Service<Request<Body>> for InMembership<S>
where
    S: Service<Request<Body>, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Some(members) = self.members.clone() else { return Box::pin(self.inner.call(request)) };
        // What was polled ready is what is called.
        let other = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, other);
        let (verified, version) = (request.extensions().get::<Verified>().cloned(), told(&request));
        Box::pin(async move {
            match still_in(&members, verified.as_ref(), version).await {
                Ok(()) => inner.call(request).await,
                Err(status) => Ok(status.into_http()),
            }
        })
    }
}

async fn still_in(
    members: &Members,
    verified: Option<&Verified>,
    version: Result<Option<u64>, Status>,
) -> Result<(), Status> {
    // The layer below refuses who is not verified.
    let Some(verified) = verified else { return Ok(()) };
    let Identity::Node { federation, body } = verified.identity() else { return Ok(()) };
    // The version that a node of another federation holds is of another membership; its connection ends when it is out by that.
    if federation != members.federation() {
        return Ok(());
    }
    // Whoever is out already has nothing fetched.
    if members.admits(verified)
        && let Some(version) = version?
        && version > members.version()
        && let Err(why) = members.catch_up(body, version).await
    {
        tracing::warn!(caller = %body, version, why, "a newer membership can't be fetched from the caller");
        return Err(Status::unavailable(format!(
            "your node says that it holds version {version} of the membership, and it can't be fetched from there: is the \
             address right that the membership has for it?"
        )));
    }
    if members.admits(verified) {
        return Ok(());
    }
    tracing::warn!(caller = %verified.identity(), "a caller was turned away, who is out by the membership");
    Err(Status::unauthenticated("the certificate does not count here"))
}

/// The version that the caller says it holds.
fn told(request: &Request<Body>) -> Result<Option<u64>, Status> {
    let Some(value) = request.headers().get(MEMBERSHIP_HEADER) else { return Ok(None) };
    let version = value.to_str().ok().and_then(|text| text.parse().ok());
    version.map(Some).ok_or_else(|| Status::invalid_argument(format!("the header {MEMBERSHIP_HEADER} holds a number")))
}
