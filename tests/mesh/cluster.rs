//! A body's own cluster: a real node with two real workers gives the same answers and the same releases as the node alone, goes on
//! where a worker dies, and lets nobody else in.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use datafusion_distributed::grpc::{BoxCloneSyncChannel, create_worker_client};
use datafusion_distributed::{GetWorkerInfoRequest, MaybeEncoded, SetPlanRequest, TaskKey};
use meridian_certs::{Cluster, Connector, Credentials, Validity};

use super::support::{
    Client, Mesh, Ran, Running, Town, certify, change, copy, described, free, meridian, parquet, send_signal, until,
};

/// Rows of one of the brigade's files.
const ROWS: i64 = 6_000;
/// A text that stands in rows alone.
const CANARY: &str = "CANARY-WARD-NINE";

const CALLS: &str = r#"
name = "calls"
title = "Calls"
description = "One row per call"
licence = "OGL-UK-3.0"
form = "statistics"
own = "statistics"
as_of = "live"

[unit]
kind = "caller"
UNIT

[source]
kind = "parquet"
path = "data/NAME"

[mapping]
sql = "SELECT caller, ward, CAST(year AS INTEGER) AS year, upper(kind) AS kind, cost FROM source"
"#;

const QUESTIONS: [&str; 6] = [
    "SELECT ward, COUNT(*) AS n, SUM(cost) AS cost FROM lfb.calls GROUP BY ward ORDER BY ward",
    "SELECT ward, year, COUNT(*) AS n, AVG(cost) AS cost FROM lfb.calls WHERE kind = 'FIRE' GROUP BY ward, year ORDER BY ward, year",
    "SELECT COUNT(*) AS n, COUNT(DISTINCT ward) AS wards FROM lfb.calls WHERE year = 2023",
    "SELECT ward, COUNT(*) AS n, COUNT(DISTINCT caller) AS callers FROM lfb.repeated GROUP BY ward ORDER BY ward",
    "SELECT year, SUM(cost) AS cost FROM lfb.repeated WHERE ward IN ('w1', 'w2', 'w5') GROUP BY year ORDER BY year",
    "SELECT c.ward, COUNT(*) AS n FROM lfb.calls c JOIN lfb.repeated r ON c.caller = r.caller GROUP BY c.ward ORDER BY c.ward",
];

/// One file of calls; every third call is of somebody who called before where `repeat` says so.
fn calls(path: &Path, from: i64, repeat: bool) {
    let ids = from..from + ROWS;
    let caller: ArrayRef =
        Arc::new(Int64Array::from_iter_values(ids.clone().map(|id| if repeat { id / 3 } else { id })));
    let ward = |id: i64| match id % 11 {
        9 => CANARY.to_owned(),
        ward => format!("w{ward}"),
    };
    let ward: ArrayRef = Arc::new(StringArray::from_iter_values(ids.clone().map(ward)));
    let year: ArrayRef = Arc::new(StringArray::from_iter_values(ids.clone().map(|id| (2022 + id % 3).to_string())));
    let kind = |id: i64| if id % 5 == 0 { "fire" } else { "flood" };
    let kind: ArrayRef = Arc::new(StringArray::from_iter_values(ids.clone().map(kind)));
    let cost: ArrayRef = Arc::new(Float64Array::from_iter_values(ids.map(|id| (id % 613) as f64 + 0.25)));
    let columns = [("caller", caller), ("ward", ward), ("year", year), ("kind", kind), ("cost", cost)];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    parquet(path, &batch);
}

/// A brigade with calls in Parquet, and an analyst of its own.
struct Brigade {
    workers: Vec<Worker>,
    town: Town,
    folder: PathBuf,
}

/// A worker's folder, and its process while it runs.
struct Worker {
    folder: PathBuf,
    address: SocketAddr,
    process: Option<(Child, ChildStdin)>,
}

