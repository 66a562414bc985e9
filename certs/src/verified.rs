//! The proof that somebody holds the key to an identity.

use std::time::SystemTime;

use meridian_proto::Signed;
use rustls::CommonState;
use rustls::pki_types::UnixTime;

use crate::anchors::Anchors;
use crate::certificate::{self, EndEntity, Unfit, Usage};
use crate::credentials::now_of;
use crate::trust::Trust;
use crate::{Identity, reason, signed};

/// An identity whose holder has proved it, by a finished handshake or by a signature. There is no other way to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    certificate: EndEntity,
}

impl Verified {
    /// Who it is.
    pub fn identity(&self) -> &Identity {
        &self.certificate.identity
    }

    /// When the certificate ends that the proof rests on; a connection can outlive it.
    pub fn valid_until(&self) -> SystemTime {
        self.certificate.not_after
    }

    /// The certificate of a handshake that our own configuration finished: its verifier has checked the chain, and TLS the key.
    /// Also the anchors that vouched for it.
    pub(crate) fn by_handshake<'a>(
        connection: &CommonState,
        trust: &'a Trust,
    ) -> Result<(EndEntity, &'a Anchors), String> {
        if connection.is_handshaking() {
            return Err("the handshake is not finished".into());
        }
        let certificate = connection.peer_certificates().and_then(<[_]>::first);
        let certificate = certificate.ok_or("it presented no certificate")?;
        let anchors = trust.vouching_for(certificate);
        let checked = certificate::end_entity(certificate, Usage::Client, anchors.federation());
        Ok((checked.map_err(|error| error.to_string())?, anchors))
    }

    /// From a signature: checks the chain at `now`, and the signature with the key of its first certificate.
    pub(crate) fn by_signature(signed: &Signed, anchors: &Anchors, now: UnixTime) -> Result<Self, String> {
        let chain = signed::chain(signed)?;
        let (end_entity, intermediates) = chain.split_first().ok_or("it comes without a certificate")?;
        let checked = anchors.check_client(end_entity, intermediates, now);
        let checked = checked.map_err(|error| reason::of_tls(&error, None))?;
        signed::check(signed, end_entity, anchors)?;
        Ok(Self::from_checked(checked))
    }

    /// The same of a node's signature, with the chain as it was when its certificate began; revoked it may not be.
    pub(crate) fn by_old_signature(signed: &Signed, anchors: &Anchors) -> Result<Self, String> {
        let chain = signed::chain(signed)?;
        let (end_entity, intermediates) = chain.split_first().ok_or("it comes without a certificate")?;
        let certificate = certificate::end_entity(end_entity, Usage::Client, anchors.federation());
        let certificate = certificate.map_err(|unfit| unfit.to_string())?;
        if !matches!(certificate.identity, Identity::Node { .. }) {
            return Err("it was not signed by a node".into());
        }
        let then = now_of(certificate.not_before);
        let checked = anchors.check_chain_of_caller(end_entity, intermediates, then);
        checked.map_err(|error| reason::of_tls(&error, None))?;
        signed::check(signed, end_entity, anchors)?;
        if anchors.standing().revokes(&certificate) {
            return Err(Unfit::Revoked(certificate.identity).to_string());
        }
        Ok(Self::from_checked(certificate))
    }

    /// The same, by whichever anchors may vouch for the signer.
    pub(crate) fn by_trusted(signed: &Signed, trust: &Trust, now: UnixTime) -> Result<Self, String> {
        let chain = signed::chain(signed)?;
        let end_entity = chain.first().ok_or("it comes without a certificate")?;
        Self::by_signature(signed, trust.vouching_for(end_entity), now)
    }

    pub(crate) fn certificate(&self) -> &EndEntity {
        &self.certificate
    }

    pub(crate) fn from_checked(certificate: EndEntity) -> Self {
        Self { certificate }
    }
}
