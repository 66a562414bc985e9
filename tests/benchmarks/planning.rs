//! What it costs to plan over many bodies: a question of `every.dwellings`, from its text to the plan that would run, in a
//! node that knows 10 to 10,000 bodies by their signed descriptions. Nothing is sent to anybody.
//!
//! `cargo bench -p meridian --bench planning [-- RUNS]`; 21 runs by default.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout, missing_docs)]

#[path = "../in_process/mod.rs"]
mod in_process;

use std::time::{Duration, Instant};

use meridian::query::Asked;
use meridian_proto::{ColumnType, Coverage, Covers, Dataset, Form, Name, Role};

use in_process::{InProcess, THRESHOLD, column, described, name};

const RUNS: usize = 21;

const QUESTIONS: [(&str, &str); 3] = [
    (
        "by coverage, whole at each body",
        "SELECT borough_gss, SUM(households) FROM every.dwellings GROUP BY borough_gss",
    ),
    ("across bodies, partial at each", "SELECT kind, COUNT(*), SUM(households) FROM every.dwellings GROUP BY kind"),
    (
        "of one body, the others pruned",
        "SELECT kind, COUNT(*) FROM every.dwellings WHERE _body = 'body7' GROUP BY kind",
    ),
];

/// What each body publishes: dwellings of its own borough, as statistics.
fn dwellings(number: usize) -> Dataset {
    let columns = vec![
        column("borough_gss", ColumnType::Varchar, Role::Dimension, false),
        column("kind", ColumnType::Varchar, Role::Dimension, false),
        column("households", ColumnType::Integer, Role::Measure, false),
        column("uprn", ColumnType::Bigint, Role::Identifier, false),
    ];
    let coverage = vec![Coverage { column: name("borough_gss"), covers: Covers::Value(format!("E{number:08}")) }];
    let standard = Some(name("dwellings"));
    let unit_kind = "dwelling".to_owned();
    Dataset { coverage, standard, unit_kind, threshold: THRESHOLD, ..described("dwellings", Form::Statistics, columns) }
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let runs = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(RUNS);
    println!("medians of {runs} runs after one");
    for bodies in [10, 100, 1_000, 10_000] {
        let others: Vec<(Name, Vec<Dataset>)> =
            (0..bodies).map(|number| (name(&format!("body{number}")), vec![dwellings(number)])).collect();
        let node = InProcess::among(&others, |_| vec![]);
        let caller = node.analyst("benchmark");
        println!("\n{bodies} bodies");
        for (what, sql) in QUESTIONS {
            let mut times: Vec<Duration> = Vec::new();
            for run in 0..=runs {
                let asked = Asked::new(caller.clone(), sql, "benchmark");
                let began = Instant::now();
                let planned = node.engine.describe(&asked).await;
                let time = began.elapsed();
                planned.unwrap_or_else(|why| panic!("{sql}: {why}"));
                if run > 0 {
                    times.push(time);
                }
            }
            times.sort_unstable();
            println!("  {what:<40} {:>9.1} ms", times[times.len() / 2].as_secs_f64() * 1e3);
        }
    }
}