impl Worker {
    fn start(&mut self) {
        let log = fs::OpenOptions::new().append(true).create(true).open(self.folder.join("worker.log")).unwrap();
        let mut command = meridian();
        command.args(["node", "worker", "serve", "--exit-with-stdin", "--config"]).arg(self.folder.join("worker.toml"));
        let before = self.log().matches("ready").count();
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        self.process = Some((child, stdin));
        until("the worker is ready", || (self.log().matches("ready").count() > before).then_some(()));
    }

    fn kill(&mut self) {
        let (mut child, _) = self.process.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("worker.log")).unwrap_or_default()
    }

    fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if self.process.is_some() {
            self.kill();
        }
    }
}

impl Brigade {
    fn new() -> Self {
        let town = Town::of(&["lfb", "gla"]);
        let folder = town.mesh.folder("lfb");
        for (name, unit, repeat) in
            [("calls", "column = \"caller\"\nunique = true", false), ("repeated", "column = \"caller\"", true)]
        {
            let data = folder.join("data").join(name);
            fs::create_dir_all(&data).unwrap();
            for file in 0..4 {
                calls(&data.join(format!("{file}.parquet")), file * ROWS, repeat);
            }
            let dataset = CALLS.replace("\"calls\"", &format!("{name:?}")).replace("NAME", name).replace("UNIT", unit);
            let columns = described(&[
                "caller bigint identifier",
                "ward varchar dimension",
                "year integer dimension",
                "kind varchar dimension",
                "cost double measure\nbounds = [0, 500]",
            ]);
            fs::write(folder.join("datasets").join(format!("{name}.toml")), dataset + &columns).unwrap();
        }
        let profile = town.mesh.profile();
        let text = fs::read_to_string(&profile).unwrap();
        fs::write(profile, text + "purpose = \"calls\"\n").unwrap();
        Self { town, folder, workers: Vec::new() }
    }

    fn mesh(&self) -> &Mesh {
        &self.town.mesh
    }

    /// Adds a worker by the command line, not started.
    fn add(&mut self, name: &str) {
        let (folder, address) = (self.mesh().dir.join(name), free());
        let mut command = meridian();
        command.args(["node", "worker", "add", name, "--listen", &address.to_string(), "--config"]);
        command
            .arg(self.folder.join("node.toml"))
            .arg("--data")
            .arg(self.folder.join("data"))
            .arg("--dir")
            .arg(&folder);
        let ran = Running::start(&mut command).end();
        assert!(ran.code == Some(0) && ran.stderr.contains(&format!("https://{address}")), "{}", ran.stderr);
        self.workers.push(Worker { folder, address, process: None });
    }

    /// A brigade with two workers, up.
    fn with_workers() -> Self {
        let mut brigade = Self::new();
        brigade.add("one");
        brigade.add("other");
        brigade.workers.iter_mut().for_each(Worker::start);
        brigade
    }

    /// Says where rows are held, and whether the workers are used.
    fn configure(&self, held_mib: i64, workers: bool, at_home: bool) {
        change(&self.folder.join("node.toml"), |node| {
            let limits = node.entry("limits").or_insert_with(|| toml::Table::new().into());
            limits.as_table_mut().unwrap().insert("held_mib".into(), held_mib.into());
            node.remove("cluster");
            if workers {
                let urls: Vec<String> = self.workers.iter().map(Worker::url).collect();
                let mut cluster = toml::Table::new();
                cluster.insert("workers".into(), urls.into());
                cluster.insert("at_home".into(), at_home.into());
                node.insert("cluster".into(), cluster.into());
            }
        });
    }

    fn ask(&self, sql: &str) -> Ran {
        self.mesh().ask(sql)
    }

    /// Where a question was computed, as its analyst is told.
    fn computed(&self, sql: &str) -> String {
        let text = self.mesh().run(&["explain", "--", &format!("EXPLAIN ANALYZE {sql}")]).ok().to_owned();
        let line = text.lines().find(|line| line.trim().starts_with("computed"));
        line.unwrap_or_default().trim().to_owned()
    }

