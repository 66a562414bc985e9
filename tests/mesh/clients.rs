//! A client that no one here wrote, the ADBC driver, over mutual TLS: queries, parameters, metadata, size, cancellation.

use super::support::{Mesh, python};

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
