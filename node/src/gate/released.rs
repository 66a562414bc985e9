//! What leaves: the only stream that the Flight and web layers take, and only a guarded plan makes one.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use futures::Stream;

use super::{Refused, compact};

/// Batches that have passed the gate, each with buffers of its own rows and nothing else.
pub struct Released {
    stream: SendableRecordBatchStream,
    schema: SchemaRef,
    discretion: Discretion,
    rows: u64,
}

impl Released {
    pub(super) fn new(stream: SendableRecordBatchStream, schema: SchemaRef, discretion: Discretion) -> Self {
        Self { stream, schema, discretion, rows: 0 }
    }

    /// The schema of every batch, as it was when the plan was admitted.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Rows that have left so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    fn outward(&mut self, batch: Result<RecordBatch, DataFusionError>) -> Result<RecordBatch, DataFusionError> {
        let batch = batch.and_then(|batch| {
            let columns = batch.columns().iter().map(compact::compacted).collect::<Result<Vec<_>, _>>()?;
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
        });
        let batch = batch.map_err(|error| self.discretion.outward(error))?;
        self.rows += u64::try_from(batch.num_rows()).unwrap_or(u64::MAX);
        Ok(batch)
    }
}

impl fmt::Debug for Released {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Released").field("schema", &self.schema).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl Stream for Released {
    type Item = Result<RecordBatch, DataFusionError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = std::task::ready!(self.stream.as_mut().poll_next(cx));
        Poll::Ready(next.map(|batch| self.outward(batch)))
    }
}

/// How much of an error may be told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Discretion {
    /// Something in the plan is not open.
    pub(super) protected: bool,
    /// Other bodies are asked, and their errors are words that they chose to say.
    pub(super) foreign: bool,
}

/// What is said of any error over protected rows: an error is an answer too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the query could not be finished; over data that is not open no reason is given, since it could tell of the data: check for divisions, casts and sums that can fail, or ask for less at once"
)]
struct Undisclosed;

impl Discretion {
    pub(super) fn outward(self, error: DataFusionError) -> DataFusionError {
        // A refusal is a function of the question, the terms and what has left before.
        let refusal = matches!(error.find_root(), DataFusionError::External(inner) if inner.is::<Refused>());
        if !self.protected || refusal {
            return error;
        }
        let error = match of_other_body(error) {
            Ok(foreign) if self.foreign => return foreign,
            Ok(error) | Err(error) => error,
        };
        tracing::error!(kind = kind(&error), "a query over protected data failed");
        DataFusionError::External(Box::new(Undisclosed))
    }
}

/// The error of another body, without what was wrapped around it here; otherwise the error as it was.
fn of_other_body(error: DataFusionError) -> Result<DataFusionError, DataFusionError> {
    match error {
        DataFusionError::External(_) => Ok(error),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => of_other_body(*inner),
        DataFusionError::Shared(shared) => match shared.find_root() {
            DataFusionError::External(_) => Ok(DataFusionError::Shared(shared)),
            _ => Err(DataFusionError::Shared(shared)),
        },
        other => Err(other),
    }
}

fn kind(error: &DataFusionError) -> &'static str {
    match error.find_root() {
        DataFusionError::ArrowError(..) => "arrow",
        DataFusionError::ResourcesExhausted(_) => "resources",
        DataFusionError::Execution(_) => "execution",
        DataFusionError::External(_) => "external",
        DataFusionError::Internal(_) => "internal",
        _ => "other",
    }
}
