//! What the release gate costs: the same question of the same rows, open and as statistics, side by side in one run.
//!
//! `cargo bench -p meridian --bench gate [-- ROWS RUNS]`; 10 million rows in 1,000 cells and 7 runs by default. Every
//! question goes the whole way of an answer (parse, gate, optimise, a durable log record, run) in one process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, UInt64Array};
use arrow::datatypes::{Field, Schema};
use datafusion::catalog::MemTable;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use futures::TryStreamExt;
use meridian::audit::Log;
use meridian::catalogue::{Catalogue, Own};
use meridian::gate::{
    Caller, ColumnTerms, Controls, Dominance, PublishedTable, Terms, UNIT_COLUMN, Unit,
};
use meridian::history::History;
use meridian::peers::Directory;
use meridian::query::{Asked, Engine, Parts};
use meridian_certs::{Authority, Credentials, Identity, KeyAndRequest, Request, Validity};
use meridian_disclosure::noise::{CountTable, MagnitudeTable, Parameters};
use meridian_disclosure::sketch::{Element, Sketch};
use meridian_federation::remote::Peers;
use meridian_proto::{Column, ColumnType, Dataset, DatasetName, Form, Name, Role};

const ROWS: usize = 10_000_000;
const CELLS: u64 = 1_000;
const RUNS: usize = 7;
const BATCH_ROWS: usize = 32 * 1024;
const PARTITIONS: usize = 2;
/// Rows of each unit where units repeat.
const REPEATS: u64 = 4;
const THRESHOLD: u32 = 10;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

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
        let columns: [(&str, ArrayRef); 4] = [
            ("cell", Arc::new(numbers().map(|n| i32::try_from(spread(n) % CELLS).unwrap()).collect::<Int32Array>())),
            ("amount", Arc::new(numbers().map(|n| i64::try_from(spread(!n) % 1_000).unwrap()).collect::<Int64Array>())),
            ("id", Arc::new(numbers().map(|n| i64::try_from(n / repeats).unwrap()).collect::<Int64Array>())),
            (UNIT_COLUMN, Arc::new(numbers().map(|n| spread(n / repeats)).collect::<UInt64Array>())),
        ];
        let fields: Vec<Field> = columns.iter().map(|(n, c)| Field::new(*n, c.data_type().clone(), true)).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.map(|c| c.1).to_vec()).unwrap();
        partitions[index % PARTITIONS].push(batch);
    }
    let schema = partitions[0][0].schema();
    let table = Arc::new(MemTable::try_new(schema, partitions).unwrap());
    LogicalPlanBuilder::scan("source", provider_as_source(table), None).unwrap().build().unwrap()
}

fn dataset(title: &str, form: Form) -> Dataset {
    let column = |column: &str, column_type, role| Column {
        name: name(column),
        column_type,
        role,
        required: false,
        ranges: false,
        concept: String::new(),
        unit: String::new(),
        description: String::new(),
    };
    Dataset {
        name: name(title),
        title: title.into(),
        description: String::new(),
        licence: String::new(),
        form,
        needs_agreement: false,
        columns: vec![
            column("cell", ColumnType::Integer, Role::Dimension),
            column("amount", ColumnType::Bigint, Role::Measure),
            column("id", ColumnType::Bigint, Role::Identifier),
        ],
        unit_kind: String::new(),
        threshold: if form == Form::Statistics { THRESHOLD } else { 0 },
        standard: None,
        coverage: vec![],
        size_class: 0,
        update_frequency: String::new(),
    }
}

fn published(title: &str, unit: Option<Unit>, history: &Arc<History>, rows: &LogicalPlan) -> (Name, Own) {
    let form = if unit.is_some() { Form::Statistics } else { Form::Open };
    let counts = CountTable::made(&Parameters { largest: 5, variance: 2.0, forbidden: 0, stay: None }, [3; 32]);
    let controls = unit.as_ref().map(|_| {
        Arc::new(Controls {
            counts: counts.unwrap(),
            magnitudes: MagnitudeTable::made(5, 2.0).unwrap(),
            dominance: Dominance { percent: 10.0, largest: None },
            key: [7; 16],
            reuse: true,
            history: Arc::clone(history),
        })
    });
    let bounds = ColumnTerms { bounds: Some((0.0, 1_000.0)), ..ColumnTerms::default() };
    let terms = Terms {
        name: DatasetName { federation: name("london"), body: name("lfb"), dataset: name(title) },
        dataset: Arc::new(dataset(title, form)),
        own: form,
        unit,
        columns: HashMap::from([(name("amount"), bounds)]),
        controls,
        listed: true,
        grants: vec![],
    };
    (name(title), Own::Ready(Arc::new(PublishedTable::new(Arc::new(terms), rows.clone()).unwrap())))
}

fn unit(unique: bool) -> Option<Unit> {
    Some(Unit { kind: name("person"), column: Some(name("id")), unique, belongs_to: None })
}

/// The credentials of an identity that the authority has signed.
fn credentials(folder: &Path, authority: &Authority, file: &str, identity: &Identity) -> Arc<Credentials> {
    let (key, cert) = (folder.join(format!("{file}.key")), folder.join(format!("{file}.pem")));
    let made = KeyAndRequest::create(&key).unwrap();
    let request = Request::from_pem(made.pem()).unwrap();
    let validity = Validity::from_now(Duration::from_secs(24 * 3600));
    std::fs::write(&cert, authority.sign(&request, identity, &["localhost".into()], validity).unwrap()).unwrap();
    Credentials::load(&folder.join("ca.pem"), &cert, &key).unwrap()
}

struct Node {
    engine: Arc<Engine>,
    caller: Caller,
}

