//! Parses a piece of a CSV file into columns of text, as the parser of the whole file would.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringBuilder};

use super::CsvFile;
use super::cut::{Piece, closing, is_line_end};
use crate::sources::files::tidy::tidied_rows;
use crate::sources::files::{BATCH_ROWS, InOrder, LeftOut, Rows};

/// What a cell is taken to hold before one has been seen, in bytes.
const CELL_BYTES: usize = 8;

/// The rows of a piece.
pub(in crate::sources::files) struct Parsed {
    pub(in crate::sources::files) batches: Vec<RecordBatch>,
    pub(in crate::sources::files) left_out: LeftOut,
}

impl CsvFile {
    /// These columns of a piece of it.
    pub(in crate::sources::files) fn parsed(&self, piece: &Piece, columns: &[usize]) -> Result<Parsed, InOrder> {
        let text = std::str::from_utf8(&piece.text).map_err(|_| InOrder)?;
        let (schema, tidy) = (&self.heading.schema, self.format.tidy);
        // Whether a row is one is told by all of its cells.
        let all = tidy.blank_rows || tidy.repeated_headings;
        let read: Vec<usize> = (0..schema.fields().len()).filter(|index| all || columns.contains(index)).collect();
        let places: Vec<usize> = columns.iter().filter_map(|index| read.binary_search(index).ok()).collect();
        let read_schema = Arc::new(schema.project(&read).map_err(|_| InOrder)?);
        let mut records = Records { text, at: 0, delimiter: self.format.delimiter, pad: self.format.pad };
        if piece.headed {
            records.record(&mut schema.fields().iter().map(|_| None).collect::<Vec<_>>())?;
        }
        let mut parsed = Parsed { batches: Vec::new(), left_out: LeftOut::default() };
        loop {
            let rows = BATCH_ROWS.min(records.left() / schema.fields().len().max(1) + 1);
            let column =
                |index| read.binary_search(&index).ok().map(|_| StringBuilder::with_capacity(rows, rows * CELL_BYTES));
            let mut cells: Vec<_> = (0..schema.fields().len()).map(column).collect();
            let mut rows = 0;
            while rows < BATCH_ROWS && records.record(&mut cells)? {
                rows += 1;
            }
            if rows == 0 {
                return Ok(parsed);
            }
            let texts = cells.iter_mut().flatten().map(|cells| -> ArrayRef { Arc::new(cells.finish()) });
            let options = RecordBatchOptions::new().with_row_count(Some(rows));
            let batch = RecordBatch::try_new_with_options(Arc::clone(&read_schema), texts.collect(), &options);
            let batch = batch.map_err(|_| InOrder)?;
            let rows = Rows { batch, numbers: Vec::new(), left_out: LeftOut::default() };
            let rows = tidied_rows(rows, tidy, &self.heading).map_err(|_| InOrder)?;
            parsed.left_out = parsed.left_out + rows.left_out;
            if rows.batch.num_rows() > 0 {
                parsed.batches.push(rows.batch.project(&places).map_err(|_| InOrder)?);
            }
        }
    }
}

/// The records of a text.
struct Records<'a> {
    text: &'a str,
    at: usize,
    delimiter: u8,
    pad: bool,
}

impl<'a> Records<'a> {
    /// How many bytes have not been read.
    fn left(&self) -> usize {
        self.text.len().saturating_sub(self.at)
    }

    /// Puts the cells of the next record into the columns that are there; whether there was one.
    fn record(&mut self, columns: &mut [Option<StringBuilder>]) -> Result<bool, InOrder> {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(|byte| is_line_end(*byte)) {
            self.at += 1;
        }
        if self.at >= bytes.len() {
            return Ok(false);
        }
        let mut columns = columns.iter_mut();
        loop {
            let (cell, end) = self.cell().ok_or(InOrder)?;
            if let Some(column) = columns.next().ok_or(InOrder)? {
                // What is empty is NULL, in quotes or not.
                if cell.is_empty() { column.append_null() } else { column.append_value(cell) }
            }
            self.at = end + 1;
            if bytes.get(end) != Some(&self.delimiter) {
                break;
            }
        }
        for column in columns {
            if !self.pad {
                return Err(InOrder);
            }
            column.iter_mut().for_each(StringBuilder::append_null);
        }
        Ok(true)
    }

    /// The cell that begins here, and the byte that ends it; `None` if its quote is never closed.
    fn cell(&self) -> Option<(Cow<'a, str>, usize)> {
        let (text, bytes) = (self.text, self.text.as_bytes());
        if bytes.get(self.at) != Some(&b'"') {
            let end = end(bytes, self.at, self.delimiter);
            return Some((Cow::Borrowed(text.get(self.at..end)?), end));
        }
        let closing = closing(bytes, self.at + 1)?;
        let end = end(bytes, closing + 1, self.delimiter);
        let (quoted, behind) = (text.get(self.at + 1..closing)?, text.get(closing + 1..end)?);
        let cell = if behind.is_empty() && !quoted.contains('"') {
            Cow::Borrowed(quoted)
        } else {
            Cow::Owned(quoted.replace("\"\"", "\"") + behind)
        };
        Some((cell, end))
    }
}

const ONES: u64 = u64::from_le_bytes([0x01; 8]);
const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);

/// The first delimiter or line end from here on, or the text's end. Eight bytes are looked at at once, as texts of some
/// length want it.
fn end(text: &[u8], from: usize, delimiter: u8) -> usize {
    let ends = [delimiter, b'\r', b'\n'];
    let mut at = from;
    while let Some(word) = text.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*word);
        let found = ends.iter().fold(0, |found, byte| found | equal(word, *byte));
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = text.get(at..).unwrap_or_default();
    rest.iter().position(|byte| ends.contains(byte)).map_or(text.len(), |index| at + index)
}

/// The high bit of the first byte that is this one; bits above it mean nothing.
fn equal(word: u64, byte: u8) -> u64 {
    let other = word ^ (ONES * u64::from(byte));
    other.wrapping_sub(ONES) & !other & HIGHS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_cell_is_the_first_of_its_ends() {
        // Bytes beside the ends by value, and such as have the high bit.
        for filler in [b'-', b'+', 0x0B, 0x0C, 0x0E, 0x09, 0xAC, 0x8A, 0x8D, 0x00, 0x01, 0xFF] {
            for (before, byte) in (0..20).flat_map(|before| [b',', b'\r', b'\n'].map(|byte| (before, byte))) {
                let text =
                    [vec![filler; before], vec![byte, b',', b'\n', filler, byte, filler, filler, filler]].concat();
                assert_eq!(end(&text, 0, b','), before, "{text:?}");
                assert_eq!(end(&text, before, b','), before, "{text:?}");
                assert_eq!(end(&vec![filler; before], 0, b','), before);
            }
        }
    }
}
