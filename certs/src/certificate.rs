//! What a certificate says: exactly one identity, for which use, for how long.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use meridian_proto::Name;
use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, UnixTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::time::ASN1Time;

use crate::Identity;

/// What the holder of a certificate does with it in a handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usage {
    Server,
    Client,
}

/// What an end-entity certificate says. Says nothing about who signed it, or whether it is valid now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EndEntity {
    pub(crate) identity: Identity,
    pub(crate) not_before: SystemTime,
    pub(crate) not_after: SystemTime,
    /// The serial number's bytes, as they are in the certificate.
    pub(crate) serial: Vec<u8>,
}

impl EndEntity {
    /// Checks that the certificate is valid at `now`.
    pub(crate) fn check_times(&self, now: UnixTime) -> Result<(), CertificateError> {
        let unix = |time: SystemTime| UnixTime::since_unix_epoch(time.duration_since(UNIX_EPOCH).unwrap_or_default());
        let (not_before, not_after) = (unix(self.not_before), unix(self.not_after));
        if now < not_before {
            return Err(CertificateError::NotValidYetContext { time: now, not_before });
        }
        if now > not_after {
            return Err(CertificateError::ExpiredContext { time: now, not_after });
        }
        Ok(())
    }
}

/// Why a certificate names nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("the certificate is not correctly encoded")]
    Encoding,
    #[error("the certificate has {0} URI names where exactly one says who its holder is")]
    UriCount(usize),
    #[error("the certificate names {0:?}, which is no identity of a node or an analyst")]
    NoIdentity(String),
    #[error("the certificate names {found}, which is of another federation than {own}")]
    Federation { found: Identity, own: Name },
    #[error("the certificate is not made for TLS {} authentication (extended key usage)", usage_name(*.0))]
    Usage(Usage),
    #[error("the certificate names {found}, where {expected} was expected")]
    Unexpected { found: Identity, expected: String },
    #[error("the certificate of {0} was revoked")]
    Revoked(Identity),
    #[error(
        "{0} is not let in here: an analyst asks the node of their own body, with a certificate that `meridian analyst add` made there"
    )]
    NotOwnAnalyst(Identity),
    #[error("{0} is suspended from the federation")]
    Suspended(Name),
    #[error("{0} is no member of the federation")]
    NoMember(Name),
    #[error("the certificate names {0:?}, and the federation's authority is {1:?}")]
    NotTheAuthority(String, String),
    #[error("no certificate of the chain has the fingerprint that was given; is it this federation's authority?")]
    Fingerprint,
    #[error("the certificate is no authority's (basic constraints, key usage)")]
    NoAuthority,
    #[error("the certificate names {0:?} where an authority's names its federation: spiffe://FEDERATION")]
    NoFederation(String),
}

/// Reads an end-entity certificate of a federation.
pub(crate) fn end_entity(der: &CertificateDer<'_>, usage: Usage, own: &Name) -> Result<EndEntity, Unfit> {
    let certificate = parse(der)?;
    let uri = single_uri(&certificate)?;
    let identity: Identity = uri.parse().map_err(|_| Unfit::NoIdentity(short(uri)))?;
    if identity.federation() != own {
        return Err(Unfit::Federation { found: identity, own: own.clone() });
    }
    if !allows(&certificate, usage)? {
        return Err(Unfit::Usage(usage));
    }
    let validity = certificate.validity();
    Ok(EndEntity {
        identity,
        not_before: time(validity.not_before),
        not_after: time(validity.not_after),
        serial: certificate.raw_serial().to_vec(),
    })
}

/// The federation of whom a certificate names; `None` where it names nobody. Nothing is checked.
pub(crate) fn federation(der: &CertificateDer<'_>) -> Option<Name> {
    let certificate = parse(der).ok()?;
    let identity: Identity = single_uri(&certificate).ok()?.parse().ok()?;
    Some(identity.federation().clone())
}

/// Checks that a certificate is the one with which a federation's authority signs and serves. Says nothing about who
/// signed it, or whether it is valid now.
pub(crate) fn authority(der: &CertificateDer<'_>, usage: Usage, federation: &Name) -> Result<(), Unfit> {
    let certificate = parse(der)?;
    let (uri, expected) = (single_uri(&certificate)?, authority_uri(federation));
    if uri != expected {
        return Err(Unfit::NotTheAuthority(short(uri), expected));
    }
    if allows(&certificate, usage)? { Ok(()) } else { Err(Unfit::Usage(usage)) }
}

/// Who a federation's authority is.
pub(crate) fn authority_uri(federation: &Name) -> String {
    format!("spiffe://{federation}/authority")
}

