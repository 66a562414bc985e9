//! The authority of a federation: signs certificates that bind a key to an identity.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use meridian_proto::Name;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SerialNumber,
};
use rustls::pki_types::DnsName;
use time::OffsetDateTime;

use crate::{Error, Identity, Request, Result, certificate, files};

/// The authority's own certificate lives ten years; a new one is a decision of the federation.
const AUTHORITY_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);
/// Clocks of two machines differ; a new certificate counts from this much earlier.
const CLOCK_SKEW: Duration = Duration::from_secs(300);

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
}

/// The authority of a federation, with its key.
pub struct Authority {
    federation: Name,
    issuer: Issuer<'static, KeyPair>,
    not_after: SystemTime,
}

impl Authority {
    /// Makes a new authority and writes `ca.pem` and `ca.key` (for its owner alone) into the folder.
    pub fn create(federation: &Name, dir: &Path) -> Result<Self> {
        let subject = format!("the authority of {federation}");
        let validity = Validity::from_now(AUTHORITY_LIFE);
        let params = authority_params(federation, validity).map_err(|problem| issue(&subject, problem))?;
        let made = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .and_then(|key| Ok((params.self_signed(&key)?.pem(), key)))
            .map_err(|error| issue(&subject, error))?;
        let (pem, key) = made;
        std::fs::create_dir_all(dir).map_err(|source| Error::Write { path: dir.into(), source })?;
        files::create_key(&key_path(dir), &key.serialize_pem())?;
        if let Err(error) = files::create_certificate(&certificate_path(dir), &pem) {
            // A key without its certificate would only stand in the way of the next attempt.
            let _ = std::fs::remove_file(key_path(dir));
            return Err(error);
        }
        Ok(Self { federation: federation.clone(), issuer: Issuer::new(params, key), not_after: validity.not_after })
    }

    /// Opens the authority in a folder.
    pub fn open(dir: &Path) -> Result<Self> {
        const WHAT: &str = "the authority's certificate";
        let (path, key_path) = (certificate_path(dir), key_path(dir));
        let unfit = |problem: String| Error::File {
            what: WHAT,
            path: path.clone(),
            problem,
            remedy: "restore ca.pem and ca.key from a backup, or make a new authority",
        };
        let found = files::certificates(WHAT, &path)?;
        let [der] = found.as_slice() else {
            return Err(unfit(format!("holds {} certificates instead of one", found.len())));
        };
        let anchor = certificate::anchor(der).map_err(|error| unfit(error.to_string()))?;
        let key = KeyPair::from_pem(&files::key_text(&key_path)?).map_err(|_| Error::File {
            what: "the authority's private key",
            path: key_path.clone(),
            problem: "holds no private key of a kind that is used here".into(),
            remedy: "restore ca.pem and ca.key from a backup, or make a new authority",
        })?;
        if key.subject_public_key_info() != anchor.public_key {
            return Err(Error::KeyMismatch { key: key_path, certificate: path });
        }
        let issuer = Issuer::from_ca_cert_der(der, key).map_err(|error| unfit(error.to_string()))?;
        Ok(Self { federation: anchor.federation, issuer, not_after: anchor.not_after })
    }

    /// The federation that it signs for.
    pub fn federation(&self) -> &Name {
        &self.federation
    }

    /// Signs a certificate for the request's key and returns it as PEM.
    ///
    /// Who the holder is (`identity`) and which hosts their node may be reached at (`hosts`: DNS names or IP addresses,
    /// for clients that check them) is decided here, not by the request. Analysts have no hosts.
    pub fn sign(&self, request: &Request, identity: &Identity, hosts: &[String], validity: Validity) -> Result<String> {
        let params = self.params(identity, hosts, validity).map_err(|problem| issue(identity, problem))?;
        let signed = params.signed_by(request.public_key(), &self.issuer).map_err(|error| issue(identity, error))?;
        Ok(signed.pem())
    }

    fn params(&self, identity: &Identity, hosts: &[String], validity: Validity) -> Result<CertificateParams, String> {
        if identity.federation() != &self.federation {
            return Err(format!("this authority signs for {} only", self.federation));
        }
        if validity.not_after > self.not_after {
            return Err("it would outlive the authority: choose a shorter life, or make a new authority".into());
        }
        let mut params = params(&identity.to_string(), validity)?;
        let (common_name, usages) = match identity {
            Identity::Node { body, .. } => {
                (body, vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth])
            }
            Identity::Analyst { .. } if !hosts.is_empty() => return Err("an analyst serves at no host".into()),
            Identity::Analyst { name, .. } => (name, vec![ExtendedKeyUsagePurpose::ClientAuth]),
        };
        // For people who look at the certificate; nothing here reads it.
        params.distinguished_name = subject(common_name.as_str(), identity.body().as_str());
        for host in hosts {
            params.subject_alt_names.push(host_name(host)?);
        }
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = usages;
        params.use_authority_key_identifier_extension = true;
        Ok(params)
    }
}

fn certificate_path(dir: &Path) -> PathBuf {
    dir.join("ca.pem")
}

fn key_path(dir: &Path) -> PathBuf {
    dir.join("ca.key")
}

fn authority_params(federation: &Name, validity: Validity) -> Result<CertificateParams, String> {
    let mut params = params(&format!("spiffe://{federation}"), validity)?;
    params.distinguished_name = subject("meridian authority", federation.as_str());
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
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
    let mut bytes = [0_u8; 16];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut bytes).map_err(|_| "the operating system gave no random numbers".to_owned())?;
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

