//! Connections of browsers: the node's own certificate, an analyst's on the other side, and limits.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Response, StatusCode};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use meridian_certs::{Acceptor, Credentials, Identity, TlsConnection};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::Parts;
use super::guard::Guard;
use super::routes::{Analyst, Routes};
use super::said;
use crate::port::{Port, http};
use crate::shares::Shares;

/// Connections at once; further ones wait in the listener's backlog.
const MOST_CONNECTIONS: usize = 128;
/// Of these, those of one analyst.
const MOST_OF_ONE: usize = 32;
/// Time after which a connection takes no further request; within the same time again its last answer ends.
const LONGEST: Duration = Duration::from_secs(3600);
/// Longest time for a request's headers.
const PATIENCE: Duration = Duration::from_secs(30);

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
        let (port, shares) = (Port::new(listener, MOST_CONNECTIONS), Shares::default());
        while let Some((tcp, place)) = port.next().await {
            let (acceptor, shares, routes) = (acceptor.clone(), shares.clone(), Arc::clone(&routes));
            tokio::spawn(async move {
                let _place = place;
                let _ = timeout(LONGEST * 2, connection(tcp, acceptor, shares, routes)).await;
            });
        }
    }
}

async fn connection(tcp: TcpStream, acceptor: Acceptor, shares: Shares<Identity>, routes: Arc<Routes>) {
    let stream = match acceptor.accept(tcp).await {
        Ok(stream) => stream,
        Err(error) => return tracing::info!("a browser was refused: {error}"),
    };
    let whose = stream.peer().identity().clone();
    match shares.take(whose.clone(), MOST_OF_ONE) {
        Some(_share) => requests(stream, routes).await,
        None => tracing::warn!(%whose, "has {MOST_OF_ONE} connections to the workbench, and another is closed"),
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
    let mut connection = pin!(http(PATIENCE).serve_connection(TokioIo::new(stream), service));
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = sleep(LONGEST) => {
            // The answer that is under way comes to its end.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%error, "a browser's request was cut off");
    }
}

/// Nodes have the front door.
fn nobody() -> Response<said::Body> {
    let why = "the workbench is for analysts of this body, and this is a node's certificate: nodes ask over Flight SQL";
    said::refused(StatusCode::FORBIDDEN, why)
}
