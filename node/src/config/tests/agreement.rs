//! What is said about a wrong agreement.

use meridian_proto::Signed;

use super::*;
use crate::agreements::{Act, Document, Statement, canonical};
use crate::gate::Askers;

#[test]
fn agreements() {
    let file = "agreements/fire-risk.toml";
    check(
        file,
        "legal_power = \"Fire and Rescue Services Act 2004, section 6\"",
        "legal_power = \"\"",
        "agreements/fire-risk.toml:5: legal_power is empty: fill",
    );
    check(
        file,
        "\"fire-risk-2026\"",
        "\"Fire risk\"",
        "agreements/fire-risk.toml:1: id is \"Fire risk\", which is no identifier: write",
    );
    check(
        file,
        "2026-01-01",
        "2026-02-30",
        "agreements/fire-risk.toml:8: start is \"2026-02-30\", which is no date: write",
    );
    check(
        file,
        "2027-12-31",
        "2026-01-01",
        "agreements/fire-risk.toml:9: the agreement ends on 2026-01-01, not after its start on 2026-01-01: write",
    );
    check(
        file,
        "[\"loda\"]",
        "[\"lodo\"]",
        "agreements/fire-risk.toml:7: recipient `lodo` is no member of the federation: correct",
    );
    check(
        file,
        "[\"loda\"]",
        "[\"berlin.loda\"]",
        "agreements/fire-risk.toml:7: recipient `berlin.loda` is no member of a federation berlin that this node trusts: correct",
    );
    check(
        file,
        "[\"loda\"]",
        "[\"Berlin.loda\"]",
        "agreements/fire-risk.toml:7: recipients is \"Berlin.loda\", which is no body",
    );
    check(
        file,
        "[\"loda\"]",
        "[\"loda\", \"london.loda\"]",
        "agreements/fire-risk.toml:7: recipient `loda` stands twice",
    );
    check(file, "[\"loda\"]", "[]", "agreements/fire-risk.toml:7: recipients is empty: name");
    check(
        file,
        "\"incidents\"",
        "\"fires\"",
        "agreements/fire-risk.toml:13: the grant names dataset `fires`, which is none of this node's: correct",
    );
    check(
        file,
        "form = \"statistics\"\ncolumns = [\"borough_gss\", \"year\"]\nthreshold = 20",
        "form = \"rows\"",
        "agreements/fire-risk.toml:14: the grant is of rows, and dataset `incidents` gives statistics at most: write",
    );
    check(
        file,
        "\"year\"]",
        "\"yeer\"]",
        "agreements/fire-risk.toml:15: the grant names column `yeer`, which dataset `incidents` has not: name",
    );
    check(
        file,
        "\"year\"]",
        "\"note\"]",
        "agreements/fire-risk.toml:15: the grant names column `note`, which is hidden: leave",
    );
    check(
        file,
        "threshold = 20",
        "threshold = 11",
        "agreements/fire-risk.toml:16: threshold is 11, below the dataset's 12: write",
    );
    check(
        file,
        "threshold = 20",
        "filter = \"year > 2015\"",
        "agreements/fire-risk.toml:16: filter stands in a grant of statistics: leave",
    );
    check(
        file,
        "\"opened >= DATE '2015-01-01'\"",
        "\"opend >= DATE '2015-01-01'\"",
        "agreements/fire-risk.toml:21: dataset stations: filter: ",
    );
    check(
        file,
        "\"opened >= DATE '2015-01-01'\"",
        "\"code\"",
        "agreements/fire-risk.toml:21: dataset stations: filter: it is no predicate",
    );
    check(
        file,
        "form = \"rows\"\nfilter = \"opened >= DATE '2015-01-01'\"",
        "form = \"statistics\"\nthreshold = 10",
        "agreements/fire-risk.toml:20: a grant of statistics needs a unit, and dataset `stations` has none: add",
    );
    check(
        file,
        "filter =",
        "threshold = 30\nfilter =",
        "agreements/fire-risk.toml:21: threshold stands in a grant of rows: leave",
    );
}

