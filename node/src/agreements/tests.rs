//! What of agreements that many sign is taken, what is refused, and when one is in force.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::HashMap;
use std::fs;

use meridian_certs::Excluded;
use prost::Message;
use tempfile::TempDir;

use super::document::tests::{TEXT, document};
use super::*;
use crate::testing::Federation;

trait Parties {
    fn node(&self, body: &str) -> Node;
}

impl Parties for Federation {
    fn node(&self, body: &str) -> Node {
        let (state, credentials) = (TempDir::new_in(self.folder.path()).unwrap(), self.credentials(body));
        let peers = Peers::new(name("london"), credentials.client_connector(), HashMap::new());
        let agreements = Agreements::new(state.path(), Arc::clone(&credentials), peers);
        Node { state, credentials, agreements }
    }
}

struct Node {
    state: TempDir,
    credentials: Arc<Credentials>,
    agreements: Arc<Agreements>,
}

impl Node {
    fn kept(&self) -> Kept {
        self.agreements.kept().unwrap().remove(0)
    }

    fn verified(&self) -> Verified {
        self.credentials.verify(&self.credentials.sign(vec![1]).unwrap(), SystemTime::now()).unwrap()
    }

    /// What it says of the document, signed by its key.
    fn says(&self, change: impl FnOnce(&mut Statement)) -> wire::Signed {
        let identity = self.credentials.identity();
        let mut statement = Statement {
            act: Act::Consent,
            federation: name("london"),
            body: identity.body().clone(),
            document: document("", "").unwrap().id,
            at: 1,
        };
        change(&mut statement);
        (&self.credentials.sign(statement.encode()).unwrap()).into()
    }

    fn give(&self, from: &Self, text: &str, signatures: Vec<wire::Signed>) -> Result<(), String> {
        let given = vec![wire::SharedAgreement { document: text.to_owned(), signatures }];
        let message = wire::AgreementExchange { held: Vec::new(), given };
        let answer = self.agreements.answer(&from.verified(), &message.encode_to_vec(), SystemTime::now());
        answer.map(drop).map_err(|error| error.to_string())
    }

    /// What it tells another one that holds nothing.
    fn tells(&self, to: &Self) -> wire::AgreementExchange {
        let answer = self.agreements.answer(&to.verified(), &[], SystemTime::now()).unwrap();
        wire::AgreementExchange::decode(answer.as_slice()).unwrap()
    }

