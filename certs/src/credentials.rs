//! A body's own chain and key, with the federation's anchors: connections and signatures are made from these.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use meridian_proto::{Name, Signed};
use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SignatureScheme, version};

use crate::analysts::Analysts;
use crate::anchors::{Anchors, CallerVerifier};
use crate::certificate::{self, EndEntity, Usage};
use crate::standing::Excluded;
use crate::trust::{Federation, Trust};
use crate::{
    Acceptor, AuthorityConnector, Connector, Error, Facts, Identity, Result, Root, Verified, files, reason, signed,
};

const WHAT: &str = "the certificate";
const RENEW_AGAIN: &str = "renew it again with `meridian node renew`";

/// The application protocol, as ALPN names it.
pub(crate) const ALPN: &[u8] = b"h2";
/// The application protocol of browsers.
const ALPN_WEB: &[u8] = b"http/1.1";

/// Own chain and key, and whom to trust. The key does not leave it, and it does not print.
pub struct Credentials {
    trust: Arc<Trust>,
    identity: Identity,
    current: Arc<Current>,
    server: Arc<ServerConfig>,
}

/// A chain, what its first certificate says, and the key.
pub(crate) struct Held {
    pub(crate) own: EndEntity,
    pub(crate) key: Arc<CertifiedKey>,
}

/// What is held now: every new connection and signature is made with it.
pub(crate) struct Current(RwLock<Arc<Held>>);

impl Current {
    pub(crate) fn new(held: Held) -> Arc<Self> {
        Arc::new(Self(RwLock::new(Arc::new(held))))
    }

    pub(crate) fn held(&self) -> Arc<Held> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Current {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Current").field(&self.held().own).finish()
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.held().key))
    }
}

impl ResolvesClientCert for Current {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.held().key))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

impl Credentials {
    /// Loads the anchors (`ca`), the chain (`cert`) and the key, and checks that they fit together and are valid now. Chain and
    /// key may stand in one file.
    pub fn load(ca: &Path, cert: &Path, key: &Path) -> Result<Arc<Self>> {
        Self::load_trusting(ca, cert, key, &[])
    }

    /// The same, with the anchors (PEM) of other federations whose nodes are trusted: where a name stands with one, they must be
    /// that federation's.
    pub fn load_trusting(ca: &Path, cert: &Path, key: &Path, others: &[(Option<Name>, &Path)]) -> Result<Arc<Self>> {
        let anchors = Arc::new(Anchors::load(ca)?);
        let held = held(&anchors, cert, key)?;
        Ok(Arc::new(Self::of(Trust::load(anchors, others)?, held)?))
    }

    /// One's own federation.
    pub fn home(&self) -> Federation {
        Federation::new(Arc::clone(self.trust.own()), Arc::clone(&self.current))
    }

    /// Another federation that is trusted.
    pub fn abroad(&self, name: &Name) -> Option<Federation> {
        let anchors = self.trust.others().iter().find(|anchors| anchors.federation() == name)?;
        Some(Federation::new(Arc::clone(anchors), Arc::clone(&self.current)))
    }

    /// Takes another chain and key of the same identity, as `load` does: connections that are open go on with what they were made
    /// with. Returns whether they are others than before.
    pub fn reload(&self, cert: &Path, key: &Path) -> Result<bool> {
        let held = held(self.trust.own(), cert, key)?;
        if held.own.identity != self.identity {
            return Err(Error::File {
                what: WHAT,
                path: cert.into(),
                problem: format!("is of {}, and this is {}", held.own.identity, self.identity),
                remedy: "put back the certificate of this body",
            });
        }
        let mut current = self.current.0.write().unwrap_or_else(PoisonError::into_inner);
        if current.own == held.own {
            return Ok(false);
        }
        *current = Arc::new(held);
        Ok(true)
    }

