//! The roots of a federation: which of them count, how a new one comes in beside an old one, and how an old one goes.
//!
//! A root counts because whoever set up a node compared its fingerprint, or because a root that counts vouches for it: by a link, a
//! certificate for the new root's key that the old root signed. No issuing key can make one, since its own certificate allows
//! no authority below it; so a membership, which an issuing key signs, can carry links and make none.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use meridian_proto::{Membership, Name, Signed};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use crate::anchors::Anchors;
use crate::certificate::{self, Anchor};
use crate::credentials::now_of;
use crate::{Error, Result, files, reason, signed};

/// Roots of one federation, oldest first.
#[derive(Debug)]
pub(crate) struct Roots {
    federation: Name,
    certificates: Vec<CertificateDer<'static>>,
    store: RootCertStore,
    /// Their public keys.
    keys: BTreeSet<Vec<u8>>,
    clients: Arc<dyn ClientCertVerifier>,
}

/// What a membership changes in the roots of its federation, once it is checked.
#[derive(Debug)]
#[must_use]
pub struct Succession {
    pub(crate) anchors: Arc<Anchors>,
    /// With those that are new.
    pub(crate) beside: Option<Roots>,
    /// And without those that are retired.
    pub(crate) after: Option<Roots>,
}

impl Succession {
    /// From now on the new roots count beside the old ones: on disk, then in force. Returns whether there are any.
    pub fn bring_in(&mut self) -> Result<bool> {
        self.beside.take().map_or(Ok(false), |roots| self.anchors.set_roots(roots).map(|()| true))
    }

    /// From now on the retired roots count no more. Returns whether there are any.
    pub fn let_go(&mut self) -> Result<bool> {
        self.after.take().map_or(Ok(false), |roots| self.anchors.set_roots(roots).map(|()| true))
    }
}

