//! A table as DataFusion scans it: one SELECT on a thread that may block, which ends when nobody waits for its rows.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::plan_datafusion_err;
use datafusion::datasource::TableType;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::stream::{RecordBatchReceiverStreamBuilder, RecordBatchStreamAdapter};
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, SendableRecordBatchStream};
use futures::StreamExt;
use meridian_proto::Name;
use rusqlite::{Connection, InterruptHandle, params_from_iter};

use super::Sqlite;
use super::columns::{self, Column, Found, quoted};
use super::condition::{Condition, condition};
use super::fault::SqliteFault;
use super::file::{Reading, fault};
use super::rows::Rows;
use crate::sources::{Cause, Fault, Unanswered};

/// A table or view of a file, as it was when its dataset was loaded.
#[derive(Debug)]
pub(super) struct SqliteTable {
    origin: Arc<Origin>,
    schema: SchemaRef,
}

#[derive(Debug)]
struct Origin {
    path: PathBuf,
    source: Sqlite,
    dataset: Name,
    found: Found,
}

impl SqliteTable {
    /// Looks at the table, every value of it.
    pub(super) fn open(path: &Path, source: &Sqlite, dataset: &Name) -> Result<Self, SqliteFault> {
        let reading = Reading::open(path)?;
        let found = columns::of(&reading.connection, source)?;
        columns::check(&reading.connection, &source.table, &found)?;
        reading.end()?;
        let fields = found.columns.iter().map(|column| Field::new(&column.name, column.kind.arrow(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let (path, source, dataset) = (path.to_path_buf(), source.clone(), dataset.clone());
        Ok(Self { origin: Arc::new(Origin { path, source, dataset, found }), schema })
    }

    /// What is asked of SQLite.
    pub(super) fn select(&self, columns: &[Column], conditions: &[Condition], limit: Option<usize>) -> String {
        let names: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
        // Rows are counted where nothing of them is asked for.
        let names = if names.is_empty() { "NULL".to_owned() } else { names.join(", ") };
        let mut sql = format!("SELECT {names} FROM {}", quoted(&self.origin.source.table));
        for (index, condition) in conditions.iter().enumerate() {
            sql.push_str(if index == 0 { " WHERE " } else { " AND " });
            sql.push_str(&condition.sql);
        }
        if let Some(limit) = limit {
            sql.push_str(&format!(" LIMIT {limit}"));
        }
        sql
    }
}

#[async_trait]
impl TableProvider for SqliteTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let how = |filter: &&Expr| match condition(filter, &self.origin.found) {
            Some(_) => TableProviderFilterPushDown::Inexact,
            None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(how).collect())
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let all = &self.origin.found.columns;
        let chosen: Vec<usize> = projection.map_or_else(|| (0..all.len()).collect(), Clone::clone);
        let columns: Vec<Column> = chosen.iter().filter_map(|index| all.get(*index)).cloned().collect();
        let schema = Arc::new(self.schema.project(&chosen)?);
        let written = |filter| {
            let condition = condition(filter, &self.origin.found);
            condition.ok_or_else(|| plan_datafusion_err!("a condition was pushed to a database that it does not have"))
        };
        let conditions = filters.iter().map(written).collect::<Result<Vec<_>>>()?;
        let sql = self.select(&columns, &conditions, limit);
        let values = conditions.into_iter().flat_map(|condition| condition.values).collect();
        let scan = Scan { origin: Arc::clone(&self.origin), sql, values, columns, schema: Arc::clone(&schema) };
        let partition = Arc::new(Part(Arc::new(scan)));
        Ok(Arc::new(StreamingTableExec::try_new(schema, vec![partition], None, [], false, limit)?))
    }
}

/// One SELECT.
struct Scan {
    origin: Arc<Origin>,
    sql: String,
    values: Vec<rusqlite::types::Value>,
    columns: Vec<Column>,
    schema: SchemaRef,
}

/// The one partition of a scan. Its names and constants are not shown: they are the owner's, and whoever asks'.
struct Part(Arc<Scan>);

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SqlitePart").field("columns", &self.0.columns.len()).finish_non_exhaustive()
    }
}

