//! Stands for each unit by a keyed hash of the one canonical text of its value.

use std::borrow::Cow;
use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, DecimalType, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;
use arrow::row::{RowConverter, SortField};
use chrono::DateTime;
use meridian_proto::ColumnType;
use siphasher::sip::SipHasher24;

use super::literal;

/// The hash of a unit given as text: SipHash-2-4 of its canonical text, the same from whichever dataset it comes.
///
/// `42`, ` 42` and `0042` are one unit. Integers are digits, decimals digits without zeros at the end, dates and times
/// ISO 8601, Booleans `true` and `false`; other text stands as it is but for white space around it.
pub fn unit_hash(key: &[u8; 16], text: &str) -> u64 {
    keyed(key, canonical(text).as_bytes())
}

/// The hash of a unit given as text where a column of this type names it: as a value of the type, however it is spelt.
/// `None` where the text is no value of the type, or the type has no exact values.
pub fn unit_named(key: &[u8; 16], column_type: ColumnType, text: &str) -> Option<u64> {
    let trimmed = text.trim_matches(|c: char| c.is_ascii_whitespace());
    let value = literal(column_type, trimmed)?.to_array().ok()?;
    of_column(key, &value)?.into_iter().next().flatten()
}

/// The hash of each value of a column; `None` for a type that has no exact values.
pub(super) fn of_column(key: &[u8; 16], column: &ArrayRef) -> Option<Vec<Option<u64>>> {
    let hash = |text: &str| keyed(key, text.as_bytes());
    Some(match column.data_type() {
        DataType::Int32 => each::<Int32Type>(column, |value| hash(&value.to_string())),
        DataType::Int64 => each::<Int64Type>(column, |value| hash(&value.to_string())),
        DataType::Decimal128(precision, scale) => {
            each::<Decimal128Type>(column, |value| hash(&decimal(value, *precision, *scale)))
        }
        DataType::Date32 => each::<Date32Type>(column, |value| hash(&date(value))),
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            each::<TimestampMicrosecondType>(column, |value| hash(&time(value)))
        }
        DataType::Boolean => column.as_boolean().iter().map(|value| value.map(|v| hash(&v.to_string()))).collect(),
        DataType::Utf8 => column.as_string::<i32>().iter().map(|text| text.map(|t| unit_hash(key, t))).collect(),
        _ => return None,
    })
}

/// Hashes of rows that are units themselves: of a row's values, and of how many equal rows stand before it. So equal
/// rows are different units, and a row that is added or removed changes no other's hash.
pub(super) struct Rows {
    converter: RowConverter,
    seen: HashMap<u64, u64>,
    repeated: u64,
}

impl Rows {
    /// For rows of these types.
    pub(super) fn new(types: impl Iterator<Item = DataType>) -> Result<Self, ArrowError> {
        Ok(Self {
            converter: RowConverter::new(types.map(SortField::new).collect())?,
            seen: HashMap::new(),
            repeated: 0,
        })
    }

    /// The hash of each row; batches come in the source's order. Equal rows are told from each other within a part alone.
    pub(super) fn of_batch(
        &mut self,
        key: &[u8; 16],
        batch: &RecordBatch,
        part: Part,
    ) -> Result<Vec<Option<u64>>, ArrowError> {
        let rows = self.converter.convert_columns(batch.columns())?;
        let mut numbered = Vec::new();
        let hash = |row: arrow::row::Row<'_>| {
            let row_hash = keyed(key, row.as_ref());
            let mut before = 0_u64;
            if part.holds(row_hash) {
                let seen = self.seen.entry(row_hash).or_default();
                before = *seen;
                *seen += 1;
                self.repeated += u64::from(before > 0);
            }
            Some(of_row(key, row.as_ref(), before, &mut numbered))
        };
        Ok(rows.iter().map(hash).collect())
    }

    /// Rows so far that are equal to one before them.
    pub(super) fn repeated(&self) -> u64 {
        self.repeated
    }
}

/// The hash of each row of some columns where no two are equal.
pub(super) fn of_rows(key: &[u8; 16], columns: &[ArrayRef]) -> Result<Vec<u64>, ArrowError> {
    let types = columns.iter().map(|column| SortField::new(column.data_type().clone()));
    let rows = RowConverter::new(types.collect())?.convert_columns(columns)?;
    let mut numbered = Vec::new();
    Ok(rows.iter().map(|row| of_row(key, row.as_ref(), 0, &mut numbered)).collect())
}

fn of_row(key: &[u8; 16], row: &[u8], before: u64, numbered: &mut Vec<u8>) -> u64 {
    numbered.clear();
    numbered.extend_from_slice(row);
    numbered.extend_from_slice(&before.to_be_bytes());
    keyed(key, numbered)
}

/// One of several equal parts of all units, by their hashes: what is known of the units of one part at a time takes less
/// memory than that of all.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// Which, from 0.
    pub(super) index: u64,
    /// Of how many.
    pub(super) of: u64,
}

impl Part {
    /// All units.
    pub(super) const WHOLE: Self = Self { index: 0, of: 1 };

    /// Whether a unit is in it.
    pub(super) fn holds(self, unit: u64) -> bool {
        unit % self.of.max(1) == self.index
    }
}

fn keyed(key: &[u8; 16], bytes: &[u8]) -> u64 {
    SipHasher24::new_with_key(key).hash(bytes)
}

