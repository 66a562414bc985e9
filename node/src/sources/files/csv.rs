//! Reads a CSV file as batches of text columns, and says on which line it is none.
//!
//! | where | what |
//! | --- | --- |
//! | here | the file in its order, and the places of what is wrong in it |
//! | `cut`, `cells` | the same records in pieces that are parsed each by itself |

mod cells;
mod cut;

use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::csv::reader::{Decoder, Format, ReaderBuilder};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::lines::{self, Place};
use super::text::{self, Text};
use super::tidy::{Heading, tidied};
use super::{BATCH_ROWS, Batches, Fault, InOrder, LONGEST_RECORD, LeftOut, RecordFault, RecordPlace, Records, Rows};
use crate::sources::{CsvFormat, Tidy};

pub(super) use cut::{Cutter, Piece};

/// A CSV file whose heading has been read.
#[derive(Debug)]
pub(super) struct CsvFile {
    path: PathBuf,
    format: CsvFormat,
    heading: Arc<Heading>,
}

impl CsvFile {
    /// Opens a file and reads its heading.
    pub(super) fn open(path: &Path, format: &CsvFormat) -> Result<Self, Fault> {
        let first = u64::from(format.skip) + 1;
        let parser = Format::default().with_delimiter(format.delimiter).with_header(format.header);
        let start = || text(path, format).map(|text| text.take(LONGEST_RECORD as u64));
        let Ok((found, _)) = parser.infer_schema(start()?, Some(0)) else {
            // The parser's words may quote the heading; a file that can't be read to there says so itself.
            io::copy(&mut start()?, &mut io::sink()).map_err(|error| Fault::of_reading(&error))?;
            return Err(Fault::at_line(first, RecordFault::Encoding(encoding(format))));
        };
        if found.fields().is_empty() {
            return Err(Fault::Read("it has no record".into()));
        }
        let heading = if format.header {
            Heading::new(found.fields().iter().map(|field| field.name().as_str()))
                .map_err(|column| Fault::at_line(first, RecordFault::Heading(column)))?
        } else {
            Heading::none(found.fields().len())
        };
        Ok(Self { path: path.to_path_buf(), format: format.clone(), heading: Arc::new(heading) })
    }

    /// Whether cells are taken as they stand, and all rows.
    pub(super) fn keeps_cells(&self) -> bool {
        self.format.tidy == Tidy::default()
    }

    /// Its records in pieces of about so many bytes.
    pub(super) fn pieces(&self, bytes: usize) -> Result<Cutter, InOrder> {
        let text = text(&self.path, &self.format).map_err(|_| InOrder)?;
        Ok(Cutter::new(text, self.format.delimiter, bytes, self.format.header))
    }

    fn place_of(&self, record: u64) -> Option<Place> {
        let text = text(&self.path, &self.format).ok()?;
        lines::place(text, self.format.delimiter, record, u64::from(self.format.skip) + 1).ok()?
    }

    fn open_quote(&self) -> Fault {
        let line = self.place_of(u64::MAX).and_then(|place| place.open_quote).unwrap_or(1);
        Fault::at_line(line, RecordFault::Quote)
    }

    /// Our words for the parser's error, whose own text may hold data: only the record's number is taken from it.
    fn fault(&self, error: &ArrowError) -> Fault {
        let message = error.to_string();
        let Some(record) = number_after(&message, "for line ") else {
            return Fault::at_line(1, RecordFault::Record);
        };
        match self.place_of(record) {
            Some(Place { open_quote: Some(line), .. }) => Fault::at_line(line, RecordFault::Quote),
            Some(place) if message.contains("UTF-8") => {
                Fault::at_line(place.line, RecordFault::Encoding(encoding(&self.format)))
            }
            Some(place) => {
                let expected = self.heading.schema.fields().len();
                Fault::at_line(place.line, RecordFault::Fields { expected, found: place.fields })
            }
            None => Fault::at_line(record, RecordFault::Record),
        }
    }
}

impl Records for CsvFile {
    fn schema(&self) -> &SchemaRef {
        &self.heading.schema
    }

    fn rows(self: Arc<Self>) -> Result<Batches, Fault> {
        let decoder = ReaderBuilder::new(Arc::clone(&self.heading.schema))
            .with_delimiter(self.format.delimiter)
            .with_header(self.format.header)
            .with_truncated_rows(self.format.pad)
            .with_batch_size(BATCH_ROWS)
            .build_decoder();
        let (input, next) = (text(&self.path, &self.format)?, 1 + u64::from(self.format.header));
        let (tidy, heading) = (self.format.tidy, Arc::clone(&self.heading));
        let rows = CsvRows { file: self, input, decoder, stage: Stage::Reading, next, unfinished: 0 };
        Ok(tidied(Box::new(rows), tidy, heading))
    }

    fn place(&self, record: u64) -> Option<RecordPlace> {
        self.place_of(record).map(|place| RecordPlace::Line(place.line))
    }

    fn csv(&self) -> Option<&CsvFile> {
        Some(self)
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
    input: Text,
    decoder: Decoder,
    stage: Stage,
    /// The number of the next record, counted from 1 with the heading.
    next: u64,
    /// Bytes that were read since a record was complete.
    unfinished: usize,
}

impl CsvRows {
    fn read(&mut self) -> Result<Option<Rows>, Fault> {
        loop {
            if self.decoder.capacity() == 0 {
                return self.flush();
            }
            match self.stage {
                Stage::Reading => self.decode()?,
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

    fn decode(&mut self) -> Result<(), Fault> {
        let bytes = self.input.fill_buf().map_err(|error| Fault::of_reading(&error))?;
        if bytes.is_empty() {
            self.stage = Stage::Closing;
            return Ok(());
        }
        let room = self.decoder.capacity();
        let used = self.decoder.decode(bytes).map_err(|error| self.file.fault(&error))?;
        self.input.consume(used);
        self.unfinished = if self.decoder.capacity() == room { self.unfinished + used } else { 0 };
        if self.unfinished > LONGEST_RECORD {
            let record = self.next + (BATCH_ROWS - room) as u64;
            let place = self.file.place_of(record);
            let line = place.map_or(1, |place| place.open_quote.unwrap_or(place.line));
            return Err(Fault::at_line(line, RecordFault::Long));
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<Option<Rows>, Fault> {
        let Some(batch) = self.decoder.flush().map_err(|error| self.file.fault(&error))? else { return Ok(None) };
        let first = self.next;
        self.next += batch.num_rows() as u64;
        Ok(Some(Rows { batch, numbers: (first..self.next).collect(), left_out: LeftOut::default() }))
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

fn text(path: &Path, format: &CsvFormat) -> Result<Text, Fault> {
    text::open(path, format.encoding, format.skip)
}

/// The name of the encoding that the owner says, or that is taken for the file's.
fn encoding(format: &CsvFormat) -> &'static str {
    format.encoding.map_or("UTF-8", encoding_rs::Encoding::name)
}

fn number_after(text: &str, before: &str) -> Option<u64> {
    let (_, rest) = text.split_once(before)?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}