    /// The answers to all questions from a node that has answered nothing before, and what it recorded.
    fn answers(&self, state: &Path) -> Vec<String> {
        let own = self.folder.join("state");
        fs::remove_dir_all(&own).unwrap();
        copy(state, &own);
        self.mesh().start("lfb");
        let answers = QUESTIONS.iter().map(|sql| {
            let ran = self.ask(sql);
            assert!(ran.csv().len() > 1, "{sql}: {}", ran.stderr);
            assert!(ran.stderr.contains("all signatures hold"), "{}", ran.stderr);
            ran.ok().to_owned()
        });
        let answers = answers.collect();
        self.mesh().stop("lfb");
        answers
    }
}

#[test]
fn a_cluster_of_two_workers_answers_as_the_node_alone_does() {
    let mut brigade = Brigade::new();
    brigade.configure(64, false, false);
    // Once for the secret, which all have in common.
    brigade.mesh().start("lfb");
    brigade.mesh().stop("lfb");
    brigade.add("one");
    brigade.add("other");
    brigade.workers.iter_mut().for_each(Worker::start);
    let state = brigade.mesh().dir.join("kept");
    copy(&brigade.folder.join("state"), &state);

    let held = brigade.answers(&state);
    brigade.configure(0, false, false);
    assert_eq!(brigade.answers(&state), held, "what is scanned gives the same cells");
    brigade.configure(0, true, false);
    assert_eq!(brigade.answers(&state), held, "and so do workers");

    brigade.mesh().start("lfb");
    for sql in QUESTIONS {
        assert_eq!(brigade.computed(sql), "computed by 2 of this body's workers", "{sql}");
    }
    // The same again, by whomever it is computed.
    assert_eq!(brigade.ask(QUESTIONS[0]).ok(), held[0]);
    for worker in &brigade.workers {
        let log = worker.log();
        assert!(!log.contains(CANARY) && !log.contains("panicked") && !log.contains("defect"), "{log}");
        let files: Vec<_> = fs::read_dir(&worker.folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(files.len(), 5, "certificates, key, configuration and log, and nothing else: {files:?}");
    }
    assert!(!brigade.mesh().log("lfb").contains(CANARY));
}

#[test]
fn a_worker_that_dies_is_done_without_and_none_at_all_is_told() {
    let mut brigade = Brigade::with_workers();
    brigade.configure(0, true, false);
    brigade.mesh().start("lfb");
    let expected = brigade.ask(QUESTIONS[0]).ok().to_owned();
    brigade.workers[0].kill();
    assert_eq!(brigade.ask(QUESTIONS[0]).ok(), expected);
    assert_eq!(brigade.computed(QUESTIONS[1]), "computed by 1 of this body's workers");
    let missed = brigade.workers[0].address.to_string();
    let log = brigade.mesh().log("lfb");
    assert!(log.lines().any(|line| line.contains(&missed) && line.contains("is not used")), "{log}");

    let check = || {
        let mut command = meridian();
        let ran =
            Running::start(command.args(["node", "check", "--config"]).arg(brigade.folder.join("node.toml"))).end();
        String::from_utf8(ran.stdout).unwrap()
    };
    let found = check();
    assert!(found.contains(&format!("the worker at https://{missed}/: it can't be reached")), "{found}");
    assert!(found.contains(&format!("the worker at https://{}/ answers", brigade.workers[1].address)), "{found}");

    brigade.workers[1].kill();
    let said = brigade.ask(QUESTIONS[2]).fails(1).to_owned();
    assert!(said.contains("none of the 2 workers of this body's cluster answers") && !said.contains(&missed), "{said}");
    // It comes back, and so do the answers.
    brigade.workers[1].start();
    assert_eq!(brigade.ask(QUESTIONS[0]).ok(), expected);
    brigade.workers[1].kill();
    brigade.mesh().stop("lfb");
    brigade.configure(0, true, true);
    brigade.mesh().start("lfb");
    assert_eq!(brigade.ask(QUESTIONS[0]).ok(), expected, "the node itself, where it may");
    assert_eq!(brigade.computed(QUESTIONS[1]), "computed at this node, though it has workers");
}

/// Bytes with which a worker has been met and has not got a plan yet.
const BEFORE_WORK: usize = 8 << 10;

/// An address at which a worker is reached, and that kills it as soon as it is given work.
fn deadly(worker: &Worker) -> SocketAddr {
    let (front, behind) = (free(), worker.address);
    let id = worker.process.as_ref().unwrap().0.id();
    let listener = TcpListener::bind(front).unwrap();
    let passed = Arc::new(AtomicUsize::new(0));
    std::thread::spawn(move || {
        for there in listener.incoming().map_while(Result::ok) {
            // Nobody is behind it any more.
            let Ok(here) = TcpStream::connect(behind) else { continue };
            let (mut from, mut to) = (there.try_clone().unwrap(), here.try_clone().unwrap());
            std::thread::spawn(move || {
                let (mut here, mut there) = (here, there);
                let _ = std::io::copy(&mut here, &mut there);
                let _ = there.shutdown(Shutdown::Both);
            });
            let passed = Arc::clone(&passed);
            std::thread::spawn(move || {
                let mut buffer = [0; 1024];
                while let Ok(read @ 1..) = from.read(&mut buffer) {
                    let before = passed.fetch_add(read, Ordering::Relaxed);
                    if before < BEFORE_WORK && before + read >= BEFORE_WORK {
                        send_signal(id, "KILL");
                    }
                    if to.write_all(&buffer[..read]).is_err() {
                        break;
                    }
                }
            });
        }
    });
    front
}

#[test]
fn a_worker_that_dies_under_a_question_does_not_fail_it() {
    let brigade = Brigade::with_workers();
    brigade.configure(0, false, false);
    brigade.mesh().start("lfb");
    let expected = brigade.ask(QUESTIONS[1]).ok().to_owned();
    brigade.mesh().stop("lfb");
    let front = deadly(&brigade.workers[1]);
    brigade.configure(0, true, false);
    let node = brigade.folder.join("node.toml");
    let text = fs::read_to_string(&node).unwrap();
    fs::write(&node, text.replace(&brigade.workers[1].address.to_string(), &front.to_string())).unwrap();
    brigade.mesh().start("lfb");
    assert_eq!(brigade.ask(QUESTIONS[1]).ok(), expected);
    let log = brigade.mesh().log("lfb");
    let died = |line: &str| line.contains("a worker died under a question") && line.contains(&front.to_string());
    assert!(log.lines().any(died), "{log}");
    // Charged and recorded once.
    let records = brigade.mesh().records("lfb");
    assert_eq!(records.iter().filter(|line| line.released().is_some()).count(), 2);
    assert_eq!(brigade.computed(QUESTIONS[0]), "computed by 1 of this body's workers");
}

/// The way to the cluster with somebody's certificate.
fn channel(connector: &Connector, worker: &Worker) -> BoxCloneSyncChannel {
    BoxCloneSyncChannel::new(connector.channel(&worker.url(), None).unwrap())
}

/// Gains nothing: a worker takes work from its body's node alone, and talks to nobody without a certificate of the cluster.
#[test]
fn nobody_but_the_bodys_own_node_gives_a_worker_work() {
    let brigade = Brigade::with_workers();
    let worker = &brigade.workers[0];
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let asked = |connector: Connector| {
        runtime.block_on(async {
            let mut client = create_worker_client(channel(&connector, worker));
            client.get_worker_info(GetWorkerInfoRequest {}).await.map(|info| info.version)
        })
    };
    // Nobody without a certificate, no node of the federation, the body's own among them, and no stranger of its name: they trust
    // the worker, and it hangs up on them.
    let validity = Validity::from_now(Duration::from_secs(3600));
    let stranger = certify(&brigade.mesh().authority(), "spiffe://london/body/lfb/node", validity);
    let [gla, lfb] = ["gla", "lfb"].map(|body| brigade.mesh().node_pair(body));
    for pair in [None, Some(&gla), Some(&lfb), Some(&stranger)] {
        let before = worker.log().matches("caller refused").count();
        Client::new(&worker.folder.join("ca.pem"), pair, worker.address).actions().unwrap_err();
        until("the worker says so", || (worker.log().matches("caller refused").count() > before).then_some(()));
    }
    let cluster = Cluster::new("lfb".parse().unwrap(), brigade.folder.join("state/cluster"));
    asked(cluster.node().unwrap().client_connector()).unwrap();
    // Another worker may take results, and may give nothing.
    let other = &brigade.workers[1].folder;
    let other = [other.join("ca.pem"), other.join("worker.pem"), other.join("worker.key")];
    let other = Credentials::load(&other[0], &other[1], &other[2]).unwrap().client_connector();
    asked(other.clone()).unwrap();
    let refused = runtime.block_on(gives(&other, worker, &brigade.folder.join("data/calls/0.parquet"))).unwrap_err();
    assert!(refused.contains("only the body's own node gives work here"), "{refused}");
    assert!(worker.log().contains("a caller was turned away"), "{}", worker.log());
}

/// Gives a worker a plan that reads this file.
async fn gives(connector: &Connector, worker: &Worker, file: &Path) -> Result<(), String> {
    use datafusion::prelude::{ParquetReadOptions, SessionContext};
    use futures::{StreamExt, stream};
    let context = SessionContext::new();
    let said = |error: datafusion::error::DataFusionError| error.to_string();
    let read = context.read_parquet(file.to_str().unwrap(), ParquetReadOptions::default()).await.map_err(said)?;
    let plan = read.create_physical_plan().await.map_err(said)?;
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let task_number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let task_key = TaskKey { query_id: Default::default(), stage_id: 1, task_number };
    let request = SetPlanRequest {
        task_key,
        task_count: 1,
        plan: MaybeEncoded::Decoded(plan),
        work_unit_feed_declarations: Vec::new(),
        target_worker_url: worker.url().parse().unwrap(),
        query_start_time_ns: 0,
    };
    let mut client = create_worker_client(channel(connector, worker));
    let task = context.task_ctx();
    let begun =
        client.coordinator_channel(Default::default(), request, stream::pending().boxed(), Default::default(), &task);
    begun.await.map(drop).map_err(said)
}

/// Gains nothing, not even whoever has the node's own key of the cluster: a worker reads what its own file names.
#[test]
fn a_plan_that_names_a_file_outside_is_refused_by_the_worker() {
    let brigade = Brigade::with_workers();
    let worker = &brigade.workers[0];
    let node = Cluster::new("lfb".parse().unwrap(), brigade.folder.join("state/cluster")).node().unwrap();
    let connector = node.client_connector();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let inside = brigade.folder.join("data/calls/0.parquet");
    runtime.block_on(gives(&connector, worker, &inside)).unwrap();
    let outside = brigade.mesh().dir.join("outside.parquet");
    fs::copy(&inside, &outside).unwrap();
    let link = brigade.folder.join("data/link.parquet");
    std::os::unix::fs::symlink(&outside, &link).unwrap();
    for file in [&outside, &link] {
        let refused = runtime.block_on(gives(&connector, worker, file)).unwrap_err();
        assert!(refused.contains("a worker has refused its part of the plan"), "{refused}");
    }
    let log = worker.log();
    assert!(log.contains("below none of the folders"), "{log}");
}
