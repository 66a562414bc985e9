//! Sail, which others wrote and which takes Spark's SQL.

use std::sync::Weak;

use datafusion::parquet::arrow::ArrowWriter;
use datafusion::physical_plan::{ExecutionPlan, collect};
use tokio::sync::Mutex;

use super::super::super::tests::generated;
use super::alike::{HOMES, TOWNS, Traps, compare, generated_rows, tables};
use super::logins::Files;
use super::sail::Sail;
use super::*;

/// A view with a column of every type that Parquet of ours does not have.
const KINDS: &str = "CREATE VIEW census.kinds AS SELECT CAST(-7 AS TINYINT) AS tiny, CAST(300 AS SMALLINT) AS small, \
    CAST(1.5 AS FLOAT) AS single, X'00ff' AS bytes, array(1, 2) AS list, named_struct('a', 1) AS struct, \
    TIMESTAMP '2024-07-03 10:46:40+01:00' AS moment, CAST(1 AS DECIMAL(38, 10)) AS wide, CAST(NULL AS STRING) AS nothing";

/// One that has these tables in the schema census.
async fn sail(tables: Vec<(&'static str, RecordBatch)>) -> Sail {
    let sail = Sail::start().unwrap_or_else(|why| panic!("{why}: run tests/run, which installs it"));
    sail.run(&["CREATE SCHEMA census", KINDS]).await;
    for (name, batch) in tables {
        let folder = sail.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let file = std::fs::File::create(folder.join("part.parquet")).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        sail.run(&[&format!("CREATE TABLE census.{name} USING parquet LOCATION '{}'", folder.display())]).await;
    }
    sail
}

/// One for all tests that read.
async fn shared() -> Arc<Sail> {
    static SHARED: Mutex<Weak<Sail>> = Mutex::const_new(Weak::new());
    let mut shared = SHARED.lock().await;
    if let Some(sail) = shared.upgrade() {
        return sail;
    }
    let sail = Arc::new(sail(tables().await).await);
    *shared = Arc::downgrade(&sail);
    sail
}

fn engine(sail: &Sail) -> Arc<FlightEngine> {
    FlightEngine::new(config(sail.port(), EngineDialect::Spark))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_by_sail_is_what_would_be_done_here() {
    // Alone, since its log is read.
    let sail = sail(tables().await).await;
    let engine = engine(&sail);
    let (homes, towns) =
        (spec(&engine, Form::Open, "census.homes", &HOMES), spec(&engine, Form::Open, "census.towns", &TOWNS));
    let mut before = sail.log();
    let mut asked = || {
        let asked = sail.asked(&before);
        before = sail.log();
        asked
    };
    compare(Traps { homes, towns, asked: &mut asked }, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn generated_questions_have_the_same_answers_there() {
    let mut rng = generated::chooser();
    let sail = sail(vec![("values_of", generated_rows(&mut rng).await)]).await;
    let dataset = spec(&engine(&sail), Form::Open, "census.values_of", &generated::COLUMNS);
    let context = generated::both(loaded(&dataset).await.unwrap()).await;
    generated::conditions(&context, &mut rng, 40).await;
    let before = sail.log();
    generated::questions(&context, &mut rng, || sail.asked(&before)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn types_keep_their_values_and_those_that_are_not_read_are_left_out() {
    let sail = shared().await;
    let columns = [
        "tiny integer",
        "small integer",
        "single double",
        "bytes bytea",
        "moment timestamp",
        "wide decimal(38,10)",
        "nothing varchar",
    ];
    let loaded = loaded(&spec(&engine(&sail), Form::Open, "census.kinds", &columns)).await.unwrap();
    let found = shown(&ask(&session(&BTreeMap::from([("d", loaded)])), "SELECT * FROM d").await.unwrap());
    let row: String = found.lines().nth(3).unwrap().split_whitespace().collect();
    assert_eq!(row, "|-7|300|1.5|00ff|2024-07-03T09:46:40|1.0000000000||", "{found}");
    let error = super::loaded(&spec(&engine(&sail), Form::Open, "census.kinds", &["list varchar"])).await.unwrap_err();
    assert!(error.to_string().contains("the table has no column `list`"), "{error}");
}

/// Rows that left the engine for a question.
async fn fetched(context: &SessionContext, sql: &str) -> (usize, Vec<RecordBatch>) {
    let plan = context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
    let batches = collect(Arc::clone(&plan), context.task_ctx()).await.unwrap();
    (leaves(&plan), batches)
}

fn leaves(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let own = plan.metrics().and_then(|metrics| metrics.output_rows()).filter(|_| plan.children().is_empty());
    own.unwrap_or_default() + plan.children().into_iter().map(leaves).sum::<usize>()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_a_condition_keeps_out_do_not_come() {
    let sail = shared().await;
    let loaded = loaded(&spec(&engine(&sail), Form::Statistics, "census.homes", &HOMES)).await.unwrap();
    let context = session(&BTreeMap::from([("d", loaded)]));
    assert_eq!(fetched(&context, "SELECT * FROM d").await.0, 11);
    assert_eq!(fetched(&context, "SELECT id FROM d WHERE town = 'York'").await.0, 2);
    assert_eq!(fetched(&context, "SELECT id FROM d WHERE town = 'York' LIMIT 1").await.0, 1);
    assert_eq!(fetched(&context, "SELECT COUNT(*) FROM d WHERE upper(town) = 'YORK'").await.0, 11);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_tls_it_is_read_as_well() {
    let (sail, files) = (shared().await, Files::new());
    let tls = Some(EngineTls { ca: files.path("ca.pem"), identity: None });
    let port = files.before(sail.port(), false).await;
    let engine =
        FlightEngine::new(EngineConfig { host: "localhost".into(), tls, ..config(port, EngineDialect::Spark) });
    let loaded = loaded(&spec(&engine, Form::Open, "census.homes", &HOMES)).await.unwrap();
    assert_eq!(loaded.rows, 11);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_is_killed_and_comes_back_without_its_tables_is_said_each_time() {
    let mut sail = sail(Vec::new()).await;
    let view = "CREATE VIEW many AS SELECT id, repeat('x', 1000) AS town FROM range(3000000)";
    sail.run(&[view]).await;
    let dataset = spec(&engine(&sail), Form::Open, "default.many", &["id bigint", "town varchar"]);
    let loaded = loaded(&dataset).await.unwrap();
    assert_eq!(loaded.rows, 3_000_000);
    let context = session(&BTreeMap::from([("d", loaded.clone())]));
    let mut stream = context.sql("SELECT * FROM d").await.unwrap().execute_stream().await.unwrap();
    let mut rows = futures::StreamExt::next(&mut stream).await.unwrap().unwrap().num_rows();
    sail.kill();
    let error = loop {
        match futures::StreamExt::next(&mut stream).await.expect("no end before the end") {
            Ok(batch) => rows += batch.num_rows(),
            Err(error) => break error,
        }
    };
    assert!(rows < 3_000_000 && matches!(fault(&error), EngineFault::Gone(_)), "{error:?}");
    let error = ask(&context, "SELECT id FROM d LIMIT 1").await.unwrap_err();
    assert!(matches!(fault(&error), EngineFault::Gone(_) | EngineFault::Unreachable(_)), "{error:?}");
    sail.up().unwrap();
    let refused = super::refused(&dataset).await;
    assert!(matches!(refused, EngineFault::Refused(_) | EngineFault::Unreachable(_)), "{refused}");
    sail.run(&[view]).await;
    while super::loaded(&dataset).await.is_err() {
        tokio::task::yield_now().await;
    }
}
