//! A join that collects the keys of its small side before the other side's bodies are asked.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::{JoinSide, Statistics, internal_datafusion_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Expr;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::execution_plan::{
    CardinalityEffect, ReplaceChildrenOptions, replace_children_if_necessary,
};
use datafusion::physical_plan::statistics::{ChildStats, StatisticsArgs};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{TryStreamExt, stream};
use tokio::sync::OnceCell;

use super::list::Keys;
use super::rule::{below, remote};
use super::small::Small;
use super::{MOST_BYTES, OpenHere};
use crate::error::Why;
use crate::remote::{QueryContext, RemoteExec};
use crate::{check, normal, wire};

/// One equality of the join.
#[derive(Debug, Clone)]
pub(super) struct Key {
    /// Over the small side.
    pub(super) expr: Arc<dyn PhysicalExpr>,
    /// The column of the remote leaf.
    pub(super) position: usize,
    /// Its type.
    pub(super) data_type: DataType,
}

/// Answers as its join does. The small side is executed once: the join gets what was collected of it.
#[derive(Debug)]
pub struct KeyFilterExec {
    join: Arc<dyn ExecutionPlan>,
    /// The side that has the remote leaf.
    side: JoinSide,
    keys: Vec<Key>,
    /// The join over what was collected, as soon as that is done; where it failed, nobody is asked again.
    ready: Arc<OnceCell<Result<Arc<dyn ExecutionPlan>, Arc<DataFusionError>>>>,
}

impl KeyFilterExec {
    pub(super) fn new(join: Arc<dyn ExecutionPlan>, side: JoinSide, keys: Vec<Key>) -> Self {
        Self { join, side, keys, ready: Arc::default() }
    }
}

impl DisplayAs for KeyFilterExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<String> = self.keys.iter().map(|key| format!("c{} IN {}", key.position, key.expr)).collect();
        write!(f, "KeyFilterExec: side={}, keys=[{}]", self.side, keys.join(", "))
    }
}

impl ExecutionPlan for KeyFilterExec {
    crate::plain_plan!("KeyFilterExec");

    fn properties(&self) -> &Arc<PlanProperties> {
        self.join.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.join]
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let [join] =
            <[_; 1]>::try_from(children).map_err(|_| internal_datafusion_err!("a key filter is of one join"))?;
        Ok(Arc::new(Self::new(join, self.side, self.keys.clone())))
    }

    fn execute(&self, partition: usize, task: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (join, side, keys) = (Arc::clone(&self.join), self.side, self.keys.clone());
        let ready = Arc::clone(&self.ready);
        let rows = async move {
            let prepared = async { prepared(&join, side, &keys, &task).await.map_err(Arc::new) };
            match ready.get_or_init(|| prepared).await {
                Ok(join) => join.execute(partition, task),
                Err(error) => Err(DataFusionError::Shared(Arc::clone(error))),
            }
        };
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), stream::once(rows).try_flatten())))
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], _args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        inputs.first().cloned().ok_or_else(|| internal_datafusion_err!("a key filter is of one join"))
    }
}

/// The join, over what was collected of its small side and over those rows of the other that can match.
async fn prepared(
    join: &Arc<dyn ExecutionPlan>,
    side: JoinSide,
    keys: &[Key],
    task: &Arc<TaskContext>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let context = task.session_config().get_extension::<QueryContext>();
    if context.as_ref().is_some_and(|context| context.begun.is_some()) {
        // A partial answer has begun at every body by now, without keys.
        return Ok(Arc::clone(join));
    }
    let children = join.children();
    let [left, right] = children.as_slice() else { return Err(internal_datafusion_err!("a join has two sides")) };
    let (large, other) = if side == JoinSide::Left { (*left, *right) } else { (*right, *left) };
    let small = Small::read(other, task).await?;
    // What was open when the question was decided may have been closed since.
    let holds = OpenHere::of(task.session_config().options()).is_none_or(OpenHere::holds);
    let found = if holds && small.is_whole() { found(&small, keys)? } else { Vec::new() };
    let large = match filtered(large, &found)? {
        Some((filtered, bodies)) => {
            if let Some(context) = context {
                context.receipts.note(vec![told(large, &bodies, &found)]);
            }
            filtered
        }
        None => Arc::clone(large),
    };
    let small = small.again(other)?;
    let sides = if side == JoinSide::Left { vec![large, small] } else { vec![small, large] };
    replace_children_if_necessary(Arc::clone(join), sides)
}

