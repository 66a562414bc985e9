//! Tables of other engines, which are asked by SQL: what means the same there is done there.
//!
//! | file | what |
//! | --- | --- |
//! | `kind` | the types in which values come |
//! | `dialect` | how an engine writes SQL, and what means the same there |
//! | `query`, `condition`, `literal` | the SELECT that is sent, its conditions and constants |
//! | `table`, `exec` | a table as DataFusion scans it |
//! | `whole` | more than scans: joins, aggregates, sorts and limits as one query |

mod condition;
mod dialect;
mod exec;
mod kind;
mod literal;
mod query;
mod table;
mod whole;

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::error::Result;
use datafusion::prelude::SessionContext;
use futures::stream::BoxStream;
use meridian_proto::Form;

use super::held::collect;
use super::mapping::{self, Failure, Mapped};
use super::{Fault, SourceError, SourceKind, SourceSpec, checks, flight_sql, postgres, sqlite, unanswered};

pub(super) use condition::{condition, fits};
pub(super) use dialect::Dialect;
pub(super) use kind::Kind;
pub(super) use literal::{Constant, signed, string};
#[cfg(test)]
pub(super) use query::Select;
pub(super) use query::{Column, Query};
pub(super) use table::{EngineTable, Origin, Shape};
pub use whole::WholeQueries;

/// Another engine.
pub(super) trait Engine: Any + fmt::Debug + Send + Sync {
    /// What the operator calls it.
    fn called(&self) -> String;

    /// Whether it is the same, so that one query may be about tables of both.
    fn is(&self, other: &dyn Engine) -> bool;

    /// Begins to run a SELECT at the first poll. Where the stream is dropped, the engine is to end what it does.
    fn run(self: Arc<Self>, asked: Asked) -> BoxStream<'static, Result<RecordBatch>>;
}

/// A SELECT that is to be run.
pub(super) struct Asked {
    /// For which datasets, to whom faults are told.
    pub(super) origin: Origin,
    /// The SELECT, and the columns that it has to have.
    pub(super) shape: Arc<Shape>,
    /// Of the batches.
    pub(super) schema: SchemaRef,
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
    let found: Result<(Arc<dyn Engine>, Query), Fault> = match &spec.kind {
        SourceKind::Postgres(source) => postgres::find(source).await,
        SourceKind::Sqlite(source) => {
            let (path, source) = (spec.path.clone(), source.clone());
            super::blocking(spec, move || Ok(sqlite::find(&path, &source))).await?
        }
        SourceKind::FlightSql(source) => flight_sql::find(source).await,
        SourceKind::Parquet
        | SourceKind::Csv(_)
        | SourceKind::Excel(_)
        | SourceKind::JsonLines
        | SourceKind::GeoJson => return Err(SourceError::evaluation(spec)),
    };
    let (engine, query) = found.map_err(|fault| SourceError::database(spec, fault))?;
    let shared = Arc::new(Shared::default());
    let origin = Origin::new(engine, &spec.dataset.name, &shared, &query);
    let table = EngineTable::of_table(query, origin, spec.dataset.form == Form::Open);
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
