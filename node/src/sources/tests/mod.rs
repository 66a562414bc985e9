//! Sources loaded from real files: what they yield, and what is said when they can't be loaded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod addresses;
mod csv;
mod excel;
mod folders;
pub(super) mod generated;
mod geojson;
mod geoparquet;
mod json;
mod parquet;
mod pieces;
mod promises;
pub(super) mod questions;
mod random;
mod rights;
mod scanned;
mod snapshots;
mod store;
mod units;
mod wild;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::util::pretty::pretty_format_batches;
use chrono::TimeZone;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::prelude::SessionConfig;
use meridian_proto::{Column, Coverage, Covers, Dataset, Form, Role};
use tempfile::TempDir;

use super::*;

/// A dataset whose columns are written `name type` or `name type!` where required.
pub(super) fn dataset(form: Form, columns: &[&str]) -> Dataset {
    let column = |text: &&str| {
        let (name, column_type) = text.split_once(' ').unwrap();
        Column {
            name: name.parse().unwrap(),
            column_type: column_type.trim_end_matches('!').parse().unwrap(),
            role: Role::Hidden,
            required: text.ends_with('!'),
            ranges: false,
            concept: String::new(),
            unit: String::new(),
            description: String::new(),
        }
    };
    Dataset {
        name: "people".parse().unwrap(),
        title: String::new(),
        description: String::new(),
        licence: String::new(),
        form,
        needs_agreement: false,
        columns: columns.iter().map(column).collect(),
        unit_kind: String::new(),
        threshold: 0,
        standard: None,
        coverage: vec![],
        size_class: 0,
        update_frequency: String::new(),
        references: vec![],
        about: meridian_proto::About::default(),
    }
}

/// The same, called otherwise.
pub(super) fn dataset_called(name: &str, form: Form, columns: &[&str]) -> Arc<Dataset> {
    Arc::new(Dataset { name: name.parse().unwrap(), ..dataset(form, columns) })
}

pub(super) fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 6, 15, 12, 0, 0).unwrap()
}

/// A unit that a column names.
fn unit(column: &str, unique: bool) -> UnitSpec {
    let column = Some(column.parse().unwrap());
    UnitSpec { kind: "person".parse().unwrap(), column, unique, record_key: None, key: [3; 16], belongs_to: None }
}

struct Source {
    folder: TempDir,
    spec: SourceSpec,
}

fn csv(text: impl AsRef<[u8]>, columns: &[&str], mapping: Option<&str>) -> Source {
    file("people.csv", text, SourceKind::Csv(CsvFormat::default()), columns, mapping)
}

fn file(name: &str, bytes: impl AsRef<[u8]>, kind: SourceKind, columns: &[&str], mapping: Option<&str>) -> Source {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    let (dataset, mapping) = (Arc::new(dataset(Form::Statistics, columns)), mapping.map(str::to_owned));
    Source { folder, spec: SourceSpec::new(dataset, kind, path, mapping) }
}

pub(super) fn context() -> SessionContext {
    SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2))
}

/// The rows as the session of a query sees them; schema and row count are as promised.
async fn rows(source: &Source) -> String {
    let spec = source.spec.clone();
    // On another thread, as the catalogue loads: the future has to be Send.
    let loaded = tokio::spawn(async move { load(&spec, &context(), now()).await }).await.unwrap().unwrap();
    let frame = context().execute_logical_plan(loaded.plan).await.unwrap();
    let schema = published_schema(&source.spec.dataset);
    let batches = frame.collect().await.unwrap();
    for batch in &batches {
        let types = |schema: &arrow::datatypes::Schema| {
            schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect::<Vec<_>>()
        };
        assert_eq!(types(&batch.schema())[..schema.fields().len()], types(&schema));
    }
    assert_eq!(batches.iter().map(|batch| batch.num_rows() as u64).sum::<u64>(), loaded.rows);
    pretty_format_batches(&batches).unwrap().to_string()
}

#[track_caller]
fn assert_rows(found: &str, expected: &[&str]) {
    let rows: Vec<String> = found
        .lines()
        .filter(|line| line.starts_with('|'))
        .skip(1)
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(rows, expected, "{found}");
}

/// The error's text, the path cut to the file's name, and nothing of a row in it.
async fn refused(source: &Source, secrets: &[&str]) -> String {
    let error = load(&source.spec, &context(), now()).await.expect_err("it must be refused");
    let text = error.to_string().replace(&format!("{}/", source.folder.path().display()), "");
    for secret in secrets {
        assert!(!text.contains(secret) && !format!("{error:?}").contains(secret), "{secret} leaks: {error:?}");
    }
    text
}

/// Entries up to this number, which leave these units out.
fn leaving_out(upto: u64, units: &[&str]) -> RightsSpec {
    let left_out = units.iter().map(|unit| unit_hash(&[3; 16], unit)).collect();
    RightsSpec { entries: (1..=upto).collect(), left_out: Arc::new(left_out), ..RightsSpec::default() }
}
