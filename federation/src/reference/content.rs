//! The SHA-256 of a reference's content, the same whatever the order of rows, batches and encodings in which it arrives.
//!
//! It is taken over these bytes:
//!
//! 1. `meridian reference 1` and a newline;
//! 2. for each column, the key first and then the labels by name, its name, a space, its kind and a newline. The kinds are
//!    `boolean`, `integer`, `double`, `decimal(s)` with the scale s, `varchar`, `date` and `timestamp`;
//! 3. the rows, each a string of bytes, in ascending order of these: for each column a byte 0 for NULL, or a byte 1 and the
//!    value. A boolean is one byte 0 or 1; an integer of any width, the days of a date and the microseconds of a timestamp
//!    since 1970-01-01 are 8 bytes, two's complement; a double is the 8 bytes of IEEE 754, with one zero and one NaN; a
//!    decimal is the 16 bytes of its digits as an integer; text is its length in bytes, 8 bytes, and its UTF-8. Numbers have
//!    the highest byte first.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use sha2::{Digest, Sha256};

/// What was found in the rows of a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// The SHA-256, as defined at the head of the module.
    pub sha256: [u8; 32],
    /// Whether a value of the key stands in more than one row.
    pub repeats: bool,
}

/// The content of rows whose first column is the key and whose others are the labels, sorted by name.
pub fn content(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<Content, ArrowError> {
    let mut hash = Sha256::new();
    hash.update(b"meridian reference 1\n");
    for field in schema.fields() {
        hash.update(format!("{} {}\n", field.name(), kind(&plain(field.data_type()))?));
    }
    let mut bytes = Vec::new();
    let mut rows = Vec::new();
    for batch in batches {
        let columns = batch.columns().iter().map(Values::of).collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            let start = bytes.len();
            let mut columns = columns.iter();
            columns.by_ref().take(1).for_each(|key| key.write(row, &mut bytes));
            let key = bytes.len();
            columns.for_each(|label| label.write(row, &mut bytes));
            rows.push(Row { start, key, end: bytes.len() });
        }
    }
    rows.sort_unstable_by(|one, other| one.all(&bytes).cmp(other.all(&bytes)));
    let repeats = rows.windows(2).any(|pair| match pair {
        // A key that is NULL joins nothing.
        [one, other] => one.key(&bytes) == other.key(&bytes) && one.key(&bytes) != [NULL],
        _ => false,
    });
    for row in &rows {
        hash.update(row.all(&bytes));
    }
    Ok(Content { sha256: hash.finalize().into(), repeats })
}

const NULL: u8 = 0;

/// Where a row's bytes are.
struct Row {
    start: usize,
    key: usize,
    end: usize,
}

impl Row {
    fn all<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.start..self.end).unwrap_or_default()
    }

    fn key<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.start..self.key).unwrap_or_default()
    }
}

/// The one type that stands for all that hold the same values.
fn plain(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Dictionary(_, values) => plain(values),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::UInt8 | DataType::UInt16 | DataType::UInt32 => {
            DataType::Int64
        }
        DataType::Float16 | DataType::Float32 => DataType::Float64,
        DataType::Date64 => DataType::Date32,
        DataType::Timestamp(_, _) => DataType::Timestamp(TimeUnit::Microsecond, None),
        other => other.clone(),
    }
}

fn kind(plain: &DataType) -> Result<String, ArrowError> {
    Ok(match plain {
        DataType::Boolean => "boolean".into(),
        DataType::Int64 => "integer".into(),
        DataType::Float64 => "double".into(),
        DataType::Decimal128(_, scale) => format!("decimal({scale})"),
        DataType::Utf8 => "varchar".into(),
        DataType::Date32 => "date".into(),
        DataType::Timestamp(_, _) => "timestamp".into(),
        other => return Err(ArrowError::NotYetImplemented(format!("{other} is no type of a published column"))),
    })
}

/// A column whose values can be written.
enum Values {
    Boolean(ArrayRef),
    Integer(ArrayRef),
    Double(ArrayRef),
    Decimal(ArrayRef),
    Text(ArrayRef),
}

impl Values {
    fn of(array: &ArrayRef) -> Result<Self, ArrowError> {
        let plain = plain(array.data_type());
        let array = cast(array, &plain)?;
        Ok(match plain {
            DataType::Boolean => Self::Boolean(array),
            DataType::Int64 => Self::Integer(array),
            DataType::Date32 => Self::Integer(cast(&cast(&array, &DataType::Int32)?, &DataType::Int64)?),
            DataType::Timestamp(_, _) => Self::Integer(cast(&array, &DataType::Int64)?),
            DataType::Float64 => Self::Double(array),
            DataType::Decimal128(_, _) => Self::Decimal(array),
            DataType::Utf8 => Self::Text(array),
            other => return Err(ArrowError::NotYetImplemented(format!("{other} is no type of a published column"))),
        })
    }

    fn write(&self, row: usize, into: &mut Vec<u8>) {
        let (Self::Boolean(array)
        | Self::Integer(array)
        | Self::Double(array)
        | Self::Decimal(array)
        | Self::Text(array)) = self;
        if array.is_null(row) {
            into.push(NULL);
            return;
        }
        into.push(1);
        match self {
            Self::Boolean(array) => into.push(u8::from(array.as_boolean().value(row))),
            Self::Integer(array) => into.extend(array.as_primitive::<Int64Type>().value(row).to_be_bytes()),
            Self::Double(array) => into.extend(one_zero(array.as_primitive::<Float64Type>().value(row)).to_be_bytes()),
            Self::Decimal(array) => into.extend(array.as_primitive::<Decimal128Type>().value(row).to_be_bytes()),
            Self::Text(array) => {
                let text = array.as_string::<i32>().value(row).as_bytes();
                into.extend(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
                into.extend(text);
            }
        }
    }
}

fn one_zero(value: f64) -> f64 {
    if value.is_nan() {
        f64::NAN
    } else if value == 0.0 {
        0.0
    } else {
        value
    }
}
