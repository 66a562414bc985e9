//! Answers written down: one [`Sheet`] per answer, in the format that was asked for.
//!
//! CSV, JSON, JSON lines and Arrow are written batch by batch; tables and Markdown when the answer is whole, because
//! the width of a column and the mark of a withheld cell are known only then.

mod grid;

use std::io::{self, Write};

use arrow::array::RecordBatch;
use arrow::csv;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use arrow::json::writer::{JsonArray, LineDelimited, Writer as JsonWriter, WriterBuilder as JsonWriterBuilder};
use clap::ValueEnum;

pub(crate) use crate::printable::{csv_cell, printable, printable_json, printable_lines};
use grid::Grid;

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
    /// An Arrow IPC stream.
    Arrow,
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
    Csv { headed: bool },
    Json(JsonWriter<Vec<u8>, JsonArray>),
    Jsonl(JsonWriter<Vec<u8>, LineDelimited>),
    Arrow(Box<StreamWriter<Vec<u8>>>),
}

impl Sheet {
    /// Begins an answer of this schema.
    pub(crate) fn new(format: Format, schema: SchemaRef) -> Result<Self, FormatError> {
        let json = || JsonWriterBuilder::new().with_explicit_nulls(true);
        let kind = match format {
            Format::Table | Format::Markdown => Kind::Grid(Grid::new(&schema)),
            Format::Csv => Kind::Csv { headed: false },
            Format::Json => Kind::Json(json().build(Vec::new())),
            Format::Jsonl => Kind::Jsonl(json().build(Vec::new())),
            Format::Arrow => {
                let writer = StreamWriter::try_new(Vec::new(), &schema).map_err(|error| encode(format, error))?;
                Kind::Arrow(Box::new(writer))
            }
        };
        Ok(Self { format, schema, kind })
    }

    /// Adds rows.
    pub(crate) fn write(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<(), FormatError> {
        let bytes = match &mut self.kind {
            Kind::Grid(grid) => grid.add(batch).map(|()| Vec::new()),
            Kind::Csv { headed } => csv_bytes(batch, !std::mem::replace(headed, true)),
            Kind::Json(writer) => writer.write(batch).map(|()| std::mem::take(writer.get_mut())),
            Kind::Jsonl(writer) => writer.write(batch).map(|()| std::mem::take(writer.get_mut())),
            Kind::Arrow(writer) => writer.write(batch).map(|()| std::mem::take(writer.get_mut())),
        };
        out.write_all(&bytes.map_err(|error| encode(self.format, error))?)?;
        Ok(())
    }

    /// Ends the answer; `null` is what people read where a value is NULL.
    pub(crate) fn finish(self, null: &str, out: &mut dyn Write) -> Result<(), FormatError> {
        let Self { format, schema, kind } = self;
        let bytes = match kind {
            Kind::Grid(grid) if format == Format::Markdown => return Ok(grid.markdown(null, out)?),
            Kind::Grid(grid) => return Ok(grid.table(null, out)?),
            Kind::Csv { headed: true } => Ok(Vec::new()),
            Kind::Csv { headed: false } => csv_bytes(&RecordBatch::new_empty(schema), true),
            Kind::Json(mut writer) => writer.finish().map(|()| {
                let mut bytes = writer.into_inner();
                bytes.push(b'\n');
                bytes
            }),
            Kind::Jsonl(mut writer) => writer.finish().map(|()| writer.into_inner()),
            Kind::Arrow(mut writer) => writer.finish().map(|()| std::mem::take(writer.get_mut())),
        };
        out.write_all(&bytes.map_err(|error| encode(format, error))?)?;
        out.flush()?;
        Ok(())
    }
}

fn csv_bytes(batch: &RecordBatch, heading: bool) -> Result<Vec<u8>, ArrowError> {
    let mut writer = csv::WriterBuilder::new().with_header(heading).build(Vec::new());
    writer.write(batch)?;
    Ok(writer.into_inner())
}

fn encode(format: Format, source: ArrowError) -> FormatError {
    let format = match format {
        Format::Table => "a table",
        Format::Csv => "CSV",
        Format::Json => "JSON",
        Format::Jsonl => "JSON lines",
        Format::Markdown => "Markdown",
        Format::Arrow => "Arrow",
    };
    FormatError::Encode { format, source }
}

mod words;

pub(crate) use words::{refusal, sql_type, verdicts};

#[cfg(test)]
mod tests;
