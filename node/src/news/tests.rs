//! What travels between two nodes that know a thousand bodies, message by message as it would.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use meridian_certs::Credentials;
use meridian_proto::Description;
use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::testing::Federation;

/// Bodies of the federation.
const BODIES: usize = 1_000;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Bodies with their keys.
struct Bodies {
    _federation: Federation,
    credentials: BTreeMap<Name, Arc<Credentials>>,
    folder: TempDir,
}

impl Bodies {
    fn new(count: usize) -> Self {
        let federation = Federation::new();
        let of = |number: usize| {
            let body = format!("body_{number:04}");
            (name(&body), federation.credentials(&body))
        };
        let credentials = (0..count).map(of).collect();
        Self { _federation: federation, credentials, folder: TempDir::new().unwrap() }
    }

    /// What a body says of itself, signed.
    fn told(&self, body: &Name, version: u64) -> Signed {
        let description = Description {
            federation: name("london"),
            body: body.clone(),
            version,
            title: format!("The body {body}"),
            datasets: Vec::new(),
            log_keys: None,
        };
        self.credentials[body].sign(description.encode()).unwrap()
    }

    /// The node of a body, which knows nothing yet.
    fn node(&self, body: &str) -> Arc<News> {
        let own = name(body);
        let credentials = &self.credentials[&own];
        let nowhere: HashMap<Name, String> =
            self.credentials.keys().map(|body| (body.clone(), "https://127.0.0.1:1".to_owned())).collect();
        let peers = Peers::new(name("london"), credentials.client_connector(), nowhere);
        let folder = |of: &str| self.folder.path().join(body).join(of);
        let directory = Directory::open(Some(own.clone()), credentials.home(), Arc::clone(&peers), folder("peers"));
        let registers = Registers::open(
            own.clone(),
            name("london"),
            Arc::clone(credentials),
            Arc::clone(&peers),
            folder("registers"),
        );
        let state: &Path = &folder("state");
        let agreements = Agreements::new(state, Arc::clone(credentials), Arc::clone(&peers), Clock::system());
        News::new(Parts { own, peers, directory, registers, members: None, agreements })
    }
}

/// What has travelled.
#[derive(Debug, Default, PartialEq, Eq)]
struct Travelled {
    messages: usize,
    descriptions: usize,
    bytes: usize,
}

/// One exchange, as [`News::exchange`] has it with a node elsewhere.
fn exchange(asker: &News, answerer: &News) -> Travelled {
    let mut travelled = Travelled::default();
    let mut travels = |message: Vec<u8>| {
        travelled.messages += 1;
        travelled.bytes += message.len();
        message
    };
    let learnt = asker.parts.directory.learnt();
    let request = travels(asker.request(&answerer.parts.own, &learnt).encode_to_vec());
    let answer = travels(answerer.answer(&asker.parts.own, &request).unwrap());
    let news = wire::News::decode(answer.as_slice()).unwrap();
    let parts = asker.parts.directory.versions().differing(&news.descriptions);
    if !parts.is_empty() {
        let request = travels(asker.parts.directory.describe_request(&parts).encode_to_vec());
        let request = wire::DescribeRequest::decode(request.as_slice()).unwrap();
        let known = request.known.into_iter().map(|known| (name(&known.body), known.version));
        let known: Vec<(Name, u64)> = known.collect();
        let answers = answerer.parts.directory.newer_than(&known, &request.parts, None);
        let answers: Vec<Vec<u8>> = answers.iter().map(|signed| travels(signed.encode())).collect();
        travelled.descriptions = answers.len();
        asker.parts.directory.take(&answerer.parts.own, answers);
    }
    travelled
}

