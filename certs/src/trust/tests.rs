//! Every way in which somebody of one federation could pass for somebody of another.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use rcgen::ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, KeyUsagePurpose, SanType};
use rustls::sign::CertifiedKey;

use crate::handshakes::{meet, refused, with_certificate};
use crate::testing::{ASHA, DAY, Federation, LFB, LODA};
use crate::{Credentials, Excluded, Validity, Verifier, signed};

const FEUERWEHR: &str = "spiffe://berlin/body/feuerwehr/node";
/// The same slug in the other federation.
const BERLIN_LFB: &str = "spiffe://berlin/body/lfb/node";
const ADA: &str = "spiffe://berlin/body/lfb/analyst/ada";

/// A node of a federation that trusts others by their anchors.
fn trusting(own: &Federation, identity: &str, others: &[(&str, &Path)]) -> crate::Result<Arc<Credentials>> {
    let file = identity.replace([':', '/'], "_");
    own.issue(&file, identity, Validity::from_now(DAY));
    let others: Vec<_> = others.iter().map(|(name, path)| (name.parse().ok(), *path)).collect();
    let [cert, key] = ["pem", "key"].map(|kind| own.path(&format!("{file}.{kind}")));
    Credentials::load_trusting(&own.path("ca.pem"), &cert, &key, &others)
}

fn both() -> (Federation, Federation, Arc<Credentials>, Arc<Credentials>) {
    let (london, berlin) = (Federation::new("london"), Federation::new("berlin"));
    let lfb = trusting(&london, LFB, &[("berlin", &berlin.path("ca.pem"))]).unwrap();
    let feuerwehr = trusting(&berlin, FEUERWEHR, &[("london", &london.path("ca.pem"))]).unwrap();
    (london, berlin, lfb, feuerwehr)
}

#[tokio::test]
async fn nodes_of_two_federations_that_trust_each_other_know_who_the_other_is() {
    let (_london, _berlin, lfb, feuerwehr) = both();
    let to_berlin = lfb.abroad(&"berlin".parse().unwrap()).unwrap().connector();
    let (accepted, connected) = meet(&feuerwehr.server_acceptor(), &to_berlin, Some(FEUERWEHR)).await;
    assert_eq!(accepted.unwrap().peer().identity().to_string(), LFB);
    connected.unwrap();
    let to_london = feuerwehr.abroad(&"london".parse().unwrap()).unwrap().connector();
    assert!(meet(&lfb.server_acceptor(), &to_london, Some(LFB)).await.0.is_ok());
    // The way to one's own federation is none to the other's, and the way to the other's none to one's own.
    for (connector, expected) in [(lfb.client_connector(), FEUERWEHR), (to_berlin, LFB)] {
        let (_, told) = refused(&feuerwehr.server_acceptor(), &connector, Some(expected)).await;
        assert!(
            told.contains("another federation") || told.contains("not signed") || told.contains(expected),
            "{told}"
        );
    }
    assert!(lfb.abroad(&"paris".parse().unwrap()).is_none());
    assert!(lfb.abroad(&"london".parse().unwrap()).is_none(), "one's own is no other");
}

#[tokio::test]
async fn trust_goes_one_way_until_both_have_said_so() {
    let (london, berlin) = (Federation::new("london"), Federation::new("berlin"));
    let lfb = trusting(&london, LFB, &[("berlin", &berlin.path("ca.pem"))]).unwrap();
    let alone = trusting(&berlin, FEUERWEHR, &[]).unwrap();
    let to_berlin = lfb.abroad(&"berlin".parse().unwrap()).unwrap().connector();
    let (log, _) = refused(&alone.server_acceptor(), &to_berlin, Some(FEUERWEHR)).await;
    assert!(log.contains("not signed by this federation's authority"), "{log}");
}

