//! Who may ask: only holders of a certificate of the federation, each at the right node, and the node's log says why not.

use std::time::{Duration, SystemTime};

use meridian_certs::{Analysts, Authority, Validity};
use meridian_proto::DESCRIBE_ACTION;
use tonic::{Code, Status};

use super::support::{Client, Mesh, Pair, certify, certify_analyst, python, scratch, statement, until};

const LODA_NODE: &str = "spiffe://london/body/loda/node";
const ASHA: &str = "spiffe://london/body/loda/analyst/asha";
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Tries every call that could give something away; each must fail.
fn gets_nothing(client: &mut Client) -> Vec<Status> {
    let rows = "SELECT gss, name FROM gla.boroughs";
    let failed = [
        client.info(statement(rows)).err(),
        client.schema(statement(rows)).err(),
        client.statement("SELECT 1").err(),
        client.remote("SELECT COUNT(*) FROM lfb.incidents").err(),
        client.flights().err(),
        client.action(DESCRIBE_ACTION, Vec::new()).err(),
        client.action("CreatePreparedStatement", Vec::new()).err(),
        client.actions().err(),
    ];
    failed
        .into_iter()
        .enumerate()
        .map(|(index, status)| status.unwrap_or_else(|| panic!("call {index} got it")))
        .collect()
}

/// What a node says of an analyst for whom nobody vouches whom it trusts.
const NOT_HERE: &str = "is not let in here";

/// A certificate that does not let its holder in at LODA's node, and what the log there says of it.
fn strangers(mesh: &Mesh) -> Vec<(&'static str, Option<Pair>, &'static str)> {
    let now = SystemTime::now();
    let impostor = Authority::create(&"london".parse().unwrap(), &scratch("impostor")).unwrap();
    let berlin = Authority::create(&"berlin".parse().unwrap(), &scratch("berlin")).unwrap();
    let expired = Validity { not_before: now - 2 * DAY, not_after: now - DAY };
    let early = Validity { not_before: now + DAY, not_after: now + 2 * DAY };
    let valid = Validity::from_now(DAY);
    let (london, analysts) = (mesh.authority(), mesh.analysts("loda"));
    let others = Analysts::new("london".parse().unwrap(), "loda".parse().unwrap(), scratch("impostors"));
    vec![
        ("no certificate", None, "presented no certificate"),
        ("an analyst of another authority", Some(certify_analyst(&others, "asha", valid)), NOT_HERE),
        ("a node of another authority", Some(certify(&impostor, LODA_NODE, valid)), "not signed by this federation"),
        (
            "another federation",
            Some(certify(&berlin, "spiffe://berlin/body/feuerwehr/node", valid)),
            "not signed by this federation",
        ),
        ("an expired analyst", Some(certify_analyst(&analysts, "asha", expired)), "expired on"),
        ("an expired node", Some(certify(&london, LODA_NODE, expired)), "expired on"),
        ("an analyst who is not yet valid", Some(certify_analyst(&analysts, "asha", early)), "valid from"),
    ]
}

/// How often a node's log says something.
fn said(mesh: &Mesh, body: &str, words: &str) -> usize {
    mesh.log(body).matches(words).count()
}

/// Gains nothing: without a certificate of this federation that is valid today no call is answered, and the log says why.
#[test]
fn strangers_get_nothing_and_the_log_says_why() {
    let mesh = Mesh::small();
    for body in ["loda", "lfb"] {
        for (case, pair, at_loda) in strangers(&mesh) {
            // The other nodes look no further: LODA alone vouches for its analysts, and its node alone trusts that.
            let why = if body != "loda" && case.contains("analyst") { NOT_HERE } else { at_loda };
            let before = said(&mesh, body, why);
            let mut client = mesh.client(body, pair.as_ref());
            for status in gets_nothing(&mut client) {
                assert!(
                    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled),
                    "{case}: {status}"
                );
            }
            let words = format!("the log of {body} says {why:?} of {case}");
            until(&words, || (said(&mesh, body, why) > before).then_some(()));
            // What TLS says before it hangs up is all that came.
            let everything = client.everything();
            let text = String::from_utf8_lossy(&everything);
            assert!(!text.contains("E0900") && !text.contains("borough"), "{case}: {text}");
        }
    }
    assert!(mesh.records("lfb").is_empty(), "nobody got far enough to be recorded");
}

#[test]
fn adbc_without_a_right_certificate_gets_nothing() {
    let mesh = Mesh::shared();
    let folder = mesh.dir.to_str().unwrap();
    for (case, pair, _) in strangers(mesh) {
        let ran = match &pair {
            None => python("stranger.py", &[folder]),
            Some(pair) => python("stranger.py", &[folder, pair.cert.to_str().unwrap(), pair.key.to_str().unwrap()]),
        };
        assert!(!ran.ok().trim().is_empty(), "{case}: the driver says nothing");
    }
}

