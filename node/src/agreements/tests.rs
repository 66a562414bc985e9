//! What of agreements that many sign is taken, what is refused, and when one is in force.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use meridian_certs::Excluded;
use prost::Message;
use sha2::{Digest, Sha256};
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
        let agreements = Agreements::new(state.path(), Arc::clone(&credentials), peers, Clock::system());
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

    /// That it proposes this text.
    fn proposes(&self, text: &str) -> wire::Signed {
        self.says(|said| (said.act, said.document) = (Act::Proposal, hex::encode(Sha256::digest(text))))
    }

    /// Takes a document that the other one proposes, and these signatures.
    fn give(&self, from: &Self, text: &str, signatures: Vec<wire::Signed>) -> Result<(), String> {
        let signatures = [vec![from.proposes(text)], signatures].concat();
        self.take(from, vec![wire::SharedAgreement { document: text.to_owned(), signatures }])
    }

    fn take(&self, from: &Self, given: Vec<wire::SharedAgreement>) -> Result<(), String> {
        let message = wire::AgreementExchange { held: Vec::new(), given };
        let answer = self.agreements.answer(&from.verified(), &message.encode_to_vec(), SystemTime::now());
        answer.map(drop).map_err(|error| error.to_string())
    }

    /// What it tells another one that holds nothing.
    fn tells(&self, to: &Self) -> wire::AgreementExchange {
        let answer = self.agreements.answer(&to.verified(), &[], SystemTime::now()).unwrap();
        wire::AgreementExchange::decode(answer.as_slice()).unwrap()
    }

    /// How many have consented or withdrawn, as far as it knows.
    fn answers(&self) -> usize {
        self.kept().signatures.keys().filter(|(act, _)| *act != Act::Proposal).count()
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
    loda.agreements.propose(&text, Utc::now()).unwrap();
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
        assert_eq!(camden.answers(), 0, "{case}");
    }
    let suspended = Excluded { suspended: [name("gla")].into(), ..Excluded::default() };
    camden.credentials.exclude(suspended);
    assert!(camden.give(&loda, &text.text, vec![gla.says(|_| ())]).is_err());
    assert_eq!(camden.answers(), 0);
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
    assert!(stranger.agreements.propose(&text, Utc::now()).is_err());
    camden.give(&loda, &text.text, vec![loda.says(|_| ())]).unwrap();
    assert_eq!(camden.tells(&stranger), wire::AgreementExchange::default());
    let told = camden.tells(&loda);
    assert_eq!((told.held.len(), told.given.len()), (1, 1));
    let acts = |told: &wire::AgreementExchange| {
        let signatures = told.given[0].signatures.iter();
        signatures.map(|it| Statement::decode(&it.payload).unwrap().act).collect::<Vec<_>>()
    };
    assert_eq!(acts(&told), [Act::Proposal], "its own consent is loda's to know");
    assert_eq!(acts(&camden.tells(&london.node("gla"))), [Act::Proposal, Act::Consent]);
}

#[test]
fn nobody_proposes_documents_without_end() {
    let london = Federation::new();
    let [camden, loda, gla, barnet] = ["camden", "loda", "gla", "barnet"].map(|body| london.node(body));
    let proposal = |number: usize| document("\"Fire risk\"", &format!("\"Fire risk {number}\"")).unwrap();
    let brought = |proposer: &Node, number: usize| {
        let text = proposal(number).text;
        let signatures = vec![proposer.proposes(&text)];
        wire::SharedAgreement { document: text, signatures }
    };
    // Whoever brings what others propose uses nothing up of its own, and nothing of theirs by its own word.
    for number in 0..MOST_PROPOSALS {
        camden.take(&loda, vec![brought(&barnet, number)]).unwrap();
    }
    for from in [&loda, &barnet, &gla] {
        let refused = camden.take(from, vec![brought(&barnet, 99)]).unwrap_err();
        assert!(refused.contains("barnet proposed wait for the signature of camden"), "{refused}");
    }
    camden.take(&loda, vec![brought(&loda, 100), brought(&gla, 101)]).unwrap();
    let unsigned = wire::SharedAgreement { document: proposal(102).text, signatures: vec![loda.says(|_| ())] };
    assert!(camden.take(&loda, vec![unsigned]).unwrap_err().contains("nobody whom the document concerns"));
    let by_stranger = brought(&london.node("barking"), 102);
    assert!(camden.take(&loda, vec![by_stranger]).unwrap_err().contains("nobody whom the document concerns"));
    // Each that is signed or discarded makes room.
    camden.agreements.say(Act::Consent, &proposal(0), Utc::now()).unwrap();
    camden.agreements.discard(&proposal(1)).unwrap();
    for number in [98, 99] {
        camden.take(&gla, vec![brought(&barnet, number)]).unwrap();
    }
    assert!(camden.take(&gla, vec![brought(&barnet, 97)]).is_err());
    let over = document("2099-12-31", "2001-01-02").unwrap();
    assert!(camden.give(&london.node("hackney"), &over.text, Vec::new()).unwrap_err().contains("ended"));
}