fn issue(subject: impl ToString, problem: impl ToString) -> Error {
    Error::Issue { subject: subject.to_string(), problem: problem.to_string() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use x509_parser::prelude::FromDer;
    use x509_parser::prelude::X509Certificate;

    use super::*;
    use crate::KeyAndRequest;
    use crate::testing::{ASHA, DAY, Federation, LFB, expired};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn an_authority_is_made_once_and_opens_again() {
        let london = Federation::new("london");
        assert_eq!(mode(&london.path("ca.key")), 0o600);
        let reopened = Authority::open(london.dir.path()).unwrap();
        assert_eq!(reopened.federation().as_str(), "london");
        let again = Authority::create(&"london".parse().unwrap(), london.dir.path()).err().unwrap();
        assert!(matches!(again, Error::Exists { .. }), "{again}");

        let london = Federation { dir: london.dir, authority: reopened };
        assert_eq!(london.credentials(LFB).identity().to_string(), LFB);
    }

    #[test]
    fn a_broken_authority_says_which_file() {
        let london = Federation::new("london");
        let other = Federation::new("london");
        let keep = fs::read(london.path("ca.key")).unwrap();
        for (content, says) in [
            (fs::read(other.path("ca.key")).unwrap(), "does not belong to the certificate"),
            (b"hello".to_vec(), "holds no private key"),
        ] {
            fs::write(london.path("ca.key"), content).unwrap();
            let error = Authority::open(london.dir.path()).err().unwrap().to_string();
            assert!(error.contains(says) && error.contains("ca.key"), "{error}");
        }
        fs::write(london.path("ca.key"), keep).unwrap();
        fs::set_permissions(london.path("ca.key"), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Authority::open(london.dir.path()).err().unwrap(), Error::KeyMode { mode: 0o644, .. }));
        fs::set_permissions(london.path("ca.key"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(london.path("ca.pem"), "").unwrap();
        let error = Authority::open(london.dir.path()).err().unwrap().to_string();
        assert!(error.contains("ca.pem") && error.contains("holds no PEM section"), "{error}");
    }

    #[test]
    fn a_key_is_for_its_owner_and_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.key");
        let made = KeyAndRequest::create(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert!(!made.pem().contains("PRIVATE"));
        assert!(matches!(KeyAndRequest::create(&path).err().unwrap(), Error::Exists { .. }));
        let again = KeyAndRequest::open(&path).unwrap();
        let (first, second) = (Request::from_pem(made.pem()).unwrap(), Request::from_pem(again.pem()).unwrap());
        assert_eq!(first.public_key(), second.public_key());
    }

    #[test]
    fn requests_that_do_not_hold_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let made = KeyAndRequest::create(&dir.path().join("node.key")).unwrap();
        let params = CertificateParams::default();
        let p384 = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let p384 = params.serialize_request(&p384).unwrap().pem().unwrap();
        // The last line of Base64 is the end of the signature.
        let tampered = made.pem().trim_end().rsplit_once("\n-----END").unwrap().0;
        let at = tampered.trim_end_matches('=').len() - 3;
        let other = if &tampered[at..=at] == "A" { "B" } else { "A" };
        let tampered = made.pem().replacen(tampered, &format!("{}{other}{}", &tampered[..at], &tampered[at + 1..]), 1);
        for (text, says) in [
            (tampered.as_str(), "signature does not hold"),
            ("", "PKCS#10"),
            ("hello", "PKCS#10"),
            (&p384, "P-256"),
            (&"x".repeat(1 << 20), "longer"),
        ] {
            let error = Request::from_pem(text).err().unwrap().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn the_request_decides_nothing_but_the_key() {
        let london = Federation::new("london");
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["evil.example".to_owned()]).unwrap();
        params.subject_alt_names.push(SanType::URI("spiffe://london/body/gla/node".try_into().unwrap()));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let request = Request::from_pem(&params.serialize_request(&key).unwrap().pem().unwrap()).unwrap();
        let hosts = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let signed = london.authority.sign(&request, &LFB.parse().unwrap(), &hosts, Validity::from_now(DAY)).unwrap();
        fs::write(london.path("signed.pem"), signed).unwrap();
        let chain = files::certificates("test", &london.path("signed.pem")).unwrap();
        let (_, certificate) = X509Certificate::from_der(&chain[0]).unwrap();
        assert!(!certificate.is_ca());
        let names = certificate.subject_alternative_name().unwrap().unwrap();
        let names: Vec<_> = names.value.general_names.iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), 3, "{names:?}");
        assert!(names[0].contains(LFB) && names[1].contains("localhost"), "{names:?}");
        let usage = certificate.key_usage().unwrap().unwrap();
        assert!(usage.value.digital_signature() && !usage.value.key_cert_sign());
    }

    #[test]
    fn certificates_that_make_no_sense_are_not_signed() {
        let london = Federation::new("london");
        let made = KeyAndRequest::create(&london.path("node.key")).unwrap();
        let request = Request::from_pem(made.pem()).unwrap();
        let day = Validity::from_now(DAY);
        let backwards = Validity { not_before: day.not_after, not_after: day.not_before };
        let host = |host: &str| vec![host.to_owned()];
        for (identity, hosts, validity, says) in [
            ("spiffe://berlin/body/lfb/node", vec![], day, "signs for london only"),
            (LFB, vec![], backwards, "end before it begins"),
            (LFB, vec![], Validity::from_now(DAY * 365 * 20), "outlive the authority"),
            (LFB, host("not a host"), day, "neither a DNS name nor an IP address"),
            (ASHA, host("localhost"), day, "serves at no host"),
        ] {
            let error = london.authority.sign(&request, &identity.parse().unwrap(), &hosts, validity);
            let error = error.err().unwrap().to_string();
            assert!(error.contains(says), "{error}");
        }
        assert!(london.authority.sign(&request, &LFB.parse().unwrap(), &[], expired()).is_ok());
    }
}
