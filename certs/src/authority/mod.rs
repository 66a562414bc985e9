//! The authority of a federation: signs certificates that bind a key to an identity.
//!
//! | file | what | where it belongs |
//! | --- | --- | --- |
//! | `ca.pem` | the root: what every member trusts; beside it a new one, until the old one is retired | everywhere |
//! | `ca.key` | the root's key, which signs issuing certificates only | offline, once `issuer.key` is made |
//! | `link.pem` | the word of the roots before it for a root (see [`Authority::new_root`]) | beside `ca.key` |
//! | `issuer.pem`, `issuer.key` | the issuing key, which signs members' certificates, and links to its root | with the authority |
//! | `signer.pem` | key and chain with which the authority signs the membership and serves TLS, made anew each month | with the authority |
//!
//! A second issuing key, at another body, is another folder with the same `ca.pem` (see [`Authority::sign_issuer`]).

mod books;
mod office;
pub(crate) mod params;
mod roots;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use meridian_proto::{Name, Signed};
use rcgen::{Issuer, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use rustls::pki_types::CertificateDer;
use rustls::sign::CertifiedKey;

use crate::anchors::Anchors;
use crate::certificate::{self, authority_uri};
use crate::credentials::now_of;
use crate::{Error, Identity, KeyAndRequest, Request, Result, files, reason, signed};

pub use books::Invitation;
pub use office::{Joined, Office, Refusal};
pub use params::Validity;

/// A root lives ten years; a new one is a decision of the federation.
const ROOT_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// The issuing key's certificate is made anew every other year.
const ISSUER_LIFE: Duration = Duration::from_secs(2 * 365 * 24 * 3600);
/// What the authority itself signs and serves with.
const SIGNER_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

const RESTORE: &str = "restore the authority's folder from a backup, or make a new authority";
const NEW_ISSUER: &str =
    "have a root that holds sign a new issuing key: `meridian authority issuer`, or restore the folder from a backup";

/// The authority of a federation, with its issuing key.
pub struct Authority {
    dir: PathBuf,
    federation: Name,
    issuer: Issuer<'static, KeyPair>,
    /// The issuing certificate, and links by which it also holds for whoever has an older root alone.
    issuer_pem: String,
    not_after: SystemTime,
}

impl Authority {
    /// Makes a new authority and writes its root and its issuing key (keys for their owner alone) into the folder.
    pub fn create(federation: &Name, dir: &Path) -> Result<Self> {
        let subject = format!("the authority of {federation}");
        fs::create_dir_all(dir).map_err(|source| Error::Write { path: dir.into(), source })?;
        let at = |name: &str| dir.join(name);
        let key = new_key(&subject)?;
        let root = params::root(federation, &key, Validity::from_now(ROOT_LIFE));
        let root = root.map_err(|problem| issue(&subject, problem))?;
        let pem = root.self_signed(&key).map_err(|error| issue(&subject, error))?.pem();
        files::create_key(&at("ca.key"), &key.serialize_pem())?;
        // A key without its certificate would only stand in the way of the next attempt.
        files::create_certificate(&at("ca.pem"), &pem).inspect_err(|_| drop(fs::remove_file(at("ca.key"))))?;
        let issuing = KeyAndRequest::create(&at("issuer.key"))?;
        let issuer = Self::sign_issuer(dir, &Request::from_pem(issuing.pem())?)?;
        files::create_certificate(&at("issuer.pem"), &issuer)?;
        Self::open(dir)
    }

    /// Signs an issuing key with the root's, which has to be in the folder for that; the request may come from another body.
    /// Returns the certificate as PEM, and behind it the links to the root.
    pub fn sign_issuer(dir: &Path, request: &Request) -> Result<String> {
        let (root, issuer) = roots::with_key(dir)?;
        let subject = format!("the issuing key of {}", root.federation);
        let validity = Validity::from_now(ISSUER_LIFE).until_at_most(root.not_after);
        let params = params::issuer(&root.federation, validity).map_err(|problem| issue(&subject, problem))?;
        let signed = params.signed_by(request.public_key(), &issuer).map_err(|error| issue(&subject, error))?;
        Ok(signed.pem() + &roots::links(dir)?)
    }

    /// Opens the authority in a folder; the root's key may be elsewhere.
    pub fn open(dir: &Path) -> Result<Self> {
        let at = |name: &str| dir.join(name);
        let root = Anchors::load(&at("ca.pem"))?;
        let what = "the issuing certificate";
        let (anchor, der) = first(files::certificates(what, &at("issuer.pem"))?, &at("issuer.pem"), what)?;
        let wrong = |problem: String| Error::File {
            what: "the issuing certificate",
            path: at("issuer.pem"),
            problem,
            remedy: RESTORE,
        };
        if anchor.federation != *root.federation() {
            return Err(wrong(format!("is of {}, and ca.pem of {}", anchor.federation, root.federation())));
        }
        let issuer = issuer("the issuing certificate", &at("issuer.key"), &at("issuer.pem"), &der, &anchor)?;
        let issuer_pem = files::text_of("the issuing certificate", &at("issuer.pem"))?;
        Ok(Self { dir: dir.into(), federation: anchor.federation, issuer, issuer_pem, not_after: anchor.not_after })
    }

    /// The federation that it signs for.
    pub fn federation(&self) -> &Name {
        &self.federation
    }

    /// Signs a certificate for the request's key and returns the chain as PEM, its holder first.
    ///
    /// Who the holder is (`identity`) and which hosts their node may be reached at (`hosts`: DNS names or IP addresses,
    /// for clients that check them) is decided here, not by the request. Analysts are signed by their own body.
    pub fn sign(&self, request: &Request, identity: &Identity, hosts: &[String], validity: Validity) -> Result<String> {
        if identity.federation() != &self.federation {
            return Err(issue(identity, format!("this authority signs for {} only", self.federation)));
        }
        if let Identity::Analyst { .. } = identity {
            return Err(issue(identity, "a body signs its own analysts: use `meridian analyst add` at its node"));
        }
        if validity.not_after > self.not_after {
            let problem =
                "it would outlive the authority's issuing key: choose a shorter life, or make a new issuing key";
            return Err(issue(identity, problem));
        }
        let params = params::member(identity, hosts, validity).map_err(|problem| issue(identity, problem))?;
        let signed = params.signed_by(request.public_key(), &self.issuer).map_err(|error| issue(identity, error))?;
        Ok(signed.pem() + &self.issuer_pem)
    }

    /// The trust anchors, PEM.
    pub fn anchors(&self) -> Result<String> {
        files::text_of("the root", &self.dir.join("ca.pem"))
    }

    /// The SHA-256 of the root's certificate, lower-case hexadecimal: what whoever joins checks the authority by. Of several roots
    /// it is the oldest, which vouches for the others.
    pub fn fingerprint(&self) -> Result<String> {
        Ok(roots::by_age(&self.dir)?.first().map(|(_, der)| files::sha256(der)).unwrap_or_default())
    }

    /// The issuing certificate and the links behind it.
    fn issuing(&self) -> Result<Vec<CertificateDer<'static>>> {
        files::certificates("the issuing certificate", &self.dir.join("issuer.pem"))
    }

    /// What the authority signs the membership and serves TLS with: chain up to the root, and key. Made when there is none,
    /// and anew in the second half of its life.
    pub(crate) fn signer(&self) -> Result<CertifiedKey> {
        let path = self.dir.join("signer.pem");
        let held = files::certificates("the signing certificate", &path).ok().and_then(|chain| {
            let until = certificate::not_after(chain.first()?)?;
            let left = until.duration_since(SystemTime::now()).unwrap_or_default();
            let behind = files::certificates_of(&(self.issuer_pem.clone() + &self.anchors().ok()?)).ok()?;
            let ours = chain.get(1..) == Some(behind.as_slice());
            (ours && left > SIGNER_LIFE / 2).then_some(chain)
        });
        let chain = match held {
            Some(chain) => chain,
            None => self.make_signer(&path)?,
        };
        let provider = rustls::crypto::ring::default_provider();
        Ok(CertifiedKey::from_der(chain, files::private_key(&path)?, &provider)?)
    }

    fn make_signer(&self, path: &Path) -> Result<Vec<CertificateDer<'static>>> {
        let subject = format!("the authority of {}", self.federation);
        let validity = Validity::from_now(SIGNER_LIFE).until_at_most(self.not_after);
        let params = params::signer(&self.federation, validity).map_err(|problem| issue(&subject, problem))?;
        let key = new_key(&subject)?;
        let signed = params.signed_by(&key, &self.issuer).map_err(|error| issue(&subject, error))?;
        // Key and chain change together, so they are one file. The root goes along for those who know but its fingerprint.
        let text = key.serialize_pem() + &signed.pem() + &self.issuer_pem + &self.anchors()?;
        files::replace_key(path, text.as_bytes())?;
        let chain = files::certificates("the signing certificate", path)?;
        let root = Anchors::load(&self.dir.join("ca.pem"))?;
        if let [signer, rest @ ..] = chain.as_slice() {
            let checked = root.check_authority_signer(signer, rest, now_of(SystemTime::now()));
            checked.map_err(|error| {
                issue(&subject, format!("issuer.pem: {}; {NEW_ISSUER}", reason::of_tls(&error, None)))
            })?;
        }
        Ok(chain)
    }

    /// Signs a payload as the authority.
    pub(crate) fn sign_payload(&self, payload: Vec<u8>) -> Result<Signed> {
        let mut signed = signed::sign(payload, &self.signer()?)
            .map_err(|reason| Error::Signing { identity: authority_uri(&self.federation), reason })?;
        // Whoever checks it has a root.
        signed.chain.truncate(1 + self.issuing()?.len());
        Ok(signed)
    }
}

