//! Casts of columns that always have an answer.

use arrow::datatypes::{DataType, TimeUnit};

/// How a cast treats the values of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CastKind {
    /// Each value has one of its own, or NULL where the other type ends (a date in the year 300000).
    Lossless,
    /// Several values have the same: a time becomes its date.
    Coarser,
    /// It can fail, or it makes of a value what nobody declared.
    Refused,
}

/// What becomes of values that are cast. Every cast that is admitted is run so that it gives NULL in place of an error.
pub(super) fn cast_kind(from: &DataType, to: &DataType) -> CastKind {
    use DataType::{
        Boolean, Date32, Decimal128, Float32, Float64, Int8, Int16, Int32, Int64, LargeUtf8, Timestamp, Utf8, Utf8View,
    };
    let lossless = match (from, to) {
        (Boolean, Boolean) | (Date32, Date32) => true,
        (Utf8 | LargeUtf8 | Utf8View, Utf8 | LargeUtf8 | Utf8View) => true,
        (Int8, Int8 | Int16 | Int32 | Int64 | Float32 | Float64) => true,
        (Int16, Int16 | Int32 | Int64 | Float32 | Float64) => true,
        (Int32, Int32 | Int64 | Float64) => true,
        // Beyond 2^53 neighbours meet; arithmetic in Float64 is what AVG does anyway.
        (Int64, Int64 | Float64) => true,
        (Float32, Float32 | Float64) | (Float64, Float64) | (Decimal128(..), Float64) => true,
        (Int8 | Int16 | Int32 | Int64, Decimal128(precision, scale)) => {
            whole_digits(*precision, *scale) >= digits(from)
        }
        (Decimal128(p1, s1), Decimal128(p2, s2)) => s2 >= s1 && whole_digits(*p2, *s2) >= whole_digits(*p1, *s1),
        (Date32, Timestamp(_, None)) => true,
        (Timestamp(from, None), Timestamp(to, None)) => finer(to) >= finer(from),
        _ => false,
    };
    let coarser = matches!((from, to), (Timestamp(_, None), Date32 | Timestamp(_, None)));
    match (lossless, coarser) {
        (true, _) => CastKind::Lossless,
        (false, true) => CastKind::Coarser,
        (false, false) => CastKind::Refused,
    }
}

fn whole_digits(precision: u8, scale: i8) -> i16 {
    i16::from(precision) - i16::from(scale)
}

fn digits(integer: &DataType) -> i16 {
    match integer {
        DataType::Int8 => 3,
        DataType::Int16 => 5,
        DataType::Int32 => 10,
        _ => 19,
    }
}

fn finer(unit: &TimeUnit) -> u8 {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 1,
        TimeUnit::Microsecond => 2,
        TimeUnit::Nanosecond => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DataType::{Date32, Decimal128, Float64, Int32, Int64, Utf8, Utf8View};

    #[test]
    fn only_casts_that_lose_nothing_are_lossless() {
        let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
        let nanos = DataType::Timestamp(TimeUnit::Nanosecond, None);
        let table = [
            (Int32, Int64, CastKind::Lossless),
            (Int64, Int32, CastKind::Refused),
            (Int32, Decimal128(12, 2), CastKind::Lossless),
            (Int32, Decimal128(11, 2), CastKind::Refused),
            (Int64, Decimal128(20, 0), CastKind::Lossless),
            (Decimal128(10, 2), Decimal128(12, 4), CastKind::Lossless),
            (Decimal128(10, 2), Decimal128(12, 1), CastKind::Refused),
            (Utf8, Utf8View, CastKind::Lossless),
            (Utf8, Int64, CastKind::Refused),
            (Int64, Utf8, CastKind::Refused),
            (Float64, Int64, CastKind::Refused),
            (Date32, nanos.clone(), CastKind::Lossless),
            (micros.clone(), nanos.clone(), CastKind::Lossless),
            (nanos, micros.clone(), CastKind::Coarser),
            (micros, Date32, CastKind::Coarser),
        ];
        for (from, to, expected) in table {
            assert_eq!(cast_kind(&from, &to), expected, "{from} to {to}");
        }
    }
}
