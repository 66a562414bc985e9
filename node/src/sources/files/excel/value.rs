//! The value of a cell as text.

use calamine::{DataType, ExcelDateTime};

use super::{Cells, Fault, RecordFault, RecordPlace};

/// Digits of a number that a spreadsheet keeps and shows.
const DIGITS: usize = 15;
/// The first count of days that is no day any more: 10000-01-01.
const DAYS_END: f64 = 2_958_466.0;

/// Puts a cell where it belongs; an error that it shows is one here.
pub(super) fn put(
    cells: &mut Cells<'_>,
    (row, column): (u32, u32),
    value: &impl DataType,
    sheet: &str,
) -> Result<(), Fault> {
    if !cells.takes(row) {
        return Ok(());
    }
    if let Some(error) = value.get_error() {
        let place = RecordPlace::Row { sheet: sheet.to_owned(), row: u64::from(row) + 1 };
        let fault = RecordFault::Cell { column: letters(column), error: error.to_string() };
        return Err(Fault::Record { place, fault });
    }
    match text(value) {
        Some(text) if !text.is_empty() => cells.put(row, column, text),
        _ => Ok(()),
    }
}

fn text(value: &impl DataType) -> Option<String> {
    if let Some(text) = value.get_string().or(value.get_datetime_iso()).or(value.get_duration_iso()) {
        return Some(text.to_owned());
    }
    if let Some(time) = value.get_datetime() {
        return Some(self::time(time));
    }
    let whole = value.get_int().map(|number| number.to_string());
    whole.or_else(|| value.get_float().map(number)).or_else(|| value.get_bool().map(|truth| truth.to_string()))
}

/// A number as it is shown: without a point where it is whole, and without what comes of counting in binary.
fn number(number: f64) -> String {
    let shown: f64 = format!("{number:.*e}", DIGITS - 1).parse().unwrap_or(number);
    if shown == 0.0 { "0".into() } else { shown.to_string() }
}

/// A day, a day with a time, a time, or a duration, as ISO 8601 has them.
fn time(time: ExcelDateTime) -> String {
    let value = time.as_f64();
    if time.is_duration() {
        let seconds = (value * 86_400.0).round();
        let (sign, seconds) = (if seconds < 0.0 { "-" } else { "" }, seconds.abs());
        let (hours, rest) = ((seconds / 3600.0).floor(), seconds % 3600.0);
        return format!("{sign}{hours:02}:{:02}:{:02}", (rest / 60.0).floor(), rest % 60.0);
    }
    if !(0.0..DAYS_END).contains(&value) {
        return number(value);
    }
    let (year, month, day, hour, minute, second, milli) = time.to_ymd_hms_milli();
    let date = format!("{year:04}-{month:02}-{day:02}");
    let milli = if milli == 0 { String::new() } else { format!(".{milli:03}") };
    let clock = format!("{hour:02}:{minute:02}:{second:02}{milli}");
    match (value < 1.0, hour == 0 && minute == 0 && second == 0 && milli.is_empty()) {
        (true, _) => clock,
        (false, true) => date,
        (false, false) => format!("{date}T{clock}"),
    }
}

/// A column's letters.
fn letters(column: u32) -> String {
    let (mut rest, mut letters) = (u64::from(column) + 1, Vec::new());
    while rest > 0 {
        let letter = u8::try_from((rest - 1) % 26).unwrap_or_default();
        letters.push(char::from(b'A' + letter));
        rest = (rest - 1) / 26;
    }
    letters.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use calamine::{Data, ExcelDateTimeType};

    use super::*;

    #[test]
    fn values_have_one_form() {
        for (value, expected) in [
            (Data::Int(7), "7"),
            (Data::Float(7.0), "7"),
            (Data::Float(-0.0), "0"),
            (Data::Float(170.850_000_000_000_02), "170.85"),
            (Data::Float(0.1 + 0.2), "0.3"),
            (Data::Float(1.0e21), "1000000000000000000000"),
            (Data::Float(-1234.5), "-1234.5"),
            (Data::Bool(true), "true"),
            (Data::String(" a ".into()), " a "),
        ] {
            assert_eq!(text(&value).as_deref(), Some(expected), "{value:?}");
        }
        assert_eq!(text(&Data::Empty), None);
    }

    #[test]
    fn times_are_written_as_iso_8601_has_them() {
        use ExcelDateTimeType::{DateTime, TimeDelta};
        for (value, kind, from_1904, expected) in [
            (45657.0, DateTime, false, "2024-12-31"),
            (45657.5, DateTime, false, "2024-12-31T12:00:00"),
            (0.75, DateTime, false, "18:00:00"),
            (44195.0, DateTime, true, "2024-12-31"),
            (1.5, TimeDelta, false, "36:00:00"),
            (-0.25, TimeDelta, false, "-06:00:00"),
            (-3.0, DateTime, false, "-3"),
            (3_000_000.0, DateTime, false, "3000000"),
        ] {
            assert_eq!(time(ExcelDateTime::new(value, kind, from_1904)), expected);
        }
    }

    #[test]
    fn columns_have_letters() {
        for (column, expected) in [(0, "A"), (25, "Z"), (26, "AA"), (16_383, "XFD")] {
            assert_eq!(letters(column), expected);
        }
    }
}
