//! One connection to an engine: plain on this machine, under TLS to any other, the engine's name checked.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;
use tonic::transport::{Channel, Endpoint, Uri};

use super::fault::{EngineFault, cause};
use super::server::EngineConfig;
use crate::sources::tls;

/// Longest time until a connection stands, TLS included.
const CONNECTING: Duration = Duration::from_secs(5);
/// HTTP/2 flow control (bytes): what an engine may send of one answer before anybody reads on.
const STREAM_WINDOW: u32 = 1 << 20;
/// For all answers on the connection together (bytes): as much as so many have that nobody reads on, which would hold up the
/// others.
const CONNECTION_WINDOW: u32 = 256 * STREAM_WINDOW;
/// What is spoken under TLS.
const ALPN: &[u8] = b"h2";

/// TLS as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineTls {
    /// The authority that signed the engine's certificate.
    pub ca: PathBuf,
    /// The node's own certificate and key, where the engine asks for them; read for every connection.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
enum Undialled {
    #[error("{0}")]
    Tcp(std::io::Error),
    #[error("{0}")]
    Tls(std::io::Error),
}

/// A channel whose first connection stands.
pub(super) async fn channel(config: &EngineConfig) -> Result<Channel, EngineFault> {
    let EngineConfig { host, port, .. } = config;
    let (host, port) = (host.clone(), *port);
    let tls = config.tls.as_ref().map(|tls| connector(tls, &host)).transpose()?;
    let address = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    let scheme = if tls.is_some() { "https" } else { "http" };
    let endpoint = Endpoint::from_shared(format!("{scheme}://{address}"));
    let endpoint = endpoint.map_err(|error| EngineFault::Unreachable(error.to_string()))?;
    // No pings: many engines take them for an attack, and a silent one is given up after `request_seconds`.
    let endpoint = endpoint.initial_stream_window_size(STREAM_WINDOW).initial_connection_window_size(CONNECTION_WINDOW);
    let connecting = endpoint.connect_with_connector(tower::service_fn(move |_: Uri| {
        let (host, tls) = (host.clone(), tls.clone());
        async move { dial(&host, port, tls).await.map(TokioIo::new) }
    }));
    let late = || EngineFault::Unreachable(format!("no answer within {} s", CONNECTING.as_secs()));
    let connected = tokio::time::timeout(CONNECTING, connecting).await.map_err(|_| late())?;
    connected.map_err(|error| undialled(&error))
}

async fn dial(
    host: &str,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
) -> Result<Either<TcpStream, TlsStream<TcpStream>>, Undialled> {
    let tcp = TcpStream::connect((host, port)).await.map_err(Undialled::Tcp)?;
    tcp.set_nodelay(true).map_err(Undialled::Tcp)?;
    match tls {
        None => Ok(Either::Left(tcp)),
        Some((connector, name)) => connector.connect(name, tcp).await.map(Either::Right).map_err(Undialled::Tls),
    }
}

fn connector(tls: &EngineTls, host: &str) -> Result<(TlsConnector, ServerName<'static>), EngineFault> {
    let wrong = |(path, why)| EngineFault::File { path, why };
    let mut config = tls::client(&tls.ca, tls.identity.as_ref(), "[[engines]]").map_err(wrong)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    let name = ServerName::try_from(host.to_owned()).map_err(|error| EngineFault::Tls(error.to_string()))?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

fn undialled(error: &tonic::transport::Error) -> EngineFault {
    let mut at: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(found) = at {
        if let Some(Undialled::Tls(why)) = found.downcast_ref() {
            return EngineFault::Tls(why.to_string());
        }
        at = found.source();
    }
    EngineFault::Unreachable(cause(error))
}
