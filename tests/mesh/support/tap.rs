//! A tap between two nodes: for the one that asks it stands in the place of the other, with that one's own certificate; it
//! passes everything on, and keeps what goes each way, decrypted.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::folder::change;
use super::wire::{Received, config};
use super::{Mesh, Pair};

/// What went over the connections of one node to another.
pub(crate) struct Tap {
    asked: Received,
    answered: Received,
    _runtime: Runtime,
}

impl Tap {
    /// Between a node that asks and one that is asked; the one that asks must not be up yet.
    pub(crate) fn between(mesh: &Mesh, asker: &str, body: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
        lead_to(mesh, asker, body, listener.local_addr().expect("an address"));
        let acceptor = TlsAcceptor::from(Arc::new(serving(&mesh.node_pair(body))));
        let connector = TlsConnector::from(Arc::new(config(&mesh.ca(), Some(&mesh.node_pair(asker)))));
        let (asked, answered) = (Received::default(), Received::default());
        let node = mesh.address(body);
        let (to, from) = (asked.clone(), answered.clone());
        runtime.spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, connector, to, from) = (acceptor.clone(), connector.clone(), to.clone(), from.clone());
                tokio::spawn(async move {
                    let mut asker = to.of(acceptor.accept(tcp).await?);
                    let tcp = TcpStream::connect(node).await?;
                    let mut asked = from.of(connector.connect(ServerName::IpAddress(node.ip().into()), tcp).await?);
                    copy_bidirectional(&mut asker, &mut asked).await
                });
            }
        });
        Self { asked, answered, _runtime: runtime }
    }

    /// Every byte that the asker sent.
    pub(crate) fn asked(&self) -> Vec<u8> {
        self.asked.everything()
    }

    /// Every byte that came back.
    pub(crate) fn answered(&self) -> Vec<u8> {
        self.answered.everything()
    }
}

/// Has a body's node look for another one here: it follows no authority, which says where that really is.
fn lead_to(mesh: &Mesh, asker: &str, body: &str, address: SocketAddr) {
    let member = |name: &str| {
        let address = if name == body { address } else { mesh.address(name) };
        let endpoint = format!("https://{address}");
        toml::Value::from(toml::Table::from_iter([("body".into(), name.into()), ("endpoint".into(), endpoint.into())]))
    };
    let members: Vec<toml::Value> = mesh.bodies().map(member).collect();
    change(&mesh.folder(asker).join("node.toml"), |node| {
        node.remove("authorities");
        node.insert("members".into(), members.into());
    });
}

/// As the node of this certificate, for whoever comes: the node behind looks at who that is.
fn serving(Pair { cert, key }: &Pair) -> ServerConfig {
    let chain = CertificateDer::pem_file_iter(cert).expect("a chain").map(|der| der.expect("a certificate"));
    let key = PrivateKeyDer::from_pem_file(key).expect("a key");
    let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let builder = builder.with_protocol_versions(&[&rustls::version::TLS13]).expect("TLS 1.3");
    let mut config = builder.with_no_client_auth().with_single_cert(chain.collect(), key).expect("a chain and its key");
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}
