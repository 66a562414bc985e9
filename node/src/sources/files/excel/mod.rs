//! Reads a sheet of a workbook (`.xlsx` or `.xls`) as text columns, every value in one form whatever its cell looks like.
//!
//! Rows without any value are no records, as lines without any character are none in CSV.

mod packed;
mod value;
mod workbook;

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringBuilder};
use arrow::datatypes::SchemaRef;

use super::tidy::{Heading, tidied};
use super::{BATCH_ROWS, Batches, Fault, LeftOut, RecordFault, RecordPlace, Records, Rows};
use crate::sources::ExcelFormat;
use crate::telemetry;

/// Most columns that a sheet can have.
const MOST_COLUMNS: usize = 16_384;
/// Most cells of a sheet, those without a value included that stand between others.
const MOST_CELLS: usize = 100_000_000;

/// A sheet that has been read.
#[derive(Debug)]
pub(super) struct Sheet {
    name: String,
    format: ExcelFormat,
    heading: Arc<Heading>,
    rows: RecordBatch,
    /// Which row of the sheet each is, counted from 1.
    numbers: Vec<u64>,
}

impl Sheet {
    /// Opens a workbook and reads its sheet.
    pub(super) fn open(path: &Path, format: &ExcelFormat) -> Result<Self, Fault> {
        // The parser panics here and there on what is no workbook.
        let read = telemetry::quietly(|| {
            let mut cells = Cells::new(format);
            let name = workbook::read(path, format.sheet.as_deref(), &mut cells)?;
            cells.finish(name)
        });
        read.unwrap_or_else(|| {
            Err(Fault::Read("it is a damaged workbook; save it anew with a spreadsheet program".into()))
        })
    }
}

impl Records for Sheet {
    fn schema(&self) -> &SchemaRef {
        &self.heading.schema
    }

    fn rows(self: Arc<Self>) -> Result<Batches, Fault> {
        let (tidy, heading) = (self.format.tidy, Arc::clone(&self.heading));
        let count = self.rows.num_rows();
        let parts = (0..count).step_by(BATCH_ROWS).map(move |first| {
            let rows = BATCH_ROWS.min(count - first);
            let numbers = self.numbers.iter().skip(first).take(rows).copied().collect();
            Ok(Rows { batch: self.rows.slice(first, rows), numbers, left_out: LeftOut::default() })
        });
        Ok(tidied(Box::new(parts), tidy, heading))
    }

    fn place(&self, row: u64) -> Option<RecordPlace> {
        Some(RecordPlace::Row { sheet: self.name.clone(), row })
    }
}

/// The cells of a sheet, put in columns as they come: row by row.
struct Cells<'a> {
    format: &'a ExcelFormat,
    heading: Option<(u64, Vec<String>)>,
    columns: Vec<StringBuilder>,
    numbers: Vec<u64>,
    /// The row that is being read, counted from 0, and its values.
    row: Option<u32>,
    values: Vec<Option<String>>,
}

impl<'a> Cells<'a> {
    fn new(format: &'a ExcelFormat) -> Self {
        Self { format, heading: None, columns: Vec::new(), numbers: Vec::new(), row: None, values: Vec::new() }
    }

    /// Whether cells of a row, counted from 0, matter.
    fn takes(&self, row: u32) -> bool {
        row >= self.format.skip
    }

    /// The next cell with a value; row and column counted from 0.
    fn put(&mut self, row: u32, column: u32, value: String) -> Result<(), Fault> {
        if self.row != Some(row) {
            if self.row.is_some_and(|before| before > row) {
                return Err(Fault::Read("its rows are not in order; save it anew with a spreadsheet program".into()));
            }
            self.end_row()?;
            self.row = Some(row);
        }
        let column = column as usize;
        if column >= MOST_COLUMNS {
            return Err(Fault::Read(format!("it has more than {MOST_COLUMNS} columns")));
        }
        if self.values.len() <= column {
            self.values.resize(column + 1, None);
        }
        if let Some(cell) = self.values.get_mut(column) {
            *cell = Some(value);
        }
        Ok(())
    }

    fn end_row(&mut self) -> Result<(), Fault> {
        let Some(row) = self.row.take() else { return Ok(()) };
        let (number, mut values) = (u64::from(row) + 1, std::mem::take(&mut self.values).into_iter());
        if self.format.header && self.heading.is_none() {
            self.heading = Some((number, values.map(Option::unwrap_or_default).collect()));
            return Ok(());
        }
        let width = self.columns.len().max(values.len());
        if (self.numbers.len() + 1).saturating_mul(width) > MOST_CELLS {
            return Err(Fault::Read(format!(
                "its sheet has more than {MOST_CELLS} cells; remove values that stand far off"
            )));
        }
        let before = self.numbers.len();
        self.columns.resize_with(width, || {
            let mut column = StringBuilder::new();
            column.append_nulls(before);
            column
        });
        for column in &mut self.columns {
            column.append_option(values.next().flatten());
        }
        self.numbers.push(number);
        Ok(())
    }

    fn finish(mut self, name: String) -> Result<Sheet, Fault> {
        self.end_row()?;
        let heading = match self.heading {
            Some((row, mut cells)) => {
                let width = cells.len().max(self.columns.len());
                cells.resize(width, String::new());
                let place = RecordPlace::Row { sheet: name.clone(), row };
                Heading::new(cells.iter().map(String::as_str))
                    .map_err(|column| Fault::Record { place, fault: RecordFault::Heading(column) })?
            }
            None if self.columns.is_empty() => {
                return Err(Fault::Read(format!("its sheet {name} has no value below the rows that are skipped")));
            }
            None => Heading::none(self.columns.len()),
        };
        let rows = self.numbers.len();
        self.columns.resize_with(heading.schema.fields().len(), || {
            let mut column = StringBuilder::new();
            column.append_nulls(rows);
            column
        });
        let columns = self.columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let rows = RecordBatch::try_new_with_options(Arc::clone(&heading.schema), columns, &options)
            .map_err(|_| Fault::Read("its rows are no table".into()))?;
        let (format, heading) = (self.format.clone(), Arc::new(heading));
        Ok(Sheet { name, format, heading, rows, numbers: self.numbers })
    }
}
