//! Tests of an authority's files and of what it signs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyUsagePurpose, SanType};
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
    let keep = fs::read(london.path("issuer.key")).unwrap();
    for (content, says) in [
        (fs::read(other.path("issuer.key")).unwrap(), "does not belong to the certificate"),
        (b"hello".to_vec(), "holds no private key"),
    ] {
        fs::write(london.path("issuer.key"), content).unwrap();
        let error = Authority::open(london.dir.path()).err().unwrap().to_string();
        assert!(error.contains(says) && error.contains("issuer.key"), "{error}");
    }
    fs::write(london.path("issuer.key"), keep).unwrap();
    fs::set_permissions(london.path("issuer.key"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(Authority::open(london.dir.path()).err().unwrap(), Error::KeyMode { mode: 0o644, .. }));
    fs::set_permissions(london.path("issuer.key"), fs::Permissions::from_mode(0o600)).unwrap();
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
        (ASHA, vec![], day, "a body signs its own analysts"),
    ] {
        let error = london.authority.sign(&request, &identity.parse().unwrap(), &hosts, validity);
        let error = error.err().unwrap().to_string();
        assert!(error.contains(says), "{error}");
    }
    assert!(london.authority.sign(&request, &LFB.parse().unwrap(), &[], expired()).is_ok());
}
