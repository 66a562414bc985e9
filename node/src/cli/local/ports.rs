//! Free ports on loopback, held until the process that needs them starts.

use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use super::super::Error;

/// Where ports are looked for, from a place by chance on. Below those that the system gives to connections by itself: one of
/// these could be taken by a connection of a node that is up already, before the process that needs it listens.
const RANGE: std::ops::Range<u16> = 20_000..32_768;

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
        Self::first_free().map_err(|error| {
            Error::Mesh(format!(
                "looking for a free port on 127.0.0.1: {error}; end programs that hold many, or choose fewer bodies"
            ))
        })
    }

    fn first_free() -> io::Result<Self> {
        let begin = rand::random_range(RANGE);
        let mut taken = io::Error::from(ErrorKind::AddrInUse);
        for port in (begin..RANGE.end).chain(RANGE.start..begin) {
            match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
                Ok(listener) => return Ok(Self { address: listener.local_addr()?, _listener: listener }),
                Err(error) if [ErrorKind::AddrInUse, ErrorKind::PermissionDenied].contains(&error.kind()) => {
                    taken = error
                }
                Err(error) => return Err(error),
            }
        }
        Err(taken)
    }

    /// `127.0.0.1:port`
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}
