//! Logs that others keep an eye on: receipts that are witnessed, and what an operator proves by the log.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::support::{Mesh, Ran, Running, meridian, scratch, until};

const SQL: &str = "SELECT borough_gss, COUNT(*) AS fires FROM lfb.incidents WHERE year = 2021 GROUP BY borough_gss";

/// A command about a body's log.
fn audit(mesh: &Mesh, body: &str, arguments: &[&str]) -> Ran {
    let mut command = meridian();
    command.arg("audit").args(arguments).arg("--config").arg(mesh.folder(body).join("node.toml"));
    Running::start(&mut command).end()
}

/// A command about a receipt, offline.
fn receipt(mesh: &Mesh, verb: &str, file: &Path) -> Ran {
    let mut command = meridian();
    command.args(["receipt", verb]).arg(file).arg("--ca").arg(mesh.ca());
    Running::start(&mut command).end()
}

/// A receipt of LODA's analyst in a file.
fn kept(mesh: &Mesh) -> PathBuf {
    let file = scratch("receipts").join("fires.receipt");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    mesh.run(&["query", "--receipt-file", file.to_str().unwrap(), "--", SQL]).ok();
    file
}

#[test]
fn a_receipt_is_checked_offline_and_becomes_witnessed() {
    let mesh = Mesh::small();
    let file = kept(&mesh);
    let shown = receipt(&mesh, "show", &file);
    for words in
        ["lfb released statistics", "asha, an analyst of loda", "Purpose", "fire-risk", "unwitnessed: no other body"]
    {
        assert!(shown.ok().contains(words), "{words} is not in\n{}", shown.ok());
    }
    assert!(receipt(&mesh, "verify", &file).ok().contains("unwitnessed"));
    until("the logs are witnessed", || {
        let mut command = meridian();
        let command = command.args(["receipt", "witness"]).arg(&file).arg("--profile").arg(mesh.profile());
        let ran = Running::start(command).end();
        ran.ok();
        ran.stderr.contains(", witnessed by").then_some(())
    });
    let shown = receipt(&mesh, "show", &file);
    assert!(!shown.ok().contains("unwitnessed") && shown.ok().contains("witnessed by"), "{}", shown.ok());
    let verified = receipt(&mesh, "verify", &file);
    assert!(
        verified.ok().contains("all signatures hold") && verified.ok().contains(", witnessed by"),
        "{}",
        verified.ok()
    );
    // Of a changed one nothing is believed.
    let good = fs::read(&file).unwrap();
    let words = b"fire-risk";
    let mut bad = good.clone();
    let place = bad.windows(words.len()).position(|window| window == words).unwrap();
    bad[place] ^= 1;
    fs::write(&file, bad).unwrap();
    let shown = receipt(&mesh, "show", &file);
    assert_eq!(shown.code, Some(1));
    assert!(shown.stderr.contains("don't rely on this answer"), "{}", shown.stderr);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("DO NOT RELY ON IT"));
    // Peers hold what they cosigned, and so can hold this log against it.
    // The first of its witnesses is the body that follows it in the order of names.
    let held = mesh.folder("loda").join("state/witness/lfb/checkpoint");
    let against = audit(&mesh, "lfb", &["verify", "--against", held.to_str().unwrap()]);
    assert!(against.ok().contains("continues      the checkpoint of"), "{}", against.ok());
    let other = audit(&mesh, "gla", &["verify", "--against", held.to_str().unwrap()]);
    assert!(other.fails(2).contains("is no checkpoint of this log"), "{}", other.stderr);
}

#[test]
fn an_operator_searches_exports_and_proves() {
    let mesh = Mesh::small();
    mesh.ask(SQL).ok();
    mesh.ask("SELECT COUNT(hmo) AS n FROM lfb.nothing").fails(1);
    mesh.ask("SELECT gss FROM gla.boroughs").ok();
    let mut camden = mesh.client("lfb", Some(&mesh.node_pair("gla")));
    camden.remote("SELECT * FROM lfb.incidents").unwrap_err();
    until("the release has ended", || mesh.records("lfb").iter().any(|line| line.outcome_of().is_some()).then_some(()));
    let verified = audit(&mesh, "lfb", &["verify"]);
    assert!(verified.ok().contains("The log of lfb holds"), "{}", verified.ok());
    let key = verified.ok().lines().find_map(|line| line.trim().strip_prefix("key")).unwrap().trim().to_owned();

    let found = |arguments: &[&str]| -> Vec<Value> {
        let all = [&["search", "--format", "json"], arguments].concat();
        serde_json::from_str(audit(&mesh, "lfb", &all).ok()).unwrap()
    };
    let all = found(&[]);
    assert!(all.len() >= 2, "{all:?}");
    let completed = found(&["--outcome", "completed", "--analyst", "analyst/asha", "--purpose", "fire-risk"]);
    assert_eq!(completed.len(), 1, "{all:?}");
    assert_eq!(completed[0]["agreements"], "fire-risk-2026");
    assert!(completed[0]["rows"].as_u64().unwrap() > 0 && completed[0]["bytes"].as_u64().unwrap() > 0);
    assert_eq!(found(&["--outcome", "refused", "--caller", "body/gla/"]).len(), 1);
    assert_eq!(found(&["--dataset", "lfb.incidents", "--agreement", "fire-risk-2026"]).len(), 1);
    for none in [["--caller", "camden"], ["--to", "2020-01-01"], ["--from", "2099-01-01"], ["--purpose", "other"]] {
        assert!(found(&none).is_empty(), "{none:?}");
    }
    let csv = audit(&mesh, "lfb", &["search", "--format", "csv"]);
    assert!(csv.ok().starts_with("record,time,outcome,caller") && csv.ok().lines().count() == all.len() + 1);
    assert!(audit(&mesh, "lfb", &["search"]).ok().contains("completed"));

    let exported = audit(&mesh, "lfb", &["export"]);
    let records = mesh.records("lfb");
    assert_eq!(exported.ok().lines().count(), records.len());
    for (line, record) in exported.ok().lines().zip(&records) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!((&line["index"], line["hash"].as_str().unwrap()), (&record.json["index"], record.hash.as_str()));
    }

    let index = completed[0]["index"].to_string();
    let proof = scratch("proofs").with_extension("tlog-proof");
    until("the record is published", || {
        let ran = audit(&mesh, "lfb", &["prove", &index, "--out", proof.to_str().unwrap()]);
        (ran.code == Some(0)).then_some(())
    });
    let check = |key: &str| Running::start(meridian().args(["audit", "check"]).arg(&proof).args(["--key", key])).end();
    assert!(check(&key).ok().contains(&format!("Record {index} is in the log london/lfb/log")));
    let gla = audit(&mesh, "gla", &["verify"]);
    let other = gla.ok().lines().find_map(|line| line.trim().strip_prefix("key")).unwrap().trim();
    assert!(check(other).fails(1).contains("proves nothing"));
    let text = fs::read_to_string(&proof).unwrap();
    fs::write(&proof, text.replacen("extra e", "extra f", 1)).unwrap();
    assert!(check(&key).fails(1).contains("proves nothing"));
}