    /// Takes a new chain (PEM) for a new key: both are checked, written into the one file that holds them, and in force.
    pub fn renew(&self, chain: &str, key: &str, path: &Path) -> Result<()> {
        let wrong = |problem: String| Error::File { what: WHAT, path: path.into(), problem, remedy: RENEW_AGAIN };
        let certificates = files::certificates_of(chain).map_err(|error| wrong(error.to_string()))?;
        check_own(self.trust.own(), &certificates, now_of(SystemTime::now())).map_err(wrong)?;
        let key_der = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| wrong(error.to_string()))?;
        let held = Held::of(self.trust.own(), certificates, key_der)?;
        if held.own.identity != self.identity {
            return Err(wrong(format!("the new one is of {}, and this is {}", held.own.identity, self.identity)));
        }
        files::replace_key(path, (key.to_owned() + chain).as_bytes())?;
        *self.current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(held);
        Ok(())
    }

    /// Writes the first chain and key of a node into one new file, for its owner alone.
    pub fn begin(path: &Path, chain: &str, key: &str) -> Result<()> {
        files::create_key(path, &(key.to_owned() + chain))
    }

    /// Who we are.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// When our certificate ends.
    pub fn valid_until(&self) -> SystemTime {
        self.current.held().own.not_after
    }

    /// The serial number of our certificate, as its bytes are in it.
    pub fn serial(&self) -> Vec<u8> {
        self.current.held().own.serial.clone()
    }

    /// Since when our certificate holds.
    pub fn valid_from(&self) -> SystemTime {
        self.current.held().own.not_before
    }

    /// The roots of one's own federation that count, oldest first.
    pub fn roots(&self) -> Vec<Root> {
        let (roots, held) = (self.trust.own().roots(), self.current.held());
        let carries = |root: &CertificateDer<'_>| held.key.cert.iter().any(|der| certificate::is_signed_by(der, root));
        let said = |root| Some(Root { facts: Facts::of(root)?, is_own: carries(root) });
        roots.certificates().iter().filter_map(said).collect()
    }

    /// From now on these are shut out: they can neither connect nor be called, and what they signed does not count. Connections
    /// with them that are open end.
    pub fn exclude(&self, excluded: Excluded) {
        self.trust.own().standing().set(excluded);
    }

    /// From now on the certificates that one's own body signed for these analysts count, those of the removed excepted.
    pub fn trust(&self, analysts: &Analysts) -> Result<()> {
        self.trust.own().trust(analysts)
    }

    /// The groups that an analyst of one's own body is in: in order, each once.
    pub fn groups(&self, analyst: &Name) -> Vec<Name> {
        self.trust.own().groups(analyst)
    }

    /// For those who call us: TLS 1.3, a certificate of the federation from every caller, HTTP/2.
    pub fn server_acceptor(&self) -> Acceptor {
        Acceptor::new(self.server.clone(), self.trust.clone())
    }

    /// The same for browsers, which speak HTTP/1.1 here.
    pub fn web_acceptor(&self) -> Acceptor {
        let mut config = ServerConfig::clone(&self.server);
        config.alpn_protocols = vec![ALPN_WEB.to_vec()];
        Acceptor::new(Arc::new(config), self.trust.clone())
    }

    /// For calling nodes.
    pub fn client_connector(&self) -> Connector {
        Connector::new(self.trust.own().clone(), self.current.clone())
    }

    /// Signs a payload as this identity.
    pub fn sign(&self, payload: Vec<u8>) -> Result<Signed> {
        signed::sign(payload, &self.current.held().key)
            .map_err(|reason| Error::Signing { identity: self.identity.to_string(), reason })
    }

    /// Checks at `now` that the payload was signed by somebody of the federation, and says who. Whether *they* may say
    /// what the payload says is for the caller to compare.
    pub fn verify(&self, signed: &Signed, now: SystemTime) -> Result<Verified> {
        Verified::by_signature(signed, self.trust.own(), now_of(now)).map_err(|reason| Error::Signature { reason })
    }

    /// The same, where it may also be a node of another federation that is trusted.
    pub fn verify_of_any(&self, signed: &Signed, now: SystemTime) -> Result<Verified> {
        Verified::by_trusted(signed, &self.trust, now_of(now)).map_err(|reason| Error::Signature { reason })
    }

    /// Checks that the payload was signed by a node of the federation with a certificate that was valid once and was not revoked
    /// since. That it has ended, or its body is suspended or out, does not matter: for what gives nobody anything.
    pub fn verify_once_valid(&self, signed: &Signed) -> Result<Verified> {
        Verified::by_old_signature(signed, self.trust.own()).map_err(|reason| Error::Signature { reason })
    }

    /// Whether the certificate of a signature that was checked before was revoked since.
    pub fn has_revoked(&self, signed: &Signed) -> bool {
        let anchors = self.trust.own();
        let signer = signed.chain.first().map(|der| CertificateDer::from(der.as_slice()));
        let signer = signer.and_then(|der| certificate::end_entity(&der, Usage::Client, anchors.federation()).ok());
        signer.is_some_and(|signer| anchors.standing().revokes(&signer))
    }

    /// Checks at `now` that the payload was signed by the federation's authority.
    pub fn verify_authority(&self, signed: &Signed, now: SystemTime) -> Result<()> {
        signed::by_authority(signed, self.trust.own(), now_of(now)).map_err(|reason| Error::Signature { reason })
    }

    /// For calling the federation's authority.
    pub fn authority_connector(&self) -> AuthorityConnector {
        AuthorityConnector::new(self.trust.own().clone())
    }

    fn of(trust: Arc<Trust>, held: Held) -> Result<Self> {
        let identity = held.own.identity.clone();
        let current = Current::new(held);
        let server = Arc::new(server_config(&trust, current.clone())?);
        Ok(Self { trust, identity, current, server })
    }
}

