//! Asking other bodies: the transport, the streams of their answers, and the physical leaf that a placed plan has.

mod again;
mod arrived;
mod arriving;
mod begun;
mod endpoints;
mod error;
mod exec;
mod peers;
mod receipts;
mod routes;
mod shared;
mod transport;

pub use arrived::Arrived;
pub use arriving::{Aligned, messages, shared as bytes_of, well_formed};
pub use begun::Begun;
pub use error::{RemoteError, RemoteErrorKind};
pub use exec::{RemoteExec, RemotePlanner};
pub use peers::{Peers, remote_ticket};
pub use receipts::{Receipts, Received, Signer, Verifier};
pub use routes::Routes;
pub(crate) use shared::shared;
pub use transport::{QueryContext, RemoteItem, RemoteStream, Transport};
