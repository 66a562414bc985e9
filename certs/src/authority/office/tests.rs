//! Tests of an authority at work.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use super::*;
use crate::testing::DAY;
use crate::{Credentials, KeyAndRequest};

struct Town {
    dir: TempDir,
    office: Office,
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn now() -> SystemTime {
    SystemTime::now()
}

impl Town {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let office = Office::found(&name("london"), &dir.path().join("authority"), now()).unwrap();
        Self { dir, office }
    }

    fn invite(&self, body: &str) -> String {
        self.office.invite(&name(body), &format!("https://{body}.example:50051"), &[], now()).unwrap()
    }

    /// Joins, and gives the node's credentials.
    fn join(&self, body: &str) -> Arc<Credentials> {
        let (key, request) = KeyAndRequest::generate().unwrap();
        let joined = self.office.join(&self.invite(body), &request, now()).unwrap();
        self.credentials(&joined, &key)
    }

    fn credentials(&self, joined: &Joined, key: &str) -> Arc<Credentials> {
        let folder = TempDir::new_in(self.dir.path()).unwrap().keep();
        let (ca, own) = (folder.join("ca.pem"), folder.join("identity.pem"));
        fs::write(&ca, &joined.anchors).unwrap();
        Credentials::begin(&own, &joined.chain, key).unwrap();
        Credentials::load(&ca, &own, &own).unwrap()
    }

    fn membership(&self) -> Membership {
        Membership::decode(&self.office.membership(now()).unwrap().payload).unwrap()
    }

    fn renew(&self, credentials: &Credentials) -> Result<Joined, Refusal> {
        let (_, request) = KeyAndRequest::generate().unwrap();
        let signed = credentials.sign(wire::RenewRequest { request }.encode_to_vec()).unwrap();
        self.office.renew(&signed, now())
    }
}

fn why(refusal: Result<Joined, Refusal>) -> String {
    match refusal.unwrap_err() {
        Refusal::Refused(why) => why,
        Refusal::Failed(error) => panic!("{error}"),
    }
}

#[test]
fn a_body_joins_once_with_its_invitation() {
    let town = Town::new();
    let token = town.invite("lfb");
    let (key, request) = KeyAndRequest::generate().unwrap();
    let joined = town.office.join(&token, &request, now()).unwrap();
    let credentials = town.credentials(&joined, &key);
    assert_eq!(credentials.identity().to_string(), "spiffe://london/body/lfb/node");
    credentials.verify_authority(&joined.membership, now()).unwrap();
    let membership = Membership::decode(&joined.membership.payload).unwrap();
    assert_eq!(membership.member(&name("lfb")).unwrap().endpoint, "https://lfb.example:50051");
    let left = credentials.valid_until().duration_since(now()).unwrap();
    assert!(left > DAY * 6 && left <= DAY * 7, "{left:?}");

    // A crash before the answer arrived: the same key may try again, as long as the invitation is good.
    let again = town.office.join(&token, &request, now() + Duration::from_secs(60)).unwrap();
    assert_eq!(Membership::decode(&again.membership.payload).unwrap().members, membership.members);
    assert!(why(town.office.join(&token, &request, now() + DAY)).contains("expired"));
    let (_, other) = KeyAndRequest::generate().unwrap();
    assert!(why(town.office.join(&token, &other, now())).contains("used with another key"));
    assert!(why(town.office.join("0123", &other, now())).contains("no such invitation"));
    let late = town.invite("gla");
    assert!(why(town.office.join(&late, &other, now() + Duration::from_secs(601))).contains("expired"));
    assert!(why(town.office.join(&late, "hello", now())).contains("PKCS#10"));
    assert!(town.office.join(&late, &other, now()).is_ok());
    let taken = town.office.invite(&name("loda"), "https://lfb.example:50051", &[], now()).unwrap_err();
    assert!(taken.to_string().contains("lfb is there"), "{taken}");
    let nowhere = town.office.invite(&name("loda"), "http://loda.example", &[], now()).unwrap_err();
    assert!(nowhere.to_string().contains("TLS only"), "{nowhere}");
}