#[test]
fn what_the_public_is_told_beside_the_terms_is_read() {
    assert_eq!(agreement("", "").particulars, Particulars::default());
    let said = "controllers = [\"LODA\"]\nprocessors = [\"A company\"]\nspecial_category = \"none\"\nmethod = \"b\"\nnecessity = \"c\"\n\
                dpia = \"https://lfb.example/dpia\"\ndpo_view = \"d\"\nretention = \"e\"\nreview = \"2027-01-01\"\narea = \"f\"\n\
                rights_contact = \"g\"\n";
    let read = agreement(RECIPIENTS, &format!("{said}{RECIPIENTS}")).particulars;
    assert_eq!(read.controllers, ["LODA"]);
    assert_eq!(read.dpia.as_deref(), Some("https://lfb.example/dpia"));
    assert_eq!(read.review, chrono::NaiveDate::from_ymd_opt(2027, 1, 1));
    let file = "agreements/fire-risk.toml";
    for (said, expected) in [
        ("necessity = \" \"", "necessity is empty: fill"),
        ("controllers = [\"\"]", "controllers is empty: fill"),
        (
            "dpia = \"http://lfb.example/dpia\"",
            "dpia is \"http://lfb.example/dpia\", which is no link that the public can follow: write",
        ),
        ("review = \"soon\"", "review is \"soon\", which is no date: write"),
        ("review = \"2025-01-01\"", "review is 2025-01-01, before the start on 2026-01-01: write"),
    ] {
        check(file, RECIPIENTS, &format!("{said}\n{RECIPIENTS}"), &format!("{file}:7: {expected}"));
    }
}

#[test]
fn what_is_not_shared_by_rows_or_statistics_is_not_granted() {
    for (form, expected) in [("open", "is open and needs no grant"), ("none", "has the form none and can't be granted")]
    {
        let folder = baseline();
        write(folder.path(), "datasets/stations.toml", &STATIONS.replace("\"rows\"", &format!("\"{form}\"")));
        let problems = load(folder.path()).unwrap_err();
        assert!(problems.len() == 1 && problems[0].contains(expected), "{problems:#?}");
    }
}

const RECIPIENTS: &str = "recipients = [\"loda\"]";

/// The agreement of the valid configuration where `from` is replaced by `to` and nothing is wrong.
#[track_caller]
fn agreement(from: &str, to: &str) -> AgreementConfig {
    let folder = baseline();
    assert!(AGREEMENT.contains(from), "no {from:?}");
    write(folder.path(), "agreements/fire-risk.toml", &AGREEMENT.replacen(from, to, 1));
    let node = format!("{NODE}\n[[members]]\nbody = \"gla\"\nendpoint = \"https://127.0.0.1:50071\"\n");
    write(folder.path(), "node.toml", &node);
    load(folder.path()).unwrap().agreements.remove(0)
}

#[test]
fn parties_and_analysts_are_read() {
    let read = agreement("", "");
    assert_eq!((read.parties, read.askers), (vec![name("lfb").into(), name("loda").into()], None), "nothing is said");
    let read = agreement(RECIPIENTS, "recipients = [\"loda\", \"lfb\"]");
    assert_eq!(read.parties, [name("lfb"), name("loda")], "this body stands once");
    let said = format!("{RECIPIENTS}\nparties = [\"gla\", \"loda\", \"lfb\"]\nanalysts = [\"asha\", \"ben\"]");
    let read = agreement(RECIPIENTS, &said);
    assert_eq!(read.parties, [name("gla"), name("loda"), name("lfb")]);
    assert_eq!(read.askers, Some(Askers { analysts: vec![name("asha"), name("ben")], groups: Vec::new() }));
    let read = agreement(RECIPIENTS, &format!("{RECIPIENTS}\ngroups = [\"fire\"]"));
    assert_eq!(read.askers, Some(Askers { analysts: Vec::new(), groups: vec![name("fire")] }));
    let other = "[[federations]]\nname = \"berlin\"\nca = \"tls/ca.pem\"\n";
    let followed = format!("{other}authorities = [\"https://a.example:7443\"]\n");
    let listed = format!("{other}[[federations.members]]\nbody = \"loda\"\nendpoint = \"https://l.example:1\"\n");
    for (known, recipients, is_known) in [
        (&followed, "[\"berlin.loda\", \"loda\", \"berlin.anybody\"]", true),
        (&listed, "[\"berlin.loda\"]", true),
        (&listed, "[\"berlin.anybody\"]", false),
        (&followed, "[\"paris.loda\"]", false),
    ] {
        let folder = baseline();
        write(folder.path(), "node.toml", &format!("{NODE}{known}"));
        let file = AGREEMENT.replace(RECIPIENTS, &format!("recipients = {recipients}"));
        write(folder.path(), "agreements/fire-risk.toml", &file);
        let loaded = load(folder.path());
        assert_eq!(loaded.is_ok(), is_known, "{recipients}: {loaded:?}");
        if let Ok(mut config) = loaded {
            let read = config.agreements.remove(0);
            assert_eq!(
                format!(
                    "[{}]",
                    read.recipients.iter().map(|body| format!("\"{body}\"")).collect::<Vec<_>>().join(", ")
                ),
                recipients
            );
        }
    }
}

