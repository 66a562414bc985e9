//! Constants as PostgreSQL reads them, of the type that they have here.

use arrow::datatypes::DataType;
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime};
use datafusion::common::ScalarValue;

/// Types that compare with each other, and not with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    Boolean,
    /// Whole numbers and decimals, which are compared exactly on both sides.
    Exact,
    Double,
    Text,
    Date,
    /// With or without a time zone, as the other side of a comparison is.
    Timestamp,
}

/// A constant, and what it is.
#[derive(Debug, Clone)]
pub(super) struct Constant {
    pub(super) class: Class,
    /// SQL; for a text and a timestamp without its type.
    pub(super) sql: String,
    /// The text itself.
    pub(super) text: Option<String>,
}

/// The SQL of a constant; `None` for NULL and for whatever may mean something else there.
pub(super) fn constant(value: &ScalarValue) -> Option<Constant> {
    use ScalarValue as S;
    let of = |class, sql: String| Some(Constant { class, sql, text: None });
    match value {
        S::Boolean(Some(value)) => of(Class::Boolean, value.to_string()),
        S::Int8(Some(_)) | S::Int16(Some(_)) | S::Int32(Some(_)) | S::Int64(Some(_)) => {
            let S::Int64(Some(value)) = value.cast_to(&DataType::Int64).ok()? else { return None };
            of(Class::Exact, signed(&value.to_string()))
        }
        S::UInt8(Some(_)) | S::UInt16(Some(_)) | S::UInt32(Some(_)) | S::UInt64(Some(_)) => {
            let S::UInt64(Some(value)) = value.cast_to(&DataType::UInt64).ok()? else { return None };
            of(Class::Exact, value.to_string())
        }
        S::Decimal128(Some(value), _, scale) => of(Class::Exact, signed(&decimal(*value, *scale)?)),
        // Zero has two signs, which differ here and not there.
        S::Float64(Some(value)) if value.is_finite() && *value != 0.0 => {
            of(Class::Double, format!("'{value:?}'::float8"))
        }
        S::Utf8(Some(text)) | S::LargeUtf8(Some(text)) | S::Utf8View(Some(text)) if !text.contains('\0') => {
            Some(Constant { class: Class::Text, sql: string(text), text: Some(text.clone()) })
        }
        S::Date32(Some(days)) => of(Class::Date, format!("'{}'::date", date(*days)?)),
        S::TimestampSecond(Some(value), None) => timestamp(value.checked_mul(1_000_000)?),
        S::TimestampMillisecond(Some(value), None) => timestamp(value.checked_mul(1_000)?),
        S::TimestampMicrosecond(Some(value), None) => timestamp(*value),
        S::TimestampNanosecond(Some(value), None) if value % 1_000 == 0 => timestamp(value / 1_000),
        _ => None,
    }
}

/// A text in quotes.
pub(super) fn string(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A number that may stand behind an operator.
fn signed(number: &str) -> String {
    if number.starts_with('-') { format!("({number})") } else { number.to_owned() }
}

fn decimal(value: i128, scale: i8) -> Option<String> {
    let scale = usize::try_from(scale).ok()?;
    let sign = if value < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, part) = digits.split_at_checked(digits.len() - scale)?;
    Some(if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") })
}

fn date(days: i32) -> Option<String> {
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1)?;
    let distance = Days::new(u64::from(days.unsigned_abs()));
    let date = if days < 0 { epoch.checked_sub_days(distance) } else { epoch.checked_add_days(distance) }?;
    in_four_digits(date.year()).then(|| date.format("%Y-%m-%d").to_string())
}

fn timestamp(micros: i64) -> Option<Constant> {
    let moment: NaiveDateTime = DateTime::from_timestamp_micros(micros)?.naive_utc();
    let text = in_four_digits(moment.year()).then(|| moment.format("%Y-%m-%d %H:%M:%S%.6f").to_string())?;
    Some(Constant { class: Class::Timestamp, sql: format!("'{text}+00'"), text: None })
}

/// Years as both sides write them.
fn in_four_digits(year: i32) -> bool {
    (1..=9999).contains(&year)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_written_as_the_server_reads_them() {
        let sql = |value: ScalarValue| constant(&value).map(|constant| constant.sql);
        for (value, written) in [
            (ScalarValue::Int32(Some(-7)), "(-7)"),
            (ScalarValue::UInt64(Some(u64::MAX)), "18446744073709551615"),
            (ScalarValue::Decimal128(Some(-5), 6, 2), "(-0.05)"),
            (ScalarValue::Decimal128(Some(12345), 6, 2), "123.45"),
            (ScalarValue::Decimal128(Some(12345), 6, 0), "12345"),
            (ScalarValue::Float64(Some(1e300)), "'1e300'::float8"),
            (ScalarValue::Utf8(Some("O'Hara \\ ;--".into())), "'O''Hara \\ ;--'"),
            (ScalarValue::Date32(Some(-1)), "'1969-12-31'::date"),
            (ScalarValue::TimestampMicrosecond(Some(-1), None), "'1969-12-31 23:59:59.999999+00'"),
            (ScalarValue::TimestampNanosecond(Some(1_000), None), "'1970-01-01 00:00:00.000001+00'"),
        ] {
            assert_eq!(sql(value.clone()).as_deref(), Some(written), "{value:?}");
        }
        for none in [
            ScalarValue::Null,
            ScalarValue::Int64(None),
            ScalarValue::Float64(Some(-0.0)),
            ScalarValue::Float64(Some(f64::NAN)),
            ScalarValue::Utf8(Some("a\0b".into())),
            ScalarValue::Date32(Some(i32::MAX)),
            ScalarValue::TimestampNanosecond(Some(1), None),
            ScalarValue::TimestampMicrosecond(Some(i64::MAX), None),
        ] {
            assert_eq!(sql(none.clone()), None, "{none:?}");
        }
    }
}
