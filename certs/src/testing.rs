//! For tests: a federation in a temporary folder, its members' credentials, and certificates no authority would sign.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;

use crate::anchors::Anchors;
use crate::{Analysts, Authority, Credentials, Identity, KeyAndRequest, Request, Validity, files};

pub(crate) const LFB: &str = "spiffe://london/body/lfb/node";
pub(crate) const LODA: &str = "spiffe://london/body/loda/node";
pub(crate) const ASHA: &str = "spiffe://london/body/loda/analyst/asha";
pub(crate) const DAY: Duration = Duration::from_secs(24 * 3600);

/// A chain and its key.
pub(crate) type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

pub(crate) struct Federation {
    pub(crate) dir: TempDir,
    pub(crate) authority: Authority,
}

impl Federation {
    pub(crate) fn new(name: &str) -> Self {
        let dir = TempDir::new().unwrap();
        let authority = Authority::create(&name.parse().unwrap(), dir.path()).unwrap();
        Self { dir, authority }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn anchors(&self) -> Arc<Anchors> {
        Arc::new(Anchors::load(&self.path("ca.pem")).unwrap())
    }

    /// The analysts of a body.
    pub(crate) fn analysts(&self, body: &str) -> Analysts {
        Analysts::new(
            self.authority.federation().clone(),
            body.parse().unwrap(),
            self.path(&format!("{body}-analysts")),
        )
    }

    /// Key, request, certificate: the files `NAME.key` and `NAME.pem`.
    pub(crate) fn issue(&self, name: &str, identity: &str, validity: Validity) -> Pair {
        let made = KeyAndRequest::create(&self.path(&format!("{name}.key"))).unwrap();
        let identity: Identity = identity.parse().unwrap();
        let request = Request::from_pem(made.pem()).unwrap();
        let hosts = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let pem = match &identity {
            Identity::Node { .. } => self.authority.sign(&request, &identity, &hosts, validity).unwrap(),
            Identity::Analyst { body, name, .. } => {
                self.analysts(body.as_str()).add(name, &request, validity, SystemTime::now()).unwrap()
            }
        };
        let path = self.path(&format!("{name}.pem"));
        files::create_certificate(&path, &pem).unwrap();
        (files::certificates("test", &path).unwrap(), files::private_key(made.key_path()).unwrap())
    }

    pub(crate) fn load(&self, name: &str) -> crate::Result<Arc<Credentials>> {
        let (cert, key) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        Credentials::load(&self.path("ca.pem"), &cert, &key)
    }

    pub(crate) fn credentials(&self, identity: &str) -> Arc<Credentials> {
        self.issue("own", identity, Validity::from_now(DAY));
        let credentials = self.load("own").unwrap();
        for file in ["own.key", "own.pem"] {
            std::fs::remove_file(self.path(file)).unwrap();
        }
        credentials
    }

    /// A certificate with these URIs and uses, signed with the authority's own key.
    pub(crate) fn forge(&self, uris: &[&str], usages: &[ExtendedKeyUsagePurpose]) -> Pair {
        let key = KeyPair::from_pem(&std::fs::read_to_string(self.path("ca.key")).unwrap()).unwrap();
        let pem = std::fs::read_to_string(self.path("ca.pem")).unwrap();
        forge_with(&Issuer::from_ca_cert_pem(&pem, key).unwrap(), uris, usages)
    }
}

pub(crate) fn forge_with(issuer: &Issuer<'_, KeyPair>, uris: &[&str], usages: &[ExtendedKeyUsagePurpose]) -> Pair {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
    params.extended_key_usages = usages.to_vec();
    let certificate = params.signed_by(&key, issuer).unwrap();
    (vec![certificate.into()], key.into())
}

pub(crate) fn expired() -> Validity {
    let now = SystemTime::now();
    Validity { not_before: now - 3 * DAY, not_after: now - DAY }
}

pub(crate) fn not_yet_valid() -> Validity {
    let now = SystemTime::now();
    Validity { not_before: now + DAY, not_after: now + 3 * DAY }
}
