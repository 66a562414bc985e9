//! A member that turns on the others: what it tells them of agreements and of registers, with its own key and its own name,
//! and with what it has of theirs.

use std::fs;
use std::io::Write;

use chrono::Utc;
use meridian::agreements::{Act, Document, Statement, canonical};
use meridian_certs::Credentials;
use meridian_proto::{AGREEMENTS_ACTION, Name, REGISTER_ACTION, Signed, ToldRegister, wire};
use prost::Message;
use serde_json::Value;

use crate::signed_agreements::{DOCUMENT, FIRES, Sprint};
use crate::support::{Client, Hostile, Mesh, Pair, free, get, until};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn now() -> u64 {
    u64::try_from(Utc::now().timestamp_millis()).unwrap()
}

/// Camden's key, and the way to LFB's node.
struct Camden {
    credentials: std::sync::Arc<Credentials>,
    client: Client,
}

impl Camden {
    fn of(mesh: &Mesh) -> Self {
        let Pair { cert, key } = mesh.node_pair("camden");
        let credentials = Credentials::load(&mesh.ca(), &cert, &key).unwrap();
        Self { credentials, client: mesh.client("lfb", Some(&Pair { cert, key })) }
    }

    /// What its key signs: that somebody says so of a document.
    fn signs(&self, act: Act, body: &str, document: &str, at: u64) -> Signed {
        let statement =
            Statement { act, federation: name("london"), body: name(body), document: document.to_owned(), at };
        self.credentials.sign(statement.encode()).unwrap()
    }

    /// Gives LFB's node a document with these signatures; what it says to that.
    fn gives(&mut self, document: &Document, signatures: &[Signed]) -> Result<(), String> {
        let signatures = signatures.iter().map(Into::into).collect();
        let given = vec![wire::SharedAgreement { document: document.text.clone(), signatures }];
        let message = wire::AgreementExchange { held: Vec::new(), given }.encode_to_vec();
        self.client.action(AGREEMENTS_ACTION, message).map(drop).map_err(|status| status.message().to_owned())
    }
}

/// A signature that a node keeps.
fn kept(mesh: &Mesh, at: &str, id: &str, file: &str) -> Signed {
    Signed::decode(&fs::read(mesh.folder(at).join("state/agreements").join(id).join(file)).unwrap()).unwrap()
}

/// Gains nothing: no statement of another counts that it did not sign itself, on this document, and for itself; neither does one
/// of a time to come, nor LFB's own consent from anybody. What nobody withdrew stays in force.
#[test]
fn statements_in_the_name_of_others() {
    let sprint = Sprint::up();
    let mesh = &sprint.mesh;
    let document = Document::read(&canonical(DOCUMENT).unwrap()).unwrap();
    let id = sprint.propose(DOCUMENT);
    assert_eq!(id, document.id);
    let another = sprint.propose(&DOCUMENT.replace("Fire risk by borough", "Fire risk by ward"));
    for body in ["gla", "hackney", "lfb"] {
        sprint.sign(body, &id);
    }
    sprint.sign("loda", &another);
    for signed in ["consent.gla", "consent.hackney"] {
        sprint.wait_known(&id, "lfb", signed);
    }
    sprint.wait_known(&another, "camden", "consent.loda");
    let of_loda = kept(mesh, "camden", &another, "consent.loda");
    let of_gla = kept(mesh, "lfb", &id, "consent.gla");
    let mut camden = Camden::of(mesh);
    let in_its_name = camden.signs(Act::Consent, "loda", &id, now());
    let moved = String::from_utf8(of_loda.payload.clone()).unwrap().replace(&another, &id).into_bytes();
    let altered = Signed { payload: moved.clone(), ..of_loda.clone() };
    let under_its_certificate = Signed { chain: of_loda.chain.clone(), ..in_its_name.clone() };
    let by_own_key = Signed { payload: moved, ..in_its_name.clone() };
    let later = camden.signs(Act::Consent, "camden", &id, now() + 86_400_000);
    let withdrawal = |body: &str| camden.signs(Act::Withdrawal, body, &id, now());
    let forged = [
        (in_its_name, "camden/node signed what is said to be of loda"),
        (of_loda, "on another document"),
        (altered, "does not fit the payload"),
        (under_its_certificate, "does not fit the payload"),
        (by_own_key, "does not fit the payload"),
        (later, "from the future"),
        (withdrawal("gla"), "signed what is said to be of gla"),
        (withdrawal("lfb"), "signed what is said to be of lfb"),
        (withdrawal("loda"), "signed what is said to be of loda"),
    ];
    for (signed, expected) in forged {
        let refused = camden.gives(&document, &[signed]).unwrap_err();
        assert!(refused.contains(expected), "{refused}\nexpected {expected}");
    }
    let shown = sprint.run("lfb", &["show", &id]).ok().to_owned();
    assert!(shown.contains("It is not in force at the node of lfb: loda has not signed."), "{shown}");
    assert!(!sprint.is_answered(FIRES));
    sprint.run("loda", &["sign", &id]).ok();
    sprint.wait("what all signed is in force, whatever was said in their name", FIRES, true);

    // LFB's node lost its own consent: others hold it, and can't give it back.
    let own = kept(mesh, "lfb", &id, "consent.lfb");
    fs::remove_file(mesh.folder("lfb").join("state/agreements").join(&id).join("consent.lfb")).unwrap();
    sprint.wait("without it nothing is answered", FIRES, false);
    let refused = camden.gives(&document, &[own, of_gla]).unwrap_err();
    assert!(refused.contains("a consent of lfb comes from its own node only"), "{refused}");
    assert!(!sprint.is_answered(FIRES));
    mesh.assert_sound();
}

