//! Turns the file behind a dataset into a plan that yields the published columns, or says why it can't.

mod checks;
mod csv;
mod error;
mod fingerprint;
mod lines;
mod mapping;
mod materialise;
mod parquet;
mod predicate;
mod total;
mod types;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use meridian_proto::{Dataset, Name};

pub use error::{LineFault, SourceError};
pub use fingerprint::Fingerprint;
pub use predicate::predicate;
pub use types::{arrow_type, literal, published_schema};

/// The name by which a mapping reads the file.
pub const SOURCE_TABLE: &str = "source";

/// Where a dataset's rows come from and what they become.
#[derive(Debug, Clone)]
pub struct SourceSpec {
    /// What is published: names, types, required columns, coverage, form.
    pub dataset: Arc<Dataset>,
    /// How the file is read.
    pub kind: SourceKind,
    /// The file; for Parquet also a folder of `.parquet` files.
    pub path: PathBuf,
    /// A query over `source` that yields the published columns; `None` takes each column by its own name.
    pub mapping: Option<String>,
    /// A column with no value twice.
    pub unique: Option<Name>,
}

/// How a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// Read anew by every query, filters and projections pushed into the reader.
    Parquet,
    /// Read once, every column as text where an empty field is NULL, and held in memory as published columns.
    Csv {
        /// One byte between fields.
        delimiter: u8,
        /// Whether the first record names the columns; otherwise they are `column_1`, `column_2` and so on.
        header: bool,
    },
}

/// A dataset that can be queried.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Yields the published columns in order with exactly the declared types, every one of them nullable
    /// ([`published_schema`]). It is analysed, not optimised; its columns carry no promised qualifier: alias it.
    pub plan: LogicalPlan,
    /// How many rows it yields.
    pub rows: u64,
    /// The file as it was before it was read.
    pub fingerprint: Fingerprint,
    path: PathBuf,
}

impl Loaded {
    /// Whether the file has changed since, or is gone: load it again.
    pub fn is_stale(&self) -> bool {
        !matches!(Fingerprint::of(&self.path), Ok(now) if now == self.fingerprint)
    }
}

/// Loads a source and checks what its dataset promises: types, required columns, unique units, coverage.
///
/// Of `context` it takes the runtime (memory pool, object stores) and the number of partitions; nothing is registered in it.
pub async fn load(spec: &SourceSpec, context: &SessionContext) -> Result<Loaded, SourceError> {
    let fingerprint = Fingerprint::of(&spec.path).map_err(|error| SourceError::unreadable(spec, &error))?;
    let mapped = match spec.kind {
        SourceKind::Parquet => parquet::open(spec, context).await?,
        SourceKind::Csv { delimiter, header } => materialise::read(spec, delimiter, header, context).await?,
    };
    let rows = checks::check(spec, &mapped, context).await?;
    Ok(Loaded { plan: mapped.published, rows, fingerprint, path: spec.path.clone() })
}

/// The size class of so many rows: the exponent of the smallest power of ten that is no smaller.
pub fn size_class(rows: u64) -> u32 {
    rows.checked_sub(1).and_then(u64::checked_ilog10).map_or(0, |digits| digits + 1)
}
