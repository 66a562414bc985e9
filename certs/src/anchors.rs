//! Whom a federation's authority vouches for: the checks behind every handshake and every signature.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use meridian_proto::{Membership, Name, Signed};
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DistinguishedName, OtherError};

use crate::analysts::{Analysts, Trusted};
use crate::certificate::{self, EndEntity, Unfit, Usage};
use crate::roots::{Roots, Succession};
use crate::standing::Standing;
use crate::tls13::tls13_signatures;
use crate::trust::Trust;
use crate::{Error, Identity, Result, files};

const WHAT: &str = "the federation's trust anchors";
const REMEDY: &str = "fetch ca.pem again from the federation's authority";

/// The trust anchors of one federation.
#[derive(Debug)]
pub(crate) struct Anchors {
    federation: Name,
    /// Those that count now: every check asks for them anew.
    roots: RwLock<Arc<Roots>>,
    /// Where they are kept, where they are.
    path: Option<PathBuf>,
    provider: Arc<CryptoProvider>,
    standing: Standing,
    analysts: RwLock<Option<Trusted>>,
}

impl Anchors {
    /// Reads the authority certificates of a PEM file; all are of one federation.
    pub(crate) fn load(path: &Path) -> Result<Self> {
        let wrong = |problem| Error::File { what: WHAT, path: path.into(), problem, remedy: REMEDY };
        let anchors = Self::of(files::certificates(WHAT, path)?).map_err(wrong)?;
        Ok(Self { path: Some(path.into()), ..anchors })
    }

    /// From the authority certificates of one federation.
    pub(crate) fn of(certificates: Vec<CertificateDer<'static>>) -> Result<Self, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = Roots::of(certificates, &provider)?;
        Ok(Self {
            federation: roots.federation().clone(),
            roots: RwLock::new(Arc::new(roots)),
            path: None,
            provider,
            standing: Standing::default(),
            analysts: RwLock::default(),
        })
    }

    /// The roots that count now.
    pub(crate) fn roots(&self) -> Arc<Roots> {
        Arc::clone(&self.roots.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The roots that count and, beside them, those that a membership brings; nothing where it brings none.
    pub(crate) fn beside(&self, membership: &Membership, now: UnixTime) -> Result<Option<Roots>> {
        self.roots().beside(membership, now, &self.provider)
    }

    /// What a membership that was signed by the authority changes in the roots.
    pub(crate) fn succession(
        self: &Arc<Self>,
        signed: &Signed,
        membership: &Membership,
        now: UnixTime,
    ) -> Result<Succession> {
        let (held, beside) = (self.roots(), self.beside(membership, now)?);
        let all = beside.as_ref().unwrap_or(&held);
        let after = all.without_retired(membership, signed, now, &self.provider)?;
        Ok(Succession { anchors: Arc::clone(self), beside, after })
    }

    /// From now on these are the roots that count: on disk, then in force. Connections that are open go on.
    pub(crate) fn set_roots(&self, roots: Roots) -> Result<()> {
        if let Some(path) = &self.path {
            files::replace(path, roots.pem().as_bytes())?;
        }
        *self.roots.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(roots);
        Ok(())
    }

    /// From now on the certificates of these analysts count, and those of the removed do not.
    pub(crate) fn trust(&self, analysts: &Analysts) -> Result<()> {
        let trusted = analysts.trust(&self.provider)?;
        let removed = trusted.as_ref().map(|trusted| trusted.removed.clone()).unwrap_or_default();
        *self.analysts.write().unwrap_or_else(PoisonError::into_inner) = trusted;
        self.standing.remove(removed);
        Ok(())
    }

    /// The groups of an analyst of one's own body.
    pub(crate) fn groups(&self, analyst: &Name) -> Vec<Name> {
        let analysts = self.analysts.read().unwrap_or_else(PoisonError::into_inner);
        analysts.as_ref().and_then(|trusted| trusted.groups.get(analyst).cloned()).unwrap_or_default()
    }

    /// Checks whether one's own body vouches for an analyst. The federation's authority does for none.
    fn check_analyst(
        &self,
        analyst: &Identity,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let analysts = self.analysts.read().unwrap_or_else(PoisonError::into_inner);
        let trusted = analysts.as_ref().filter(|trusted| trusted.body == *analyst.body());
        let checked = trusted.map(|trusted| trusted.verifier.verify_client_cert(end_entity, intermediates, now));
        match checked {
            Some(Ok(_)) => Ok(()),
            // Another authority may have the same name.
            None
            | Some(Err(rustls::Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            ))) => Err(refused(Unfit::NotOwnAnalyst(analyst.clone()))),
            Some(Err(error)) => Err(error),
        }
    }

    /// Whether a root of theirs has the key of one of these.
    pub(crate) fn shares_a_key_with(&self, other: &Self) -> bool {
        !self.roots().keys().is_disjoint(other.roots().keys())
    }

    /// Who is shut out.
    pub(crate) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The federation.
    pub(crate) fn federation(&self) -> &Name {
        &self.federation
    }

    /// The cryptography that everything here uses.
    pub(crate) fn provider(&self) -> &Arc<CryptoProvider> {
        &self.provider
    }

    /// The signature algorithms that everything here accepts.
    pub(crate) fn algorithms(&self) -> &WebPkiSupportedAlgorithms {
        &self.provider.signature_verification_algorithms
    }

    /// Checks a certificate with which somebody calls or signs: chain, times, use, one identity of the federation that is
    /// not shut out. An analyst is vouched for by their own body alone, and only its own node trusts that.
    pub(crate) fn check_client(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<EndEntity, rustls::Error> {
        match certificate::end_entity(end_entity, Usage::Client, &self.federation).map(|it| it.identity) {
            Ok(analyst @ Identity::Analyst { .. }) => {
                self.check_analyst(&analyst, end_entity, intermediates, now)?;
            }
            // What is wrong with it is told below, once it is known who signed it.
            Ok(Identity::Node { .. }) | Err(_) => {
                self.roots().clients().verify_client_cert(end_entity, intermediates, now)?;
            }
        }
        self.standing_of(end_entity, Usage::Client)
    }

    /// The same, whether they are shut out or not; whoever signed for an analyst is not asked.
    pub(crate) fn check_chain_of_caller(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let checked = self.roots().clients().verify_client_cert(end_entity, intermediates, now);
        let own = certificate::end_entity(end_entity, Usage::Client, &self.federation).map_err(refused);
        match (checked, own) {
            // An analyst's own body signed it, and only its node knows that authority.
            (Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)), Ok(own))
                if matches!(own.identity, Identity::Analyst { .. }) =>
            {
                own.check_times(now).map_err(Into::into)
            }
            (checked, own) => checked.map(drop).and(own.map(drop)),
        }
    }

