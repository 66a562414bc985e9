//! Values of the model: SQL's comparisons, order and text, written out by hand.

use std::cmp::Ordering;
use std::fmt::Write;

/// Types of published columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Bool,
    Int,
    Big,
    Float,
    Fixed(u8, u8),
    Text,
    Day,
}

/// One value. Whole numbers are of either width.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Flag(bool),
    Whole(i64),
    Real(f64),
    /// Unscaled, and the scale.
    Exact(i128, u8),
    Word(String),
    /// Days since 1970-01-01.
    Date(i32),
    /// Nanoseconds since then.
    Time(i64),
}

pub(super) const NANOS_A_DAY: i64 = 86_400_000_000_000;

impl Value {
    pub(super) fn is_null(&self) -> bool {
        *self == Self::Null
    }

    /// SQL's comparison; none where one is NULL.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        use Value::{Date, Exact, Flag, Null, Real, Time, Whole, Word};
        Some(match (self, other) {
            (Null, _) | (_, Null) => return None,
            (Flag(a), Flag(b)) => a.cmp(b),
            (Whole(a), Whole(b)) => a.cmp(b),
            (Real(a), Real(b)) => a.total_cmp(b),
            (Exact(a, s), Exact(b, t)) => scaled(*a, *s, 19).cmp(&scaled(*b, *t, 19)),
            (Word(a), Word(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Date(a), Date(b)) => a.cmp(b),
            (Time(a), Time(b)) => a.cmp(b),
            (a, b) => panic!("{a:?} and {b:?} are of two types"),
        })
    }

    /// The order of labels: NULL last.
    pub(super) fn label_order(&self, other: &Self) -> Ordering {
        match (self.is_null(), other.is_null()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => self.compare(other).unwrap(),
        }
    }

    /// As a constant of SQL.
    pub(super) fn sql(&self) -> String {
        match self {
            Self::Null => "NULL".into(),
            Self::Flag(value) => value.to_string(),
            Self::Whole(value) => value.to_string(),
            Self::Real(value) => format!("CAST('{value:?}' AS DOUBLE)"),
            Self::Exact(value, scale) => format!("CAST('{}' AS DECIMAL(38, {scale}))", exact(*value, *scale)),
            Self::Word(text) => quoted(text),
            Self::Date(days) => format!("DATE '{}'", date(*days)),
            Self::Time(nanos) => format!("TIMESTAMP '{}'", date(i32::try_from(nanos / NANOS_A_DAY).unwrap())),
        }
    }
}

pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// `value` of a scale under a larger one.
pub(super) fn scaled(value: i128, scale: u8, to: u8) -> i128 {
    value * 10_i128.pow(u32::from(to - scale))
}

fn exact(value: i128, scale: u8) -> String {
    let digits = format!("{:0>width$}", value.abs(), width = usize::from(scale) + 1);
    let (whole, rest) = digits.split_at(digits.len() - usize::from(scale));
    let mut text = if value < 0 { "-".to_owned() } else { String::new() };
    text.push_str(whole);
    if scale > 0 {
        write!(text, ".{rest}").unwrap();
    }
    text
}

/// ISO 8601, by the civil calendar.
pub(super) fn date(days: i32) -> String {
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Year, month and day, counted day by day from the nearest first of January of a 400-year cycle.
pub(super) fn civil(days: i32) -> (i32, u32, u32) {
    const CYCLE: i32 = 146_097;
    let mut year = 1970 + 400 * days.div_euclid(CYCLE);
    let mut left = days.rem_euclid(CYCLE);
    while left >= if leap(year) { 366 } else { 365 } {
        left -= if leap(year) { 366 } else { 365 };
        year += 1;
    }
    let mut month = 1;
    while left >= length(year, month) {
        left -= length(year, month);
        month += 1;
    }
    (year, month, u32::try_from(left).unwrap() + 1)
}

fn leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn length(year: i32, month: u32) -> i32 {
    match month {
        2 if leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
