//! What the node gives and remembers: sources, agreements, its log, what its witnesses found.

use std::fs;
use std::path::Path;

use chrono::Utc;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use meridian_proto::Form;

use super::report::Report;
use crate::app::conformance;
use crate::audit::{self, LogKey};
use crate::config::{AgreementConfig, Config, DatasetConfig};
use crate::rights::Store;
use crate::secrets::{Purpose, Secret};
use crate::sources;

/// An agreement that ends within so many days is told.
const SOON: i64 = 30;

/// Looks at it.
pub(super) async fn look(config: &Config, running: bool, thorough: bool, report: &mut Report) {
    for store in &config.node.stores {
        self::store(store, report).await;
    }
    for engine in &config.node.engines {
        self::engine(engine, report).await;
    }
    for dataset in config.datasets.iter().filter(|dataset| dataset.dataset.form != Form::None) {
        source(dataset, thorough, report).await;
        standard(dataset, report).await;
    }
    for agreement in &config.agreements {
        self::agreement(config, agreement, report);
    }
    let state = &config.node.state;
    // What was never started has nothing to remember.
    if let Ok(secret) = Secret::read(state) {
        log(config, &secret, running, thorough, report);
        rights(config, &secret, report);
    }
    witnesses(&state.join("witness"), report);
}

/// Whether an object store can be reached, and its bucket be listed.
async fn store(store: &sources::Store, report: &mut Report) {
    let (check, config) = ("store", store.config());
    match store.reachable().await {
        Ok(()) => report.good(check, format!("the bucket {} can be listed", config.bucket)),
        Err(fault) => {
            let what = format!("the bucket {}: {fault}", config.bucket);
            report.fault(
                check,
                what,
                "correct [[stores]] in node.toml, or what stands behind it, and restart the node",
            );
        }
    }
}

/// Whether an engine can be reached, and lets the node in.
async fn engine(engine: &sources::FlightEngine, report: &mut Report) {
    let (check, name) = ("engine", &engine.config().name);
    match engine.reachable().await {
        Ok(()) => report.good(check, format!("{name} can be reached")),
        Err(fault) => {
            let fix = "correct [[engines]] in node.toml, or what stands behind it, and restart the node";
            report.fault(check, format!("{name}: {fault}"), fix);
        }
    }
}

/// Whether a source can be read, and its mapping fits the dataset; every row where it may take long.
async fn source(config: &DatasetConfig, thorough: bool, report: &mut Report) {
    let (check, name) = ("source", config.name());
    let context = SessionContext::new_with_config(meridian_federation::session::session_config());
    let fix = format!("correct the source, or {}", config.file.display());
    let loaded = match sources::load(&config.source, &context, Utc::now()).await {
        Ok(loaded) => loaded,
        Err(error) => {
            report.fault(check, format!("{name}: {error}"), fix);
            return;
        }
    };
    if let Some(found) = &loaded.addresses {
        report.good("addresses", format!("{name}: {found}"));
    }
    if !thorough {
        report.good(check, format!("{name} can be read"));
        return;
    }
    let counted = async {
        let frame = context.execute_logical_plan(loaded.plan.clone()).await?;
        let batches = frame.execute_stream().await?;
        batches.try_fold(0, |rows, batch| async move { Ok(rows + batch.num_rows()) }).await
    };
    match counted.await {
        Ok(rows) => report.good(check, format!("{name}: all {rows} rows can be read")),
        Err(error) => report.fault(check, format!("{name}: {}", error.strip_backtrace()), fix),
    }
}

/// Whether the rows keep to the standard. That the columns do the configuration has shown, and that the source can be read
/// was looked at before.
async fn standard(config: &DatasetConfig, report: &mut Report) {
    let (check, name) = ("standard", config.name());
    let file = config.file.display();
    if let (Some(standard), None) = (&config.dataset.standard, &config.standard) {
        let what = format!("{name} claims the standard {standard}, which this node does not know");
        report.warning(check, what, format!("add its file to the folder standards, or correct {file}"));
    }
    let Ok(Some(found)) = conformance::look(config, Utc::now()).await else { return };
    if found.holds() {
        report.good(check, format!("{name}: all {} rows conform to {}", found.rows, found.standard));
        return;
    }
    let what = format!("{name} does not conform to {}: {}", found.standard, found.faults().join("; "));
    report.warning(
        check,
        what,
        format!("`meridian standard check` names rows; correct the source or the mapping in {file}"),
    );
}

