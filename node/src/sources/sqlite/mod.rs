//! A table or view of a SQLite file as a source: read only, by every query anew, columns, conditions and limits worked out
//! there as far as they mean the same.
//!
//! | file | what |
//! | --- | --- |
//! | `file` | how a file is opened: never written, and nothing beside it |
//! | `columns` | the columns of a table, and whether their values are what they are declared as |
//! | `condition` | conditions that go into the SELECT |
//! | `rows` | SQLite's values into Arrow's columns |
//! | `table` | the table as DataFusion scans it, on a thread that may block and can be interrupted |
//! | `fault` | what goes wrong, for the operator |

mod columns;
mod condition;
mod fault;
mod file;
mod rows;
mod table;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::prelude::SessionContext;

use super::held::collect;
use super::mapping::{self, Failure, Mapped};
use super::{Fault, SourceError, SourceKind, SourceSpec, checks};

pub use fault::SqliteFault;
pub(super) use file::SQLITE;
use table::SqliteTable;

/// A table or view of a SQLite file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sqlite {
    /// Its name.
    pub table: String,
    /// Columns that are read as text, whatever they are declared as and hold; bytes in hexadecimal.
    pub as_text: Vec<String>,
}

/// Plans the mapping over the table as it is now; its values are what its columns are declared as.
pub(super) async fn open(spec: &SourceSpec, failure: Failure, context: &SessionContext) -> Result<Mapped, SourceError> {
    let SourceKind::Sqlite(source) = spec.kind.clone() else { return Err(SourceError::evaluation(spec)) };
    let owned = spec.clone();
    let opened = move || {
        SqliteTable::open(&owned.path, &source, &owned.dataset.name)
            .map_err(|fault| SourceError::database(&owned, Fault::Sqlite(fault)))
    };
    let table = super::blocking(spec, opened).await?;
    let session = mapping::session(context.state().config().target_partitions(), context.runtime_env());
    mapping::plan(spec, &session, Arc::new(table), failure).await
}

/// The published columns of all rows, for a dataset that is held in memory.
pub(super) async fn read(spec: &SourceSpec, context: &SessionContext) -> Result<Vec<RecordBatch>, SourceError> {
    let mapped = open(spec, Failure::Reported, context).await?;
    let session = mapping::session(1, context.runtime_env());
    match collect(&session, mapped.published).await {
        Ok(batches) => Ok(batches),
        // The engine's error may quote values. Which column it is can be found out.
        Err(error) => match SourceError::run(spec, &error) {
            fault @ SourceError::Database { .. } => Err(fault),
            _ => {
                let mapped = open(spec, Failure::Null, context).await?;
                checks::types(spec, &mapped, context).await?;
                Err(SourceError::evaluation(spec))
            }
        },
    }
}
