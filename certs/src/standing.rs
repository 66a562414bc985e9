//! Who is shut out although their certificate is signed and valid: whom the federation's membership suspends or no
//! longer names, and certificates from before a revocation.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use meridian_proto::{Membership, Name};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::Identity;
use crate::certificate::{EndEntity, Unfit};

/// Whom the federation shuts out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Excluded {
    /// The bodies that are members; `None` where no membership is known, and every signed certificate counts.
    pub members: Option<BTreeSet<Name>>,
    /// Members that are suspended.
    pub suspended: BTreeSet<Name>,
    /// Members whose certificates are revoked where they are valid from before this time.
    pub revoked: BTreeMap<Name, SystemTime>,
}

impl From<&Membership> for Excluded {
    fn from(membership: &Membership) -> Self {
        let members = || membership.members.iter();
        Self {
            members: Some(members().map(|member| member.body.clone()).collect()),
            suspended: members().filter(|member| member.suspended).map(|member| member.body.clone()).collect(),
            revoked: members()
                .map(|member| (member.body.clone(), UNIX_EPOCH + Duration::from_secs(member.valid_from)))
                .collect(),
        }
    }
}

/// What is known of it, for all who check certificates; a change reaches open connections, too.
#[derive(Clone)]
pub(crate) struct Standing(watch::Sender<Arc<Known>>);

/// What the federation says, and what one's own body says.
#[derive(Debug, Clone, Default)]
struct Known {
    excluded: Excluded,
    /// Serial numbers of analysts' certificates that were removed.
    analysts: BTreeSet<Vec<u8>>,
}

impl Default for Standing {
    fn default() -> Self {
        Self(watch::Sender::new(Arc::default()))
    }
}

impl fmt::Debug for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Standing").field(&self.0.borrow()).finish()
    }
}

impl Standing {
    /// From now on these are shut out.
    pub(crate) fn set(&self, excluded: Excluded) {
        self.0.send_modify(|known| *known = Arc::new(Known { excluded, ..Known::clone(known) }));
    }

    /// From now on these certificates of one's own analysts don't count, by their serial numbers.
    pub(crate) fn remove(&self, analysts: BTreeSet<Vec<u8>>) {
        self.0.send_modify(|known| *known = Arc::new(Known { analysts, ..Known::clone(known) }));
    }

    /// Whether the holder of a certificate is shut out, and why.
    pub(crate) fn check(&self, certificate: &EndEntity) -> Result<(), Unfit> {
        check(&self.0.borrow(), certificate)
    }

    /// Whether a certificate was revoked, whatever else may be said of its holder.
    pub(crate) fn revokes(&self, certificate: &EndEntity) -> bool {
        matches!(self.check(certificate), Err(Unfit::Revoked(_)))
    }

    /// Resolves, with the reason, when a connection with the holder of this certificate has to end: they are shut out, or
    /// the certificate has.
    pub(crate) fn end_of(&self, certificate: EndEntity) -> impl Future<Output = String> + Send + use<> {
        let mut news = self.0.subscribe();
        async move {
            loop {
                if let Err(unfit) = check(&news.borrow_and_update(), &certificate) {
                    return unfit.to_string();
                }
                // A clock that is put forward counts when this wakes next.
                let left = certificate.not_after.duration_since(SystemTime::now()).unwrap_or(Duration::ZERO);
                if left.is_zero() {
                    return format!("the certificate of {} has expired", certificate.identity);
                }
                tokio::select! {
                    changed = news.changed() => if changed.is_err() {
                        return std::future::pending().await;
                    },
                    () = sleep(left.min(LONGEST_SLEEP)) => {}
                }
            }
        }
    }
}

/// A certificate's end is looked at this often.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

fn check(known: &Known, certificate: &EndEntity) -> Result<(), Unfit> {
    let Known { excluded, analysts } = known;
    let revoked = || Unfit::Revoked(certificate.identity.clone());
    if analysts.contains(&certificate.serial) {
        return Err(revoked());
    }
    // Nobody keeps a body's own analysts from its own node; at another they are not admitted anyway.
    let Identity::Node { body, .. } = &certificate.identity else { return Ok(()) };
    if excluded.revoked.get(body).is_some_and(|valid_from| certificate.not_before < *valid_from) {
        return Err(revoked());
    }
    if excluded.suspended.contains(body) {
        return Err(Unfit::Suspended(body.clone()));
    }
    match &excluded.members {
        Some(members) if !members.contains(body) => Err(Unfit::NoMember(body.clone())),
        Some(_) | None => Ok(()),
    }
}
