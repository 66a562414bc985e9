//! Those who call us: mutual TLS on accepted connections, with the caller's verified identity on each.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::Connected;

use crate::guarded::Guarded;
use crate::trust::Trust;
use crate::{Error, Result, Verified, reason};

/// Within this a handshake is finished, or the connection is closed.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// So many handshakes may be under way; further connections wait in the listener's backlog.
const MAX_HANDSHAKES: usize = 256;
/// Finished connections that wait for the server to take them.
const MAX_WAITING: usize = 64;
/// How long to wait after `accept` gave an error such as too many open files, which only time can mend.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// TLS asks for about 4 KiB at a time; fewer system calls if they are read ahead (bytes).
pub(crate) const READ_AHEAD: usize = 256 << 10;

/// Accepts callers who prove an identity of the federation, and nodes of others that are trusted.
#[derive(Clone)]
pub struct Acceptor {
    tls: TlsAcceptor,
    trust: Arc<Trust>,
    refused: Arc<AtomicU64>,
}

impl Acceptor {
    pub(crate) fn new(config: Arc<ServerConfig>, trust: Arc<Trust>) -> Self {
        Self { tls: config.into(), trust, refused: Arc::default() }
    }

    /// Counts those of [`Self::incoming`] that did not prove who they are.
    pub fn refused(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.refused)
    }

    /// Shakes hands on a connection, within 10 seconds.
    pub async fn accept(&self, tcp: TcpStream) -> Result<TlsConnection> {
        let refused = |peer: String, reason| Error::Connection { peer, reason };
        let address = tcp.peer_addr().map_err(|error| refused("a caller".into(), error.to_string()))?;
        let refused = |reason| refused(address.to_string(), reason);
        tcp.set_nodelay(true).map_err(|error| refused(error.to_string()))?;
        let shaken = timeout(HANDSHAKE_TIME, self.tls.accept(BufReader::with_capacity(READ_AHEAD, tcp))).await;
        let shaken = shaken.map_err(|_| refused(format!("no TLS handshake within {} s", HANDSHAKE_TIME.as_secs())))?;
        let stream = shaken.map_err(|error| refused(reason::of_io(&error, None)))?;
        let (certificate, anchors) = Verified::by_handshake(stream.get_ref().1, &self.trust).map_err(refused)?;
        let peer = Verified::from_checked(certificate.clone());
        Ok(TlsConnection { stream: Guarded::new(stream, anchors.standing(), certificate), peer, address })
    }

    /// The callers of a listener, for `serve_with_incoming`. Handshakes run beside each other, and one that does not
    /// succeed is logged and forgotten. The stream never ends; dropping it closes the listener. Needs a Tokio runtime.
    pub fn incoming(&self, listener: TcpListener) -> impl Stream<Item = io::Result<TlsConnection>> + Send + use<> {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let acceptor = self.clone();
        tokio::spawn(async move {
            let gone = sender.clone();
            tokio::select! {
                () = acceptor.accept_all(listener, sender) => {}
                () = gone.closed() => {}
            }
        });
        ReceiverStream::new(receiver)
    }

    async fn accept_all(self, listener: TcpListener, sender: mpsc::Sender<io::Result<TlsConnection>>) {
        let places = Arc::new(Semaphore::new(MAX_HANDSHAKES));
        // Dropped with this future, and the handshakes with it.
        let mut handshakes = JoinSet::new();
        loop {
            while handshakes.try_join_next().is_some() {}
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let tcp = match listener.accept().await {
                Ok((tcp, _)) => tcp,
                Err(error) => {
                    pause_after(&error).await;
                    continue;
                }
            };
            let (acceptor, sender) = (self.clone(), sender.clone());
            handshakes.spawn(async move {
                let _place = place;
                match acceptor.accept(tcp).await {
                    // Nobody takes it if the server has stopped.
                    Ok(connection) => drop(sender.send(Ok(connection)).await),
                    Err(error) => {
                        acceptor.refused.fetch_add(1, Ordering::Relaxed);
                        tracing::warn!("caller refused: {error}");
                    }
                }
            });
        }
    }
}

/// A caller's connection, after a handshake in which they proved who they are.
pub struct TlsConnection {
    stream: Guarded<TlsStream<BufReader<TcpStream>>>,
    peer: Verified,
    address: SocketAddr,
}

impl TlsConnection {
    /// Who called.
    pub fn peer(&self) -> &Verified {
        &self.peer
    }

    /// From where.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Each request's extensions hold the [`Verified`] caller.
impl Connected for TlsConnection {
    type ConnectInfo = Verified;

    fn connect_info(&self) -> Verified {
        self.peer.clone()
    }
}

impl AsyncRead for TlsConnection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for TlsConnection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// A caller that hung up concerns only them; anything else (too many open files, no memory) takes a moment to pass.
async fn pause_after(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted) {
        tracing::warn!("accepting connections: {error}; trying again in {} ms", ACCEPT_PAUSE.as_millis());
        sleep(ACCEPT_PAUSE).await;
    }
}
