//! Why a source can't be loaded: which dataset, file, line and column, never a value of a row.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::error::DataFusionError;
use meridian_proto::{ColumnType, Name};

use super::store::ObjectFault;
use super::unanswered::{self, Cause};
use super::{Fault, SourceSpec, StoreFault};

/// Why a source can't be loaded. No variant can hold a piece of a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The file or folder can't be opened or read.
    #[error("dataset {dataset}: {} can't be read: {why}; check `path` and that the node's user may read it", path.display())]
    Unreadable {
        /// The dataset.
        dataset: Name,
        /// The file or folder.
        path: PathBuf,
        /// The operating system's or the format's reason.
        why: String,
    },
    /// A database that can't be read.
    #[error("dataset {dataset}: {}: {fault}", place.display())]
    Database {
        /// The dataset.
        dataset: Name,
        /// Table and database.
        place: PathBuf,
        /// What is wrong, and what to do.
        fault: Fault,
    },
    /// An object store that can't be read.
    #[error("dataset {dataset}: {}: {fault}", place.display())]
    Store {
        /// The dataset.
        dataset: Name,
        /// The object, or all of them.
        place: PathBuf,
        /// What is wrong, and what to do.
        fault: StoreFault,
    },
    /// A piece of the file that is no record.
    #[error("dataset {dataset}: {} {place}: {fault}", path.display())]
    Record {
        /// The dataset.
        dataset: Name,
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: RecordPlace,
        /// What is wrong with it.
        fault: RecordFault,
    },
    /// The address list of a mapping that can't be read.
    #[error("dataset {dataset}: address list {list} ({}): {why}", path.display())]
    Addresses {
        /// The dataset.
        dataset: Name,
        /// The list.
        list: Name,
        /// Its file.
        path: PathBuf,
        /// Why not, and what to do.
        why: String,
    },
    /// The mapping is no query that this dataset can be made of.
    #[error("dataset {dataset}: mapping: {why}")]
    Mapping {
        /// The dataset.
        dataset: Name,
        /// What is wrong, and what to do.
        why: String,
    },
    /// A record whose mapping fails.
    #[error(
        "dataset {dataset}: {}{}: {} can't be computed{}; correct the file, or make the mapping give NULL with TRY_CAST or \
         a function try_…",
        path.display(),
        place.as_ref().map(|place| format!(" {place}")).unwrap_or_default(),
        column.as_ref().map_or("the mapping".to_owned(), |(name, _)| format!("column {name}")),
        column.as_ref().map(|(_, column_type)| format!(" as {column_type}")).unwrap_or_default(),
    )]
    Value {
        /// The dataset.
        dataset: Name,
        /// The file.
        path: PathBuf,
        /// Where the record starts, if one record alone is at fault.
        place: Option<RecordPlace>,
        /// The published column, if one alone is at fault.
        column: Option<(Name, ColumnType)>,
    },
    /// Rows whose column is of another type than declared.
    #[error(
        "dataset {dataset}: column {column}: {rows} rows hold no {column_type}; correct the file, the mapping or the type"
    )]
    Type {
        /// The dataset.
        dataset: Name,
        /// The published column.
        column: Name,
        /// Its declared type.
        column_type: ColumnType,
        /// How many rows.
        rows: u64,
    },
    /// NULL in a required column.
    #[error(
        "dataset {dataset}: column {column} is required, but NULL in {rows} rows; fill them in, filter them out in the mapping, or drop `required`"
    )]
    Required {
        /// The dataset.
        dataset: Name,
        /// The published column.
        column: Name,
        /// How many rows.
        rows: u64,
    },
    /// A unit with more than one row where one is promised.
    #[error(
        "dataset {dataset}: column {column} is declared unique, but {rows} rows repeat a unit; aggregate them in the mapping, or set `unit.unique` to false"
    )]
    Repeated {
        /// The dataset.
        dataset: Name,
        /// The unit's column.
        column: Name,
        /// Rows beyond the first of their unit.
        rows: u64,
    },
    /// Rows outside of the declared coverage.
    #[error(
        "dataset {dataset}: column {column}: {rows} rows lie outside of the declared coverage; filter them out in the mapping, or correct `coverage`"
    )]
    Coverage {
        /// The dataset.
        dataset: Name,
        /// The published column.
        column: Name,
        /// How many rows.
        rows: u64,
    },
    /// A column that can't name units or hold record keys.
    #[error("dataset {dataset}: unit: column {column}: {why}")]
    Unit {
        /// The dataset.
        dataset: Name,
        /// The published column.
        column: Name,
        /// What is wrong, and what to do.
        why: &'static str,
    },
    /// A record key that is none.
    #[error(
        "dataset {dataset}: {} row {row}: record key {column} {why}; correct the file or the mapping", path.display()
    )]
    RecordKey {
        /// The dataset.
        dataset: Name,
        /// The file or folder.
        path: PathBuf,
        /// The published column.
        column: Name,
        /// The row, counted from 1, of those that the mapping yields.
        row: u64,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A rectified value that its column can't hold.
    #[error(
        "dataset {dataset}: column {column}: a rectified value is none of its type; rectify it again with a value of that type"
    )]
    Rectified {
        /// The dataset.
        dataset: Name,
        /// The column.
        column: Name,
    },
    /// An agreement grants a column that there is no more.
    #[error("dataset {dataset} has no column {column}: take it out of the agreement's grant, or publish it again")]
    NoColumn {
        /// The dataset.
        dataset: Name,
        /// The column.
        column: Name,
    },
    /// What is to be done for persons' rights can't be known.
    #[error("dataset {dataset}: {why}; nothing of it is released until then")]
    Rights {
        /// The dataset.
        dataset: Name,
        /// What is wrong, and what to do.
        why: Arc<str>,
    },
    /// A dataset without what snapshots need.
    #[error(
        "dataset {dataset}: as_of = \"{as_of}\" needs a [unit] and the node's state folder; add the unit, or set as_of = \"live\""
    )]
    NoSnapshots {
        /// The dataset.
        dataset: Name,
        /// What is configured.
        as_of: &'static str,
    },
    /// A snapshot that is there and can't be used.
    #[error("dataset {dataset}: snapshot {}: {why}; remove it to take a new snapshot from the source", path.display())]
    Snapshot {
        /// The dataset.
        dataset: Name,
        /// The snapshot's file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A snapshot that can't be kept.
    #[error("dataset {dataset}: snapshot {} can't be written: {why}; check the state folder and its disk", path.display())]
    SnapshotWrite {
        /// The dataset.
        dataset: Name,
        /// The snapshot's file.
        path: PathBuf,
        /// The operating system's reason.
        why: String,
    },
    /// A row filter that is no predicate over the published columns.
    #[error("dataset {dataset}: filter: {why}")]
    Predicate {
        /// The dataset.
        dataset: Name,
        /// What is wrong, and what to do.
        why: String,
    },
}

