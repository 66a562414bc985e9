//! Casts: which have a value for every value, and what stands for the others.

use arrow::datatypes::DataType;

/// What stands for a cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cast {
    /// The cast: it never fails.
    Plain,
    /// TRY_CAST, which gives NULL for a value that has none.
    Try,
    /// The wrapper around TRY_CAST, which by itself may fail.
    Wrapped,
}

/// What stands for a cast from one type to another.
pub(super) fn cast(from: &DataType, to: &DataType) -> Cast {
    if never_fails(from, to) {
        Cast::Plain
    } else if is_plain(from) && is_plain(to) {
        Cast::Try
    } else {
        Cast::Wrapped
    }
}

/// Types between which TRY_CAST gives NULL and never an error.
fn is_plain(data_type: &DataType) -> bool {
    use DataType::{
        Boolean, Float32, Float64, Int8, Int16, Int32, Int64, LargeUtf8, UInt8, UInt16, UInt32, UInt64, Utf8, Utf8View,
    };
    matches!(
        data_type,
        Boolean
            | Int8
            | Int16
            | Int32
            | Int64
            | UInt8
            | UInt16
            | UInt32
            | UInt64
            | Float32
            | Float64
            | Utf8
            | LargeUtf8
            | Utf8View
    )
}

/// Whether a cast has a value for every value.
pub(crate) fn never_fails(from: &DataType, to: &DataType) -> bool {
    use DataType::{
        Boolean, Date32, Decimal128, Float32, Float64, Int8, Int16, Int32, Int64, LargeUtf8, Null, UInt8, UInt16,
        UInt32, UInt64, Utf8, Utf8View,
    };
    match (from, to) {
        (from, to) if from == to => true,
        (Null, _) => true,
        (
            Boolean | Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 | Float32 | Float64,
            Utf8 | LargeUtf8 | Utf8View,
        ) => true,
        (Utf8 | LargeUtf8 | Utf8View, Utf8 | Utf8View) => true,
        (Date32 | Decimal128(..), Utf8) => true,
        (Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 | Float32, Float64) => true,
        (Int8 | UInt8, Int16 | Int32 | Int64) | (Int16 | UInt16, Int32 | Int64) | (Int32 | UInt32, Int64) => true,
        (Decimal128(..), Float64) => true,
        (Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64, Decimal128(p, s)) => {
            i16::from(*p) - i16::from(*s) >= digits(from)
        }
        (Decimal128(p, s), Decimal128(q, t)) => {
            t >= s && i16::from(*q) - i16::from(*t) >= i16::from(*p) - i16::from(*s)
        }
        _ => false,
    }
}

/// Digits of an integer type's largest value.
fn digits(integer: &DataType) -> i16 {
    match integer {
        DataType::Int8 | DataType::UInt8 => 3,
        DataType::Int16 | DataType::UInt16 => 5,
        DataType::Int32 | DataType::UInt32 => 10,
        DataType::UInt64 => 20,
        _ => 19,
    }
}
