//! Parquet files as a scan that filters and projections reach, or as rows to be held.
//!
//! | file | what |
//! | --- | --- |
//! | `files` | the files behind a source, on this machine or in a store, with their schemas and statistics |
//! | `table` | they as one table, with the columns that folders' names give |
//! | `unchanged` | files and objects as the engine's reader wants them: as they were when they were looked at |

mod files;
mod table;
mod unchanged;

use std::sync::Arc;

use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::prelude::SessionContext;

pub use unchanged::UnchangedFiles;

use super::behind::Behind;
use super::mapping::{self, Failure, Mapped};
use super::{SourceError, SourceSpec, checks};

/// Plans the mapping over the file, or over the `.parquet` files that the folder holds now.
pub(super) async fn open(spec: &SourceSpec, behind: &Behind, context: &SessionContext) -> Result<Mapped, SourceError> {
    let session = mapping::session(context.state().config().target_partitions(), context.runtime_env());
    let table = files::table(spec, behind, &session).await?;
    mapping::plan(spec, &session, Arc::new(table), Failure::of_queries(spec.dataset.form)).await
}

/// The published columns of all rows, in the files' order.
pub(super) async fn read(
    spec: &SourceSpec,
    behind: &Behind,
    context: &SessionContext,
) -> Result<SendableRecordBatchStream, SourceError> {
    let mapped = open(spec, behind, context).await?;
    checks::types(spec, &mapped, context).await?;
    stream(spec, &mapped, context).await
}

/// The published columns of all rows as they are planned, in the files' order.
pub(super) async fn stream(
    spec: &SourceSpec,
    mapped: &Mapped,
    context: &SessionContext,
) -> Result<SendableRecordBatchStream, SourceError> {
    // One partition: rows stay in order. The engine's error may quote values: it is not passed on.
    let session = mapping::session(1, context.runtime_env());
    let rows = async { session.execute_logical_plan(mapped.published.clone()).await?.execute_stream().await };
    rows.await.map_err(|error| SourceError::run(spec, &error))
}
