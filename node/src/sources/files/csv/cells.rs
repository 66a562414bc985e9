//! Parses a piece of a CSV file into columns of text, by the parser of the whole file.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::csv::reader::ReaderBuilder;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};

use super::CsvFile;
use super::cut::Piece;
use crate::sources::files::tidy::tidied_rows;
use crate::sources::files::{InOrder, LeftOut, Rows};
use crate::sources::held;

/// The rows of a piece.
pub(in crate::sources::files) struct Parsed {
    pub(in crate::sources::files) batches: Vec<RecordBatch>,
    pub(in crate::sources::files) left_out: LeftOut,
}

impl CsvFile {
    /// These columns of a piece of it, each as a type: another than text only where cells are taken as they stand.
    pub(in crate::sources::files) fn parsed(
        &self,
        piece: &Piece,
        columns: &[(usize, FieldRef)],
    ) -> Result<Parsed, InOrder> {
        let (schema, tidy) = (&self.heading.schema, self.format.tidy);
        // Whether a row is one is told by all of its cells.
        let all = tidy.blank_rows || tidy.repeated_headings;
        let read: Vec<usize> =
            (0..schema.fields().len()).filter(|index| all || columns.iter().any(|(of, _)| of == index)).collect();
        let places: Vec<usize> = columns.iter().filter_map(|(index, _)| read.binary_search(index).ok()).collect();
        let mut fields: Vec<FieldRef> = schema.fields().iter().map(Arc::clone).collect();
        for (index, field) in columns {
            *fields.get_mut(*index).ok_or(InOrder)? = Arc::clone(field);
        }
        let mut parsed = Parsed { batches: Vec::new(), left_out: LeftOut::default() };
        for batch in self.batches(piece, Arc::new(Schema::new(fields)), read)? {
            let rows = Rows { batch, numbers: Vec::new(), left_out: LeftOut::default() };
            let rows = tidied_rows(rows, tidy, &self.heading).map_err(|_| InOrder)?;
            parsed.left_out = parsed.left_out + rows.left_out;
            if rows.batch.num_rows() > 0 {
                parsed.batches.push(rows.batch.project(&places).map_err(|_| InOrder)?);
            }
        }
        Ok(parsed)
    }

    /// All records of a piece, these columns of them, as they stand.
    fn batches(&self, piece: &Piece, schema: SchemaRef, columns: Vec<usize>) -> Result<Vec<RecordBatch>, InOrder> {
        let mut decoder = ReaderBuilder::new(schema)
            .with_delimiter(self.format.delimiter)
            .with_header(piece.headed)
            .with_truncated_rows(self.format.pad)
            .with_projection(columns)
            .with_batch_size(held::BATCH_ROWS)
            .build_decoder();
        let mut batches = Vec::new();
        // An empty line is no record, and a byte-order mark behind it belongs to a cell, as it does in the file. A line end
        // completes every record but one inside of an open quote.
        for mut text in [b"\n".as_slice(), &piece.text, b"\n"] {
            while !text.is_empty() {
                let used = decoder.decode(text).map_err(|_| InOrder)?;
                text = text.get(used..).unwrap_or_default();
                if decoder.capacity() == 0 {
                    batches.extend(decoder.flush().map_err(|_| InOrder)?);
                } else if used == 0 {
                    return Err(InOrder);
                }
            }
        }
        let room = decoder.capacity();
        decoder.decode(&[]).map_err(|_| InOrder)?;
        if decoder.capacity() < room {
            return Err(InOrder);
        }
        batches.extend(decoder.flush().map_err(|_| InOrder)?);
        Ok(batches)
    }
}
