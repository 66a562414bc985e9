//! The columns of a table, and what becomes of their types: each is read as one that a dataset can publish.
//!
//! | Arrow's type | read as |
//! | --- | --- |
//! | Boolean | boolean |
//! | Int8, Int16, Int32, UInt8, UInt16; Int64, UInt32; UInt64 | integer; bigint; decimal(20, 0) |
//! | Float16, Float32, Float64 | double |
//! | decimals of up to 38 digits | decimal(p, s) |
//! | Date32, Date64 | date |
//! | Timestamp | timestamp in microseconds, what is finer cut off; with a time zone in UTC |
//! | texts and bytes of all forms | text, bytes |
//! | dictionaries | as their values |
//! | anything else, such as lists, structs and times of day | not at all: such a column is left out |

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch, RecordBatchOptions, make_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Float64Type, Schema, SchemaRef, TimeUnit};

use super::fault::EngineFault;
use crate::sources::remote::{Column, Dialect, Kind};

/// The columns that can be read.
pub(super) fn of(schema: &Schema, dialect: &dyn Dialect) -> Vec<Column> {
    let column = |field: &Arc<Field>| {
        let kind = kind(field.data_type())?;
        let comparable = comparable(field.data_type());
        let name = dialect.name(field.name());
        let column = |sql| Column::new(field.name(), kind, sql);
        Some(match kind {
            Kind::Double => Column { comparable, ..column(dialect.one_nan(&name)) },
            _ if has_small_sums(field.data_type()) && dialect.has_whole_queries() => {
                Column { comparable, compared: name.clone(), ..column(dialect.cast(&name, kind)) }
            }
            _ => Column { comparable, ..column(name) },
        })
    };
    schema.fields().iter().filter_map(column).collect()
}

/// Whether sums there are of a type with fewer digits than they have here, in which they wrap around.
fn has_small_sums(found: &DataType) -> bool {
    match found {
        DataType::UInt64 | DataType::Decimal32(..) | DataType::Decimal64(..) => true,
        DataType::Dictionary(_, values) => has_small_sums(values),
        _ => false,
    }
}

/// What a type is read as.
pub(super) fn kind(found: &DataType) -> Option<Kind> {
    Some(match found {
        DataType::Boolean => Kind::Boolean,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 => Kind::Integer,
        DataType::Int64 | DataType::UInt32 => Kind::Bigint,
        DataType::UInt64 => Kind::Decimal(20, 0),
        DataType::Float16 | DataType::Float32 | DataType::Float64 => Kind::Double,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
            if (0..=39).contains(scale) && scale.unsigned_abs() <= *precision =>
        {
            Kind::Decimal(*precision, *scale)
        }
        DataType::Date32 | DataType::Date64 => Kind::Date,
        DataType::Timestamp(_, None) => Kind::Timestamp,
        DataType::Timestamp(_, Some(_)) => Kind::Timestamptz,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Kind::Text,
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => Kind::Bytes,
        DataType::Dictionary(_, values) => return kind(values),
        _ => return None,
    })
}

/// Whether what is read is what is compared there: of dates and moments, all of it.
fn comparable(found: &DataType) -> bool {
    match found {
        DataType::Timestamp(unit, _) => *unit == TimeUnit::Microsecond,
        DataType::Date64 => false,
        DataType::Dictionary(_, values) => comparable(values),
        _ => true,
    }
}

/// Whether these are the columns that were asked for.
pub(super) fn check(found: &Schema, asked: &[(String, Kind)]) -> Result<(), EngineFault> {
    // Where nothing is asked for, something has to stand in the SELECT.
    if found.fields().len() != asked.len().max(1) {
        return Err(EngineFault::Columns { found: found.fields().len(), asked: asked.len() });
    }
    for (field, (name, asked)) in found.fields().iter().zip(asked) {
        if kind(field.data_type()) != Some(*asked) {
            return Err(EngineFault::Retyped(name.clone()));
        }
    }
    Ok(())
}

/// A batch of the columns that were asked for, in the types in which they are read.
pub(super) fn read(
    batch: &RecordBatch,
    asked: &[(String, Kind)],
    schema: &SchemaRef,
) -> Result<RecordBatch, EngineFault> {
    let columns = batch
        .columns()
        .iter()
        .zip(asked)
        .map(|(array, (name, kind))| value(array, *kind).ok_or_else(|| EngineFault::Unfit(name.clone())));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let made = RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options);
    made.map_err(|_| EngineFault::Columns { found: batch.num_columns(), asked: asked.len() })
}

