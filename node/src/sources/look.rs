//! Records of a file that nobody has mapped yet, as a source would read them, and how it has to be told to.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;
use encoding_rs::WINDOWS_1252;

use super::clean::heading;
use super::files::{FileFault, Files, is_utf_8};
use super::{CsvFormat, ExcelFormat, RecordPlace, SourceKind, Tidy, sqlite};

/// Records that are looked at to find out how a file is laid out.
const PROBED: usize = 200;
/// Lines above a heading, at most.
const MOST_TITLES: u32 = 20;
/// Delimiters that are tried where none is said.
const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Records whose places are told.
const PLACED: usize = 32;

/// A file that can't be looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} can't be read as records: {why}; correct the file, or say how fields are delimited", path.display())]
pub struct Unread {
    /// The file.
    pub path: PathBuf,
    /// Why; names the line, and holds nothing of it.
    pub why: String,
}

/// The first records of a file, its heading among them unless its format has names of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Records {
    /// Each with its cells as text; an empty one is `None`.
    pub rows: Vec<Vec<Option<String>>>,
    /// On which line, or in which row of a sheet, the first of them start.
    pub lines: Vec<u32>,
    /// What a mapping calls the columns.
    pub names: Vec<String>,
}

/// How a source reads the file, as far as its bytes tell: without a heading, and nothing left out. A delimiter or a sheet
/// that is said is taken.
pub fn layout(path: &Path, delimiter: Option<u8>, sheet: Option<&str>) -> Result<SourceKind, Unread> {
    let csv = SourceKind::Csv(CsvFormat { header: false, ..CsvFormat::default() });
    let sheet = sheet.map(str::to_owned);
    let excel = SourceKind::Excel(ExcelFormat { sheet, header: false, ..ExcelFormat::default() });
    for kind in [excel, SourceKind::GeoJson, SourceKind::JsonLines] {
        if is_of(path, &kind) {
            return Ok(kind);
        }
    }
    if is_of(path, &SourceKind::Parquet) || sqlite::is_database(path) {
        let why = "its columns have names and types already; write the mapping by hand".to_owned();
        return Err(Unread { path: path.to_path_buf(), why });
    }
    let fault = match delimited(path, delimiter) {
        Ok(format) => return Ok(SourceKind::Csv(format)),
        Err(fault) => fault,
    };
    // The fault of the file as it stands says most.
    let fault = records_of(path, &csv, PROBED).err().unwrap_or(fault);
    Err(unread(path, &fault))
}

/// Whether a file, or the first of a folder, is of that kind by its name.
fn is_of(path: &Path, kind: &SourceKind) -> bool {
    let files = super::fingerprint::files_at(path, kind.files()).unwrap_or_default();
    let name = files.first().map(|file| file.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase());
    name.is_some_and(|name| kind.files().suffixes.iter().any(|suffix| name.ends_with(suffix)))
}

fn unread(path: &Path, fault: &FileFault) -> Unread {
    Unread { path: path.to_path_buf(), why: fault.why() }
}

/// The delimiter that makes the most columns, behind the fewest lines that are none of them.
fn delimited(path: &Path, delimiter: Option<u8>) -> Result<CsvFormat, FileFault> {
    let csv = SourceKind::Csv(CsvFormat::default());
    let encoding = if is_utf_8(path, &csv)? { None } else { Some(WINDOWS_1252) };
    let said = delimiter.map(|delimiter| vec![delimiter]);
    let mut best: Option<(usize, CsvFormat)> = None;
    let mut fault = None;
    for delimiter in said.unwrap_or_else(|| DELIMITERS.to_vec()) {
        let format = CsvFormat { delimiter, header: false, encoding, ..CsvFormat::default() };
        match untitled(path, format) {
            Ok(found) if best.as_ref().is_none_or(|(columns, _)| found.0 > *columns) => best = Some(found),
            Ok(_) => {}
            Err(other) => fault = fault.or(Some(other)),
        }
    }
    match (best, fault) {
        (Some((_, format)), _) => Ok(format),
        (None, Some(fault)) => Err(fault),
        (None, None) => Ok(CsvFormat { header: false, ..CsvFormat::default() }),
    }
}

