//! Partial answers: bodies of `every.<standard>` that do not answer are left out where the analyst takes that, and named.

use std::fs;

use meridian_examples::london::FIRE_RISK;
use meridian_proto::ReleaseRecord;

use super::support::{Mesh, Ran, Running, until};

const EVERY: &str = "SELECT borough_gss, SUM(households) AS households FROM every.dwellings GROUP BY borough_gss";
const TOTAL: &str = "SELECT SUM(households) AS households, COUNT(*) AS n FROM every.dwellings";

fn partial(mesh: &Mesh, sql: &str) -> Ran {
    mesh.run(&["query", "--partial", "--format", "csv", "--", sql])
}

/// The lines of an answer; groups come in no order.
fn sorted(ran: &Ran) -> Vec<String> {
    let mut lines: Vec<String> = ran.ok().lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[track_caller]
fn is_named(ran: &Ran, body: &str) {
    ran.ok();
    let notes: Vec<&str> = ran.stderr.lines().filter(|line| line.contains("partial answer")).collect();
    assert!(notes.len() == 1 && notes[0].contains(body), "{}", ran.stderr);
}

#[test]
fn a_body_that_is_down_is_left_out_as_if_it_published_nothing() {
    let mesh = Mesh::small();
    // Whoever answers, a partial answer that lacks nobody is the whole one, and says nothing.
    let whole = partial(&mesh, EVERY);
    assert_eq!(sorted(&whole), sorted(&mesh.ask(EVERY)));
    assert!(!whole.stderr.contains("partial"), "{}", whole.stderr);
    let questions = [
        "SELECT d.borough_gss, SUM(d.households) AS households FROM {} d GROUP BY d.borough_gss",
        "SELECT SUM(d.households) AS households, COUNT(*) AS n FROM {} d",
        "SELECT d._body, AVG(d.households) AS mean FROM {} d GROUP BY d._body",
        "SELECT b.name, SUM(d.households) AS households FROM {} d JOIN gla.boroughs b ON d.borough_gss = b.gss GROUP BY b.name",
    ];
    let others = "(SELECT * FROM every.dwellings WHERE _body <> 'hackney')";
    let expected: Vec<Vec<String>> =
        questions.iter().map(|question| sorted(&mesh.ask(&question.replace("{}", others)))).collect();
    mesh.kill("hackney");
    for (question, expected) in questions.iter().zip(expected) {
        let ran = partial(&mesh, &question.replace("{}", "every.dwellings"));
        assert_eq!(sorted(&ran), expected, "{question}");
        is_named(&ran, "hackney");
    }
    // The notice is there whatever else of the receipt is printed, and signed by the asker's own node.
    let ran = mesh.run(&["query", "--partial", "--receipt", "none", "--", EVERY]);
    is_named(&ran, "hackney");
    is_named(&partial(&mesh, FIRE_RISK), "hackney");
    // And it is whole again when the body is back.
    mesh.start("hackney");
    assert_eq!(sorted(&partial(&mesh, EVERY)), sorted(&whole));
}

#[test]
fn without_being_asked_for_no_answer_is_partial_and_the_error_says_how_to_ask() {
    let mesh = Mesh::small();
    mesh.kill("hackney");
    let ran = mesh.ask(EVERY);
    let said = ran.fails(1);
    assert!(said.contains("hackney") && said.contains("--partial"), "{said}");
    // Who is named is meant.
    for sql in [
        "SELECT COUNT(*) AS n FROM hackney.dwellings".to_owned(),
        format!("SELECT * FROM ({TOTAL}) a, (SELECT COUNT(*) AS m FROM hackney.dwellings) b"),
    ] {
        let ran = partial(&mesh, &sql);
        assert!(ran.fails(1).contains("hackney"), "{}", ran.stderr);
    }
    let ran = mesh.ask("SELECT COUNT(*) AS n FROM hackney.dwellings");
    assert!(!ran.fails(1).contains("--partial"), "{}", ran.stderr);
}

#[test]
fn nobody_left_is_no_answer() {
    let mesh = Mesh::small();
    for body in ["camden", "hackney", "city"] {
        mesh.kill(body);
    }
    let ran = partial(&mesh, TOTAL);
    let said = ran.fails(1);
    assert!(["camden", "hackney", "city"].iter().all(|body| said.contains(body)), "{said}");
}

#[test]
fn a_body_that_never_told_what_it_publishes_is_left_out() {
    let mesh = Mesh::prepared();
    for body in ["loda", "gla", "lfb", "camden", "city"] {
        mesh.start(body);
    }
    let ran = mesh.ask(EVERY);
    assert!(ran.fails(1).contains("--partial"), "{}", ran.stderr);
    let ran = partial(&mesh, EVERY);
    assert_eq!(ran.csv().len(), 3);
    is_named(&ran, "hackney");
    assert!(partial(&mesh, "SELECT COUNT(*) AS n FROM hackney.dwellings").fails(1).contains("hackney"));
}

#[test]
fn a_body_that_refuses_is_left_out_with_its_reason() {
    let mesh = Mesh::prepared();
    for entry in fs::read_dir(mesh.folder("hackney").join("agreements")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    mesh.start_all();
    let ran = mesh.ask(EVERY);
    let said = ran.fails(1);
    assert!(said.contains("hackney") && said.contains("--partial"), "{said}");
    let ran = partial(&mesh, EVERY);
    assert_eq!(ran.csv().len(), 3);
    is_named(&ran, "hackney");
    assert!(ran.stderr.contains("hackney refuses"), "{}", ran.stderr);
}

#[test]
fn a_body_that_dies_before_it_has_answered_is_left_out() {
    let mesh = Mesh::small();
    mesh.ask(EVERY).ok();
    let released = |body: &str| mesh.records(body).iter().filter(|line| line.released().is_some()).count();
    let before = released("camden");
    mesh.signal("hackney", "STOP");
    let query = Running::start(&mut mesh.command(&["query", "--partial", "--format", "csv", "--", EVERY]));
    until("camden has been asked", || (released("camden") > before).then_some(()));
    assert!(query.is_running(), "it waits for hackney");
    mesh.kill("hackney");
    let ran = query.end();
    assert_eq!(ran.csv().len(), 3);
    is_named(&ran, "hackney");
    // What had begun was read, not asked for again.
    assert_eq!(released("camden"), before + 1);
}

#[test]
fn another_node_has_no_say_in_it_and_the_receipt_is_signed() {
    let mesh = Mesh::small();
    mesh.kill("hackney");
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    asha.headers.push(("meridian-partial", "true"));
    let answer = asha.statement(EVERY).unwrap();
    let records: Vec<ReleaseRecord> = answer.records();
    assert_eq!(answer.rows(), 2);
    let own: Vec<&ReleaseRecord> = records.iter().filter(|record| record.body == "loda").collect();
    assert!(own.len() == 1 && own[0].notices.iter().any(|notice| notice.contains("hackney")), "{own:?}");
    assert!(records.iter().all(|record| record.body != "hackney"));
    assert!(own[0].datasets.iter().all(|used| !used.name.contains("hackney")), "{own:?}");
    asha.headers = vec![("meridian-partial", "maybe")];
    assert!(asha.statement(EVERY).unwrap_err().message().contains("meridian-partial"));
    // A node that asks in the name of a partial answer is answered, or refused, as ever.
    let mut loda = mesh.client("camden", Some(&mesh.node_pair("loda")));
    loda.headers.push(("meridian-partial", "true"));
    loda.remote_for("SELECT COUNT(*) AS n FROM london.camden.dwellings", "", "fire-risk").unwrap();
}
