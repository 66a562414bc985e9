//! Reads a perturbation table in the form of the Office for National Statistics.

use std::{io::Read, str::FromStr};

use csv::{ReaderBuilder, StringRecord, Terminator, Trim};

use super::{
    TableError,
    counts::{Keys, ROWS},
};

/// Column names of the form, in their order.
const HEADER: [&str; 3] = ["pcv", "ckey", "pvalue"];

/// Rows 0 to [`ROWS`] of the file, row 0 without noise.
pub(super) fn rows(csv: impl Read) -> Result<Vec<Keys>, TableError> {
    // Short and long records are read too, so that they are refused here, with their line. Carriage returns count as blanks: `csv` does
    // not count lines that end in both.
    let mut form = ReaderBuilder::new();
    form.flexible(true).terminator(Terminator::Any(b'\n')).trim(Trim::All);
    let mut reader = form.from_reader(csv);
    if reader.headers().map_err(|error| unreadable(&error))?.iter().ne(HEADER) {
        return Err(wrong(1, format!("the columns are not {}, in this order", HEADER.join(", "))));
    }
    let mut rows: Vec<[Option<i16>; 256]> = (0..=ROWS).map(|_| [None; 256]).collect();
    for record in reader.records() {
        let record = record.map_err(|error| unreadable(&error))?;
        let line = record.position().map_or(0, csv::Position::line);
        let (units, key, noise) = fields(&record).map_err(|problem| wrong(line, problem))?;
        let place = rows.get_mut(units).and_then(|row| row.get_mut(usize::from(key)));
        if place.is_none_or(|place| place.replace(noise).is_some()) {
            return Err(wrong(line, "this pcv and ckey were there before; give every pair once"));
        }
    }
    if rows.iter().flatten().all(|noise| noise.unwrap_or_default() == 0) {
        return Err(wrong(1, "no pvalue in the file differs from 0; a table without noise protects nothing"));
    }
    Ok(rows.into_iter().map(|row| row.map(Option::unwrap_or_default)).collect())
}

/// Row, key and noise of one record.
fn fields(record: &StringRecord) -> Result<(usize, u8, i16), &'static str> {
    let mut fields = record.iter();
    let (Some(pcv), Some(key), Some(noise), None) = (fields.next(), fields.next(), fields.next(), fields.next()) else {
        return Err("there are not 3 fields");
    };
    let in_table = |units: &usize| u64::try_from(*units).is_ok_and(|units| (1..=ROWS).contains(&units));
    let units = parsed(pcv).filter(in_table).ok_or("pcv is not a whole number from 1 to 750")?;
    let key = parsed(key).ok_or("ckey is not a whole number from 0 to 255")?;
    let noise: i16 = parsed(noise).ok_or("pvalue is not a whole number from -32768 to 32767")?;
    if noise < 0 && usize::from(noise.unsigned_abs()) > units {
        return Err("pvalue would make the count less than 0");
    }
    Ok((units, key, noise))
}

fn parsed<T: FromStr>(field: &str) -> Option<T> {
    field.parse().ok()
}

fn unreadable(error: &csv::Error) -> TableError {
    let problem = match error.kind() {
        csv::ErrorKind::Io(error) => format!("reading stopped: {error}"),
        csv::ErrorKind::Utf8 { .. } => "the text is not UTF-8".to_owned(),
        _ => "this is not a record of comma-separated values".to_owned(),
    };
    wrong(error.position().map_or(1, csv::Position::line), problem)
}

fn wrong(line: u64, problem: impl Into<String>) -> TableError {
    TableError::File { line, problem: problem.into() }
}
