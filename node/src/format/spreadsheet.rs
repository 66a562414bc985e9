//! Answers for spreadsheets: an apostrophe stands before a text or a name that would be taken for a formula there.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;

use crate::printable::is_formula;

/// The same rows, of which nothing is a formula.
pub(super) fn harmless(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = batch.columns().iter().map(texts).collect::<Result<Vec<_>, _>>()?;
    let schema = batch.schema();
    let fields = schema.fields().iter().zip(&columns);
    let fields = fields.map(|(field, column)| Field::new(marked(field.name()), column.data_type().clone(), true));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(schema), columns, &rows)
}

fn texts(column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    if !matches!(column.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) {
        return Ok(Arc::clone(column));
    }
    let plain = cast(column, &DataType::Utf8)?;
    let texts = plain.as_string::<i32>();
    if !texts.iter().flatten().any(is_formula) {
        return Ok(plain);
    }
    Ok(Arc::new(texts.iter().map(|text| text.map(marked)).collect::<StringArray>()))
}

fn marked(text: &str) -> Cow<'_, str> {
    if is_formula(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}
