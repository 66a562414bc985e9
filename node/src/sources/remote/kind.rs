//! The types in which values come from another engine: those that Arrow has and a dataset can publish.

use arrow::datatypes::{DataType, TimeUnit};

/// A type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::sources) enum Kind {
    Boolean,
    Integer,
    Bigint,
    Double,
    Decimal(u8, i8),
    Date,
    Timestamp,
    /// With a time zone there; here in UTC.
    Timestamptz,
    Text,
    Bytes,
}

/// Types that compare with each other, and not with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sources) enum Class {
    Boolean,
    /// Whole numbers and decimals, which are compared exactly on both sides.
    Exact,
    Double,
    Text,
    Date,
    /// With or without a time zone, as the other side of a comparison is.
    Timestamp,
    Bytes,
}

impl Kind {
    /// The type in Arrow.
    pub(in crate::sources) fn arrow(self) -> DataType {
        match self {
            Self::Boolean => DataType::Boolean,
            Self::Integer => DataType::Int32,
            Self::Bigint => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Decimal(precision, scale) => DataType::Decimal128(precision, scale),
            Self::Date => DataType::Date32,
            Self::Timestamp | Self::Timestamptz => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Text => DataType::Utf8,
            Self::Bytes => DataType::Binary,
        }
    }

    /// What it compares with.
    pub(super) fn class(self) -> Class {
        match self {
            Self::Boolean => Class::Boolean,
            Self::Integer | Self::Bigint | Self::Decimal(..) => Class::Exact,
            Self::Double => Class::Double,
            Self::Text => Class::Text,
            Self::Date => Class::Date,
            Self::Timestamp | Self::Timestamptz => Class::Timestamp,
            Self::Bytes => Class::Bytes,
        }
    }

    /// Whether values of two kinds are equal there where they are here.
    pub(super) fn compares_with(self, other: Self) -> bool {
        match self.class() {
            Class::Double | Class::Bytes => false,
            Class::Timestamp => self == other,
            same => same == other.class(),
        }
    }

    /// Whether both are whole numbers, or have the same digits: neither has to be made another decimal to be compared.
    pub(super) fn has_digits_of(self, other: Self) -> bool {
        self == other || !matches!(self, Self::Decimal(..)) && !matches!(other, Self::Decimal(..))
    }

    /// Whether a cast keeps every value and can't fail, so that what is compared is the same without it.
    pub(super) fn is_kept_as(self, to: &DataType) -> bool {
        let (digits, scale) = match self {
            Self::Integer => (10, 0),
            Self::Bigint => (19, 0),
            Self::Decimal(precision, scale) => (i16::from(precision) - i16::from(scale), scale),
            Self::Boolean
            | Self::Double
            | Self::Date
            | Self::Timestamp
            | Self::Timestamptz
            | Self::Text
            | Self::Bytes => return self.arrow() == *to,
        };
        match to {
            DataType::Decimal128(wide, wider) => *wider >= scale && i16::from(*wide) - i16::from(*wider) >= digits,
            DataType::Int64 => matches!(self, Self::Integer | Self::Bigint),
            DataType::Int32 => self == Self::Integer,
            _ => false,
        }
    }
}
