//! Writing the files of a body's folder: configuration from templates, rows as CSV or Parquet.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::csv;
use arrow::datatypes::{Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use parquet::schema::types::ColumnPath;

use super::Error;

/// The most rows of one row group of a Parquet file.
const ROW_GROUP_ROWS: usize = 128 * 1024;

/// Writes a text file.
pub(super) fn write_text(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// A template with each `@name@` replaced by its value.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(template.to_owned(), |text, (name, value)| text.replace(&format!("@{name}@"), value))
}

/// The absolute path of a published file as a TOML string without its quotes.
pub(super) fn published(folder: &Path, file: &str) -> Result<String, Error> {
    let path = folder.join(file);
    let missing = |source| Error::Published { path: path.clone(), source };
    let absolute = path.canonicalize().map_err(missing)?;
    File::open(&absolute).map_err(missing)?;
    match absolute.to_str() {
        Some(text) => Ok(escape(text)),
        None => Err(Error::NotUtf8 { path: absolute }),
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => escaped.extend(['\\', c]),
            c if c.is_control() => escaped.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A file of rows being written, batch by batch.
pub(super) struct RowFile {
    path: PathBuf,
    writer: Writer,
}

enum Writer {
    Csv(Box<csv::Writer<BufWriter<File>>>),
    Parquet(Box<ArrowWriter<File>>),
}

impl RowFile {
    /// A CSV file with a heading.
    pub(super) fn csv(path: PathBuf) -> Result<Self, Error> {
        let file = create(&path)?;
        let writer = csv::WriterBuilder::new().with_header(true).build(BufWriter::new(file));
        Ok(Self { path, writer: Writer::Csv(Box::new(writer)) })
    }

    /// A Parquet file: Snappy, every column but `distinct` by dictionary.
    pub(super) fn parquet(path: PathBuf, schema: &SchemaRef, distinct: &str) -> Result<Self, Error> {
        let file = create(&path)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_column_dictionary_enabled(ColumnPath::new(vec![distinct.to_owned()]), false)
            .build();
        match ArrowWriter::try_new(file, schema.clone(), Some(properties)) {
            Ok(writer) => Ok(Self { path, writer: Writer::Parquet(Box::new(writer)) }),
            Err(source) => Err(Error::Parquet { path, source }),
        }
    }

    /// Adds rows.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let path = &self.path;
        match &mut self.writer {
            Writer::Csv(w) => w.write(batch).map_err(|source| Error::Csv { path: path.clone(), source }),
            Writer::Parquet(w) => w.write(batch).map_err(|source| Error::Parquet { path: path.clone(), source }),
        }
    }

    /// Completes the file; without this it isn't whole.
    pub(super) fn finish(self) -> Result<(), Error> {
        let path = self.path;
        match self.writer {
            Writer::Csv(w) => w.into_inner().flush().map_err(|source| Error::Write { path, source }),
            Writer::Parquet(w) => w.close().map(drop).map_err(|source| Error::Parquet { path, source }),
        }
    }
}

fn create(path: &Path) -> Result<File, Error> {
    File::create(path).map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// A batch of rows for `path`.
pub(super) fn batch(
    path: &Path,
    schema: &SchemaRef,
    columns: Vec<arrow::array::ArrayRef>,
) -> Result<RecordBatch, Error> {
    let rows = RecordBatch::try_new(schema.clone(), columns);
    rows.map_err(|source| Error::Rows { path: path.to_owned(), source })
}

/// A schema of nullable columns.
pub(super) fn schema<'a>(columns: impl IntoIterator<Item = (&'a str, arrow::datatypes::DataType)>) -> SchemaRef {
    let fields = columns.into_iter().map(|(name, kind)| arrow::datatypes::Field::new(name, kind, true));
    SchemaRef::new(Schema::new(fields.collect::<Vec<_>>()))
}
