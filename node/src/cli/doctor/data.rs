//! What the node gives: whether sources can be read, and whether rows keep to their standards.

use chrono::Utc;
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use meridian_proto::Form;

use super::code::Code;
use super::report::Report;
use crate::app::conformance;
use crate::config::{Config, DatasetConfig};
use crate::sources;

/// Looks at it.
pub(super) async fn look(config: &Config, thorough: bool, report: &mut Report) {
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
}

/// Whether an object store can be reached, and its bucket be listed.
async fn store(store: &sources::Store, report: &mut Report) {
    let (code, config) = (Code::Store, store.config());
    match store.reachable().await {
        Ok(()) => report.good(code, format!("the bucket {} can be listed", config.bucket)),
        Err(fault) => {
            let what = format!("the bucket {}: {fault}", config.bucket);
            report.fault(code, what, "correct [[stores]] in node.toml, or what stands behind it, and restart the node");
        }
    }
}

/// Whether an engine can be reached, and lets the node in.
async fn engine(engine: &sources::FlightEngine, report: &mut Report) {
    let (code, name) = (Code::Engine, &engine.config().name);
    match engine.reachable().await {
        Ok(()) => report.good(code, format!("{name} can be reached")),
        Err(fault) => {
            let fix = "correct [[engines]] in node.toml, or what stands behind it, and restart the node";
            report.fault(code, format!("{name}: {fault}"), fix);
        }
    }
}

/// Whether a source can be read, and its mapping fits the dataset; every row where it may take long.
async fn source(config: &DatasetConfig, thorough: bool, report: &mut Report) {
    let (code, name) = (Code::Source, config.name());
    let context = SessionContext::new_with_config(meridian_federation::session::session_config());
    let fix = format!("correct the source, or {}", config.file.display());
    let loaded = match sources::load(&config.source, &context, Utc::now()).await {
        Ok(loaded) => loaded,
        Err(error) => {
            report.fault(code, format!("{name}: {error}"), fix);
            return;
        }
    };
    if let Some(found) = &loaded.addresses {
        report.good(Code::Addresses, format!("{name}: {found}"));
    }
    if !thorough {
        report.good(code, format!("{name} can be read"));
        return;
    }
    let counted = async {
        let frame = context.execute_logical_plan(loaded.plan.clone()).await?;
        let batches = frame.execute_stream().await?;
        batches.try_fold(0, |rows, batch| async move { Ok(rows + batch.num_rows()) }).await
    };
    match counted.await {
        Ok(rows) => report.good(code, format!("{name}: all {rows} rows can be read")),
        Err(error) => report.fault(code, format!("{name}: {}", error.strip_backtrace()), fix),
    }
}

/// Whether the rows keep to the standard. That the columns do the configuration has shown, and that the source can be read
/// was looked at before.
async fn standard(config: &DatasetConfig, report: &mut Report) {
    let (code, name) = (Code::Standard, config.name());
    let file = config.file.display();
    if let (Some(standard), None) = (&config.dataset.standard, &config.standard) {
        let what = format!("{name} claims the standard {standard}, which this node does not know");
        report.warning(Code::StandardUnknown, what, format!("add its file to the folder standards, or correct {file}"));
    }
    let Ok(Some(found)) = conformance::look(config, Utc::now()).await else { return };
    if found.holds() {
        report.good(code, format!("{name}: all {} rows conform to {}", found.rows, found.standard));
        return;
    }
    let what = format!("{name} does not conform to {}: {}", found.standard, found.faults().join("; "));
    report.warning(
        code,
        what,
        format!("`meridian standard check` names rows; correct the source or the mapping in {file}"),
    );
}
