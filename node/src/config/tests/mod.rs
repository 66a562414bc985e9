//! A valid configuration, and what is said about each way to break it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::fs;
use std::path::Path;

use super::*;

mod addresses;
mod again;
mod agreement;
mod algorithm;
mod controls;
mod databases;
mod dataset;
mod engines;
mod node;
mod published;
mod references;
mod standard;
mod stores;
mod tables;
mod unit;
mod values;
mod view;
mod whole;

const NODE: &str = r#"federation = "london"
body = "lfb"
title = "London Fire Brigade"
listen = "127.0.0.1:50051"
health = "127.0.0.1:50052"
state = "state"

[tls]
ca = "tls/ca.pem"
cert = "tls/node.pem"
key = "tls/node.key"

[limits]
streams = 8

[[members]]
body = "loda"
endpoint = "https://127.0.0.1:50061"
"#;

const INCIDENTS: &str = r#"name = "incidents"
title = "Dwelling fires attended"
description = "One row per dwelling"
licence = "OGL-UK-3.0"
form = "statistics"
recipients = "agreement"
threshold = 12
coverage = { borough_gss = "E09000007", year = 2024 }

[unit]
kind = "dwelling"
column = "uprn"
unique = true

[source]
kind = "csv"
path = "data/incidents.csv"
delimiter = ";"

[mapping]
sql = 'SELECT "UPRN No" AS uprn, ward, borough_gss, year, pumps, note FROM source'

[[columns]]
name = "uprn"
type = "bigint"
role = "identifier"

[[columns]]
name = "borough_gss"
type = "varchar"
role = "dimension"
required = true

[[columns]]
name = "year"
type = "integer"
role = "dimension"
ranges = true

[[columns]]
name = "pumps"
type = "decimal(6,2)"
role = "measure"
bounds = [0, 10.5]

[[columns]]
name = "note"
type = "varchar"
"#;

/// Every key of the release gate.
const VISITS: &str = r#"name = "visits"
title = "Home fire safety visits"
description = "One row per visit"
licence = "OGL-UK-3.0"
form = "statistics"
as_of = "weekly"
noise = { largest = 3, variance = 1.5, forbidden = 2, stay = 0.25 }
dominance = { percent = 12.5, largest = 2, share = 85 }
history = "record"

[unit]
kind = "person"
column = "person_id"
record_key = "record_key"
belongs_to = { kind = "dwelling", column = "uprn" }

[source]
kind = "parquet"
path = "data/visits.parquet"

[[columns]]
name = "person_id"
type = "varchar"

[[columns]]
name = "record_key"
type = "integer"

[[columns]]
name = "uprn"
type = "bigint"
role = "identifier"

[[columns]]
name = "day"
type = "date"
role = "dimension"
bands = ["1969-12-31", "2024-01-01"]

[[columns]]
name = "age"
type = "integer"
role = "measure"
bounds = [0, 120]
bands = [0, 18, 65]

[[columns]]
name = "hmo"
type = "boolean"
role = "dimension"
domain = [true, false]

[[columns]]
name = "cost"
type = "decimal(8,2)"
role = "measure"
bounds = [-100, 5000]
precision = 0.05
"#;

const STATIONS: &str = r#"name = "stations"
title = "Fire stations"
description = ""
licence = "OGL-UK-3.0"
form = "rows"
size = "1e2"

[source]
kind = "parquet"
path = "data/stations.parquet"

[[columns]]
name = "code"
type = "varchar"

[[columns]]
name = "opened"
type = "date"
"#;

const AGREEMENT: &str = r#"id = "fire-risk-2026"
title = "Fire risk by borough"
purpose = "fire-risk"
benefit = "Fewer fires"
legal_power = "Fire and Rescue Services Act 2004, section 6"
lawful_basis = "UK GDPR article 6(1)(e)"
recipients = ["loda"]
start = "2026-01-01"
end = "2027-12-31"
contact = "data@example.org"

[[grants]]
dataset = "incidents"
form = "statistics"
columns = ["borough_gss", "year"]
threshold = 20

[[grants]]
dataset = "stations"
form = "rows"
filter = "opened >= DATE '2015-01-01'"
"#;

const FILES: [(&str, &str); 11] = [
    ("node.toml", NODE),
    ("datasets/incidents.toml", INCIDENTS),
    ("datasets/stations.toml", STATIONS),
    ("datasets/visits.toml", VISITS),
    ("agreements/fire-risk.toml", AGREEMENT),
    ("data/incidents.csv", ""),
    ("data/stations.parquet", ""),
    ("data/visits.parquet", ""),
    ("data/ptable.csv", ""),
    ("tls/ca.pem", ""),
    ("tls/node.pem", ""),
];

fn write(root: &Path, file: &str, text: &str) {
    let path = root.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn baseline() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (file, text) in FILES {
        write(folder.path(), file, text);
    }
    write(folder.path(), "tls/node.key", "");
    folder
}

fn load(root: &Path) -> Result<Config, Vec<String>> {
    let prefix = format!("{}/", root.display());
    let lines = |error: ConfigError| error.to_string().lines().map(|line| line.replace(&prefix, "")).collect();
    Config::load(&root.join("node.toml")).map_err(lines)
}

/// Replaces `from` by `to` in one file of the valid configuration: exactly one problem is found, and it reads `expected`.
#[track_caller]
fn check(file: &str, from: &str, to: &str, expected: &str) {
    let folder = baseline();
    let path = folder.path().join(file);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} holds no {from:?}");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
    complains(load(folder.path()), expected);
}

/// The valid configuration with more in node.toml, files of the node's user's own, and another source of the stations.
fn elsewhere(node: &str, files: &[&str], source: (&str, &str)) -> Result<Config, Vec<String>> {
    let folder = baseline();
    for file in files {
        write(folder.path(), file, "secret");
    }
    write(folder.path(), "node.toml", &format!("{NODE}{node}"));
    write(folder.path(), "datasets/stations.toml", &STATIONS.replace(source.0, source.1));
    load(folder.path())
}

/// What is complained of, and nothing else.
#[track_caller]
fn complains(found: Result<Config, Vec<String>>, expected: &str) {
    let problems = found.expect_err(expected);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].starts_with(expected), "found    {}\nexpected {expected}", problems[0]);
}

/// Replaces `from` by `to` in the dataset with every key of the gate: exactly one problem is found, and it reads
/// `expected`, which starts with the line.
#[track_caller]
fn refused(from: &str, to: &str, expected: &str) {
    check("datasets/visits.toml", from, to, &format!("datasets/visits.toml:{expected}"));
}

/// The same dataset where `from` is replaced by `to` and nothing is wrong.
#[track_caller]
fn visits(from: &str, to: &str) -> DatasetConfig {
    let folder = baseline();
    assert!(VISITS.contains(from), "no {from:?}");
    write(folder.path(), "datasets/visits.toml", &VISITS.replacen(from, to, 1));
    load(folder.path()).unwrap().dataset("visits").unwrap().clone()
}

/// A key in the head of a dataset of rows: it is for statistics only.
#[track_caller]
fn refused_in_rows(key: &str, text: &str) {
    let expected = format!("datasets/stations.toml:5: {key} stands in a dataset of form rows: leave it out: it is for");
    check("datasets/stations.toml", "form =", &format!("{text}\nform ="), &expected);
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}
