//! Holds a dataset's rows in memory, as published columns and the hash of the unit.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::Column;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::behind::Behind;
use super::mapping::{self, Mapped, MappedColumn};
use super::marked::Marked;
use super::{
    SOURCE_TABLE, SourceError, SourceKind, SourceSpec, addresses, marked, materialise, parquet, published_schema,
    remote,
};
use crate::gate::UNIT_COLUMN;

/// Rows of a batch in memory.
pub(super) const BATCH_ROWS: usize = 32 * 1024;

/// The published columns, and the unit's where there is one.
pub(super) fn held_schema(spec: &SourceSpec) -> SchemaRef {
    let published = published_schema(&spec.dataset);
    let unit = spec.unit.iter().map(|_| Arc::new(Field::new(UNIT_COLUMN, DataType::UInt64, true)));
    Arc::new(Schema::new(published.fields().iter().cloned().chain(unit).collect::<Vec<_>>()))
}

/// The source's rows as they are held, in the source's order.
pub(super) async fn read(spec: &SourceSpec, behind: &Behind, context: &SessionContext) -> Result<Marked, SourceError> {
    let batches = published(spec, behind, context).await?;
    let owned = spec.clone();
    super::blocking(spec, move || marked::mark(&owned, batches)).await
}

/// The published columns of all of the source's rows, as they are there, batch by batch: not all are in memory at once where
/// the format doesn't need it.
pub(super) async fn each(
    spec: &SourceSpec,
    behind: &Behind,
    context: &SessionContext,
    mut take: impl FnMut(&RecordBatch) -> Result<(), SourceError>,
) -> Result<(), SourceError> {
    if spec.kind != SourceKind::Parquet {
        return published(spec, behind, context).await?.iter().try_for_each(take);
    }
    addresses::ready(spec).await?;
    let mut rows = parquet::read(spec, behind, context).await?;
    while let Some(batch) = rows.next().await {
        take(&batch.map_err(|error| SourceError::run(spec, &error))?)?;
    }
    Ok(())
}

/// The published columns of all of the source's rows, as they are there.
async fn published(
    spec: &SourceSpec,
    behind: &Behind,
    context: &SessionContext,
) -> Result<Vec<RecordBatch>, SourceError> {
    addresses::ready(spec).await?;
    match &spec.kind {
        SourceKind::Parquet => {
            let rows = parquet::read(spec, behind, context).await?;
            gathered(rows).await.map_err(|error| SourceError::run(spec, &error))
        }
        SourceKind::Csv(_) | SourceKind::Excel(_) | SourceKind::JsonLines | SourceKind::GeoJson => {
            materialise::read(spec, behind, context).await
        }
        SourceKind::Postgres(_) | SourceKind::Sqlite(_) | SourceKind::FlightSql(_) => remote::read(spec, context).await,
    }
}

/// The plan over rows in memory, spread over the partitions.
pub(super) async fn table(
    spec: &SourceSpec,
    batches: Vec<RecordBatch>,
    context: &SessionContext,
) -> Result<Mapped, SourceError> {
    let partitions = context.state().config().target_partitions();
    let session = mapping::session(partitions, context.runtime_env());
    let table = MemTable::try_new(held_schema(spec), spread(batches, partitions));
    let table = table.and_then(|table| session.register_table(SOURCE_TABLE, Arc::new(table)));
    table.map_err(|_| SourceError::evaluation(spec))?;
    let scanned = session.table(SOURCE_TABLE).await.map_err(|_| SourceError::evaluation(spec))?;
    let plan = scanned.into_unoptimized_plan();
    let columns = plan.schema().iter().take(spec.dataset.columns.len());
    let columns = columns.map(|found| Expr::Column(Column::from(found)));
    let columns = columns.map(|held| MappedColumn { raw: held.clone(), typed: held, fallible: false }).collect();
    Ok(Mapped { view: plan.clone(), columns, published: plan })
}

/// All rows of a plan, in batches that are copied to their exact size so that nothing of the raw source stays behind them.
pub(super) async fn collect(session: &SessionContext, plan: LogicalPlan) -> Result<Vec<RecordBatch>, DataFusionError> {
    gathered(session.execute_logical_plan(plan).await?.execute_stream().await?).await
}

async fn gathered(mut stream: SendableRecordBatchStream) -> Result<Vec<RecordBatch>, DataFusionError> {
    let mut exact = BatchCoalescer::new(stream.schema(), BATCH_ROWS);
    let mut batches = Vec::new();
    while let Some(batch) = stream.next().await {
        exact.push_batch(batch?)?;
        batches.extend(std::iter::from_fn(|| exact.next_completed_batch()));
    }
    exact.finish_buffered_batch()?;
    batches.extend(std::iter::from_fn(|| exact.next_completed_batch()));
    Ok(batches)
}

fn spread(batches: Vec<RecordBatch>, partitions: usize) -> Vec<Vec<RecordBatch>> {
    let mut spread = vec![Vec::new(); partitions.clamp(1, batches.len().max(1))];
    let count = spread.len();
    for (index, batch) in batches.into_iter().enumerate() {
        if let Some(partition) = spread.get_mut(index % count) {
            partition.push(batch);
        }
    }
    spread
}
