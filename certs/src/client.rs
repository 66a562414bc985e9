//! Those whom we call: channels to nodes, over mutual TLS, to the identity that was meant.

use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, version};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint, Uri};

use crate::anchors::{Anchors, NodeVerifier};
use crate::certificate::{self, EndEntity, Usage};
use crate::credentials::{ALPN, Current};
use crate::guarded::Guarded;
use crate::server::READ_AHEAD;
use crate::{Error, Identity, Result, reason};

/// Within this a connection stands, TLS included.
const CONNECT_TIME: Duration = Duration::from_secs(5);
/// A node speaks first: its HTTP/2 settings follow the handshake. If nothing comes within this, the caller goes on.
const FIRST_WORD_TIME: Duration = Duration::from_secs(2);
/// Room for the node's first words; reads of HTTP/2, which are larger, go past this buffer (bytes).
const FIRST_WORD: usize = 1 << 10;
/// HTTP/2 flow control: more in flight helps on long ways, too much hurts on short ones (bytes).
const STREAM_WINDOW: u32 = 1 << 20;
/// For all streams of one connection together (bytes).
const CONNECTION_WINDOW: u32 = 8 << 20;
/// How often to ask a silent connection whether it lives, and how long to wait for the answer.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const KEEP_ALIVE_TIME: Duration = Duration::from_secs(10);

/// Makes channels to nodes of the federation.
#[derive(Clone)]
pub struct Connector {
    anchors: Arc<Anchors>,
    current: Arc<Current>,
}

/// What a channel talks over: the outer buffer holds the node's first words until they are read.
pub(crate) type NodeStream = Guarded<BufReader<TlsStream<BufReader<TcpStream>>>>;

impl Connector {
    pub(crate) fn new(anchors: Arc<Anchors>, current: Arc<Current>) -> Self {
        Self { anchors, current }
    }

    /// A channel to `https://HOST:PORT`, connected at its first use and again when it broke. Whoever answers there must
    /// be `expected`, or any node of the federation where that is `None`; the host name proves nothing.
    pub fn channel(&self, endpoint: &str, expected: Option<Identity>) -> Result<Channel> {
        let dial = self.dial(endpoint, expected)?;
        let settings = Endpoint::from_shared(endpoint.to_owned())
            .map_err(|error| Error::Endpoint { endpoint: endpoint.into(), problem: error.to_string() })?;
        Ok(settings
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_TIME)
            .keep_alive_while_idle(true)
            .connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
                let dial = dial.clone();
                async move { dial.connect().await.map(TokioIo::new) }
            })))
    }

    /// Connects to `https://HOST:PORT`, checks that `expected` answers there and takes one's own certificate, and hangs up.
    pub async fn reach(&self, endpoint: &str, expected: Identity) -> Result<()> {
        self.dial(endpoint, Some(expected))?.connect().await.map(drop)
    }

    pub(crate) fn dial(&self, endpoint: &str, expected: Option<Identity>) -> Result<Dial> {
        let address =
            Address::parse(endpoint).map_err(|problem| Error::Endpoint { endpoint: endpoint.into(), problem })?;
        let tls = TlsConnector::from(Arc::new(self.config(expected)?));
        Ok(Dial { address, tls, anchors: self.anchors.clone(), current: self.current.clone() })
    }

    pub(crate) fn config(&self, expected: Option<Identity>) -> Result<ClientConfig> {
        let verifier = NodeVerifier { anchors: self.anchors.clone(), expected };
        let mut config = ClientConfig::builder_with_provider(self.anchors.provider().clone())
            .with_protocol_versions(&[&version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(self.current.clone());
        config.alpn_protocols = vec![ALPN.to_vec()];
        // Every connection shows certificates anew.
        config.resumption = Resumption::disabled();
        Ok(config)
    }
}

/// Where a node listens.
#[derive(Clone)]
pub(crate) struct Address {
    host: String,
    port: u16,
    name: ServerName<'static>,
}

impl Address {
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn server_name(&self) -> &ServerName<'static> {
        &self.name
    }

    pub(crate) fn parse(endpoint: &str) -> Result<Self, String> {
        const FORM: &str = "write https://HOST:PORT";
        let uri: Uri = endpoint.parse().map_err(|error| format!("{error}; {FORM}"))?;
        if uri.scheme_str() != Some("https") {
            return Err(format!("nodes speak over TLS only; {FORM}"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(format!("a node has no path; {FORM}"));
        }
        let port = uri.port_u16().ok_or_else(|| format!("it names no port; {FORM}"))?;
        let host = uri.host().unwrap_or_default();
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).to_owned();
        let name = ServerName::try_from(host.clone()).map_err(|_| format!("{host:?} is no host name; {FORM}"))?;
        Ok(Self { host, port, name })
    }
}

/// Connects once.
#[derive(Clone)]
pub(crate) struct Dial {
    address: Address,
    pub(crate) tls: TlsConnector,
    anchors: Arc<Anchors>,
    current: Arc<Current>,
}

impl Dial {
    pub(crate) async fn connect(self) -> Result<NodeStream> {
        let peer = format!("https://{}:{}", self.address.host, self.address.port);
        let connected = timeout(CONNECT_TIME, self.try_connect()).await;
        let connected = connected.unwrap_or_else(|_| {
            Err(format!("no answer within {} s; is the node running and reachable?", CONNECT_TIME.as_secs()))
        });
        connected.map_err(|reason| Error::Connection { peer, reason })
    }

    async fn try_connect(self) -> Result<NodeStream, String> {
        let Address { host, port, name } = self.address;
        let own = &self.current.held().own;
        let tcp = TcpStream::connect((host.as_str(), port)).await;
        let tcp = tcp.map_err(|error| format!("{error}; is the node running and reachable?"))?;
        tcp.set_nodelay(true).map_err(|error| error.to_string())?;
        let shaken = self.tls.connect(name, BufReader::with_capacity(READ_AHEAD, tcp)).await;
        let stream = shaken.map_err(|error| reason::of_io(&error, Some(own)))?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let certificate = certificate.ok_or("it presented no certificate")?;
        let certificate = certificate::end_entity(certificate, Usage::Server, self.anchors.federation());
        let certificate = certificate.map_err(|unfit| unfit.to_string())?;
        let stream = BufReader::with_capacity(FIRST_WORD, stream);
        first_word(Guarded::new(stream, self.anchors.standing(), certificate), own).await
    }
}

/// Waits until the node speaks. In TLS 1.3 a client is finished before the server has looked at its certificate; a
/// refusal comes as the first thing to read, and would be lost behind a broken pipe if the client wrote before.
async fn first_word(mut stream: NodeStream, own: &EndEntity) -> Result<NodeStream, String> {
    match timeout(FIRST_WORD_TIME, stream.fill_buf()).await {
        Ok(Ok([])) => Err(reason::CLOSED.into()),
        Ok(Err(error)) => Err(reason::of_io(&error, Some(own))),
        Ok(Ok(_)) | Err(_) => Ok(stream),
    }
}
