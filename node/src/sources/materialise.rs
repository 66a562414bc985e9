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

use super::behind::Behind;
use super::files::{FileFault, Files, LeftOut};
use super::held::collect;
use super::mapping::{self, Failure};
use super::{SourceError, SourceSpec, pieces, store};

/// The published columns of all records.
pub(super) async fn read(
    spec: &SourceSpec,
    behind: &Behind,
    context: &SessionContext,
) -> Result<Vec<RecordBatch>, SourceError> {
    let objects = match behind {
        Behind::Objects { listing, .. } => {
            Some(store::fetched(listing).await.map_err(|fault| SourceError::store(spec, &fault))?)
        }
        Behind::Files(_) | Behind::Table => None,
    };
    let owned = spec.clone();
    let opened = move || {
        let files = match objects {
            Some(objects) => Files::of_objects(&owned.path, objects, &owned.kind),
            None => Files::open(&owned.path, &owned.kind),
        };
        files.map(Arc::new).map_err(|fault| fault.of(&owned))
    };
    let files = super::blocking(spec, opened).await?;
    let batches = match pieces::read(spec, &files, context, pieces::PIECE_BYTES).await {
        Some(batches) => batches,
        None => in_order(spec, &files, context).await?,
    };
    tell(spec, files.left_out());
    Ok(batches)
}

/// The same of files that have been opened, from the first record to the last; whatever is wrong is found so.
pub(super) async fn in_order(
    spec: &SourceSpec,
    files: &Arc<Files>,
    context: &SessionContext,
) -> Result<Vec<RecordBatch>, SourceError> {
    match evaluate_files(spec, files, context).await? {
        Ok(batches) => Ok(batches),
        Err(error) => Err(explain(spec, files, context, &error).await),
    }
}

/// Nothing is left out quietly.
fn tell(spec: &SourceSpec, LeftOut { blank_rows, repeated_headings }: LeftOut) {
    if blank_rows + repeated_headings > 0 {
        let dataset = &spec.dataset.name;
        tracing::info!(%dataset, blank_rows, repeated_headings, "left out of its source, as source.drop says");
    }
}

type Evaluated = Result<Vec<RecordBatch>, DataFusionError>;

async fn evaluate_files(
    spec: &SourceSpec,
    files: &Arc<Files>,
    context: &SessionContext,
) -> Result<Evaluated, SourceError> {
    let table = table(files).map_err(|_| SourceError::evaluation(spec))?;
    evaluate(spec, table, context, None).await
}

/// The files as the table `source`, in one partition: they are read in order.
pub(super) fn table(files: &Arc<Files>) -> Result<Arc<dyn TableProvider>, DataFusionError> {
    let partition: Arc<dyn PartitionStream> = Arc::new(FilePartition(Arc::clone(files)));
    Ok(Arc::new(StreamingTable::try_new(Arc::clone(files.schema()), vec![partition])?))
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
    files: &Arc<Files>,
    context: &SessionContext,
    error: &DataFusionError,
) -> SourceError {
    if let DataFusionError::External(inner) = error.find_root()
        && let Some(fault) = inner.downcast_ref::<FileFault>()
    {
        return fault.clone().of(spec);
    }
    match locate(spec, files, context).await {
        Ok(Some(found)) | Err(found) => found,
        Ok(None) => SourceError::evaluation(spec),
    }
}

/// Evaluates batch by batch until one fails, and halves that one until a record is left.
async fn locate(
    spec: &SourceSpec,
    files: &Arc<Files>,
    context: &SessionContext,
) -> Result<Option<SourceError>, SourceError> {
    for part in files.parts() {
        let part = part.map_err(|fault| fault.of(spec))?;
        let batch = &part.batch;
        if fails(spec, batch, context, None).await? {
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
            let (path, place) = files.place(&part, start).unwrap_or((&spec.path, None));
            let (dataset, path) = (spec.dataset.name.clone(), path.to_path_buf());
            return Ok(Some(SourceError::Value { dataset, path, place, column }));
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

/// That partition, read on a thread that may block.
#[derive(Debug)]
struct FilePartition(Arc<Files>);

impl PartitionStream for FilePartition {
    fn schema(&self) -> &SchemaRef {
        self.0.schema()
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStreamBuilder::new(Arc::clone(self.0.schema()), 2);
        let (files, sender) = (Arc::clone(&self.0), builder.tx());
        builder.spawn_blocking(move || {
            let outside = |fault: FileFault| DataFusionError::External(Box::new(fault));
            for part in files.parts() {
                if sender.blocking_send(Ok(part.map_err(outside)?.batch)).is_err() {
                    break;
                }
            }
            Ok(())
        });
        builder.build()
    }
}
