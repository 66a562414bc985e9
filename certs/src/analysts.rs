//! A body's own small authority, which signs its analysts: only the body's own node trusts it, and for nobody else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use meridian_proto::Name;
use rcgen::{Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use serde::{Deserialize, Serialize};

use crate::authority::{self, Validity, params};
use crate::{Error, Identity, Request, Result, certificate, files};

const WHAT: &str = "the body's list of analysts";
const RESTORE: &str = "restore the folder from a backup, or move it away and add the analysts anew";
/// The body's authority lives ten years; whoever loses its key moves the folder away and adds the analysts anew.
const LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The most groups that an analyst is in.
pub const MOST_GROUPS: usize = 32;

/// An analyst of a body, as its list has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Analyst {
    /// Who it is.
    pub name: Name,
    /// The serial number of the certificate, lower-case hexadecimal.
    pub serial: String,
    /// Seconds since the Unix epoch at which the certificate ends.
    pub not_after: u64,
    /// Whether it does not count any more.
    pub removed: bool,
    /// The groups of the body's analysts that they are in, for which an agreement may hold: in order, each once, and the same
    /// with all certificates of one analyst.
    #[serde(default)]
    pub groups: Vec<Name>,
}

/// The folder of a body's authority: `ca.pem`, `ca.key` and `analysts.json`.
#[derive(Debug, Clone)]
pub struct Analysts {
    federation: Name,
    body: Name,
    dir: PathBuf,
}

impl Analysts {
    /// The analysts of a body, in a folder that may not exist yet.
    pub fn new(federation: Name, body: Name, dir: PathBuf) -> Self {
        Self { federation, body, dir }
    }

    /// The file that changes with every change of the list.
    pub fn file(&self) -> PathBuf {
        self.dir.join("analysts.json")
    }

    /// Signs a certificate for an analyst and returns the chain as PEM. A certificate that they had before counts until it
    /// ends, or until they are removed; they stay in their groups unless they were removed.
    pub fn add(&self, name: &Name, request: &Request, validity: Validity, now: SystemTime) -> Result<String> {
        let _lock = self.lock()?;
        let identity =
            Identity::Analyst { federation: self.federation.clone(), body: self.body.clone(), name: name.clone() };
        let wrong = |problem: String| Error::Issue { subject: identity.to_string(), problem };
        let issuer = self.issuer()?;
        let params = params::member(&identity, &[], validity).map_err(wrong)?;
        let serial = params.serial_number.as_ref().map(|serial| hex::encode(serial.to_bytes())).unwrap_or_default();
        let signed = params.signed_by(request.public_key(), &issuer).map_err(|error| wrong(error.to_string()))?;
        let mut list = self.list()?;
        list.retain(|analyst| analyst.not_after > seconds(now));
        let groups = groups_of(&list, name);
        let not_after = seconds(validity.not_after);
        list.push(Analyst { name: name.clone(), serial, not_after, removed: false, groups });
        self.write(&list)?;
        Ok(signed.pem())
    }

    /// Puts an analyst into these groups, and takes them out of all others: from their next question on, as soon as the node
    /// has read the list again.
    pub fn group(&self, name: &Name, groups: &[Name]) -> Result<()> {
        let mut groups = groups.to_vec();
        groups.sort_unstable();
        groups.dedup();
        if groups.len() > MOST_GROUPS {
            let problem = format!("is put into {} groups: {MOST_GROUPS} are the most", groups.len());
            return Err(Error::Issue { subject: name.to_string(), problem });
        }
        self.change(name, |analyst| !analyst.removed, |analyst| analyst.groups.clone_from(&groups))
    }

    /// Ends all certificates of an analyst.
    pub fn remove(&self, name: &Name) -> Result<()> {
        self.change(name, |_| true, |analyst| analyst.removed = true)
    }