#[tokio::test]
async fn a_federation_vouches_for_nobody_of_another() {
    let (london, berlin, lfb, _) = both();
    let paris = Federation::new("paris");
    let acceptor = lfb.server_acceptor();
    let unknown = "not signed by this federation's authority";
    for (case, pair, says) in [
        ("berlin's root signs a node of london", berlin.forge(&[LODA], &[ClientAuth]), unknown),
        ("berlin's root signs this very node", berlin.forge(&[LFB], &[ClientAuth]), unknown),
        ("london's root signs a node of berlin", london.forge(&[FEUERWEHR], &[ClientAuth]), unknown),
        ("an analyst of berlin", berlin.forge(&[ADA], &[ClientAuth]), "is not let in here"),
        ("both identities", berlin.forge(&[BERLIN_LFB, LFB], &[ClientAuth]), unknown),
        ("the authority itself", berlin.forge(&["spiffe://berlin/authority"], &[ClientAuth]), unknown),
        ("for answering only", berlin.forge(&[FEUERWEHR], &[ServerAuth]), "extended key usage"),
        ("nobody's friend", paris.forge(&["spiffe://paris/body/pompiers/node"], &[ClientAuth]), unknown),
        ("berlin vouches for paris", berlin.forge(&["spiffe://paris/body/x/node"], &[ClientAuth]), unknown),
    ] {
        let (log, _) = refused(&acceptor, &with_certificate(&london, pair), Some(LFB)).await;
        assert!(log.contains(says), "{case}: {log}");
    }
    // What is signed by such certificates counts as little.
    for (federation, uri) in [(&berlin, LFB), (&berlin, ADA), (&london, FEUERWEHR), (&paris, LFB)] {
        let (chain, key) = federation.forge(&[uri], &[ClientAuth]);
        let key = CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider()).unwrap();
        let signed = signed::sign(b"x".to_vec(), &key).unwrap();
        assert!(lfb.verify(&signed, SystemTime::now()).is_err(), "{uri}");
        assert!(lfb.verify_of_any(&signed, SystemTime::now()).is_err(), "{uri}");
    }
}

#[tokio::test]
async fn one_slug_in_two_federations_is_two_nodes() {
    let (_london, berlin, lfb, _) = both();
    let other = berlin.forge(&[BERLIN_LFB], &[ClientAuth, ServerAuth]);
    let (accepted, _) = meet(&lfb.server_acceptor(), &with_certificate(&_london, other), Some(LFB)).await;
    let accepted = accepted.unwrap();
    assert_eq!(accepted.peer().identity().to_string(), BERLIN_LFB);
    assert!(!lfb.home().admits(accepted.peer()), "it is nobody of this federation");
}

#[tokio::test]
async fn who_is_out_of_one_federation_is_not_out_of_the_other() {
    let (_london, _berlin, lfb, feuerwehr) = both();
    let to_london = feuerwehr.abroad(&"london".parse().unwrap()).unwrap().connector();
    let out = |body: &str| Excluded { suspended: [body.parse().unwrap()].into(), ..Excluded::default() };
    // London's membership has no say over Berlin, whatever the slug.
    lfb.exclude(out("feuerwehr"));
    assert!(meet(&lfb.server_acceptor(), &to_london, Some(LFB)).await.0.is_ok());
    let berlin = lfb.abroad(&"berlin".parse().unwrap()).unwrap();
    let later = SystemTime::now() + DAY;
    let revoked = Excluded { revoked: [("feuerwehr".parse().unwrap(), later)].into(), ..Excluded::default() };
    lfb.exclude(revoked.clone());
    assert!(meet(&lfb.server_acceptor(), &to_london, Some(LFB)).await.0.is_ok());
    let closed = Excluded { members: Some([].into()), ..Excluded::default() };
    for (excluded, says) in [(out("feuerwehr"), "is suspended"), (revoked, "was revoked"), (closed, "is no member")] {
        let connected = meet(&lfb.server_acceptor(), &to_london, Some(LFB)).await;
        let mut open = connected.0.unwrap();
        berlin.exclude(excluded);
        let mut buffer = [0; 10];
        let ended = tokio::io::AsyncReadExt::read(&mut open, &mut buffer).await.unwrap_err().to_string();
        assert!(ended.contains(says), "{ended}");
        let (log, _) = refused(&lfb.server_acceptor(), &to_london, Some(LFB)).await;
        assert!(log.contains(says), "{log}");
        assert!(lfb.verify_of_any(&feuerwehr.sign(vec![1]).unwrap(), SystemTime::now()).is_err());
        berlin.exclude(Excluded::default());
    }
    let signed = feuerwehr.sign(vec![1]).unwrap();
    assert!(lfb.verify(&signed, SystemTime::now()).is_err(), "where one's own is meant, another's does not do");
    assert_eq!(lfb.verify_of_any(&signed, SystemTime::now()).unwrap().identity().to_string(), FEUERWEHR);
    assert!(berlin.verify(&lfb.sign(vec![1]).unwrap(), SystemTime::now()).is_err());
}

