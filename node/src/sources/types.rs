//! The Arrow types and constants that published columns are made of.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use meridian_proto::{ColumnType, Covers, Dataset};

pub use meridian_federation::tables::arrow_type;

/// The schema of a dataset's rows. All columns are nullable, also those that are `required`: the promise is checked
/// on load, but a Parquet file is read anew by every query, and a schema that is wrong gives wrong answers.
pub fn published_schema(dataset: &Dataset) -> SchemaRef {
    let fields =
        dataset.columns.iter().map(|column| Field::new(column.name.as_str(), arrow_type(column.column_type), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A constant of a column's type from its text, if it is one; of bytes there is none.
pub fn literal(column_type: ColumnType, text: &str) -> Option<ScalarValue> {
    if column_type == ColumnType::Bytea {
        return None;
    }
    let value = ScalarValue::try_from_string(text.to_owned(), &arrow_type(column_type)).ok()?;
    (!value.is_null()).then_some(value)
}

/// Whether a value of a column's type is covered.
pub fn is_covered(column_type: ColumnType, covers: &Covers, value: &ScalarValue) -> bool {
    let is = |end: &String, wanted: fn(Ordering) -> bool| {
        literal(column_type, end).and_then(|end| value.partial_cmp(&end)).is_some_and(wanted)
    };
    match covers {
        Covers::Value(text) => literal(column_type, text).as_ref() == Some(value),
        Covers::Range { from, to } => {
            from.as_ref().is_none_or(|end| is(end, Ordering::is_ge))
                && to.as_ref().is_none_or(|end| is(end, Ordering::is_le))
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_range_covers_its_ends_and_what_is_between() {
        let end = |text: &str| Some(text.to_owned());
        let day = ColumnType::Date;
        for (from, to, covered, outside) in [
            (
                end("2020-01-01"),
                end("2020-12-31"),
                &["2020-01-01", "2020-12-31"][..],
                &["2019-12-31", "2021-01-01"][..],
            ),
            (end("2020-01-01"), None, &["2020-01-01", "9999-12-31"][..], &["2019-12-31"][..]),
            (None, end("2020-12-31"), &["0001-01-01", "2020-12-31"][..], &["2021-01-01"][..]),
        ] {
            let covers = Covers::Range { from, to };
            let is = |text: &&str| is_covered(day, &covers, &literal(day, text).unwrap());
            assert!(covered.iter().all(is) && !outside.iter().any(is), "{covers:?}");
        }
        let two = |text| literal(ColumnType::Decimal(6, 2), text).unwrap();
        let covers = Covers::Range { from: end("-1"), to: end("9.5") };
        let is = |text| is_covered(ColumnType::Decimal(6, 2), &covers, &two(text));
        assert!(is("-1.00") && is("9.50") && !is("-1.01") && !is("10"));
        let covers = Covers::Value("9.5".into());
        assert!(is_covered(ColumnType::Decimal(6, 2), &covers, &two("9.50")));
        assert!(!is_covered(ColumnType::Decimal(6, 2), &covers, &two("9.51")));
    }
}