/// The keys of each column of the remote leaf; nothing of one that has too many.
fn found(small: &Small, keys: &[Key]) -> Result<Vec<(usize, Keys)>> {
    let mut all = Vec::new();
    for Key { expr, position, data_type } in keys {
        let mut found = Keys::new(data_type.clone());
        let mut few = true;
        for batch in &small.batches {
            few = few && found.add(&expr.evaluate(batch)?.into_array(batch.num_rows())?)?;
        }
        if few {
            all.push((*position, found));
        }
    }
    Ok(all)
}

/// What must be true of the remote leaf's columns; there must be keys of each.
fn condition(found: &[(usize, Keys)]) -> Option<Expr> {
    normal::all(found.iter().map(|(position, keys)| keys.condition(*position)).collect())
}

/// The side with the keys in the SQL that its bodies get, and who these are; without its leaf where no row of that can match, so
/// that nobody is asked; nothing where the text would be too long or is not read as it is meant.
fn filtered(
    plan: &Arc<dyn ExecutionPlan>,
    found: &[(usize, Keys)],
) -> Result<Option<(Arc<dyn ExecutionPlan>, Vec<String>)>> {
    let Some(remote) = plan.downcast_ref::<RemoteExec>() else {
        let input = below(plan).ok_or_else(|| internal_datafusion_err!("a key filter has no remote leaf"))?;
        let Some((input, bodies)) = filtered(input, found)? else { return Ok(None) };
        return Ok(Some((replace_children_if_necessary(Arc::clone(plan), vec![input])?, bodies)));
    };
    let bodies = remote.parts().iter().map(|part| part.body.to_string()).collect();
    if found.iter().any(|(_, keys)| keys.number() == 0) {
        let none = EmptyExec::new(remote.schema()).with_partitions(remote.properties().partitioning.partition_count());
        return Ok(Some((Arc::new(none), bodies)));
    }
    let Some(condition) = condition(found) else { return Ok(None) };
    let Ok(text) = written(condition, remote) else { return Ok(None) };
    let width = remote.schema().fields().len();
    let texts: Vec<String> =
        remote.parts().iter().map(|part| wire::among(&format!("({})", part.sql), width, &text)).collect();
    if texts.iter().any(|text| text.len() > MOST_BYTES) {
        return Ok(None);
    }
    Ok(Some((Arc::new(remote.with_keys(texts)), bodies)))
}

/// The text of a condition, read back.
fn written(condition: Expr, remote: &RemoteExec) -> Result<String, Why> {
    let schema = remote.schema();
    let text = wire::condition(&condition, schema.fields().len())?;
    check::among(&text, &schema, condition)?;
    Ok(text)
}

/// What a reader of the answer is told.
fn told(large: &Arc<dyn ExecutionPlan>, bodies: &[String], found: &[(usize, Keys)]) -> String {
    let number: usize = found.iter().map(|(_, keys)| keys.number()).sum();
    let datasets = remote(large).map(RemoteExec::keys_of).unwrap_or_default();
    let (datasets, bodies) = (datasets.join(" and "), bodies.join(", "));
    if found.iter().any(|(_, keys)| keys.number() == 0) {
        return format!("{bodies} was not asked, since {datasets} has no key that a row there could match");
    }
    format!(
        "keys of {datasets}, which is open, were sent to {bodies} with the question ({number} of them), so that rows without one stay there"
    )
}