/// Gains the places that are its own: after 32 documents LFB's node takes no more of Camden, whoever it says proposed them, and
/// goes on taking those of others.
#[test]
fn proposals_without_end() {
    let sprint = Sprint::up();
    let mut camden = Camden::of(&sprint.mesh);
    let numbered = |number: usize| {
        let text = DOCUMENT.replace("Fire risk by borough", &format!("Fire risk {number}"));
        Document::read(&canonical(&text).unwrap()).unwrap()
    };
    let mut taken = 0;
    let refused = (0..100).find_map(|number| {
        let document = numbered(number);
        let proposal = camden.signs(Act::Proposal, "camden", &document.id, now());
        let given = camden.gives(&document, &[proposal]);
        taken += usize::from(given.is_ok());
        given.err()
    });
    assert_eq!(taken, 32);
    assert!(refused.unwrap().contains("32 documents that camden proposed wait for the signature of lfb"));
    let more = numbered(200);
    for (body, signatures) in [
        ("nobody", Vec::new()),
        ("loda", vec![camden.signs(Act::Proposal, "loda", &more.id, now())]),
        ("a consent alone", vec![camden.signs(Act::Consent, "camden", &more.id, now())]),
    ] {
        let refused = camden.gives(&more, &signatures).unwrap_err();
        assert!(
            refused.contains("nobody whom the document concerns has signed that it proposes it"),
            "{body}: {refused}"
        );
    }
    let id = sprint.propose(DOCUMENT);
    sprint.wait_known(&id, "lfb", "proposal.loda");
    // And LFB's operator makes room.
    let one = numbered(0).id;
    sprint.run("lfb", &["discard", &one]).ok();
    assert!(sprint.run("lfb", &["show", &one]).fails(2).contains("no document here"));
    let proposal = camden.signs(Act::Proposal, "camden", &one, now());
    camden.gives(&numbered(0), &[proposal]).unwrap();
    assert!(sprint.run("lfb", &["show", &one]).fails(2).contains("no document here"), "what was discarded stays so");
    let proposal = camden.signs(Act::Proposal, "camden", &more.id, now());
    camden.gives(&more, &[proposal]).unwrap();
    sprint.mesh.assert_sound();
}

