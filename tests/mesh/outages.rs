//! Bodies that are down, or die while they are asked: named in the error, and nothing is printed as if it were whole.

use meridian_examples::london::FIRE_RISK;
use tonic::Code;

use super::support::{Mesh, Running, remote_ticket, until};

const EVERY: &str = "SELECT borough_gss, SUM(households) AS households FROM every.dwellings GROUP BY borough_gss";

#[test]
fn a_body_that_is_down_is_named() {
    let mesh = Mesh::small();
    mesh.ask(EVERY).ok();
    mesh.kill("hackney");
    for sql in [EVERY, FIRE_RISK, "SELECT COUNT(*) AS n FROM hackney.dwellings"] {
        for format in ["csv", "table", "json"] {
            let ran = mesh.run(&["query", "--format", format, "--", sql]);
            let said = ran.fails(1);
            assert!(said.contains("hackney") && !said.contains("camden"), "{said}");
        }
    }
    // Who does not need it gets an answer.
    assert_eq!(mesh.ask("SELECT gss FROM gla.boroughs").csv().len(), 34);
    mesh.ask("SELECT COUNT(*) AS n FROM camden.dwellings").ok();
    // And so does everybody when it is back.
    mesh.start("hackney");
    assert_eq!(mesh.ask(EVERY).csv().len(), 4);
}

#[test]
fn a_body_that_was_never_up_is_named() {
    let mesh = Mesh::prepared();
    for body in ["loda", "gla", "lfb", "camden", "city"] {
        mesh.start(body);
    }
    let ran = mesh.ask(FIRE_RISK);
    let said = ran.fails(1);
    assert!(said.contains("hackney") && !said.contains("camden"), "{said}");
    assert_eq!(mesh.ask("SELECT gss FROM gla.boroughs").csv().len(), 34);
}

#[test]
fn the_analysts_own_node_that_is_down_is_named() {
    let mesh = Mesh::small();
    mesh.kill("loda");
    let ran = mesh.ask("SELECT 1");
    let said = ran.fails(1);
    assert!(said.contains(&mesh.address("loda").to_string()) && said.contains("is the node running"), "{said}");
}

#[test]
fn a_body_that_dies_while_it_is_asked_is_named_and_no_part_is_printed() {
    for format in ["table", "csv", "arrow"] {
        let mesh = Mesh::small();
        mesh.ask(FIRE_RISK).ok();
        let released = |body: &str| mesh.records(body).iter().filter(|line| line.released().is_some()).count();
        let before = released("camden");
        mesh.signal("hackney", "STOP");
        let query = Running::start(&mut mesh.command(&["query", "--format", format, "--", FIRE_RISK]));
        // The others have answered: LODA's node waits for Hackney alone.
        until("camden has been asked", || (released("camden") > before).then_some(()));
        assert!(query.is_running(), "it waits for hackney");
        mesh.kill("hackney");
        let ran = query.end();
        // An empty stream of Arrow has its schema; rows would be a part taken for the whole.
        let said = if format == "arrow" { ran.stderr.as_str() } else { ran.fails(1) };
        assert_eq!(ran.code, Some(1), "{said}");
        assert!(said.contains("hackney"), "{said}");
    }
}

#[test]
fn an_answer_that_is_cut_off_is_an_error_and_has_no_receipt() {
    let mesh = Mesh::small();
    let mut client = mesh.client("gla", Some(&mesh.node_pair("loda")));
    let sql = "SELECT a.gss FROM gla.boroughs a, gla.boroughs b, gla.boroughs c, gla.boroughs d, gla.boroughs e";
    let mut arrived = 0;
    let answer = client.read_with(remote_ticket(sql, "", "fire-risk"), |count| {
        arrived = count;
        if count == 3 {
            mesh.kill("gla");
        }
    });
    let status = answer.unwrap_err();
    assert!(arrived >= 3);
    assert!(matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled), "{status}");
}

#[test]
fn a_big_answer_whose_body_dies_ends_with_an_error_for_the_analyst() {
    let mesh = Mesh::small();
    // Joins of one body's own open rows: far more than fits into any buffer on the way.
    let sql =
        "SELECT a.gss, b.name FROM gla.boroughs a, gla.boroughs b, gla.boroughs c, gla.boroughs d, gla.boroughs e";
    let mut client = mesh.client("loda", Some(&mesh.asha()));
    let info = client.info(super::support::statement(sql)).unwrap();
    let answer = client.read_with(super::support::ticket_of(&info), |count| {
        if count == 3 {
            mesh.kill("gla");
            mesh.kill("loda");
        }
    });
    answer.unwrap_err();
}

/// Gains nothing: a client that stops reading holds up nobody else, and its answer ends when it goes away.
#[test]
fn a_stopped_client_does_not_hold_up_the_others() {
    let mesh = Mesh::small();
    let sql = "SELECT a.gss FROM gla.boroughs a, gla.boroughs b, gla.boroughs c, gla.boroughs d, gla.boroughs e";
    let slow = Running::start(&mut mesh.command(&["query", "--format", "arrow", sql]));
    until("LODA's node has begun to answer", || {
        mesh.records("loda").iter().any(|line| line.released().is_some()).then_some(())
    });
    super::support::send_signal(slow.id(), "STOP");
    assert_eq!(mesh.ask(EVERY).csv().len(), 4);
    super::support::send_signal(slow.id(), "KILL");
    assert_eq!(slow.end().code, None);
    // Whoever goes away ends the work: the release is recorded as interrupted.
    until("the answer has ended at LODA's node", || {
        let lines = mesh.records("loda");
        lines.iter().any(|line| line.json["outcome"]["outcome"]["interrupted"].is_object()).then_some(())
    });
}