/// What an authority's certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Anchor {
    pub(crate) federation: Name,
    /// Its distinguished name, encoded.
    pub(crate) subject: Vec<u8>,
    pub(crate) public_key: Vec<u8>,
    pub(crate) not_before: SystemTime,
    pub(crate) not_after: SystemTime,
    /// Whether it may have issuing keys below it: an issuing key itself may not.
    pub(crate) is_above_issuers: bool,
}

/// Reads the certificate of a federation's authority.
pub(crate) fn anchor(der: &CertificateDer<'_>) -> Result<Anchor, Unfit> {
    let certificate = parse(der)?;
    let signs = certificate.key_usage().map_err(|_| Unfit::Encoding)?.is_some_and(|usage| usage.value.key_cert_sign());
    if !certificate.is_ca() || !signs {
        return Err(Unfit::NoAuthority);
    }
    let below = certificate.basic_constraints().map_err(|_| Unfit::Encoding)?;
    let below = below.and_then(|constraints| constraints.value.path_len_constraint);
    let uri = single_uri(&certificate)?;
    let federation = uri.strip_prefix("spiffe://").and_then(|name| name.parse().ok());
    Ok(Anchor {
        federation: federation.ok_or_else(|| Unfit::NoFederation(short(uri)))?,
        subject: certificate.subject().as_raw().to_vec(),
        public_key: certificate.public_key().raw.to_vec(),
        not_before: time(certificate.validity().not_before),
        not_after: time(certificate.validity().not_after),
        is_above_issuers: below.is_none_or(|below| below > 0),
    })
}

/// Whether a certificate was signed by the key of another one, and names that as who did.
pub(crate) fn is_signed_by(der: &CertificateDer<'_>, issuer: &CertificateDer<'_>) -> bool {
    let (Ok(certificate), Ok(issuer)) = (parse(der), parse(issuer)) else { return false };
    certificate.issuer().as_raw() == issuer.subject().as_raw()
        && certificate.verify_signature(Some(issuer.public_key())).is_ok()
}

/// The DNS names and IP addresses that a certificate names.
pub(crate) fn hosts(der: &CertificateDer<'_>) -> Vec<String> {
    let Ok(certificate) = parse(der) else { return Vec::new() };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let host = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match *bytes {
            [a, b, c, d] => Some(IpAddr::from([*a, *b, *c, *d]).to_string()),
            bytes => <[u8; 16]>::try_from(bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
        },
        _ => None,
    };
    names.value.general_names.iter().filter_map(host).collect()
}

/// When a certificate ends; `None` where it can't be read.
pub(crate) fn not_after(der: &CertificateDer<'_>) -> Option<SystemTime> {
    validity(der).map(|(_, not_after)| not_after)
}

/// When a certificate begins and ends; `None` where it can't be read.
pub(crate) fn validity(der: &CertificateDer<'_>) -> Option<(SystemTime, SystemTime)> {
    let certificate = parse(der).ok()?;
    let validity = certificate.validity();
    Some((time(validity.not_before), time(validity.not_after)))
}

fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, Unfit> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(Unfit::Encoding),
    }
}

/// The URI among the alternative names. A name that cannot be read is an error: it might be a second URI.
fn single_uri<'a>(certificate: &'a X509Certificate<'_>) -> Result<&'a str, Unfit> {
    let names = certificate.subject_alternative_name().map_err(|_| Unfit::Encoding)?;
    let mut uris = Vec::new();
    for name in names.iter().flat_map(|names| &names.value.general_names) {
        match name {
            GeneralName::URI(uri) => uris.push(*uri),
            GeneralName::Invalid(..) => return Err(Unfit::Encoding),
            _ => {}
        }
    }
    match uris.as_slice() {
        [uri] => Ok(uri),
        _ => Err(Unfit::UriCount(uris.len())),
    }
}

/// The use has to be named: a certificate without the extension would do for everything.
fn allows(certificate: &X509Certificate<'_>, usage: Usage) -> Result<bool, Unfit> {
    let named = certificate.extended_key_usage().map_err(|_| Unfit::Encoding)?;
    Ok(named.is_some_and(|named| match usage {
        Usage::Server => named.value.server_auth,
        Usage::Client => named.value.client_auth,
    }))
}

fn time(time: ASN1Time) -> SystemTime {
    let seconds = Duration::from_secs(time.timestamp().unsigned_abs());
    let time = if time.timestamp() < 0 { UNIX_EPOCH.checked_sub(seconds) } else { UNIX_EPOCH.checked_add(seconds) };
    time.unwrap_or(UNIX_EPOCH)
}

fn short(text: &str) -> String {
    text.chars().take(200).collect()
}

fn usage_name(usage: Usage) -> &'static str {
    match usage {
        Usage::Server => "server",
        Usage::Client => "client",
    }
}
