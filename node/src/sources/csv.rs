//! Reads a CSV file as batches of text columns, and says on which line it is none.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::csv::reader::{Decoder, Format, ReaderBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::error::LineFault;
use super::lines::{self, Place};

/// Records of a batch as it is parsed.
pub(super) const BATCH_ROWS: usize = 8192;
const BUFFER_BYTES: usize = 128 * 1024;
const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

/// Why a file stops being CSV; holds no text of it.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum Fault {
    #[error("{0}")]
    Read(String),
    #[error("line {line}: {fault}")]
    Line { line: u64, fault: LineFault },
}

/// A CSV file whose heading has been read.
#[derive(Debug)]
pub(super) struct CsvFile {
    path: PathBuf,
    delimiter: u8,
    header: bool,
    schema: SchemaRef,
}

impl CsvFile {
    /// Opens a file and reads its heading.
    pub(super) fn open(path: &Path, delimiter: u8, header: bool) -> Result<Self, Fault> {
        let format = Format::default().with_delimiter(delimiter).with_header(header);
        let (found, _) = format.infer_schema(text(path)?, Some(0)).map_err(|_| at(1, LineFault::Encoding))?;
        if found.fields().is_empty() {
            return Err(Fault::Read("the file is empty".into()));
        }
        let mut seen = HashSet::new();
        let mut fields = Vec::with_capacity(found.fields().len());
        for (index, field) in found.fields().iter().enumerate() {
            // Spreadsheets leave columns without a heading; they can be read, but not by name alone.
            let name = if field.name().is_empty() { format!("column_{}", index + 1) } else { field.name().clone() };
            if !seen.insert(name.clone()) {
                return Err(at(1, LineFault::Heading(index + 1)));
            }
            fields.push(Field::new(name, DataType::Utf8, true));
        }
        Ok(Self { path: path.to_path_buf(), delimiter, header, schema: Arc::new(Schema::new(fields)) })
    }

    /// All columns, as text.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The file's records from the first.
    pub(super) fn batches(self: &Arc<Self>) -> Result<Batches, Fault> {
        let decoder = ReaderBuilder::new(Arc::clone(&self.schema))
            .with_delimiter(self.delimiter)
            .with_header(self.header)
            .with_batch_size(BATCH_ROWS)
            .build_decoder();
        Ok(Batches { file: Arc::clone(self), input: text(&self.path)?, decoder, stage: Stage::Reading })
    }

    /// The line on which the `row`th row starts, rows counted from 0, the heading not counted.
    pub(super) fn line_of_row(&self, row: u64) -> Option<u64> {
        self.place(row + 1 + u64::from(self.header)).map(|place| place.line)
    }

    fn place(&self, record: u64) -> Option<Place> {
        lines::place(text(&self.path).ok()?, self.delimiter, record).ok()?
    }

    fn open_quote(&self) -> Fault {
        let line = self.place(u64::MAX).and_then(|place| place.open_quote).unwrap_or(1);
        at(line, LineFault::Quote)
    }

    /// Our words for the parser's error, whose own text may hold data: only the record's number is taken from it.
    fn fault(&self, error: &ArrowError) -> Fault {
        let message = error.to_string();
        let Some(record) = number_after(&message, "for line ") else {
            return at(1, LineFault::Record);
        };
        match self.place(record) {
            Some(Place { open_quote: Some(line), .. }) => at(line, LineFault::Quote),
            Some(place) if message.contains("UTF-8") => at(place.line, LineFault::Encoding),
            Some(place) => {
                at(place.line, LineFault::Fields { expected: self.schema.fields().len(), found: place.fields })
            }
            None => at(record, LineFault::Record),
        }
    }
}

enum Stage {
    Reading,
    Closing,
    Closed,
    Done,
}

/// The records of a file, a batch at a time, in the file's order; ends after the first fault.
pub(super) struct Batches {
    file: Arc<CsvFile>,
    input: BufReader<File>,
    decoder: Decoder,
    stage: Stage,
}

impl Batches {
    fn read(&mut self) -> Result<Option<RecordBatch>, Fault> {
        loop {
            if self.decoder.capacity() == 0 {
                return self.flush();
            }
            match self.stage {
                Stage::Reading => {
                    let bytes = self.input.fill_buf().map_err(|error| Fault::Read(error.to_string()))?;
                    if bytes.is_empty() {
                        self.stage = Stage::Closing;
                        continue;
                    }
                    let used = self.decoder.decode(bytes).map_err(|error| self.file.fault(&error))?;
                    self.input.consume(used);
                }
                Stage::Closing => {
                    // A line end completes every record but one inside of an open quote.
                    self.decoder.decode(b"\n").map_err(|error| self.file.fault(&error))?;
                    self.stage = Stage::Closed;
                }
                Stage::Closed => {
                    self.stage = Stage::Done;
                    let room = self.decoder.capacity();
                    self.decoder.decode(&[]).map_err(|error| self.file.fault(&error))?;
                    if self.decoder.capacity() < room {
                        return Err(self.file.open_quote());
                    }
                    return self.flush();
                }
                Stage::Done => return Ok(None),
            }
        }
    }

    fn flush(&mut self) -> Result<Option<RecordBatch>, Fault> {
        self.decoder.flush().map_err(|error| self.file.fault(&error))
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.read().transpose();
        if matches!(item, Some(Err(_))) {
            self.stage = Stage::Done;
        }
        item
    }
}

fn at(line: u64, fault: LineFault) -> Fault {
    Fault::Line { line, fault }
}

/// The file's text, without the byte order mark that spreadsheets write.
fn text(path: &Path) -> Result<BufReader<File>, Fault> {
    let file = File::open(path).map_err(|error| Fault::Read(error.to_string()))?;
    let mut input = BufReader::with_capacity(BUFFER_BYTES, file);
    let start = input.fill_buf().map_err(|error| Fault::Read(error.to_string()))?;
    if start.starts_with(&BYTE_ORDER_MARK) {
        input.consume(BYTE_ORDER_MARK.len());
    }
    Ok(input)
}

fn number_after(text: &str, before: &str) -> Option<u64> {
    let (_, rest) = text.split_once(before)?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}
