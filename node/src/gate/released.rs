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

use super::permit::Watched;
use super::{Refused, compact};

/// Rows that leave between two looks at the permit, at most.
const ROWS_PER_LOOK: usize = 8_192;

/// Batches that have passed the gate, each with buffers of its own rows and nothing else, for as long as the terms on
/// which they were admitted hold.
pub struct Released {
    /// None when it has ended.
    stream: Option<SendableRecordBatchStream>,
    /// What is left of a batch that is longer than may leave at once.
    rest: Option<RecordBatch>,
    schema: SchemaRef,
    is_bulk: bool,
    discretion: Discretion,
    watched: Watched,
    rows: u64,
    begun: bool,
}

impl Released {
    pub(super) fn new(
        stream: SendableRecordBatchStream,
        (schema, is_bulk): (SchemaRef, bool),
        discretion: Discretion,
        watched: Watched,
    ) -> Self {
        Self { stream: Some(stream), rest: None, schema, is_bulk, discretion, watched, rows: 0, begun: false }
    }

    /// The schema of every batch, as it was when the plan was admitted.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Whether they are rows, or figures of rows, in no order that anybody asked for, and no statistics.
    pub fn is_bulk(&self) -> bool {
        self.is_bulk
    }

    /// Rows that have left so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Ends the stream, and the work behind it.
    fn end(&mut self, error: DataFusionError) -> DataFusionError {
        self.stream = None;
        self.rest = None;
        error
    }

    fn outward(&mut self, batch: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
        self.watched.check()?;
        let rows = batch.num_rows().min(ROWS_PER_LOOK);
        if rows < batch.num_rows() {
            self.rest = Some(batch.slice(rows, batch.num_rows() - rows));
        }
        let batch = self.compacted(&batch.slice(0, rows)).map_err(|error| self.discretion.outward(error))?;
        self.begun = true;
        self.rows += u64::try_from(rows).unwrap_or(u64::MAX);
        Ok(batch)
    }

    fn compacted(&self, batch: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
        let columns = batch.columns().iter().map(compact::compacted).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?)
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
        let this = &mut *self;
        let Some(stream) = &mut this.stream else { return Poll::Ready(None) };
        let next = match this.rest.take() {
            Some(rest) => Some(Ok(rest)),
            None => std::task::ready!(stream.as_mut().poll_next(cx)),
        };
        let outward = match next {
            Some(Ok(batch)) => this.outward(&batch),
            Some(Err(error)) => Err(this.discretion.outward(error)),
            // That there is nothing is an answer, too.
            None if !this.begun => match this.watched.check() {
                Ok(()) => return Poll::Ready(None),
                Err(refused) => Err(refused.into()),
            },
            None => return Poll::Ready(None),
        };
        Poll::Ready(Some(outward.map_err(|error| this.end(error))))
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

/// The kind of an error, which says nothing of data.
pub(super) fn kind(error: &DataFusionError) -> &'static str {
    match error.find_root() {
        DataFusionError::ArrowError(..) => "arrow",
        DataFusionError::ResourcesExhausted(_) => "resources",
        DataFusionError::Execution(_) => "execution",
        DataFusionError::External(_) => "external",
        DataFusionError::Internal(_) => "internal",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use arrow::error::ArrowError;

    use super::*;

    fn told(error: DataFusionError) -> String {
        Discretion { protected: true, foreign: false }.outward(error).to_string()
    }

    #[test]
    fn every_error_over_data_that_is_not_open_is_the_same_sentence() {
        let sentence = told(DataFusionError::Execution("no".into()));
        assert!(sentence.contains("could not be finished"), "{sentence}");
        let cast = || ArrowError::CastError("Cannot cast string 'Zamora' to value of Int32 type".into());
        for error in [
            DataFusionError::ArrowError(Box::new(ArrowError::DivideByZero), None),
            DataFusionError::ArrowError(Box::new(cast()), None),
            DataFusionError::ResourcesExhausted("4711 bytes for HashJoinInput[0] with 815 bytes remaining".into()),
            DataFusionError::Internal("row 4711".into()),
            DataFusionError::External(Box::new(cast())),
            DataFusionError::Execution("Zamora".into()).context("while sorting"),
            DataFusionError::Shared(Arc::new(DataFusionError::ArrowError(Box::new(cast()), None))),
            DataFusionError::Collection(vec![DataFusionError::Execution("Zamora".into())]),
        ] {
            let told = told(error);
            assert_eq!(told, sentence);
        }
        let open = Discretion { protected: false, foreign: false };
        assert!(open.outward(DataFusionError::Execution("why".into())).to_string().contains("why"));
    }

    #[test]
    fn a_refusal_is_told_as_it_is() {
        let refused = Refused::new("rule", "since so", "do so");
        assert!(told(DataFusionError::from(refused)).contains("since so"));
    }
}
