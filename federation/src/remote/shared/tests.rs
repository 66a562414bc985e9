//! Who is asked how often where leaves are equal, and what each of them reads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::HashMap;

use arrow::array::{AsArray, Int64Array};
use arrow::datatypes::{Field, Int64Type, Schema};
use datafusion::catalog::MemTable;
use datafusion::common::DFSchema;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::physical_plan::union::UnionExec;
use datafusion::prelude::{SessionConfig, SessionContext};
use meridian_proto::Form;

use super::*;
use crate::node::{RemoteNode, RemotePart};
use crate::tests::keyed::{Sent, keyed};
use crate::tests::world::name;

const BATCHES: i64 = 40;
const BATCH_ROWS: i64 = 1_000;

/// A table `things` of one body, in many batches.
fn things() -> SessionContext {
    let schema = Arc::new(Schema::new(vec![Field::new("n", arrow::datatypes::DataType::Int64, true)]));
    let batch = |at: i64| {
        let numbers: Int64Array = (at * BATCH_ROWS..(at + 1) * BATCH_ROWS).collect();
        RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(numbers)]).unwrap()
    };
    let context = SessionContext::new();
    let table = MemTable::try_new(Arc::clone(&schema), vec![(0..BATCHES).map(batch).collect()]).unwrap();
    context.register_table("things", Arc::new(table)).unwrap();
    context
}

/// Two leaves that ask the same, as one plan, and what is needed to run them within so many bytes.
fn two(sql: &str, memory: usize) -> (Vec<Arc<dyn ExecutionPlan>>, Arc<TaskContext>, Sent) {
    let leaf = || {
        let schema = Schema::new(vec![Field::new("n", arrow::datatypes::DataType::Int64, true)]);
        let part = RemotePart {
            body: "gla".parse().unwrap(),
            sql: sql.into(),
            form: Form::Open,
            dataset: "london.gla.things".into(),
            beside: Vec::new(),
            references: Vec::new(),
            of_every: false,
        };
        let schema = Arc::new(DFSchema::try_from(schema).unwrap());
        let node = RemoteNode { parts: vec![part], schema, columns: vec!["n".into()], rows: 1, keys_of: Vec::new() };
        Arc::new(RemoteExec::new(&node)) as Arc<dyn ExecutionPlan>
    };
    let sent = Sent::default();
    let config = keyed(SessionConfig::new(), HashMap::from([(name("gla"), things())]), &sent);
    let runtime = RuntimeEnvBuilder::new().with_memory_limit(memory, 1.0).build_arc().unwrap();
    let session = SessionContext::new_with_config_rt(config, runtime);
    let plan = shared(UnionExec::try_new(vec![leaf(), leaf()]).unwrap()).unwrap();
    (plan.children().into_iter().cloned().collect(), session.task_ctx(), sent)
}

/// The sum of all numbers, which tells that each came once.
async fn sum(mut rows: SendableRecordBatchStream) -> Result<i64> {
    let mut sum = 0;
    while let Some(batch) = rows.next().await {
        sum += batch?.column(0).as_primitive::<Int64Type>().iter().flatten().sum::<i64>();
    }
    Ok(sum)
}

fn whole() -> i64 {
    (0..BATCHES * BATCH_ROWS).sum()
}

const ALL: &str = "SELECT n FROM things";
const PLENTY: usize = 64 << 20;
/// Less than half of the rows.
const SCANT: usize = 100 << 10;

#[tokio::test]
async fn one_question_is_asked_for_both_however_they_read() {
    let (leaves, task, sent) = two(ALL, PLENTY);
    let (first, second) =
        (leaves[0].execute(0, Arc::clone(&task)).unwrap(), leaves[1].execute(0, Arc::clone(&task)).unwrap());
    assert_eq!(sum(first).await.unwrap(), whole());
    assert_eq!(sum(second).await.unwrap(), whole());
    assert_eq!(sent.new_ones().len(), 1);
    assert_eq!(task.memory_pool().reserved(), 0);
    let (leaves, task, sent) = two(ALL, PLENTY);
    let both = leaves.iter().map(|leaf| sum(leaf.execute(0, Arc::clone(&task)).unwrap()));
    for of in futures::future::join_all(both).await {
        assert_eq!(of.unwrap(), whole());
    }
    assert_eq!(sent.new_ones().len(), 1);
}

