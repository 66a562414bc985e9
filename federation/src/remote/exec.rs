//! The physical leaf of a placed plan: asks every body of a [`RemoteNode`] at once and streams what they answer.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::common::stats::Precision;
use datafusion::common::{Result, Statistics};
use datafusion::error::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_expr::EquivalenceProperties;
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder, MetricsSet};
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties, StatisticsArgs,
};
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};
use futures::{StreamExt, TryStreamExt};
use tokio::sync::Barrier;
use tokio::sync::mpsc::Sender;

use super::arrived::Measure;
use super::shared::Shared;
use super::{QueryContext, RemoteError, RemoteErrorKind, RemoteItem, RemoteStream};
use crate::node::{RemoteNode, RemotePart};
use crate::reference::{ReferenceExec, ReferenceNode};

/// Batches that wait between the bodies and the plan above before the bodies are held back.
const BUFFERED_BATCHES: usize = 4;

/// Makes a [`RemoteExec`] of each [`RemoteNode`], and a [`ReferenceExec`] of each [`ReferenceNode`].
#[derive(Debug, Default)]
pub struct RemotePlanner;

#[async_trait]
impl ExtensionPlanner for RemotePlanner {
    async fn plan_extension(
        &self,
        _planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        _physical_inputs: &[Arc<dyn ExecutionPlan>],
        _session: &dyn Session,
        _context: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        if let Some(node) = node.as_any().downcast_ref::<ReferenceNode>() {
            return Ok(Some(Arc::new(ReferenceExec::new(node))));
        }
        Ok(node.as_any().downcast_ref::<RemoteNode>().map(|node| Arc::new(RemoteExec::new(node)) as _))
    }
}

