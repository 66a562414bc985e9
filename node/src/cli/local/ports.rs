//! Free ports on loopback, held until the process that needs them starts.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use super::super::Error;

/// All ports of a mesh.
pub(crate) struct Ports {
    pub(super) authority: Reserved,
    /// Of each node the Flight SQL port and the health port.
    pub(super) nodes: Vec<[Reserved; 2]>,
    /// Where the asker's node serves the register.
    pub(super) public: Reserved,
    /// Where it serves its analysts' workbench.
    pub(super) workbench: Reserved,
}

impl Ports {
    /// Any free ports for the authority and so many nodes.
    pub(super) fn reserve(nodes: usize) -> Result<Self, Error> {
        Ok(Self {
            authority: Reserved::new()?,
            nodes: (0..nodes).map(|_| Ok([Reserved::new()?, Reserved::new()?])).collect::<Result<_, Error>>()?,
            public: Reserved::new()?,
            workbench: Reserved::new()?,
        })
    }
}

/// A port that nobody else gets as long as this lives.
pub(super) struct Reserved {
    address: SocketAddr,
    _listener: TcpListener,
}

impl Reserved {
    /// Any free port.
    fn new() -> Result<Self, Error> {
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| {
            let address = listener.local_addr()?;
            Ok(Self { address, _listener: listener })
        });
        bound.map_err(|error| {
            Error::Mesh(format!(
                "looking for a free port on 127.0.0.1: {error}; end programs that hold many, or choose fewer bodies"
            ))
        })
    }

    /// `127.0.0.1:port`
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}