#[test]
fn the_command_line_says_in_words_why_it_is_not_let_in() {
    let mesh = Mesh::shared();
    for (case, pair, _) in strangers(mesh) {
        let Some(Pair { cert, key }) = pair else { continue };
        let ran = mesh.run(&["query", "--cert", cert.to_str().unwrap(), "--key", key.to_str().unwrap(), "SELECT 1"]);
        let said = ran.fails(1);
        let words = ["authority", "expired", "valid from", "refused our certificate"];
        assert!(words.iter().any(|word| said.contains(word)), "{case}: {said}");
    }
}

/// Gains nothing: an analyst gets in at their own body's node alone, and at another one the log says who was there.
#[test]
fn an_analyst_of_another_body_is_turned_away() {
    let mesh = Mesh::shared();
    let bo = mesh.analyst("camden", "bo");
    for body in ["loda", "lfb", "gla"] {
        for status in gets_nothing(&mut mesh.client(body, Some(&bo))) {
            assert!(matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled), "{status}");
        }
        until("the log says whom it turned away", || {
            mesh.log(body).contains("camden/analyst/bo is not let in here").then_some(())
        });
    }
    // At their own node they are at home.
    let answer = mesh.client("camden", Some(&bo)).statement("SELECT COUNT(*) AS n FROM camden.dwellings").unwrap();
    assert!(answer.text().contains("92760"), "{}", answer.text());
}

#[test]
fn a_node_gets_nothing_of_a_third_body_through_another() {
    let mesh = Mesh::shared();
    let camden = mesh.node_pair("camden");
    let mut at_loda = mesh.client("loda", Some(&camden));
    for sql in [
        "SELECT COUNT(*) FROM lfb.incidents",
        "SELECT gss FROM gla.boroughs",
        "SELECT SUM(households) FROM every.dwellings",
    ] {
        for status in [at_loda.remote(sql).unwrap_err(), at_loda.statement(sql).unwrap_err()] {
            assert!(matches!(status.code(), Code::PermissionDenied | Code::InvalidArgument), "{sql}: {status}");
        }
    }
}

#[test]
fn whom_a_peer_says_that_it_asks_for_opens_nothing() {
    let mesh = Mesh::shared();
    // Camden has no agreement with the brigade, whoever it names.
    let mut camden = mesh.client("lfb", Some(&mesh.node_pair("camden")));
    for claimed in ["", ASHA, "spiffe://london/body/lfb/analyst/root", LODA_NODE] {
        let status = camden.remote_for("SELECT COUNT(*) FROM lfb.incidents", claimed, "fire-risk").unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{claimed}: {status}");
        assert!(status.message().contains("agreement") && status.message().contains("camden"), "{status}");
    }
    // LODA has one, for one purpose.
    let mut loda = mesh.client("lfb", Some(&mesh.node_pair("loda")));
    assert!(loda.remote_for("SELECT COUNT(*) FROM lfb.incidents", ASHA, "fire-risk").is_ok());
    for purpose in ["", "fire", "fire-risk ", "FIRE-RISK"] {
        let answer = loda.remote_for("SELECT COUNT(*) FROM lfb.incidents", ASHA, purpose);
        if purpose.trim() == "fire-risk" {
            continue;
        }
        assert_eq!(answer.unwrap_err().code(), Code::PermissionDenied, "{purpose:?}");
    }
}

/// Gains nothing: whoever sits at a peer's address without its certificate gets no question.
#[test]
fn a_node_does_not_talk_to_whoever_sits_at_a_peers_address() {
    // The brigade's address answers with Camden's certificate: LODA must not put its question to it.
    let mesh = Mesh::prepared();
    let [lfb, camden] = ["lfb", "camden"].map(|body| mesh.folder(body).join("node.toml"));
    let swapped = |text: String| {
        let [a, b] = [mesh.address("lfb"), mesh.address("camden")].map(|address| address.to_string());
        text.replace(&a, "@").replace(&b, &a).replace('@', &b)
    };
    for file in [lfb, camden] {
        // The membership stays as it is.
        std::fs::write(&file, swapped(std::fs::read_to_string(&file).unwrap())).unwrap();
    }
    for body in ["loda", "gla", "hackney", "city", "lfb", "camden"] {
        // Health ports stay as they were.
        mesh.start(body);
    }
    let ran = mesh.ask("SELECT COUNT(*) AS n FROM lfb.incidents");
    let said = ran.fails(1);
    assert!(said.contains("lfb") && said.contains("camden/node"), "{said}");
}