/// The layout below lines that have fewer fields than the records, and how many columns there are.
fn untitled(path: &Path, format: CsvFormat) -> Result<(usize, CsvFormat), FileFault> {
    let mut fault = None;
    for skip in 0..=MOST_TITLES {
        for pad in [false, true] {
            let format = CsvFormat { skip, pad, ..format.clone() };
            match records_of(path, &SourceKind::Csv(format.clone()), PROBED) {
                Ok(records) => return Ok((records.names.len(), format)),
                Err(other) => fault = fault.or(Some(other)),
            }
        }
    }
    match fault {
        Some(fault) => Err(fault),
        None => Ok((0, format)),
    }
}

/// Reads so many records at most. Where a later one has fewer fields, `kind` is made to pad them.
pub fn records(path: &Path, kind: &mut SourceKind, most: usize) -> Result<Records, Unread> {
    let first = match records_of(path, kind, most) {
        Ok(records) => return Ok(records),
        Err(fault) => fault,
    };
    if let SourceKind::Csv(format) = kind {
        let padded = SourceKind::Csv(CsvFormat { pad: true, ..format.clone() });
        if let Ok(records) = records_of(path, &padded, most) {
            *kind = padded;
            return Ok(records);
        }
    }
    Err(unread(path, &first))
}

fn records_of(path: &Path, kind: &SourceKind, most: usize) -> Result<Records, FileFault> {
    let files = Arc::new(Files::open(path, kind)?);
    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    for part in files.parts() {
        let part = part?;
        let texts: Vec<_> = part.batch.columns().iter().filter_map(|column| column.as_string_opt::<i32>()).collect();
        for row in 0..part.batch.num_rows().min(most - rows.len()) {
            if rows.len() < PLACED {
                lines.push(match files.place(&part, row) {
                    Some((_, Some(RecordPlace::Line(line) | RecordPlace::Row { row: line, .. }))) => {
                        u32::try_from(line).unwrap_or(u32::MAX)
                    }
                    _ => 0,
                });
            }
            let cell = |texts: &&arrow::array::StringArray| texts.is_valid(row).then(|| texts.value(row).to_owned());
            rows.push(texts.iter().map(cell).collect());
        }
        if rows.len() >= most {
            break;
        }
    }
    // Shapes are no records' texts.
    let named = files.schema().fields().iter().filter(|field| *field.data_type() == DataType::Utf8);
    let names = named.map(|field| field.name().clone()).collect();
    Ok(Records { rows, lines, names })
}

/// The kind that reads what stands below a line as records, which these cells name; and what it calls the columns. Where
/// they can't be names, since two are the same, columns have none.
pub fn below(path: &Path, kind: &SourceKind, line: u32, cells: &[Option<String>]) -> (SourceKind, Option<Vec<String>>) {
    let with = |header: bool, skip: u32| match kind.clone() {
        SourceKind::Csv(format) => SourceKind::Csv(CsvFormat { header, skip, ..format }),
        SourceKind::Excel(format) => SourceKind::Excel(ExcelFormat { header, skip, ..format }),
        other => other,
    };
    let headed = with(true, line.saturating_sub(1));
    let names: Option<Vec<String>> = Files::open(path, &headed)
        .ok()
        .map(|files| files.schema().fields().iter().map(|field| field.name().clone()).collect());
    let same = |names: &Vec<String>| {
        cells.iter().zip(names).all(|(cell, name)| {
            let said = cell.as_deref().map(heading).unwrap_or_default();
            said.is_empty() || said == *name
        })
    };
    match names.filter(same) {
        Some(names) => (headed, Some(names)),
        None => (with(false, line), None),
    }
}

/// The kind that also does this to cells and rows.
pub fn tidied(kind: SourceKind, tidy: Tidy) -> SourceKind {
    match kind {
        SourceKind::Csv(format) => SourceKind::Csv(CsvFormat { tidy, ..format }),
        SourceKind::Excel(format) => SourceKind::Excel(ExcelFormat { tidy, ..format }),
        other => other,
    }
}