fn value(array: &ArrayRef, kind: Kind) -> Option<ArrayRef> {
    let array = in_utc(array)?;
    // A value that has no place in the type is an error, and not NULL.
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let array = cast_with_options(&array, &kind.arrow(), &options).ok()?;
    Some(match array.as_primitive_opt::<Float64Type>() {
        Some(doubles) => Arc::new(one_nan(doubles)),
        None => array,
    })
}

/// A moment in UTC: a cast would give the time that clocks show in the column's zone.
fn in_utc(array: &ArrayRef) -> Option<ArrayRef> {
    match array.data_type() {
        DataType::Timestamp(unit, Some(_)) => {
            let data = array.to_data().into_builder().data_type(DataType::Timestamp(*unit, None)).build().ok()?;
            Some(make_array(data))
        }
        DataType::Dictionary(_, values) => {
            in_utc(&cast_with_options(array, values, &CastOptions { safe: false, ..CastOptions::default() }).ok()?)
        }
        _ => Some(Arc::clone(array)),
    }
}

/// There is one NaN, whatever its bits, and it is greater than all else.
fn one_nan(doubles: &Float64Array) -> Float64Array {
    doubles.unary(|value| if value.is_nan() { f64::NAN } else { value })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use arrow::array::{
        DictionaryArray, Int8Array, LargeStringArray, StringViewArray, TimestampNanosecondArray, TimestampSecondArray,
        UInt64Array,
    };
    use arrow::datatypes::Int32Type;
    use arrow::util::display::array_value_to_string;

    use super::*;

    fn read_one(array: ArrayRef) -> Result<String, EngineFault> {
        let kind = kind(array.data_type()).unwrap();
        let batch = RecordBatch::try_from_iter([("a", array)]).unwrap();
        let schema = Arc::new(Schema::new(vec![Field::new("a", kind.arrow(), true)]));
        let read = read(&batch, &[("a".into(), kind)], &schema)?;
        Ok(array_value_to_string(read.column(0), 0).unwrap())
    }

    #[test]
    fn values_keep_what_they_are() {
        let words: DictionaryArray<Int32Type> = ["York"].into_iter().collect();
        let summer = TimestampSecondArray::from(vec![1_720_000_000]).with_timezone("Europe/London");
        for (array, expected) in [
            (Arc::new(Int8Array::from(vec![-7])) as ArrayRef, "-7"),
            (Arc::new(UInt64Array::from(vec![u64::MAX])), "18446744073709551615"),
            (Arc::new(LargeStringArray::from(vec!["é"])), "é"),
            (
                Arc::new(StringViewArray::from(vec!["a text that is longer than a view"])),
                "a text that is longer than a view",
            ),
            (Arc::new(words), "York"),
            (Arc::new(summer), "2024-07-03T09:46:40"),
            (Arc::new(TimestampNanosecondArray::from(vec![1_999])), "1970-01-01T00:00:00.000001"),
        ] {
            assert_eq!(read_one(array).as_deref(), Ok(expected));
        }
        // Later than microseconds reach to.
        let beyond: ArrayRef = Arc::new(TimestampSecondArray::from(vec![i64::MAX]));
        assert_eq!(read_one(beyond), Err(EngineFault::Unfit("a".into())));
    }

    #[test]
    fn other_columns_than_were_asked_for_are_told() {
        let schema = |types: &[DataType]| {
            let fields = types.iter().enumerate().map(|(at, found)| Field::new(format!("c{at}"), found.clone(), true));
            Schema::new(fields.collect::<Vec<_>>())
        };
        let asked = [("id".to_owned(), Kind::Bigint), ("town".to_owned(), Kind::Text)];
        assert_eq!(check(&schema(&[DataType::Int64, DataType::Utf8View]), &asked), Ok(()));
        let retyped = check(&schema(&[DataType::Int64, DataType::Date32]), &asked);
        assert_eq!(retyped, Err(EngineFault::Retyped("town".into())));
        let fewer = check(&schema(&[DataType::Int64]), &asked);
        assert_eq!(fewer, Err(EngineFault::Columns { found: 1, asked: 2 }));
        assert_eq!(check(&schema(&[DataType::Int32]), &[]), Ok(()));
    }
}