#[test]
fn anchors_that_are_not_what_they_are_said_to_be_are_refused() {
    let (london, berlin, again) = (Federation::new("london"), Federation::new("berlin"), Federation::new("berlin"));
    let (ours, theirs, others) = (london.path("ca.pem"), berlin.path("ca.pem"), again.path("ca.pem"));
    // A root of another name with the same key.
    let key = KeyPair::from_pem(&std::fs::read_to_string(berlin.path("ca.key")).unwrap()).unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI("spiffe://paris".try_into().unwrap())];
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let same_key = berlin.path("paris.pem");
    std::fs::write(&same_key, params.self_signed(&key).unwrap().pem()).unwrap();
    let mixed = berlin.path("mixed.pem");
    std::fs::write(&mixed, [&theirs, &ours].map(|path| std::fs::read_to_string(path).unwrap()).concat()).unwrap();
    for (others, says) in [
        (vec![("paris", theirs.as_path())], "is of the federation berlin, and paris was meant"),
        (vec![("london", ours.as_path())], "is of london, which is trusted already"),
        (vec![("london", theirs.as_path())], "is of the federation berlin, and london was meant"),
        (vec![("berlin", theirs.as_path()), ("berlin", others.as_path())], "is of berlin, which is trusted already"),
        (vec![("berlin", theirs.as_path()), ("paris", same_key.as_path())], "has a key of the root of berlin"),
        (vec![("berlin", mixed.as_path())], "holds anchors of berlin and of london"),
        (vec![("berlin", Path::new("nowhere.pem"))], "nowhere.pem"),
    ] {
        let error = trusting(&london, LFB, &others).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
        for file in ["key", "pem"] {
            std::fs::remove_file(london.path(&format!("{}.{file}", LFB.replace([':', '/'], "_")))).unwrap();
        }
    }
}

#[test]
fn whoever_reads_a_receipt_needs_the_anchors_of_each_federation_in_it() {
    let (london, berlin, lfb, feuerwehr) = both();
    let (ours, theirs) = (london.path("ca.pem"), berlin.path("ca.pem"));
    let now = SystemTime::now();
    let both = Verifier::load(&ours, &[&theirs]).unwrap();
    for node in [&lfb, &feuerwehr] {
        let signed = node.sign(vec![1]).unwrap();
        assert_eq!(both.verify(&signed, now).unwrap().identity(), node.identity());
    }
    let alone = Verifier::load(&ours, &[]).unwrap();
    assert!(alone.verify(&lfb.sign(vec![1]).unwrap(), now).is_ok());
    assert!(alone.verify(&feuerwehr.sign(vec![1]).unwrap(), now).is_err());
    assert!(Verifier::load(&ours, &[&ours]).is_err());
}

#[test]
fn what_was_signed_once_holds_until_it_is_revoked() {
    let (london, berlin) = (Federation::new("london"), Federation::new("berlin"));
    let lfb = trusting(&london, LFB, &[]).unwrap();
    let now = SystemTime::now();
    let signed_by = |(chain, key)| {
        let key = CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider()).unwrap();
        signed::sign(b"x".to_vec(), &key).unwrap()
    };
    // It has ended by now, and the authority was there already when it began.
    let ended = Validity { not_before: now - DAY / 1_000, not_after: now - DAY / 10_000 };
    let old = signed_by(london.issue("old", LODA, ended));
    assert!(lfb.verify(&old, now).is_err());
    assert_eq!(lfb.verify_once_valid(&old).unwrap().identity().to_string(), LODA);
    let body = || "loda".parse().unwrap();
    lfb.exclude(Excluded { suspended: [body()].into(), members: Some([].into()), ..Excluded::default() });
    assert!(lfb.verify_once_valid(&old).is_ok() && !lfb.has_revoked(&old));
    lfb.exclude(Excluded { revoked: [(body(), now)].into(), ..Excluded::default() });
    assert!(lfb.verify_once_valid(&old).unwrap_err().to_string().contains("was revoked") && lfb.has_revoked(&old));
    lfb.exclude(Excluded::default());
    let mut altered = old.clone();
    altered.payload.push(b'x');
    let analyst = signed_by(london.issue("asha", ASHA, Validity::from_now(DAY)));
    let stranger = signed_by(berlin.issue("other", FEUERWEHR, Validity::from_now(DAY)));
    let forged = signed_by(Federation::new("london").issue("forged", LODA, Validity::from_now(DAY)));
    for (case, signed) in [("altered", altered), ("an analyst", analyst), ("abroad", stranger), ("forged", forged)] {
        assert!(lfb.verify_once_valid(&signed).is_err(), "{case}");
    }
}
