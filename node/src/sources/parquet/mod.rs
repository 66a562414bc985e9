//! Parquet files as a scan that filters and projections reach, or as rows to be held.
//!
//! | file | what |
//! | --- | --- |
//! | `files` | the files behind a source, on this machine or in a store, with their schemas and statistics |
//! | `table` | they as one table, with the columns that folders' names give |
//! | `object` | objects of a store as the engine's reader wants them |

mod files;
mod object;
mod table;

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::prelude::SessionContext;

use super::behind::Behind;
use super::held::collect;
use super::mapping::{self, Failure, Mapped};
use super::{SourceError, SourceSpec, checks};

/// Plans the mapping over the file, or over the `.parquet` files that the folder holds now.
pub(super) async fn open(spec: &SourceSpec, behind: &Behind, context: &SessionContext) -> Result<Mapped, SourceError> {
    let session = mapping::session(context.state().config().target_partitions(), context.runtime_env());
    let table = files::table(spec, behind, &session).await?;
    mapping::plan(spec, &session, Arc::new(table), Failure::of_queries(spec.dataset.form)).await
}

/// The published columns of all rows, for a dataset that is held in memory.
pub(super) async fn read(
    spec: &SourceSpec,
    behind: &Behind,
    context: &SessionContext,
) -> Result<Vec<RecordBatch>, SourceError> {
    let mapped = open(spec, behind, context).await?;
    checks::types(spec, &mapped, context).await?;
    // One partition: rows stay in the files' order. The engine's error may quote values: it is not passed on.
    let session = mapping::session(1, context.runtime_env());
    collect(&session, mapped.published).await.map_err(|error| SourceError::run(spec, &error))
}
