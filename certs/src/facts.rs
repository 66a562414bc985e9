//! What certificates on disk say of themselves, for whoever looks after them: nothing here is verified, and nothing rests on it.

use std::path::Path;
use std::time::SystemTime;

use rustls::pki_types::CertificateDer;

use crate::{Result, certificate, files};

/// What one certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// SHA-256, lower-case hexadecimal.
    pub fingerprint: String,
    /// Since when it holds.
    pub not_before: SystemTime,
    /// Until when it holds.
    pub not_after: SystemTime,
    /// The DNS names and IP addresses that it names.
    pub hosts: Vec<String>,
}

impl Facts {
    /// What the certificates of a PEM file say, at least one, in their order; those that can't be read are left out.
    pub fn of_file(path: &Path) -> Result<Vec<Self>> {
        Ok(files::certificates("the certificate", path)?.iter().filter_map(Self::of).collect())
    }

    pub(crate) fn of(der: &CertificateDer<'_>) -> Option<Self> {
        let (not_before, not_after) = certificate::validity(der)?;
        Some(Self { fingerprint: files::sha256(der), not_before, not_after, hosts: certificate::hosts(der) })
    }
}

/// A root of one's own federation that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// What it says.
    pub facts: Facts,
    /// Whether one's own certificate hangs on it.
    pub is_own: bool,
}
