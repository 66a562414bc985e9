//! A federation for tests: an authority, and certificates of its bodies' nodes.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use meridian_certs::{Authority, Credentials, Identity, KeyAndRequest, Request, Validity};
use meridian_proto::Name;
use tempfile::TempDir;

/// How long the certificates hold.
const LIFE: Duration = Duration::from_secs(86_400);

/// The federation `london`, with keys that nobody else has.
pub(crate) struct Federation {
    pub(crate) folder: TempDir,
    authority: Authority,
}

impl Federation {
    /// A new one.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::create(&name("london"), folder.path()).unwrap();
        Self { folder, authority }
    }

    /// What the node of a body holds.
    pub(crate) fn credentials(&self, body: &str) -> Arc<Credentials> {
        let identity = Identity::Node { federation: name("london"), body: name(body) };
        let folder = TempDir::new_in(self.folder.path()).unwrap();
        let path = |file: &str| folder.path().join(file);
        let made = KeyAndRequest::create(&path("key")).unwrap();
        let request = Request::from_pem(made.pem()).unwrap();
        let chain = self.authority.sign(&request, &identity, &["localhost".to_owned()], Validity::from_now(LIFE));
        fs::write(path("pem"), chain.unwrap()).unwrap();
        Credentials::load(&self.folder.path().join("ca.pem"), &path("pem"), &path("key")).unwrap()
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}
