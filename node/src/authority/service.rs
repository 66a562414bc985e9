//! Answers those who join, renew and ask who is in.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use meridian_certs::{AuthorityAcceptor, Joined, Office, Refusal};
use meridian_proto::{Signed, wire};
use prost::Message;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::{JOIN, LARGE, MEMBERSHIP, RENEW, SMALL};
use crate::port::{Place, Port, http};

/// Connections at once; further ones wait in the listener's backlog.
const MOST_CONNECTIONS: usize = 256;
/// Longest time of a connection.
const LONGEST: Duration = Duration::from_secs(20);
/// The acceptor is made anew this often, since the authority's own certificate is made anew each month, and with each other root.
const ACCEPTOR_LIFE: Duration = Duration::from_secs(3600);

/// Answers on a listener until it is dropped.
pub async fn serve(listener: TcpListener, office: Office) -> Result<(), meridian_certs::Error> {
    let office = Arc::new(office);
    let port = Port::new(listener, MOST_CONNECTIONS);
    let (mut made, mut acceptor) = ((Instant::now(), office.changed()), AuthorityAcceptor::new(&office)?);
    while let Some((tcp, place)) = port.next().await {
        if made.0.elapsed() > ACCEPTOR_LIFE || made.1 != office.changed() {
            made = (Instant::now(), office.changed());
            match AuthorityAcceptor::new(&office) {
                Ok(new) => acceptor = new,
                Err(error) => tracing::error!(%error, "the authority's certificate stays the one before"),
            }
        }
        tokio::spawn(timeout(LONGEST, connection(tcp, place, acceptor.clone(), Arc::clone(&office))));
    }
    Ok(())
}

async fn connection(tcp: TcpStream, _place: Place, acceptor: AuthorityAcceptor, office: Arc<Office>) {
    let stream = match acceptor.accept(tcp).await {
        Ok(stream) => stream,
        Err(error) => return tracing::info!("caller refused: {error}"),
    };
    let service = service_fn(move |request| {
        let office = Arc::clone(&office);
        async move { Ok::<_, Infallible>(respond(request, office).await) }
    });
    if let Err(error) = http(LONGEST).serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a request was cut off");
    }
}

async fn respond(request: Request<Incoming>, office: Arc<Office>) -> Response<Full<Bytes>> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let most = if path == MEMBERSHIP { LARGE } else { SMALL };
    let Ok(body) = Limited::new(request.into_body(), most).collect().await else {
        return text(StatusCode::PAYLOAD_TOO_LARGE, format!("the request has {most} bytes at most"));
    };
    let body = body.to_bytes();
    // Files are locked, read and written.
    let answered = tokio::task::spawn_blocking(move || answer(&method, &path, &body, &office)).await;
    match answered {
        Ok(Ok(bytes)) => Response::new(Full::new(bytes.into())),
        Ok(Err(Answer::Unknown)) => text(
            StatusCode::NOT_FOUND,
            format!("only POST {JOIN}, POST {RENEW}, GET and POST {MEMBERSHIP} are answered here"),
        ),
        Ok(Err(Answer::Unreadable(why))) => text(StatusCode::BAD_REQUEST, why),
        Ok(Err(Answer::Refused(Refusal::Refused(why)))) => {
            tracing::warn!(why, "a request was refused");
            text(StatusCode::FORBIDDEN, why)
        }
        Ok(Err(Answer::Refused(Refusal::Failed(error)))) => {
            tracing::error!(%error, "a request could not be answered");
            text(StatusCode::INTERNAL_SERVER_ERROR, "the authority can't answer now; its log says why".into())
        }
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "the authority can't answer now; its log says why".into()),
    }
}

enum Answer {
    Unknown,
    Unreadable(String),
    Refused(Refusal),
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

fn answer(method: &Method, path: &str, body: &[u8], office: &Office) -> Result<Vec<u8>, Answer> {
    let now = SystemTime::now();
    let unreadable = |why: String| Answer::Unreadable(format!("the request can't be read: {why}"));
    let joined = match (method, path) {
        (&Method::POST, JOIN) => {
            let request = wire::JoinRequest::decode(body).map_err(|why| unreadable(why.to_string()))?;
            office.join(&request.token, &request.request, now)?
        }
        (&Method::POST, RENEW) => {
            office.renew(&Signed::decode(body).map_err(|why| unreadable(why.to_string()))?, now)?
        }
        (&Method::POST, MEMBERSHIP) => {
            let signed = Signed::decode(body).map_err(|why| unreadable(why.to_string()))?;
            let adopted = office.adopt(&signed, now).map_err(|error| Refusal::Refused(error.to_string()))?;
            if adopted {
                tracing::warn!("a node had a newer membership, which is in force here now");
            }
            return Ok(Vec::new());
        }
        (&Method::GET, MEMBERSHIP) => {
            return Ok(office.membership(now).map_err(Refusal::Failed)?.encode());
        }
        _ => return Err(Answer::Unknown),
    };
    let Joined { chain, anchors, membership } = joined;
    Ok(wire::Joined { chain, anchors, membership: Some((&membership).into()) }.encode_to_vec())
}

fn text(status: StatusCode, text: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response
}
