//! Formats for programs: Parquet, and Arrow IPC as a stream or a file. What NULL means travels in the file's own metadata.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::{FileWriter, StreamWriter};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

/// Rows of a Parquet row group at most.
const GROUP_ROWS: usize = 128 << 10;
/// Size at which a row group is written, in bytes: what is held in memory of an answer, however long.
const GROUP_BYTES: usize = 16 << 20;
/// Under which key a file says what NULL means in it.
const NULL_KEY: &str = "meridian.null";

/// A file that is being written, a piece at a time.
pub(super) enum Binary {
    Parquet(Box<ArrowWriter<Vec<u8>>>),
    Stream(Box<StreamWriter<Vec<u8>>>),
    File(Box<FileWriter<Vec<u8>>>),
}

impl Binary {
    /// A Parquet file.
    pub(super) fn parquet(schema: &SchemaRef) -> Result<Self, ArrowError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_created_by(concat!("meridian ", env!("CARGO_PKG_VERSION")).into());
        let writer = ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties.build()))?;
        Ok(Self::Parquet(Box::new(writer)))
    }

    /// An Arrow IPC stream.
    pub(super) fn stream(schema: &SchemaRef) -> Result<Self, ArrowError> {
        Ok(Self::Stream(Box::new(StreamWriter::try_new(Vec::new(), schema)?)))
    }

    /// An Arrow IPC file.
    pub(super) fn file(schema: &SchemaRef) -> Result<Self, ArrowError> {
        Ok(Self::File(Box::new(FileWriter::try_new(Vec::new(), schema)?)))
    }

    /// Adds rows; the bytes that are ready.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        match self {
            Self::Parquet(writer) => {
                writer.write(batch)?;
                if writer.in_progress_size() > GROUP_BYTES {
                    writer.flush()?;
                }
            }
            Self::Stream(writer) => writer.write(batch)?,
            Self::File(writer) => writer.write(batch)?,
        }
        Ok(self.ready())
    }

    /// The last bytes.
    pub(super) fn finish(mut self, meaning: Option<&str>) -> Result<Vec<u8>, ArrowError> {
        match &mut self {
            Self::Parquet(writer) => {
                if let Some(meaning) = meaning {
                    writer.append_key_value_metadata(KeyValue::new(NULL_KEY.to_owned(), meaning.to_owned()));
                }
                writer.finish()?;
            }
            Self::Stream(writer) => writer.finish()?,
            Self::File(writer) => {
                if let Some(meaning) = meaning {
                    writer.write_metadata(NULL_KEY, meaning);
                }
                writer.finish()?;
            }
        }
        Ok(self.ready())
    }

    /// What has been written since the last time. The writers count by themselves where in the file they are.
    fn ready(&mut self) -> Vec<u8> {
        std::mem::take(match self {
            Self::Parquet(writer) => writer.inner_mut(),
            Self::Stream(writer) => writer.get_mut(),
            Self::File(writer) => writer.get_mut(),
        })
    }
}
