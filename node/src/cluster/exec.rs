//! A part of a plan that runs on workers. Its whole answer is here before any of it goes on to the release above, and only there
//! is anything charged: where a worker dies before that, the part is asked again of those that are left.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::DFSchema;
use datafusion::datasource::physical_plan::ParquetSource;
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::memory_pool::MemoryConsumer;
use datafusion::execution::{SendableRecordBatchStream, SessionStateBuilder, TaskContext};
use datafusion::logical_expr::{EmptyRelation, LogicalPlan};
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::execution_plan::{ReplaceChildrenOptions, reset_plan_states};
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use datafusion_distributed::{DistributedExec, DistributedExt, SessionStateBuilderExt};
use futures::{StreamExt, TryStreamExt, stream};

use super::codec;
use super::workers::{Chosen, Found, Workers};
use crate::gate::Refused;
use crate::telemetry;

/// How often a part is begun at most: once, and again each time after workers died under it.
const MOST_ATTEMPTS: usize = 3;

/// Where a part of a plan was computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ran {
    /// By so many workers.
    Workers(usize),
    /// At the node itself.
    Home,
}

/// The part run by workers, where it can be; as it is elsewhere.
pub(super) fn spread(workers: &Arc<Workers>, part: &Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
    let single = part.properties().partitioning.partition_count() == 1;
    // Turns are a node's, which has others to answer.
    let there =
        meridian_federation::unpaced(Arc::clone(part)).ok().filter(|_| single && is_of_files(part) == Some(true));
    match there.filter(|there| codec::encoded(Arc::clone(there)).is_ok()) {
        Some(part) => Arc::new(ClusterExec { part, workers: Arc::clone(workers), ran: Arc::default() }),
        None => Arc::clone(part),
    }
}

/// Whether a plan reads Parquet files, which may be on disks that the workers share; `None` where it reads something else as
/// well.
fn is_of_files(plan: &Arc<dyn ExecutionPlan>) -> Option<bool> {
    let children = plan.children();
    if !children.is_empty() {
        let each: Option<Vec<bool>> = children.into_iter().map(is_of_files).collect();
        return each.map(|each| each.contains(&true));
    }
    if plan.is::<EmptyExec>() || plan.is::<PlaceholderRowExec>() {
        return Some(false);
    }
    let (files, _) = plan.downcast_ref::<DataSourceExec>()?.downcast_to_file_source::<ParquetSource>()?;
    // An object of a store has no such path.
    let mut each = files.file_groups.iter().flat_map(|group| group.iter());
    each.all(|file| Path::new("/").join(file.object_meta.location.as_ref()).exists()).then_some(true)
}

/// Where the parts of a plan that workers may run were run; nothing of those that were not run.
pub fn ran(plan: &Arc<dyn ExecutionPlan>) -> Option<Ran> {
    let part = plan.downcast_ref::<ClusterExec>()?;
    *part.ran.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs what is below it on workers.
struct ClusterExec {
    part: Arc<dyn ExecutionPlan>,
    workers: Arc<Workers>,
    ran: Arc<Mutex<Option<Ran>>>,
}

impl fmt::Debug for ClusterExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterExec").field("part", &self.part).finish_non_exhaustive()
    }
}

impl DisplayAs for ClusterExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClusterExec: {} workers", self.workers.count())
    }
}

impl ExecutionPlan for ClusterExec {
    meridian_federation::plain_plan!("ClusterExec");

    fn properties(&self) -> &Arc<PlanProperties> {
        self.part.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.part]
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let Ok([part]) = <[_; 1]>::try_from(children) else {
            return Err(DataFusionError::Internal("a part for workers has one input".into()));
        };
        Ok(Arc::new(Self { part, workers: Arc::clone(&self.workers), ran: Arc::clone(&self.ran) }))
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return Err(DataFusionError::Internal("a part for workers has one partition".into()));
        }
        let (part, workers, ran) = (Arc::clone(&self.part), Arc::clone(&self.workers), Arc::clone(&self.ran));
        let answer = async move {
            let (batches, where_) = answer(&workers, &part, &context).await?;
            *ran.lock().unwrap_or_else(PoisonError::into_inner) = Some(where_);
            Ok::<_, DataFusionError>(stream::iter(batches.into_iter().map(Ok)))
        };
        let answer = stream::once(answer).try_flatten();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.part.schema(), answer)))
    }
}

