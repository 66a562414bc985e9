//! The private part of the log: literals, withheld cells and near counts stay with the owner, who can read them for a time.

use std::fs::{self, OpenOptions};
use std::io::Write;

use super::support::{Line, Mesh, Ran, Running, meridian, until};

/// A command of a body's operator.
fn audit(mesh: &Mesh, body: &str, arguments: &[&str]) -> Ran {
    let mut command = meridian();
    command.arg("audit").args(arguments).arg("--config").arg(mesh.folder(body).join("node.toml"));
    Running::start(&mut command).end()
}

fn append(file: &std::path::Path, text: &str) {
    OpenOptions::new().append(true).open(file).unwrap().write_all(text.as_bytes()).unwrap();
}

/// The records of this kind in a body's log.
fn of_kind(mesh: &Mesh, body: &str, kind: &str) -> Vec<Line> {
    mesh.records(body).into_iter().filter(|line| line.json[kind].is_object()).collect()
}

#[test]
fn what_the_log_may_not_keep_is_committed_to_shown_to_the_owner_and_deleted() {
    let mesh = Mesh::small();
    let mut asha = mesh.client("loda", Some(&mesh.asha()));
    let sql = "SELECT month, property_type, COUNT(*) AS n FROM lfb.incidents \
               WHERE year = 2021 AND property_type <> 'Zamora House' GROUP BY month, property_type";
    let answer = asha.statement(sql).unwrap();
    let record = answer.records().into_iter().find(|record| record.body == "lfb").unwrap();
    let index = record.log_index.to_string();
    let ended = until("the release has ended", || {
        of_kind(&mesh, "lfb", "outcome").into_iter().find(|line| line.outcome_of() == Some(record.log_index))
    });
    // The signed record, and so the receipt, holds what the log commits to, and no more.
    let begun = &mesh.records("lfb")[usize::try_from(record.log_index).unwrap()];
    assert_eq!(begun.json["commitment"], hex::encode(&record.commitment));
    assert_eq!(ended.json["commitment"], hex::encode(&record.closing_commitment));
    let folder = mesh.folder("lfb").join("state/audit");
    let day = fs::read_dir(folder.join("private")).unwrap().next().unwrap().unwrap().path();
    for file in [folder.join("journal/00000000000000000000"), day.clone()] {
        let bytes = fs::read(&file).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"Zamora"), "{}", file.display());
    }

    let shown = audit(&mesh, "lfb", &["show", &index]);
    let text = shown.ok();
    for words in [
        "release\n",
        "for spiffe://london/body/loda/analyst/asha",
        "fire-risk-2026",
        "london.lfb.incidents as statistics: ",
        "'Zamora House'",
        "it is what the record commits to",
        "how record",
        "completed",
        &hex::encode(&record.log_hash),
    ] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    let cells = text.lines().find(|line| line.trim_start().starts_with("cells")).unwrap_or_else(|| panic!("{text}"));
    let number = |word: &str| -> u64 {
        let before = cells.split(word).next().unwrap();
        before.split_whitespace().last().unwrap().parse().unwrap()
    };
    assert_eq!(number(" released"), record.rows, "{cells}");
    assert!(number(" withheld") > 0, "{cells}");
    assert!(audit(&mesh, "lfb", &["show", "999"]).fails(2).contains("no record 999"));

    // Altered, it is told apart.
    let good = fs::read(&day).unwrap();
    let loda = mesh.folder("loda").join("state/secret.key");
    let (own, other) = (mesh.folder("lfb").join("state/secret.key"), fs::read(loda).unwrap());
    let secret = fs::read(&own).unwrap();
    fs::write(&own, other).unwrap();
    assert!(!audit(&mesh, "lfb", &["show", &index]).ok().contains("Zamora"), "under another key");
    fs::write(&own, secret).unwrap();

    // When its days are over it goes with the node's start, and the record stays.
    mesh.stop("lfb");
    append(&mesh.folder("lfb").join("node.toml"), "\n[audit]\nprivate_days = 1\n");
    let yesterday = folder.join("private/2020-01-01");
    fs::write(&yesterday, good).unwrap();
    mesh.start("lfb");
    assert!(!yesterday.exists() && day.exists());
    fs::remove_file(&day).unwrap();
    let shown = audit(&mesh, "lfb", &["show", &index]);
    assert!(shown.ok().contains("deleted; the record commits to") && !shown.ok().contains("Zamora"), "{}", shown.ok());
}

