//! Tests of what is taken for the membership, and for how long it counts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Mutex as Locked;

use chrono::{DateTime, TimeDelta, Utc};
use meridian_certs::{Authority, Identity, KeyAndRequest, Office, Request};
use tempfile::TempDir;

use meridian_certs::Credentials;

use super::*;

/// LFB's node in London, at a time that can be set.
struct Node {
    dir: TempDir,
    office: Office,
    ahead: Arc<Locked<TimeDelta>>,
    members: Arc<Members>,
    credentials: Arc<Credentials>,
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn now() -> SystemTime {
    SystemTime::now()
}

fn join(office: &Office, body: &str) -> (String, meridian_certs::Joined) {
    let token = office.invite(&name(body), &format!("https://{body}.example:50051"), &[], now()).unwrap();
    let (key, request) = KeyAndRequest::generate().unwrap();
    (key, office.join(&token, &request, now()).unwrap())
}

impl Node {
    fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let office = Office::found(&name("london"), &dir.path().join("authority"), now()).unwrap();
        let (key, joined) = join(&office, "lfb");
        let (ca, own) = (dir.path().join("ca.pem"), dir.path().join("identity.pem"));
        fs::write(&ca, &joined.anchors).unwrap();
        Credentials::begin(&own, &joined.chain, &key).unwrap();
        fs::write(dir.path().join("membership"), joined.membership.encode()).unwrap();
        let ahead = Arc::new(Locked::new(TimeDelta::zero()));
        let credentials = Credentials::load(&ca, &own, &own).unwrap();
        let members = Self::open(dir.path(), &credentials, &ahead).unwrap();
        Self { dir, office, ahead, members, credentials }
    }

    fn open(
        dir: &std::path::Path,
        credentials: &Arc<Credentials>,
        ahead: &Arc<Locked<TimeDelta>>,
    ) -> Result<Arc<Members>, MembershipError> {
        let ahead = Arc::clone(ahead);
        let clock = Clock::by(move || -> DateTime<Utc> { Utc::now() + *ahead.lock().unwrap() });
        let peers = Peers::new(name("london"), credentials.client_connector(), HashMap::new());
        let means =
            Means { own: Some(name("lfb")), federation: credentials.home(), authorities: Vec::new(), peers, clock };
        Members::open(means, dir.join("membership"))
    }

    fn signed(&self) -> Signed {
        self.office.membership(now()).unwrap()
    }

    fn on_disk(&self) -> Signed {
        Signed::decode(&fs::read(self.dir.path().join("membership")).unwrap()).unwrap()
    }
}

#[test]
fn three_days_without_the_authority_change_nothing_and_five_let_only_open_data_leave() {
    let node = Node::new();
    for (hours, stale) in [(0, false), (72, false), (95, false), (97, true), (120, true)] {
        *node.ahead.lock().unwrap() = TimeDelta::hours(hours);
        assert_eq!(node.members.is_stale(), stale, "after {hours} hours");
    }
    // A certificate that renews each day has six days left when the authority goes away.
    let left = node.credentials.valid_until().duration_since(now()).unwrap();
    assert!(left > Duration::from_secs((6 * 24 + 23) * 3600), "{left:?}");
    // It has been heard of again.
    *node.ahead.lock().unwrap() = TimeDelta::hours(120);
    let hundred = now() + Duration::from_secs(100 * 3600);
    assert!(node.members.accept(node.office.membership(hundred).unwrap()).unwrap());
    assert!(!node.members.is_stale());
}

#[test]
fn an_authority_is_asked_by_all_of_a_city_and_by_as_many_of_a_thousand() {
    let asking =
        |members: usize| (0..1000).filter(|drawn| asks_authorities(members, f64::from(*drawn) / 1000.0)).count();
    for (members, expected) in [(0, 1000), (1, 1000), (36, 1000), (72, 500), (1000, 36), (10_000, 4)] {
        assert_eq!(asking(members), expected, "rounds of a thousand in which one of {members} asks");
    }
}

#[test]
fn a_newer_membership_is_in_force_and_on_disk_and_an_older_one_is_never_taken() {
    let node = Node::new();
    let first = node.signed();
    let (_, gla) = join(&node.office, "gla");
    assert!(node.members.accept(gla.membership.clone()).unwrap());
    assert_eq!(node.on_disk(), gla.membership);
    assert!(node.members.newer_than(node.members.version(), u64::MAX).is_none());
    assert_eq!(node.members.newer_than(0, 0).unwrap(), gla.membership);
    for old in [&first, &gla.membership] {
        assert!(!node.members.accept(old.clone()).unwrap());
    }
    assert_eq!(node.on_disk(), gla.membership);
    // Nor after a restart with what was on disk.
    let again = Node::open(node.dir.path(), &node.credentials, &node.ahead).unwrap();
    assert!(!again.accept(first).unwrap());
    assert_eq!(again.version(), node.members.version());
}

