//! Where a dataset's rows come from, what they become, and what stands for a unit in them.

use std::collections::HashSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use meridian_proto::{Dataset, Name};

use super::fingerprint::FilesOf;
use super::sqlite::SQLITE;
use super::{Addresses, AsOf, CsvFormat, ExcelFormat, FlightSql, InStore, Postgres, Sqlite};

/// Where a dataset's rows come from and what they become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSpec {
    /// What is published: names, types, required columns, coverage, form.
    pub dataset: Arc<Dataset>,
    /// How the file is read.
    pub kind: SourceKind,
    /// The file, or a folder of such; for PostgreSQL and other engines what messages call the table.
    pub path: PathBuf,
    /// Where it is, if it is in an object store; then `path` is what messages call it.
    pub store: Option<InStore>,
    /// A query over `source` that yields the published columns; `None` takes each column by its own name.
    pub mapping: Option<String>,
    /// The list in which the mapping may look for addresses; such a dataset is read once and held in memory.
    pub addresses: Option<Addresses>,
    /// What its rows are about; such a dataset is read once and held in memory, but for large ones of Parquet.
    pub unit: Option<UnitSpec>,
    /// Bytes of Parquet files up to which live rows with a unit are held in memory; larger ones are scanned by every query.
    pub most_held: u64,
    /// How long every query sees the same rows; only a dataset with a unit is anything but live.
    pub as_of: AsOf,
    /// Where snapshots are kept; needed for all but live datasets.
    pub snapshots: Option<SnapshotStore>,
    /// What is done to the rows whenever they are taken from the source, for whom they are about.
    pub rights: RightsSpec,
}

impl SourceSpec {
    /// Whether both yield the same published rows while the file is the same.
    pub fn yields_what(&self, other: &Self) -> bool {
        let shape = |dataset: &Dataset| {
            let columns = dataset.columns.iter().map(|c| (c.name.clone(), c.column_type, c.required));
            (dataset.name.clone(), dataset.coverage.clone(), columns.collect::<Vec<_>>())
        };
        let Self { dataset, kind, path, store, mapping, addresses, unit, most_held: _, as_of, snapshots, rights } =
            self;
        shape(dataset) == shape(&other.dataset)
            && *kind == other.kind
            && *path == other.path
            && *store == other.store
            && *mapping == other.mapping
            && *addresses == other.addresses
            && *unit == other.unit
            && *as_of == other.as_of
            && *snapshots == other.snapshots
            && *rights == other.rights
    }

    /// Whether it is on a server that may be away, so that only trying tells whether it can be loaded.
    pub fn is_elsewhere(&self) -> bool {
        self.store.is_some() || matches!(self.kind, SourceKind::Postgres(_) | SourceKind::FlightSql(_))
    }

    /// A live source that is about no units.
    pub fn new(dataset: Arc<Dataset>, kind: SourceKind, path: PathBuf, mapping: Option<String>) -> Self {
        Self {
            dataset,
            kind,
            path,
            store: None,
            mapping,
            addresses: None,
            unit: None,
            most_held: u64::MAX,
            as_of: AsOf::Live,
            snapshots: None,
            rights: RightsSpec::default(),
        }
    }
}

/// How a file is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceKind {
    /// Read anew by every query, filters and projections pushed into the reader; a dataset with a unit is held in memory where
    /// it is small.
    Parquet,
    /// Read once, every column as text where an empty field is NULL, and held in memory as published columns.
    Csv(CsvFormat),
    /// A sheet of a workbook, read and held like CSV.
    Excel(ExcelFormat),
    /// One JSON object on each line, or an array of such; read and held like CSV.
    JsonLines,
    /// The features of GeoJSON: properties as columns of text, and `geometry` as well-known binary; read and held like CSV.
    GeoJson,
    /// Asked by every query, which is answered there as far as it means the same; a dataset with a unit is held in memory.
    Postgres(Postgres),
    /// A table of a SQLite file, asked by every query like PostgreSQL; a dataset with a unit is held in memory.
    Sqlite(Sqlite),
    /// A table of another engine that speaks Flight SQL, asked by every query like PostgreSQL; a dataset with a unit is held in
    /// memory.
    FlightSql(FlightSql),
}

