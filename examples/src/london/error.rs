//! What can go wrong while a body's folder is written.

use std::io;
use std::path::PathBuf;

use arrow::error::ArrowError;
use parquet::errors::ParquetError;

/// A body's folder could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The mesh has no body of this name.
    #[error("the London mesh has no body {slug}: use loda, gla, lfb or a borough's name such as tower_hamlets")]
    UnknownBody {
        /// The name that was asked for.
        slug: String,
    },
    /// A published file isn't where it should be, or can't be opened.
    #[error("published file {}: {source}; name the folder that holds it, or leave the folder out for generated data", path.display())]
    Published {
        /// Where it was looked for.
        path: PathBuf,
        /// Why it can't be read.
        source: io::Error,
    },
    /// A path can't be named in a configuration file.
    #[error("path {} can't be written into a configuration file because it isn't UTF-8: use another folder", path.display())]
    NotUtf8 {
        /// The path.
        path: PathBuf,
    },
    /// A file or folder can't be written.
    #[error("writing {}: {source}; check the folder's permissions and free space", path.display())]
    Write {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Rows can't be put into arrays.
    #[error("generating the rows of {}: {source}", path.display())]
    Rows {
        /// The file they were for.
        path: PathBuf,
        /// Why.
        source: ArrowError,
    },
    /// A CSV file can't be written.
    #[error("writing {} as CSV: {source}; check the folder's permissions and free space", path.display())]
    Csv {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: ArrowError,
    },
    /// A Parquet file can't be written.
    #[error("writing {} as Parquet: {source}; check the folder's permissions and free space", path.display())]
    Parquet {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: ParquetError,
    },
    /// The tables of this crate don't fit together.
    #[error("the tables of the London mesh have no entry for {what}: this is a defect of the program, report it")]
    Tables {
        /// What was looked up.
        what: &'static str,
    },
}
