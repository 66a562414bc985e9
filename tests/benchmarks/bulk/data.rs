//! The tables as Parquet files, made once for each size, and what tells whether a reader got all of one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::sum;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// Rows of a batch, as a node holds them.
pub(crate) const BATCH_ROWS: usize = 32 << 10;
/// Numbers are below this, so that the sum of a column is one, too.
const MOST: i64 = 1_000_000_000;

const BOROUGHS: [&str; 6] = ["Barnet", "Camden", "Hackney", "Kensington and Chelsea", "Lambeth", "Tower Hamlets"];

/// What a table is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Eight columns of 64 bits.
    Numbers,
    /// Texts, dates and numbers, as a register of incidents has.
    Mixed,
}

/// A table, and where it is.
pub(crate) struct Table {
    pub(crate) kind: Kind,
    pub(crate) schema: SchemaRef,
    pub(crate) path: PathBuf,
}

/// What has to be the same whoever reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Sum {
    pub(crate) rows: u64,
    /// Of the first column.
    pub(crate) sum: i64,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Numbers => "numbers",
            Self::Mixed => "mixed",
        }
    }

    fn fields(self) -> Vec<Field> {
        let field = |name: &str, data_type| Field::new(name, data_type, false);
        match self {
            Self::Numbers => {
                let numbers = (1..=6).map(|n| field(&format!("n{n}"), DataType::Int64));
                numbers.chain((1..=2).map(|n| field(&format!("f{n}"), DataType::Float64))).collect()
            }
            Self::Mixed => vec![
                field("incident", DataType::Int64),
                field("happened", DataType::Date32),
                field("borough", DataType::Utf8),
                field("address", DataType::Utf8),
                field("uprn", DataType::Int64),
                field("cost", DataType::Float64),
            ],
        }
    }

    fn batch(self, schema: &SchemaRef, random: &mut StdRng) -> RecordBatch {
        let columns = schema.fields().iter().map(|field| column(field, random)).collect();
        RecordBatch::try_new(Arc::clone(schema), columns).unwrap()
    }
}

fn column(field: &Field, random: &mut StdRng) -> ArrayRef {
    let rows = 0..BATCH_ROWS;
    match field.data_type() {
        DataType::Int64 => Arc::new(Int64Array::from_iter_values(rows.map(|_| random.random_range(0..MOST)))),
        DataType::Float64 => Arc::new(Float64Array::from_iter_values(rows.map(|_| random.random::<f64>()))),
        DataType::Date32 => Arc::new(Date32Array::from_iter_values(rows.map(|_| random.random_range(15_000..20_000)))),
        _ if field.name() == "borough" => {
            let boroughs = rows.map(|_| BOROUGHS[random.random_range(0..BOROUGHS.len())]);
            Arc::new(StringArray::from_iter_values(boroughs))
        }
        _ => {
            let address = rows.map(|_| format!("{} Street {:x}", random.random_range(1..400), random.random::<u32>()));
            Arc::new(StringArray::from_iter_values(address))
        }
    }
}

impl Table {
    /// So many megabytes of Arrow; writes what is not there yet.
    pub(crate) fn at(kind: Kind, megabytes: usize) -> Self {
        let schema = Arc::new(Schema::new(kind.fields()));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bulk");
        let path = folder.join(format!("{}-{megabytes}.parquet", kind.name()));
        if !path.exists() {
            fs::create_dir_all(&folder).unwrap();
            // Whole or not at all: a file that is there is not made again.
            let unfinished = path.with_extension("unfinished");
            let properties = WriterProperties::builder()
                .set_compression(Compression::UNCOMPRESSED)
                .set_dictionary_enabled(false)
                .build();
            let file = File::create(&unfinished).unwrap();
            let mut writer = ArrowWriter::try_new(file, Arc::clone(&schema), Some(properties)).unwrap();
            let mut random = StdRng::seed_from_u64(1);
            let mut written = 0;
            while written < megabytes * 1_000_000 {
                let batch = kind.batch(&schema, &mut random);
                written += bytes(&batch);
                writer.write(&batch).unwrap();
            }
            writer.close().unwrap();
            fs::rename(unfinished, &path).unwrap();
        }
        Self { kind, schema, path }
    }

    /// The names of its columns, for a SELECT.
    pub(crate) fn columns(&self) -> String {
        let columns: Vec<_> = self.schema.fields().iter().map(|field| format!("\"{}\"", field.name())).collect();
        columns.join(", ")
    }
}

impl Sum {
    pub(crate) fn add(&mut self, batch: &RecordBatch) {
        self.rows += batch.num_rows() as u64;
        self.sum += sum(batch.column(0).as_primitive::<Int64Type>()).unwrap_or_default();
    }
}

/// Bytes of a batch's rows in Arrow's buffers.
pub(crate) fn bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap()).sum()
}