#[test]
fn what_the_authority_did_not_sign_just_now_is_not_taken() {
    let node = Node::new();
    let before = node.members.version();
    node.office.suspend(&name("lfb"), now()).unwrap();
    let good = node.signed();
    let flipped = |bytes: &[u8]| bytes.iter().enumerate().map(|(at, b)| if at == 9 { b ^ 1 } else { *b }).collect();
    let tomorrow = now() + Duration::from_secs(24 * 3600);
    let berlin = TempDir::new().unwrap();
    let berlin = Office::found(&name("berlin"), berlin.path(), now()).unwrap();
    let by_lfb = node.credentials.sign(good.payload.clone()).unwrap();
    for (case, signed) in [
        ("another payload", Signed { payload: flipped(&good.payload), ..good.clone() }),
        ("another signature", Signed { signature: flipped(&good.signature), ..good.clone() }),
        ("no signer", Signed { chain: Vec::new(), ..good.clone() }),
        ("signed by a member", by_lfb),
        ("another federation", berlin.membership(now()).unwrap()),
        ("from the future", node.office.membership(tomorrow).unwrap()),
    ] {
        assert!(node.members.accept(signed).is_err(), "{case}");
        assert_eq!(node.members.version(), before, "{case}");
    }
    assert!(node.members.accept(good).unwrap());
    // A suspended body is told so by whom it calls; its own node goes on.
    let own = Identity::Node { federation: name("london"), body: name("lfb") };
    assert_eq!(*node.credentials.identity(), own);
}

#[test]
fn a_file_that_is_missing_or_another_does_not_do() {
    let node = Node::new();
    let path = node.dir.path().join("membership");
    let good = fs::read(&path).unwrap();
    let berlin = TempDir::new().unwrap();
    let berlin = Office::found(&name("berlin"), berlin.path(), now()).unwrap().membership(now()).unwrap().encode();
    for bad in [None, Some(&b"hello"[..]), Some(&good[..good.len() / 2]), Some(&berlin)] {
        match bad {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let error = Node::open(node.dir.path(), &node.credentials, &node.ahead).unwrap_err().to_string();
        assert!(error.contains("membership") && error.contains("node join"), "{error}");
    }
    fs::write(&path, good).unwrap();
    assert!(Node::open(node.dir.path(), &node.credentials, &node.ahead).is_ok());
}

/// A new root of the federation, and an authority under it that goes on from the first one's membership.
fn rotate(node: &Node) -> Office {
    let at = |name: &str| node.dir.path().join(name);
    Authority::new_root(&at("authority"), &at("root")).unwrap();
    node.office.install_root(&at("root"), now()).unwrap();
    fs::create_dir(at("second")).unwrap();
    let made = KeyAndRequest::create(&at("second/issuer.key")).unwrap();
    let signed = Authority::sign_issuer(&at("root"), &Request::from_pem(made.pem()).unwrap()).unwrap();
    fs::write(at("second/issuer.pem"), signed).unwrap();
    fs::copy(at("authority/ca.pem"), at("second/ca.pem")).unwrap();
    let second = Office::open(&at("second")).unwrap();
    second.adopt(&node.signed(), now()).unwrap();
    second
}

#[test]
fn a_new_root_comes_with_the_membership_and_an_old_one_goes_with_it() {
    let node = Node::new();
    let ca = || fs::read_to_string(node.dir.path().join("ca.pem")).unwrap().matches("BEGIN CERTIFICATE").count();
    let second = rotate(&node);
    assert_eq!(ca(), 1);
    assert!(node.members.accept(node.signed()).unwrap());
    assert_eq!(ca(), 2);
    // What the new root's issuing key signs counts, and what the first one's does.
    second.suspend(&name("lfb"), now()).unwrap();
    assert!(node.members.accept(second.membership(now()).unwrap()).unwrap());
    assert!(node.credentials.verify_authority(&node.signed(), now()).is_ok());
    second.retire_root(true, now()).unwrap();
    let retired = second.membership(now()).unwrap();
    assert!(node.members.accept(retired.clone()).unwrap());
    assert_eq!(ca(), 1);
    assert!(node.credentials.verify_authority(&node.signed(), now()).is_err());
    assert!(node.credentials.verify_authority(&retired, now()).is_ok());
    assert_eq!(node.on_disk(), retired);
}

#[test]
fn a_membership_that_names_a_root_nobody_vouches_for_is_refused_as_a_whole() {
    let (node, stranger) = (Node::new(), Node::new());
    rotate(&stranger);
    let version = node.members.version();
    let at = |name: &str| node.dir.path().join(name);
    // The authority itself is made to say so: its issuing key is not enough for another root.
    let says = |membership: &Membership| {
        let stored = Signed { payload: membership.encode(), ..node.signed() };
        fs::write(at("authority/membership"), stored.encode()).unwrap();
        node.office.suspend(&name("lfb"), now()).unwrap();
        node.signed()
    };
    let own = Membership::decode(&node.signed().payload).unwrap();
    let theirs = Membership::decode(&stranger.signed().payload).unwrap();
    let roots = [own.roots.clone(), theirs.roots].concat();
    let lying = says(&Membership { roots, links: theirs.links, ..own.clone() });
    let before = (fs::read(at("ca.pem")).unwrap(), node.on_disk());
    let why = node.members.accept(lying).unwrap_err();
    assert!(why.contains("no root that is held here has signed a link to it"), "{why}");
    assert_eq!(node.members.version(), version);
    assert_eq!((fs::read(at("ca.pem")).unwrap(), node.on_disk()), before);
    assert!(node.members.accept(says(&own)).unwrap(), "without it, it counts");
}
