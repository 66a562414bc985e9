//! The tables as Parquet files: made once for each scale, and read by every engine.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use crate::tpch::{Holding, Orders, holdings};

/// How many bodies hold the two largest tables.
const PARTS: i32 = 2;

/// All tables at one scale.
pub(crate) struct Data {
    folder: PathBuf,
    pub(crate) files: Vec<Part>,
}

/// Rows of a table at a body.
pub(crate) struct Part {
    pub(crate) body: &'static str,
    pub(crate) table: &'static str,
    pub(crate) shared: bool,
    pub(crate) orders: Option<Orders>,
    pub(crate) schema: SchemaRef,
    pub(crate) path: PathBuf,
}

impl Data {
    /// Writes what is not there yet.
    pub(crate) fn at(scale: f64) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tpch-{scale}"));
        let files = holdings(scale, PARTS).into_iter().map(|holding| Part::of(&folder, holding)).collect();
        Self { folder, files }
    }

    /// The folder that holds all files of a table.
    pub(crate) fn folder(&self, table: &str) -> PathBuf {
        self.folder.join(table)
    }

    /// The names of the tables.
    pub(crate) fn tables(&self) -> Vec<&'static str> {
        let mut tables: Vec<_> = self.files.iter().map(|part| part.table).collect();
        tables.sort_unstable();
        tables.dedup();
        tables
    }

    /// The bodies that hold something.
    pub(crate) fn bodies(&self) -> Vec<&'static str> {
        let mut bodies: Vec<_> = self.files.iter().map(|part| part.body).collect();
        bodies.sort_unstable();
        bodies.dedup();
        bodies
    }
}

impl Part {
    fn of(folder: &Path, Holding { body, table, shared, orders, rows }: Holding) -> Self {
        let fields = rows.schema().fields().iter().map(|field| plain(field)).collect::<Vec<_>>();
        let schema = Arc::new(Schema::new(fields));
        let path = folder.join(table).join(format!("{body}.parquet"));
        if !path.exists() {
            fs::create_dir_all(folder.join(table)).unwrap();
            // Whole or not at all: a file that is there is not made again.
            let unfinished = folder.join(format!("{table}-{body}.unfinished"));
            let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
            let mut writer =
                ArrowWriter::try_new(File::create(&unfinished).unwrap(), Arc::clone(&schema), Some(properties))
                    .unwrap();
            for batch in rows {
                writer.write(&as_plain(&batch.unwrap(), &schema)).unwrap();
            }
            writer.close().unwrap();
            fs::rename(unfinished, &path).unwrap();
        }
        Self { body, table, shared, orders, schema, path }
    }
}

/// A column without what only Arrow knows of: strings are strings, and none is missing.
fn plain(field: &Field) -> Field {
    let plain = if *field.data_type() == DataType::Utf8View { DataType::Utf8 } else { field.data_type().clone() };
    Field::new(field.name(), plain, false)
}

fn as_plain(batch: &RecordBatch, schema: &SchemaRef) -> RecordBatch {
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast(column, field.data_type()).unwrap()).collect();
    RecordBatch::try_new(Arc::clone(schema), columns).unwrap()
}