#[tokio::test]
async fn whoever_has_enough_takes_nothing_from_the_other() {
    let (leaves, task, sent) = two(ALL, PLENTY);
    let mut first = leaves[0].execute(0, Arc::clone(&task)).unwrap();
    let second = leaves[1].execute(0, Arc::clone(&task)).unwrap();
    first.next().await.unwrap().unwrap();
    drop(first);
    assert_eq!(sum(second).await.unwrap(), whole());
    assert_eq!(sent.new_ones().len(), 1);
}

/// Lets all that goes on go as far as it does by itself.
async fn settled() {
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn where_memory_does_not_suffice_whoever_has_read_nothing_asks_for_itself() {
    let (leaves, task, sent) = two(ALL, SCANT);
    let (first, second) =
        (leaves[0].execute(0, Arc::clone(&task)).unwrap(), leaves[1].execute(0, Arc::clone(&task)).unwrap());
    // However long nobody begins to read.
    settled().await;
    assert_eq!(sum(first).await.unwrap(), whole());
    assert_eq!(sum(second).await.unwrap(), whole());
    assert_eq!(sent.new_ones().len(), 2);
    assert_eq!(task.memory_pool().reserved(), 0);
}

#[tokio::test]
async fn what_nobody_has_read_is_left_with_the_bodies() {
    let (leaves, task, sent) = two(ALL, SCANT);
    let mut both: Vec<_> = leaves.iter().map(|leaf| leaf.execute(0, Arc::clone(&task)).unwrap()).collect();
    let mut sums = [0, 0];
    let mut ended = 0;
    while ended < 2 {
        settled().await;
        let few = WAITING_BATCHES * BATCH_ROWS as usize * 2 * size_of::<i64>();
        assert!(task.memory_pool().reserved() <= few, "{}", task.memory_pool().reserved());
        ended = 0;
        for (sum, rows) in sums.iter_mut().zip(&mut both) {
            match rows.next().await {
                Some(batch) => {
                    *sum += batch.unwrap().column(0).as_primitive::<Int64Type>().iter().flatten().sum::<i64>();
                }
                None => ended += 1,
            }
        }
    }
    assert_eq!(sums, [whole(); 2]);
    assert_eq!(sent.new_ones().len(), 1);
    drop(both);
    assert_eq!(task.memory_pool().reserved(), 0);
}

#[tokio::test]
async fn who_falls_behind_what_memory_holds_is_told_so_and_given_no_shorter_answer() {
    let (leaves, task, sent) = two(ALL, SCANT);
    let (mut first, mut second) =
        (leaves[0].execute(0, Arc::clone(&task)).unwrap(), leaves[1].execute(0, Arc::clone(&task)).unwrap());
    first.next().await.unwrap().unwrap();
    second.next().await.unwrap().unwrap();
    for behind in [first, second] {
        let error = sum(behind).await.unwrap_err();
        assert!(matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)), "{error}");
    }
    assert_eq!(sent.new_ones().len(), 1);
    assert_eq!(task.memory_pool().reserved(), 0);
}

#[tokio::test]
async fn where_all_have_gone_nothing_is_held_and_nobody_is_asked_on() {
    let (leaves, task, _sent) = two(ALL, PLENTY);
    let (mut first, second) =
        (leaves[0].execute(0, Arc::clone(&task)).unwrap(), leaves[1].execute(0, Arc::clone(&task)).unwrap());
    first.next().await.unwrap().unwrap();
    drop((first, second));
    settled().await;
    assert_eq!(task.memory_pool().reserved(), 0);
    // The same where the plan is gone as well, while what has arrived waits for a reader.
    let (leaves, task, _sent) = two(ALL, PLENTY);
    let first = leaves[0].execute(0, Arc::clone(&task)).unwrap();
    settled().await;
    drop((first, leaves));
    settled().await;
    assert_eq!(task.memory_pool().reserved(), 0);
}

#[tokio::test]
async fn both_learn_why_there_is_no_answer_and_a_plan_runs_again() {
    let (leaves, task, sent) = two("SELECT n FROM nothing", PLENTY);
    for leaf in &leaves {
        let error = sum(leaf.execute(0, Arc::clone(&task)).unwrap()).await.unwrap_err();
        assert!(error.to_string().contains("gla did not answer"), "{error}");
    }
    assert_eq!(sent.new_ones().len(), 1);
    let (leaves, task, sent) = two(ALL, PLENTY);
    for round in 1..=2 {
        for leaf in &leaves {
            assert_eq!(sum(leaf.execute(0, Arc::clone(&task)).unwrap()).await.unwrap(), whole());
        }
        // Not for the first time, each asks for itself.
        assert_eq!(sent.new_ones().len(), round);
    }
}
