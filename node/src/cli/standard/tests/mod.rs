//! Proposals for published files and for made ones, loaded as a node would, and what is said of rows that don't conform.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod check;
mod found;
mod published;
mod shapes;

use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Date32Type, Decimal128Type};
use chrono::{NaiveDate, TimeDelta, Utc};
use datafusion::prelude::SessionContext;
use meridian_federation::session;

use crate::config::{Config, DatasetConfig, built_in};
use crate::sources;
use crate::standards::{Confidence, Proposal, Sheet, Standard, draft, propose};

fn standard(name: &str) -> Arc<Standard> {
    let all = built_in();
    Arc::clone(&all.iter().find(|known| known.standard.name.as_str() == name).unwrap().standard)
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// What is proposed for a file, and the dataset's file that is written.
fn proposed(file: &Path, to: &str) -> (Proposal, String) {
    let (sheet, standard) = (Sheet::open(file, None, None).unwrap(), standard(to));
    let proposal = propose(&sheet, &standard);
    let text = draft(&sheet, &standard, &proposal);
    (proposal, text)
}

/// Where a column comes from, and how sure that is.
fn from<'a>(proposal: &'a Proposal, column: &str) -> Option<(&'a str, Confidence)> {
    let found = proposal.found.iter().find(|found| found.column.as_str() == column).unwrap();
    found.from.as_ref().map(|from| (from.name.as_str(), from.confidence))
}

/// A node that publishes this dataset, as its configuration is read.
fn node(dataset: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    fs::create_dir(folder.path().join("datasets")).unwrap();
    write(
        "node.toml",
        "federation = \"london\"\nbody = \"camden\"\ntitle = \"Camden\"\nlisten = \"127.0.0.1:0\"\nstate = \"state\"\n\
         [tls]\nca = \"ca.pem\"\ncert = \"node.pem\"\nkey = \"node.key\"\n",
    );
    for name in ["ca.pem", "node.pem", "node.key"] {
        write(name, "");
    }
    write("datasets/mapped.toml", dataset);
    let path = folder.path().join("node.toml");
    (folder, path)
}

/// The dataset as it is configured, and its rows as the node would load them.
fn loaded(dataset: &str) -> (DatasetConfig, RecordBatch) {
    let (_folder, path) = node(dataset);
    let config = Config::load(&path).unwrap_or_else(|error| panic!("{error}\n{dataset}")).datasets[0].clone();
    let rows = run(async {
        let context = SessionContext::new_with_config(session::session_config().with_target_partitions(1));
        let loaded = sources::load(&config.source, &context, Utc::now()).await;
        let loaded = loaded.unwrap_or_else(|error| panic!("{error}\n{dataset}"));
        let frame = context.execute_logical_plan(loaded.plan).await.unwrap();
        let batches = frame.collect().await.unwrap();
        concat_batches(&sources::published_schema(&config.dataset), &batches).unwrap()
    });
    (config, rows)
}

fn texts(rows: &RecordBatch, column: &str) -> Vec<Option<String>> {
    let column = rows.column_by_name(column).unwrap().as_string::<i32>();
    column.iter().map(|text| text.map(str::to_owned)).collect()
}

fn pence(rows: &RecordBatch) -> Vec<i128> {
    rows.column_by_name("amount").unwrap().as_primitive::<Decimal128Type>().iter().map(Option::unwrap).collect()
}

fn days(rows: &RecordBatch) -> Vec<Option<String>> {
    let days = rows.column_by_name("paid").unwrap().as_primitive::<Date32Type>();
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).unwrap();
    days.iter().map(|day| day.map(|day| (epoch + TimeDelta::days(day.into())).to_string())).collect()
}

/// A file in a folder of its own.
fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.csv");
    fs::write(&path, text).unwrap();
    (folder, path)
}