#[test]
fn a_member_that_moves_is_reached_there_and_its_next_certificate_says_so() {
    let town = Town::new();
    let (lfb, _) = (town.join("lfb"), town.join("gla"));
    let before = town.membership().version;
    town.office.relocate(&name("lfb"), "https://new.example:50051", now()).unwrap();
    let membership = town.membership();
    assert_eq!(membership.member(&name("lfb")).unwrap().endpoint, "https://new.example:50051");
    assert!(membership.version > before);
    let chain = files::certificates_of(&town.renew(&lfb).unwrap().chain).unwrap();
    assert_eq!(certificate::hosts(&chain[0]), ["lfb.example", "new.example"]);
    for (body, endpoint, says) in [
        ("gla", "https://new.example:50051", "lfb is there"),
        ("gla", "http://gla.example:50051", "TLS only"),
        ("loda", "https://loda.example:50051", "no member"),
    ] {
        let error = town.office.relocate(&name(body), endpoint, now()).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn an_invitation_is_taken_back_with_what_it_would_undo() {
    let town = Town::new();
    let acts: [fn(&Office, &Name, SystemTime) -> Result<()>; 3] = [Office::suspend, Office::revoke, Office::remove];
    for act in acts {
        let (spent, open) = (town.invite("lfb"), town.invite("lfb"));
        let (_, request) = KeyAndRequest::generate().unwrap();
        town.office.join(&spent, &request, now()).unwrap();
        act(&town.office, &name("lfb"), now()).unwrap();
        for token in [spent, open] {
            assert!(why(town.office.join(&token, &request, now())).contains("no such invitation"));
        }
    }
}

#[test]
fn nothing_of_an_invitation_can_be_used_from_the_books() {
    let town = Town::new();
    let token = town.invite("lfb");
    for entry in fs::read_dir(town.dir.path().join("authority")).unwrap() {
        let text = fs::read(entry.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains(&token));
    }
}

#[test]
fn a_member_renews_and_nobody_else() {
    let town = Town::new();
    let lfb = town.join("lfb");
    let anew = town.renew(&lfb).unwrap();
    let chain = files::certificates_of(&anew.chain).unwrap();
    assert_eq!(certificate::hosts(&chain[0]), ["lfb.example"]);
    let other = Town::new();
    assert!(why(other.renew(&lfb)).contains("not signed by this federation"));
    town.office.suspend(&name("lfb"), now()).unwrap();
    assert!(why(town.renew(&lfb)).contains("suspended"));
    town.office.resume(&name("lfb"), now()).unwrap();
    assert!(town.renew(&lfb).is_ok());
    town.office.revoke(&name("lfb"), now()).unwrap();
    assert!(why(town.renew(&lfb)).contains("revoked"));
    // Joining again, with another key, is the way back, and the old certificates stay out.
    let anew = town.join("lfb");
    assert!(town.renew(&anew).is_ok());
    assert!(why(town.renew(&lfb)).contains("revoked"));
    town.office.remove(&name("lfb"), now()).unwrap();
    assert!(why(town.renew(&anew)).contains("no member"));
    assert_eq!(town.membership().members, []);
    let unknown = town.office.suspend(&name("lfb"), now()).unwrap_err().to_string();
    assert!(unknown.contains("no member"), "{unknown}");
}

#[test]
fn versions_go_up_and_the_membership_is_signed_each_hour() {
    let town = Town::new();
    let mut version = town.membership().version;
    let mut up = |town: &Town| {
        let newer = town.membership().version;
        assert!(newer > version, "{newer} is not above {version}");
        version = newer;
    };
    town.join("lfb");
    up(&town);
    town.office.suspend(&name("lfb"), now()).unwrap();
    up(&town);
    assert_eq!(town.membership().version, town.membership().version, "nothing changed");
    let hour = Duration::from_secs(3601);
    let later = Membership::decode(&town.office.membership(now() + hour).unwrap().payload).unwrap();
    assert_eq!(later.version, town.membership().version, "nothing changed but when it was signed");
    assert!(later.signed_at > millis(now()));
    assert!(later.members[0].suspended);
    // A clock that was set back makes no older version.
    town.office.resume(&name("lfb"), now() - DAY).unwrap();
    assert!(town.membership().version > later.version);
}

#[test]
fn a_second_issuing_key_suspends_without_the_first() {
    let town = Town::new();
    let lfb = town.join("lfb");
    let (first, second) = (town.dir.path().join("authority"), town.dir.path().join("second"));
    fs::create_dir(&second).unwrap();
    let made = KeyAndRequest::create(&second.join("issuer.key")).unwrap();
    let certificate = Authority::sign_issuer(&first, &Request::from_pem(made.pem()).unwrap()).unwrap();
    fs::write(second.join("issuer.pem"), certificate).unwrap();
    fs::copy(first.join("ca.pem"), second.join("ca.pem")).unwrap();
    let other = Office::open(&second).unwrap();
    assert!(other.adopt(&town.office.membership(now()).unwrap(), now()).unwrap());
    other.suspend(&name("lfb"), now()).unwrap();
    let signed = other.membership(now()).unwrap();
    let gla = town.join("gla");
    gla.verify_authority(&signed, now()).unwrap();
    // The first one takes it over, and goes on from it.
    assert!(!town.office.adopt(&other.membership(now()).unwrap(), now()).unwrap(), "gla joined later");
    other.adopt(&town.office.membership(now()).unwrap(), now()).unwrap();
    other.suspend(&name("lfb"), now()).unwrap();
    assert!(town.office.adopt(&other.membership(now()).unwrap(), now()).unwrap());
    assert!(town.membership().member(&name("lfb")).unwrap().suspended);
    // It revokes what the first one signed, too, and what is signed from then on counts.
    other.resume(&name("lfb"), now()).unwrap();
    other.revoke(&name("lfb"), now()).unwrap();
    town.office.adopt(&other.membership(now()).unwrap(), now()).unwrap();
    assert!(why(town.renew(&lfb)).contains("revoked"));
    assert!(town.renew(&town.join("lfb")).is_ok());

    // What one does, another that has not heard of it yet does not undo by signing anew what it holds.
    let hour = Duration::from_secs(3601);
    let lfb = town.join("lfb");
    other.adopt(&town.office.membership(now()).unwrap(), now()).unwrap();
    town.office.revoke(&name("lfb"), now()).unwrap();
    let (key, request) = KeyAndRequest::generate().unwrap();
    let asked = lfb.sign(wire::RenewRequest { request }.encode_to_vec()).unwrap();
    let renewed = other.renew(&asked, now()).unwrap();
    assert!(!town.office.adopt(&other.membership(now() + hour).unwrap(), now() + hour).unwrap());
    // Nor does a certificate that it gives to whoever has the key that was lost.
    let stolen = town.credentials(&renewed, &key);
    let refused = why(town.renew(&stolen));
    assert!(refused.contains("lfb is suspended") || refused.contains("was revoked"), "{refused}");

    // Of another federation it is not.
    let forged = Town::new().office.membership(now()).unwrap();
    assert!(town.office.adopt(&forged, now()).is_err());
    // The root's key may be away.
    fs::remove_file(first.join("ca.key")).unwrap();
    town.join("loda");
    assert!(Authority::sign_issuer(Path::new(&first), &Request::from_pem(made.pem()).unwrap()).is_err());
}

#[test]
fn what_a_member_signs_is_no_membership() {
    let town = Town::new();
    let lfb = town.join("lfb");
    let forged = lfb.sign(town.membership().encode()).unwrap();
    let error = lfb.verify_authority(&forged, now()).unwrap_err().to_string();
    assert!(error.contains("the federation's authority is"), "{error}");
    // Nor is what the authority signs a node's.
    let signed = town.office.membership(now()).unwrap();
    assert!(lfb.verify(&signed, now()).is_err());
    let mut altered = signed.clone();
    altered.payload.push(0);
    assert!(lfb.verify_authority(&altered, now()).is_err());
    assert!(lfb.verify_authority(&signed, now() + DAY * 31).is_err(), "its signer's certificate has ended");
}
