//! A client that no one here wrote, the ADBC driver, over mutual TLS: queries, parameters, metadata, size, cancellation.

use std::fs;

use super::support::{Mesh, example, python, scratch};

fn check(name: &str) {
    let mesh = Mesh::shared();
    let ran = python("adbc.py", &[mesh.dir.to_str().unwrap(), name]);
    assert_eq!(ran.ok().trim(), format!("ok {name}"), "{}", ran.stderr);
    mesh.assert_sound();
}

#[test]
fn adbc_asks_queries() {
    check("query");
}

#[test]
fn adbc_prepares_statements_with_parameters() {
    check("prepared");
}

#[test]
fn adbc_reads_the_catalogue() {
    check("metadata");
}

#[test]
fn adbc_reads_a_big_answer() {
    check("big");
}

#[test]
fn adbc_cancels() {
    check("cancel");
}

#[test]
fn adbc_is_told_why_it_is_refused() {
    check("refusals");
}

#[test]
fn adbc_keeps_a_session() {
    check("session");
}

/// The lines to copy for people who work with pandas, Polars, DuckDB or marimo say what they are to say.
#[test]
fn the_examples_for_other_clients_run() {
    let mesh = Mesh::small();
    let folder = scratch("examples");
    let said = |script: &str| example(script, &mesh.profile(), &folder).ok().to_owned();
    let frame = said("with_pandas.py");
    assert!(frame.contains("property_type") && frame.contains("2023") && frame.contains("missing: "), "{frame}");
    let frame = said("with_polars.py");
    assert!(frame.contains("Camden") && frame.contains("households"), "{frame}");
    let joined = said("with_duckdb.py");
    assert!(joined.contains("E09000007") && joined.contains("120"), "{joined}");
    let notebook = said("fire_risk.py");
    assert!(notebook.contains("3 boroughs"), "{notebook}");
    let map = fs::read_to_string(folder.join("map.svg")).unwrap();
    assert_eq!((map.matches("<circle").count(), map.matches("Camden: ").count()), (3, 1), "{map}");
    mesh.assert_sound();
}
