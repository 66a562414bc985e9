//! Signatures over what a node states: made with the key of its certificate, and never to be taken for anything else.

use meridian_proto::Signed;
use rustls::SignatureScheme;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::sign::CertifiedKey;
use webpki::EndEntityCert;

use crate::anchors::Anchors;
use crate::reason;

/// Stands before every payload. The same key signs TLS handshakes, whose signed bytes begin with 64 spaces, and
/// certificate requests, which begin with an ASN.1 tag.
const DOMAIN: &[u8] = b"meridian-signed-v1\0";

/// The kinds of signature that are made and accepted.
const SCHEMES: &[SignatureScheme] =
    &[SignatureScheme::ECDSA_NISTP256_SHA256, SignatureScheme::ECDSA_NISTP384_SHA384, SignatureScheme::ED25519];

/// The chain of an envelope is its signer's and perhaps an issuer's.
const MAX_CHAIN: usize = 4;

/// Signs a payload.
pub(crate) fn sign(payload: Vec<u8>, key: &CertifiedKey) -> Result<Signed, String> {
    let signer = key.key.choose_scheme(SCHEMES).ok_or("its key is neither ECDSA on P-256 or P-384 nor Ed25519")?;
    let signature = signer.sign(&message(&payload)).map_err(|error| error.to_string())?;
    let chain = key.cert.iter().map(|der| der.to_vec()).collect();
    Ok(Signed { payload, chain, signature, scheme: signer.scheme().into() })
}

/// The certificates of an envelope, not checked.
pub(crate) fn chain(signed: &Signed) -> Result<Vec<CertificateDer<'_>>, String> {
    if signed.chain.len() > MAX_CHAIN {
        return Err(format!("it comes with more than {MAX_CHAIN} certificates"));
    }
    Ok(signed.chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect())
}

/// Checks that the federation's authority signed it.
pub(crate) fn by_authority(signed: &Signed, anchors: &Anchors, now: UnixTime) -> Result<(), String> {
    let chain = chain(signed)?;
    let (end_entity, intermediates) = chain.split_first().ok_or("it comes without a certificate")?;
    let checked = anchors.check_authority_signer(end_entity, intermediates, now);
    checked.map_err(|error| reason::of_tls(&error, None))?;
    check(signed, end_entity, anchors)
}

/// Checks the signature with the key of a certificate that has been checked before.
pub(crate) fn check(signed: &Signed, signer: &CertificateDer<'_>, anchors: &Anchors) -> Result<(), String> {
    let scheme = SignatureScheme::from(signed.scheme);
    let known = SCHEMES.contains(&scheme);
    let found = anchors.algorithms().mapping.iter().find(|(known, _)| *known == scheme);
    // The first algorithm of a scheme is the one that TLS 1.3 means by it.
    let algorithm = found.filter(|_| known).and_then(|(_, algorithms)| algorithms.first());
    let algorithm = algorithm.ok_or_else(|| format!("its scheme {:#06x} is not accepted", signed.scheme))?;
    let signer = EndEntityCert::try_from(signer).map_err(|error| error.to_string())?;
    signer
        .verify_signature(*algorithm, &message(&signed.payload), &signed.signature)
        .map_err(|_| "the signature does not fit the payload and the signer's key".to_owned())
}

fn message(payload: &[u8]) -> Vec<u8> {
    [DOMAIN, payload].concat()
}
