//! The register for anybody: HTTP that only reads, on a thread of its own, so that many readers take nothing from those who
//! ask questions.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::header::{self, HeaderName, HeaderValue};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::clock::Clock;
use crate::register::{Document, Place, Registers};

/// Below it stands everything.
const ROOT: &str = "/register/";
/// Connections at once; further ones wait in the listener's backlog.
const MOST_CONNECTIONS: usize = 256;
/// Longest time of a connection.
const LONGEST: Duration = Duration::from_secs(60);
/// Longest time for a request's headers, and for a handshake.
const PATIENCE: Duration = Duration::from_secs(10);
/// Largest head of a request, in bytes.
const MOST_HEAD: usize = 16 << 10;
/// Headers of a request.
const MOST_HEADERS: usize = 64;
/// Time between looks at the certificate's files, which are replaced every few weeks.
const LOOK: Duration = Duration::from_secs(30);

/// Said with every answer. Nothing runs, nothing comes from elsewhere, nothing is told to others.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "interest-cohort=()"),
];

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
    pub fn serve(self, registers: Arc<Registers>, clock: Clock) -> Result<(), PublicError> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(PublicError::Thread)?;
        let serve = move || {
            let served = runtime.block_on(self.answer(Arc::new(Shelf { registers, clock })));
            if let Err(error) = served {
                tracing::error!(%error, "the register is not served any more");
            }
        };
        std::thread::Builder::new().name("public".into()).spawn(serve).map(drop).map_err(PublicError::Thread)
    }

    async fn answer(mut self, shelf: Arc<Shelf>) -> io::Result<()> {
        let listener = TcpListener::from_std(self.listener)?;
        let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return Ok(()) };
            let tcp = match listener.accept().await {
                Ok((tcp, _)) => tcp,
                Err(error) => {
                    tracing::warn!(%error, "a connection can't be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            };
            let acceptor = self.tls.as_mut().map(Tls::acceptor);
            let shelf = Arc::clone(&shelf);
            tokio::spawn(async move {
                let _place = place;
                let _ = timeout(LONGEST, connection(tcp, acceptor, shelf)).await;
            });
        }
    }
}

async fn connection(tcp: TcpStream, acceptor: Option<TlsAcceptor>, shelf: Arc<Shelf>) {
    match acceptor {
        None => requests(tcp, shelf, false).await,
        Some(acceptor) => match timeout(PATIENCE, acceptor.accept(tcp)).await {
            Ok(Ok(stream)) => requests(stream, shelf, true).await,
            Ok(Err(error)) => tracing::debug!(%error, "a reader's handshake was cut off"),
            Err(_) => tracing::debug!("a reader's handshake took too long"),
        },
    }
}

async fn requests(stream: impl AsyncRead + AsyncWrite + Unpin, shelf: Arc<Shelf>, secure: bool) {
    let service = service_fn(move |request| {
        let response = shelf.respond(&request, secure);
        async move { Ok::<_, Infallible>(response) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(MOST_HEAD)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a reader's request was cut off");
    }
}

/// Where documents are taken from.
#[derive(Debug)]
struct Shelf {
    registers: Arc<Registers>,
    clock: Clock,
}

impl Shelf {
    fn respond<B>(&self, request: &Request<B>, secure: bool) -> Response<Full<Bytes>> {
        let is_head = request.method() == Method::HEAD;
        let mut response = match *request.method() {
            Method::GET | Method::HEAD => self.read(request.uri().path(), request.uri().query().unwrap_or_default()),
            _ => {
                let text = "the register can only be read: GET and HEAD\n".to_owned();
                let mut response = document(StatusCode::METHOD_NOT_ALLOWED, Document { media: "text/plain", text });
                response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
        };
        let headers = response.headers_mut();
        for (name, value) in HEADERS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if secure {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
        }
        if is_head {
            let length = hyper::body::Body::size_hint(response.body()).exact().unwrap_or(0);
            response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
            *response.body_mut() = Full::default();
        }
        response
    }

    fn read(&self, path: &str, query: &str) -> Response<Full<Bytes>> {
        if path == "/" || path == ROOT.trim_end_matches('/') {
            return moved(ROOT);
        }
        let view = self.registers.view(self.clock.now().date_naive());
        let address = path.strip_prefix(ROOT);
        let search = search(query);
        let found = address.and_then(|address| view.document(address, search.as_deref(), Place::Served));
        match (found, address) {
            (Some(found), Some(address)) => {
                let is_data = [".json", ".csv"].iter().any(|ending| address.ends_with(ending));
                let mut response = document(StatusCode::OK, found);
                if is_data {
                    // Anybody's pages may use it, as anybody may read it.
                    let anybody = HeaderValue::from_static("*");
                    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, anybody);
                }
                response
            }
            _ => document(StatusCode::NOT_FOUND, view.missing(address.unwrap_or_default())),
        }
    }
}

/// What somebody looks for: the value of `q` in a form that was sent by GET.
fn search(query: &str) -> Option<String> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix("q="))?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            byte => byte,
        });
    }
    let text = String::from_utf8(bytes).ok()?;
    Some(text.chars().filter(|c| !c.is_control()).take(100).collect())
}

fn document(status: StatusCode, Document { media, text }: Document) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

fn moved(to: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(to));
    response
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_looked_for_is_read_from_the_address() {
        for (query, expected) in [
            ("q=Camden", Some("Camden")),
            ("x=1&q=fire+brigade", Some("fire brigade")),
            ("q=%C3%A9%00%3Cb%3E", Some("é<b>")),
            ("q=%zz", None),
            ("q=%e", None),
            ("q=%ff", None),
            ("", None),
        ] {
            assert_eq!(search(query).as_deref(), expected, "{query}");
        }
        assert_eq!(search(&format!("q={}", "x".repeat(9_999))).map(|text| text.len()), Some(100));
    }
}
