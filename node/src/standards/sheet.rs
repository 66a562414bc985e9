//! A file as people write it: where its heading is, and which of its rows are no records.

use std::path::{Path, PathBuf};

use super::values;
use crate::sources::{self, Records, SourceKind, Tidy, Unread};

/// Rows that are looked at, at most.
const MOST_ROWS: usize = 50_000;
/// Rows among which the heading is.
const HEADING_WITHIN: usize = 20;

/// A file's columns as text, its heading, and what stands between its rows.
#[derive(Debug)]
pub struct Sheet {
    /// The file.
    pub(super) path: PathBuf,
    /// How a source reads it: below the heading, cells trimmed, without rows that are none.
    pub(super) kind: SourceKind,
    /// The columns, in the file's order.
    pub(super) columns: Vec<SheetColumn>,
    /// Whether some rows total those above.
    pub(super) has_totals: bool,
    /// Whether some rows are but a remark in one of three columns or more.
    pub(super) has_remarks: bool,
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

impl Sheet {
    /// Looks at a file of records, or a folder of such, as the readers of sources have it. Where no delimiter is said it is
    /// the one that makes the most columns; a workbook of several sheets needs one to be said.
    pub fn open(path: &Path, delimiter: Option<u8>, sheet: Option<&str>) -> Result<Self, Unread> {
        let mut kind = sources::layout(path, delimiter, sheet)?;
        let records = sources::records(path, &mut kind, MOST_ROWS)?;
        if matches!(kind, SourceKind::JsonLines | SourceKind::GeoJson) {
            let (headings, names) = (records.names.clone(), records.names.clone());
            return Ok(Self::of(path, kind, headings, names, records.rows));
        }
        let Records { rows, lines, names } = records;
        let heading = heading(&rows).and_then(|at| Some((rows.get(at)?, *lines.get(at)?)));
        let Some((cells, line)) = heading else {
            return Ok(Self::of(path, kind, vec![String::new(); names.len()], names, rows));
        };
        let headings = (0..names.len()).map(|column| cell(cells, column).unwrap_or_default()).collect();
        let (mut kind, named) = sources::below(path, &kind, line, cells);
        // As the source is going to have them: each file of a folder has its heading.
        let rows = sources::records(path, &mut kind, MOST_ROWS)?.rows;
        Ok(Self::of(path, kind, headings, named.unwrap_or(names), rows))
    }

    fn of(
        path: &Path,
        kind: SourceKind,
        headings: Vec<String>,
        names: Vec<String>,
        rows: Vec<Vec<Option<String>>>,
    ) -> Self {
        let mut tidy = Tidy { trim: true, ..Tidy::default() };
        let (mut has_totals, mut has_remarks) = (false, false);
        let is_headed = matches!(&kind, SourceKind::Csv(csv) if csv.header)
            || matches!(&kind, SourceKind::Excel(excel) if excel.header);
        let mut columns: Vec<SheetColumn> = names
            .into_iter()
            .zip(headings)
            .map(|(name, heading)| SheetColumn {
                name,
                heading: heading.trim().to_owned(),
                cells: Vec::new(),
                has_total: false,
            })
            .collect();
        for row in rows {
            let row: Vec<Option<String>> = row.into_iter().map(|text| cleaned(text.as_deref())).collect();
            if row.iter().all(Option::is_none) {
                tidy.blank_rows = true;
            } else if is_headed && repeats(&columns, &row) {
                tidy.repeated_headings = true;
            } else if row.iter().flatten().any(|text| values::is_total(text)) {
                has_totals = true;
                for (column, text) in columns.iter_mut().zip(row) {
                    column.has_total |= text.is_some_and(|text| values::is_total(&text));
                }
            } else if row.len() > 2 && row.iter().flatten().count() == 1 {
                has_remarks = true;
            } else {
                for (column, text) in columns.iter_mut().zip(row) {
                    column.cells.push(text);
                }
            }
        }
        Self { path: path.to_path_buf(), kind: sources::tidied(kind, tidy), columns, has_totals, has_remarks }
    }

    /// How many records were looked at.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.cells.len())
    }
}

fn cleaned(text: Option<&str>) -> Option<String> {
    text.and_then(sources::clean).map(|text| text.into_owned())
}

/// Whether a row is the heading once more.
fn repeats(columns: &[SheetColumn], row: &[Option<String>]) -> bool {
    columns.iter().zip(row).all(|(column, cell)| cell.as_deref().unwrap_or_default() == column.heading)
}

fn cell(row: &[Option<String>], column: usize) -> Option<String> {
    row.get(column).cloned().flatten()
}

/// The row with the headings: of those above the first that holds a number or a day, the first that names the most columns.
fn heading(rows: &[Vec<Option<String>>]) -> Option<usize> {
    let says = |row: &[Option<String>]| row.iter().flatten().filter(|text| sources::clean(text).is_some()).count();
    let is_record = |row: &[Option<String>]| row.iter().flatten().any(|text| values::is_figure(text));
    let above = rows.iter().take(HEADING_WITHIN).take_while(|row| !is_record(row));
    let named = above.enumerate().filter(|(_, row)| says(row) > 0);
    named.max_by_key(|(at, row)| (says(row), std::cmp::Reverse(*at))).map(|(at, _)| at)
}