impl Held {
    fn of(anchors: &Anchors, chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self> {
        let first = chain.first().ok_or(rustls::Error::NoCertificatesPresented)?;
        let own = certificate::end_entity(first, Usage::Client, anchors.federation())
            .map_err(|error| rustls::Error::General(error.to_string()))?;
        let key = Arc::new(CertifiedKey::from_der(chain, key, anchors.provider())?);
        Ok(Self { own, key })
    }
}

fn held(anchors: &Anchors, cert: &Path, key: &Path) -> Result<Held> {
    let chain = files::certificates(WHAT, cert)?;
    let key_der = files::private_key(key)?;
    check_own(anchors, &chain, now_of(SystemTime::now())).map_err(|problem| Error::File {
        what: WHAT,
        path: cert.into(),
        problem,
        remedy: "request one from the federation's authority, for the identity that this body has; an analyst's comes from the \
                 operator of their own body's node (meridian analyst add)",
    })?;
    Held::of(anchors, chain, key_der).map_err(|error| match error {
        Error::Tls(rustls::Error::InconsistentKeys(_)) => {
            Error::KeyMismatch { key: key.into(), certificate: cert.into() }
        }
        Error::Tls(error) => Error::File {
            what: "the private key",
            path: key.into(),
            problem: error.to_string(),
            remedy: "use the ECDSA P-256 key that the certificate was requested with",
        },
        other => other,
    })
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.identity)
    }
}

pub(crate) fn server_config(
    trust: &Arc<Trust>,
    current: Arc<dyn ResolvesServerCert>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(trust.own().provider().clone())
        .with_protocol_versions(&[&version::TLS13])?
        .with_client_cert_verifier(Arc::new(CallerVerifier(trust.clone())))
        .with_cert_resolver(current);
    config.alpn_protocols = vec![ALPN.to_vec()];
    // A resumed session would skip the certificate, and with it the check that it is still valid. No 0-RTT either:
    // `max_early_data_size` is 0.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn check_own(anchors: &Anchors, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<(), String> {
    let [end_entity, intermediates @ ..] = chain else { return Err("holds no certificate".into()) };
    // Who is suspended learns it from those whom they call, and goes on when they no longer are.
    anchors.check_chain_of_caller(end_entity, intermediates, now).map_err(|error| reason::of_tls(&error, None))
}