#[test]
fn what_was_not_signed_in_time_is_discarded_and_comes_from_nobody_again() {
    let london = Federation::new();
    let [camden, loda] = ["camden", "loda"].map(|body| london.node(body));
    let [open, signed] = ["open", "signed"].map(|id| document("fire-risk-2026", id).unwrap());
    for text in [&open, &signed] {
        loda.agreements.propose(text, Utc::now()).unwrap();
        camden.give(&loda, &text.text, Vec::new()).unwrap();
    }
    camden.agreements.say(Act::Consent, &signed, Utc::now()).unwrap();
    assert!(camden.agreements.discard(&signed).unwrap_err().to_string().contains("what it has said stays"));
    let on = |days: u64| SystemTime::now() + Duration::from_secs(days * 24 * 3600);
    let names = || camden.agreements.kept().unwrap().iter().map(|kept| kept.document.name.clone()).collect::<Vec<_>>();
    camden.agreements.tend(on(OPEN_DAYS - 1)).unwrap();
    assert_eq!(names(), ["open", "signed"]);
    camden.agreements.tend(on(OPEN_DAYS + 1)).unwrap();
    assert_eq!(names(), ["signed"]);
    // It is not taken, and says so, so that nobody goes on giving it.
    camden.give(&loda, &open.text, vec![loda.says(|said| said.document.clone_from(&open.id))]).unwrap();
    assert_eq!(names(), ["signed"]);
    let held = camden.tells(&loda).held;
    assert!(held.iter().any(|held| held.id == open.id && held.marks == ["discarded"]), "{held:?}");
    let asked = wire::AgreementExchange { held, given: Vec::new() }.encode_to_vec();
    let answer = loda.agreements.answer(&camden.verified(), &asked, SystemTime::now()).unwrap();
    assert!(wire::AgreementExchange::decode(answer.as_slice()).unwrap().given.is_empty());
    assert!(!camden.tells(&london.node("barking")).held.iter().any(|held| held.id == open.id));
    // Camden thinks better of it.
    camden.agreements.propose(&open, Utc::now()).unwrap();
    assert_eq!(names(), ["open", "signed"]);
    // What has ended leaves nothing.
    let ended = on(365 * 80);
    camden.agreements.tend(ended).unwrap();
    assert_eq!(names(), ["signed"]);
    assert!(!camden.state.path().join(FOLDER).join(&open.id).exists());
}

#[test]
fn a_withdrawal_that_was_lost_comes_back_and_a_consent_does_not() {
    let london = Federation::new();
    let [camden, loda] = ["camden", "loda"].map(|body| london.node(body));
    let text = document("", "").unwrap();
    let says = |act: Act| camden.says(|said| said.act = act);
    loda.agreements.propose(&text, Utc::now()).unwrap();
    loda.give(&camden, &text.text, vec![says(Act::Consent), says(Act::Withdrawal)]).unwrap();
    // Camden's folder is that of an earlier day.
    let restored = london.node("camden");
    let told = loda.tells(&restored).given;
    let acts: Vec<_> = told[0].signatures.iter().map(|it| Statement::decode(&it.payload).unwrap().act).collect();
    assert_eq!(acts, [Act::Proposal, Act::Proposal, Act::Withdrawal]);
    restored.take(&loda, told).unwrap();
    assert!(restored.kept().said(Act::Withdrawal, &name("camden")));
    assert!(!restored.kept().said(Act::Consent, &name("camden")));
    assert!(restored.agreements.say(Act::Consent, &text, Utc::now()).unwrap_err().to_string().contains("for good"));
    // Nobody else can withdraw for it.
    let another = london.node("camden");
    let forged = loda.says(|said| (said.act, said.body) = (Act::Withdrawal, name("camden")));
    assert!(another.give(&loda, &text.text, vec![forged]).is_err());
    assert_eq!(another.answers(), 0);
    // It withdraws from what others hold a consent of, though it knows of none.
    another.agreements.say(Act::Withdrawal, &text, Utc::now()).unwrap();
    assert!(another.kept().said(Act::Withdrawal, &name("camden")));
}