impl PartitionStream for Part {
    fn schema(&self) -> &SchemaRef {
        &self.0.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut builder = RecordBatchReceiverStreamBuilder::new(Arc::clone(&self.0.schema), 2);
        let (scan, sender, stop) = (Arc::clone(&self.0), builder.tx(), Arc::new(Stop::default()));
        let watched = Watched(Arc::clone(&stop));
        builder.spawn_blocking(move || {
            let sent = |batch| sender.blocking_send(Ok(batch)).is_ok();
            scan.run(&stop, sent).or_else(|why| match why {
                Ended::Faulty(SqliteFault::Interrupted) => Ok(()),
                Ended::Faulty(fault) => Err(scan.unanswered(fault)),
                Ended::Engine(error) => Err(error),
            })
        });
        let rows = builder.build().inspect(move |_| watched.keep());
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.0.schema), rows))
    }
}

/// A scan of any statement, to be watched from outside.
#[cfg(test)]
pub(super) struct Scanned {
    pub(super) scan: Arc<dyn std::any::Any + Send + Sync>,
    pub(super) stream: SendableRecordBatchStream,
}

#[cfg(test)]
impl SqliteTable {
    pub(super) fn scanned_for_test(&self, sql: &str) -> Scanned {
        let columns: Vec<Column> = self.origin.found.columns.iter().take(1).cloned().collect();
        let field = columns.iter().map(|column| Field::new(&column.name, column.kind.arrow(), true));
        let schema = Arc::new(Schema::new(field.collect::<Vec<_>>()));
        let scan = Scan { origin: Arc::clone(&self.origin), sql: sql.to_owned(), values: vec![], columns, schema };
        let scan = Arc::new(scan);
        let stream = Part(Arc::clone(&scan)).execute(Arc::default());
        Scanned { scan, stream }
    }
}

/// Why a scan did not come to its end.
enum Ended {
    Faulty(SqliteFault),
    Engine(DataFusionError),
}

impl From<SqliteFault> for Ended {
    fn from(fault: SqliteFault) -> Self {
        Self::Faulty(fault)
    }
}

impl Scan {
    /// Reads all rows, as long as somebody takes them.
    fn run(&self, stop: &Stop, mut sent: impl FnMut(RecordBatch) -> bool) -> Result<(), Ended> {
        let reading = Reading::open(&self.origin.path)?;
        if !stop.may_interrupt(&reading.connection) {
            return Ok(());
        }
        if columns::of(&reading.connection, &self.origin.source)? != self.origin.found {
            return Err(SqliteFault::Changed.into());
        }
        let failed = |error: rusqlite::Error| Ended::Faulty(fault(&error));
        let engine = |error: arrow::error::ArrowError| Ended::Engine(error.into());
        let mut statement = reading.connection.prepare(&self.sql).map_err(failed)?;
        let mut found = statement.query(params_from_iter(&self.values)).map_err(failed)?;
        let mut rows = Rows::new(Arc::clone(&self.schema), &self.columns);
        while let Some(row) = found.next().map_err(failed)? {
            rows.push(row)?;
            if rows.is_full() && !sent(rows.batch().map_err(engine)?) {
                return Ok(());
            }
        }
        reading.end()?;
        if !rows.is_empty() {
            sent(rows.batch().map_err(engine)?);
        }
        Ok(())
    }

    /// What is told of a fault, and to whom.
    fn unanswered(&self, fault: SqliteFault) -> DataFusionError {
        let (dataset, file) = (self.origin.dataset.to_string(), self.origin.path.display());
        tracing::error!(dataset, %file, %fault, "a query of the database failed");
        DataFusionError::External(Box::new(Unanswered {
            datasets: dataset,
            cause: Cause::Database(Fault::Sqlite(fault)),
        }))
    }
}

/// How a scan that nobody waits for is ended.
#[derive(Default)]
struct Stop {
    stopped: AtomicBool,
    handle: Mutex<Option<InterruptHandle>>,
}

impl Stop {
    /// From now on it can be interrupted; not if it was stopped before.
    fn may_interrupt(&self, connection: &Connection) -> bool {
        let mut handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        *handle = Some(connection.get_interrupt_handle());
        !self.stopped.load(Ordering::Acquire)
    }

    fn stop(&self) {
        let handle = self.handle.lock().unwrap_or_else(PoisonError::into_inner);
        self.stopped.store(true, Ordering::Release);
        if let Some(handle) = handle.as_ref() {
            handle.interrupt();
        }
    }
}

/// Stops the scan when its rows are not waited for any more.
struct Watched(Arc<Stop>);

impl Watched {
    /// Lets the stream hold it.
    fn keep(&self) {}
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.stop();
    }
}
