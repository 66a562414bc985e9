//! Names columns by a heading, trims cells, and leaves out rows that are none, as far as the owner says so.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::{Batches, Fault, LeftOut, Rows};
use crate::sources::Tidy;
use crate::sources::clean::{clean, heading};

/// The columns of a file, and the cells that name them.
#[derive(Debug)]
pub(super) struct Heading {
    pub(super) schema: SchemaRef,
    /// Empty where a column has no name, and none at all where the file has no heading.
    cells: Vec<String>,
}

impl Heading {
    /// The columns that cells name; the number of the column, counted from 1, that has the name of an earlier one.
    pub(super) fn new<'a>(cells: impl Iterator<Item = &'a str>) -> Result<Self, usize> {
        let cells: Vec<String> = cells.map(heading).collect();
        let mut seen = HashSet::new();
        let mut fields = Vec::with_capacity(cells.len());
        for (index, cell) in cells.iter().enumerate() {
            // Spreadsheets leave columns without a heading; they can be read, but not by name alone.
            let name = if cell.is_empty() { unnamed(index) } else { cell.clone() };
            if !seen.insert(name.clone()) {
                return Err(index + 1);
            }
            fields.push(Field::new(name, DataType::Utf8, true));
        }
        Ok(Self { schema: Arc::new(Schema::new(fields)), cells })
    }

    /// The columns of a file without a heading.
    pub(super) fn none(columns: usize) -> Self {
        let fields: Vec<_> = (0..columns).map(|index| Field::new(unnamed(index), DataType::Utf8, true)).collect();
        Self { schema: Arc::new(Schema::new(fields)), cells: Vec::new() }
    }

    fn is_repeated(&self, row: &[Option<&str>]) -> bool {
        let same = |(cell, name): (&Option<&str>, &String)| cell.map(heading).unwrap_or_default() == *name;
        !self.cells.is_empty() && row.iter().zip(&self.cells).all(same)
    }
}

fn unnamed(index: usize) -> String {
    format!("column_{}", index + 1)
}

/// The rows as their owner wants them.
pub(super) fn tidied(rows: Batches, tidy: Tidy, heading: Arc<Heading>) -> Batches {
    if tidy == Tidy::default() {
        return rows;
    }
    let broken = |_: ArrowError| Fault::Read("its rows are no table".into());
    Box::new(rows.map(move |rows| tidied_rows(rows?, tidy, &heading).map_err(broken)))
}

/// The same of some rows.
pub(super) fn tidied_rows(rows: Rows, tidy: Tidy, heading: &Heading) -> Result<Rows, ArrowError> {
    let Rows { mut batch, mut numbers, mut left_out } = rows;
    if tidy.trim {
        let trimmed = batch.columns().iter().map(|column| trimmed(column));
        batch = RecordBatch::try_new(batch.schema(), trimmed.collect())?;
    }
    if !tidy.blank_rows && !tidy.repeated_headings {
        return Ok(Rows { batch, numbers, left_out });
    }
    let columns: Vec<&StringArray> = batch.columns().iter().filter_map(|column| column.as_string_opt()).collect();
    let mut kept = Vec::with_capacity(batch.num_rows());
    for row in 0..batch.num_rows() {
        let cells: Vec<Option<&str>> =
            columns.iter().map(|column| column.is_valid(row).then(|| column.value(row))).collect();
        let blank = tidy.blank_rows && cells.iter().all(|cell| cell.is_none_or(|cell| clean(cell).is_none()));
        let repeated = tidy.repeated_headings && !blank && heading.is_repeated(&cells);
        left_out = left_out + LeftOut { blank_rows: u64::from(blank), repeated_headings: u64::from(repeated) };
        kept.push(!blank && !repeated);
    }
    let mut keeps = kept.iter().copied();
    numbers.retain(|_| keeps.next().unwrap_or(true));
    Ok(Rows { batch: filter_record_batch(&batch, &BooleanArray::from(kept))?, numbers, left_out })
}

fn trimmed(column: &ArrayRef) -> ArrayRef {
    match column.as_string_opt::<i32>() {
        Some(cells) => Arc::new(cells.iter().map(|cell| clean(cell?)).collect::<StringArray>()),
        None => Arc::clone(column),
    }
}
