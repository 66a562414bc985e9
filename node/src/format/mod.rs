//! Answers written down: one [`Sheet`] per answer, in the format that was asked for. Batches go in, bytes come out.
//!
//! Tables and Markdown are written when the answer is whole, because the width of a column and the mark of a withheld cell
//! are known only then; Parquet a row group at a time; all else batch by batch.
//!
//! | where | what |
//! | --- | --- |
//! | `grid` | tables and Markdown |
//! | `binary` | Parquet and both forms of Arrow IPC |
//! | `features` | GeoJSON |
//! | `spreadsheet` | what CSV that people open has in place of formulas |
//! | `words` | types, decisions and refusals, which stand beside an answer |

mod binary;
mod features;
mod grid;
mod spreadsheet;
mod words;

use std::io::{self, Write};
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::csv;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::json::writer::{JsonArray, LineDelimited, Writer as JsonWriter, WriterBuilder as JsonWriterBuilder};
use clap::ValueEnum;

pub(crate) use crate::printable::{csv_cell, printable, printable_json, printable_lines};
use binary::Binary;
use features::Features;
use grid::Grid;
pub(crate) use words::{refusal, sql_type, verdicts};

/// How an answer is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns for people.
    #[default]
    Table,
    /// Comma-separated values with a heading (RFC 4180); NULL is empty.
    Csv,
    /// One JSON array of objects.
    Json,
    /// One JSON object per line.
    Jsonl,
    /// A Markdown table.
    Markdown,
    /// A Parquet file.
    Parquet,
    /// An Arrow IPC stream.
    Arrow,
    /// An Arrow IPC file, also known as Feather.
    ArrowFile,
    /// A GeoJSON collection (RFC 7946) of features: one column is the geometry, the others are properties.
    Geojson,
}

/// What is known of an answer once it is whole.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Whole<'a> {
    /// What people read where a value is NULL.
    pub(crate) null: &'a str,
    /// What that means, for formats that have a place for it.
    pub(crate) meaning: Option<&'a str>,
    /// The most characters that a line of a table may have.
    pub(crate) width: Option<usize>,
}

/// What a cell without a value is where statistics are behind an answer.
pub(crate) const UNKNOWN: &str =
    "A cell without a value is unknown, never 0: withheld under a threshold, or not there.";

impl Whole<'_> {
    /// Of an answer behind which there are statistics, so that a NULL may be a withheld cell, or none.
    pub(crate) fn of(has_statistics: bool) -> Self {
        let null = if has_statistics { "(withheld)" } else { "NULL" };
        Self { null, meaning: has_statistics.then_some(UNKNOWN), width: None }
    }
}

/// What a table does not show since it had to fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Columns that are left out.
    pub(crate) columns: Vec<String>,
    /// Cells that are shown in part.
    pub(crate) cells: usize,
}

/// Why an answer could not be written.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// A value or type has no form in this format.
    #[error("writing the answer as {format}: {source}; another --format may hold it")]
    Encode {
        /// The format's name.
        format: &'static str,
        /// What Arrow says.
        source: ArrowError,
    },
    /// The answer has no geometry, or one that has no form in GeoJSON.
    #[error("writing the answer as GeoJSON: {0}")]
    Geometry(String),
    /// The output is gone or full.
    #[error("writing the answer: {0}")]
    Output(#[from] io::Error),
}

/// An answer that is being written.
pub(crate) struct Sheet {
    format: Format,
    schema: SchemaRef,
    kind: Kind,
}

enum Kind {
    Grid(Grid),
    Csv { headed: bool, harmless: bool },
    Json(JsonWriter<Vec<u8>, JsonArray>),
    Jsonl(JsonWriter<Vec<u8>, LineDelimited>),
    Binary(Binary),
    Features(Features),
}

impl Format {
    /// The format that a file's ending stands for.
    pub(crate) fn of(file: &Path) -> Option<Self> {
        let ending = file.extension()?.to_str()?.to_ascii_lowercase();
        Some(match ending.as_str() {
            "txt" => Self::Table,
            "csv" => Self::Csv,
            "json" => Self::Json,
            "jsonl" | "ndjson" => Self::Jsonl,
            "md" | "markdown" => Self::Markdown,
            "parquet" => Self::Parquet,
            "arrows" => Self::Arrow,
            "arrow" | "feather" => Self::ArrowFile,
            "geojson" => Self::Geojson,
            _ => return None,
        })
    }

    /// Whether it is no text.
    pub(crate) fn is_binary(self) -> bool {
        matches!(self, Self::Parquet | Self::Arrow | Self::ArrowFile)
    }

    /// Whether nothing of it is written before the answer is whole.
    pub(crate) fn is_held(self) -> bool {
        matches!(self, Self::Table | Self::Markdown)
    }

    /// Its name in sentences.
    fn name(self) -> &'static str {
        match self {
            Self::Table => "a table",
            Self::Csv => "CSV",
            Self::Json => "JSON",
            Self::Jsonl => "JSON lines",
            Self::Markdown => "Markdown",
            Self::Parquet => "Parquet",
            Self::Arrow | Self::ArrowFile => "Arrow",
            Self::Geojson => "GeoJSON",
        }
    }
}

