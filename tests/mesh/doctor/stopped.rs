//! Faults of a node that does not run: machine, ports, and what it keeps.

use std::cell::RefCell;
use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::Command;

use super::super::support::{Running, free, meridian, until};
use super::*;

#[test]
fn the_faults_of_machine_ports_and_state_are_found() {
    let patient = Patient::new();
    let mesh = &patient.town.mesh;
    // Somebody has objected, so that there is a list of rights.
    let mut object = meridian();
    object.args(["rights", "object", "--kind", "person", "--unit", "7", "--config"]).arg(patient.at("node.toml"));
    Running::start(&mut object).end().ok();
    until("the log knows", || mesh.records("lfb").iter().any(|line| line.json["right"].is_object()).then_some(()));
    mesh.stop("lfb");
    let (toml, state) = ("node.toml", patient.at("state"));

    patient.finds_in(toml, "fault", "machine.memory", &["memory_mib"], |path| {
        fs::write(path, fs::read_to_string(path).unwrap() + "[limits]\nmemory_mib = 99999999\n").unwrap();
    });
    patient.finds_and_runs("warning", "state.folder", &["chmod 700"], || mode(&state, 0o755));
    let aside = patient.at("aside");
    patient.finds(
        "fault",
        "state.folder",
        &["can't be looked at", "install -d -m 700"],
        || fs::rename(&state, &aside).unwrap(),
        || fs::rename(&aside, &state).unwrap(),
    );
    if is_root() {
        let another = || chown(state.join("membership"), Some(65534), None).unwrap();
        patient.finds_and_runs("fault", "state.owner", &["membership", "another user", "chown -R"], another);
    }
    patient
        .finds_and_runs("fault", "state.secret", &["others", "chmod 600"], || mode(&state.join("secret.key"), 0o644));
    let gone = |path: &Path| fs::remove_file(path).unwrap();
    patient.finds_in("state/secret.key", "fault", "state.secret", &["gone", "backup"], gone);
    patient.finds_in("state/rights.sealed", "fault", "rights", &["rights.sealed", "secret.key"], write("x"));
    patient.finds_in("state/rights.sealed", "fault", "rights", &["rights.sealed", "older than the log"], gone);
    patient.finds_in("state/membership", "fault", "membership", &["can't be used", "backup"], write("x"));
    let journal = fs::read_dir(state.join("audit/journal")).unwrap().next().unwrap().unwrap().file_name();
    let journal = format!("state/audit/journal/{}", journal.to_str().unwrap());
    patient.finds_in(&journal, "fault", "log", &["damaged", "backup of the whole folder"], |path| {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    });
    // Another process has the log, and no node answers: it is ended as the advice says.
    let locked = state.join("audit/lock");
    let other = RefCell::new(None);
    let lock = || {
        let flock = Command::new("flock").arg("--no-fork").arg(&locked).args(["sleep", "1000"]).spawn().unwrap();
        until("the log is locked", || File::open(&locked).unwrap().try_lock().is_err().then_some(()));
        *other.borrow_mut() = Some(flock);
    };
    let ended = || {
        let found = patient.complaints().into_iter().find(|it| it.code == "state.lock").unwrap();
        patient.run(&found.fix);
        other.borrow_mut().take().unwrap().wait().unwrap();
    };
    patient.finds("fault", "state.lock", &["has locked", "no node answers", "kill "], lock, ended);
    // Somebody else is where the node should be.
    let text: toml::Table = fs::read_to_string(patient.at(toml)).unwrap().parse().unwrap();
    for (key, code) in [("listen", "node.listen"), ("health", "node.health")] {
        let (address, other) = (text[key].as_str().unwrap(), RefCell::new(None));
        let taken = || *other.borrow_mut() = Some(TcpListener::bind(address).unwrap());
        patient.finds("fault", code, &[address, "in node.toml"], taken, || drop(other.take()));
    }
    // The collector of traces is away until it is started.
    let (collector, kept) = (free(), fs::read_to_string(patient.at(toml)).unwrap());
    let wanted = format!("{kept}\n[telemetry]\notlp = \"http://{collector}\"\n");
    let other = RefCell::new(None);
    patient.finds(
        "warning",
        "telemetry",
        &[&collector.to_string(), "start the collector"],
        || fs::write(patient.at(toml), wanted).unwrap(),
        || *other.borrow_mut() = Some(TcpListener::bind(collector).unwrap()),
    );
    fs::write(patient.at(toml), kept).unwrap();
    // The authority has gone on meanwhile: the node takes that when it is started.
    let moved = || {
        patient.town.run(&["authority", "move", "gla", "--endpoint", "https://127.0.0.1:2"]).ok();
    };
    let followed = || {
        let back = format!("https://{}", mesh.address("gla"));
        let before = fs::read(state.join("membership")).unwrap();
        patient.town.run(&["authority", "move", "gla", "--endpoint", &back]).ok();
        mesh.start("lfb");
        until("the node has followed", || (fs::read(state.join("membership")).unwrap() != before).then_some(()));
        mesh.stop("lfb");
    };
    patient.finds("warning", "membership.version", &["see that the node runs"], moved, followed);
    limited(&patient);
}

/// Limits of the process that would start the node.
fn limited(patient: &Patient) {
    let found = |limit: &str| {
        let limited = format!("ulimit {limit} && exec \"$0\" node check --format json --config \"$1\"");
        let mut command = Command::new("sh");
        command.args(["-c", &limited]).arg(meridian().get_program()).arg(patient.at("node.toml"));
        complaints(&Running::start(&mut command).end())
    };
    for (few, enough, code, words) in [
        ("-n 256", "-n 1024", "machine.files", ["256", "ulimit -n 1024"]),
        ("-v 4194304", "-v unlimited", "machine.memory_limit", ["4096 MiB", "memory_mib"]),
    ] {
        let toml = fs::read_to_string(patient.at("node.toml")).unwrap();
        fs::write(patient.at("node.toml"), format!("{toml}\n[limits]\nmemory_mib = 4090\n")).unwrap();
        let told = found(few);
        assert!(told.iter().any(|it| it.code == code && says(it, &words)), "{told:#?}");
        let told = found(enough);
        assert!(!told.iter().any(|it| it.code == code), "{told:#?}");
        fs::write(patient.at("node.toml"), toml).unwrap();
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").unwrap().uid() == 0
}
