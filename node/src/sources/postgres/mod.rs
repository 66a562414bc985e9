//! A table or view of a PostgreSQL server as a source: its rows are streamed in binary form, and what means the same there
//! is done there.
//!
//! | file | what |
//! | --- | --- |
//! | `server` | how a server is reached, and the connections that are kept to it |
//! | `tls` | TLS for these connections, the server's name checked |
//! | `reading` | one read-only transaction that streams the rows of one SELECT |
//! | `fault` | what goes wrong, for the operator |
//! | `columns`, `kind` | the columns of a table, and what becomes of their types |
//! | `numeric`, `rows` | the binary form of values and rows |
//! | `query`, `condition`, `literal` | the SELECT that is sent, its conditions and constants |
//! | `table`, `exec` | the table as DataFusion scans it |
//! | `whole` | more than scans: joins, aggregates, sorts and limits as one query |

mod columns;
mod condition;
mod exec;
mod fault;
mod kind;
mod literal;
mod numeric;
mod query;
mod reading;
mod rows;
mod server;
mod table;
mod tls;
mod whole;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arrow::array::RecordBatch;
use datafusion::prelude::SessionContext;
use meridian_proto::Form;

use super::held::collect;
use super::mapping::{self, Failure, Mapped};
use super::{SourceError, SourceKind, SourceSpec, checks, unanswered};

pub use fault::Fault;
pub use server::{Host, Server, ServerConfig};

pub use whole::WholeQueries;

use query::Query;
use table::{Origin, PostgresTable};

/// A table or view of a server.
#[derive(Clone, PartialEq, Eq)]
pub struct Postgres {
    /// The server and the database.
    pub server: Arc<Server>,
    /// The schema.
    pub schema: String,
    /// The table or view in it.
    pub table: String,
    /// How often all rows are read again: for a dataset that holds them to have them, for another to check what it promises.
    pub refresh: Duration,
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, schema, table, refresh } = self;
        let mut shown = f.debug_struct("Postgres");
        shown.field("server", server).field("schema", schema).field("table", table).field("refresh", refresh).finish()
    }
}

impl Postgres {
    /// What stands for a path in messages.
    pub fn place(&self) -> PathBuf {
        let Self { server, schema, table, .. } = self;
        PathBuf::from(format!("table {schema}.{table} of database {}", server.config().name))
    }
}

/// What queries and whoever loads the dataset tell each other.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The table is not as it was.
    suspicious: AtomicBool,
    /// About how many rows it has.
    rows: AtomicU64,
}

impl Shared {
    /// Whether it is to be loaded again.
    pub(super) fn is_suspicious(&self) -> bool {
        self.suspicious.load(Ordering::Relaxed)
    }

    /// So many rows were counted.
    pub(super) fn counted(&self, rows: u64) {
        self.rows.store(rows, Ordering::Relaxed);
    }

    fn suspect(&self) {
        self.suspicious.store(true, Ordering::Relaxed);
    }

    fn rows(&self) -> usize {
        usize::try_from(self.rows.load(Ordering::Relaxed)).unwrap_or(usize::MAX)
    }
}

/// Plans the mapping over the table as it is now.
pub(super) async fn open(
    spec: &SourceSpec,
    failure: Failure,
    context: &SessionContext,
) -> Result<(Mapped, Arc<Shared>), SourceError> {
    let SourceKind::Postgres(source) = &spec.kind else { return Err(SourceError::evaluation(spec)) };
    let faulty = |fault| SourceError::database(spec, fault);
    let found = columns::of(&source.server, &source.schema, &source.table).await.map_err(faulty)?;
    let shared = Arc::new(Shared::default());
    let query = Query::of_table(&source.schema, &source.table, found);
    let origin = Origin::new(&source.server, &spec.dataset.name, &shared, &query);
    let table = PostgresTable::of_table(query, origin, spec.dataset.form == Form::Open);
    let session = mapping::session(context.state().config().target_partitions(), context.runtime_env());
    Ok((mapping::plan(spec, &session, Arc::new(table), failure).await?, shared))
}

/// The published columns of all rows, for a dataset that is held in memory.
pub(super) async fn read(spec: &SourceSpec, context: &SessionContext) -> Result<Vec<RecordBatch>, SourceError> {
    let (mapped, _) = open(spec, Failure::Reported, context).await?;
    let session = mapping::session(1, context.runtime_env());
    match collect(&session, mapped.published).await {
        Ok(batches) => Ok(batches),
        Err(error) if unanswered::cause(&error).is_some() => Err(SourceError::run(spec, &error)),
        // The engine's error may quote values. Which column it is can be found out.
        Err(_) => {
            let (mapped, _) = open(spec, Failure::Null, context).await?;
            checks::types(spec, &mapped, context).await?;
            Err(SourceError::evaluation(spec))
        }
    }
}