fn each<T: ArrowPrimitiveType>(column: &ArrayRef, hash: impl Fn(T::Native) -> u64) -> Vec<Option<u64>> {
    column.as_primitive::<T>().iter().map(|value| value.map(&hash)).collect()
}

/// Text without white space around it; a number of any length as an integer column would hold it.
fn canonical(text: &str) -> Cow<'_, str> {
    let text = text.trim_matches(|c: char| c.is_ascii_whitespace());
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |digits| (true, digits));
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.into();
    }
    match digits.trim_start_matches('0') {
        "" => "0".into(),
        digits if negative => format!("-{digits}").into(),
        digits => digits.into(),
    }
}

fn decimal(value: i128, precision: u8, scale: i8) -> String {
    let text = Decimal128Type::format_decimal(value, precision, scale);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// The calendar reaches 262,000 years; a day beyond is a number of days.
fn date(days: i32) -> String {
    Date32Type::to_naive_date_opt(days).map_or_else(|| format!("{days} days"), |date| date.to_string())
}

fn time(micros: i64) -> String {
    let time = DateTime::from_timestamp_micros(micros).map(|time| time.naive_utc());
    time.map_or_else(|| format!("{micros} us"), |time| time.format("%Y-%m-%dT%H:%M:%S%.f").to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{
        BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, StringArray,
        TimestampMicrosecondArray,
    };

    use super::*;

    const KEY: [u8; 16] = *b"key of the kind ";

    #[test]
    fn text_has_one_canonical_form() {
        for (text, expected) in [
            ("42", "42"),
            ("0042", "42"),
            (" 42\t\r\n", "42"),
            ("-007", "-7"),
            ("0", "0"),
            ("-000", "0"),
            ("", ""),
            ("-", "-"),
            ("+42", "+42"),
            ("--1", "--1"),
            ("4 2", "4 2"),
            ("42.0", "42.0"),
            ("042a", "042a"),
            ("٤٢", "٤٢"),
            ("\u{a0}42", "\u{a0}42"),
            (" Straße 1 ", "Straße 1"),
            ("000123456789012345678901234567890", "123456789012345678901234567890"),
        ] {
            assert_eq!(canonical(text), expected, "{text:?}");
        }
    }

    #[test]
    fn a_value_of_any_type_is_the_unit_that_its_text_is() {
        let check = |column: ArrayRef, text: &str| {
            let hashes = of_column(&KEY, &column).unwrap();
            assert_eq!(hashes, [Some(unit_hash(&KEY, text)), None], "{:?} {text}", column.data_type());
        };
        let decimals = |value| {
            let values = Decimal128Array::from(vec![Some(value), None]);
            Arc::new(values.with_precision_and_scale(38, 3).unwrap())
        };
        check(Arc::new(Int32Array::from(vec![Some(i32::MIN), None])), "-2147483648");
        check(Arc::new(Int64Array::from(vec![Some(42), None])), "0042");
        check(Arc::new(StringArray::from(vec![Some(" 42 "), None])), "42");
        check(decimals(42_000), "42");
        check(decimals(-42_500), "-42.5");
        check(decimals(0), "0");
        check(decimals(100), "0.1");
        check(decimals(100_000), "100");
        check(Arc::new(BooleanArray::from(vec![Some(true), None])), "true");
        check(Arc::new(Date32Array::from(vec![Some(19_782), None])), "2024-02-29");
        check(Arc::new(Date32Array::from(vec![Some(i32::MAX), None])), "2147483647 days");
        let micros = 19_782 * 86_400_000_000;
        check(Arc::new(TimestampMicrosecondArray::from(vec![Some(micros), None])), "2024-02-29T00:00:00");
        let times = TimestampMicrosecondArray::from(vec![Some(micros + 1_500), None]);
        check(Arc::new(times), "2024-02-29T00:00:00.001500");
        let doubles: ArrayRef = Arc::new(Float64Array::from(vec![42.0]));
        assert_eq!(of_column(&KEY, &doubles), None);
    }

    #[test]
    fn a_unit_is_named_by_any_spelling_of_its_value() {
        let named = |column_type: &str, text| unit_named(&KEY, column_type.parse().unwrap(), text);
        let unit = |text| Some(unit_hash(&KEY, text));
        assert_eq!(named("bigint", " 0042 "), unit("42"));
        assert_eq!(named("decimal(8,2)", "42.50"), unit("42.5"));
        assert_eq!(named("varchar", " A-1\n"), unit("A-1"));
        assert_eq!(named("date", "2024-02-29"), unit("2024-02-29"));
        assert_eq!(named("timestamp", "2024-02-29 10:00:00"), unit("2024-02-29T10:00:00"));
        assert_eq!(named("bigint", "A-1"), None);
        assert_eq!(named("double", "42"), None);
    }

    #[test]
    fn hashes_are_siphash_2_4_and_keyed() {
        // The test vector of the reference implementation for the input 00 01 … 0e.
        let key: [u8; 16] = std::array::from_fn(|at| at as u8);
        assert_eq!(keyed(&key, &std::array::from_fn::<u8, 15, _>(|at| at as u8)), 0xa129_ca61_49be_45e5);
        assert_ne!(unit_hash(&KEY, "42"), unit_hash(&key, "42"));
    }
}