/// A time before 1970 counts as 1970, when nothing was valid.
pub(crate) fn now_of(time: SystemTime) -> UnixTime {
    UnixTime::since_unix_epoch(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;
    use crate::Validity;
    use crate::testing::{ASHA, DAY, Federation, LFB, LODA, expired, not_yet_valid};

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_remedy() {
        let london = Federation::new("london");
        london.issue("own", LFB, Validity::from_now(DAY));
        for (mode, good) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o610, false)] {
            fs::set_permissions(london.path("own.key"), fs::Permissions::from_mode(mode)).unwrap();
            let loaded = london.load("own");
            assert_eq!(loaded.is_ok(), good, "{mode:o}");
            if let Err(error) = loaded {
                let error = error.to_string();
                assert!(error.contains(&format!("has mode {mode:04o}")), "{error}");
                assert!(error.contains("chmod 600") && error.contains("own.key"), "{error}");
            }
        }
    }

    #[test]
    fn files_that_are_missing_or_broken_are_named() {
        let london = Federation::new("london");
        london.issue("own", LFB, Validity::from_now(DAY));
        london.issue("other", LFB, Validity::from_now(DAY));
        let other_key = fs::read_to_string(london.path("other.key")).unwrap();
        let other_london = Federation::new("london");
        let foreign = fs::read_to_string(other_london.path("ca.pem")).unwrap();
        let berlin = fs::read_to_string(Federation::new("berlin").path("ca.pem")).unwrap();
        let own = fs::read_to_string(london.path("own.pem")).unwrap();
        let ca = fs::read_to_string(london.path("ca.pem")).unwrap();
        let garbage = "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
        let not_x509 = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for (file, content, says) in [
            ("ca.pem", None, "No such file"),
            ("ca.pem", Some(""), "holds no PEM section with a certificate"),
            ("ca.pem", Some(garbage), "is not Base64"),
            ("ca.pem", Some(not_x509), "not correctly encoded"),
            ("ca.pem", Some(&own), "is no authority's"),
            ("ca.pem", Some(&foreign), "not signed by this federation's authority"),
            ("ca.pem", Some(&format!("{ca}{berlin}")), "holds anchors of london and of berlin"),
            ("own.pem", None, "No such file"),
            ("own.pem", Some("hello"), "holds no PEM section with a certificate"),
            ("own.pem", Some(&other_key), "holds no PEM section with a certificate"),
            ("own.pem", Some(&own[..own.len() / 2]), "cut short"),
            ("own.pem", Some(garbage), "is not Base64"),
            ("own.pem", Some(not_x509), "refused"),
            ("own.key", None, "No such file"),
            ("own.key", Some(&own), "holds no PEM section with a private key"),
            ("own.key", Some(&other_key), "does not belong to the certificate"),
            ("own.key", Some("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "own.key"),
        ] {
            let path = london.path(file);
            let before = fs::read(&path).unwrap();
            match content {
                Some(content) => fs::write(&path, content).unwrap(),
                None => fs::remove_file(&path).unwrap(),
            }
            let error = london.load("own").err().unwrap().to_string();
            assert!(error.contains(says), "{file}: {error:?} does not say {says:?}");
            let named = if says.contains("not signed") { "own.pem" } else { file };
            assert!(error.contains(named), "{error:?} does not name {named}");
            fs::write(&path, before).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        assert_eq!(london.load("own").unwrap().identity().to_string(), LFB);
    }

    #[test]
    fn a_certificate_that_is_not_valid_now_does_not_load() {
        let london = Federation::new("london");
        for (name, validity, says) in [("a", expired(), "expired on 20"), ("b", not_yet_valid(), "valid from 20")] {
            london.issue(name, LFB, validity);
            let error = london.load(name).err().unwrap().to_string();
            assert!(error.contains(says) && error.contains(&format!("{name}.pem")), "{error}");
        }
    }

    #[test]
    fn a_signature_says_who_signed() {
        let london = Federation::new("london");
        let (lfb, loda) = (london.credentials(LFB), london.credentials(LODA));
        let signed = lfb.sign(b"1842 rows".to_vec()).unwrap();
        let verified = loda.verify(&signed, SystemTime::now()).unwrap();
        assert_eq!(verified.identity().to_string(), LFB);
        assert_eq!(verified.valid_until(), lfb.valid_until());
        let decoded = Signed::decode(&signed.encode()).unwrap();
        assert_eq!(loda.verify(&decoded, SystemTime::now()).unwrap(), verified);
    }

    #[test]
    fn nothing_of_a_signature_can_be_changed() {
        let london = Federation::new("london");
        let other_london = Federation::new("london");
        let (lfb, loda) = (london.credentials(LFB), london.credentials(LODA));
        let good = lfb.sign(b"1842 rows".to_vec()).unwrap();
        let now = SystemTime::now();
        let flipped = |bytes: &[u8], at: usize| {
            let mut bytes = bytes.to_vec();
            bytes[at] ^= 1;
            bytes
        };
        let mut cases = vec![
            ("another payload", Signed { payload: b"1843 rows".to_vec(), ..good.clone() }),
            ("no payload", Signed { payload: vec![], ..good.clone() }),
            ("no signature", Signed { signature: vec![], ..good.clone() }),
            ("another's chain", Signed { chain: loda.sign(vec![]).unwrap().chain, ..good.clone() }),
            ("no chain", Signed { chain: vec![], ..good.clone() }),
            ("no certificate", Signed { chain: vec![b"x".to_vec()], ..good.clone() }),
            ("a long chain", Signed { chain: vec![good.chain[0].clone(); 5], ..good.clone() }),
            ("a scheme of another curve", Signed { scheme: 0x0503, ..good.clone() }),
            ("an RSA scheme", Signed { scheme: 0x0804, ..good.clone() }),
            ("a SHA-1 scheme", Signed { scheme: 0x0203, ..good.clone() }),
            ("an unknown scheme", Signed { scheme: 0xffff, ..good.clone() }),
            ("another authority", other_london.credentials(LFB).sign(b"1842 rows".to_vec()).unwrap()),
        ];
        for at in 0..good.signature.len() {
            cases.push((
                "a flipped bit in the signature",
                Signed { signature: flipped(&good.signature, at), ..good.clone() },
            ));
        }
        for at in 0..good.chain[0].len() {
            cases.push((
                "a flipped bit in the chain",
                Signed { chain: vec![flipped(&good.chain[0], at), good.chain[1].clone()], ..good.clone() },
            ));
        }
        for (case, signed) in cases {
            assert!(loda.verify(&signed, now).is_err(), "{case}");
        }
        for then in [lfb.valid_until() + Duration::from_secs(1), now - DAY, UNIX_EPOCH - DAY] {
            assert!(loda.verify(&good, then).is_err());
        }
    }

    #[test]
    fn a_bare_signature_of_the_same_key_is_no_statement() {
        let london = Federation::new("london");
        let lfb = london.credentials(LFB);
        let signer =
            lfb.current.held().key.key.choose_scheme(&[rustls::SignatureScheme::ECDSA_NISTP256_SHA256]).unwrap();
        let payload = b"signed for something else".to_vec();
        let signature = signer.sign(&payload).unwrap();
        let forged = Signed { signature, ..lfb.sign(payload).unwrap() };
        assert!(lfb.verify(&forged, SystemTime::now()).is_err());
    }

    #[test]
    fn signers_with_no_or_two_identities_are_refused() {
        let london = Federation::new("london");
        let loda = london.credentials(LODA);
        for uris in [&[][..], &[LFB, LODA], &["spiffe://berlin/body/lfb/node"]] {
            let (chain, key) = london.forge(uris, &[rcgen::ExtendedKeyUsagePurpose::ClientAuth]);
            let key = CertifiedKey::from_der(chain, key, loda.trust.own().provider()).unwrap();
            let signed = signed::sign(b"x".to_vec(), &key).unwrap();
            assert!(loda.verify(&signed, SystemTime::now()).is_err(), "{uris:?}");
        }
    }

    #[test]
    fn an_analyst_has_credentials_and_nothing_secret_prints() {
        let asha = Federation::new("london").credentials(ASHA);
        assert_eq!(format!("{asha:?}"), format!("Credentials({ASHA})"));
    }
}
