//! Reads a CSV file as batches of text columns, and says on which line it is none.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::csv::reader::{Decoder, Format, ReaderBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::lines::{self, Place};
use super::{BATCH_ROWS, Batches, Fault, RecordFault, RecordPlace, Records, Rows};

const BUFFER_BYTES: usize = 128 * 1024;
const BYTE_ORDER_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];

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
        let (found, _) = format.infer_schema(text(path)?, Some(0)).map_err(|_| at(1, RecordFault::Encoding))?;
        if found.fields().is_empty() {
            return Err(Fault::Read("the file is empty".into()));
        }
        let mut seen = HashSet::new();
        let mut fields = Vec::with_capacity(found.fields().len());
        for (index, field) in found.fields().iter().enumerate() {
            // Spreadsheets leave columns without a heading; they can be read, but not by name alone.
            let name = if field.name().is_empty() { format!("column_{}", index + 1) } else { field.name().clone() };
            if !seen.insert(name.clone()) {
                return Err(at(1, RecordFault::Heading(index + 1)));
            }
            fields.push(Field::new(name, DataType::Utf8, true));
        }
        Ok(Self { path: path.to_path_buf(), delimiter, header, schema: Arc::new(Schema::new(fields)) })
    }

    fn place_of(&self, record: u64) -> Option<Place> {
        lines::place(text(&self.path).ok()?, self.delimiter, record).ok()?
    }

    fn open_quote(&self) -> Fault {
        let line = self.place_of(u64::MAX).and_then(|place| place.open_quote).unwrap_or(1);
        at(line, RecordFault::Quote)
    }

    /// Our words for the parser's error, whose own text may hold data: only the record's number is taken from it.
    fn fault(&self, error: &ArrowError) -> Fault {
        let message = error.to_string();
        let Some(record) = number_after(&message, "for line ") else {
            return at(1, RecordFault::Record);
        };
        match self.place_of(record) {
            Some(Place { open_quote: Some(line), .. }) => at(line, RecordFault::Quote),
            Some(place) if message.contains("UTF-8") => at(place.line, RecordFault::Encoding),
            Some(place) => {
                at(place.line, RecordFault::Fields { expected: self.schema.fields().len(), found: place.fields })
            }
            None => at(record, RecordFault::Record),
        }
    }
}

impl Records for CsvFile {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn rows(self: Arc<Self>) -> Result<Batches, Fault> {
        let decoder = ReaderBuilder::new(Arc::clone(&self.schema))
            .with_delimiter(self.delimiter)
            .with_header(self.header)
            .with_batch_size(BATCH_ROWS)
            .build_decoder();
        let (input, next) = (text(&self.path)?, 1 + u64::from(self.header));
        Ok(Box::new(CsvRows { file: self, input, decoder, stage: Stage::Reading, next }))
    }

    fn place(&self, record: u64) -> Option<RecordPlace> {
        self.place_of(record).map(|place| RecordPlace::Line(place.line))
    }
}

enum Stage {
    Reading,
    Closing,
    Closed,
    Done,
}

struct CsvRows {
    file: Arc<CsvFile>,
    input: BufReader<File>,
    decoder: Decoder,
    stage: Stage,
    /// The number of the next record, counted from 1 with the heading.
    next: u64,
}

impl CsvRows {
    fn read(&mut self) -> Result<Option<Rows>, Fault> {
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

    fn flush(&mut self) -> Result<Option<Rows>, Fault> {
        let Some(batch) = self.decoder.flush().map_err(|error| self.file.fault(&error))? else { return Ok(None) };
        let first = self.next;
        self.next += batch.num_rows() as u64;
        Ok(Some(Rows { batch, numbers: (first..self.next).collect() }))
    }
}

impl Iterator for CsvRows {
    type Item = Result<Rows, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.read().transpose();
        if matches!(item, Some(Err(_))) {
            self.stage = Stage::Done;
        }
        item
    }
}

fn at(line: u64, fault: RecordFault) -> Fault {
    Fault::Record { place: RecordPlace::Line(line), fault }
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
