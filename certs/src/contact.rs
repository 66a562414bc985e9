//! The authority's own connections: members and those who join call it, and know it by its root or by its fingerprint.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, ServerConfig, version};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::anchors::{Anchors, refused};
use crate::authority::Office;
use crate::certificate::{self, Unfit, Usage};
use crate::client::Address;
use crate::tls13::tls13_signatures;
use crate::{Error, Result, files, reason};

/// Within this a connection stands, TLS included.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// Calls a federation's authority; it asks for no certificate, since whoever joins has none.
#[derive(Debug, Clone)]
pub struct AuthorityConnector {
    trust: Trust,
}

#[derive(Debug, Clone)]
enum Trust {
    Anchors(Arc<Anchors>),
    Fingerprint(String),
}

impl AuthorityConnector {
    pub(crate) fn new(anchors: Arc<Anchors>) -> Self {
        Self { trust: Trust::Anchors(anchors) }
    }

    /// For somebody who has only the SHA-256 of the root's certificate, hexadecimal, with or without colons.
    pub fn by_fingerprint(text: &str) -> Result<Self> {
        let fingerprint: String = text.trim().chars().filter(|c| *c != ':').collect::<String>().to_lowercase();
        if fingerprint.len() != 64 || !fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let problem = "is no SHA-256 of 64 hexadecimal digits; `meridian authority invite` prints it".to_owned();
            return Err(Error::Fingerprint { text: text.chars().take(100).collect(), problem });
        }
        Ok(Self { trust: Trust::Fingerprint(fingerprint) })
    }

    /// Of the anchors (PEM) that an authority sent those that need nobody's word: all where it is known by its own, and the one
    /// that has the fingerprint where it is known by that. The membership says by which links others follow from it.
    pub fn known_of(&self, pem: &str) -> Result<String> {
        let Trust::Fingerprint(fingerprint) = &self.trust else { return Ok(pem.to_owned()) };
        let sent = files::certificates_of(pem).unwrap_or_default();
        let known = sent.iter().find(|der| files::sha256(der) == *fingerprint);
        known.map(files::to_pem).ok_or_else(|| {
            let problem =
                "is not that of the root that the authority sent: ask the authority for the fingerprint again";
            Error::Fingerprint { text: fingerprint.clone(), problem: problem.into() }
        })
    }

    /// The root of the authority that answers at `https://HOST:PORT` (PEM), where it is known by its fingerprint.
    pub async fn root(&self, endpoint: &str) -> Result<String> {
        let wrong = |reason: &str| Error::Connection { peer: endpoint.into(), reason: reason.into() };
        let Trust::Fingerprint(fingerprint) = &self.trust else { return Err(wrong("its fingerprint is not known")) };
        let stream = self.connect(endpoint).await?;
        let sent = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let root = sent.iter().find(|der| files::sha256(der) == *fingerprint);
        let root = root.ok_or_else(|| wrong("it did not send its root"))?;
        Ok(files::to_pem(root))
    }

    /// Connects to `https://HOST:PORT`, and checks that the federation's authority answers there.
    pub async fn connect(&self, endpoint: &str) -> Result<client::TlsStream<TcpStream>> {
        let wrong = |problem| Error::Endpoint { endpoint: endpoint.into(), problem };
        let address = Address::parse(endpoint).map_err(wrong)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AuthorityVerifier(self.trust.clone())))
            .with_no_client_auth();
        let connect = async {
            let tcp = TcpStream::connect((address.host(), address.port())).await.map_err(|error| error.to_string())?;
            let shaken = TlsConnector::from(Arc::new(config)).connect(address.server_name().clone(), tcp).await;
            shaken.map_err(|error| reason::of_io(&error, None))
        };
        let connected = timeout(CONNECT_TIME, connect).await;
        let connected = connected.unwrap_or_else(|_| Err(format!("no answer within {} s", CONNECT_TIME.as_secs())));
        connected.map_err(|reason| Error::Connection { peer: endpoint.into(), reason })
    }
}

/// Accepts those who call the authority.
#[derive(Clone)]
pub struct AuthorityAcceptor(TlsAcceptor);

impl AuthorityAcceptor {
    /// With the authority's own certificate of now, which is made anew each month, and where roots or issuing key have
    /// [changed](Office::changed).
    pub fn new(office: &Office) -> Result<Self> {
        let _lock = office.lock()?;
        let authority = office.authority()?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&version::TLS13])?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(authority.signer()?)));
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    /// Shakes hands on a connection.
    pub async fn accept(&self, tcp: TcpStream) -> Result<server::TlsStream<TcpStream>> {
        let peer = tcp.peer_addr().map_or_else(|_| "a caller".to_owned(), |address| address.to_string());
        let shaken = timeout(CONNECT_TIME, self.0.accept(tcp)).await;
        let shaken = shaken.map_err(|_| format!("no TLS handshake within {} s", CONNECT_TIME.as_secs()));
        let shaken = shaken.and_then(|shaken| shaken.map_err(|error| reason::of_io(&error, None)));
        shaken.map_err(|reason| Error::Connection { peer, reason })
    }
}

#[derive(Debug)]
struct AuthorityVerifier(Trust);

impl ServerCertVerifier for AuthorityVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let anchors = match &self.0 {
            Trust::Anchors(anchors) => Arc::clone(anchors),
            Trust::Fingerprint(fingerprint) => {
                let root = intermediates.iter().find(|der| files::sha256(der) == *fingerprint);
                let root = root.ok_or_else(|| refused(Unfit::Fingerprint))?;
                Arc::new(Anchors::of(vec![root.clone().into_owned()]).map_err(rustls::Error::General)?)
            }
        };
        anchors.check_chain(end_entity, intermediates, now)?;
        certificate::authority(end_entity, Usage::Server, anchors.federation()).map_err(refused)?;
        Ok(ServerCertVerified::assertion())
    }

    tls13_signatures!(|_verifier| rustls::crypto::ring::default_provider().signature_verification_algorithms);
}
