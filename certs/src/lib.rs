//! Identity: who is at the other end of a connection or behind a signature, proved by a certificate of the federation.
//!
//! - [`Identity`] is a SPIFFE ID, [`Verified`] the proof that somebody holds the key to one. Nothing but a finished
//!   handshake ([`Acceptor`]) or a checked signature ([`Credentials::verify`]) makes a [`Verified`].
//! - [`Authority`] signs certificates from requests ([`KeyAndRequest`]) that are made where the key is used.
//! - [`Credentials`] are a body's own chain and key with the federation's anchors; connections ([`Acceptor`],
//!   [`Connector`]) and signatures come from them. TLS 1.3 only, both sides with certificates, nothing is resumed.
//! - [`replace_file`] puts a file in its place whole and durably, here as at the node.

mod analysts;
mod anchors;
pub mod authority;
mod certificate;
mod client;
mod cluster;
mod contact;
mod credentials;
mod error;
mod facts;
mod files;
mod guarded;
#[cfg(test)]
mod handshakes;
mod identity;
mod reason;
pub mod request;
mod roots;
mod server;
mod signed;
mod standing;
#[cfg(test)]
mod testing;
mod tls13;
mod trust;
mod verified;
mod verifier;

pub use analysts::{Analyst, Analysts, MOST_GROUPS};
pub use authority::{Authority, Joined, Office, Refusal, Validity};
pub use client::Connector;
pub use cluster::Cluster;
pub use contact::{AuthorityAcceptor, AuthorityConnector};
pub use credentials::Credentials;
pub use error::{Error, Result};
pub use facts::{Facts, Root};
pub use files::{replace_file, replace_file_with};
pub use identity::Identity;
pub use request::{KeyAndRequest, Request};
pub use roots::Succession;
pub use server::{Acceptor, TlsConnection};
pub use standing::Excluded;
pub use trust::Federation;
pub use verified::Verified;
pub use verifier::Verifier;
