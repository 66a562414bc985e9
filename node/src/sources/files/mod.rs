//! Files of records, whatever their format: text columns, rows in the file's order, and the place of each in words.

mod csv;
mod lines;

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::error::{RecordFault, RecordPlace};
use super::{SourceError, SourceKind, SourceSpec};

/// Rows of a batch as a file is parsed.
const BATCH_ROWS: usize = 8192;

/// Why a file stops being one of records; holds no text of it.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Fault {
    #[error("{0}")]
    Read(String),
    #[error("{place}: {fault}")]
    Record { place: RecordPlace, fault: RecordFault },
}

/// A file of records whose heading has been read.
pub(super) trait Records: fmt::Debug + Send + Sync {
    /// All columns, as text.
    fn schema(&self) -> &SchemaRef;

    /// The file's rows from the first.
    fn rows(self: Arc<Self>) -> Result<Batches, Fault>;

    /// Where the row of a number starts.
    fn place(&self, number: u64) -> Option<RecordPlace>;
}

/// The rows of a file, a batch at a time, in the file's order; ends after the first fault.
pub(super) type Batches = Box<dyn Iterator<Item = Result<Rows, Fault>> + Send>;

/// Some rows.
pub(super) struct Rows {
    pub(super) batch: RecordBatch,
    /// The number of each, by which the file finds its place again.
    pub(super) numbers: Vec<u64>,
}

/// Opens the file behind a source.
pub(super) fn open(spec: &SourceSpec) -> Result<Arc<dyn Records>, SourceError> {
    let opened = match spec.kind {
        SourceKind::Csv { delimiter, header } => csv::CsvFile::open(&spec.path, delimiter, header),
        SourceKind::Parquet => Err(Fault::Read("Parquet is no file of text".into())),
    };
    opened.map(|file| Arc::new(file) as _).map_err(|fault| fault.of(spec))
}

impl Fault {
    /// The error that it is in a source.
    pub(super) fn of(self, spec: &SourceSpec) -> SourceError {
        match self {
            Self::Read(why) => SourceError::unreadable(spec, &why),
            Self::Record { place, fault } => {
                SourceError::Record { dataset: spec.dataset.name.clone(), path: spec.path.clone(), place, fault }
            }
        }
    }
}
