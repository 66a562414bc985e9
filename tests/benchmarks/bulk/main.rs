//! Bulk rows, side by side in one run: open tables that an owner's node holds in memory, read by another node's
//! `RemoteExec` over one hop of mutual TLS and by an analyst behind that node, against the same batches from pyarrow's C++
//! Flight server, read by pyarrow's client and by ours. Rows and sums have to be the same before a time counts.
//!
//! `cargo bench -p meridian --bench bulk [-- --megabytes 1024 --runs 5 --tables numbers,mixed]`. pyarrow is used from the
//! Python that `MERIDIAN_TEST_PYTHON` names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![allow(missing_docs)]

#[path = "../tpch/conversation.rs"]
mod conversation;
mod data;
mod mesh;
#[path = "../nodes.rs"]
mod nodes;
#[path = "../../ports.rs"]
mod ports;
mod python;

use std::process::ExitCode;
use std::time::Duration;

use arrow_flight::Ticket;
use clap::Parser;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use data::{BATCH_ROWS, Kind, Sum, Table, bytes};
use mesh::{Mesh, Read};

/// Threads and partitions of each process of ours.
const PARALLEL: usize = 2;

#[derive(Parser)]
struct Options {
    /// Size of a table in Arrow's buffers, in millions of bytes
    #[arg(long, env = "MERIDIAN_BULK_MEGABYTES", default_value_t = 1024)]
    megabytes: usize,
    /// Runs behind each median, after one that compares sums
    #[arg(long, env = "MERIDIAN_BULK_RUNS", default_value_t = 5)]
    runs: usize,
    /// Which tables
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Kind::Numbers, Kind::Mixed])]
    tables: Vec<Kind>,
    /// Only these ways, by number
    #[arg(long, value_delimiter = ',')]
    ways: Vec<usize>,
    /// What cargo says
    #[arg(long, hide = true)]
    bench: bool,
}

/// Who reads from whom; the first is what the others are held against.
#[derive(Debug, Clone, Copy)]
enum Way {
    PyarrowByPyarrow,
    PyarrowByUs,
    NodeByRemoteExec,
    NodeOverTwo,
    NodeByUs,
    NodeByPyarrow,
    Whole,
}

const WAYS: [Way; 7] = [
    Way::PyarrowByPyarrow,
    Way::PyarrowByUs,
    Way::NodeByRemoteExec,
    Way::NodeByUs,
    Way::NodeByPyarrow,
    Way::Whole,
    Way::NodeOverTwo,
];

impl Way {
    fn title(self) -> &'static str {
        match self {
            Self::PyarrowByPyarrow => "pyarrow server, pyarrow client",
            Self::PyarrowByUs => "pyarrow server, our Flight client",
            Self::NodeByRemoteExec => "owner's node, RemoteExec (one hop)",
            Self::NodeOverTwo => "owner's node, RemoteExec, 2 connections",
            Self::NodeByUs => "owner's node, our Flight client",
            Self::NodeByPyarrow => "owner's node, pyarrow client",
            Self::Whole => "owner's node, asker's node, analyst",
        }
    }
}

struct World {
    mesh: Mesh,
    server: python::Server,
    client: python::Client,
}

impl World {
    async fn new(tables: &[Table]) -> Result<Self, String> {
        let mesh = Mesh::new(tables).await;
        let [ca, owner, asker] = mesh.files();
        let server = python::Server::start(&ca, &owner, tables)?;
        Ok(Self { server, client: python::Client::start(&ca, &asker)?, mesh })
    }

    async fn read(&mut self, way: Way, table: &Table, summed: bool) -> Read {
        let Self { mesh, server, client } = self;
        let name = table.kind.name().as_bytes();
        let owner = mesh.owner.flight.port();
        match way {
            Way::PyarrowByPyarrow => client.read(server.port, name, summed),
            Way::PyarrowByUs => mesh.direct(server.port, Ticket::new(name.to_vec()), summed).await,
            Way::NodeByRemoteExec => mesh.hop(table, 1, summed).await,
            Way::NodeOverTwo => mesh.hop(table, 2, summed).await,
            Way::NodeByUs => {
                let ticket = mesh.ticket(table);
                mesh.direct(owner, ticket, summed).await
            }
            Way::NodeByPyarrow => client.read(owner, &mesh.ticket(table).ticket, summed),
            Way::Whole => mesh.whole(table, summed).await,
        }
    }
}

/// What the file holds, and its bytes in Arrow's buffers.
fn expected(table: &Table) -> (Sum, usize) {
    let file = std::fs::File::open(&table.path).unwrap();
    let batches = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().with_batch_size(BATCH_ROWS).build().unwrap();
    batches.map(Result::unwrap).fold((Sum::default(), 0), |(mut sum, size), batch| {
        sum.add(&batch);
        (sum, size + bytes(&batch))
    })
}

async fn compare(world: &mut World, table: &Table, options: &Options) -> Result<(), String> {
    let ways = (1..).zip(WAYS).filter(|(number, _)| options.ways.is_empty() || options.ways.contains(number));
    let mut times: Vec<(Way, Vec<Duration>)> = ways.map(|(_, way)| (way, Vec::new())).collect();
    let (expected, size) = expected(table);
    for run in 0..=options.runs {
        for (way, times) in &mut times {
            let summed = run == 0;
            let read = world.read(*way, table, summed).await;
            let (sum, time) = read.map_err(|why| format!("{}: {why}\n{}", way.title(), world.mesh.log()))?;
            if sum.rows != expected.rows || (summed && sum != expected) {
                return Err(format!("{}: {sum:?} where the file has {expected:?}", way.title()));
            }
            if !summed {
                times.push(time);
            }
        }
    }
    println!("\n{}: {} rows, {:.0} MB", table.kind.name(), expected.rows, size as f64 / 1e6);
    let mut first = None;
    for (way, mut times) in times {
        times.sort_unstable();
        let Some(median) = times.get(times.len() / 2) else { continue };
        let rate = size as f64 / 1e6 / median.as_secs_f64();
        let first = *first.get_or_insert(rate);
        println!("  {:39} {:7.0} ms {rate:7.0} MB/s {:6.2}", way.title(), median.as_secs_f64() * 1e3, rate / first);
    }
    Ok(())
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let options = Options::parse();
    let tables: Vec<_> = options.tables.iter().map(|kind| Table::at(*kind, options.megabytes)).collect();
    println!(
        "Tables of {} MB in memory over mutual TLS; medians of {} runs after one, in turn; against the first way",
        options.megabytes, options.runs
    );
    let mut world = match World::new(&tables).await {
        Ok(world) => world,
        Err(why) => {
            println!("{why}");
            return ExitCode::FAILURE;
        }
    };
    for table in &tables {
        if let Err(why) = compare(&mut world, table, &options).await {
            println!("{why}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