impl SourceKind {
    /// Which files of a folder belong to it.
    pub(super) fn files(&self) -> FilesOf {
        let suffixes: &[&str] = match self {
            // Writers of Parquet keep their own notes under such names.
            Self::Parquet => return FilesOf { suffixes: &[".parquet"], hidden: &['.', '~', '_'], beside: None },
            Self::Sqlite(_) => return SQLITE,
            Self::Postgres(_) | Self::FlightSql(_) => &[],
            Self::Csv(_) => &[".csv", ".csv.gz"],
            Self::Excel(_) => &[".xlsx", ".xls"],
            Self::GeoJson => &[
                ".geojson",
                ".geojsonl",
                ".geojsons",
                ".geojsonseq",
                ".geojson.gz",
                ".geojsonl.gz",
                ".geojsons.gz",
                ".geojsonseq.gz",
            ],
            Self::JsonLines => &[".jsonl", ".ndjson", ".json", ".jsonl.gz", ".ndjson.gz", ".json.gz"],
        };
        // Editors and spreadsheets leave such beside what is open.
        FilesOf { suffixes, hidden: &['.', '~'], beside: None }
    }
}

/// What the rows of a dataset are about.
#[derive(Clone, PartialEq, Eq)]
pub struct UnitSpec {
    /// What a unit is: `person`, `dwelling`.
    pub kind: Name,
    /// The published column that names it; `None` where each row is a unit.
    pub column: Option<Name>,
    /// Whether no unit has more than one row; checked on load.
    pub unique: bool,
    /// A published column of integers from 0 to 255, the same in all rows of a unit, that takes the place of the low 8
    /// bits of its hash.
    pub record_key: Option<Name>,
    /// The key of the hashes: one for each kind, the same in all datasets of the body.
    pub key: [u8; 16],
    /// The unit of another kind to which a row's unit belongs.
    pub belongs_to: Option<OuterUnitSpec>,
}

/// The unit of another kind to which a row's unit belongs: whoever may not be used there is left out here, too.
#[derive(Clone, PartialEq, Eq)]
pub struct OuterUnitSpec {
    /// What it is: `household`.
    pub kind: Name,
    /// The published column that names it.
    pub column: Name,
    /// The key of its kind's hashes.
    pub key: [u8; 16],
}

impl fmt::Debug for OuterUnitSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, column, key: _ } = self;
        f.debug_struct("OuterUnitSpec").field("kind", kind).field("column", column).finish_non_exhaustive()
    }
}

impl fmt::Debug for UnitSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, column, unique, record_key, key: _, belongs_to } = self;
        let mut shown = f.debug_struct("UnitSpec");
        shown.field("kind", kind).field("column", column).field("unique", unique).field("record_key", record_key);
        shown.field("belongs_to", belongs_to);
        shown.finish_non_exhaustive()
    }
}

/// Where snapshots are kept, and the key that seals them.
#[derive(Clone, PartialEq, Eq)]
pub struct SnapshotStore {
    /// The folder; made with the first snapshot.
    pub folder: PathBuf,
    /// From this the key of each file is derived.
    pub key: [u8; 32],
}

impl fmt::Debug for SnapshotStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotStore").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// What is done to rows for whom they are about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RightsSpec {
    /// Numbers of the entries of the node's list that are about the dataset, ended ones and their ends included.
    pub entries: Arc<[u64]>,
    /// Units whose rows are filtered out, as [`super::unit_hash`] gives them with the key of their kind: the rows' own
    /// and those that they belong to.
    pub left_out: Arc<HashSet<u64>>,
    /// Values that overlay the source's; ignored where each row is a unit.
    pub rectified: Vec<Rectified>,
    /// Why it can't be known; then nothing is loaded.
    pub fault: Option<Arc<str>>,
}

/// A value that is right where the source's is wrong.
#[derive(Clone, PartialEq, Eq)]
pub struct Rectified {
    /// The number of the entry that says so.
    pub entry: u64,
    /// The unit, as [`super::unit_hash`] gives it.
    pub unit: u64,
    /// The published column that it overlays in every row of the unit.
    pub column: Name,
    /// The published value as text.
    pub value: String,
}

impl fmt::Debug for Rectified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rectified").field("column", &self.column).finish_non_exhaustive()
    }
}
