//! The register and the catalogue for anybody: HTTP that only reads, on a thread of its own, so that many readers take nothing from those who
//! ask questions.

mod end;
mod files;
mod sent;
mod shelf;

use std::convert::Infallible;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::clock::Clock;
use crate::downloads::Downloads;
use crate::port::{Port, http};
use crate::portal::Portal;
use crate::register::Registers;
use end::End;
use files::OpenData;
use sent::Sent;
use shelf::Shelf;

/// Connections at once; further ones wait in the listener's backlog.
const MOST_CONNECTIONS: usize = 256;
/// Longest time for a request's headers, and for a handshake.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time between looks at the certificate's files, which are replaced every few weeks.
const LOOK: Duration = Duration::from_secs(30);

/// Why the register can't be served.
#[derive(Debug, thiserror::Error)]
pub enum PublicError {
    /// The port can't be had.
    #[error(
        "the public port {address} can't be opened: {why}; stop what uses it, or set [public] listen in node.toml to another"
    )]
    Port {
        /// The address.
        address: SocketAddr,
        /// The operating system's reason.
        why: io::Error,
    },
    /// Certificate and key can't be used.
    #[error("the public certificate {} and its key can't be used: {why}; set [public] certificate and key to PEM files that fit", path.display())]
    Certificate {
        /// The certificate's file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// There is no thread for it.
    #[error("the public port gets no thread: {0}; check the limits of this user")]
    Thread(io::Error),
}

/// Files of a certificate that browsers trust.
#[derive(Debug, Clone)]
pub struct Files {
    /// The chain, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

/// The port, before anything is served.
#[derive(Debug)]
pub struct Public {
    listener: std::net::TcpListener,
    tls: Option<Tls>,
}

impl Public {
    /// Has the port; on an address that is no loopback address, with a certificate only.
    pub async fn bind(address: SocketAddr, files: Option<Files>) -> Result<Self, PublicError> {
        let tls = files.map(Tls::load).transpose()?;
        let port = |why| PublicError::Port { address, why };
        if tls.is_none() && !address.ip().is_loopback() {
            return Err(port(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is no loopback address and has no certificate",
            )));
        }
        let listener = TcpListener::bind(address).await.map_err(port)?;
        Ok(Self { listener: listener.into_std().map_err(port)?, tls })
    }

    /// Answers for as long as the process runs.
    pub fn serve(
        self,
        registers: Arc<Registers>,
        portal: Portal,
        downloads: Option<Arc<Downloads>>,
        clock: Clock,
    ) -> Result<(), PublicError> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(PublicError::Thread)?;
        let serve = move || {
            let files = downloads.map(|downloads| OpenData::new(portal.body().clone(), downloads));
            let shelf = Shelf::new(registers, portal, files, clock);
            let served = runtime.block_on(self.answer(Arc::new(shelf)));
            if let Err(error) = served {
                tracing::error!(%error, "the register is not served any more");
            }
        };
        std::thread::Builder::new().name("public".into()).spawn(serve).map(drop).map_err(PublicError::Thread)
    }

    async fn answer(mut self, shelf: Arc<Shelf>) -> io::Result<()> {
        let port = Port::new(TcpListener::from_std(self.listener)?, MOST_CONNECTIONS);
        while let Some((tcp, place)) = port.next().await {
            let acceptor = self.tls.as_mut().map(Tls::acceptor);
            let shelf = Arc::clone(&shelf);
            tokio::spawn(async move {
                let _place = place;
                let end = Arc::new(End::new());
                tokio::select! {
                    () = connection(tcp, acceptor, shelf, Arc::clone(&end)) => {}
                    () = end.passed() => {}
                }
            });
        }
        Ok(())
    }
}

async fn connection(tcp: TcpStream, acceptor: Option<TlsAcceptor>, shelf: Arc<Shelf>, end: Arc<End>) {
    match acceptor {
        None => requests(tcp, shelf, false, end).await,
        Some(acceptor) => match timeout(PATIENCE, acceptor.accept(tcp)).await {
            Ok(Ok(stream)) => requests(stream, shelf, true, end).await,
            Ok(Err(error)) => tracing::debug!(%error, "a reader's handshake was cut off"),
            Err(_) => tracing::debug!("a reader's handshake took too long"),
        },
    }
}

async fn requests(stream: impl AsyncRead + AsyncWrite + Unpin, shelf: Arc<Shelf>, secure: bool, end: Arc<End>) {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (shelf, end) = (Arc::clone(&shelf), Arc::clone(&end));
        async move {
            let (head, _) = request.into_parts();
            let mut response = shelf.respond(&head, secure).await;
            if let Sent::File(sending) = response.body_mut() {
                sending.puts_off(end);
            }
            Ok::<_, Infallible>(response)
        }
    });
    if let Err(error) = http(PATIENCE).serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a reader's request was cut off");
    }
}

/// A certificate that is read again when its files change.
struct Tls {
    files: Files,
    acceptor: TlsAcceptor,
    changed: [Option<SystemTime>; 2],
    looked: Instant,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Tls").field(&self.files).finish()
    }
}

impl Tls {
    fn load(files: Files) -> Result<Self, PublicError> {
        let changed = changed(&files);
        let acceptor =
            acceptor(&files).map_err(|why| PublicError::Certificate { path: files.certificate.clone(), why })?;
        Ok(Self { files, acceptor, changed, looked: Instant::now() })
    }

    /// The acceptor of the newest files; where they can't be used, the one of before.
    fn acceptor(&mut self) -> TlsAcceptor {
        if self.looked.elapsed() > LOOK {
            self.looked = Instant::now();
            let now = changed(&self.files);
            if now != self.changed {
                self.changed = now;
                match acceptor(&self.files) {
                    Ok(acceptor) => self.acceptor = acceptor,
                    Err(why) => tracing::error!(why, "the new public certificate can't be used; the old one is"),
                }
            }
        }
        self.acceptor.clone()
    }
}

/// Whether certificate and key can be read and belong together; why not, otherwise.
pub fn usable(files: &Files) -> Result<(), String> {
    acceptor(files).map(drop)
}

fn changed(Files { certificate, key }: &Files) -> [Option<SystemTime>; 2] {
    [certificate, key].map(|path| fs::metadata(path).and_then(|data| data.modified()).ok())
}

fn acceptor(Files { certificate, key }: &Files) -> Result<TlsAcceptor, String> {
    let read = |path: &Path| fs::read(path).map_err(|error| format!("{}: {error}", path.display()));
    let chain: Result<Vec<CertificateDer<'static>>, _> = CertificateDer::pem_slice_iter(&read(certificate)?).collect();
    let chain = chain.map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| error.to_string())?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut config = config.with_no_client_auth().with_single_cert(chain, key).map_err(|error| error.to_string())?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
