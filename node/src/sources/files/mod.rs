//! Files of records, whatever their format: text columns (and geometry), rows in the file's order, and the place of each in words.
//!
//! | where | what |
//! | --- | --- |
//! | `csv`, `lines` | CSV, in its order or in pieces, and on which line a record stands |
//! | `excel` | a sheet of a workbook |
//! | `json` | JSON lines, an array of objects, the features of GeoJSON |
//! | `text` | bytes as text: packed files, encodings, lines above the heading |
//! | `tidy` | headings, trimmed cells, rows that are left out |
//! | `folder` | one file, or all of a folder, as one table |

mod csv;
mod excel;
mod folder;
mod json;
mod lines;
mod text;
mod tidy;

use std::fmt;
use std::io;
use std::ops::Add;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

pub(super) use folder::{FileFault, Files, Piece, Pieces, is_utf_8, named_folders, same_folders, with_folders};

use super::error::{RecordFault, RecordPlace};

/// Rows of a batch as a file is parsed.
const BATCH_ROWS: usize = 8192;
/// The longest record, in bytes of UTF-8: a quote that is never closed is not to take the node's memory.
const LONGEST_RECORD: usize = 16 * 1024 * 1024;

/// Why a file stops being one of records; holds no text of it.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Fault {
    #[error("{0}")]
    Read(String),
    #[error("{place}: {fault}")]
    Record { place: RecordPlace, fault: RecordFault },
}

impl Fault {
    fn of_reading(error: &io::Error) -> Self {
        Self::Read(error.to_string())
    }

    fn at_line(line: u64, fault: RecordFault) -> Self {
        Self::Record { place: RecordPlace::Line(line), fault }
    }
}

/// The files are to be read in their order: that tells whatever is wrong, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct InOrder;

/// A file of records whose heading has been read.
trait Records: fmt::Debug + Send + Sync {
    /// All columns, as text but for geometry.
    fn schema(&self) -> &SchemaRef;

    /// The file's rows from the first.
    fn rows(self: Arc<Self>) -> Result<Batches, Fault>;

    /// Where the row of a number starts.
    fn place(&self, number: u64) -> Option<RecordPlace>;

    /// The file as CSV, which can be parsed in pieces.
    fn csv(&self) -> Option<&csv::CsvFile> {
        None
    }
}

/// The rows of a file, a batch at a time, in the file's order; ends after the first fault.
type Batches = Box<dyn Iterator<Item = Result<Rows, Fault>> + Send>;

/// Some rows.
struct Rows {
    batch: RecordBatch,
    /// The number of each, by which the file finds its place again.
    numbers: Vec<u64>,
    /// What stood between them.
    left_out: LeftOut,
}

/// How many rows were left out, and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    pub(super) blank_rows: u64,
    pub(super) repeated_headings: u64,
}

impl Add for LeftOut {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        let (blank_rows, repeated_headings) =
            (self.blank_rows + other.blank_rows, self.repeated_headings + other.repeated_headings);
        Self { blank_rows, repeated_headings }
    }
}
