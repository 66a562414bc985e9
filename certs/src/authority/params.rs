//! What stands in the certificates that an authority signs.

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use meridian_proto::Name;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use rustls::pki_types::DnsName;
use time::OffsetDateTime;

use crate::Identity;

/// Clocks of two machines differ; a new certificate counts from this much earlier.
pub(super) const CLOCK_SKEW: Duration = Duration::from_secs(300);

/// From when until when a certificate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Not before this time.
    pub not_before: SystemTime,
    /// Not after this time.
    pub not_after: SystemTime,
}

impl Validity {
    /// From now, with five minutes for clocks that are slow, for this long.
    pub fn from_now(life: Duration) -> Self {
        let now = SystemTime::now();
        Self { not_before: now.checked_sub(CLOCK_SKEW).unwrap_or(now), not_after: now.checked_add(life).unwrap_or(now) }
    }

    /// The same, but not from before this time.
    pub(super) fn from_at_least(self, not_before: SystemTime) -> Self {
        Self { not_before: self.not_before.max(not_before), ..self }
    }

    /// The same, but not beyond this time.
    pub(super) fn until_at_most(self, not_after: SystemTime) -> Self {
        Self { not_after: self.not_after.min(not_after), ..self }
    }
}

/// Links that a chain may have: so many new roots later, whoever holds the first one alone still follows.
pub(super) const MOST_LINKS: u8 = 2;

/// A federation's root, or a link to it from an older one: its name tells it from all others.
pub(super) fn root(federation: &Name, key: &KeyPair, validity: Validity) -> Result<CertificateParams, String> {
    let name = crate::files::sha256(&key.subject_public_key_info());
    let name = format!("meridian root {}", name.get(..8).unwrap_or_default());
    // The issuing keys, and below them members alone; above them perhaps links to newer roots, which some clients (Go's) count
    // against the root itself.
    ca(federation, &name, MOST_LINKS + 1, validity)
}

/// An issuing key, signed by the root.
pub(crate) fn issuer(federation: &Name, validity: Validity) -> Result<CertificateParams, String> {
    let mut params = ca(federation, "meridian authority", 0, validity)?;
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn ca(federation: &Name, common_name: &str, below: u8, validity: Validity) -> Result<CertificateParams, String> {
    let mut params = params(&format!("spiffe://{federation}"), validity)?;
    params.distinguished_name = subject(common_name, federation.as_str());
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(below));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

/// What the authority signs and serves with.
pub(super) fn signer(federation: &Name, validity: Validity) -> Result<CertificateParams, String> {
    let mut params = end_entity(&crate::certificate::authority_uri(federation), validity)?;
    params.distinguished_name = subject("meridian authority", federation.as_str());
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

/// A node or an analyst.
pub(crate) fn member(identity: &Identity, hosts: &[String], validity: Validity) -> Result<CertificateParams, String> {
    let mut params = end_entity(&identity.to_string(), validity)?;
    let (common_name, usages) = match identity {
        Identity::Node { body, .. } => {
            (body, vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth])
        }
        Identity::Analyst { name, .. } => (name, vec![ExtendedKeyUsagePurpose::ClientAuth]),
    };
    // For people who look at the certificate; nothing here reads it.
    params.distinguished_name = subject(common_name.as_str(), identity.body().as_str());
    for host in hosts {
        params.subject_alt_names.push(host_name(host)?);
    }
    params.extended_key_usages = usages;
    Ok(params)
}

fn end_entity(uri: &str, validity: Validity) -> Result<CertificateParams, String> {
    let mut params = params(uri, validity)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}

fn params(uri: &str, validity: Validity) -> Result<CertificateParams, String> {
    if validity.not_after <= validity.not_before {
        return Err("it would end before it begins".into());
    }
    let mut params = CertificateParams::default();
    params.not_before = date(validity.not_before)?;
    params.not_after = date(validity.not_after)?;
    // The library's default is a hash of the key, and a renewed certificate needs another number.
    params.serial_number = Some(serial_number()?);
    params.subject_alt_names = vec![SanType::URI(uri.try_into().map_err(|_| "its URI is not ASCII".to_owned())?)];
    Ok(params)
}

fn subject(common_name: &str, organisation: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, organisation);
    name.push(DnType::CommonName, common_name);
    name
}

fn host_name(host: &str) -> Result<SanType, String> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(SanType::IpAddress(address));
    }
    let checked = DnsName::try_from(host).map_err(|_| format!("{host:?} is neither a DNS name nor an IP address"))?;
    let text = checked.as_ref().try_into().map_err(|_| format!("{host:?} is not ASCII"))?;
    Ok(SanType::DnsName(text))
}

/// X.509 writes years with four digits.
fn date(time: SystemTime) -> Result<OffsetDateTime, String> {
    let seconds = time.duration_since(UNIX_EPOCH).map_err(|_| "its times begin before 1970".to_owned())?.as_secs();
    let date = i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    date.filter(|date| date.year() <= 9999).ok_or_else(|| "its times go beyond the year 9999".to_owned())
}

/// 127 random bits, positive and never zero.
fn serial_number() -> Result<SerialNumber, String> {
    let mut bytes = super::random::<16>()?;
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}