/// A certificate of an authority, and what it says.
pub(crate) fn ca(path: &Path, what: &'static str) -> Result<(certificate::Anchor, CertificateDer<'static>)> {
    let found = files::certificates(what, path)?;
    if found.len() > 1 {
        let problem = "holds several certificates instead of one".to_owned();
        return Err(Error::File { what, path: path.into(), problem, remedy: RESTORE });
    }
    first(found, path, what)
}

/// The first of the certificates of a file, which is an authority's, and what it says.
fn first(
    found: Vec<CertificateDer<'static>>,
    path: &Path,
    what: &'static str,
) -> Result<(certificate::Anchor, CertificateDer<'static>)> {
    let unfit = |problem: String| Error::File { what, path: path.into(), problem, remedy: RESTORE };
    let der = found.into_iter().next().ok_or_else(|| unfit("holds no certificate".into()))?;
    let anchor = certificate::anchor(&der).map_err(|error| unfit(error.to_string()))?;
    Ok((anchor, der))
}

/// A certificate of an authority with its key.
pub(crate) fn issuer(
    what: &'static str,
    key_path: &Path,
    path: &Path,
    der: &CertificateDer<'_>,
    anchor: &certificate::Anchor,
) -> Result<Issuer<'static, KeyPair>> {
    let key = private_key(key_path)?;
    if key.subject_public_key_info() != anchor.public_key {
        return Err(Error::KeyMismatch { key: key_path.into(), certificate: path.into() });
    }
    Issuer::from_ca_cert_der(der, key).map_err(|error| Error::File {
        what,
        path: path.into(),
        problem: error.to_string(),
        remedy: RESTORE,
    })
}

fn private_key(path: &Path) -> Result<KeyPair> {
    KeyPair::from_pem(&files::key_text(path)?).map_err(|_| Error::File {
        what: "the authority's private key",
        path: path.into(),
        problem: "holds no private key of a kind that is used here".into(),
        remedy: RESTORE,
    })
}

pub(crate) fn new_key(subject: &str) -> Result<KeyPair> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| issue(subject, error))
}

fn issue(subject: impl ToString, problem: impl ToString) -> Error {
    Error::Issue { subject: subject.to_string(), problem: problem.to_string() }
}

/// Bytes that nobody can guess.
fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0_u8; N];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut bytes).map_err(|_| "the operating system gave no random numbers".to_owned())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
