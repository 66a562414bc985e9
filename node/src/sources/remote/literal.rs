//! Constants of conditions, in words that every dialect writes in its own way.

use arrow::datatypes::DataType;
use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime};
use datafusion::common::ScalarValue;

use super::kind::Class;

/// A constant.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::sources) enum Constant {
    Boolean(bool),
    /// The digits of a whole number or of a decimal, a minus before them.
    Exact(String),
    /// Finite, and not zero.
    Double(f64),
    /// Without NUL.
    Text(String),
    /// `2024-02-29`.
    Date(String),
    /// `2024-02-29 23:59:59.999999`, in UTC where the column has a zone.
    Timestamp(String),
}

impl Constant {
    /// What it compares with.
    pub(super) fn class(&self) -> Class {
        match self {
            Self::Boolean(_) => Class::Boolean,
            Self::Exact(_) => Class::Exact,
            Self::Double(_) => Class::Double,
            Self::Text(_) => Class::Text,
            Self::Date(_) => Class::Date,
            Self::Timestamp(_) => Class::Timestamp,
        }
    }

    /// Digits before and behind the point of a number.
    pub(super) fn digits(&self) -> Option<(usize, usize)> {
        let Self::Exact(number) = self else { return None };
        let number = number.trim_start_matches('-');
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        Some((whole.trim_start_matches('0').len(), part.len()))
    }
}

/// The constant; `None` for NULL and for whatever may mean something else elsewhere.
pub(super) fn constant(value: &ScalarValue) -> Option<Constant> {
    use ScalarValue as S;
    Some(match value {
        S::Boolean(Some(value)) => Constant::Boolean(*value),
        S::Int8(Some(_)) | S::Int16(Some(_)) | S::Int32(Some(_)) | S::Int64(Some(_)) => {
            let S::Int64(Some(value)) = value.cast_to(&DataType::Int64).ok()? else { return None };
            Constant::Exact(value.to_string())
        }
        S::UInt8(Some(_)) | S::UInt16(Some(_)) | S::UInt32(Some(_)) | S::UInt64(Some(_)) => {
            let S::UInt64(Some(value)) = value.cast_to(&DataType::UInt64).ok()? else { return None };
            Constant::Exact(value.to_string())
        }
        S::Decimal128(Some(value), _, scale) => Constant::Exact(decimal(*value, *scale)?),
        // Zero has two signs, which differ here and not there.
        S::Float64(Some(value)) if value.is_finite() && *value != 0.0 => Constant::Double(*value),
        S::Utf8(Some(text)) | S::LargeUtf8(Some(text)) | S::Utf8View(Some(text)) if !text.contains('\0') => {
            Constant::Text(text.clone())
        }
        S::Date32(Some(days)) => Constant::Date(date(*days)?),
        S::TimestampSecond(Some(value), None) => timestamp(value.checked_mul(1_000_000)?)?,
        S::TimestampMillisecond(Some(value), None) => timestamp(value.checked_mul(1_000)?)?,
        S::TimestampMicrosecond(Some(value), None) => timestamp(*value)?,
        S::TimestampNanosecond(Some(value), None) if value % 1_000 == 0 => timestamp(value / 1_000)?,
        _ => return None,
    })
}

/// A text between quotes, those in it doubled.
pub(in crate::sources) fn string(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A number that may stand behind an operator.
pub(in crate::sources) fn signed(number: &str) -> String {
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
    in_four_digits(moment.year()).then(|| Constant::Timestamp(moment.format("%Y-%m-%d %H:%M:%S%.6f").to_string()))
}

/// Years as all sides write them.
fn in_four_digits(year: i32) -> bool {
    (1..=9999).contains(&year)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn constants_keep_their_values_and_what_has_two_meanings_is_none() {
        let exact = |digits: &str| Constant::Exact(digits.into());
        for (value, found) in [
            (ScalarValue::Int32(Some(-7)), exact("-7")),
            (ScalarValue::UInt64(Some(u64::MAX)), exact("18446744073709551615")),
            (ScalarValue::Decimal128(Some(-5), 6, 2), exact("-0.05")),
            (ScalarValue::Decimal128(Some(12345), 6, 2), exact("123.45")),
            (ScalarValue::Decimal128(Some(12345), 6, 0), exact("12345")),
            (ScalarValue::Float64(Some(1e300)), Constant::Double(1e300)),
            (ScalarValue::Date32(Some(-1)), Constant::Date("1969-12-31".into())),
            (
                ScalarValue::TimestampMicrosecond(Some(-1), None),
                Constant::Timestamp("1969-12-31 23:59:59.999999".into()),
            ),
            (
                ScalarValue::TimestampNanosecond(Some(1_000), None),
                Constant::Timestamp("1970-01-01 00:00:00.000001".into()),
            ),
        ] {
            assert_eq!(constant(&value), Some(found), "{value:?}");
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
            assert_eq!(constant(&none), None, "{none:?}");
        }
        assert_eq!(exact("-0012.345").digits(), Some((2, 3)));
        assert_eq!(exact("7").digits(), Some((1, 0)));
    }
}