#[test]
fn allowances_are_read() {
    let [statistics, rows] = <[GrantConfig; 2]>::try_from(agreement("", "").grants).unwrap();
    assert_eq!((statistics.allowance, rows.allowance), (None, None));
    let read = agreement("threshold = 20", "threshold = 20\nallowance = 5000000000");
    assert_eq!(read.grants[0].allowance, Some(5_000_000_000));
}

#[test]
fn onward_is_said_or_not() {
    let read = agreement("", "");
    assert!(read.grants.iter().all(|grant| !grant.onward), "nothing is said");
    let read = agreement("filter =", "onward = true\nfilter =");
    assert_eq!(read.grants.iter().map(|grant| grant.onward).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn parties_analysts_and_allowances() {
    let said = |text: &str, expected: &str| {
        let expected = format!("agreements/fire-risk.toml:{expected}");
        check("agreements/fire-risk.toml", RECIPIENTS, &format!("{RECIPIENTS}\n{text}"), &expected);
    };
    said("parties = []", "8: parties is empty: name");
    said("parties = [\"loda\"]", "8: parties leaves out `lfb`: add it: this body and every recipient are parties");
    said("parties = [\"lfb\"]", "8: parties leaves out `loda`: add");
    said("parties = [\"lfb\", \"lodo\"]", "8: party `lodo` is no member of the federation: correct");
    said("parties = [\"lfb\", \"Loda\"]", "8: parties is \"Loda\", which is no name: write");
    said("parties = [\"lfb\", \"loda\",\n\"loda\"]", "9: party `loda` stands twice: remove");
    said("partys = [\"lfb\"]", "8: unknown key `partys`: did you mean `parties`?");
    said("analysts = []", "8: analysts is empty: name analysts of the recipients, or leave it out");
    said("groups = []", "8: groups is empty: name groups of the recipients, or leave it out");
    said("groups = [\"fire\",\n\"fire\"]", "9: group `fire` stands twice: remove");
    said("analysts = [\"Asha\"]", "8: analysts is \"Asha\", which is no name: write");
    said("analysts = [\"asha\",\n\"asha\"]", "9: analyst `asha` stands twice: remove");

    let granted = |from: &str, text: &str, expected: &str| {
        let expected = format!("agreements/fire-risk.toml:{expected}");
        check("agreements/fire-risk.toml", from, &format!("{text}\n{from}"), &expected);
    };
    granted("threshold = 20", "allowance = 0", "16: allowance is 0: write 1 or more, or leave it out for no limit");
    granted("threshold = 20", "allowance = -1", "16: invalid value: integer `-1`, expected u64: correct");
    granted("filter =", "allowance = 5", "21: allowance stands in a grant of rows: leave it out: it is for statistics");
}

/// A document that grants what the files of the valid configuration can, and dwellings of others.
const DOCUMENT: &str = r#"id = "fire-risk-2027"
title = "Fire risk by borough"
purpose = "fire-risk"
benefit = "Fewer fires"
legal_power = "Fire and Rescue Services Act 2004, section 6"
lawful_basis = "UK GDPR article 6(1)(e)"
parties = ["lfb", "loda"]
recipients = ["loda"]
start = "2026-01-01"
end = "2027-12-31"
contact = "data@example.org"
controllers = ["LFB", "LODA"]
method = "Mutual TLS"
necessity = "Less would not do"
dpia = "DPIA-3"
dpo_view = "Content"
retention = "Two years"
review = "2027-01-01"
area = "London"
rights_contact = "rights@example.org"

[[grants]]
body = "lfb"
dataset = "incidents"
form = "statistics"
columns = ["borough_gss", "year"]

[[grants]]
bodies = ["loda"]
dataset = "anything"
form = "rows"

[[grants]]
standard = "dwellings"
form = "statistics"
"#;

#[test]
fn a_document_is_checked_before_anybody_signs() {
    let folder = baseline();
    let config = load(folder.path()).unwrap();
    let checked = |from: &str, to: &str| {
        assert!(DOCUMENT.contains(from), "no {from:?}");
        config.document(Path::new("d.toml"), &DOCUMENT.replacen(from, to, 1)).map_err(|error| error.to_string())
    };
    let document = checked("", "").unwrap();
    assert_eq!(
        document.owners,
        std::collections::BTreeSet::from([name("lfb"), name("loda")]),
        "all parties may have dwellings"
    );
    for (from, to, expected) in [
        ("dpia = \"DPIA-3\"", "", "d.toml:1: `dpia` is missing: fill it in"),
        ("\"DPIA-3\"", "\"\"", "d.toml:15: dpia is empty: fill it in"),
        ("parties = [\"lfb\", \"loda\"]", "", "d.toml:1: `parties` is missing"),
        ("parties = [\"lfb\", ", "parties = [", "gives lfb a part, which is none of its parties"),
        ("recipients =", "trustees = [\"lfb\"]\nrecipients =", "needs 0 signatures of 1 trustees"),
        ("\"year\"]", "\"yeer\"]", "d.toml:26: the grant names column `yeer`, which dataset `incidents` has not"),
        ("\"incidents\"", "\"fires\"", "d.toml:24: the grant names dataset `fires`, which is none of this node's"),
        ("body = \"lfb\"\n", "", "d.toml:23: the grant names dataset `incidents`, and not whose: add"),
        ("dataset = \"incidents\"\n", "", "d.toml:24: the grant names no dataset: add"),
        ("standard =", "bodies = [\"lfb\"]\nstandard =", "d.toml:35: no dataset of this node conforms to the standard"),
        ("\"fire-risk-2027\"", "\"fire-risk-2026\"", "d.toml:1: agreement `fire-risk-2026` stands in"),
        ("body = \"lfb\"", "body = \"lfb\"\nstandard = \"x\"", "d.toml:24: the grant names a dataset and a standard"),
        ("body = \"lfb\"", "body = \"lfb\"\nbodies = [\"lfb\"]", "d.toml:24: the grant names body and bodies"),
    ] {
        let error = checked(from, to).expect_err(to);
        assert!(error.contains(expected), "{error}\nexpected {expected}");
    }
}

#[test]
fn what_only_documents_hold_is_not_in_a_file_of_one_body() {
    let file = "agreements/fire-risk.toml";
    let fix = "stands in a file that only this body signs: leave it out, or propose";
    for key in ["trustees = [\"gla\"]", "trustees_needed = 1"] {
        let word = key.split(' ').next().unwrap();
        check(file, RECIPIENTS, &format!("{key}\n{RECIPIENTS}"), &format!("{file}:7: {word} {fix}"));
    }
    for key in ["body = \"lfb\"", "bodies = [\"lfb\"]"] {
        let word = key.split(' ').next().unwrap();
        check(file, "threshold = 20", &format!("threshold = 20\n{key}"), &format!("{file}:17: {word} {fix}"));
    }
}

/// Keeps a document in a node's state, with what these bodies have signed at a time (ms).
fn keep(folder: &Path, text: &str, signed: &[(&str, u64)]) {
    let document = Document::read(&canonical(text).unwrap()).unwrap();
    let kept = folder.join("state/agreements").join(&document.id);
    fs::create_dir_all(&kept).unwrap();
    fs::write(kept.join("document.toml"), &document.text).unwrap();
    for (body, at) in signed {
        let statement = Statement {
            act: Act::Consent,
            federation: name("london"),
            body: name(body),
            document: document.id.clone(),
            at: *at,
        };
        let (payload, chain) = (statement.encode(), vec![vec![1]]);
        // Whose they are was checked when they came.
        let signed = Signed { payload, chain, signature: vec![1], scheme: 0x0403 };
        fs::write(kept.join(format!("consent.{body}")), signed.encode()).unwrap();
    }
}

#[test]
fn of_two_documents_of_one_id_that_counts_which_the_owner_signed_first() {
    // Their hashes say nothing of it.
    for number in 0..4 {
        let folder = baseline();
        let text = |title: &str| {
            let text = DOCUMENT.replace("Fire risk by borough", &format!("{title} {number}"));
            text.replace("\n[[grants]]\nstandard = \"dwellings\"\nform = \"statistics\"\n", "")
        };
        let mut reader = Reader::new(&folder.path().join("node.toml"), load(folder.path()).unwrap());
        assert!(reader.look().is_none());
        let in_force = |config: &Config| {
            let found = config.agreements.iter().filter(|agreement| agreement.id == "fire-risk-2027");
            found.map(|agreement| agreement.title.clone()).collect::<Vec<_>>()
        };
        let mut looked = || reader.look().and_then(|news| news.changed).map(|config| in_force(&config));
        // The first is signed first by its owner, and waits for its recipient.
        keep(folder.path(), &text("First"), &[("lfb", 100)]);
        assert_eq!(looked(), None);
        keep(folder.path(), &text("Second"), &[("lfb", 200), ("loda", 10)]);
        assert_eq!(looked().unwrap(), [format!("Second {number}")]);
        keep(folder.path(), &text("First"), &[("lfb", 100), ("loda", 300)]);
        let live = looked().unwrap();
        assert_eq!(live, [format!("First {number}")]);
        assert_eq!(in_force(&load(folder.path()).unwrap()), live, "and so it is after a restart");
        keep(folder.path(), &text("Third"), &[("lfb", 250), ("loda", 1)]);
        assert_eq!(looked(), None);
        assert_eq!(in_force(&load(folder.path()).unwrap()), live);
    }
}
