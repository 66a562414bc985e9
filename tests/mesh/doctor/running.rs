//! Faults of a node that runs: others that are away, what the authority says of it, and what it remembers.

use std::fs;
use std::time::Duration;

use meridian_certs::Validity;

use super::super::support::{Running, certify_analyst, meridian, until};
use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

#[test]
fn the_faults_of_a_node_that_runs_are_found() {
    let patient = Patient::new();
    let mesh = &patient.town.mesh;
    let text = Running::start(meridian().args(["node", "check", "--config"]).arg(patient.at("node.toml"))).end();
    let said = text.ok();
    for words in ["1 of 1 other members", "the node (process ", "1 other members run version", "2 datasets"] {
        assert!(said.contains("ok") && said.contains(words), "{words}: {said}");
    }

    let gla = ["gla can't be reached", "ask the operator"];
    patient.finds("warning", "members", &gla, || mesh.stop("gla"), || mesh.start("gla"));
    let none = ["none of the other members", "firewall"];
    patient.finds("fault", "members", &none, || mesh.stop("gla"), || mesh.start("gla"));
    let authority = || patient.town.kill_authority();
    patient.finds("warning", "authority", &["authorities in node.toml"], authority, || patient.town.start_authority());
    let version = || fs::read(patient.at("state/membership")).unwrap();
    let and_known = |verb: &[&str]| {
        let before = version();
        patient.town.run(verb).ok();
        until("the node knows it", || (version() != before).then_some(()));
    };
    patient.finds(
        "fault",
        "membership.own",
        &["suspended", "ask the authority"],
        || and_known(&["authority", "suspend", "lfb"]),
        || and_known(&["authority", "resume", "lfb"]),
    );
    let elsewhere = |endpoint: &str| and_known(&["authority", "move", "lfb", "--endpoint", endpoint]);
    let here = format!("https://{}", mesh.address("lfb"));
    let away = || elsewhere("https://127.0.0.1:1");
    patient.finds("warning", "node.endpoint", &["127.0.0.1:1", "authority move"], away, || elsewhere(&here));
    let evidence = ["gla", "said two things", "evidence-"];
    patient.finds_in("state/witness/gla/evidence-1-2-ab", "warning", "witness", &evidence, write(""));
    patient.finds_in("state/analysts/analysts.json", "fault", "analysts", &["analysts.json"], write("{"));
    let analysts = mesh.analysts("lfb");
    let week = || drop(certify_analyst(&analysts, "bo", Validity::from_now(DAY * 7)));
    let year = || drop(certify_analyst(&analysts, "bo", Validity::from_now(DAY * 365)));
    patient.finds("warning", "analysts", &["bo", "analyst add"], week, year);
    // A restart after the rows of this period were lost takes them anew.
    let lost = || {
        mesh.stop("lfb");
        let snapshots = fs::read_dir(patient.at("state/snapshots")).unwrap();
        snapshots.for_each(|file| fs::remove_file(file.unwrap().path()).unwrap());
    };
    patient.finds("warning", "snapshot", &["people has no rows", "start the node"], lost, || mesh.start("lfb"));
    // What answers is another node than that of this state folder.
    let other = patient.at("other");
    fs::create_dir(&other).unwrap();
    mode(&other, 0o700);
    for file in ["secret.key", "membership"] {
        fs::copy(patient.at("state").join(file), other.join(file)).unwrap();
    }
    let audit = other.join("audit");
    fs::create_dir(&audit).unwrap();
    fs::write(audit.join("lock"), "").unwrap();
    let found = || replaced(&patient.at("node.toml"), "state = \"state\"", "state = \"other\"");
    let back = || replaced(&patient.at("node.toml"), "state = \"other\"", "state = \"state\"");
    patient.finds("fault", "state.lock", &["has not locked", "another state folder"], found, back);
}