impl Cut {
    /// What a reader has to know; none where everything is shown.
    pub(crate) fn note(&self) -> Option<String> {
        let columns = match self.columns.as_slice() {
            [] => None,
            [one] => Some(format!("the column {} is left out", printable(one))),
            several => Some(format!("{} columns are left out ({})", several.len(), printable(&several.join(", ")))),
        };
        let cells = match self.cells {
            0 => None,
            1 => Some("1 cell ends in …".to_owned()),
            cells => Some(format!("{cells} cells end in …")),
        };
        let parts: Vec<String> = columns.into_iter().chain(cells).collect();
        (!parts.is_empty()).then(|| format!("Cut to the width of the terminal: {}", parts.join(", ")))
    }
}

impl Sheet {
    /// Begins an answer of this schema.
    pub(crate) fn new(format: Format, schema: SchemaRef) -> Result<Self, FormatError> {
        let json = || JsonWriterBuilder::new().with_explicit_nulls(true);
        let kind = match format {
            Format::Table | Format::Markdown => Kind::Grid(Grid::new(&schema)),
            Format::Csv => Kind::Csv { headed: false, harmless: false },
            Format::Json => Kind::Json(json().build(Vec::new())),
            Format::Jsonl => Kind::Jsonl(json().build(Vec::new())),
            Format::Parquet => Kind::Binary(Binary::parquet(&schema).map_err(|error| encode(format, error))?),
            Format::Arrow => Kind::Binary(Binary::stream(&schema).map_err(|error| encode(format, error))?),
            Format::ArrowFile => Kind::Binary(Binary::file(&schema).map_err(|error| encode(format, error))?),
            Format::Geojson => Kind::Features(Features::new(&schema)?),
        };
        Ok(Self { format, schema, kind })
    }

    /// The same, for people who open it in a spreadsheet: in CSV nothing is a formula.
    pub(crate) fn for_spreadsheets(mut self) -> Self {
        if let Kind::Csv { harmless, .. } = &mut self.kind {
            *harmless = true;
        }
        self
    }

    /// Adds rows.
    pub(crate) fn write(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), FormatError> {
        let bytes = match &mut self.kind {
            Kind::Grid(grid) => grid.add(batch).map(|()| Vec::new()),
            Kind::Csv { headed, harmless } => csv_bytes(batch, !std::mem::replace(headed, true), *harmless),
            Kind::Json(writer) => writer.write(batch).map(|()| std::mem::take(writer.get_mut())),
            Kind::Jsonl(writer) => writer.write(batch).map(|()| std::mem::take(writer.get_mut())),
            Kind::Binary(writer) => writer.write(batch),
            Kind::Features(features) => Ok(features.write(batch)?),
        };
        out.write_all(&bytes.map_err(|error| encode(self.format, error))?)?;
        Ok(())
    }

    /// Characters of the longest line and number of lines, of a format that is written when it is whole.
    pub(crate) fn extent(&self, null: &str) -> Option<(usize, usize)> {
        match &self.kind {
            Kind::Grid(grid) if self.format == Format::Table => Some(grid.extent(null)),
            _ => None,
        }
    }

    /// Ends the answer, and says what of it is not shown.
    pub(crate) fn finish(self, whole: &Whole<'_>, out: &mut dyn Write) -> Result<Cut, FormatError> {
        let Self { format, schema, kind } = self;
        let bytes = match kind {
            Kind::Grid(grid) if format == Format::Markdown => {
                grid.markdown(whole.null, out)?;
                Ok(Vec::new())
            }
            Kind::Grid(grid) => return Ok(grid.table(whole, out)?),
            Kind::Csv { headed: true, .. } => Ok(Vec::new()),
            Kind::Csv { headed: false, harmless } => csv_bytes(&RecordBatch::new_empty(schema), true, harmless),
            Kind::Json(mut writer) => writer.finish().map(|()| {
                let mut bytes = writer.into_inner();
                bytes.push(b'\n');
                bytes
            }),
            Kind::Jsonl(mut writer) => writer.finish().map(|()| writer.into_inner()),
            Kind::Binary(writer) => writer.finish(whole.meaning),
            Kind::Features(features) => Ok(features.finish(whole.meaning)),
        };
        out.write_all(&bytes.map_err(|error| encode(format, error))?)?;
        out.flush()?;
        Ok(Cut::default())
    }
}

fn csv_bytes(batch: &RecordBatch, heading: bool, harmless: bool) -> Result<Vec<u8>, ArrowError> {
    let mut writer = csv::WriterBuilder::new().with_header(heading).build(Vec::new());
    if harmless {
        writer.write(&spreadsheet::harmless(batch)?)?;
    } else {
        writer.write(batch)?;
    }
    Ok(writer.into_inner())
}

fn encode(format: Format, source: ArrowError) -> FormatError {
    FormatError::Encode { format: format.name(), source }
}

#[cfg(test)]
mod tests;