#[test]
fn of_a_thousand_bodies_only_what_has_changed_travels() {
    let bodies = Bodies::new(BODIES);
    let [one, other] = ["body_0000", "body_0001"].map(|body| bodies.node(body));
    for body in bodies.credentials.keys() {
        one.parts.directory.accept(bodies.told(body, 1)).unwrap();
    }
    // Whoever has just come learns everything once.
    assert_eq!(exchange(&other, &one).descriptions, BODIES);
    assert!(other.parts.directory.is_complete());

    // Nothing has changed.
    for (asker, answerer) in [(&one, &other), (&other, &one)] {
        // What was just learnt is told once, of a few.
        exchange(asker, answerer);
        let idle = exchange(asker, answerer);
        assert_eq!((idle.messages, idle.descriptions), (2, 0));
        assert!(idle.bytes < 200, "{idle:?}");
    }

    // One of them has changed.
    let (changed, told) = (name("body_0500"), bodies.told(&name("body_0500"), 2));
    let weight = told.encode().len();
    one.parts.directory.accept(told).unwrap();
    let news = exchange(&other, &one);
    assert_eq!((news.messages, news.descriptions), (4, 1), "{news:?}");
    assert!(news.bytes < weight + 1_500, "{news:?}, of which the description has {weight} bytes");
    assert_eq!(other.parts.directory.description(&changed).unwrap().version, 2);
    assert_eq!(exchange(&other, &one).descriptions, 0);

    // Each of them has.
    for body in bodies.credentials.keys() {
        one.parts.directory.accept(bodies.told(body, 3)).unwrap();
    }
    assert_eq!(exchange(&other, &one).descriptions, BODIES);

    // Whoever holds the older word of a body takes nothing from it, and the other way round it does.
    other.parts.directory.accept(bodies.told(&changed, 4)).unwrap();
    assert_eq!(exchange(&other, &one).descriptions, 0);
    assert_eq!(exchange(&one, &other).descriptions, 1);
}

#[test]
fn whoever_is_told_of_something_new_asks_back() {
    let bodies = Bodies::new(4);
    let [one, other] = ["body_0000", "body_0001"].map(|body| bodies.node(body));
    let told = |asker: &News| {
        let learnt = asker.parts.directory.learnt();
        let request = asker.request(&other.parts.own, &learnt).encode_to_vec();
        other.answer(&asker.parts.own, &request).unwrap();
        std::mem::take(&mut *other.heard_from.lock().unwrap())
    };
    assert!(told(&one).is_empty());
    one.parts.directory.accept(bodies.told(&name("body_0002"), 5)).unwrap();
    assert_eq!(told(&one), [name("body_0000")].into());
    assert!(told(&one).is_empty(), "told once");
    exchange(&other, &one);
    one.parts.directory.accept(bodies.told(&name("body_0003"), 5)).unwrap();
    other.parts.directory.accept(bodies.told(&name("body_0003"), 5)).unwrap();
    assert!(told(&one).is_empty(), "it is known already");
}

#[test]
fn requests_of_any_kind_are_answered_or_refused() {
    let bodies = Bodies::new(2);
    let node = bodies.node("body_0000");
    let from = name("body_0001");
    assert!(node.answer(&from, b"\xff\xff\xff").unwrap_err().contains("no NewsRequest"));
    let known = |body: &str| wire::Known { body: body.into(), version: u64::MAX };
    let request = |learnt: Vec<wire::Known>, digest: usize| wire::NewsRequest {
        learnt,
        descriptions: vec![7; digest],
        registers: vec![7; digest],
        agreements: vec![7; digest],
        membership: Some(wire::MembershipRequest { version: 0, signed_at: 0 }),
    };
    assert!(node.answer(&from, &request(vec![known("x"); MOST_LEARNT + 1], 0).encode_to_vec()).is_err());
    // Neither names that are none, nor bodies that are no members, are a reason to ask anybody.
    let strange = request(vec![known("Not a name"), known("nobody"), known("")], 1 << 20);
    let answer = node.answer(&from, &strange.encode_to_vec()).unwrap();
    let news = wire::News::decode(answer.as_slice()).unwrap();
    assert_eq!((news.descriptions.len(), news.registers.len(), news.membership), (64, 64, None));
    assert!(node.heard_from.lock().unwrap().is_empty());
}
