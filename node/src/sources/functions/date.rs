//! Days as they are written in the United Kingdom, by spreadsheets, and by ISO 8601.

use chrono::{Datelike, NaiveDate, NaiveTime};

use super::NoValue;
use crate::sources::clean::clean;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const TIMES: [&str; 6] = ["%H:%M", "%H:%M:%S", "%H:%M:%S%.f", "%I:%M %p", "%I:%M:%S %p", "%H:%M:%S%.fZ"];
/// The last year that two digits mean, in this century: as Excel reads them.
const LAST_OF_TWO: i32 = 29;
/// Digits of Excel's count of days that are taken for such: 1927 to 2173. Fewer may be a year, more a day without
/// separators.
const SERIAL_DIGITS: usize = 5;
/// The day from which Excel counts, as its count has been right since March 1900.
const SERIAL_START: (i32, u32, u32) = (1899, 12, 30);

/// A day, counted from 1970-01-01; `None` for an empty text.
///
/// The day stands before the month (`31/12/2024`, `31-Dec-24`, `1st January 2024`), unless the year stands first
/// (`2024-12-31`, `20241231`). Two digits of a year are 1930 to 2029. Five digits are a spreadsheet's count of days. A time
/// behind it is left out.
pub(super) fn day(text: &str) -> Result<Option<i32>, NoValue> {
    let Some(text) = clean(text) else { return Ok(None) };
    let date = written(without_time(&text)?).ok_or(NoValue)?;
    // Four digits of a year: what has fewer is a slip.
    if !(1000..=9999).contains(&date.year()) {
        return Err(NoValue);
    }
    let epoch = NaiveDate::default();
    i32::try_from(date.signed_duration_since(epoch).num_days()).map(Some).map_err(|_| NoValue)
}

/// What stands before a time.
fn without_time(text: &str) -> Result<&str, NoValue> {
    let Some(colon) = text.find(':') else { return Ok(text) };
    let start = text.get(..colon).and_then(|before| before.rfind([' ', 'T', 't'])).ok_or(NoValue)?;
    let (date, time) = text.split_at_checked(start).ok_or(NoValue)?;
    let time = time.trim_start_matches([' ', 'T', 't']);
    let is_time = TIMES.iter().any(|format| NaiveTime::parse_from_str(time, format).is_ok());
    if is_time { Ok(date.trim_end()) } else { Err(NoValue) }
}

fn written(text: &str) -> Option<NaiveDate> {
    if let Some(date) = serial(text) {
        return Some(date);
    }
    let mut separators = text.chars().filter(|c| matches!(c, '/' | '-' | '.' | ','));
    let first = separators.next();
    if separators.any(|other| Some(other) != first) {
        return None;
    }
    let parts: Vec<&str> = text.split(['/', '-', '.', ',', ' ']).filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [all] if is_number(all, 8..=8) => NaiveDate::parse_from_str(all, "%Y%m%d").ok(),
        [year, month, day] if is_number(year, 4..=4) => {
            NaiveDate::from_ymd_opt(year.parse().ok()?, self::month(month)?, day_of_month(day)?)
        }
        [day, month, year] => NaiveDate::from_ymd_opt(self::year(year)?, self::month(month)?, day_of_month(day)?),
        _ => None,
    }
}

/// A spreadsheet's count of days, whole or with a time as its fraction.
fn serial(text: &str) -> Option<NaiveDate> {
    let (days, time) = text.split_once('.').unwrap_or((text, "0"));
    if !is_number(days, SERIAL_DIGITS..=SERIAL_DIGITS) || !is_number(time, 1..=20) {
        return None;
    }
    let (year, month, day) = SERIAL_START;
    let days = chrono::Days::new(days.parse().ok()?);
    NaiveDate::from_ymd_opt(year, month, day)?.checked_add_days(days)
}

fn is_number(text: &str, digits: std::ops::RangeInclusive<usize>) -> bool {
    digits.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn year(text: &str) -> Option<i32> {
    let year: i32 = text.parse().ok()?;
    match text.len() {
        4 if is_number(text, 4..=4) => Some(year),
        2 if is_number(text, 2..=2) => Some(if year <= LAST_OF_TWO { 2000 + year } else { 1900 + year }),
        _ => None,
    }
}

fn month(text: &str) -> Option<u32> {
    if is_number(text, 1..=2) {
        return text.parse().ok();
    }
    let name = text.to_ascii_lowercase();
    let is = |month: &&str| {
        name == **month || name.len() == 3 && month.starts_with(&name) || name == "sept" && month.starts_with("sept")
    };
    let index = MONTHS.iter().position(|month| is(month))?;
    u32::try_from(index + 1).ok()
}

fn day_of_month(text: &str) -> Option<u32> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let ending = text.strip_prefix(digits)?.to_ascii_lowercase();
    let ordinal = matches!(ending.as_str(), "" | "st" | "nd" | "rd" | "th");
    if ordinal && is_number(digits, 1..=2) { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        let days = day(text).ok()??;
        let date = NaiveDate::default().checked_add_signed(chrono::Duration::days(days.into()))?;
        Some(date.to_string())
    }

    #[test]
    fn days_as_they_are_written() {
        for (text, expected) in [
            ("31/12/2024", "2024-12-31"),
            ("1/2/2024", "2024-02-01"),
            ("31-Dec-24", "2024-12-31"),
            ("31 December 2024", "2024-12-31"),
            ("1st January, 2024", "2024-01-01"),
            ("22nd sept 2024", "2024-09-22"),
            ("01 Jan 2009", "2009-01-01"),
            ("31.12.2024", "2024-12-31"),
            ("2024-12-31", "2024-12-31"),
            ("2024/12/31", "2024-12-31"),
            ("20241231", "2024-12-31"),
            ("45657", "2024-12-31"),
            ("45657.75", "2024-12-31"),
            ("10000", "1927-05-18"),
            ("31/12/29", "2029-12-31"),
            ("31/12/30", "1930-12-31"),
            ("29/02/2024", "2024-02-29"),
            ("31/12/2024 00:00", "2024-12-31"),
            ("31/12/2024 23:59:59", "2024-12-31"),
            ("31 December 2024 11:30 PM", "2024-12-31"),
            ("2024-12-31T10:11:12.5", "2024-12-31"),
            ("2024-12-31T10:11:12Z", "2024-12-31"),
            (" 31/12/2024\u{a0}", "2024-12-31"),
        ] {
            assert_eq!(shown(text).as_deref(), Some(expected), "{text:?}");
        }
    }

    #[test]
    fn what_is_no_day_is_none() {
        for text in [
            "12/31/2024",
            "31/12",
            "2024",
            "311224",
            "30/02/2024",
            "29/02/2023",
            "31/12-2024",
            "32/1/2024",
            "1/13/2024",
            "0/1/2024",
            "31/12/124",
            "31/12/0024",
            "junk",
            "Dec 2024",
            "31 Dex 2024",
            "4565",
            "456577",
            "31/12/2024 25:00",
            "12:30",
            "n/a",
            "1x/2/2024",
            "-45657",
            "31/12/2024/1",
            "٣١/12/2024",
        ] {
            assert_eq!(day(text), Err(NoValue), "{text:?}");
        }
        assert_eq!((day(""), day(" \u{feff}")), (Ok(None), Ok(None)));
        assert_eq!(day(&"1/".repeat(50_000)), Err(NoValue));
    }
}