fn agreement(config: &Config, agreement: &AgreementConfig, report: &mut Report) {
    let (check, id, today) = ("agreement", &agreement.id, Utc::now().date_naive());
    let left = (agreement.end - today).num_days();
    let file = agreement.file.display();
    if today < agreement.start {
        report.good(check, format!("{id} is in force from {}", agreement.start));
    } else if left <= 0 {
        let what = format!("{id} ended on {}, and gives nothing any more", agreement.end);
        report.warning(check, what, format!("agree on another end, or remove {file}"));
    } else if left <= SOON {
        report.warning(check, format!("{id} ends in {left} days"), "agree on another end, or tell those who use it");
    } else {
        report.good(check, format!("{id} is in force until {}", agreement.end));
    }
    let endless = |grant: &&crate::config::GrantConfig| {
        let dataset = config.dataset(grant.dataset.as_str());
        grant.form == Form::Statistics && grant.allowance.is_none() && dataset.is_some_and(|it| it.tables.is_empty())
    };
    for grant in agreement.grants.iter().filter(endless) {
        let what = format!("{id} lets statistics of {} be asked without end", grant.dataset);
        report.warning("agreement.allowance", what, format!("add an allowance to the grant in {file}"));
    }
}

/// Whether the log holds; without reading all of it, whether its end does.
fn log(config: &Config, secret: &Secret, running: bool, thorough: bool, report: &mut Report) {
    let (check, node) = ("log", &config.node);
    let folder = node.state.join("audit");
    if !folder.exists() {
        report.good(check, "none yet");
        return;
    }
    let name = audit::origin(node.federation.as_str(), node.body.as_str());
    let key = LogKey::new(&name, &secret.key(Purpose::Log)).verifier();
    let fix = "stop the node, keep a copy of the folder, and find out who changed it; a backup of the whole folder that is \
               not older than what witnesses hold may take its place";
    if thorough {
        match audit::verify(&folder, &key, &secret.key(Purpose::Audit), &[]) {
            Ok(found) => report.good(check, format!("{} records, and all of them hold", found.records)),
            Err(error) => report.fault(check, error.to_string(), fix),
        }
        return;
    }
    match audit::records(&folder) {
        Ok(records) => {
            let beside = if running { ", and goes on" } else { "" };
            report.good(check, format!("it can be read, {} records{beside}; --thorough verifies it", records.len()));
        }
        Err(error) => report.fault(check, error.to_string(), fix),
    }
}

fn rights(config: &Config, secret: &Secret, report: &mut Report) {
    let store = Store::new(&config.node.state, secret);
    match store.read(0) {
        Ok(list) => report.good("rights", format!("{} rights were exercised", list.entries().len())),
        Err(error) => {
            report.fault("rights", error.to_string(), "restore state/rights.sealed together with state/secret.key");
        }
    }
}

/// Checkpoints of others that contradict each other are kept, and somebody has to look at them.
fn witnesses(folder: &Path, report: &mut Report) {
    let bodies = fs::read_dir(folder).into_iter().flatten().flatten();
    let evidence = bodies.filter_map(|body| {
        let files = fs::read_dir(body.path()).into_iter().flatten().flatten();
        let found = files.filter(|file| file.file_name().to_string_lossy().starts_with("evidence-")).count();
        (found > 0).then(|| body.file_name().to_string_lossy().into_owned())
    });
    for body in evidence {
        let what = format!(
            "the log of {body} said two things: both of its checkpoints are in {}",
            folder.join(&body).display()
        );
        report.warning("witness", what, format!("ask {body}, and tell the federation's authority"));
    }
}
