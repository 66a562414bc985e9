//! Released rows as bytes of a format, batch by batch.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use arrow::array::{Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::writer::{LineDelimited, WriterBuilder};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use meridian_proto::Dataset;
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

use super::map::Drawing;
use super::{Kind, kind};
use crate::portal::Sample;
use crate::printable;

/// Rows that people are shown.
const SHOWN: usize = 10;
/// Characters of a cell that they are shown.
const SHOWN_OF_CELL: usize = 120;

/// Why a file can't be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("writing the file: {0}")]
    Output(#[from] io::Error),
    #[error("writing the rows: {0}")]
    Rows(#[from] ArrowError),
    #[error("writing Parquet: {0}")]
    Parquet(#[from] ParquetError),
}

/// A file that is being written.
pub(super) enum Writer {
    Csv { out: Counted, sample: Sample, drawing: Drawing },
    GeoJson { out: Counted, geometry: usize, is_first: bool },
    Parquet(Box<ArrowWriter<File>>),
}

/// A file, and how many bytes went there.
pub(super) struct Counted {
    out: BufWriter<File>,
    bytes: u64,
}

impl Counted {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

impl Writer {
    /// Begins a file of these columns.
    pub(super) fn new(kind: Kind, path: &Path, schema: &SchemaRef, dataset: &Dataset) -> Result<Self, Error> {
        let file = File::create(path)?;
        let mut out = Counted { out: BufWriter::new(file.try_clone()?), bytes: 0 };
        match kind {
            Kind::Csv => {
                let columns: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
                let head: Vec<Cow<'_, str>> = columns.iter().map(|name| cell(name, true)).collect();
                out.put(format!("{}\r\n", head.join(",")).as_bytes())?;
                let (sample, drawing) = (Sample { columns, ..Sample::default() }, Drawing::new(dataset, schema));
                Ok(Self::Csv { out, sample, drawing })
            }
            Kind::GeoJson => {
                let geometry = kind::geometry(dataset).and_then(|column| schema.index_of(column.name.as_str()).ok());
                let geometry = geometry.ok_or_else(|| ArrowError::SchemaError("there is no geometry".into()))?;
                out.put(b"{\"type\":\"FeatureCollection\",\"features\":[")?;
                Ok(Self::GeoJson { out, geometry, is_first: true })
            }
            Kind::Parquet => Ok(Self::Parquet(Box::new(ArrowWriter::try_new(file, SchemaRef::clone(schema), None)?))),
        }
    }

    /// How large the file is by now, about.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Csv { out, .. } | Self::GeoJson { out, .. } => out.bytes,
            Self::Parquet(writer) => (writer.bytes_written() + writer.in_progress_size()) as u64,
        }
    }

    /// Adds rows.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        match self {
            Self::Csv { out, sample, drawing } => {
                drawing.add(batch)?;
                rows(batch, out, sample)
            }
            Self::GeoJson { out, geometry, is_first } => features(batch, *geometry, is_first, out),
            Self::Parquet(writer) => Ok(writer.write(batch)?),
        }
    }

    /// Ends the file, and returns its first rows where it is the one that people are shown them of.
    pub(super) fn finish(self) -> Result<Option<Sample>, Error> {
        match self {
            Self::Csv { mut out, sample, drawing } => {
                out.out.flush()?;
                Ok(Some(Sample { map: drawing.finish(), ..sample }))
            }
            Self::GeoJson { mut out, .. } => {
                out.put(b"\n]}\n")?;
                out.out.flush()?;
                Ok(None)
            }
            Self::Parquet(writer) => {
                writer.close()?;
                Ok(None)
            }
        }
    }
}

fn rows(batch: &RecordBatch, out: &mut Counted, sample: &mut Sample) -> Result<(), Error> {
    let options = FormatOptions::default().with_display_error(false);
    let columns = batch.columns().iter().map(|column| {
        let is_text = matches!(column.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        Ok((ArrayFormatter::try_new(column, &options)?, column, is_text))
    });
    let columns = columns.collect::<Result<Vec<_>, ArrowError>>()?;
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        let is_shown = sample.rows.len() < SHOWN;
        let mut shown = Vec::with_capacity(if is_shown { columns.len() } else { 0 });
        for (at, (formatter, column, is_text)) in columns.iter().enumerate() {
            if at > 0 {
                text.push(',');
            }
            let value = if column.is_null(row) { None } else { Some(formatter.value(row).try_to_string()?) };
            if let Some(value) = &value {
                text.push_str(&cell(value, *is_text));
            }
            if is_shown {
                shown.push(value.map(shortened));
            }
        }
        text.push_str("\r\n");
        if is_shown {
            sample.rows.push(shown);
        }
    }
    Ok(out.put(text.as_bytes())?)
}

/// A cell as RFC 4180 has it. NULL is nothing and an empty text is two quotes; before a text that a spreadsheet would take for a
/// formula stands an apostrophe.
fn cell(text: &str, is_text: bool) -> Cow<'_, str> {
    let is_formula = is_text && printable::is_formula(text);
    let is_quoted = is_formula || (is_text && text.is_empty()) || text.contains([',', '"', '\n', '\r']);
    match (is_quoted, is_formula) {
        (false, _) => Cow::Borrowed(text),
        (true, formula) => {
            let mark = if formula { "'" } else { "" };
            Cow::Owned(format!("\"{mark}{}\"", text.replace('"', "\"\"")))
        }
    }
}

fn shortened(text: String) -> String {
    let end = text.char_indices().nth(SHOWN_OF_CELL);
    match end {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn features(batch: &RecordBatch, geometry: usize, is_first: &mut bool, out: &mut Counted) -> Result<(), Error> {
    let others: Vec<usize> = (0..batch.num_columns()).filter(|column| *column != geometry).collect();
    let shapes = cast(batch.column(geometry), &DataType::Utf8)?;
    let shapes = arrow::array::AsArray::as_string::<i32>(&shapes);
    let properties = batch.project(&others)?;
    let mut lines = WriterBuilder::new().with_explicit_nulls(true).build::<_, LineDelimited>(Vec::new());
    if !others.is_empty() {
        lines.write(&properties)?;
        lines.finish()?;
    }
    let lines = lines.into_inner();
    let mut lines = lines.split(|byte| *byte == b'\n');
    for row in 0..batch.num_rows() {
        let properties = if others.is_empty() { b"{}".as_slice() } else { lines.next().unwrap_or(b"{}") };
        let shape = if shapes.is_null(row) { "null" } else { shapes.value(row) };
        let before = if std::mem::replace(is_first, false) { "\n" } else { ",\n" };
        out.put(format!("{before}{{\"type\":\"Feature\",\"geometry\":{shape},\"properties\":").as_bytes())?;
        out.put(properties)?;
        out.put(b"}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn no_cell_is_a_formula_and_nothing_is_lost() {
        for (text, is_text, written) in [
            ("plain", true, "plain"),
            ("", true, "\"\""),
            ("a,b \"c\"\nd", true, "\"a,b \"\"c\"\"\nd\""),
            ("=cmd|' /C calc'!A0", true, "\"'=cmd|' /C calc'!A0\""),
            ("+44 20", true, "\"'+44 20\""),
            ("@x", true, "\"'@x\""),
            ("\t=1", true, "\"'\t=1\""),
            ("\n=1", true, "\"'\n=1\""),
            ("＝1+1", true, "\"'＝1+1\""),
            ("-12.50", false, "-12.50"),
            ("<b>", true, "<b>"),
        ] {
            assert_eq!(cell(text, is_text), written);
        }
    }
}
