//! The log behind every answer: a record before the first byte, a chain that holds, and receipts that point into it.

use std::collections::BTreeMap;

use meridian_examples::london::FIRE_RISK;
use meridian_proto::Form;

use super::support::{Line, Mesh, chained, groups, journal, until};

/// The records of a body once every release has its outcome.
fn settled(mesh: &Mesh, body: &str, query_id: &str) -> Vec<Line> {
    until(&format!("the log of {body} tells how {query_id} ended"), || {
        let lines = mesh.records(body);
        let index = lines.iter().position(|line| line.released() == Some(query_id))?;
        let ended = lines.iter().any(|line| line.outcome_of() == Some(index as u64));
        ended.then_some(lines)
    })
}

#[test]
fn every_release_is_recorded_before_it_ends_and_its_receipt_points_at_the_record() {
    let mesh = Mesh::shared();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let answer = asha.statement(FIRE_RISK).unwrap();
    assert_eq!(answer.rows(), 33);
    let query_id = answer.receipt.as_ref().unwrap().query_id.clone();
    let records = answer.records();
    let by_body: BTreeMap<&str, _> = records.iter().map(|record| (record.body.as_str(), record)).collect();
    assert_eq!(by_body.len(), 36);
    assert_eq!(records.len(), 36, "one record of each");
    for (body, record) in by_body {
        assert_eq!(record.query_id, query_id, "{body}");
        let lines = settled(mesh, body, &query_id);
        chained(&lines);
        let line = &lines[usize::try_from(record.log_index).unwrap()];
        assert_eq!(line.released(), Some(query_id.as_str()), "{body}: the receipt points at its record");
        assert_eq!(line.hash, hex::encode(&record.log_hash), "{body}: and knows its hash");
        let outcome = lines.iter().position(|other| other.outcome_of() == Some(record.log_index)).unwrap();
        assert!(outcome as u64 > record.log_index, "{body}: recorded first, ended afterwards");
        let completed = &lines[outcome].json["outcome"]["outcome"]["completed"];
        assert_eq!(completed["rows"], record.rows, "{body}");
        assert_eq!(completed["bytes"], record.bytes, "{body}");
        let caller =
            if body == "loda" { "spiffe://london/body/loda/analyst/asha" } else { "spiffe://london/body/loda/node" };
        assert_eq!(record.caller, caller, "{body}");
        assert_eq!(line.json["release"]["caller"], caller, "{body}");
        assert_eq!(record.purpose, "fire-risk", "{body}");
    }
}

#[test]
fn records_say_form_agreement_and_sql_without_literals() {
    let mesh = Mesh::shared();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let sql = "SELECT COUNT(*) AS n FROM lfb.incidents WHERE property_type = 'Zamora House' AND year = 2021";
    let answer = asha.statement(sql).unwrap();
    let query_id = answer.receipt.as_ref().unwrap().query_id.clone();
    let record = answer.records().into_iter().find(|record| record.body == "lfb").unwrap();
    assert_eq!(record.agreements, ["fire-risk-2026"]);
    assert_eq!(record.datasets[0].name, "london.lfb.incidents");
    assert_eq!(record.datasets[0].form, Form::Statistics);
    assert_eq!(record.on_behalf_of, "spiffe://london/body/loda/analyst/asha");
    assert!(record.sql.contains("Zamora House"), "who wrote a literal gets it back: {}", record.sql);
    for body in ["lfb", "loda"] {
        let lines = settled(mesh, body, &query_id);
        let line = lines.iter().find(|line| line.released() == Some(&query_id)).unwrap();
        let text = line.json.to_string();
        assert!(!text.contains("Zamora"), "literals may be personal data: {text}");
        assert!(text.contains("lfb") && text.to_lowercase().contains("count"), "{text}");
        assert!(!mesh.log(body).contains("Zamora"), "nor does the node say them");
    }
}

