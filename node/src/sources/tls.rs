//! TLS to a server that a body runs itself: its certificate must be signed by the given authority and name the host.

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use crate::secrets::private_text;

/// With the authorities of a PEM file, and the certificate and key of two more where the server asks for them; otherwise which
/// file is wrong, and why. `section` is where node.toml names them.
pub(super) fn client(
    ca: &Path,
    identity: Option<&(PathBuf, PathBuf)>,
    section: &str,
) -> Result<ClientConfig, (PathBuf, String)> {
    let wrong = |why: &dyn Display| {
        let what = format!("`ca` in {section} is a PEM file of the authority that signed the server's certificate");
        (ca.to_owned(), format!("{why}; {what}"))
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca).map_err(|why| wrong(&why))? {
        roots.add(certificate).map_err(|error| wrong(&error))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| wrong(&error))?.with_root_certificates(roots);
    let Some((certificate, key)) = identity else { return Ok(config.with_no_client_auth()) };
    let unfit = |path: &Path, why: &dyn Display| {
        (path.to_owned(), format!("{why}; `certificate` and `key` in {section} are a chain and its key in PEM"))
    };
    let chain = certificates(certificate).map_err(|why| unfit(certificate, &why))?;
    let text = private_text(key, "the key").map_err(|why| unfit(key, &why))?;
    let found = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| unfit(key, &"it holds no key"))?;
    config.with_client_auth_cert(chain, found).map_err(|error| unfit(certificate, &error))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found = found.map_err(|error| error.to_string())?;
    if found.is_empty() { Err("it holds no certificate".into()) } else { Ok(found) }
}
