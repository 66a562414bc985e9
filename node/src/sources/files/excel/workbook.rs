//! Opens a workbook of either format and goes through the cells of one sheet.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use calamine::{Reader, Sheet, SheetType, SheetVisible, Xls, Xlsx};

use super::value::put;
use super::{Cells, Fault, packed};

/// The largest workbook, in bytes of its file: all of it is read before the first row is.
const LARGEST: u64 = 256 * 1024 * 1024;
/// The first bytes of what is packed, as an `.xlsx` file is.
const PACKED: &[u8] = b"PK";
/// The first bytes of a compound file, as an `.xls` file is, and one of either kind that has a password.
const COMPOUND: &[u8] = &[0xD0, 0xCF, 0x11, 0xE0];

/// Puts the cells of the sheet of that name, or of the only one, into `cells`; which it was.
pub(super) fn read(path: &Path, sheet: Option<&str>, cells: &mut Cells<'_>) -> Result<String, Fault> {
    let length = fs::metadata(path).map_err(|error| Fault::of_reading(&error))?.len();
    if length > LARGEST {
        return Err(Fault::Read(format!("it is larger than {} MiB; save it as CSV", LARGEST / 1024 / 1024)));
    }
    let bytes = fs::read(path).map_err(|error| Fault::of_reading(&error))?;
    if bytes.starts_with(PACKED) {
        packed::check(&bytes)?;
        xlsx(bytes, sheet, cells)
    } else if bytes.starts_with(COMPOUND) {
        xls(bytes, sheet, cells)
    } else {
        Err(Fault::Read(
            "it is neither .xlsx nor .xls, whatever its name; text under such a name is kind = \"csv\"".into(),
        ))
    }
}

fn xlsx(bytes: Vec<u8>, sheet: Option<&str>, cells: &mut Cells<'_>) -> Result<String, Fault> {
    // The parser's words may quote cells: they are not passed on.
    let damaged = |_| Fault::Read("it is a damaged .xlsx workbook; save it anew with a spreadsheet program".into());
    let mut workbook = Xlsx::new(Cursor::new(bytes)).map_err(damaged)?;
    let name = chosen(workbook.sheets_metadata(), sheet)?;
    let mut found = workbook.worksheet_cells_reader(&name).map_err(damaged)?;
    while let Some(cell) = found.next_cell().map_err(damaged)? {
        put(cells, cell.get_position(), cell.get_value(), &name)?;
    }
    Ok(name)
}

fn xls(bytes: Vec<u8>, sheet: Option<&str>, cells: &mut Cells<'_>) -> Result<String, Fault> {
    let why = "it is a damaged .xls workbook, or one with a password; save it anew, without";
    if claims_too_much(&bytes) {
        return Err(Fault::Read(why.into()));
    }
    let workbook = Xls::new(Cursor::new(bytes)).map_err(|_| Fault::Read(why.into()))?;
    let mut workbook: Xls<_> = workbook;
    let name = chosen(workbook.sheets_metadata(), sheet)?;
    let range = workbook.worksheet_range(&name).map_err(|_| Fault::Read(why.into()))?;
    let (first_row, first_column) = range.start().unwrap_or_default();
    for (row, column, value) in range.used_cells() {
        let at = |first: u32, index: usize| u32::try_from(index).ok().and_then(|index| first.checked_add(index));
        let (Some(row), Some(column)) = (at(first_row, row), at(first_column, column)) else {
            return Err(Fault::Read(why.into()));
        };
        put(cells, (row, column), value, &name)?;
    }
    Ok(name)
}

/// The sheet of that name, or the only one that is to be seen.
fn chosen(sheets: &[Sheet], name: Option<&str>) -> Result<String, Fault> {
    let of_cells: Vec<&Sheet> = sheets.iter().filter(|sheet| sheet.typ == SheetType::WorkSheet).collect();
    let visible: Vec<&Sheet> =
        of_cells.iter().filter(|sheet| sheet.visible == SheetVisible::Visible).copied().collect();
    let all = || of_cells.iter().map(|sheet| format!("{:?}", sheet.name)).collect::<Vec<_>>().join(", ");
    match name {
        Some(name) => match of_cells.iter().find(|sheet| sheet.name == name) {
            Some(sheet) => Ok(sheet.name.clone()),
            None => Err(Fault::Read(format!("it has no sheet {name:?}; set `sheet` to one of {}", all()))),
        },
        None => match visible.as_slice() {
            [sheet] => Ok(sheet.name.clone()),
            _ => Err(Fault::Read(format!("it has several sheets; set `sheet` to one of {}", all()))),
        },
    }
}

/// Whether a sheet of an `.xls` file says that it is larger than any can be: the parser reserves memory for all that it
/// says, and a process that gets none ends.
fn claims_too_much(bytes: &[u8]) -> bool {
    // A record of type 0x0200 and length 14: first and last row (4 bytes each), first and last column (2 each), zero.
    const DIMENSIONS: [u8; 4] = [0x00, 0x02, 0x0E, 0x00];
    const MOST_ROWS: u32 = 65_536;
    const MOST_COLUMNS: u16 = 256;
    bytes.windows(DIMENSIONS.len() + 14).filter(|window| window.starts_with(&DIMENSIONS)).any(|window| {
        let number =
            |at: usize| window.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes);
        let column = window.get(14..16).and_then(|bytes| bytes.try_into().ok()).map_or(0, u16::from_le_bytes);
        window.ends_with(&[0, 0]) && (number(4) > MOST_ROWS || number(8) > MOST_ROWS || column > MOST_COLUMNS)
    })
}
