//! Identity: certificates that no authority of the federation should have signed, and claims in headers.

use std::fs;

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType};
use tonic::Code;

use super::attacker::Attacker;
use crate::support::{Mesh, PURPOSE, Pair, scratch, until};

const ASHA: &str = "spiffe://london/body/loda/analyst/asha";

/// A certificate with these URIs and uses, signed with the authority's own key: what a careless authority might sign.
fn forged(mesh: &Mesh, uris: &[&str], usages: &[ExtendedKeyUsagePurpose]) -> Pair {
    let authority = mesh.dir.join("authority");
    let key = KeyPair::from_pem(&fs::read_to_string(authority.join("ca.key")).unwrap()).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&fs::read_to_string(authority.join("ca.pem")).unwrap(), key).unwrap();
    let own = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap())).collect();
    params.extended_key_usages = usages.to_vec();
    let certificate = params.signed_by(&own, &issuer).unwrap();
    let dir = scratch("forged");
    let pair = Pair { cert: dir.join("pair.pem"), key: dir.join("pair.key") };
    fs::write(&pair.cert, certificate.pem()).unwrap();
    fs::write(&pair.key, own.serialize_pem()).unwrap();
    pair
}

/// Nothing is answered to whoever holds this, and the node's log says why.
fn is_not_let_in(uris: &[&str], usages: &[ExtendedKeyUsagePurpose]) {
    let mesh = super::mesh();
    let before = mesh.log("lfb").lines().count();
    let pair = forged(mesh, uris, usages);
    let mut client = mesh.client("lfb", Some(&pair));
    for status in [
        client.remote("SELECT COUNT(*) AS n FROM lfb.read").unwrap_err(),
        client.statement("SELECT 1 AS one").unwrap_err(),
        client.flights().unwrap_err(),
    ] {
        assert!(matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled), "{uris:?}: {status}");
    }
    until("the node's log says why", || (mesh.log("lfb").lines().count() > before).then_some(()));
}

/// Gains nothing: a certificate for servers alone, or for no use at all, opens no connection as a client.
#[test]
fn wrong_usage() {
    is_not_let_in(&[ASHA], &[ExtendedKeyUsagePurpose::ServerAuth]);
    is_not_let_in(&[ASHA], &[ExtendedKeyUsagePurpose::CodeSigning]);
    is_not_let_in(&["spiffe://london/body/loda/node"], &[ExtendedKeyUsagePurpose::EmailProtection]);
}

/// Gains nothing: a certificate that names nobody, two, or one in another way names no caller.
#[test]
fn no_or_several_uri_sans() {
    let client = [ExtendedKeyUsagePurpose::ClientAuth];
    is_not_let_in(&[], &client);
    is_not_let_in(&[ASHA, "spiffe://london/body/lfb/analyst/li"], &client);
    is_not_let_in(&["https://london/body/loda/analyst/asha"], &client);
    is_not_let_in(&["spiffe://london/body/loda/analyst/asha/../../lfb/node"], &client);
    is_not_let_in(&["spiffe://london/body/loda"], &client);
}

/// Gains nothing: who asks is who the certificate names, whatever headers, tickets and names of analysts claim; the
/// record says both.
#[test]
fn identity_claimed_in_headers() {
    let mesh = super::mesh();
    let mut camden = Attacker::by(mesh, "camden", "lfb");
    for claimed in [ASHA, "spiffe://london/body/lfb/analyst/li", "spiffe://london/body/lfb/node", "lfb", "root"] {
        let status = camden.client.remote_for("SELECT COUNT(*) FROM lfb.incidents", claimed, PURPOSE).unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{claimed}: {status}");
        assert!(status.message().contains("camden"), "{status}");
    }
    for header in ["authorization", "x-forwarded-client-cert", "x-forwarded-for", "meridian-caller", "on-behalf-of"] {
        camden.client.headers = vec![(header, "spiffe://london/body/lfb/analyst/li")];
        let status = camden.client.statement("SELECT id FROM lfb.granted_clean").unwrap_err();
        assert_ne!(status.code(), Code::Internal, "{header}: {status}");
        let status = camden.client.remote("SELECT COUNT(*) FROM lfb.incidents").unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{header}: {status}");
    }
    let records = mesh.records("lfb");
    let of_camden = |line: &&crate::support::Line| line.json["refusal"]["caller"] == "spiffe://london/body/camden/node";
    assert!(records.iter().any(|line| of_camden(&line) && line.json["refusal"]["on_behalf_of"] == ASHA));
}
