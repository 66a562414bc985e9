//! A full disk: a node that can't write its log answers nothing, says so, and loses nothing.

use std::process::Command;

use super::support::{Mesh, chained, until};

const OPEN: &str = "SELECT gss FROM gla.boroughs";
const SQL: &str = "SELECT borough_gss, COUNT(*) AS fires FROM lfb.incidents GROUP BY borough_gss";

/// The command that runs a body's node with files of so many KiB at most: writing beyond gives an error, as a full disk
/// does. What it says goes through another process, which has no such limit.
fn limited(mesh: &Mesh, body: &str, kib: u32) -> Command {
    let node = mesh.serve(body);
    let mut command = Command::new("bash");
    command.args(["-c", &format!("exec 2> >(exec cat >&2); trap '' XFSZ; ulimit -f {kib}; exec \"$@\""), "limited"]);
    command.arg(node.get_program()).args(node.get_args());
    command
}

/// The operator is told, by way of that other process.
fn is_told(mesh: &Mesh, body: &str, words: &str) {
    until("the operator is told", || mesh.log(body).contains(words).then_some(()));
}

/// Asks until there is no answer; returns how many there were and the complaint.
fn ask_until_refused(mesh: &Mesh, sql: &str) -> (usize, String) {
    for answered in 0..400 {
        let ran = mesh.ask(sql);
        if ran.code != Some(0) {
            return (answered, ran.fails(1).to_owned());
        }
        assert!(ran.csv().len() > 2);
    }
    panic!("the disk never filled up");
}

/// Gains nothing: where no record can be written, nothing is answered.
#[test]
fn a_body_whose_disk_is_full_releases_nothing_without_a_record() {
    let mesh = Mesh::small();
    mesh.stop("gla");
    mesh.start_by("gla", &mut limited(&mesh, "gla", 16));
    let (answered, said) = ask_until_refused(&mesh, OPEN);
    assert!(answered > 0, "it answered before the disk was full: {said}");
    assert!(said.contains("gla") && said.contains("log can't be written"), "{said}");
    let records = mesh.records("gla");
    chained(&records);
    let released = records.iter().filter(|line| line.released().is_some()).count();
    // The rows of an answer whose record was the last to fit may not have arrived; never the other way round.
    assert!(released >= answered, "{answered} answers and {released} records");
    // It stays that way, also for refusals, and the node does not end.
    for sql in [OPEN, "SELECT nothing FROM gla.boroughs"] {
        let said = mesh.ask(sql).fails(1).to_owned();
        assert!(said.contains("gla"), "{said}");
    }
    is_told(&mesh, "gla", "log can't be written");
    assert!(mesh.ask(SQL).csv().len() > 2, "others go on");

    mesh.stop("gla");
    mesh.start("gla");
    mesh.ask(OPEN).ok();
    let after = mesh.records("gla");
    chained(&after);
    assert!(after.len() > records.len());
    assert_eq!(after[records.len() - 1].hash, records[records.len() - 1].hash, "what was recorded is still there");
}

/// Gains nothing: where an answer can't be remembered, there is none.
#[test]
fn a_body_that_can_not_remember_what_it_answers_answers_nothing() {
    let mesh = Mesh::small();
    mesh.stop("lfb");
    mesh.start_by("lfb", &mut limited(&mesh, "lfb", 16));
    let said = mesh.ask(SQL).fails(1).to_owned();
    assert!(said.contains("lfb") && said.contains("history can't be written"), "{said}");
    is_told(&mesh, "lfb", "history");

    mesh.stop("lfb");
    mesh.start("lfb");
    assert!(mesh.ask(SQL).csv().len() > 2);
}

/// Gains nothing: nor does the node that asks answer without a record.
#[test]
fn an_asker_whose_disk_is_full_answers_nothing() {
    let mesh = Mesh::small();
    mesh.stop("loda");
    mesh.start_by("loda", &mut limited(&mesh, "loda", 16));
    let (answered, said) = ask_until_refused(&mesh, SQL);
    assert!(answered > 0 && said.contains("log can't be written"), "{said}");
    chained(&mesh.records("loda"));
    mesh.stop("loda");
    mesh.start("loda");
    mesh.ask(SQL).ok();
    chained(&mesh.records("loda"));
}

#[test]
fn a_node_whose_log_can_not_be_opened_does_not_start() {
    let mesh = Mesh::prepared();
    let audit = mesh.folder("lfb").join("state/audit");
    std::fs::create_dir_all(audit.join("lock")).unwrap();
    let ran = super::support::Running::start(&mut mesh.serve("lfb")).end();
    let said = ran.fails(1);
    assert!(said.contains("audit/lock") && said.contains("can't be opened"), "{said}");
}
