//! The Arrow types and constants that published columns are made of.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use meridian_proto::{ColumnType, Dataset};

pub use meridian_federation::tables::arrow_type;

/// The schema of a dataset's rows. All columns are nullable, also those that are `required`: the promise is checked
/// on load, but a Parquet file is read anew by every query, and a schema that is wrong gives wrong answers.
pub fn published_schema(dataset: &Dataset) -> SchemaRef {
    let fields =
        dataset.columns.iter().map(|column| Field::new(column.name.as_str(), arrow_type(column.column_type), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A constant of a column's type from its text, if it is one.
pub fn literal(column_type: ColumnType, text: &str) -> Option<ScalarValue> {
    let value = ScalarValue::try_from_string(text.to_owned(), &arrow_type(column_type)).ok()?;
    (!value.is_null()).then_some(value)
}
