//! Tests of new roots: by whose word they count, for whom what they sign holds, and how old ones end.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use prost::Message;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use tempfile::TempDir;

use super::*;
use crate::testing::DAY;
use crate::{Authority, AuthorityConnector, Credentials, Joined, KeyAndRequest, Office, Refusal, Request};

/// London: its first authority, and a new root in a folder of its own.
struct City {
    dir: TempDir,
    old: Office,
}

fn now() -> SystemTime {
    SystemTime::now()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

impl City {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let old = Office::found(&name("london"), &dir.path().join("authority"), now()).unwrap();
        let city = Self { dir, old };
        city.new_root("authority", "root");
        city
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn new_root(&self, old: &str, new: &str) {
        Authority::new_root(&self.path(old), &self.path(new)).unwrap();
    }

    /// An authority in a new folder, whose issuing key a root signed; it goes on from the membership of another.
    fn authority(&self, folder: &str, root: &str, before: &Office, ca: &str) -> Office {
        fs::create_dir(self.path(folder)).unwrap();
        let made = KeyAndRequest::create(&self.path(folder).join("issuer.key")).unwrap();
        let signed = Authority::sign_issuer(&self.path(root), &Request::from_pem(made.pem()).unwrap()).unwrap();
        fs::write(self.path(folder).join("issuer.pem"), signed).unwrap();
        fs::copy(self.path(ca), self.path(folder).join("ca.pem")).unwrap();
        let office = Office::open(&self.path(folder)).unwrap();
        assert!(office.adopt(&before.membership(now()).unwrap(), now()).unwrap());
        office
    }

    /// The new root is installed, and an authority works under it.
    fn rotated(&self) -> Office {
        self.old.install_root(&self.path("root"), now()).unwrap();
        self.authority("new", "root", &self.old, "authority/ca.pem")
    }

    fn certificates(&self, file: &str) -> Vec<CertificateDer<'static>> {
        files::certificates("test", &self.path(file)).unwrap()
    }

    /// Anchors, and the file of their own in which they are.
    fn kept(&self, certificates: &[CertificateDer<'static>]) -> (Arc<Anchors>, PathBuf) {
        let file = TempDir::new_in(self.dir.path()).unwrap().keep().join("ca.pem");
        fs::write(&file, certificates.iter().map(files::to_pem).collect::<String>()).unwrap();
        (Arc::new(Anchors::load(&file).unwrap()), file)
    }

    fn anchors(&self, certificates: &[CertificateDer<'static>]) -> Arc<Anchors> {
        self.kept(certificates).0
    }

    fn join(&self, office: &Office, body: &str) -> (String, Joined) {
        let token = office.invite(&name(body), &format!("https://{body}.example:1"), &[], now()).unwrap();
        let (key, request) = KeyAndRequest::generate().unwrap();
        (key, office.join(&token, &request, now()).unwrap())
    }

    fn credentials(&self, (key, joined): &(String, Joined)) -> Arc<Credentials> {
        let folder = TempDir::new_in(self.dir.path()).unwrap().keep();
        let (ca, own) = (folder.join("ca.pem"), folder.join("identity.pem"));
        fs::write(&ca, &joined.anchors).unwrap();
        Credentials::begin(&own, &joined.chain, key).unwrap();
        Credentials::load(&ca, &own, &own).unwrap()
    }

    /// What a root's key, or an issuing key, signs for the key of the new root.
    fn link(&self, by: &str, uri: &str, is_ca: IsCa, from: SystemTime, until: SystemTime) -> Vec<u8> {
        let key = KeyPair::from_pem(&fs::read_to_string(self.path(&format!("{by}.key"))).unwrap()).unwrap();
        let issuer = Issuer::from_ca_cert_der(&self.certificates(&format!("{by}.pem"))[0], key).unwrap();
        let new = KeyPair::from_pem(&fs::read_to_string(self.path("root/ca.key")).unwrap()).unwrap();
        let mut params = CertificateParams::default();
        (params.not_before, params.not_after) = (from.into(), until.into());
        params.is_ca = is_ca;
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        let root = files::sha256(&certificate::anchor(&self.certificates("root/ca.pem")[0]).unwrap().public_key);
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "london");
        params.distinguished_name.push(DnType::CommonName, format!("meridian root {}", &root[..8]));
        params.signed_by(&new, &issuer).unwrap().der().to_vec()
    }
}

fn listed(office: &Office) -> (Signed, Membership) {
    let signed = office.membership(now()).unwrap();
    let membership = Membership::decode(&signed.payload).unwrap();
    (signed, membership)
}

fn der(certificates: &[CertificateDer<'_>]) -> Vec<Vec<u8>> {
    certificates.iter().map(|der| der.to_vec()).collect()
}

#[test]
fn what_hangs_on_the_new_root_holds_for_whoever_has_the_old_one_alone_or_the_new_one() {
    let city = City::new();
    let early = city.credentials(&city.join(&city.old, "gla"));
    let new = city.rotated();
    let late = city.credentials(&city.join(&new, "lfb"));
    let (first, second) = (city.certificates("authority/ca.pem"), city.certificates("root/ca.pem"));
    assert_eq!(first.len(), 2, "both are held there");
    let (old_alone, new_alone) = (city.anchors(&first[..1]), city.anchors(&second));
    let by = |anchors: &Anchors, signed: &Signed| crate::Verified::by_signature(signed, anchors, now_of(now())).is_ok();
    let (early, late) = (early.sign(vec![1]).unwrap(), late.sign(vec![1]).unwrap());
    assert_eq!((by(&old_alone, &early), by(&old_alone, &late)), (true, true));
    assert_eq!((by(&new_alone, &early), by(&new_alone, &late)), (false, true));
    let membership = new.membership(now()).unwrap();
    for anchors in [&old_alone, &new_alone] {
        signed::by_authority(&membership, anchors, now_of(now())).unwrap();
        let chain: Vec<_> = late.chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
        anchors.check_chain(&chain[0], &chain[1..], now_of(now())).unwrap();
    }
    // What the first issuing key signs holds for whoever has its root.
    assert!(signed::by_authority(&city.old.membership(now()).unwrap(), &new_alone, now_of(now())).is_err());
    // Once more, and the first one alone still does.
    city.new_root("root", "third");
    new.install_root(&city.path("third"), now()).unwrap();
    let third = city.authority("newer", "third", &new, "new/ca.pem");
    let latest = city.credentials(&city.join(&third, "loda")).sign(vec![1]).unwrap();
    let third_alone = city.anchors(&city.certificates("third/ca.pem"));
    for anchors in [&old_alone, &new_alone, &third_alone] {
        assert!(by(anchors, &latest));
        signed::by_authority(&third.membership(now()).unwrap(), anchors, now_of(now())).unwrap();
    }
    // Whoever was away for both follows.
    let (signed, membership) = listed(&third);
    let mut succession = old_alone.succession(&signed, &membership, now_of(now())).unwrap();
    assert!(succession.bring_in().unwrap());
    assert_eq!(old_alone.roots().certificates.len(), 3);
}

#[test]
fn a_root_counts_by_the_word_of_one_that_counts_and_by_nothing_else() {
    let (city, other) = (City::new(), City::new());
    let (_, plain) = listed(&city.old);
    let (root, link) = (der(&city.certificates("root/ca.pem")), der(&city.certificates("root/link.pem")));
    let (issuer, foreign) = (der(&city.certificates("authority/issuer.pem")), der(&other.certificates("root/ca.pem")));
    let ca = |below| IsCa::Ca(BasicConstraints::Constrained(below));
    let (london, before, later) = ("spiffe://london", now() - DAY, now() + DAY);
    let of = |by: &str, uri: &str, is_ca, from, until| vec![city.link(by, uri, is_ca, from, until)];
    let by_issuer = of("authority/issuer", london, ca(3), before, later);
    let unsigned = "no root that is held here has signed a link to it";
    for (case, roots, links, says) in [
        ("no link", root.clone(), vec![], unsigned),
        (
            "another London's root, by its own link",
            foreign.clone(),
            der(&other.certificates("root/link.pem")),
            unsigned,
        ),
        ("another London's root, by this one's link", foreign, link.clone(), unsigned),
        ("a link by the issuing key", root.clone(), by_issuer.clone(), unsigned),
        ("with the issuing certificate", root.clone(), [by_issuer, issuer.clone()].concat(), unsigned),
        ("the issuing key as a root", issuer.clone(), vec![], "it allows no issuing key below it"),
        ("the issuing key as its own link", issuer.clone(), issuer, "it allows no issuing key below it"),
        ("the link as a root", link.clone(), link.clone(), "not signed by its own key"),
        (
            "another federation",
            root.clone(),
            of("authority/ca", "spiffe://berlin", ca(3), before, later),
            "it is of berlin",
        ),
        ("expired", root.clone(), of("authority/ca", london, ca(3), now() - 2 * DAY, before), "it expired on 20"),
        (
            "not yet valid",
            root.clone(),
            of("authority/ca", london, ca(3), later, now() + 2 * DAY),
            "it is valid from 20",
        ),
        (
            "path length",
            root.clone(),
            of("authority/ca", london, ca(0), before, later),
            "it allows no issuing key below it",
        ),
        ("no authority", root.clone(), of("authority/ca", london, IsCa::NoCa, before, later), unsigned),
        ("garbage", vec![b"x".to_vec()], vec![b"y".to_vec()], "not correctly encoded"),
    ] {
        let anchors = city.anchors(&city.certificates("authority/ca.pem"));
        let membership = Membership { roots: [plain.roots.clone(), roots].concat(), links, ..plain.clone() };
        let error = anchors.beside(&membership, now_of(now())).map(drop).expect_err(case).to_string();
        assert!(error.contains(says) && error.contains("london"), "{case}: {error}");
        assert_eq!(anchors.roots().certificates.len(), 1, "{case}");
    }
    // The forger's links are refused for what they say, not for being forged.
    for links in [link, of("authority/ca", london, ca(1), before, later)] {
        let (anchors, file) = city.kept(&city.certificates("authority/ca.pem"));
        let membership = Membership { roots: [plain.roots.clone(), root.clone()].concat(), links, ..plain.clone() };
        anchors.set_roots(anchors.beside(&membership, now_of(now())).unwrap().unwrap()).unwrap();
        let file = Anchors::load(&file).unwrap();
        assert_eq!(
            file.roots().certificates,
            [city.certificates("authority/ca.pem"), city.certificates("root/ca.pem")].concat()
        );
        assert!(anchors.beside(&membership, now_of(now())).unwrap().is_none(), "nothing is new any more");
    }
}

#[test]
fn a_root_ends_by_the_word_of_what_stays_and_for_a_younger_one_that_it_vouches_for() {
    let city = City::new();
    let new = city.rotated();
    let (old_root, new_root) = (city.certificates("authority/ca.pem"), city.certificates("root/ca.pem"));
    let both = || city.anchors(&old_root);
    assert_eq!(old_root.len(), 2);
    // What it says from now on it signs itself.
    city.join(&new, "lfb");
    let (signed, membership) = listed(&new);
    let succession = |anchors: &Arc<Anchors>, signed: &Signed, membership: &Membership| {
        anchors.succession(signed, membership, now_of(now()))
    };
    let left = |anchors: &Anchors| anchors.roots().certificates.clone();
    // Nothing said, and the younger one not named: both stay.
    for roots in [vec![], der(&old_root[..1]), der(&old_root)] {
        let anchors = both();
        let said = Membership { roots, ..membership.clone() };
        let mut change = succession(&anchors, &signed, &said).unwrap();
        assert!(!change.bring_in().unwrap() && !change.let_go().unwrap());
    }
    let (by_old, _) = listed(&city.old);
    let retired = Membership { roots: der(&new_root), ..membership.clone() };
    let error = succession(&both(), &by_old, &retired).unwrap_err().to_string();
    assert!(error.contains("signed under no root that stays"), "{error}");
    // Without the link nobody says that the one stands in for the other.
    let unlinked = Membership { links: vec![], ..retired.clone() };
    assert!(!succession(&both(), &signed, &unlinked).unwrap().let_go().unwrap());
    for (anchors, file) in [city.kept(&old_root), city.kept(&old_root[..1])] {
        let mut change = succession(&anchors, &signed, &retired).unwrap();
        change.bring_in().unwrap();
        assert_eq!(left(&anchors), old_root, "both, until the membership is in force");
        assert!(change.let_go().unwrap());
        assert_eq!(left(&anchors), new_root);
        assert_eq!(left(&Anchors::load(&file).unwrap()), new_root);
        // An authority that has not heard of it names it still, and it stays away.
        let mut change = succession(&anchors, &signed, &membership).unwrap();
        assert!(!change.bring_in().unwrap() && !change.let_go().unwrap());
        // Whoever has the old one's issuing key signs nothing that counts.
        assert!(signed::by_authority(&by_old, &anchors, now_of(now())).is_err());
    }
}

#[test]
fn an_authority_retires_its_old_root_once_nothing_hangs_on_it() {
    let city = City::new();
    let first = city.join(&city.old, "gla");
    let gla = city.credentials(&first);
    let alone = city.old.retire_root(false, now()).unwrap_err().to_string();
    assert!(alone.contains("is the only one"), "{alone}");
    let before = city.old.authority().unwrap().fingerprint().unwrap();
    let version = listed(&city.old).1.version;
    let new = city.rotated();
    assert!(listed(&new).1.version > version);
    city.old.install_root(&city.path("root"), now()).unwrap();
    assert_eq!(
        listed(&new).1,
        Membership { signed_at: listed(&new).1.signed_at, ..listed(&city.old).1 },
        "nothing is new"
    );
    let depends = city.old.retire_root(true, now()).unwrap_err().to_string();
    assert!(depends.contains("make a new issuing key"), "{depends}");
    let early = new.retire_root(false, now()).unwrap_err().to_string();
    assert!(early.contains("gla") && early.contains("--anyway"), "{early}");

    // Whoever joins meanwhile is told of the root from which the other follows.
    assert_eq!(new.authority().unwrap().fingerprint().unwrap(), before);
    let joined = city.join(&new, "lfb").1;
    let known = AuthorityConnector::by_fingerprint(&before).unwrap().known_of(&joined.anchors).unwrap();
    let anchors = city.anchors(&files::certificates_of(&known).unwrap());
    assert_eq!(anchors.roots().certificates.len(), 1);
    let listed_then = Membership::decode(&joined.membership.payload).unwrap();
    anchors.succession(&joined.membership, &listed_then, now_of(now())).unwrap().bring_in().unwrap();
    assert_eq!(anchors.roots().certificates.len(), 2);

    let renew = |credentials: &Credentials| {
        let (key, request) = KeyAndRequest::generate().unwrap();
        let signed = credentials.sign(meridian_proto::wire::RenewRequest { request }.encode_to_vec()).unwrap();
        new.renew(&signed, now()).map(|joined| (key, joined))
    };
    let renewed = renew(&gla).unwrap();
    new.retire_root(false, now() + Duration::from_secs(1)).unwrap();
    assert_eq!(listed(&new).1.roots, der(&city.certificates("root/ca.pem")));
    let after = new.authority().unwrap();
    assert_eq!(after.fingerprint().unwrap(), files::sha256(&city.certificates("root/ca.pem")[0]));
    assert!(new.retire_root(false, now()).unwrap_err().to_string().contains("is the only one"));
    let refused = match renew(&gla) {
        Err(Refusal::Refused(why)) => why,
        other => panic!("{other:?}"),
    };
    assert!(refused.contains("not signed by this federation"), "{refused}");
    assert!(renew(&city.credentials(&renewed)).is_ok());
    // The first authority hears of it, and its own issuing key is worth nothing any more.
    assert!(city.old.adopt(&new.membership(now()).unwrap(), now()).unwrap());
    let useless = city.old.suspend(&name("gla"), now()).unwrap_err().to_string();
    assert!(useless.contains("new issuing key"), "{useless}");
}
