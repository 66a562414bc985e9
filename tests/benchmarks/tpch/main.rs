//! The 22 queries of TPC-H over four bodies, side by side in one run over the same Parquet files: a mesh of four node
//! processes with mutual TLS, one DataFusion over everything, DuckDB over everything, four PostgreSQL servers behind
//! postgres_fdw, and DuckDB attached to these four. An answer has to be the reference's before its time counts.
//!
//! `cargo bench -p meridian --bench tpch [-- --scale 1 --runs 3 --queries 3,5 --without postgres]`. DuckDB is used
//! from the Python that `MERIDIAN_TEST_PYTHON` names, with its extension for PostgreSQL from the one that `MERIDIAN_TPCH_PYTHON`
//! does, PostgreSQL from `PATH` or Debian's folders.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(missing_docs)]

mod answer;
mod central;
mod conversation;
mod data;
mod duckdb;
mod mesh;
#[path = "../nodes.rs"]
mod nodes;
#[path = "../../ports.rs"]
mod ports;
mod postgres;
#[path = "../../postgres/mod.rs"]
mod server;
mod table;
#[path = "../../tpch/mod.rs"]
mod tpch;

use std::process::ExitCode;

use clap::Parser;

use answer::Answer;
use data::Data;
use table::{Shown, Table};

/// Partitions and threads of every engine, so that none has more of the machine than another.
const PARALLEL: usize = 2;

#[derive(Parser)]
struct Options {
    /// Scale factor: 0.1 has 600,000 rows of lineitem
    #[arg(long, env = "MERIDIAN_TPCH_SCALE", default_value_t = 0.1)]
    scale: f64,
    /// Runs behind each median, after one that does not count
    #[arg(long, env = "MERIDIAN_TPCH_RUNS", default_value_t = 5)]
    runs: usize,
    /// Only these queries
    #[arg(long, value_delimiter = ',')]
    queries: Vec<usize>,
    /// Leave out: duckdb, postgres, attached
    #[arg(long, value_delimiter = ',')]
    without: Vec<String>,
    /// Print the mesh's plan of every query, not only of those that take more than twice the reference's time
    #[arg(long)]
    plans: bool,
    /// What cargo says
    #[arg(long, hide = true)]
    bench: bool,
}

/// The engines in the order of the columns; the reference is first.
enum Engine {
    Central(central::Central),
    Mesh(mesh::Mesh),
    DuckDb(duckdb::DuckDb),
    Postgres(postgres::Postgres),
    Attached(duckdb::DuckDb),
}

impl Engine {
    fn title(&self) -> &'static str {
        match self {
            Self::Central(_) => "central",
            Self::Mesh(_) => "mesh",
            Self::DuckDb(_) => "DuckDB",
            Self::Postgres(_) => "postgres_fdw",
            Self::Attached(_) => "DuckDB on PG",
        }
    }

    /// How a query names a table.
    fn table(&self, table: &str, body: &str) -> String {
        match self {
            Self::Mesh(_) => format!("{body}.{table}"),
            Self::Central(_) | Self::DuckDb(_) | Self::Postgres(_) | Self::Attached(_) => table.to_owned(),
        }
    }

    /// A query over its tables.
    fn question(&self, number: usize) -> String {
        tpch::queries(|table, body| self.table(table, body)).swap_remove(number - 1).1
    }

    async fn ask(&mut self, sql: &str) -> Result<Answer, String> {
        match self {
            Self::Central(central) => central.ask(sql).await,
            Self::Mesh(mesh) => mesh.ask(sql).await,
            Self::DuckDb(duckdb) | Self::Attached(duckdb) => duckdb.ask(sql),
            Self::Postgres(postgres) => postgres.ask(sql),
        }
    }
}

async fn engines(data: &Data, without: &[String]) -> Vec<Engine> {
    let central = central::Central::new(data).await;
    let left_out = |engine: &str| without.iter().any(|name| name == engine);
    let duckdb = if left_out("duckdb") { Err("left out".into()) } else { duckdb::DuckDb::new(data) };
    let postgres =
        if left_out("postgres") { Err("left out".into()) } else { postgres::Postgres::new(data, &central).await };
    let mut engines = vec![Engine::Central(central), Engine::Mesh(mesh::Mesh::new(data).await)];
    match duckdb {
        Ok(duckdb) => engines.push(Engine::DuckDb(duckdb)),
        Err(why) => println!("without DuckDB: {why}"),
    }
    match postgres {
        Ok(postgres) => {
            let attached =
                if left_out("attached") { Err("left out".into()) } else { duckdb::DuckDb::attached(data, &postgres) };
            engines.push(Engine::Postgres(postgres));
            match attached {
                Ok(attached) => engines.push(Engine::Attached(attached)),
                Err(why) => println!("without DuckDB on PostgreSQL: {why}"),
            }
        }
        Err(why) => println!("without postgres_fdw: {why}"),
    }
    engines
}

/// Asks every engine in turn, and returns what each is shown with and what goes wrong. Every answer is compared, those of
/// later runs too.
async fn compare(engines: &mut [Engine], number: usize, runs: usize) -> (Vec<Shown>, Vec<String>) {
    let mut shown: Vec<Option<Shown>> = engines.iter().map(|_| None).collect();
    let (mut wrong, mut reference) = (Vec::new(), None);
    for _ in 0..=runs {
        for (engine, shown) in engines.iter_mut().zip(&mut shown) {
            if shown.as_ref().is_some_and(|shown| !shown.goes_on()) {
                continue;
            }
            let sql = engine.question(number);
            let answer = engine.ask(&sql).await;
            let differs =
                answer.as_ref().ok().and_then(|answer| answer.differs(reference.get_or_insert(answer.clone())));
            match (answer, differs) {
                (Ok(answer), None) => *shown = Some(Shown::with(shown.take(), answer)),
                (Ok(_), Some(how)) => {
                    *shown = Some(Shown::Differs);
                    wrong.push(format!("query {number}, {}: {how}", engine.title()));
                }
                (Err(why), _) => {
                    *shown = Some(Shown::Failed);
                    wrong.push(format!("query {number}, {}: {why}", engine.title()));
                }
            }
        }
    }
    (shown.into_iter().flatten().collect(), wrong)
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let options = Options::parse();
    let data = Data::at(options.scale);
    let mut engines = engines(&data, &options.without).await;
    println!(
        "TPC-H at scale {}, {PARALLEL} partitions or threads for every engine; milliseconds, medians of {} runs after one, in \
         turn (* one run, too long for more); what other bodies sent to the asker in the mesh, and the \
         bytes of the answer itself",
        options.scale, options.runs
    );
    let mut table = Table::new(engines.iter().map(Engine::title).collect());
    let mut wrong = Vec::new();
    for number in (1..=22).filter(|number| options.queries.is_empty() || options.queries.contains(number)) {
        let (shown, more) = compare(&mut engines, number, options.runs).await;
        table.row(number, shown);
        wrong.extend(more);
    }
    table.total();
    for number in table.asked().filter(|number| options.plans || table.is_slow(*number)) {
        for engine in &mut engines {
            let sql = engine.question(number);
            if let Engine::Mesh(mesh) = engine {
                println!("\nquery {number} in the mesh\n{}", mesh.explain(&sql).await);
            }
        }
    }
    wrong.iter().for_each(|line| println!("{line}"));
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
