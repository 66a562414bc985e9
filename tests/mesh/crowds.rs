//! Many questions at one node at the same time: all are answered.

use std::fs;
use std::sync::{Arc, Barrier, mpsc};
use std::time::Duration;

use arrow::array::{ArrayRef, Int64Array};
use arrow::record_batch::RecordBatch;

use super::support::{Mesh, parquet};

const DATASET: &str = r#"name = "lines"
title = "Lines"
description = ""
licence = "OGL-UK-3.0"
form = "open"

[source]
kind = "parquet"
path = "data/lines.parquet"

[[columns]]
name = "n"
type = "bigint"
role = "measure"
"#;

/// Clients that ask at once, more than a node has threads.
const CLIENTS: usize = 16;
/// How often each asks.
const ROUNDS: usize = 8;
/// How long the slowest answer may take before the node counts as stuck.
const STUCK: Duration = Duration::from_secs(120);

#[test]
fn questions_that_are_planned_at_once_do_not_wait_for_each_other() {
    let mesh = Mesh::prepared();
    let lfb = mesh.folder("lfb");
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..10_000));
    let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
    parquet(&lfb.join("data/lines.parquet"), &batch);
    fs::write(lfb.join("datasets/lines.toml"), DATASET).unwrap();
    mesh.start("lfb");

    let together = Arc::new(Barrier::new(CLIENTS));
    let (answered, answers) = mpsc::channel();
    for client in 0..CLIENTS {
        let (together, answered) = (Arc::clone(&together), answered.clone());
        let mut loda = mesh.client("lfb", Some(&mesh.node_pair("loda")));
        std::thread::spawn(move || {
            for round in 0..ROUNDS {
                together.wait();
                // Another text each time, so that each is planned.
                let least = client * ROUNDS + round;
                let answer = loda.remote(&format!("SELECT n FROM lfb.lines WHERE n >= {least}"));
                let rows = answer.map(|answer| answer.rows()).map_err(|status| status.to_string());
                answered.send((least, rows)).unwrap();
            }
        });
    }
    for _ in 0..CLIENTS * ROUNDS {
        let (least, rows) = answers.recv_timeout(STUCK).expect("the node is stuck");
        assert_eq!(rows, Ok(10_000 - least));
    }
}
