//! A file as people write it: where its heading is, and which of its rows are no records.

use std::path::{Path, PathBuf};

use super::values;
use crate::sources::{self, Records, Unread};

/// Rows that are looked at, at most.
const MOST_ROWS: usize = 50_000;
/// Rows among which the heading is.
const HEADING_WITHIN: usize = 20;
/// Delimiters that are tried where none is said.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// A file's columns as text, its heading, and what stands between its rows.
#[derive(Debug)]
pub struct Sheet {
    /// The file.
    pub(super) path: PathBuf,
    /// One byte between fields.
    pub(super) delimiter: u8,
    /// The columns, in the file's order.
    pub(super) columns: Vec<SheetColumn>,
    /// Where the headings are.
    pub(super) heading: Heading,
    /// What is no record among the rows below.
    pub(super) left_out: LeftOut,
}

/// A column of the file.
#[derive(Debug)]
pub(super) struct SheetColumn {
    /// What a mapping calls it.
    pub(super) name: String,
    /// Its heading, without blanks around it; empty if it has none.
    pub(super) heading: String,
    /// Its cells in the rows that are records; an empty one is `None`.
    pub(super) cells: Vec<Option<String>>,
    /// Whether a word such as "Grand Total" stands in it.
    pub(super) has_total: bool,
}

/// Where the headings are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heading {
    /// In the first row, as a source has it.
    First,
    /// In a later row, or where two columns share a name: the source is read without.
    Below,
    /// Nowhere.
    Absent,
}

/// What is no record among a file's rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// Rows above the heading, the heading itself where it is not the first row, and rows without any cell.
    pub(super) others: usize,
    /// Rows that total those above.
    pub(super) totals: usize,
}

impl Sheet {
    /// Looks at a file of records. Where no delimiter is said it is the one that makes the most columns.
    pub fn open(path: &Path, delimiter: Option<u8>) -> Result<Self, Unread> {
        let delimiter = delimiter.unwrap_or_else(|| {
            let columns = |delimiter: &u8| {
                let found = sources::records(path, *delimiter, HEADING_WITHIN).ok();
                (found.map_or(0, |found| found.columns), usize::from(*delimiter == b','))
            };
            DELIMITERS.into_iter().max_by_key(columns).unwrap_or(b',')
        });
        Ok(Self::of(path, delimiter, sources::records(path, delimiter, MOST_ROWS)?))
    }

    fn of(path: &Path, delimiter: u8, records: Records) -> Self {
        let Records { rows, columns, names } = records;
        let (at, named) = match heading(&rows) {
            Some(at) => (at + 1, rows.get(at).cloned().unwrap_or_default()),
            None => (0, Vec::new()),
        };
        let headings: Vec<String> = (0..columns).map(|column| cell(&named, column).unwrap_or_default()).collect();
        let heading = match at {
            0 => Heading::Absent,
            1 if names.is_some() => Heading::First,
            _ => Heading::Below,
        };
        let mut left_out = LeftOut { others: if heading == Heading::Below { at } else { 0 }, totals: 0 };
        let (mut cells, mut totals) = (vec![Vec::new(); columns], vec![false; columns]);
        for row in rows.into_iter().skip(at) {
            if row.iter().all(|text| text.as_deref().is_none_or(|text| text.trim().is_empty())) {
                left_out.others += 1;
            } else if row.iter().flatten().any(|text| values::is_total(text)) {
                left_out.totals += 1;
                for (has_total, text) in totals.iter_mut().zip(row) {
                    *has_total |= text.is_some_and(|text| values::is_total(&text));
                }
            } else {
                for (column, text) in cells.iter_mut().zip(row) {
                    column.push(text.filter(|text| !text.trim().is_empty()));
                }
            }
        }
        let named = |(index, ((cells, said), has_total)): (usize, ((Vec<_>, String), bool))| SheetColumn {
            name: names
                .as_ref()
                .filter(|_| heading == Heading::First)
                .and_then(|names| names.get(index).cloned())
                .unwrap_or_else(|| format!("column_{}", index + 1)),
            heading: said.trim().to_owned(),
            cells,
            has_total,
        };
        let columns = cells.into_iter().zip(headings).zip(totals).enumerate().map(named).collect();
        Self { path: path.to_path_buf(), delimiter, columns, heading, left_out }
    }

    /// How many records were looked at.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.cells.len())
    }
}

fn cell(row: &[Option<String>], column: usize) -> Option<String> {
    row.get(column).cloned().flatten()
}

/// The row with the headings: of those above the first that holds a number or a day, the first that names the most columns.
fn heading(rows: &[Vec<Option<String>>]) -> Option<usize> {
    let says = |row: &[Option<String>]| row.iter().flatten().filter(|text| !text.trim().is_empty()).count();
    let is_record = |row: &[Option<String>]| row.iter().flatten().any(|text| values::is_figure(text));
    let above = rows.iter().take(HEADING_WITHIN).take_while(|row| !is_record(row));
    let named = above.enumerate().filter(|(_, row)| says(row) > 0);
    named.max_by_key(|(at, row)| (says(row), std::cmp::Reverse(*at))).map(|(at, _)| at)
}
