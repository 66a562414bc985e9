//! How fast a node reads its sources, beside what reads them directly: CSV and Parquet beside DataFusion on the same file,
//! PostgreSQL beside its own `COPY … TO STDOUT`, side by side in one run.
//!
//! `cargo bench -p meridian --bench reading [-- ROWS RUNS]`; 3 million rows of five columns and 5 runs by default. A node holds
//! CSV in memory, so that is measured until it is held, its mapping and its checks included; Parquet and PostgreSQL are
//! questions that go the whole way of an answer, to the last row.
//!
//! Both sides have two threads, the same runtime and the same types: a node has one type of text, which is not the one that
//! DataFusion has by itself (views), so that DataFusion is measured with either and held against with the node's. Rows and sums
//! are compared each time.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout, missing_docs)]

#[path = "../in_process/mod.rs"]
mod in_process;
#[path = "../ports.rs"]
mod ports;
#[path = "../postgres/mod.rs"]
mod postgres;

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Int64Type};
use chrono::Utc;
use datafusion::dataframe::DataFrameWriteOptions;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlanProperties;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use futures::TryStreamExt;
use meridian::config::Config;
use meridian::gate::{Caller, Terms};
use meridian::query::Asked;
use meridian::sources;
use meridian_proto::{ColumnType, Form, Role};
use tempfile::TempDir;

use in_process::{InProcess, PARTITIONS, column, terms};
use postgres::{ACCOUNT, Postgres};

const ROWS: u64 = 3_000_000;
const RUNS: usize = 5;

/// The columns as datasets declare them, and as DataFusion and PostgreSQL do.
const COLUMNS: [(&str, &str); 5] = [
    ("id", "bigint"),
    ("day", "date"),
    ("borough_gss", "varchar"),
    ("supplier", "varchar"),
    ("amount", "decimal(14,2)"),
];

fn declared() -> String {
    COLUMNS.map(|(name, column_type)| format!("{name} {column_type}")).join(", ")
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
fn spread(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Payments: an id, a day of 2024, one of 33 boroughs, one of 5,000 suppliers, pounds and pence.
fn write_csv(path: &Path, rows: u64) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    writeln!(file, "{}", COLUMNS.map(|(name, _)| name).join(",")).unwrap();
    for id in 0..rows {
        let random = spread(id);
        let (month, day) = (1 + random % 12, 1 + (random >> 8) % 28);
        let (borough, supplier) = (1 + (random >> 16) % 33, (random >> 24) % 5_000);
        let (pounds, pence) = ((random >> 40) % 100_000, (random >> 57) % 100);
        let line =
            format!("{id},2024-{month:02}-{day:02},E090000{borough:02},Supplier {supplier} Ltd,{pounds}.{pence:02}");
        writeln!(file, "{line}").unwrap();
    }
    file.flush().unwrap();
}

/// A node's configuration with one dataset of each source.
fn configuration(folder: &Path, server: &Postgres) -> Config {
    let node = format!(
        "federation = \"london\"\nbody = \"lfb\"\ntitle = \"LFB\"\nlisten = \"127.0.0.1:1\"\nstate = \"state\"\n\n[tls]\nca = \
         \"ca.pem\"\ncert = \"node.pem\"\nkey = \"node.key\"\n\n[[databases]]\nname = \"payments\"\nhost = '{}'\nport = {}\n\
         database = \"postgres\"\nuser = \"{ACCOUNT}\"\npassword_file = \"password\"\n",
        server.path().display(),
        server.port()
    );
    for file in ["ca.pem", "node.pem", "node.key", "password"] {
        fs::write(folder.join(file), "unused").unwrap();
        fs::set_permissions(folder.join(file), fs::Permissions::from_mode(0o600)).unwrap();
    }
    fs::write(folder.join("node.toml"), node).unwrap();
    fs::create_dir_all(folder.join("datasets")).unwrap();
    for (name, source) in [
        ("of_csv", "kind = \"csv\"\npath = \"payments.csv\""),
        ("of_parquet", "kind = \"parquet\"\npath = \"payments.parquet\""),
        ("of_postgres", "kind = \"postgres\"\ndatabase = \"payments\"\ntable = \"payments\""),
    ] {
        let mut text = format!(
            "name = \"{name}\"\ntitle = \"{name}\"\ndescription = \"\"\nlicence = \"OGL-UK-3.0\"\nform = \"open\"\n\n[source]\n{source}\n"
        );
        for (name, column_type) in COLUMNS {
            write!(text, "\n[[columns]]\nname = \"{name}\"\ntype = \"{column_type}\"\n").unwrap();
        }
        fs::write(folder.join("datasets").join(format!("{name}.toml")), text).unwrap();
    }
    Config::load(&folder.join("node.toml")).unwrap_or_else(|why| panic!("{why}"))
}

fn open(dataset: &str) -> Terms {
    let types =
        [ColumnType::Bigint, ColumnType::Date, ColumnType::Varchar, ColumnType::Varchar, ColumnType::Decimal(14, 2)];
    let columns = COLUMNS.iter().zip(types).map(|((name, _), of)| column(name, of, Role::Dimension, false));
    terms(dataset, Form::Open, columns.collect())
}

/// DataFusion with text as a node has it, or as views.
fn session(views: bool) -> SessionContext {
    let config = SessionConfig::new()
        .with_target_partitions(PARTITIONS)
        .set_bool("datafusion.sql_parser.map_string_types_to_utf8view", views)
        .set_bool("datafusion.execution.parquet.schema_force_view_types", views);
    SessionContext::new_with_config(config)
}

/// What tells that rows are the ones: how many, and the sums of their numbers.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Sums {
    rows: u64,
    ids: i64,
    pence: i128,
}

