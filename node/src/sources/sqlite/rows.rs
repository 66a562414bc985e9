//! SQLite's values into Arrow's columns.

use std::sync::Arc;

use arrow::array::builder::{BinaryBuilder, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::columns::{Column, Kind};
use super::fault::SqliteFault;
use super::file::fault;

/// Rows of a batch.
const BATCH_ROWS: usize = 8 * 1024;
/// Bytes of texts and blobs after which a batch is not filled further.
const BATCH_BYTES: usize = 8 << 20;

/// Fills batches from rows.
pub(super) struct Rows {
    schema: SchemaRef,
    columns: Vec<(String, Values)>,
    rows: usize,
    bytes: usize,
}

enum Values {
    Bigint(Int64Builder),
    Double(Float64Builder),
    Boolean(BooleanBuilder),
    Bytes(BinaryBuilder),
    /// Of bytes as well, or not.
    Text(StringBuilder, bool),
}

impl Rows {
    pub(super) fn new(schema: SchemaRef, columns: &[Column]) -> Self {
        let columns = columns.iter().map(|column| (column.name.clone(), Values::of(column.kind))).collect();
        Self { schema, columns, rows: 0, bytes: 0 }
    }

    /// Whether there is enough for a batch.
    pub(super) fn is_full(&self) -> bool {
        self.rows >= BATCH_ROWS || self.bytes >= BATCH_BYTES
    }

    /// Whether there is nothing for a batch.
    pub(super) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Takes a row. A value that is none of its column's type was not there when the table was looked at.
    pub(super) fn push(&mut self, row: &Row<'_>) -> Result<(), SqliteFault> {
        for (index, (name, values)) in self.columns.iter_mut().enumerate() {
            let value = row.get_ref(index).map_err(|error| fault(&error))?;
            if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = value {
                self.bytes += bytes.len();
            }
            values.put(value, name)?;
        }
        self.rows += 1;
        Ok(())
    }

    /// What there is, as a batch.
    pub(super) fn batch(&mut self) -> Result<RecordBatch, ArrowError> {
        let columns = self.columns.iter_mut().map(|(_, values)| values.finish()).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        (self.rows, self.bytes) = (0, 0);
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
    }
}

impl Values {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Bigint => Self::Bigint(Int64Builder::new()),
            Kind::Double => Self::Double(Float64Builder::new()),
            Kind::Boolean => Self::Boolean(BooleanBuilder::new()),
            Kind::Bytes => Self::Bytes(BinaryBuilder::new()),
            Kind::Text => Self::Text(StringBuilder::new(), false),
            Kind::Any => Self::Text(StringBuilder::new(), true),
        }
    }

    fn put(&mut self, value: ValueRef<'_>, column: &str) -> Result<(), SqliteFault> {
        match (self, value) {
            (Self::Bigint(to), ValueRef::Integer(value)) => to.append_value(value),
            (Self::Bigint(to), ValueRef::Null) => to.append_null(),
            (Self::Double(to), ValueRef::Real(value)) => to.append_value(value),
            // As SQLite itself turns one into the other.
            #[expect(clippy::cast_precision_loss, reason = "a column of doubles has no more digits")]
            (Self::Double(to), ValueRef::Integer(value)) => to.append_value(value as f64),
            (Self::Double(to), ValueRef::Null) => to.append_null(),
            (Self::Boolean(to), ValueRef::Integer(value @ (0 | 1))) => to.append_value(value == 1),
            (Self::Boolean(to), ValueRef::Null) => to.append_null(),
            (Self::Bytes(to), ValueRef::Blob(value)) => to.append_value(value),
            (Self::Bytes(to), ValueRef::Null) => to.append_null(),
            (Self::Text(to, _), ValueRef::Text(value)) => {
                let text = std::str::from_utf8(value).map_err(|_| SqliteFault::Encoding(column.to_owned()))?;
                to.append_value(text);
            }
            (Self::Text(to, _), ValueRef::Integer(value)) => to.append_value(value.to_string()),
            (Self::Text(to, _), ValueRef::Real(value)) => to.append_value(value.to_string()),
            (Self::Text(to, true), ValueRef::Blob(value)) => to.append_value(hex::encode(value)),
            (Self::Text(to, _), ValueRef::Null) => to.append_null(),
            _ => return Err(SqliteFault::Changed),
        }
        Ok(())
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Bigint(from) => Arc::new(from.finish()),
            Self::Double(from) => Arc::new(from.finish()),
            Self::Boolean(from) => Arc::new(from.finish()),
            Self::Bytes(from) => Arc::new(from.finish()),
            Self::Text(from, _) => Arc::new(from.finish()),
        }
    }
}