#[test]
fn a_refusal_is_recorded_at_the_body_that_refuses() {
    let mesh = Mesh::shared();
    let mut camden = mesh.client("lfb", Some(&mesh.node_pair("camden")));
    camden.remote("SELECT COUNT(hmo) AS \"Zamora\", COUNT(year) AS zamora FROM lfb.incidents").unwrap_err();
    let is_ours = |line: &&Line| line.json["refusal"]["sql"].to_string().contains("COUNT(hmo)");
    let lines = until("the refusal is in the brigade's log", || {
        let lines = mesh.records("lfb");
        lines.iter().any(|line| is_ours(&line)).then_some(lines)
    });
    chained(&lines);
    let refusal = &lines.iter().find(is_ours).unwrap().json["refusal"];
    assert_eq!(refusal["caller"], "spiffe://london/body/camden/node");
    assert_eq!(refusal["rules"][0], "agreement.active");
    assert_eq!(refusal["datasets"][0]["dataset"], "london.lfb.incidents");
    assert_eq!(
        refusal["sql"], "SELECT COUNT(hmo) AS _1, COUNT(year) AS _2 FROM lfb.incidents",
        "a name may be a person's"
    );
}

#[test]
fn a_receipt_that_was_tampered_with_does_not_verify() {
    let mesh = Mesh::shared();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let receipt = asha.statement("SELECT gss FROM gla.boroughs").unwrap().receipt.unwrap();
    let pair = mesh.asha();
    let credentials = meridian_certs::Credentials::load(&mesh.ca(), &pair.cert, &pair.key).unwrap();
    for signed in &receipt.releases {
        let now = std::time::SystemTime::now();
        credentials.verify(signed, now).unwrap();
        for index in [0, signed.payload.len() / 2, signed.payload.len() - 1] {
            let mut other = signed.clone();
            other.payload[index] ^= 1;
            credentials.verify(&other, now).unwrap_err();
        }
        let mut other = signed.clone();
        other.signature[10] ^= 1;
        credentials.verify(&other, now).unwrap_err();
    }
}

/// Gains nothing: a log with one digit changed stops the node, which names the record.
#[test]
fn a_log_that_was_edited_stops_the_node_with_the_record() {
    let mesh = Mesh::small();
    for _ in 0..3 {
        mesh.ask("SELECT gss FROM gla.boroughs").ok();
    }
    mesh.stop("gla");
    let file = journal(&mesh.folder("gla").join("state/audit")).remove(0);
    let log = std::fs::read(&file).unwrap();
    let found = groups(&log);
    assert!(found.len() >= 4);
    let mut edited = log.clone();
    let second = &mut edited[found[0].end..found[1].end];
    let digit = second.windows(11).position(|window| window == b"\"time_ms\":1").unwrap() + 10;
    second[digit] = b'2';
    std::fs::write(&file, edited).unwrap();
    let ran = super::support::Running::start(&mut mesh.serve("gla")).end();
    let said = ran.fails(1);
    assert!(said.contains("journal/") && said.contains("record 1: a group was changed"), "{said}");
    std::fs::write(&file, log).unwrap();
    mesh.start("gla");
    mesh.ask("SELECT gss FROM gla.boroughs").ok();
    chained(&mesh.records("gla"));
}

/// Gains nothing: what was killed between its record and its end is in the log as interrupted.
#[test]
fn killed_between_record_and_end_a_release_counts_as_interrupted() {
    let mesh = Mesh::small();
    let mut at_gla = mesh.client("gla", Some(&mesh.node_pair("loda")));
    let sql = "SELECT a.gss FROM gla.boroughs a, gla.boroughs b, gla.boroughs c, gla.boroughs d, gla.boroughs e";
    let ticket = super::support::remote_ticket(sql, "", "fire-risk");
    let answer = at_gla.read_with(ticket, |count| {
        if count == 3 {
            mesh.kill("gla");
        }
    });
    answer.unwrap_err();
    let before = mesh.records("gla");
    let index = before.iter().rposition(|line| line.released().is_some()).unwrap();
    assert!(before.iter().all(|line| line.outcome_of() != Some(index as u64)));
    mesh.start("gla");
    let after = mesh.records("gla");
    chained(&after);
    let outcome = after.iter().find(|line| line.outcome_of() == Some(index as u64)).unwrap();
    assert!(outcome.json["outcome"]["outcome"]["interrupted"].is_object(), "{}", outcome.json);
}