/// The whole answer of a part, and who gave it.
async fn answer(
    workers: &Workers,
    part: &Arc<dyn ExecutionPlan>,
    context: &Arc<TaskContext>,
) -> Result<(Vec<RecordBatch>, Ran)> {
    let mut left = workers.fit().await;
    for _ in 0..MOST_ATTEMPTS {
        if left.is_empty() {
            break;
        }
        let failed = match by_workers(workers, part, &left, context).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let now = workers.fit().await;
        let died: Vec<&Found> = left.iter().filter(|worker| !now.contains(worker)).collect();
        if died.is_empty() {
            return Err(failed);
        }
        for worker in died {
            tracing::warn!(worker = %worker.url, "a worker died under a question, which is asked again of those that are left");
        }
        left = now;
    }
    if workers.at_home {
        tracing::warn!("no worker of the cluster is left: the node computes itself");
        let plan = reset_plan_states(Arc::clone(part))?;
        return Ok((gathered(plan.execute(0, Arc::clone(context))?, context).await?, Ran::Home));
    }
    Err(Refused::without_workers(workers.count()).into())
}

/// The answer of these workers, or of the node where the part turns out to be too small to be divided.
async fn by_workers(
    workers: &Workers,
    part: &Arc<dyn ExecutionPlan>,
    chosen: &[Found],
    context: &Arc<TaskContext>,
) -> Result<(Vec<RecordBatch>, Ran)> {
    // A plan is divided into two tasks at least: where one worker is left it has both.
    let tasks = chosen.len().max(2);
    let urls: Vec<_> = chosen.iter().cycle().take(tasks).map(|worker| worker.url.clone()).collect();
    let mut config = context.session_config().clone();
    config.set_distributed_channel_resolver(workers.channels());
    config.set_distributed_user_codec_arc(Arc::new(codec::Ours));
    config.set_distributed_desired_task_count_handler(urls.len());
    config.set_distributed_worker_resolver(Chosen(urls));
    // Of work over rows that are not open nothing is told.
    config.set_distributed_metrics_collection(false)?;
    let state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(context.runtime_env())
        .with_query_planner(Arc::new(Given(reset_plan_states(Arc::clone(part))?)))
        .with_distributed_planner()
        .build();
    let nothing =
        LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: false, schema: Arc::new(DFSchema::empty()) });
    let plan = state.query_planner().create_physical_plan(&nothing, &state).await?;
    let ran = if plan.is::<DistributedExec>() { Ran::Workers(chosen.len()) } else { Ran::Home };
    let before = telemetry::panics();
    let answer = gathered(plan.execute(0, state.task_ctx())?, context).await?;
    // Rows of a worker come through a task: where that panics they end, as if those were all.
    if telemetry::panics() != before {
        return Err(DataFusionError::Internal("a part of an answer may be missing, since something broke here".into()));
    }
    Ok((answer, ran))
}

/// All of a stream, as far as the pool has room.
async fn gathered(mut rows: SendableRecordBatchStream, context: &TaskContext) -> Result<Vec<RecordBatch>> {
    let held = MemoryConsumer::new("cluster").register(context.memory_pool());
    let mut batches = Vec::new();
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        held.try_grow(batch.get_array_memory_size())?;
        batches.push(batch);
    }
    Ok(batches)
}

/// A planner that has its plan already.
#[derive(Debug)]
struct Given(Arc<dyn ExecutionPlan>);

#[async_trait]
impl QueryPlanner for Given {
    async fn create_physical_plan(&self, _: &LogicalPlan, _: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::clone(&self.0))
    }
}
