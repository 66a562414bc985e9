//! A new root beside the old one, and the end of the old one: the ceremonies of a federation's root.
//!
//! 1. Where the old root's key is, [`Authority::new_root`] makes the new root in a folder of its own, and the old one's word for it.
//! 2. [`Office::install_root`] has the membership bring it to the nodes, which keep both.
//! 3. A new issuing key, signed by the new root, stands in for the one before ([`Authority::sign_issuer`]). What it signs also holds
//!    for whoever has the old root alone, since the link goes along.
//! 4. [`Office::retire_root`] ends the old root once the members have renewed.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use meridian_proto::Name;
use rcgen::{Issuer, KeyPair, PublicKeyData};
use rustls::pki_types::CertificateDer;

use super::params::MOST_LINKS;
use super::{Authority, Office, RESTORE, ROOT_LIFE, Validity, issue, issuer, new_key, params, private_key};
use crate::anchors::Anchors;
use crate::certificate::{self, Anchor};
use crate::credentials::now_of;
use crate::{Error, Result, files};

const ROOT: &str = "the root";
const LINKS: &str = "the links between roots";
/// Links that a membership tells: of more new roots than this nobody who was away catches up.
const MOST_TOLD: usize = 4;

impl Authority {
    /// Makes a new root in a folder (`ca.key`, `ca.pem`), and with the key of the old one, which has to be in its folder, a link from
    /// that to the new one (`link.pem`). Returns the SHA-256 of the new root's certificate, lower-case hexadecimal.
    pub fn new_root(old: &Path, dir: &Path) -> Result<String> {
        let (anchor, issuer) = with_key(old)?;
        let subject = format!("the new root of {}", anchor.federation);
        let wrong = |problem: String| issue(&subject, problem);
        fs::create_dir_all(dir).map_err(|source| Error::Write { path: dir.into(), source })?;
        let key = new_key(&subject)?;
        // Of two roots the younger one replaces the older.
        let validity = Validity::from_now(ROOT_LIFE).from_at_least(anchor.not_before + Duration::from_secs(1));
        let root = params::root(&anchor.federation, &key, validity).map_err(wrong)?;
        let root = root.self_signed(&key).map_err(|error| wrong(error.to_string()))?;
        let validity = validity.until_at_most(anchor.not_after);
        let mut link = params::root(&anchor.federation, &key, validity).map_err(wrong)?;
        link.use_authority_key_identifier_extension = true;
        let link = link.signed_by(&key, &issuer).map_err(|error| wrong(error.to_string()))?;
        // What led to the old root leads on to the new one.
        let before = files::certificates_of(&links(old)?).unwrap_or_default();
        let before = before.iter().take(usize::from(MOST_LINKS - 1)).map(files::to_pem).collect::<String>();
        let at = |name: &str| dir.join(name);
        files::create_key(&at("ca.key"), &key.serialize_pem())?;
        let written = files::create_certificate(&at("link.pem"), &(link.pem() + &before))
            .and_then(|()| files::create_certificate(&at("ca.pem"), &root.pem()));
        // A key without its certificate would only stand in the way of the next attempt.
        written.inspect_err(|_| drop(fs::remove_file(at("ca.key"))))?;
        Ok(files::sha256(root.der()))
    }

    /// The SHA-256 of the issuing certificate.
    pub(super) fn issuing_sha256(&self) -> Result<String> {
        Ok(self.issuing()?.first().map(|der| files::sha256(der)).unwrap_or_default())
    }
}

impl Office {
    /// Takes a new root in from its folder, where a link from a root that is held leads to it, and tells the nodes.
    pub fn install_root(&self, from: &Path, now: SystemTime) -> Result<()> {
        let root = files::certificates("the new root", &from.join("ca.pem"))?;
        let links = files::certificates(LINKS, &from.join("link.pem"))?;
        self.act(now, |desk| {
            let path = desk.dir.join("ca.pem");
            let anchors = Anchors::load(&path)?;
            if desk.membership.roots.is_empty() {
                desk.membership.roots = ders(&files::certificates(ROOT, &path)?);
            }
            for (all, new) in [(&mut desk.membership.roots, ders(&root)), (&mut desk.membership.links, ders(&links))] {
                for der in new {
                    if !all.contains(&der) {
                        all.push(der);
                    }
                }
            }
            let too_many = desk.membership.links.len().saturating_sub(MOST_TOLD);
            desk.membership.links.drain(..too_many);
            // On disk before the nodes hear of it.
            let beside = anchors.beside(desk.membership, now_of(now))?;
            beside.map_or(Ok(()), |roots| anchors.set_roots(roots))
        })
    }