    /// Checks a certificate with which the authority signs: chain, times, use, name.
    pub(crate) fn check_authority_signer(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        self.roots().clients().verify_client_cert(end_entity, intermediates, now)?;
        certificate::authority(end_entity, Usage::Client, &self.federation).map_err(refused)
    }

    fn standing_of(&self, end_entity: &CertificateDer<'_>, usage: Usage) -> Result<EndEntity, rustls::Error> {
        let checked = certificate::end_entity(end_entity, usage, &self.federation).map_err(refused)?;
        self.standing.check(&checked).map_err(refused)?;
        Ok(checked)
    }

    /// Checks chain and times of a certificate with which somebody answers.
    pub(crate) fn check_chain(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        let roots = self.roots();
        verify_server_cert_signed_by_trust_anchor(&parsed, roots.store(), intermediates, now, self.algorithms().all)
    }

    /// Checks a certificate with which somebody answers: the same, and that it is a node's.
    fn check_server(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<EndEntity, rustls::Error> {
        self.check_chain(end_entity, intermediates, now)?;
        self.standing_of(end_entity, Usage::Server)
    }
}

/// Checks those who call us.
#[derive(Debug)]
pub(crate) struct CallerVerifier(pub(crate) Arc<Trust>);

impl ClientCertVerifier for CallerVerifier {
    /// None: a client that is told of roots keeps back a certificate of any other, and analysts' are their body's own.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let anchors = self.0.vouching_for(end_entity);
        anchors.check_client(end_entity, intermediates, now).map(|_| ClientCertVerified::assertion())
    }

    tls13_signatures!(|verifier| verifier.0.own().algorithms());
}

/// Checks those whom we call: the host name says nothing, the identity everything.
#[derive(Debug)]
pub(crate) struct NodeVerifier {
    pub(crate) anchors: Arc<Anchors>,
    /// Who must answer; any node of the federation if `None`.
    pub(crate) expected: Option<Identity>,
}

impl NodeVerifier {
    fn check_identity(&self, found: Identity) -> Result<ServerCertVerified, rustls::Error> {
        let right = match &self.expected {
            Some(expected) => found == *expected,
            None => matches!(found, Identity::Node { .. }),
        };
        if right {
            return Ok(ServerCertVerified::assertion());
        }
        let expected = match &self.expected {
            Some(expected) => expected.to_string(),
            None => format!("a node of {}", self.anchors.federation),
        };
        Err(refused(Unfit::Unexpected { found, expected }))
    }
}

impl ServerCertVerifier for NodeVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let found = self.anchors.check_server(end_entity, intermediates, now)?;
        self.check_identity(found.identity)
    }

    tls13_signatures!(|verifier| verifier.anchors.algorithms());
}

/// Keeps our reason inside the library's error, for the log of whoever refuses.
pub(crate) fn refused(unfit: Unfit) -> rustls::Error {
    CertificateError::Other(OtherError(Arc::new(unfit))).into()
}
