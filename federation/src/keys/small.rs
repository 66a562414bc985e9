//! The small side of a join, executed once: what was read of it for its keys, and the rest.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::internal_datafusion_err;
use datafusion::error::Result;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::Partitioning;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties, execute_stream};
use futures::{StreamExt, stream};

use super::MOST_ROWS;

/// What was read of a side, and the rest of it.
pub(super) struct Small {
    pub(super) batches: Vec<RecordBatch>,
    /// Where it has more rows than keys are looked for in.
    rest: Option<SendableRecordBatchStream>,
    reservation: MemoryReservation,
}

impl Small {
    /// Reads a side to its end, or so far that no keys will be sent.
    pub(super) async fn read(side: &Arc<dyn ExecutionPlan>, task: &Arc<TaskContext>) -> Result<Self> {
        let mut rows = execute_stream(Arc::clone(side), Arc::clone(task))?;
        let reservation = MemoryConsumer::new("KeyFilter").register(task.memory_pool());
        let (mut batches, mut count) = (Vec::new(), 0);
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            reservation.try_grow(held(&batch))?;
            count += batch.num_rows();
            batches.push(batch);
            if count > MOST_ROWS {
                return Ok(Self { batches, rest: Some(rows), reservation });
            }
        }
        Ok(Self { batches, rest: None, reservation })
    }

    /// Whether this is all of it.
    pub(super) fn is_whole(&self) -> bool {
        self.rest.is_none()
    }

    /// The side as its join has it, over what was read of it.
    pub(super) fn again(self, side: &Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = side.schema();
        let read = Read { schema: Arc::clone(&schema), small: Mutex::new(Some(self)) };
        let leaf = StreamingTableExec::try_new(schema, vec![Arc::new(read)], None, [], false, None)?;
        Ok(match side.output_partitioning() {
            Partitioning::UnknownPartitioning(1) => Arc::new(leaf),
            Partitioning::UnknownPartitioning(count) => {
                Arc::new(RepartitionExec::try_new(Arc::new(leaf), Partitioning::RoundRobinBatch(*count))?)
            }
            other => Arc::new(RepartitionExec::try_new(Arc::new(leaf), other.clone())?),
        })
    }
}

/// The bytes of a batch. What was decoded from one message shares its buffer, which would be counted for each column.
fn held(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or_default()).sum()
}

/// Whether [`Small::again`] can stand for a side: nothing above may rely on an order, nor on partitions of another kind.
pub(super) fn is_plain(side: &Arc<dyn ExecutionPlan>) -> bool {
    let known = matches!(
        side.output_partitioning(),
        Partitioning::UnknownPartitioning(_) | Partitioning::RoundRobinBatch(_) | Partitioning::Hash(..)
    );
    known && side.output_ordering().is_none()
}

/// Gives back, once, what was read.
struct Read {
    schema: SchemaRef,
    small: Mutex<Option<Small>>,
}

impl fmt::Debug for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Read").finish_non_exhaustive()
    }
}

impl PartitionStream for Read {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _task: Arc<TaskContext>) -> SendableRecordBatchStream {
        let small = self.small.lock().unwrap_or_else(PoisonError::into_inner).take();
        let schema = Arc::clone(&self.schema);
        let Some(Small { batches, rest, reservation }) = small else {
            let again = internal_datafusion_err!("the small side of a join is read twice");
            return Box::pin(RecordBatchStreamAdapter::new(schema, stream::once(async { Err(again) })));
        };
        let read = stream::iter(batches).map(move |batch| {
            // The reservation is let go of with the last batch.
            reservation.shrink(held(&batch).min(reservation.size()));
            Ok(batch)
        });
        let rest = stream::iter(rest).flatten();
        Box::pin(RecordBatchStreamAdapter::new(schema, read.chain(rest)))
    }
}
