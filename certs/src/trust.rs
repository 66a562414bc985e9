//! Whom a node trusts: its own federation, and each other that its operator told it to trust. Nobody is trusted through somebody
//! else, and what one federation says of its members says nothing about another's.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use meridian_proto::{Membership, Name, Signed};
use rustls::pki_types::CertificateDer;

use crate::anchors::Anchors;
use crate::certificate;
use crate::credentials::{Current, now_of};
use crate::standing::Excluded;
use crate::{AuthorityConnector, Connector, Error, Result, Succession, Verified, signed};

const WHAT: &str = "the trust anchors of another federation";
const REMEDY: &str = "fetch them again with `meridian node trust`";

/// The anchors of one's own federation and of others.
#[derive(Debug)]
pub(crate) struct Trust {
    own: Arc<Anchors>,
    others: Vec<Arc<Anchors>>,
}

impl Trust {
    /// One's own federation alone.
    #[cfg(test)]
    pub(crate) fn alone(own: Arc<Anchors>) -> Arc<Self> {
        Arc::new(Self { own, others: Vec::new() })
    }

    /// One's own, and others of which the anchors are in these files; where a name stands with one, they must be that federation's.
    pub(crate) fn load(own: Arc<Anchors>, others: &[(Option<Name>, &Path)]) -> Result<Arc<Self>> {
        let mut loaded: Vec<Arc<Anchors>> = Vec::with_capacity(others.len());
        for (name, path) in others {
            let wrong = |problem: String| Error::File { what: WHAT, path: (*path).into(), problem, remedy: REMEDY };
            let anchors = Anchors::load(path)?;
            let found = anchors.federation();
            if let Some(name) = name.as_ref().filter(|name| *name != found) {
                return Err(wrong(format!("is of the federation {found}, and {name} was meant")));
            }
            for known in std::iter::once(&own).chain(&loaded) {
                if known.federation() == found {
                    return Err(wrong(format!("is of {found}, which is trusted already by other anchors")));
                }
                if known.shares_a_key_with(&anchors) {
                    let problem = format!("is of {found}, and has a key of the root of {}", known.federation());
                    return Err(wrong(problem));
                }
            }
            loaded.push(Arc::new(anchors));
        }
        Ok(Arc::new(Self { own, others: loaded }))
    }

    /// One's own federation.
    pub(crate) fn own(&self) -> &Arc<Anchors> {
        &self.own
    }

    /// The other federations.
    pub(crate) fn others(&self) -> &[Arc<Anchors>] {
        &self.others
    }

    /// The only anchors that may vouch for a certificate: those of the federation that it names. Where that is none that is
    /// trusted, or it names nobody, one's own have to say what is wrong with it.
    pub(crate) fn vouching_for(&self, certificate: &CertificateDer<'_>) -> &Arc<Anchors> {
        let named = certificate::federation(certificate);
        let other = named.and_then(|named| self.others.iter().find(|anchors| *anchors.federation() == named));
        other.unwrap_or(&self.own)
    }
}

/// One federation that is trusted: what its nodes and its authority sign counts, except for whom it shuts out.
#[derive(Clone)]
pub struct Federation {
    anchors: Arc<Anchors>,
    current: Arc<Current>,
}

impl fmt::Debug for Federation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Federation({})", self.name())
    }
}

impl Federation {
    pub(crate) fn new(anchors: Arc<Anchors>, current: Arc<Current>) -> Self {
        Self { anchors, current }
    }

    /// Its name.
    pub fn name(&self) -> &Name {
        self.anchors.federation()
    }

    /// For calling its nodes, with one's own certificate.
    pub fn connector(&self) -> Connector {
        Connector::new(Arc::clone(&self.anchors), Arc::clone(&self.current))
    }

    /// For calling its authority.
    pub fn authority_connector(&self) -> AuthorityConnector {
        AuthorityConnector::new(Arc::clone(&self.anchors))
    }

    /// Checks at `now` that the payload was signed by somebody of this federation, and says who.
    pub fn verify(&self, signed: &Signed, now: SystemTime) -> Result<Verified> {
        Verified::by_signature(signed, &self.anchors, now_of(now)).map_err(|reason| Error::Signature { reason })
    }

    /// Checks at `now` that the payload was signed by the federation's authority.
    pub fn verify_authority(&self, signed: &Signed, now: SystemTime) -> Result<()> {
        signed::by_authority(signed, &self.anchors, now_of(now)).map_err(|reason| Error::Signature { reason })
    }

    /// What a membership that the authority signed changes in the federation's roots, checked at `now`; nothing is changed yet. An
    /// error where it names a root for which no other vouches.
    pub fn succession(&self, signed: &Signed, membership: &Membership, now: SystemTime) -> Result<Succession> {
        self.anchors.succession(signed, membership, now_of(now))
    }

    /// From now on these of it are shut out: they can neither connect nor be called, and what they signed does not count.
    /// Connections with them that are open end.
    pub fn exclude(&self, excluded: Excluded) {
        self.anchors.standing().set(excluded);
    }

    /// Whether somebody of this federation who proved who they are is not shut out since.
    pub fn admits(&self, verified: &Verified) -> bool {
        verified.identity().federation() == self.name() && self.anchors.standing().check(verified.certificate()).is_ok()
    }
}

#[cfg(test)]
mod tests;