/// Gains nothing: LODA's node, which serves the register, shows of LFB what LFB signed last, and of Camden nothing that is not
/// Camden's own, of this day, and newer than what it said before.
#[test]
fn registers_of_others_and_of_other_days() {
    let mesh = Mesh::prepared();
    let address = free();
    let config = fs::OpenOptions::new().append(true).open(mesh.folder("loda").join("node.toml"));
    writeln!(config.unwrap(), "\n[public]\nlisten = \"{address}\"").unwrap();
    let hostile = Hostile::of(&mesh, "camden");
    for body in ["lfb", "loda"] {
        mesh.start(body);
    }
    let page = |body: &str| {
        let answer = get(address, &format!("/register/bodies/{body}.json"));
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    };
    let first =
        until("LODA's node knows LFB's register", || Some(page("lfb")).filter(|text| text.contains("\"title\"")));
    let mut gla = mesh.client("lfb", Some(&mesh.node_pair("gla")));
    let told = gla.action(REGISTER_ACTION, Vec::new()).unwrap().into_iter();
    let of_lfb = told.map(|bytes| Signed::decode(&bytes).unwrap());
    let of_lfb = of_lfb.map(|signed| (ToldRegister::decode(&signed.payload).unwrap(), signed));
    let (genuine, signed) = of_lfb.into_iter().find(|(told, _)| told.body == name("lfb")).unwrap();
    let edited = |told: &ToldRegister, change: &dyn Fn(&mut Value)| {
        let mut json: Value = serde_json::from_slice(&told.json).unwrap();
        change(&mut json);
        ToldRegister { version: now(), json: serde_json::to_vec(&json).unwrap(), ..told.clone() }
    };
    let nothing_shared = edited(&genuine, &|json| json["agreements"] = Value::Array(Vec::new()));
    let of_camden =
        edited(&ToldRegister { body: name("camden"), ..genuine.clone() }, &|json| json["body"] = "camden".into());
    let by_camden = |told: &ToldRegister| hostile.credentials().sign(told.clone().encode()).unwrap();
    for (case, forged, expected) in [
        (
            "re-dated",
            Signed { payload: edited(&genuine, &|_| ()).encode(), ..signed.clone() },
            "does not fit the payload",
        ),
        ("edited", Signed { payload: nothing_shared.clone().encode(), ..signed.clone() }, "does not fit the payload"),
        ("edited and signed by another", by_camden(&nothing_shared), "camden signed it, and it is of lfb"),
        (
            "with another's chain",
            Signed { chain: signed.chain.clone(), ..by_camden(&nothing_shared) },
            "does not fit the payload",
        ),
        (
            "in one's own name, of another",
            by_camden(&ToldRegister { body: name("camden"), ..nothing_shared.clone() }),
            "camden speaks of lfb",
        ),
        (
            "of a day to come",
            by_camden(&ToldRegister { version: now() + 86_400_000, ..of_camden.clone() }),
            "of a time to come",
        ),
    ] {
        hostile.says(REGISTER_ACTION, vec![forged.encode()]);
        // The first that is heard may be of before.
        let before = 1 + mesh.log("loda").matches(expected).count();
        until(case, || (mesh.log("loda").matches(expected).count() > before).then_some(()));
        assert_eq!(page("lfb"), first, "{case}");
        assert_eq!(page("camden").trim(), "null", "{case}");
    }
    // What it says of itself counts, once: its own of an earlier day brings nothing back, and LFB's old one neither.
    hostile.says(REGISTER_ACTION, vec![by_camden(&of_camden).encode()]);
    let said = until("Camden's own is shown", || Some(page("camden")).filter(|text| text.contains("\"title\"")));
    let older = edited(&of_camden, &|json| json["title"] = "Another name".into());
    let older = ToldRegister { version: of_camden.version - 1, ..older };
    let told = by_camden(&ToldRegister { version: now() + 1_000_000_000, ..of_camden.clone() });
    let before = 1 + mesh.log("loda").matches("of a time to come").count();
    hostile.says(REGISTER_ACTION, vec![by_camden(&older).encode(), signed.encode(), told.encode()]);
    until("LODA's node has heard it", || {
        (mesh.log("loda").matches("of a time to come").count() > before).then_some(())
    });
    assert_eq!((page("camden"), page("lfb")), (said, first));
    mesh.assert_sound();
}
