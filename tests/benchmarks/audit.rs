//! What the log costs: releases a second that are durable, the time that each waits for, and the time in which a long log
//! is verified; beside a file to which lines are appended, each with an fsync of its own.
//!
//! `cargo bench -p meridian --bench audit -- [--verify RECORDS] [--folder DIR]`
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and ends where something fails")]

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use meridian::audit::{Committed, Entry, Keeping, Log, LogKey, Outcome, Private, Use, verify};

/// Releases a second that are asked for where the added time is measured.
const RATE: u64 = 1000;
/// How long each case runs.
const RUN: Duration = Duration::from_secs(5);
/// Askers at the same time, where there is no pause between their questions.
const ASKERS: usize = 64;
/// Records that are written and verified where the command says nothing.
const RECORDS: u64 = 20_000;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (mut records, mut folder) = (RECORDS, None);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--verify" => records = arguments.next().unwrap().parse().unwrap(),
            "--folder" => folder = arguments.next().map(PathBuf::from),
            // Cargo's own.
            _ => {}
        }
    }
    let folder = folder.map_or_else(|| tempfile::tempdir().unwrap(), |folder| tempfile::tempdir_in(folder).unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!("{:<52} {:>10} {:>9} {:>9} {:>9}", "", "per second", "p50 ms", "p99 ms", "most ms");
    let file = OpenOptions::new().create(true).append(true).open(folder.path().join("plain")).unwrap();
    print("a line and an fsync, one after the other", &mut plain(&file));
    let log = Log::open(&folder.path().join("one"), &keeping()).unwrap();
    print("one asker, each release and its outcome", &mut runtime.block_on(askers(&log, 1)));
    let log = Log::open(&folder.path().join("many"), &keeping()).unwrap();
    print(&format!("{ASKERS} askers, each release and its outcome"), &mut runtime.block_on(askers(&log, ASKERS)));
    let log = Log::open(&folder.path().join("rate"), &keeping()).unwrap();
    print(&format!("{RATE} releases a second and their outcomes"), &mut runtime.block_on(at_rate(&log)));
    drop(log);
    runtime.block_on(verified(folder.path(), records));
}

fn keeping() -> Keeping {
    Keeping { key: [1; 32], days: 90, log: LogKey::new("london/lfb/log", &[2; 32]) }
}

fn entry() -> Entry {
    let sql =
        "SELECT borough_gss, COUNT(*) AS fires FROM lfb.incidents WHERE year = ? AND property_type = ? GROUP BY 1";
    Entry {
        query_id: "11087ed798f61e1c7ba07f4ed617bde2".into(),
        caller: "spiffe://london/body/loda/node".into(),
        on_behalf_of: "spiffe://london/body/loda/analyst/asha".into(),
        groups: Vec::new(),
        purpose: "fire-risk".into(),
        agreements: vec!["fire-risk-2026".into()],
        datasets: vec![Use {
            dataset: "london.lfb.incidents".into(),
            columns: ["borough_gss", "year", "property_type"].map(String::from).into(),
            form: "statistics".into(),
        }],
        rules: ["agreement.active", "form.statistics", "threshold"].map(String::from).into(),
        sql: sql.into(),
        ..Entry::default()
    }
}

fn private() -> Private {
    Private { literals: vec!["2021".into(), "'House'".into()], ..Private::default() }
}

/// Lines of the same length as records.
fn plain(file: &File) -> Vec<Duration> {
    let line = [serde_json::to_vec(&entry()).unwrap().as_slice(), b"\n"].concat();
    let (began, mut file, mut took) = (Instant::now(), file, Vec::new());
    while began.elapsed() < RUN {
        let one = Instant::now();
        file.write_all(&line).unwrap();
        file.sync_data().unwrap();
        took.push(one.elapsed());
    }
    took
}

/// A release, its outcome, and how long the release waited.
async fn release(log: &Log) -> Duration {
    let began = Instant::now();
    let durable = log.release(entry(), &private()).await.unwrap();
    let took = began.elapsed();
    let closing = Committed::new(&Private::default()).unwrap();
    log.outcome(&durable, Outcome::Completed { rows: 33, bytes: 960 }, closing);
    took
}

async fn askers(log: &Arc<Log>, count: usize) -> Vec<Duration> {
    let ask = |log: Arc<Log>| async move {
        let (began, mut took) = (Instant::now(), Vec::new());
        while began.elapsed() < RUN {
            took.push(release(&log).await);
        }
        took
    };
    let tasks: Vec<_> = (0..count).map(|_| tokio::spawn(ask(Arc::clone(log)))).collect();
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    all
}

/// Releases that begin at their times, whether those before are durable or not.
async fn at_rate(log: &Arc<Log>) -> Vec<Duration> {
    let mut ticks = tokio::time::interval(Duration::from_micros(1_000_000 / RATE));
    let mut tasks = Vec::new();
    for _ in 0..RATE * RUN.as_secs() {
        ticks.tick().await;
        let log = Arc::clone(log);
        tasks.push(tokio::spawn(async move { release(&log).await }));
    }
    let mut all = Vec::new();
    for task in tasks {
        all.push(task.await.unwrap());
    }
    all
}

fn print(name: &str, took: &mut [Duration]) {
    took.sort();
    let at = |part: f64| {
        let place = (took.len() as f64 * part) as usize;
        took.get(place.min(took.len() - 1)).unwrap().as_secs_f64() * 1e3
    };
    let rate = took.len() as f64 / RUN.as_secs_f64();
    println!("{name:<52} {rate:>10.0} {:>9.2} {:>9.2} {:>9.2}", at(0.5), at(0.99), at(1.0));
}

/// A log of so many records, written as fast as it goes, then opened and verified.
async fn verified(folder: &Path, records: u64) {
    let folder = folder.join("long");
    let log = Log::open(&folder, &keeping()).unwrap();
    let began = Instant::now();
    let mut written = 0;
    while written < records {
        let some = (records - written).min(2048);
        let all = (0..some).map(|_| {
            let log = Arc::clone(&log);
            async move { log.refusal(entry(), &private()).await.map(drop) }
        });
        futures::future::try_join_all(all).await.unwrap();
        written += some;
    }
    println!("\n{records} records written in {:.1} s", began.elapsed().as_secs_f64());
    let key = log.key().to_owned();
    drop(log);
    let began = Instant::now();
    drop(Log::open(&folder, &keeping()).unwrap());
    println!("closed, opened again and read as far as a start reads in {:.1} s", began.elapsed().as_secs_f64());
    let began = Instant::now();
    let report = verify(&folder, &key, &[1; 32], &[]).unwrap();
    assert_eq!(report.records, records);
    println!(
        "{records} records verified, {} tiles and {} private parts, in {:.1} s",
        report.tiles,
        report.private,
        began.elapsed().as_secs_f64()
    );
}