    fn change(&self, name: &Name, of: impl Fn(&Analyst) -> bool, with: impl Fn(&mut Analyst)) -> Result<()> {
        let _lock = self.lock()?;
        let mut list = self.list()?;
        let mut found = false;
        for analyst in list.iter_mut().filter(|analyst| analyst.name == *name && of(analyst)) {
            with(analyst);
            found = true;
        }
        if !found {
            let problem = "is no analyst of this body: `meridian analyst list` says who is".to_owned();
            return Err(Error::Issue { subject: name.to_string(), problem });
        }
        self.write(&list)
    }

    /// The certificates that have been signed, those that have ended for longer excepted.
    pub fn list(&self) -> Result<Vec<Analyst>> {
        let path = self.file();
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|error| Error::File {
                what: WHAT,
                path,
                problem: error.to_string(),
                remedy: RESTORE,
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(Error::Read { what: WHAT, path, source }),
        }
    }

    /// What a node trusts for its own analysts; nothing where none has been added.
    pub(crate) fn trust(&self, provider: &Arc<CryptoProvider>) -> Result<Option<Trusted>> {
        let list = self.list()?;
        if list.is_empty() {
            return Ok(None);
        }
        let path = self.dir.join("ca.pem");
        let wrong = |problem: String| Error::File { what: WHAT, path: path.clone(), problem, remedy: RESTORE };
        let mut roots = RootCertStore::empty();
        for der in files::certificates(WHAT, &path)? {
            certificate::anchor(&der).map_err(|error| wrong(error.to_string()))?;
            roots.add(der).map_err(|error| wrong(error.to_string()))?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
        let removed = list.iter().filter(|analyst| analyst.removed).filter_map(|it| hex::decode(&it.serial).ok());
        Ok(Some(Trusted {
            verifier: verifier.map_err(|error| wrong(error.to_string()))?,
            body: self.body.clone(),
            removed: removed.collect(),
            groups: list.iter().map(|analyst| (analyst.name.clone(), groups_of(&list, &analyst.name))).collect(),
        }))
    }

    /// The body's authority, made with the first analyst.
    fn issuer(&self) -> Result<Issuer<'static, KeyPair>> {
        let (cert, key) = (self.dir.join("ca.pem"), self.dir.join("ca.key"));
        if !cert.exists() {
            let subject = format!("the analysts' authority of {}", self.body);
            let wrong = |problem: String| Error::Issue { subject: subject.clone(), problem };
            let params = params::issuer(&self.federation, Validity::from_now(LIFE)).map_err(wrong)?;
            let made = authority::new_key(&subject)?;
            let pem = params.self_signed(&made).map_err(|error| wrong(error.to_string()))?.pem();
            files::replace_key(&key, made.serialize_pem().as_bytes())?;
            files::replace(&cert, pem.as_bytes())?;
        }
        let (anchor, der) = authority::ca(&cert, "the analysts' authority")?;
        authority::issuer("the analysts' authority", &key, &cert, &der, &anchor)
    }

    fn write(&self, list: &[Analyst]) -> Result<()> {
        let text = serde_json::to_vec_pretty(list).map_err(|error| Error::File {
            what: WHAT,
            path: self.file(),
            problem: error.to_string(),
            remedy: "report this with the version of the program",
        })?;
        files::replace(&self.file(), &text)
    }

    fn lock(&self) -> Result<fs::File> {
        fs::create_dir_all(&self.dir).map_err(|source| Error::Write { path: self.dir.clone(), source })?;
        files::lock(&self.dir.join("lock"))
    }
}

/// What a node trusts for its own analysts.
#[derive(Debug)]
pub(crate) struct Trusted {
    pub(crate) verifier: Arc<dyn ClientCertVerifier>,
    pub(crate) body: Name,
    /// Serial numbers.
    pub(crate) removed: BTreeSet<Vec<u8>>,
    /// By the analyst's name.
    pub(crate) groups: BTreeMap<Name, Vec<Name>>,
}