/// Where a record starts in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordPlace {
    /// A line, counted from 1, line breaks inside of quotes included.
    Line(u64),
    /// A row of a spreadsheet, counted as it is shown there.
    Row {
        /// The sheet's name.
        sheet: String,
        /// Its row.
        row: u64,
    },
}

impl fmt::Display for RecordPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Row { sheet, row } => write!(f, "sheet {sheet} row {row}"),
        }
    }
}

/// What is wrong with a piece of a file that should be a record; holds no text of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordFault {
    /// Too few or too many fields.
    #[error(
        "{found} fields where the first record has {expected}; correct the line, or quote the field that holds a delimiter"
    )]
    Fields {
        /// Fields of the first record.
        expected: usize,
        /// Fields of this record.
        found: usize,
    },
    /// Bytes that are no text of the encoding that is named.
    #[error(
        "text that is not {0}; save the file as UTF-8, or say how it is encoded, such as encoding = \"windows-1252\""
    )]
    Encoding(&'static str),
    /// More bytes than a record may have.
    #[error("a record of more than 16 MiB; check for a quote that is never closed")]
    Long,
    /// A quote that opens here and never closes.
    #[error("a quote opens and is never closed; close it, or double it where it is meant literally")]
    Quote,
    /// A heading that names a column twice.
    #[error("the heading names column {0} twice (counted from 1: the later one); rename it")]
    Heading(usize),
    /// A piece of JSON that is no object, or of which none can be made a row.
    #[error("no row can be made of it, since {0}; correct it, or export the file anew")]
    Json(&'static str),
    /// A geometry that can't be read.
    #[error("column geometry holds no geometry, since {0}; correct it, or export the file anew")]
    Geometry(&'static str),
    /// A cell of a spreadsheet that shows an error in place of a value.
    #[error("column {column} shows the error {error}; correct the formula, or remove it")]
    Cell {
        /// The column's letters.
        column: String,
        /// The spreadsheet's word for it.
        error: String,
    },
    /// A record that the parser refuses for another reason.
    #[error("no record can be read; check delimiter and quotes")]
    Record,
}

impl SourceError {
    pub(super) fn unreadable(spec: &SourceSpec, why: &impl ToString) -> Self {
        Self::unreadable_at(spec, &spec.path, why)
    }

    pub(super) fn unreadable_at(spec: &SourceSpec, path: &Path, why: &impl ToString) -> Self {
        Self::Unreadable { dataset: spec.dataset.name.clone(), path: path.to_path_buf(), why: why.to_string() }
    }

    pub(super) fn mapping(spec: &SourceSpec, why: impl ToString) -> Self {
        Self::Mapping { dataset: spec.dataset.name.clone(), why: why.to_string() }
    }

    pub(super) fn unit(spec: &SourceSpec, column: &Name, why: &'static str) -> Self {
        Self::Unit { dataset: spec.dataset.name.clone(), column: column.clone(), why }
    }

    pub(super) fn record_key(spec: &SourceSpec, column: &Name, row: u64, why: &'static str) -> Self {
        let (dataset, path) = (spec.dataset.name.clone(), spec.path.clone());
        Self::RecordKey { dataset, path, column: column.clone(), row, why }
    }

    pub(super) fn database(spec: &SourceSpec, fault: Fault) -> Self {
        Self::Database { dataset: spec.dataset.name.clone(), place: spec.path.clone(), fault }
    }

    pub(super) fn store(spec: &SourceSpec, ObjectFault { place, fault }: &ObjectFault) -> Self {
        Self::Store { dataset: spec.dataset.name.clone(), place: place.clone(), fault: fault.clone() }
    }

    /// A run of the engine that fails, at a server or else somewhere in an evaluation.
    pub(super) fn run(spec: &SourceSpec, error: &DataFusionError) -> Self {
        match unanswered::cause(error) {
            Some(Cause::Database(fault)) => Self::database(spec, fault.clone()),
            Some(Cause::Store(fault)) => Self::store(spec, fault),
            None => Self::evaluation(spec),
        }
    }

    /// An evaluation that fails somewhere, where the engine's own words may hold values and are not passed on.
    pub(super) fn evaluation(spec: &SourceSpec) -> Self {
        Self::Value { dataset: spec.dataset.name.clone(), path: spec.path.clone(), place: None, column: None }
    }
}