#[test]
fn a_release_that_was_interrupted_has_its_private_part_after_a_crash() {
    let mesh = Mesh::small();
    let mut at_gla = mesh.client("gla", Some(&mesh.node_pair("loda")));
    let sql = "SELECT a.gss FROM gla.boroughs a, gla.boroughs b, gla.boroughs c, gla.boroughs d, gla.boroughs e \
               WHERE a.gss <> 'Zamora'";
    let ticket = super::support::remote_ticket(sql, "", "fire-risk");
    at_gla
        .read_with(ticket, |count| {
            if count == 3 {
                mesh.kill("gla");
            }
        })
        .unwrap_err();
    let index = of_kind(&mesh, "gla", "release").last().unwrap().json["index"].to_string();
    assert!(audit(&mesh, "gla", &["show", &index]).ok().contains("'Zamora'"), "it was durable before the first byte");
    mesh.start("gla");
    let shown = audit(&mesh, "gla", &["show", &index]);
    assert!(shown.ok().contains("'Zamora'") && shown.ok().contains("the node stopped"), "{}", shown.ok());
}

#[test]
fn many_near_counts_alert_the_owner_once_and_nobody_else() {
    let mesh = Mesh::prepared();
    let rare = |name: &str| format!("2021-05-05,E09000007,W,1,1,No,No,{name}\n");
    append(
        &mesh.folder("lfb").join("data/dwelling_fires.csv"),
        &["Zamora A", "Zamora B", "Zamora C", "Zamora D"].map(rare).concat(),
    );
    append(&mesh.folder("lfb").join("node.toml"), "\n[audit]\nnear_alert = 3\n");
    mesh.start_all();
    let without = |name: &str| format!("SELECT COUNT(*) AS n FROM lfb.incidents WHERE property_type <> '{name}'");
    mesh.ask(&without("nothing")).ok();
    // One pair, then two more: the limit is passed.
    mesh.ask(&without("Zamora A")).ok();
    until("the first two are over", || (of_kind(&mesh, "lfb", "outcome").len() == 2).then_some(()));
    assert!(of_kind(&mesh, "lfb", "alert").is_empty());
    mesh.ask(&without("Zamora B")).ok();
    mesh.ask(&without("Zamora C")).ok();
    mesh.ask(&without("Zamora D")).ok();
    // The next record brings what was written before onto the disk.
    let alerts = until("the alerts are in the log", || {
        let all_over = of_kind(&mesh, "lfb", "outcome").len() == 5;
        let alerts = of_kind(&mesh, "lfb", "alert");
        (all_over && alerts.len() >= 2).then_some(alerts)
    });
    let who: Vec<String> = alerts.iter().map(|line| line.json["alert"]["who"].to_string()).collect();
    assert_eq!(who, ["\"analyst\"", "\"agreement\""], "once each");
    assert!(alerts[0].json["alert"]["name"].to_string().contains("analyst/asha"), "{}", alerts[0].json);
    assert_eq!(alerts[1].json["alert"]["name"], "fire-risk-2026");
    assert_eq!(alerts[0].json["alert"]["limit"], 3);
    assert!(alerts[0].json["alert"]["pairs"].is_null(), "how many there are is private");
    let told = || mesh.log("lfb").matches("many counts of a day are near each other").count();
    until("the operator is told", || (told() >= 2).then_some(()));
    assert_eq!(told(), 2, "once each");
    assert!(!mesh.log("loda").contains("near each other"));

    let listed = audit(&mesh, "lfb", &["alerts"]);
    let text = listed.ok();
    assert_eq!(text.lines().filter(|line| line.starts_with("Alert, record ")).count(), 2, "{text}");
    let line = text.lines().find(|line| line.contains("near pairs  london.lfb.incidents")).unwrap();
    assert!(
        line.contains("10 near pairs") && line.contains("fire-risk-2026") && line.contains("analyst/asha"),
        "{text}"
    );
    let index = alerts[0].json["index"].to_string();
    assert!(
        audit(&mesh, "lfb", &["show", &index]).ok().contains("pairs      3"),
        "those of the day when it was passed"
    );
    assert!(audit(&mesh, "gla", &["alerts"]).ok().contains("No near pairs"));
}
