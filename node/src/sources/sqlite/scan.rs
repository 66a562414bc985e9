//! One SELECT of a file, on a thread that may block, which ends when nobody waits for its rows.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use futures::StreamExt;
use futures::stream::BoxStream;
use rusqlite::types::Value;
use rusqlite::{Connection, InterruptHandle, params_from_iter};

use super::Sqlite;
use super::columns::{self, Column, Found};
use super::fault::SqliteFault;
use super::file::{Reading, fault};
use super::rows::Rows;
use crate::sources::Fault;
use crate::sources::remote::{Asked, Constant, Engine};

/// A table or view of a file, as it was when its dataset was loaded.
#[derive(Debug)]
pub(super) struct SqliteFile {
    path: PathBuf,
    source: Sqlite,
    pub(super) found: Found,
}

impl SqliteFile {
    /// Looks at the table, every value of it.
    pub(super) fn open(path: &Path, source: &Sqlite) -> Result<Self, SqliteFault> {
        let reading = Reading::open(path)?;
        let found = columns::of(&reading.connection, source)?;
        columns::check(&reading.connection, &source.table, &found)?;
        reading.end()?;
        Ok(Self { path: path.to_path_buf(), source: source.clone(), found })
    }
}

impl Engine for SqliteFile {
    fn called(&self) -> String {
        format!("file {}", self.path.display())
    }

    /// Each table is asked by itself.
    fn is(&self, _other: &dyn Engine) -> bool {
        false
    }

    fn run(self: Arc<Self>, asked: Asked) -> BoxStream<'static, Result<RecordBatch>> {
        let mut builder = RecordBatchReceiverStreamBuilder::new(Arc::clone(&asked.schema), 2);
        let (sender, stop) = (builder.tx(), Arc::new(Stop::default()));
        let watched = Watched(Arc::clone(&stop));
        builder.spawn_blocking(move || {
            let sent = |batch| sender.blocking_send(Ok(batch)).is_ok();
            self.scan(&asked, &stop, sent).or_else(|why| match why {
                Ended::Faulty(SqliteFault::Interrupted) => Ok(()),
                Ended::Faulty(fault) => Err(asked.origin.unanswered(Fault::Sqlite(fault))),
                Ended::Engine(error) => Err(error),
            })
        });
        builder.build().inspect(move |_| watched.keep()).boxed()
    }
}

/// A constant as SQLite has it.
fn bound(constant: &Constant) -> Value {
    match constant {
        Constant::Exact(digits) => digits.parse().map_or(Value::Null, Value::Integer),
        Constant::Double(value) => Value::Real(*value),
        Constant::Text(text) | Constant::Date(text) | Constant::Timestamp(text) => Value::Text(text.clone()),
        Constant::Boolean(value) => Value::Integer(i64::from(*value)),
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

impl SqliteFile {
    /// Reads all rows, as long as somebody takes them.
    fn scan(&self, asked: &Asked, stop: &Stop, mut sent: impl FnMut(RecordBatch) -> bool) -> Result<(), Ended> {
        let reading = Reading::open(&self.path)?;
        if !stop.may_interrupt(&reading.connection) {
            return Ok(());
        }
        if columns::of(&reading.connection, &self.source)? != self.found {
            return Err(SqliteFault::Changed.into());
        }
        let failed = |error: rusqlite::Error| Ended::Faulty(fault(&error));
        let engine = |error: arrow::error::ArrowError| Ended::Engine(error.into());
        let select = &asked.shape.select;
        let mut statement = reading.connection.prepare(&select.sql).map_err(failed)?;
        let mut found = statement.query(params_from_iter(select.values.iter().map(bound))).map_err(failed)?;
        let own = |name: &String| self.found.columns.iter().find(|column| column.name == *name).cloned();
        let columns: Vec<Column> = asked.shape.columns.iter().filter_map(|(name, _)| own(name)).collect();
        let mut rows = Rows::new(Arc::clone(&asked.schema), &columns);
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