impl Roots {
    /// From the certificates of the roots, at least one.
    pub(crate) fn of(
        certificates: Vec<CertificateDer<'static>>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, String> {
        let mut store = RootCertStore::empty();
        let mut federation: Option<Name> = None;
        let mut keys = BTreeSet::new();
        for der in &certificates {
            let anchor = certificate::anchor(der).map_err(|error| error.to_string())?;
            store.add(der.clone()).map_err(|error| error.to_string())?;
            keys.insert(anchor.public_key);
            match &federation {
                Some(first) if *first != anchor.federation => {
                    return Err(format!("holds anchors of {first} and of {}", anchor.federation));
                }
                _ => federation = Some(anchor.federation),
            }
        }
        let federation = federation.ok_or_else(|| "holds no certificate".to_owned())?;
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(store.clone()), Arc::clone(provider))
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Self { federation, certificates, store, keys, clients })
    }

    /// Whose they are.
    pub(crate) fn federation(&self) -> &Name {
        &self.federation
    }

    /// Their certificates, oldest first.
    pub(crate) fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    /// Their public keys.
    pub(crate) fn keys(&self) -> &BTreeSet<Vec<u8>> {
        &self.keys
    }

    /// For checks of those who answer.
    pub(crate) fn store(&self) -> &RootCertStore {
        &self.store
    }

    /// Checks chain, times and use of those who call or sign.
    pub(crate) fn clients(&self) -> &dyn ClientCertVerifier {
        self.clients.as_ref()
    }

    /// As a file holds them.
    pub(crate) fn pem(&self) -> String {
        self.certificates.iter().map(files::to_pem).collect()
    }

    /// These and, beside them, those that a membership names; nothing where it names no other.
    pub(crate) fn beside(
        &self,
        membership: &Membership,
        now: UnixTime,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Self>> {
        let links: Vec<_> = membership.links.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let mut all = self.certificates.clone();
        for der in &membership.roots {
            let root = CertificateDer::from(der.as_slice());
            // One that was retired here may still be named by an authority that has not heard of it.
            if all.contains(&root) || self.leads_here(&root, &links, now) {
                continue;
            }
            self.check_new(&root, &links, now).map_err(|problem| self.refused(&root, problem))?;
            all.push(root.into_owned());
        }
        if all.len() == self.certificates.len() {
            return Ok(None);
        }
        Self::of(all, provider).map(Some).map_err(|problem| Error::Root {
            federation: self.federation.to_string(),
            fingerprint: "that is new".into(),
            problem,
        })
    }

    /// Checks a root that is not held: that it is one, and that one that is held vouches for it.
    fn check_new(&self, root: &CertificateDer<'_>, links: &[CertificateDer<'_>], now: UnixTime) -> Result<(), String> {
        let own = self.fit(root, now).map_err(|why| format!("it can't be one: {why}"))?;
        // What stands in it beside name and key is said by whoever has its key, then.
        if !certificate::is_signed_by(root, root) {
            return Err("it is not signed by its own key".into());
        }
        let is_meant = |by: &Anchor| {
            by.public_key == own.public_key && by.subject == own.subject && by.federation == own.federation
        };
        if self.vouched_for(&self.certificates, links, now).iter().any(is_meant) {
            return Ok(());
        }
        // What is wrong with the link that was to do it.
        let wrong = links.iter().find_map(|link| match (certificate::anchor(link), self.fit(link, now)) {
            (Ok(said), Err(why)) if said.public_key == own.public_key => {
                Some(format!("its link does not count: {why}"))
            }
            _ => None,
        });
        Err(wrong.unwrap_or_else(|| "no root that is held here has signed a link to it".into()))
    }

    /// Whether the links lead from a root to one that is held.
    fn leads_here(&self, root: &CertificateDer<'_>, links: &[CertificateDer<'_>], now: UnixTime) -> bool {
        let vouched = self.vouched_for(std::slice::from_ref(root), links, now);
        vouched.iter().any(|by| self.keys.contains(&by.public_key))
    }

    /// These without those that a membership names no more; nothing where all stay. A root goes only where it vouches itself for
    /// a younger one that is named, and where the membership is signed under one that stays.
    pub(crate) fn without_retired(
        &self,
        membership: &Membership,
        signed: &Signed,
        now: UnixTime,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Self>> {
        let links: Vec<_> = membership.links.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        let is_named = |der: &CertificateDer<'_>| membership.roots.iter().any(|named| named == der.as_ref());
        let named: Vec<Anchor> = self
            .certificates
            .iter()
            .filter(|der| is_named(der))
            .filter_map(|der| certificate::anchor(der).ok())
            .collect();
        let has_successor = |old: &CertificateDer<'static>| {
            let Ok(says) = certificate::anchor(old) else { return false };
            // Its word for another ends with it, and it may be retired all the same.
            let then = now.min(now_of(says.not_after));
            let vouched = self.vouched_for(std::slice::from_ref(old), &links, then);
            named.iter().any(|root| {
                root.not_before > says.not_before
                    && vouched.iter().any(|by| by.public_key == root.public_key && by.subject == root.subject)
            })
        };
        let (stay, gone): (Vec<_>, Vec<_>) =
            self.certificates.iter().cloned().partition(|der| is_named(der) || !has_successor(der));
        let Some(first) = gone.first() else { return Ok(None) };
        let wrong = |problem: String| self.refused(first, format!("it is to be retired, and {problem}"));
        let remaining = Self::of(stay.clone(), provider).map_err(wrong)?;
        let under = Anchors::of(stay).map_err(wrong)?;
        signed::by_authority(signed, &under, now)
            .map_err(|why| wrong(format!("what says so is signed under no root that stays: {why}")))?;
        Ok(Some(remaining))
    }

    /// What the links say that lead on from some roots.
    fn vouched_for(&self, from: &[CertificateDer<'_>], links: &[CertificateDer<'_>], now: UnixTime) -> Vec<Anchor> {
        let mut known: Vec<CertificateDer<'_>> = from.to_vec();
        let fit = links.iter().filter_map(|link| Some((link, self.fit(link, now).ok()?)));
        let (mut left, mut vouched): (Vec<_>, _) = (fit.collect(), Vec::new());
        loop {
            let (signed, rest): (Vec<_>, Vec<_>) = left
                .into_iter()
                .partition(|(link, _)| known.iter().any(|issuer| certificate::is_signed_by(link, issuer)));
            if signed.is_empty() {
                return vouched;
            }
            for (link, says) in signed {
                known.push(link.clone());
                vouched.push(says);
            }
            left = rest;
        }
    }

    /// Whether a certificate may be that of a root of this federation, or a link to one, now.
    fn fit(&self, der: &CertificateDer<'_>, now: UnixTime) -> Result<Anchor, String> {
        let anchor = certificate::anchor(der).map_err(|unfit| unfit.to_string())?;
        if anchor.federation != self.federation {
            return Err(format!("it is of {}", anchor.federation));
        }
        if !anchor.is_above_issuers {
            return Err("it allows no issuing key below it (path length)".into());
        }
        let now = UNIX_EPOCH + Duration::from_secs(now.as_secs());
        if now < anchor.not_before {
            return Err(format!("it is valid from {} only", reason::date(anchor.not_before)));
        }
        if now > anchor.not_after {
            return Err(format!("it expired on {}", reason::date(anchor.not_after)));
        }
        Ok(anchor)
    }

    fn refused(&self, root: &CertificateDer<'_>, problem: String) -> Error {
        Error::Root { federation: self.federation.to_string(), fingerprint: files::sha256(root), problem }
    }
}

#[cfg(test)]
mod tests;