fn groups_of(list: &[Analyst], name: &Name) -> Vec<Name> {
    let held = list.iter().find(|analyst| analyst.name == *name && !analyst.removed);
    held.map(|analyst| analyst.groups.clone()).unwrap_or_default()
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;
    use crate::KeyAndRequest;
    use crate::anchors::Anchors;
    use crate::credentials::now_of;
    use crate::testing::{DAY, Federation};

    #[test]
    fn a_body_vouches_for_its_own_analysts_and_nobody_else() {
        let london = Federation::new("london");
        let name = |text: &str| -> Name { text.parse().unwrap() };
        let of = |body: &str| Analysts::new(name("london"), name(body), london.path(&format!("{body}-analysts")));
        let now = SystemTime::now();
        let (lfb, gla) = (of("lfb"), of("gla"));
        let signed = |analysts: &Analysts, who: &str, life: Duration| {
            let (_, request) = KeyAndRequest::generate().unwrap();
            let pem =
                analysts.add(&name(who), &Request::from_pem(&request).unwrap(), Validity::from_now(life), now).unwrap();
            files::certificates_of(&pem).unwrap()
        };
        let anchors: Arc<Anchors> = london.anchors();
        let (li, asha) = (signed(&lfb, "li", DAY), signed(&gla, "asha", DAY));
        let check = |chain: &[rustls::pki_types::CertificateDer<'_>], then| {
            anchors.check_client(&chain[0], &chain[1..], now_of(then)).map(|it| it.identity.to_string())
        };
        assert!(check(&li, now).is_err(), "nobody trusts it yet");
        anchors.trust(&lfb).unwrap();
        assert_eq!(check(&li, now).unwrap(), "spiffe://london/body/lfb/analyst/li");
        assert!(check(&li, now + DAY * 2).is_err(), "it has ended");
        assert!(check(&asha, now).is_err(), "another body's authority");

        // The body's own authority can make neither nodes nor analysts of others.
        let forged = |uri: &str| {
            let key = KeyPair::from_pem(&fs::read_to_string(london.path("lfb-analysts/ca.key")).unwrap()).unwrap();
            let pem = fs::read_to_string(london.path("lfb-analysts/ca.pem")).unwrap();
            let issuer = Issuer::from_ca_cert_pem(&pem, key).unwrap();
            crate::testing::forge_with(&issuer, &[uri], &[rcgen::ExtendedKeyUsagePurpose::ClientAuth]).0
        };
        assert!(check(&forged("spiffe://london/body/lfb/analyst/mo"), now).is_ok());
        for uri in ["spiffe://london/body/lfb/node", "spiffe://london/body/gla/analyst/mo"] {
            assert!(check(&forged(uri), now).is_err(), "{uri}");
        }

        // Whoever is removed is out with all their certificates, and the others are not.
        let (second, mo) = (signed(&lfb, "li", DAY), signed(&lfb, "mo", DAY));
        lfb.group(&name("li"), &[name("planning"), name("fire"), name("fire")]).unwrap();
        signed(&lfb, "li", DAY);
        anchors.trust(&lfb).unwrap();
        assert_eq!(anchors.groups(&name("li")), [name("fire"), name("planning")]);
        assert_eq!(anchors.groups(&name("mo")), []);
        assert!(lfb.group(&name("nobody"), &[]).is_err());
        lfb.remove(&name("li")).unwrap();
        assert!(lfb.group(&name("li"), &[]).is_err(), "they are none any more");
        anchors.trust(&lfb).unwrap();
        assert!(check(&li, now).is_err() && check(&second, now).is_err());
        assert!(check(&mo, now).is_ok());
        assert_eq!(anchors.groups(&name("li")), []);
        assert!(lfb.remove(&name("nobody")).is_err());
        assert_eq!(lfb.list().unwrap().iter().filter(|analyst| analyst.removed).count(), 3);
    }
}
