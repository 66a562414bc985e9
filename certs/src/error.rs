//! What can go wrong with keys, certificates, connections and signatures, and what to do about it.

use std::io;
use std::path::PathBuf;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What was attempted, on what, why it did not work and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A text that is no SPIFFE ID of a node or an analyst.
    #[error(
        "{text:?} is no identity: write spiffe://FEDERATION/body/BODY/node or \
         spiffe://FEDERATION/body/BODY/analyst/NAME, lower-case names, nothing after them"
    )]
    Identity {
        /// The text, cut to 200 characters.
        text: String,
    },

    /// A file could not be read.
    #[error("reading {what} {}: {source}; check the path and that this user may read it", path.display())]
    Read {
        /// What the file is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// A file could not be written.
    #[error("writing {}: {source}; check that the folder exists, may be written and has space left", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// A file is there already; keys and certificates are never overwritten.
    #[error("{} exists already and is not overwritten: move it away first, or keep using it", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },

    /// A key file that somebody beside its owner can use.
    #[error(
        "the private key {} has mode {mode:04o}, open to users beside its owner: run `chmod 600 {}`, and make a new \
         key if somebody else may have read it",
        path.display(), path.display()
    )]
    KeyMode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },

    /// A file that holds something else than it should.
    #[error("{what} {}: {problem}; {remedy}", path.display())]
    File {
        /// What the file is for.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        remedy: &'static str,
    },

    /// A key and a certificate that do not belong together.
    #[error(
        "the private key {} does not belong to the certificate {}: use the key that the certificate was requested \
         with, or request a new certificate for this key",
        key.display(), certificate.display()
    )]
    KeyMismatch {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
    },

    /// A certificate request that cannot be signed.
    #[error("certificate request: {problem}; make it with `KeyAndRequest`, or as PKCS#10 PEM with an ECDSA P-256 key")]
    Request {
        /// What is wrong with it.
        problem: String,
    },

    /// A certificate that the authority does not sign.
    #[error("certificate for {subject}: {problem}")]
    Issue {
        /// Whom it was for.
        subject: String,
        /// What is wrong and what to do.
        problem: String,
    },

    /// A fingerprint that is none, or another's.
    #[error("the fingerprint {text} {problem}")]
    Fingerprint {
        /// The text, cut to 100 characters.
        text: String,
        /// What is wrong and what to do.
        problem: String,
    },

    /// A root that a membership brings, and that does not count.
    #[error(
        "the root {fingerprint} of {federation}: {problem}; the membership that names it is not taken. Ask the authority's operator \
         what became of its root"
    )]
    Root {
        /// Whose it is said to be.
        federation: String,
        /// The SHA-256 of its certificate.
        fingerprint: String,
        /// What is wrong with it.
        problem: String,
    },

    /// An old root that can't be retired.
    #[error("the old root is not retired: {problem}")]
    Retirement {
        /// What is in the way and what to do.
        problem: String,
    },

    /// A text that is no endpoint of a node.
    #[error("endpoint {endpoint:?}: {problem}")]
    Endpoint {
        /// The text.
        endpoint: String,
        /// What is wrong and what to do.
        problem: String,
    },

    /// A connection that did not come about.
    #[error("connection with {peer}: {reason}")]
    Connection {
        /// The address or endpoint of the other side.
        peer: String,
        /// Why, and where it is known, what to do.
        reason: String,
    },

    /// A signature that could not be made.
    #[error("signing as {identity}: {reason}")]
    Signing {
        /// Who should have signed.
        identity: String,
        /// Why.
        reason: String,
    },

    /// A signature that proves nothing.
    #[error("verifying a signature: {reason}; do not use what it was to vouch for")]
    Signature {
        /// Why.
        reason: String,
    },

    /// The TLS library did not take a configuration or a key.
    #[error("setting up TLS 1.3 with ring: {0}")]
    Tls(#[from] rustls::Error),
}