impl Sums {
    fn add(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        for column in batch.columns() {
            if let Some(ids) = column.as_primitive_opt::<Int64Type>() {
                self.ids += ids.values().iter().sum::<i64>();
            } else if let Some(amounts) = column.as_primitive_opt::<Decimal128Type>() {
                self.pence += amounts.values().iter().sum::<i128>();
            }
        }
    }

    /// Of all rows of a plan.
    async fn of(session: &SessionContext, plan: LogicalPlan) -> Self {
        let mut sums = Self::default();
        let mut stream = session.execute_logical_plan(plan).await.unwrap().execute_stream().await.unwrap();
        while let Some(batch) = stream.try_next().await.unwrap() {
            sums.add(&batch);
        }
        sums
    }
}

/// Asks DataFusion, and drops the rows as they come.
async fn direct(session: &SessionContext, sql: &str) -> (Sums, Duration) {
    let began = Instant::now();
    let mut sums = Sums::default();
    let mut stream = session.sql(sql).await.unwrap().execute_stream().await.unwrap();
    while let Some(batch) = stream.try_next().await.unwrap() {
        sums.add(&batch);
    }
    (sums, began.elapsed())
}

/// The same through a node's engine.
async fn ask(node: &InProcess, caller: &Caller, sql: &str) -> (Sums, Duration) {
    let began = Instant::now();
    let asked = Asked::new(caller.clone(), sql, "benchmark");
    let answer = node.engine.answer(asked).await.unwrap_or_else(|why| panic!("{sql}: {why}"));
    let mut released = answer.released;
    let mut sums = Sums::default();
    while let Some(batch) = released.try_next().await.unwrap() {
        sums.add(&batch);
    }
    answer.closing.close().await.unwrap();
    (sums, began.elapsed())
}

fn copy(server: &Postgres, sql: &str) -> Duration {
    let began = Instant::now();
    let status = server.psql("postgres").args(["-c", sql]).stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "{sql}");
    began.elapsed()
}

fn median(times: &[Duration]) -> f64 {
    let mut times = times.to_vec();
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64()
}

