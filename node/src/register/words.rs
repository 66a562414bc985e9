//! The words of a register that came from elsewhere: each type can only be made of a text that is what it says.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, NaiveDate};
use serde::{Deserialize, Serialize};

use crate::printable;

/// The longest text, in characters.
const LONGEST: usize = 20_000;

/// Why a word is none.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is no {what}")]
pub struct NoWord {
    what: &'static str,
    text: String,
}

fn no(what: &'static str, text: &str) -> NoWord {
    NoWord { what, text: text.chars().take(60).collect() }
}

/// A day, as `2026-01-31`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Hash)]
#[serde(try_from = "String", into = "String")]
pub struct Day(pub NaiveDate);

impl Day {
    /// As a person reads it: `31 January 2026`.
    pub fn told(self) -> String {
        self.0.format("%-d %B %Y").to_string()
    }
}

impl FromStr for Day {
    type Err = NoWord;

    fn from_str(text: &str) -> Result<Self, NoWord> {
        // It also reads days in other forms, such as with one digit.
        let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(Self);
        day.filter(|day| day.to_string() == text).ok_or_else(|| no("day", text))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A month, as `2026-01`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, Hash)]
#[serde(try_from = "String", into = "String")]
pub struct MonthName(Day);

impl MonthName {
    /// The month of a day.
    pub fn of(day: NaiveDate) -> Self {
        Self(Day(day.with_day(1).unwrap_or(day)))
    }

    /// The one before.
    pub fn before(self) -> Self {
        Self::of(self.0.0.pred_opt().unwrap_or(self.0.0))
    }

    /// As a person reads it: `January 2026`.
    pub fn told(self) -> String {
        self.0.0.format("%B %Y").to_string()
    }
}

impl FromStr for MonthName {
    type Err = NoWord;

    fn from_str(text: &str) -> Result<Self, NoWord> {
        format!("{text}-01").parse().map(Self).map_err(|_| no("month", text))
    }
}

impl fmt::Display for MonthName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.0.format("%Y-%m").fmt(f)
    }
}

/// An identifier: lower-case letters, digits, hyphens and underscores, 63 at most. It stands in addresses and names of files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(String);

impl Id {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Id {
    type Err = NoWord;

    fn from_str(text: &str) -> Result<Self, NoWord> {
        let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        if text.is_empty() || text.len() > 63 || !text.bytes().all(inside) {
            return Err(no("identifier", text));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What somebody wrote for people: of bounded length, without marks that act on a terminal or turn the reading direction.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Text(String);

impl Text {
    /// Of one's own file: what does not belong into a text is left out.
    pub fn of(text: &str) -> Self {
        Self(text.chars().filter(|c| !is_unsafe(*c)).take(LONGEST).collect())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromStr for Text {
    type Err = NoWord;

    fn from_str(text: &str) -> Result<Self, NoWord> {
        if text.chars().any(is_unsafe) || text.chars().count() > LONGEST {
            return Err(no("text of bounded length without control characters", text));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_unsafe(c: char) -> bool {
    c != '\n' && printable::is_unsafe(c)
}

macro_rules! as_string {
    ($($word:ty),*) => {$(
        impl TryFrom<String> for $word {
            type Error = NoWord;

            fn try_from(text: String) -> Result<Self, NoWord> {
                text.parse()
            }
        }

        impl From<$word> for String {
            fn from(word: $word) -> Self {
                word.to_string()
            }
        }
    )*};
}

as_string!(Day, MonthName, Id, Text);

/// A number with its thousands apart: `12,345`.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut told = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            told.push(',');
        }
        told.push(digit);
    }
    told
}

/// So many of something: `1 body`, `2 bodies`.
pub(crate) fn many(count: u64, one: &str, more: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { more })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn words_are_what_they_say() {
        assert_eq!("2026-02-28".parse::<Day>().unwrap().told(), "28 February 2026");
        let month: MonthName = "2026-01".parse().unwrap();
        assert_eq!((month.told(), month.before().to_string()), ("January 2026".into(), "2025-12".into()));
        for bad in ["2026-02-30", "2026-2", "../../x", ""] {
            assert!(bad.parse::<Day>().is_err() && bad.parse::<MonthName>().is_err(), "{bad}");
        }
        assert!("fire-risk_2026".parse::<Id>().is_ok());
        for bad in ["", "A", "a/b", "..", "a b", "\u{1b}"] {
            assert!(bad.parse::<Id>().is_err(), "{bad:?}");
        }
        assert!("two\nlines".parse::<Text>().is_ok());
        for bad in ["\u{1b}[2J", "\u{202e}evil", &"x".repeat(LONGEST + 1)] {
            assert!(bad.parse::<Text>().is_err());
            assert!(Text::of(bad).as_str().parse::<Text>().is_ok());
        }
    }

    #[test]
    fn numbers_are_read_by_people() {
        assert_eq!([0, 999, 1_000, 12_345_678].map(number), ["0", "999", "1,000", "12,345,678"]);
        assert_eq!((many(1, "body", "bodies"), many(0, "body", "bodies")), ("1 body".into(), "0 bodies".into()));
    }
}
