//! As whom an engine is asked: users and passwords, tokens, certificates, and TLS that knows whom it speaks to.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;

/// Files that a body would have.
pub(super) struct Files {
    folder: TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Files {
    /// With an authority.
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        fs::write(folder.path().join("ca.pem"), authority.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, issuer: Issuer::new(authority, key) }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A file that nobody else may read.
    pub(super) fn private(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
        self.path(name)
    }

    /// A certificate of the authority and its key, by these names of files.
    fn certificate(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.extended_key_usages = vec![usage];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let pem = self.private(&format!("{name}.pem"), &certificate.pem());
        (pem, self.private(&format!("{name}.key"), &key.serialize_pem()))
    }

    /// TLS before an engine that has none, which may ask for certificates of the authority; its port.
    pub(super) async fn before(&self, target: u16, asks: bool) -> u16 {
        let (certificate, key) = self.certificate("server", ExtendedKeyUsagePurpose::ServerAuth);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
        let config = match asks {
            false => config.unwrap().with_no_client_auth(),
            true => {
                let mut roots = RootCertStore::empty();
                roots.add(CertificateDer::from_pem_file(self.path("ca.pem")).unwrap()).unwrap();
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
                config.unwrap().with_client_cert_verifier(verifier)
            }
        };
        let chain = vec![CertificateDer::from_pem_file(certificate).unwrap()];
        let mut config = config.with_single_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap()).unwrap();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut near) = acceptor.accept(near).await else { return };
                    let mut far = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        port
    }
}

/// An engine with a table.
async fn homes() -> Own {
    let own = Own::start().await;
    own.state.context.sql("CREATE TABLE homes AS VALUES (1), (2)").await.unwrap().collect().await.unwrap();
    own
}

fn homes_of(config: EngineConfig) -> SourceSpec {
    spec(&FlightEngine::new(config), Form::Open, "homes", &["column1 bigint"])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_shows_a_password_for_a_token_or_with_every_call() {
    let (own, files) = (homes().await, Files::new());
    let file = files.private("password", "p ss'word\n");
    let login = EngineLogin::Password { user: "meridian".into(), file: file.clone() };
    let config = EngineConfig { login, ..config(own.port, EngineDialect::Generic) };
    let basic = "Basic bWVyaWRpYW46cCBzcyd3b3Jk";
    for token in [None, Some("t0ken".to_owned())] {
        *own.state.login.lock().unwrap() = Some((basic.to_owned(), token.clone()));
        own.state.shown.lock().unwrap().clear();
        assert_eq!(loaded(&homes_of(config.clone())).await.unwrap().rows, 2);
        let shown = own.state.shown.lock().unwrap().clone();
        let expected = token.map_or(basic.to_owned(), |token| format!("Bearer {token}"));
        assert!(!shown.is_empty() && shown.iter().all(|said| *said == expected), "{shown:?}");
        fs::write(&file, "another").unwrap();
        let fault = refused(&homes_of(config.clone())).await;
        assert!(fault == EngineFault::Login && !fault.to_string().contains("another"), "{fault}");
        fs::write(&file, "p ss'word").unwrap();
    }
    // A token that has ended is exchanged for a new one.
    let spec = homes_of(config.clone());
    let context = session(&BTreeMap::from([("d", loaded(&spec).await.unwrap())]));
    *own.state.login.lock().unwrap() = Some((basic.to_owned(), Some("another".to_owned())));
    assert_eq!(ask(&context, "SELECT * FROM d").await.unwrap()[0].num_rows(), 2);
    // Nobody else may read it.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let fault = refused(&homes_of(config)).await;
    assert!(matches!(fault, EngineFault::File { .. }) && fault.to_string().contains("chmod 600"), "{fault}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_comes_from_a_file() {
    let (own, files) = (homes().await, Files::new());
    *own.state.login.lock().unwrap() = Some((String::new(), Some("t0ken".to_owned())));
    let file = files.private("token", "t0ken\n");
    let config =
        EngineConfig { login: EngineLogin::Token { file: file.clone() }, ..config(own.port, EngineDialect::Generic) };
    assert_eq!(loaded(&homes_of(config.clone())).await.unwrap().rows, 2);
    fs::write(&file, "another").unwrap();
    assert_eq!(refused(&homes_of(config.clone())).await, EngineFault::Login);
    fs::write(&file, "two\nlines").unwrap();
    assert!(matches!(refused(&homes_of(config)).await, EngineFault::File { .. }));
}

/// Under TLS, with an authority's file.
fn under_tls(port: u16, host: &str, ca: &Path, identity: Option<(PathBuf, PathBuf)>) -> EngineConfig {
    let tls = Some(EngineTls { ca: ca.to_owned(), identity });
    EngineConfig { host: host.into(), tls, ..config(port, EngineDialect::DataFusion) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_needs_the_authority_and_the_name() {
    let (own, files, others) = (homes().await, Files::new(), Files::new());
    let port = files.before(own.port, false).await;
    assert_eq!(loaded(&homes_of(under_tls(port, "localhost", &files.path("ca.pem"), None))).await.unwrap().rows, 2);
    for (host, ca) in [("localhost", others.path("ca.pem")), ("127.0.0.1", files.path("ca.pem"))] {
        let fault = refused(&homes_of(under_tls(port, host, &ca, None))).await;
        assert!(matches!(fault, EngineFault::Tls(_)), "{host}: {fault}");
    }
    let plain = refused(&homes_of(under_tls(own.port, "localhost", &files.path("ca.pem"), None))).await;
    assert!(matches!(plain, EngineFault::Tls(_)), "no TLS is no way in: {plain}");
    let none = refused(&homes_of(under_tls(port, "localhost", &files.private("empty.pem", "nothing"), None))).await;
    assert!(matches!(none, EngineFault::File { .. }) && none.to_string().contains("no certificate"), "{none}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_asks_for_a_certificate_gets_the_nodes() {
    let (own, files, others) = (homes().await, Files::new(), Files::new());
    let port = files.before(own.port, true).await;
    let ca = files.path("ca.pem");
    let certified = |identity| homes_of(under_tls(port, "localhost", &ca, identity));
    let identity = files.certificate("node", ExtendedKeyUsagePurpose::ClientAuth);
    assert_eq!(loaded(&certified(Some(identity.clone()))).await.unwrap().rows, 2);
    for identity in [None, Some(others.certificate("node", ExtendedKeyUsagePurpose::ClientAuth))] {
        let fault = refused(&certified(identity)).await;
        assert!(fault.is_of_connection(), "{fault}");
    }
    fs::set_permissions(&identity.1, fs::Permissions::from_mode(0o644)).unwrap();
    let fault = refused(&certified(Some(identity))).await;
    assert!(matches!(fault, EngineFault::File { .. }) && fault.to_string().contains("chmod 600"), "{fault}");
}