/// Asks all its bodies when it is executed; one output partition.
#[derive(Debug)]
pub struct RemoteExec {
    parts: Vec<RemotePart>,
    rows: usize,
    keys_of: Vec<String>,
    may_share: bool,
    /// The asking that it has in common with equal leaves of its plan.
    shared: Option<Arc<Shared>>,
    /// What each part is asked instead of its SQL, unless its body finds it too long: the same with keys in it.
    with_keys: Vec<String>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl RemoteExec {
    /// The leaf for `node`.
    pub fn new(node: &RemoteNode) -> Self {
        let schema: SchemaRef = Arc::clone(node.schema.inner());
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Self {
            parts: node.parts.clone(),
            rows: node.rows,
            keys_of: node.keys_of.clone(),
            may_share: node.may_share(),
            shared: None,
            with_keys: Vec::new(),
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// The bodies that it asks and the SQL that each gets.
    pub fn parts(&self) -> &[RemotePart] {
        &self.parts
    }

    /// Whether placement lets the keys of the other side of its join be sent along.
    pub(crate) fn takes_keys(&self) -> bool {
        !self.keys_of.is_empty()
    }

    /// The datasets whose keys these are.
    pub(crate) fn keys_of(&self) -> &[String] {
        &self.keys_of
    }

    /// The same, but each body gets this for its SQL, which has keys in it.
    pub(crate) fn with_keys(&self, sql: Vec<String>) -> Self {
        Self {
            parts: self.parts.clone(),
            rows: self.rows,
            keys_of: Vec::new(),
            may_share: false,
            shared: None,
            with_keys: sql,
            properties: Arc::clone(&self.properties),
            metrics: self.metrics.clone(),
        }
    }

    /// Whether it may be asked together with equal leaves.
    pub(super) fn may_share(&self) -> bool {
        self.may_share
    }

    /// Whether both put the same to the same bodies.
    pub(super) fn asks_the_same(&self, other: &Self) -> bool {
        let types = |exec: &Self| -> Vec<DataType> {
            exec.schema().fields().iter().map(|field| field.data_type().clone()).collect()
        };
        self.may_share && other.may_share && self.parts == other.parts && types(self) == types(other)
    }

    /// The same with figures of its own, and nothing in common with others.
    pub(super) fn alone(&self) -> Self {
        Self {
            parts: self.parts.clone(),
            rows: self.rows,
            keys_of: self.keys_of.clone(),
            may_share: self.may_share,
            shared: None,
            with_keys: self.with_keys.clone(),
            properties: Arc::clone(&self.properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// The same, asked once with all that have this in common.
    pub(super) fn sharing(&self, shared: &Arc<Shared>) -> Self {
        Self { shared: Some(Arc::clone(shared)), ..self.alone() }
    }

    /// What it has in common with equal leaves.
    pub(super) fn shared(&self) -> Option<&Arc<Shared>> {
        self.shared.as_ref()
    }
}

impl DisplayAs for RemoteExec {
    fn fmt_as(&self, _t: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bodies: Vec<String> = self.parts.iter().map(|part| part.body.to_string()).collect();
        write!(f, "RemoteExec: bodies=[{}]", bodies.join(", "))
    }
}

impl ExecutionPlan for RemoteExec {
    crate::leaf_plan!("RemoteExec");

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn execute(&self, partition: usize, task: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if let Some(shared) = &self.shared {
            let handed_on = MetricBuilder::new(&self.metrics).output_rows(partition);
            let rows = shared.read(self.alone(), &task)?;
            let counted = rows.inspect_ok(move |batch| handed_on.add(batch.num_rows()));
            return Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), counted)));
        }
        let context = task
            .session_config()
            .get_extension::<QueryContext>()
            .ok_or_else(|| DataFusionError::Internal("a plan with remote parts runs without a query context".into()))?;
        let mut builder = RecordBatchReceiverStream::builder(self.schema(), BUFFERED_BATCHES);
        let together = Arc::new(Barrier::new(self.parts.len()));
        let handed_on = MetricBuilder::new(&self.metrics).output_rows(partition);
        for (index, part) in self.parts.iter().enumerate() {
            let with_keys = self.with_keys.get(index).cloned();
            let start = Arc::new(Start {
                arrived: AtomicBool::new(false),
                waits: AtomicBool::new(false),
                several: self.parts.len() > 1,
                together: Arc::clone(&together),
                handed_on: handed_on.clone(),
            });
            let asking =
                ask(part.clone(), with_keys, self.schema(), Arc::clone(&context), builder.tx(), Arc::clone(&start));
            let (body, patience) = (part.body.clone(), context.patience);
            let dispensable = part.of_every && context.begun.is_none();
            builder.spawn(async move {
                let mut asking = pin!(asking);
                let answered = match tokio::time::timeout(patience, &mut asking).await {
                    Ok(answered) => answered,
                    // It is others that are late: who they are, their own error says.
                    Err(_) if start.waits.load(Ordering::Relaxed) => asking.await,
                    Err(_) => {
                        let why = format!("it has not finished its part within {} s", patience.as_secs());
                        Err(RemoteError::new(&body, RemoteErrorKind::Limit, why))
                    }
                };
                let answered = answered.map_err(|error| RemoteError {
                    dispensable: dispensable && error.is_absence() && !start.arrived.load(Ordering::Relaxed),
                    ..error
                });
                answered.map_err(|error| DataFusionError::External(Box::new(error)))
            });
        }
        Ok(builder.build())
    }

    fn statistics_from_inputs(
        &self,
        _input_stats: &[Arc<Statistics>],
        _args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        // Joins build their hash table on the smaller side, which can't spill: a rough count beats none.
        let rows = Precision::Inexact(self.rows);
        Ok(Arc::new(Statistics::new_unknown(&self.schema()).with_num_rows(rows)))
    }
}

/// How far one body is. Nothing of anybody is handed on before all have begun: most failures come before a reader has seen
/// a part of an answer.
struct Start {
    arrived: AtomicBool,
    waits: AtomicBool,
    /// Whether there are others.
    several: bool,
    together: Arc<Barrier>,
    /// Rows of all of them together.
    handed_on: Count,
}

/// Puts one body's part to it and passes on what it answers, until its receipt says that this was all.
async fn ask(
    part: RemotePart,
    with_keys: Option<String>,
    schema: SchemaRef,
    context: Arc<QueryContext>,
    out: Sender<Result<RecordBatch>>,
    start: Arc<Start>,
) -> Result<(), RemoteError> {
    let mut measure = context.receipts.measure(&part);
    let read = read(&part, with_keys, schema, &context, out, &start, &mut measure).await;
    read.inspect_err(|error| measure.failed(error.kind))
}

async fn read(
    part: &RemotePart,
    with_keys: Option<String>,
    schema: SchemaRef,
    context: &QueryContext,
    out: Sender<Result<RecordBatch>>,
    start: &Start,
    measure: &mut Measure,
) -> Result<(), RemoteError> {
    let body = &part.body;
    let begun = context.begun.as_ref().and_then(|begun| begun.take(part));
    let mut answer = match begun {
        Some((answer, opened)) => {
            measure.opened(opened);
            answer
        }
        None => begin(part, with_keys.as_deref(), context).await?,
    };
    let mut rows = 0u64;
    while let Some(item) = answer.items.next().await {
        let item = item?;
        match &item {
            RemoteItem::Batch(batch) => measure.rows(batch.num_rows() as u64),
            RemoteItem::Receipt(_) => measure.end(),
        }
        if !start.arrived.swap(true, Ordering::Relaxed) {
            start.waits.store(true, Ordering::Relaxed);
            start.together.wait().await;
            start.waits.store(false, Ordering::Relaxed);
        }
        match item {
            RemoteItem::Batch(batch) => {
                rows += batch.num_rows() as u64;
                if batch.num_rows() > 0 {
                    if out.send(Ok(conform(body, &schema, &batch)?)).await.is_err() {
                        // Whoever reads has enough (a LIMIT): the rest is not wanted, and dropping the call says so.
                        return Ok(());
                    }
                    start.handed_on.add(batch.num_rows());
                }
            }
            RemoteItem::Receipt(receipt) => {
                let bytes = context.receipts.take((part, start.several), &context.query_id, rows, receipt)?;
                measure.bytes(bytes);
                return Ok(());
            }
        }
    }
    Err(RemoteError::new(body, RemoteErrorKind::Failed, "its answer ended without a release record, so it may be cut"))
}

/// Puts its part to a body, without the keys if they are more than the body takes.
async fn begin(
    part: &RemotePart,
    with_keys: Option<&str>,
    context: &QueryContext,
) -> Result<RemoteStream, RemoteError> {
    let ask = |sql: &str| context.transport.query(&part.body, context.remote_query(sql));
    match with_keys {
        None => ask(&part.sql).await,
        Some(longer) => match ask(longer).await {
            Err(error) if error.kind == RemoteErrorKind::Limit => ask(&part.sql).await,
            answered => answered,
        },
    }
}

/// A peer's batch under the schema that was planned: by position, the same types, or an error.
fn conform(
    body: &meridian_proto::BodyName,
    schema: &SchemaRef,
    batch: &RecordBatch,
) -> Result<RecordBatch, RemoteError> {
    let failed = |why: String| RemoteError::new(body, RemoteErrorKind::Failed, why);
    if batch.num_columns() != schema.fields().len() {
        let (found, planned) = (batch.num_columns(), schema.fields().len());
        return Err(failed(format!("it sent {found} columns where {planned} were planned")));
    }
    for (column, field) in batch.columns().iter().zip(schema.fields()) {
        if column.data_type() != field.data_type() {
            let (found, planned) = (column.data_type(), field.data_type());
            return Err(failed(format!(
                "its column {} is {found} where {planned} was planned; its datasets may have changed just now: ask again",
                field.name()
            )));
        }
        if !field.is_nullable() && column.null_count() > 0 {
            return Err(failed(format!("its column {} has NULLs where none were planned", field.name())));
        }
    }
    RecordBatch::try_new(Arc::clone(schema), batch.columns().to_vec()).map_err(|error| failed(error.to_string()))
}
