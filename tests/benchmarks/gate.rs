//! What the release gate costs: the same question of the same rows, open and as statistics, side by side in one run.
//!
//! `cargo bench -p meridian --bench gate [-- ROWS RUNS]`; 10 million rows in 1,000 cells and 7 runs by default. Every
//! question goes the whole way of an answer (parse, gate, optimise, a durable log record, run) in one process.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout, missing_docs)]

#[path = "../in_process/mod.rs"]
mod in_process;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Int32Array, Int64Array, RecordBatch, UInt64Array};
use datafusion::logical_expr::LogicalPlan;
use futures::TryStreamExt;
use meridian::gate::{Caller, ColumnTerms, Terms, UNIT_COLUMN, Unit};
use meridian::history::History;
use meridian::query::{Asked, Engine};
use meridian_disclosure::sketch::Parts;
use meridian_proto::{ColumnType, Form, Role};

use in_process::{InProcess, PARTITIONS, THRESHOLD, batch, column, controls, name, scan, terms};

const ROWS: usize = 10_000_000;
const CELLS: u64 = 1_000;
const RUNS: usize = 7;
const BATCH_ROWS: usize = 32 * 1024;
/// Rows of each unit where units repeat.
const REPEATS: u64 = 4;

/// SplitMix64 (Steele, Lea and Flood, 2014): spreads numbers over 64 bits.
fn spread(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Rows of units of which each has `repeats`.
fn rows(rows: usize, repeats: u64) -> LogicalPlan {
    let mut partitions = vec![Vec::new(); PARTITIONS];
    for (index, first) in (0..rows).step_by(BATCH_ROWS).enumerate() {
        let numbers = || (first..(first + BATCH_ROWS).min(rows)).map(|row| u64::try_from(row).unwrap());
        let cells = numbers().map(|n| i32::try_from(spread(n) % CELLS).unwrap());
        let amounts = numbers().map(|n| i64::try_from(spread(!n) % 1_000).unwrap());
        let ids = numbers().map(|n| i64::try_from(n / repeats).unwrap());
        partitions[index % PARTITIONS].push(batch(vec![
            ("cell", Arc::new(cells.collect::<Int32Array>())),
            ("amount", Arc::new(amounts.collect::<Int64Array>())),
            ("id", Arc::new(ids.collect::<Int64Array>())),
            (UNIT_COLUMN, Arc::new(numbers().map(|n| spread(n / repeats)).collect::<UInt64Array>())),
        ]));
    }
    scan(partitions)
}

fn dataset(title: &str, unit: Option<Unit>, history: &Arc<History>) -> Terms {
    let columns = vec![
        column("cell", ColumnType::Integer, Role::Dimension, false),
        column("amount", ColumnType::Bigint, Role::Measure, false),
        column("id", ColumnType::Bigint, Role::Identifier, false),
    ];
    let form = if unit.is_some() { Form::Statistics } else { Form::Open };
    let bounds = ColumnTerms { bounds: Some((0.0, 1_000.0)), ..ColumnTerms::default() };
    Terms {
        controls: unit.as_ref().map(|_| controls(history)),
        unit,
        columns: HashMap::from([(name("amount"), bounds)]),
        ..terms(title, form, columns)
    }
}

fn unit(unique: bool) -> Option<Unit> {
    Some(Unit { kind: name("person"), column: Some(name("id")), unique, belongs_to: None })
}

/// Asks, and returns the time until the last row.
async fn ask(engine: &Arc<Engine>, caller: &Caller, sql: &str) -> Duration {
    let began = Instant::now();
    let asked = Asked::new(caller.clone(), sql, "benchmark");
    let answer = engine.answer(asked).await.unwrap_or_else(|why| panic!("{sql}: {why}"));
    let batches: Vec<RecordBatch> = answer.released.try_collect().await.unwrap();
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert!(rows > 0, "{sql} has no rows");
    answer.closing.close().await.unwrap();
    began.elapsed()
}

/// Fingerprints of as many units as there are rows, on as many threads as there are partitions; batches are at hand, as
/// they are where cells are gathered.
fn fingerprints(rows: usize, contributions: bool) -> Duration {
    let capacity = u16::try_from(THRESHOLD - 1).unwrap();
    let units: Vec<u64> = (0..u64::try_from(BATCH_ROWS).unwrap()).map(spread).collect();
    let cells: Vec<usize> = units.iter().map(|unit| usize::try_from(unit % CELLS).unwrap()).collect();
    let amounts: Vec<i64> = units.iter().map(|unit| i64::try_from(unit % 1_000).unwrap()).collect();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for partition in 0..PARTITIONS {
            let (units, cells, amounts) = (&units, &cells, &amounts);
            scope.spawn(move || {
                let (mut of_units, mut of_pairs) = (Parts::of_units(capacity), Parts::of_contributions(capacity));
                of_units.grow(usize::try_from(CELLS).unwrap());
                of_pairs.grow(usize::try_from(CELLS).unwrap());
                for _ in (partition * BATCH_ROWS..rows).step_by(PARTITIONS * BATCH_ROWS) {
                    of_units.toggle_units(cells, units);
                    if contributions {
                        of_pairs.toggle_contributions(cells, units, amounts);
                    }
                }
                std::hint::black_box((&of_units, &of_pairs));
            });
        }
    });
    began.elapsed()
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e3
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let (count, runs) = (numbers.first().copied().unwrap_or(ROWS), numbers.get(1).copied().unwrap_or(RUNS));
    let (once, again) = (rows(count, 1), rows(count, REPEATS));
    let node = InProcess::new(|history| {
        vec![
            (dataset("plain", None, history), once.clone()),
            (dataset("plain_again", None, history), again.clone()),
            (dataset("unique", unit(true), history), once),
            (dataset("repeating", unit(false), history), again),
        ]
    });
    let caller = node.analyst("benchmark");
    println!("{count} rows, {CELLS} cells, {PARTITIONS} partitions; medians of {runs} runs after one, in turn");
    // Figures of the same rows share what they have in common: a sum beside a count needs the fingerprint of a sum alone.
    for (figures, sums) in [("COUNT(*)", false), ("SUM(amount)", true), ("COUNT(*), SUM(amount), AVG(amount)", true)] {
        let sql = |of: &str, figures: &str| format!("SELECT cell, {figures} FROM lfb.{of} GROUP BY cell");
        let questions = [
            ("without the gate", sql("plain", figures)),
            ("gate, unit unique per row", sql("unique", figures)),
            ("without the gate, rows of units that repeat", sql("plain_again", figures)),
            ("gate, unit repeats", sql("repeating", figures)),
            ("yardstick: COUNT(DISTINCT unit) by DataFusion", sql("plain", "COUNT(DISTINCT id)")),
            ("yardstick: the same where units repeat", sql("plain_again", "COUNT(DISTINCT id)")),
        ];
        let mut times = vec![Vec::new(); questions.len()];
        let mut printed = Vec::new();
        for run in 0..=runs {
            for ((_, sql), times) in questions.iter().zip(&mut times) {
                let time = ask(&node.engine, &caller, sql).await;
                if run > 0 {
                    times.push(time);
                }
            }
            if run > 0 {
                printed.push(fingerprints(count, sums));
            }
        }
        println!("\n{figures} by cell");
        let (base, gated) = (median(times[0].clone()), median(times[1].clone()));
        let printed = median(printed);
        let rest = gated - printed;
        for ((what, _), times) in questions.iter().zip(times) {
            let time = median(times);
            println!("  {what:<48} {time:>9.1} ms  {:>6.2} x", time / base);
        }
        println!("  {:<48} {printed:>9.1} ms", "part: fingerprints");
        println!("  {:<48} {rest:>9.1} ms  {:>6.2} x", "unit unique per row, less its fingerprints", rest / base);
    }
}
