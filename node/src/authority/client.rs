//! Calls an authority: to join, to renew, and to ask who is in.

use std::time::SystemTime;

use bytes::Bytes;
use chrono::DateTime;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use meridian_certs::{AuthorityConnector, Joined};
use meridian_proto::{Invalid, Signed, wire};
use prost::Message;

use super::{JOIN, LARGE, MEMBERSHIP, RENEW, SMALL};

/// Why an authority gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// There is no connection to it.
    #[error(transparent)]
    Certs(#[from] meridian_certs::Error),
    /// The connection broke.
    #[error("asking the authority {endpoint}: {why}; try again")]
    Broken {
        /// Where.
        endpoint: String,
        /// Why.
        why: String,
    },
    /// It said no.
    #[error("the authority {endpoint} refuses: {why}")]
    Refused {
        /// Where.
        endpoint: String,
        /// Its own words.
        why: String,
    },
    /// Its answer is not as it should be.
    #[error("the answer of the authority {endpoint} can't be read: {why}; are both programs of one version?")]
    Unreadable {
        /// Where.
        endpoint: String,
        /// Why.
        why: String,
    },
}

/// Joins with an invitation's token and a request for a certificate (PEM).
pub async fn join(
    connector: &AuthorityConnector,
    endpoint: &str,
    token: &str,
    request: &str,
) -> Result<Joined, AuthorityError> {
    let request = wire::JoinRequest { token: token.into(), request: request.into() };
    joined(call(connector, endpoint, Method::POST, JOIN, request.encode_to_vec()).await?, endpoint)
}

/// Renews with what was signed over a `RenewRequest`.
pub async fn renew(connector: &AuthorityConnector, endpoint: &str, signed: &Signed) -> Result<Joined, AuthorityError> {
    joined(call(connector, endpoint, Method::POST, RENEW, signed.encode()).await?, endpoint)
}

/// The membership as the authority has signed it last.
pub async fn membership(connector: &AuthorityConnector, endpoint: &str) -> Result<Signed, AuthorityError> {
    look(connector, endpoint).await.map(|(signed, _)| signed)
}

/// The same, and the time of the authority's clock where it says it.
pub async fn look(
    connector: &AuthorityConnector,
    endpoint: &str,
) -> Result<(Signed, Option<SystemTime>), AuthorityError> {
    let (headers, answer) = exchange(connector, endpoint, Method::GET, MEMBERSHIP, Vec::new()).await?;
    let date = headers.get(http::header::DATE).and_then(|date| DateTime::parse_from_rfc2822(date.to_str().ok()?).ok());
    let signed = Signed::decode(&answer).map_err(|error| unreadable(endpoint, &error))?;
    Ok((signed, date.map(Into::into)))
}

/// Tells it of a newer membership than its own.
pub async fn tell(connector: &AuthorityConnector, endpoint: &str, signed: &Signed) -> Result<(), AuthorityError> {
    call(connector, endpoint, Method::POST, MEMBERSHIP, signed.encode()).await.map(drop)
}

async fn call(
    connector: &AuthorityConnector,
    endpoint: &str,
    method: Method,
    path: &str,
    body: Vec<u8>,
) -> Result<Bytes, AuthorityError> {
    exchange(connector, endpoint, method, path, body).await.map(|(_, answer)| answer)
}

async fn exchange(
    connector: &AuthorityConnector,
    endpoint: &str,
    method: Method,
    path: &str,
    body: Vec<u8>,
) -> Result<(HeaderMap, Bytes), AuthorityError> {
    let broken = |why: String| AuthorityError::Broken { endpoint: endpoint.into(), why };
    let stream = connector.connect(endpoint).await?;
    let (mut sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| broken(error.to_string()))?;
    let request = Request::builder().method(method).uri(path).header(http::header::HOST, "authority");
    let request = request.body(Full::new(Bytes::from(body))).map_err(|error| broken(error.to_string()))?;
    let answered = async {
        let response = sender.send_request(request).await.map_err(|error| broken(error.to_string()))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let most = if status == StatusCode::OK { LARGE } else { SMALL };
        let body = Limited::new(response.into_body(), most).collect().await;
        let body = body.map_err(|error| broken(error.to_string()))?.to_bytes();
        Ok::<_, AuthorityError>((status, headers, body))
    };
    // The connection is driven for as long as the exchange needs it, and dropped with it.
    let driven = async {
        let ended = connection.await;
        let why = ended.map_or_else(|error| error.to_string(), |()| "it closed the connection".into());
        // What has arrived is read first.
        tokio::task::yield_now().await;
        Err::<(StatusCode, HeaderMap, Bytes), _>(broken(why))
    };
    let (status, headers, answer) = tokio::select! {
        biased;
        done = answered => done?,
        ended = driven => ended?,
    };
    if status == StatusCode::OK {
        return Ok((headers, answer));
    }
    let why = String::from_utf8_lossy(&answer).chars().filter(|c| !c.is_control()).take(1000).collect();
    Err(AuthorityError::Refused { endpoint: endpoint.into(), why })
}

fn joined(answer: Bytes, endpoint: &str) -> Result<Joined, AuthorityError> {
    let why = |why: String| AuthorityError::Unreadable { endpoint: endpoint.into(), why };
    let wire::Joined { chain, anchors, membership } =
        wire::Joined::decode(answer).map_err(|error| why(error.to_string()))?;
    let membership = membership.ok_or_else(|| why("it holds no membership".into()))?;
    let membership = membership.try_into().map_err(|error| unreadable(endpoint, &error))?;
    Ok(Joined { chain, anchors, membership })
}

fn unreadable(endpoint: &str, error: &Invalid) -> AuthorityError {
    AuthorityError::Unreadable { endpoint: endpoint.into(), why: error.to_string() }
}
