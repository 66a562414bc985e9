//! What the node remembers: snapshots, its log, the list of rights, and what witnesses hold of its log and others'.

use std::fs;
use std::path::Path;

use chrono::Utc;
use meridian_proto::{Form, Witnessed};

use super::code::Code;
use super::identity;
use super::report::Report;
use crate::app;
use crate::audit::{self, LogKey};
use crate::config::{Config, DatasetConfig};
use crate::rights::Store;
use crate::secrets::{Purpose, Secret};
use crate::sources::{SNAPSHOTS, period_start};
use crate::witness::{COSIGNED, ENOUGH};

/// Looks at it.
pub(super) fn look(config: &Config, running: bool, thorough: bool, report: &mut Report) {
    let state = &config.node.state;
    // What was never started has nothing to remember.
    if let Ok(secret) = Secret::read(state) {
        log(config, &secret, running, thorough, report);
        rights(config, &secret, report);
        for dataset in config.datasets.iter().filter(|dataset| dataset.dataset.form == Form::Statistics) {
            snapshot(&state.join(SNAPSHOTS), dataset, report);
        }
        witnessed(config, report);
    }
    evidence(&state.join("witness"), report);
}

/// Whether the log holds; without reading all of it, whether its end does.
fn log(config: &Config, secret: &Secret, running: bool, thorough: bool, report: &mut Report) {
    let (code, node) = (Code::Log, &config.node);
    let folder = node.state.join("audit");
    if !folder.exists() {
        report.good(code, "none yet");
        return;
    }
    let name = audit::origin(node.federation.as_str(), node.body.as_str());
    let key = LogKey::new(&name, &secret.key(Purpose::Log)).verifier();
    let fix = "stop the node, keep a copy of the folder, and find out who changed it; a backup of the whole folder that is \
               not older than what witnesses hold may take its place";
    if thorough {
        match audit::verify(&folder, &key, &secret.key(Purpose::Audit), &[]) {
            Ok(found) => report.good(code, format!("{} records, and all of them hold", found.records)),
            Err(error) => report.fault(code, error.to_string(), fix),
        }
        return;
    }
    match audit::records(&folder) {
        Ok(records) => {
            let beside = if running { ", and goes on" } else { "" };
            report.good(code, format!("it can be read, {} records{beside}; --thorough verifies it", records.len()));
        }
        Err(error) => report.fault(code, error.to_string(), fix),
    }
}

fn rights(config: &Config, secret: &Secret, report: &mut Report) {
    let (code, state) = (Code::Rights, &config.node.state);
    // A log that can't be read is told as such.
    let least = audit::rights(&state.join("audit")).map(|rights| rights.last()).unwrap_or_default();
    match Store::new(state, secret).read(least) {
        Ok(list) => report.good(code, format!("{} rights were exercised", list.entries().len())),
        Err(error) => {
            let fix = "restore state/rights.sealed together with state/secret.key, not older than the log: until then no \
                       dataset with a unit is given";
            report.fault(code, error.to_string(), fix);
        }
    }
}

/// Whether the rows of this period are there: all questions of the period see the same ones.
fn snapshot(folder: &Path, config: &DatasetConfig, report: &mut Report) {
    let (code, name) = (Code::Snapshot, config.name());
    let Some(start) = period_start(config.as_of, Utc::now()) else { return };
    let day = start.date_naive();
    let taken: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|file| file.file_name().into_string().ok())
        .filter(|file| file.starts_with(&format!("{name}.")) && file.ends_with(".snapshot"))
        .collect();
    if taken.iter().any(|file| file.contains(&format!(".{day}."))) {
        report.good(code, format!("{name} has the rows of the period that began on {day}"));
        return;
    }
    let what = match taken.is_empty() {
        true => format!("{name} has no rows of the period that began on {day}"),
        false => format!("{name} has rows of an earlier period than that which began on {day}"),
    };
    let fix = "start the node, which takes them when it starts and when a period begins; where it runs, its log says why it could not";
    report.warning(code, what, fix);
}

/// Whether enough others have confirmed this node's log.
fn witnessed(config: &Config, report: &mut Report) {
    let (code, state) = (Code::WitnessMissing, &config.node.state);
    if !state.join("audit").exists() {
        return;
    }
    let kept = fs::read(state.join("witness").join(COSIGNED)).ok().and_then(|bytes| Witnessed::decode(&bytes).ok());
    let count = kept.map(|kept| kept.witnesses.len()).unwrap_or_default();
    let what = format!("{count} other bodies have confirmed this node's log");
    if count >= ENOUGH {
        report.good(code, what);
    } else if others(config) < ENOUGH {
        report.good(code, format!("{what}; there are too few bodies for {ENOUGH}"));
    } else {
        let fix =
            format!("see that the node runs and reaches {ENOUGH} other members: until then receipts say unwitnessed");
        report.warning(code, what, fix);
    }
}

/// How many other bodies there are, as far as it is known.
fn others(config: &Config) -> usize {
    let node = &config.node;
    let members = identity::read(&node.state.join(app::MEMBERSHIP_FILE)).map(|(_, membership)| membership.members);
    members.map_or_else(|_| node.members.len(), |members| members.len()).saturating_sub(1)
}

/// Checkpoints of others that contradict each other are kept, and somebody has to look at them.
fn evidence(folder: &Path, report: &mut Report) {
    let bodies = fs::read_dir(folder).into_iter().flatten().flatten();
    let evidence = bodies.filter_map(|body| {
        let files = fs::read_dir(body.path()).into_iter().flatten().flatten();
        let found = files.filter(|file| file.file_name().to_string_lossy().starts_with("evidence-")).count();
        (found > 0).then(|| body.file_name().to_string_lossy().into_owned())
    });
    for body in evidence {
        let shown = folder.join(&body);
        let what = format!("the log of {body} said two things: both of its checkpoints are in {}", shown.display());
        let fix = format!("ask {body}, and tell the federation's authority; then move the files evidence-* elsewhere");
        report.warning(Code::WitnessEvidence, what, fix);
    }
}