impl Node {
    fn new(folder: &Path, own: BTreeMap<Name, Own>) -> Self {
        let (federation, body) = (name("london"), name("lfb"));
        let authority = Authority::create(&federation, folder).unwrap();
        let node = Identity::Node { federation: federation.clone(), body: body.clone() };
        let credentials_of_node = credentials(folder, &authority, "node", &node);
        let analyst = Identity::Analyst { federation: federation.clone(), body: body.clone(), name: name("li") };
        let signed = credentials(folder, &authority, "li", &analyst).sign(b"li".to_vec()).unwrap();
        let verified = credentials_of_node.verify(&signed, SystemTime::now()).unwrap();
        let caller = Caller::new(&verified, (&federation, &body), Some("benchmark".into()), None).unwrap();
        let peers = Peers::new(federation.clone(), credentials_of_node.client_connector(), HashMap::new());
        let (own_body, of) = (body.clone(), federation.clone());
        let directory =
            Directory::open(own_body, of, Arc::clone(&credentials_of_node), Arc::clone(&peers), folder.join("peers"));
        let engine = Engine::new(Parts {
            catalogue: Catalogue::new(federation.clone(), body.clone(), own, directory),
            federation,
            body,
            log: Log::open(&folder.join("audit")).unwrap(),
            credentials: credentials_of_node,
            peers,
            memory: 8 << 30,
            patience: Duration::from_secs(600),
            target_partitions: PARTITIONS,
        });
        Self { engine: engine.unwrap(), caller }
    }

    /// Asks, and returns the number of rows and the time until the last one.
    async fn ask(&self, sql: &str) -> (usize, Duration) {
        let began = Instant::now();
        let asked = Asked {
            caller: self.caller.clone(),
            sql: sql.into(),
            parameters: vec![],
            query_id: format!("{:032x}", spread(u64::try_from(began.elapsed().subsec_nanos()).unwrap())),
        };
        let answer = self.engine.answer(asked).await.unwrap_or_else(|why| panic!("{sql}: {why}"));
        let batches: Vec<RecordBatch> = answer.released.try_collect().await.unwrap();
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        answer.closing.close(u64::try_from(rows).unwrap(), 0).await.unwrap();
        (rows, began.elapsed())
    }
}

/// Fingerprints of as many units as there are rows, on as many threads as there are partitions.
fn fingerprints(rows: usize, nearness: u32, summed: bool) -> Duration {
    let began = Instant::now();
    std::thread::scope(|scope| {
        for partition in 0..PARTITIONS {
            scope.spawn(move || {
                let capacity = usize::try_from(if summed { 2 * nearness } else { nearness }).unwrap();
                let mut sketches = vec![Sketch::new(capacity); usize::try_from(CELLS).unwrap()];
                for row in (partition..rows).step_by(PARTITIONS) {
                    let unit = spread(u64::try_from(row).unwrap());
                    let contribution = if summed { i128::from(unit % 1_000) } else { 1 };
                    if let Some(sketch) = sketches.get_mut(usize::try_from(unit % CELLS).unwrap()) {
                        sketch.toggle(Element::new(unit, contribution));
                    }
                }
                std::hint::black_box(&sketches);
            });
        }
    });
    began.elapsed()
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).unwrap().as_secs_f64() * 1e3
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let numbers: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let (count, runs) = (numbers.first().copied().unwrap_or(ROWS), numbers.get(1).copied().unwrap_or(RUNS));
    let folder = tempfile::TempDir::new().unwrap();
    let history = History::open(&folder.path().join("history.redb"), &[9; 32]).unwrap();
    let (once, again) = (rows(count, 1), rows(count, REPEATS));
    let own = BTreeMap::from([
        published("plain", None, &history, &once),
        published("plain_again", None, &history, &again),
        published("unique", unit(true), &history, &once),
        published("repeating", unit(false), &history, &again),
    ]);
    let node = Node::new(folder.path(), own);
    println!("{count} rows, {CELLS} cells, {PARTITIONS} partitions, median of {runs} runs after one, in turn");
    for figures in ["COUNT(*)", "SUM(amount)", "COUNT(*), SUM(amount), AVG(amount)"] {
        let ask = |of: &str, figures: &str| format!("SELECT cell, {figures} FROM lfb.{of} GROUP BY cell");
        let questions = [
            ("without the gate", ask("plain", figures)),
            ("gate, unit unique per row", ask("unique", figures)),
            ("without the gate, rows of units that repeat", ask("plain_again", figures)),
            ("gate, unit repeats", ask("repeating", figures)),
            ("yardstick: COUNT(DISTINCT unit) by DataFusion", ask("plain", "COUNT(DISTINCT id)")),
            ("yardstick: the same where units repeat", ask("plain_again", "COUNT(DISTINCT id)")),
        ];
        let mut times = vec![Vec::new(); questions.len()];
        let (mut counted, mut summed) = (Vec::new(), Vec::new());
        for run in 0..=runs {
            for ((_, sql), times) in questions.iter().zip(&mut times) {
                let (rows, time) = node.ask(sql).await;
                assert!(rows > 0, "{sql} has no rows");
                if run > 0 {
                    times.push(time);
                }
            }
            if run > 0 {
                counted.push(fingerprints(count, THRESHOLD, false));
                summed.push(fingerprints(count, THRESHOLD, true));
            }
        }
        println!("\n{figures} by cell");
        let base = median(times[0].clone());
        for ((what, _), times) in questions.iter().zip(times) {
            let time = median(times);
            println!("  {what:<48} {time:>9.1} ms  {:>6.2} x", time / base);
        }
        println!("  {:<48} {:>9.1} ms", "part: fingerprints of one count", median(counted));
        println!("  {:<48} {:>9.1} ms", "part: fingerprints of one sum", median(summed));
    }
}
