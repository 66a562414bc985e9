//! Which types hold all values of others.

use arrow::datatypes::DataType;

/// Whether a cast takes each value of `from` to one of `to` that no other value is taken to.
pub(crate) fn widens(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (from, to) if from == to => true,
        (DataType::Decimal128(precision, scale), DataType::Decimal128(wider, finer)) => {
            let whole = |precision: u8, scale: i8| i16::from(precision) - i16::from(scale);
            finer >= scale && whole(*wider, *finer) >= whole(*precision, *scale)
        }
        (from, DataType::Decimal128(precision, scale)) if from.is_signed_integer() => {
            // An INTEGER has ten digits, a BIGINT nineteen.
            let digits = if matches!(from, DataType::Int64) { 19 } else { 10 };
            *scale >= 0 && i16::from(*precision) - i16::from(*scale) >= digits
        }
        (from, to) => {
            from.is_signed_integer() && to.is_signed_integer() && from.primitive_width() < to.primitive_width()
        }
    }
}
