//! Who is calling: the certificate that the connection was opened with, and the purpose that request or session states.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures::future::{Either, Ready, ready};
use http::Request;
use meridian_certs::{Credentials, Identity as Certified, Verified};
use meridian_proto::Name;
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use super::super::remote::{PURPOSE_CHARS, line};
use super::super::sessions::{InSession, Sessions};
use super::super::{PURPOSE_HEADER, status};
use super::Response;
use crate::gate::Caller;

/// Puts a [`Caller`] into each request, or answers it in the node's place.
#[derive(Debug, Clone)]
pub(in super::super) struct Identity {
    federation: Name,
    body: Name,
    credentials: Arc<Credentials>,
    sessions: Sessions,
}

impl Identity {
    /// For the node of `body`, which holds these credentials, with these sessions.
    pub(in super::super) fn new(
        (federation, body): (Name, Name),
        credentials: Arc<Credentials>,
        sessions: Sessions,
    ) -> Self {
        Self { federation, body, credentials, sessions }
    }

    /// The caller and their session. A purpose in the header goes before the session's.
    fn caller(&self, request: &Request<Body>) -> Result<(Caller, Option<InSession>), Status> {
        let verified = request.extensions().get::<Verified>().ok_or_else(|| {
            Status::unauthenticated("the connection has no verified certificate: connect by mutual TLS with your own")
        })?;
        let own = (&self.federation, &self.body);
        let session = self.sessions.of(request.headers(), verified, Instant::now())?;
        let purpose = purpose(request.headers())?.or_else(|| session.as_ref()?.purpose());
        let caller = Caller::new(verified, own, purpose, None).map_err(|refused| {
            tracing::warn!(caller = %verified.identity(), %refused, "a caller was turned away");
            status::refused(&refused)
        });
        // A peer's analyst is in the groups that the peer names with each question.
        let groups = match verified.identity() {
            Certified::Analyst { name, .. } => self.credentials.groups(name),
            Certified::Node { .. } => Vec::new(),
        };
        Ok((caller?.in_groups(groups), session))
    }
}

fn purpose(headers: &http::HeaderMap) -> Result<Option<String>, Status> {
    let mut values = headers.get_all(PURPOSE_HEADER).into_iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Status::invalid_argument(format!("the header {PURPOSE_HEADER} stands there more than once")));
    }
    let text = value.to_str().map_err(|_| {
        Status::invalid_argument(format!(
            "the header {PURPOSE_HEADER} holds more than letters, digits and signs of ASCII"
        ))
    })?;
    line(PURPOSE_HEADER, text.trim().to_owned(), PURPOSE_CHARS)
}

impl<S> Layer<S> for Identity {
    type Service = Identified<S>;

    fn layer(&self, inner: S) -> Identified<S> {
        Identified { identity: self.clone(), inner }
    }
}

/// A service whose requests say who is calling.
#[derive(Debug, Clone)]
pub(in super::super) struct Identified<S> {
    identity: Identity,
    inner: S,
}

impl<S: Service<Request<Body>, Response = Response>> Service<Request<Body>> for Identified<S> {
    type Response = Response;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        match self.identity.caller(&request) {
            Ok((caller, session)) => {
                request.extensions_mut().insert(caller);
                if let Some(session) = session {
                    request.extensions_mut().insert(session);
                }
                Either::Left(self.inner.call(request))
            }
            Err(status) => Either::Right(ready(Ok(status.into_http()))),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use http::{HeaderMap, HeaderValue};

    use super::*;
    use crate::testing::Federation;

    fn headers(values: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(PURPOSE_HEADER, HeaderValue::from_bytes(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_purpose_is_stated_once_and_in_one_line() {
        assert_eq!(purpose(&headers(&[])).unwrap(), None);
        assert_eq!(purpose(&headers(&[b""])).unwrap(), None);
        assert_eq!(purpose(&headers(&[b" fire-risk "])).unwrap().as_deref(), Some("fire-risk"));
        assert!(purpose(&headers(&[b"fire-risk", b"fire-risk"])).is_err());
        assert!(purpose(&headers(&[b"\xff"])).is_err());
        assert!(purpose(&headers(&["x".repeat(PURPOSE_CHARS + 1).as_bytes()])).is_err());
    }

    #[tokio::test]
    async fn a_request_without_a_verified_certificate_goes_no_further() {
        let inner = |_: Request<Body>| async { Ok::<_, std::convert::Infallible>(Response::default()) };
        let own = ("london".parse().unwrap(), "gla".parse().unwrap());
        let identity = Identity::new(own, Federation::new().credentials("gla"), Sessions::new());
        let response = identity.layer(tower::service_fn(inner)).call(Request::default()).await.unwrap();
        let status = Status::from_header_map(response.headers()).unwrap();
        assert_eq!(status.code(), tonic::Code::Unauthenticated);
    }
}