    fn in_force(&self) -> bool {
        !in_force(self.state.path(), self.credentials.identity().body()).unwrap().is_empty()
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

#[test]
fn it_is_in_force_when_all_who_must_have_signed_and_nobody_withdrew() {
    let london = Federation::new();
    let [camden, loda, gla, lfb] = ["camden", "loda", "gla", "lfb"].map(|body| london.node(body));
    let text = document("", "").unwrap();
    loda.agreements.propose(&text).unwrap();
    camden.give(&loda, &text.text, vec![loda.says(|_| ())]).unwrap();
    assert_eq!(camden.kept().lacks(&name("camden")).len(), 2, "{:?}", camden.kept().lacks(&name("camden")));
    for (from, trustees) in [(&gla, 1), (&lfb, 2)] {
        assert!(!camden.in_force());
        camden.give(from, &text.text, vec![from.says(|_| ())]).unwrap();
        let why = camden.kept().lacks(&name("camden"));
        assert_eq!(why.len(), if trustees == 2 { 1 } else { 2 }, "{why:?}");
    }
    assert!(!camden.in_force(), "all but camden itself have signed");
    camden.agreements.say(Act::Consent, &text, Utc::now()).unwrap();
    assert!(camden.in_force());
    assert_eq!(camden.kept().lacks(&name("hackney")), ["hackney has not signed"], "nobody waits for the others");
    camden.give(&gla, &text.text, vec![gla.says(|said| said.act = Act::Withdrawal)]).unwrap();
    assert!(!camden.in_force());
    // An older consent brings nothing back.
    camden.give(&gla, &text.text, vec![gla.says(|said| said.at = 0), gla.says(|said| said.at = 2)]).unwrap();
    assert!(!camden.in_force());
    camden.agreements.say(Act::Withdrawal, &text, Utc::now()).unwrap();
    let again = camden.agreements.say(Act::Consent, &text, Utc::now()).unwrap_err().to_string();
    assert!(again.contains("for good"), "{again}");
}

#[test]
fn a_signature_that_does_not_hold_now_is_not_taken() {
    let london = Federation::new();
    let [camden, loda, gla, stranger] = ["camden", "loda", "gla", "barking"].map(|body| london.node(body));
    let text = document("", "").unwrap();
    camden.give(&loda, &text.text, Vec::new()).unwrap();
    let mut flipped = loda.says(|_| ());
    flipped.signature[9] ^= 1;
    let mut lengthened = loda.says(|_| ());
    lengthened.payload.push(b'\n');
    let bare: wire::Signed = (&loda.credentials.sign(b"consent".to_vec()).unwrap()).into();
    let later = u64::try_from(Utc::now().timestamp_millis()).unwrap() + 2 * CLOCK_SKEW;
    for (case, signed) in [
        ("tampered signature", flipped),
        ("tampered statement", lengthened),
        ("another payload", bare),
        ("another document", loda.says(|said| said.document = "ab".repeat(32))),
        ("another's name", loda.says(|said| said.body = name("gla"))),
        ("this body's name", loda.says(|said| said.body = name("camden"))),
        ("this body's own, brought by another", camden.says(|_| ())),
        ("another federation", loda.says(|said| said.federation = name("berlin"))),
        ("nobody whom it concerns", stranger.says(|_| ())),
        ("another authority", Federation::new().node("loda").says(|_| ())),
        ("the future", loda.says(|said| said.at = later)),
    ] {
        let refused = camden.give(&loda, &text.text, vec![signed]);
        assert!(refused.is_err(), "{case}");
        assert!(camden.kept().signatures.is_empty(), "{case}");
    }
    let suspended = Excluded { suspended: [name("gla")].into(), ..Excluded::default() };
    camden.credentials.exclude(suspended);
    assert!(camden.give(&loda, &text.text, vec![gla.says(|_| ())]).is_err());
    assert!(camden.kept().signatures.is_empty());
    camden.credentials.exclude(Excluded::default());
    camden.give(&loda, &text.text, vec![gla.says(|_| ())]).unwrap();
    assert!(camden.kept().agrees(&name("gla")), "whoever brings it");
}

#[test]
fn documents_are_told_to_those_whom_they_concern_and_taken_from_them() {
    let london = Federation::new();
    let [camden, loda, stranger] = ["camden", "loda", "barking"].map(|body| london.node(body));
    let text = document("", "").unwrap();
    assert!(stranger.give(&loda, &text.text, Vec::new()).is_err(), "none of its business");
    assert!(camden.give(&stranger, &text.text, Vec::new()).is_err(), "nor its own to bring");
    assert!(camden.give(&loda, TEXT, Vec::new()).is_err(), "another form");
    assert!(camden.agreements.kept().unwrap().is_empty() && stranger.agreements.kept().unwrap().is_empty());
    assert!(stranger.agreements.propose(&text).is_err());
    camden.give(&loda, &text.text, vec![loda.says(|_| ())]).unwrap();
    assert_eq!(camden.tells(&stranger), wire::AgreementExchange::default());
    let told = camden.tells(&loda);
    assert_eq!((told.held.len(), told.given.len()), (1, 1));
    assert!(told.given[0].signatures.is_empty(), "loda knows its own");
    let told = camden.tells(&london.node("gla"));
    assert_eq!(told.given[0].signatures.len(), 1);
}

#[test]
fn nobody_brings_documents_without_end() {
    let london = Federation::new();
    let [camden, loda] = ["camden", "loda"].map(|body| london.node(body));
    let proposal = |number: usize| document("\"Fire risk\"", &format!("\"Fire risk {number}\"")).unwrap();
    for number in 0..MOST_PROPOSALS {
        camden.give(&loda, &proposal(number).text, Vec::new()).unwrap();
    }
    let refused = camden.give(&loda, &proposal(99).text, Vec::new()).unwrap_err();
    assert!(refused.contains("wait for the signature of camden"), "{refused}");
    camden.agreements.say(Act::Consent, &proposal(0), Utc::now()).unwrap();
    camden.give(&loda, &proposal(99).text, Vec::new()).unwrap();
    let over = document("2099-12-31", "2001-01-02").unwrap();
    assert!(camden.give(&london.node("hackney"), &over.text, Vec::new()).unwrap_err().contains("ended"));
}

#[test]
fn what_is_damaged_on_disk_is_not_in_force() {
    let london = Federation::new();
    let [camden, loda] = ["camden", "loda"].map(|body| london.node(body));
    let text = document("trustees = [\"gla\", \"lfb\", \"barnet\"]\ntrustees_needed = 2\n", "").unwrap();
    let consent = |node: &Node| node.says(|said| said.document.clone_from(&text.id));
    camden.give(&loda, &text.text, vec![consent(&loda)]).unwrap();
    camden.agreements.say(Act::Consent, &text, Utc::now()).unwrap();
    assert!(camden.in_force());
    let folder = camden.state.path().join(FOLDER).join(&text.id);
    fs::write(folder.join("withdrawal.loda"), "half a fi").unwrap();
    assert!(!camden.in_force());
    fs::remove_file(folder.join("withdrawal.loda")).unwrap();
    assert!(camden.in_force());
    let changed = text.text.replace("statistics", "rows");
    assert_ne!(changed, text.text);
    fs::write(folder.join("document.toml"), changed).unwrap();
    assert!(!camden.in_force());
}
