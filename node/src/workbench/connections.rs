//! Connections of browsers: the node's own certificate, an analyst's on the other side, and limits.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Response, StatusCode};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use meridian_certs::{Acceptor, Credentials, Identity, TlsConnection};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::Parts;
use super::guard::Guard;
use super::routes::{Analyst, Routes};
use super::said;

/// Connections at once; further ones wait in the listener's backlog.
const MOST_CONNECTIONS: usize = 128;
/// Longest time of a connection.
const LONGEST: Duration = Duration::from_secs(3600);
/// Longest time for a request's headers.
const PATIENCE: Duration = Duration::from_secs(30);
/// Largest head of a request, in bytes.
const MOST_HEAD: usize = 16 << 10;
/// Headers of a request.
const MOST_HEADERS: usize = 64;

/// The port, before anything is served.
#[derive(Debug)]
pub struct Workbench {
    listener: TcpListener,
    guard: Guard,
}

impl Workbench {
    /// Has the port. Requests are answered under its own address, and under `address` where browsers call it by another name.
    pub async fn bind(listen: SocketAddr, address: Option<&str>) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let guard = Guard::new(listener.local_addr()?, address);
        Ok(Self { listener, guard })
    }

    /// Answers for as long as it is polled.
    pub async fn serve(self, credentials: Arc<Credentials>, parts: Parts) {
        let Self { listener, guard } = self;
        let routes = Arc::new(Routes::new(parts, Arc::clone(&credentials), guard));
        let acceptor = credentials.web_acceptor();
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let tcp = match listener.accept().await {
                Ok((tcp, _)) => tcp,
                Err(error) => {
                    tracing::warn!(%error, "a browser's connection can't be accepted");
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let (acceptor, routes) = (acceptor.clone(), Arc::clone(&routes));
            tokio::spawn(async move {
                let _place = place;
                let _ = timeout(LONGEST, connection(tcp, acceptor, routes)).await;
            });
        }
    }
}

async fn connection(tcp: TcpStream, acceptor: Acceptor, routes: Arc<Routes>) {
    match acceptor.accept(tcp).await {
        Ok(stream) => requests(stream, routes).await,
        Err(error) => tracing::info!("a browser was refused: {error}"),
    }
}

/// Every request of the connection is the certificate holder's; the connection ends when the certificate counts no more.
async fn requests(stream: TlsConnection, routes: Arc<Routes>) {
    let verified = stream.peer().clone();
    let analyst = match verified.identity() {
        Identity::Analyst { name, .. } => Some(Analyst { name: name.clone(), verified: verified.clone() }),
        Identity::Node { .. } => None,
    };
    let service = service_fn(move |request| {
        let (routes, analyst) = (Arc::clone(&routes), analyst.clone());
        async move {
            let response = match &analyst {
                Some(analyst) => routes.respond(request, analyst).await,
                None => nobody(),
            };
            Ok::<_, Infallible>(response)
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(MOST_HEAD)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a browser's request was cut off");
    }
}

/// Nodes have the front door.
fn nobody() -> Response<said::Body> {
    let why = "the workbench is for analysts of this body, and this is a node's certificate: nodes ask over Flight SQL";
    said::refused(StatusCode::FORBIDDEN, why)
}