const CSV: &str = "CSV until all rows are in memory";
const PARQUET: &str = "Parquet, all rows";
const POSTGRES: &str = "PostgreSQL, all rows";
/// Those of what is measured of which so much of the first is asked for.
const ASKED: [&str; 3] = [CSV, PARQUET, POSTGRES];
const LEAST: f64 = 0.9;
const LOAD: &str = "a node's load, mapped and checked";
const ANSWER: &str = "a node's answer";

/// What is read, by whom, and how long that took each time; the first of each is what the others are held against.
#[derive(Default)]
struct Table(Vec<(&'static str, Vec<(&'static str, Vec<Duration>)>)>);

impl Table {
    fn add(&mut self, what: &'static str, who: &'static str, time: Duration) {
        let at = self.0.iter().position(|(known, _)| *known == what).unwrap_or_else(|| {
            self.0.push((what, Vec::new()));
            self.0.len() - 1
        });
        let of = &mut self.0[at].1;
        match of.iter_mut().find(|(known, _)| *known == who) {
            Some((_, times)) => times.push(time),
            None => of.push((who, vec![time])),
        }
    }

    fn print(&self, rows: u64) {
        #[expect(clippy::cast_precision_loss, reason = "for people")]
        let speed = |times: &[Duration]| rows as f64 / median(times) / 1e6;
        for (what, of) in &self.0 {
            println!("\n{what:<48} seconds (fastest to slowest)  million rows a second  of the first");
            let first = speed(&of[0].1);
            for (who, times) in of {
                let range = |time: Option<&Duration>| time.map(Duration::as_secs_f64).unwrap_or_default();
                let (fastest, slowest) = (range(times.iter().min()), range(times.iter().max()));
                let (median, speed) = (median(times), speed(times));
                let ratio = speed / first;
                println!("  {who:<46} {median:>7.3} ({fastest:.3} to {slowest:.3}) {speed:>20.2} {ratio:>20.2}");
            }
        }
        println!("\nWhat is asked for: {LEAST} of the first, in rows a second.");
        for (what, of) in self.0.iter().filter(|(what, _)| ASKED.contains(what)) {
            for (who, times) in of.iter().filter(|(who, _)| *who == LOAD || *who == ANSWER) {
                let ratio = speed(times) / speed(&of[0].1);
                let word = if ratio >= LEAST { "as asked" } else { "TOO SLOW" };
                println!("  {what:<40} {who:<34} {ratio:>5.2}  {word}");
            }
        }
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let numbers: Vec<u64> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let rows = numbers.first().copied().unwrap_or(ROWS);
    let runs = numbers.get(1).map_or(RUNS, |runs| usize::try_from(*runs).unwrap());
    let folder = TempDir::new().unwrap();
    let (csv, parquet) = (folder.path().join("payments.csv"), folder.path().join("payments.parquet"));
    write_csv(&csv, rows);
    let (session, views) = (session(false), session(true));
    let external = format!(
        "CREATE EXTERNAL TABLE payments ({}) STORED AS CSV LOCATION '{}' OPTIONS ('format.has_header' 'true')",
        declared(),
        csv.display()
    );
    session.sql(&external).await.unwrap();
    views.sql(&external).await.unwrap();
    let written = session.table("payments").await.unwrap();
    written
        .write_parquet(parquet.to_str().unwrap(), DataFrameWriteOptions::new().with_single_file_output(true), None)
        .await
        .unwrap();
    for session in [&session, &views] {
        session.register_parquet("of_parquet", parquet.to_str().unwrap(), ParquetReadOptions::default()).await.unwrap();
    }
    let server = Postgres::start(&[]).unwrap();
    server.run("postgres", &format!("CREATE TABLE payments ({})", declared()));
    let loaded =
        server.psql("postgres").args(["-c", &format!("\\copy payments FROM '{}' CSV HEADER", csv.display())]).status();
    assert!(loaded.unwrap().success());
    server.run("postgres", "VACUUM ANALYZE payments");

    let config = configuration(folder.path(), &server);
    let mut datasets = Vec::new();
    for name in ["of_parquet", "of_postgres"] {
        let source = &config.dataset(name).unwrap().source;
        let loaded = sources::load(source, &session, Utc::now()).await.unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(loaded.rows, rows, "{name}");
        datasets.push((open(name), loaded.plan));
    }
    let node = InProcess::new(|_| datasets);
    let caller = node.analyst("benchmark");
    let of_csv = config.dataset("of_csv").unwrap().source.clone();

    let expected = Sums::of(&session, session.table("payments").await.unwrap().into_unoptimized_plan()).await;
    assert_eq!((expected.rows, expected.ids), (rows, (0..rows.cast_signed()).sum::<i64>()));
    // All that COPY writes is a row a line.
    let copied = server.psql("postgres").args(["-c", "COPY payments TO STDOUT"]).output().unwrap().stdout;
    assert_eq!(copied.iter().filter(|byte| **byte == b'\n').count() as u64, rows);
    drop(copied);

    let bytes = fs::metadata(&csv).unwrap().len() >> 20;
    println!(
        "{rows} rows of five columns, {bytes} MiB as CSV; {PARTITIONS} threads and partitions on either side, PostgreSQL's own \
         process beside them; medians of {runs} runs after one, in turn"
    );
    for (name, session) in [("payments", &session), ("of_parquet", &session), ("payments", &views)] {
        let plan = session.table(name).await.unwrap().create_physical_plan().await.unwrap();
        println!("DataFusion by itself reads {name} in {} partitions", plan.output_partitioning().partition_count());
    }
    let mut table = Table::default();
    let sums = "SELECT borough_gss, sum(amount), count(*) FROM";
    for run in 0..=runs {
        let mut one = Table::default();
        for (who, session) in [("DataFusion, declared types", &session), ("DataFusion, text as views", &views)] {
            let began = Instant::now();
            let held = session.table("payments").await.unwrap().collect_partitioned().await.unwrap();
            one.add(CSV, who, began.elapsed());
            let mut found = Sums::default();
            held.iter().flatten().for_each(|batch| found.add(batch));
            assert_eq!(found, expected);
        }
        let began = Instant::now();
        let held = sources::load(&of_csv, &session, Utc::now()).await.unwrap_or_else(|why| panic!("{why}"));
        one.add(CSV, LOAD, began.elapsed());
        assert_eq!(held.rows, rows);
        assert_eq!(Sums::of(&session, held.plan).await, expected);
        for (what, sql) in [
            (PARQUET, "SELECT * FROM of_parquet".to_owned()),
            ("Parquet, a sum for each of 33 boroughs", format!("{sums} of_parquet GROUP BY borough_gss")),
            ("Parquet, one row: what an answer costs in itself", "SELECT * FROM of_parquet LIMIT 1".to_owned()),
        ] {
            let (found, time) = direct(&session, &sql).await;
            one.add(what, "DataFusion", time);
            let (of_views, time) = direct(&views, &sql).await;
            one.add(what, "DataFusion, text as views", time);
            let (of_node, time) = ask(&node, &caller, &sql.replace("of_parquet", "lfb.of_parquet")).await;
            one.add(what, ANSWER, time);
            if !sql.contains("LIMIT") {
                assert_eq!((of_views, of_node), (found, found), "{sql}");
            }
        }
        one.add(POSTGRES, "COPY … TO STDOUT by psql", copy(&server, "COPY payments TO STDOUT"));
        let binary = copy(&server, "COPY payments TO STDOUT (FORMAT binary)");
        one.add(POSTGRES, "COPY … TO STDOUT (FORMAT binary) by psql", binary);
        let (found, time) = ask(&node, &caller, "SELECT * FROM lfb.of_postgres").await;
        assert_eq!(found, expected);
        one.add(POSTGRES, ANSWER, time);
        if run > 0 {
            for (what, of) in one.0 {
                of.into_iter().for_each(|(who, times)| table.add(what, who, times[0]));
            }
        }
    }
    table.print(rows);
}
