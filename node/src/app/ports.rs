//! The ports of a node, all of which it has before it begins with anything that takes time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::Error;
use crate::config::{NodeConfig, PublicTls, WorkbenchConfig};
use crate::metrics::Metrics;
use crate::web::{self, Readiness};
use crate::workbench::Workbench;

/// Those that answer later.
pub(super) struct Ports {
    pub(super) listener: TcpListener,
    pub(super) public: Option<web::public::Public>,
    pub(super) workbench: Option<Workbench>,
}

impl Ports {
    /// Opens them; the health port answers at once.
    pub(super) async fn open(node: &NodeConfig, readiness: &Readiness, metrics: &Arc<Metrics>) -> Result<Self, Error> {
        let listener = listen("the Flight SQL port", "listen", node.listen, TcpListener::bind(node.listen).await)?;
        if let Some(address) = node.health {
            let health = listen("the health port", "health", address, web::bind(address).await)?;
            tokio::spawn(web::serve(health, readiness.clone(), Arc::clone(metrics)));
        }
        let public = match node.public.listen {
            Some(listen) => Some(web::public::Public::bind(listen, node.public.tls.as_ref().map(files)).await?),
            None => None,
        };
        let workbench = match &node.workbench {
            Some(WorkbenchConfig { listen: address, address: named }) => {
                let bound = Workbench::bind(*address, named.as_deref()).await;
                Some(listen("the workbench's port", "[workbench] listen", *address, bound)?)
            }
            None => None,
        };
        Ok(Self { listener, public, workbench })
    }
}

fn files(tls: &PublicTls) -> web::public::Files {
    web::public::Files { certificate: tls.certificate.clone(), key: tls.key.clone() }
}

fn listen<T>(what: &'static str, key: &'static str, address: SocketAddr, bound: io::Result<T>) -> Result<T, Error> {
    bound.map_err(|why| Error::Port { what, address, why, key })
}
