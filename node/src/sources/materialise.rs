//! Evaluates a mapping over a file of records once, and finds the record and column at which it fails.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::prelude::SessionContext;

use super::files::{self, Fault, Records, Rows};
use super::held::collect;
use super::mapping::{self, Failure};
use super::{SourceError, SourceSpec};

/// The published columns of all records.
pub(super) async fn read(spec: &SourceSpec, context: &SessionContext) -> Result<Vec<RecordBatch>, SourceError> {
    if spec.path.is_dir() {
        return Err(SourceError::unreadable(spec, &"it is a folder, and a csv source is one file"));
    }
    let owned = spec.clone();
    let file = super::blocking(spec, move || files::open(&owned)).await?;
    match evaluate_file(spec, &file, context).await? {
        Ok(batches) => Ok(batches),
        Err(error) => Err(explain(spec, &file, context, &error).await),
    }
}

type Evaluated = Result<Vec<RecordBatch>, DataFusionError>;

async fn evaluate_file(
    spec: &SourceSpec,
    file: &Arc<dyn Records>,
    context: &SessionContext,
) -> Result<Evaluated, SourceError> {
    let partition: Arc<dyn PartitionStream> = Arc::new(FilePartition(Arc::clone(file)));
    let table = StreamingTable::try_new(Arc::clone(file.schema()), vec![partition])
        .map_err(|_| SourceError::evaluation(spec))?;
    evaluate(spec, Arc::new(table), context, None).await
}

/// The published columns of a table of text, or only one of them; the outer error is the mapping's, the inner one a value's.
async fn evaluate(
    spec: &SourceSpec,
    table: Arc<dyn TableProvider>,
    context: &SessionContext,
    only: Option<usize>,
) -> Result<Evaluated, SourceError> {
    // One partition: the file is read in order, and rows stay in it.
    let session = mapping::session(1, context.runtime_env());
    let plan = mapping::plan(spec, &session, table, Failure::Reported).await?.published;
    Ok(match only.map_or(Ok(plan.clone()), |index| narrowed(&plan, index)) {
        Ok(plan) => collect(&session, plan).await,
        Err(error) => Err(error),
    })
}

fn narrowed(plan: &LogicalPlan, index: usize) -> Result<LogicalPlan, DataFusionError> {
    let column = plan.schema().iter().nth(index).map(Expr::from);
    LogicalPlanBuilder::from(plan.clone()).project(column)?.build()
}

/// Our words for a failed evaluation. The engine's error is looked at, never passed on: it may quote values.
async fn explain(
    spec: &SourceSpec,
    file: &Arc<dyn Records>,
    context: &SessionContext,
    error: &DataFusionError,
) -> SourceError {
    if let DataFusionError::External(inner) = error.find_root()
        && let Some(fault) = inner.downcast_ref::<Fault>()
    {
        return fault.clone().of(spec);
    }
    match locate(spec, file, context).await {
        Ok(Some(found)) | Err(found) => found,
        Ok(None) => SourceError::evaluation(spec),
    }
}

/// Evaluates batch by batch until one fails, and halves that one until a record is left.
async fn locate(
    spec: &SourceSpec,
    file: &Arc<dyn Records>,
    context: &SessionContext,
) -> Result<Option<SourceError>, SourceError> {
    for rows in Arc::clone(file).rows().map_err(|fault| fault.of(spec))? {
        let Rows { batch, numbers } = rows.map_err(|fault| fault.of(spec))?;
        if fails(spec, &batch, context, None).await? {
            let (mut start, mut end) = (0, batch.num_rows());
            while end - start > 1 {
                let middle = start + (end - start) / 2;
                if fails(spec, &batch.slice(start, middle - start), context, None).await? {
                    end = middle;
                } else {
                    start = middle;
                }
            }
            let record = batch.slice(start, end - start);
            let column = failing_column(spec, &record, context).await?;
            let place = numbers.get(start).and_then(|number| file.place(*number));
            return Ok(Some(SourceError::Value {
                dataset: spec.dataset.name.clone(),
                path: spec.path.clone(),
                place,
                column,
            }));
        }
    }
    Ok(None)
}

async fn failing_column(
    spec: &SourceSpec,
    record: &RecordBatch,
    context: &SessionContext,
) -> Result<Option<(meridian_proto::Name, meridian_proto::ColumnType)>, SourceError> {
    let mut failing = Vec::new();
    for (index, column) in spec.dataset.columns.iter().enumerate() {
        if fails(spec, record, context, Some(index)).await? {
            failing.push((column.name.clone(), column.column_type));
        }
    }
    // Where each column fails it is what they share, such as the WHERE clause.
    let shared = failing.len() > 1 && failing.len() == spec.dataset.columns.len();
    Ok(if shared { None } else { failing.into_iter().next() })
}

async fn fails(
    spec: &SourceSpec,
    batch: &RecordBatch,
    context: &SessionContext,
    only: Option<usize>,
) -> Result<bool, SourceError> {
    let table =
        MemTable::try_new(batch.schema(), vec![vec![batch.clone()]]).map_err(|_| SourceError::evaluation(spec))?;
    Ok(evaluate(spec, Arc::new(table), context, only).await?.is_err())
}

/// The file as the one partition of the table `source`, read on a thread that may block.
#[derive(Debug)]
struct FilePartition(Arc<dyn Records>);

impl PartitionStream for FilePartition {
    fn schema(&self) -> &SchemaRef {
        self.0.schema()
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStreamBuilder::new(Arc::clone(self.0.schema()), 2);
        let (file, sender) = (Arc::clone(&self.0), builder.tx());
        builder.spawn_blocking(move || {
            let outside = |fault: Fault| DataFusionError::External(Box::new(fault));
            for rows in file.rows().map_err(outside)? {
                if sender.blocking_send(Ok(rows.map_err(outside)?.batch)).is_err() {
                    break;
                }
            }
            Ok(())
        });
        builder.build()
    }
}