#[test]
fn whoever_is_out_may_still_withdraw() {
    let london = Federation::new();
    let [camden, loda, gla] = ["camden", "loda", "gla"].map(|body| london.node(body));
    let text = document("", "").unwrap();
    camden.give(&loda, &text.text, Vec::new()).unwrap();
    let withdrawal = gla.says(|said| said.act = Act::Withdrawal);
    let later = SystemTime::now() + Duration::from_secs(3600);
    let revoked = Excluded { revoked: [(name("gla"), later)].into(), ..Excluded::default() };
    camden.credentials.exclude(revoked);
    assert!(camden.give(&loda, &text.text, vec![withdrawal.clone()]).unwrap_err().contains("revoked"));
    let suspended = Excluded { suspended: [name("gla")].into(), ..Excluded::default() };
    camden.credentials.exclude(suspended);
    assert!(camden.give(&loda, &text.text, vec![gla.says(|_| ())]).unwrap_err().contains("suspended"));
    camden.give(&loda, &text.text, vec![withdrawal]).unwrap();
    assert!(camden.kept().said(Act::Withdrawal, &name("gla")));
    let told = camden.tells(&london.node("lfb")).given;
    assert_eq!(told[0].signatures.len(), 2, "and others are told");
}

#[test]
fn a_consent_whose_certificate_was_revoked_counts_no_more_until_it_is_signed_anew() {
    let london = Federation::new();
    let [camden, loda] = ["camden", "loda"].map(|body| london.node(body));
    let text = document("trustees = [\"gla\", \"lfb\", \"barnet\"]\ntrustees_needed = 2\n", "").unwrap();
    let consent = |node: &Node| node.says(|said| said.document.clone_from(&text.id));
    camden.give(&loda, &text.text, vec![consent(&loda)]).unwrap();
    camden.agreements.say(Act::Consent, &text, Utc::now()).unwrap();
    camden.agreements.tend(SystemTime::now()).unwrap();
    assert!(camden.in_force());
    for body in ["loda", "camden"] {
        // Certificates hold from some minutes ago, as those do that come later.
        let revoked = Excluded { revoked: [(name(body), SystemTime::now())].into(), ..Excluded::default() };
        camden.credentials.exclude(revoked);
        camden.agreements.tend(SystemTime::now()).unwrap();
        assert!(!camden.in_force(), "the consent of {body}");
        let lacks = camden.kept().lacks(&name("camden"));
        assert!(matches!(lacks.as_slice(), [why] if why.contains("revoked")), "{lacks:?}");
        // Nor does it when the node starts with another membership.
        camden.credentials.exclude(Excluded::default());
        camden.agreements.tend(SystemTime::now()).unwrap();
        assert!(!camden.in_force());
        let marks = camden.tells(&loda).held.remove(0).marks;
        assert!(!marks.contains(&format!("consent.{body}")), "{marks:?}");
        match body {
            "loda" => camden.give(&loda, &text.text, vec![consent(&london.node("loda"))]).unwrap(),
            _ => camden.agreements.say(Act::Consent, &text, Utc::now()).unwrap(),
        }
        assert!(camden.in_force(), "{body} has signed anew");
    }
    assert!(camden.agreements.discard(&text).is_err());
}

#[test]
fn those_in_force_stand_in_the_order_in_which_the_owner_signed_them() {
    let london = Federation::new();
    let [camden, loda] = ["camden", "loda"].map(|body| london.node(body));
    let plain = "trustees = [\"gla\", \"lfb\", \"barnet\"]\ntrustees_needed = 2\n";
    let texts: Vec<Document> = (0..6)
        .map(|number| {
            document(&format!("{plain}start = \"2026-01-01\""), &format!("start = \"2026-01-0{}\"", 1 + number))
        })
        .map(Result::unwrap)
        .collect();
    for (text, second) in texts.iter().zip([3, 1, 1, 2, 5, 4]) {
        let consent = loda.says(|said| said.document.clone_from(&text.id));
        camden.give(&loda, &text.text, vec![consent]).unwrap();
        camden.agreements.say(Act::Consent, text, DateTime::from_timestamp(second, 0).unwrap()).unwrap();
    }
    let mut expected = [1, 2].map(|at: usize| texts[at].id.clone());
    expected.sort();
    let expected: Vec<_> = expected.into_iter().chain([3, 0, 5, 4].map(|at: usize| texts[at].id.clone())).collect();
    let found = in_force(camden.state.path(), &name("camden")).unwrap();
    assert_eq!(found.into_iter().map(|(_, text)| Document::read(&text).unwrap().id).collect::<Vec<_>>(), expected);
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