    /// Ends all roots but the youngest: what they alone vouch for counts no more anywhere. Refused while this authority's own issuing key
    /// hangs on one of them, and, unless `anyway`, while members hold a certificate that does, as far as it knows.
    pub fn retire_root(&self, anyway: bool, now: SystemTime) -> Result<()> {
        self.act(now, |desk| {
            let wrong = |problem: String| Error::Retirement { problem };
            let held = by_age(desk.dir)?;
            let Some((_, youngest)) = held.last() else { return Err(wrong("ca.pem holds none".into())) };
            let stays = vec![youngest.to_vec()];
            if held.len() < 2 && (desk.membership.roots.is_empty() || desk.membership.roots == stays) {
                let problem = "it is the only one: make a new one and install it before (`meridian authority root`)";
                return Err(wrong(problem.into()));
            }
            let issuing = desk.authority.issuing()?;
            if !issuing.first().is_some_and(|issuing| certificate::is_signed_by(issuing, youngest)) {
                let problem = "the issuing key of this folder is signed by an older one than the youngest: make a new issuing key \
                               with the new root (`meridian authority issuer`), and retire the old one in its folder";
                return Err(wrong(problem.into()));
            }
            let current = desk.authority.issuing_sha256()?;
            let members = desk.membership.members.iter().filter(|member| !member.suspended).map(|member| &member.body);
            let left: Vec<&str> =
                members.filter(|body| desk.books.issued.get(*body) != Some(&current)).map(Name::as_str).collect();
            if !left.is_empty() && !anyway {
                return Err(wrong(format!(
                    "these have not renewed with the new issuing key here, and would be out until they are invited again: {}; \
                     nodes renew each day: wait, or say --anyway",
                    left.join(", ")
                )));
            }
            desk.membership.roots = stays;
            files::replace(&desk.dir.join("ca.pem"), files::to_pem(youngest).as_bytes())
        })
    }

    /// When the roots or the issuing key of the folder were changed last.
    pub fn changed(&self) -> Option<SystemTime> {
        let changed = |name: &str| fs::metadata(self.dir.join(name)).and_then(|file| file.modified()).ok();
        changed("ca.pem").max(changed("issuer.pem"))
    }
}

/// The root in a folder of which the key is there, and both for signing.
pub(super) fn with_key(dir: &Path) -> Result<(Anchor, Issuer<'static, KeyPair>)> {
    let (key_path, path) = (dir.join("ca.key"), dir.join("ca.pem"));
    let public_key = private_key(&key_path)?.subject_public_key_info();
    let found = by_age(dir)?.into_iter().find(|(anchor, _)| anchor.public_key == public_key);
    let (anchor, der) = found.ok_or(Error::KeyMismatch { key: key_path.clone(), certificate: path.clone() })?;
    let issuer = issuer(ROOT, &key_path, &path, &der, &anchor)?;
    Ok((anchor, issuer))
}

/// The roots in a folder, the oldest first.
pub(super) fn by_age(dir: &Path) -> Result<Vec<(Anchor, CertificateDer<'static>)>> {
    let path = dir.join("ca.pem");
    let said = |der: CertificateDer<'static>| {
        let wrong = |problem: String| Error::File { what: ROOT, path: path.clone(), problem, remedy: RESTORE };
        Ok((certificate::anchor(&der).map_err(|unfit| wrong(unfit.to_string()))?, der))
    };
    let mut roots = files::certificates(ROOT, &path)?.into_iter().map(said).collect::<Result<Vec<_>>>()?;
    roots.sort_by_key(|(anchor, _)| anchor.not_before);
    Ok(roots)
}

/// The links in the folder of a root, PEM; empty for the first root of a federation.
pub(super) fn links(dir: &Path) -> Result<String> {
    let path = dir.join("link.pem");
    if path.exists() { files::text_of(LINKS, &path) } else { Ok(String::new()) }
}

fn ders(certificates: &[CertificateDer<'_>]) -> Vec<Vec<u8>> {
    certificates.iter().map(|der| der.to_vec()).collect()
}
