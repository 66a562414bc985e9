//! Groups of analysts for which an agreement holds: kept by the analysts' own body, asked for by the owner.

use std::fs;

use super::support::{Mesh, Ran, Running, meridian, until};

const SQL: &str = "SELECT COUNT(*) AS fires FROM lfb.incidents";

/// Runs `meridian analyst …` at LODA's node.
fn analyst(mesh: &Mesh, arguments: &[&str]) -> Ran {
    let mut command = meridian();
    command.arg("analyst").args(arguments).arg("--config").arg(mesh.folder("loda").join("node.toml"));
    Running::start(&mut command).end()
}

#[test]
fn an_agreement_holds_for_a_group_that_the_analysts_own_body_keeps() {
    let mesh = Mesh::prepared();
    let agreement = mesh.folder("lfb").join("agreements/fire-risk-2026.toml");
    let text = fs::read_to_string(&agreement).unwrap();
    fs::write(&agreement, text.replacen("\nstart = ", "\ngroups = [\"fire_team\"]\nstart = ", 1)).unwrap();
    mesh.start_all();

    let refused = mesh.ask(SQL);
    assert!(refused.fails(1).contains("put you into the group fire_team"), "{}", refused.stderr);
    assert!(refused.stderr.contains("fire-risk-2026"), "{}", refused.stderr);

    // Without a restart, as soon as the node has read its list again.
    analyst(&mesh, &["group", "asha", "planning", "fire_team"]).ok();
    assert!(analyst(&mesh, &["list"]).ok().contains("fire_team, planning"));
    let receipt = mesh.dir.join("receipt");
    let asked = ["query", "--receipt-file", receipt.to_str().unwrap(), SQL];
    until("asha is in the group", || {
        fs::remove_file(&receipt).ok();
        (mesh.run(&asked).code == Some(0)).then_some(())
    });
    let shown = Running::start(meridian().args(["receipt", "show", "--ca"]).arg(mesh.ca()).arg(&receipt)).end();
    assert!(shown.ok().contains("fire_team, planning"), "{}", shown.ok());
    let released = mesh.records("lfb").into_iter().rev().find(|line| line.released().is_some()).unwrap();
    assert_eq!(released.json["release"]["groups"], serde_json::json!(["fire_team", "planning"]));

    // Another certificate of theirs is in the same groups; those of somebody else are in none.
    let own = mesh.dir.join("again");
    analyst(&mesh, &["add", "asha", "--dir", own.to_str().unwrap()]).ok();
    let ben = mesh.dir.join("ben");
    analyst(&mesh, &["add", "ben", "--group", "planning", "--dir", ben.to_str().unwrap()]).ok();
    let ask = |profile: &std::path::Path| {
        let mut command = meridian();
        command.args(["query", "--purpose", "fire-risk", "--profile"]).arg(profile.join("profile.toml")).arg(SQL);
        Running::start(&mut command).end()
    };
    until("the new certificate is known", || (ask(&own).code == Some(0)).then_some(()));
    until("ben is known", || ask(&ben).stderr.contains("put you into the group fire_team").then_some(()));

    analyst(&mesh, &["group", "asha", "planning"]).ok();
    until("asha has left the group", || (mesh.ask(SQL).code == Some(1)).then_some(()));
    assert!(analyst(&mesh, &["group", "nobody", "fire_team"]).fails(1).contains("no analyst of this body"));
}
