//! One file of records, or all of a folder, as one table: files of one layout, and columns that folders' names give.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};

use super::csv::{self, CsvFile, Cutter};
use super::excel::Sheet;
use super::json::{JsonFile, Kind};
use super::{Batches, Fault, InOrder, LeftOut, RecordPlace, Records, text};
use crate::sources::fingerprint::files_at;
use crate::sources::pieces::Columns;
use crate::sources::store::InMemory;
use crate::sources::{SourceError, SourceKind, SourceSpec};

/// Why a file of a source stops being one of records; holds no text of it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: {fault}", path.display())]
pub(in crate::sources) struct FileFault {
    path: PathBuf,
    fault: Fault,
}

impl FileFault {
    /// Why, without the file.
    pub(in crate::sources) fn why(&self) -> String {
        self.fault.to_string()
    }

    /// The error that it is in a source.
    pub(in crate::sources) fn of(self, spec: &SourceSpec) -> SourceError {
        let Self { path, fault } = self;
        match fault {
            Fault::Read(why) => SourceError::unreadable_at(spec, &path, &why),
            Fault::Record { place, fault } => {
                SourceError::Record { dataset: spec.dataset.name.clone(), path, place, fault }
            }
        }
    }
}

/// The files behind a source.
#[derive(Debug)]
pub(in crate::sources) struct Files {
    schema: SchemaRef,
    files: Vec<File>,
    /// What was fetched for them, and is to stay as long.
    _fetched: Vec<InMemory>,
    left_out: Mutex<LeftOut>,
}

#[derive(Debug)]
struct File {
    path: PathBuf,
    records: Arc<dyn Records>,
    /// The values that its folders' names give.
    folders: Vec<String>,
}

/// Some rows of one file.
pub(in crate::sources) struct Part {
    /// They, with the columns of the folders' names.
    pub(in crate::sources) batch: RecordBatch,
    file: usize,
    numbers: Vec<u64>,
}

impl Files {
    /// Opens the file of a source, or those that its folder holds now.
    pub(in crate::sources) fn open(root: &Path, kind: &SourceKind) -> Result<Self, FileFault> {
        let unreadable = |why: String| FileFault { path: root.to_path_buf(), fault: Fault::Read(why) };
        let paths = files_at(root, kind.files()).map_err(|error| unreadable(error.to_string()))?;
        Self::of(root, paths.into_iter().map(|path| (path.clone(), path)), kind)
    }

    /// Opens objects that were fetched from below `root`.
    pub(in crate::sources) fn of_objects(
        root: &Path,
        objects: Vec<InMemory>,
        kind: &SourceKind,
    ) -> Result<Self, FileFault> {
        let files = Self::of(root, objects.iter().map(|object| (object.shown.clone(), object.path())), kind)?;
        Ok(Self { _fetched: objects, ..files })
    }

    /// Opens files, each by what it is called and by where it is.
    fn of(
        root: &Path,
        paths: impl ExactSizeIterator<Item = (PathBuf, PathBuf)>,
        kind: &SourceKind,
    ) -> Result<Self, FileFault> {
        let unreadable = |why: String| FileFault { path: root.to_path_buf(), fault: Fault::Read(why) };
        let mut files: Vec<File> = Vec::with_capacity(paths.len());
        let mut columns: Option<(SchemaRef, Vec<String>)> = None;
        for (path, place) in paths {
            let at = |fault| FileFault { path: path.clone(), fault };
            let records = open(kind, &place).map_err(at)?;
            let (names, folders): (Vec<_>, Vec<_>) = named_folders(root, &path).into_iter().unzip();
            match &columns {
                None => columns = Some((Arc::clone(records.schema()), names)),
                Some((schema, first)) => same_layout(schema, records.schema(), first, &names).map_err(at)?,
            }
            files.push(File { path, records, folders });
        }
        let Some((schema, names)) = columns else {
            let suffixes = kind.files().suffixes.join(" or ");
            return Err(unreadable(format!("the folder holds no file that ends in {suffixes}")));
        };
        let schema = with_folders(&schema, &names).map_err(unreadable)?;
        Ok(Self { schema, files, _fetched: Vec::new(), left_out: Mutex::default() })
    }

    /// The columns of all files, as text but for geometry.
    pub(in crate::sources) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// All rows, file by file; ends after the first fault.
    pub(in crate::sources) fn parts(self: &Arc<Self>) -> Parts {
        *self.left_out.lock().unwrap_or_else(PoisonError::into_inner) = LeftOut::default();
        Parts { files: Arc::clone(self), next: 0, rows: None }
    }

    /// The file in which a row of a part stands, and where in it.
    pub(in crate::sources) fn place(&self, part: &Part, row: usize) -> Option<(&Path, Option<RecordPlace>)> {
        let File { path, records, .. } = self.files.get(part.file)?;
        Some((path, part.numbers.get(row).and_then(|number| records.place(*number))))
    }

    /// What was left out of the rows that were read last.
    pub(in crate::sources) fn left_out(&self) -> LeftOut {
        *self.left_out.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(kind: &SourceKind, path: &Path) -> Result<Arc<dyn Records>, Fault> {
    match kind {
        SourceKind::Csv(format) => Ok(Arc::new(CsvFile::open(path, format)?)),
        SourceKind::Excel(format) => Ok(Arc::new(Sheet::open(path, format)?)),
        SourceKind::JsonLines => Ok(Arc::new(JsonFile::open(path, Kind::Rows)?)),
        SourceKind::GeoJson => Ok(Arc::new(JsonFile::open(path, Kind::Features)?)),
        SourceKind::Parquet | SourceKind::Postgres(_) | SourceKind::Sqlite(_) | SourceKind::FlightSql(_) => {
            Err(Fault::Read("it is no file of records".into()))
        }
    }
}

/// Whether the first file of a source is UTF-8, or says itself what it is.
pub(in crate::sources) fn is_utf_8(root: &Path, kind: &SourceKind) -> Result<bool, FileFault> {
    let at = |path: &Path, why: String| FileFault { path: path.to_path_buf(), fault: Fault::Read(why) };
    let paths = files_at(root, kind.files()).map_err(|error| at(root, error.to_string()))?;
    let Some(path) = paths.first() else { return Ok(true) };
    text::is_utf_8(path).map_err(|fault| FileFault { path: path.clone(), fault })
}

/// The names and values of the folders `name=value` between a source's folder and a file.
pub(in crate::sources) fn named_folders(root: &Path, file: &Path) -> Vec<(String, String)> {
    let between = file.strip_prefix(root).ok().and_then(Path::parent).into_iter().flat_map(Path::iter);
    let named = between.filter_map(|folder| folder.to_str()?.split_once('='));
    named.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Why the folders above a file, named for columns `own`, don't fit to those above the first one.
pub(in crate::sources) fn same_folders(first: &[String], own: &[String]) -> Result<(), &'static str> {
    if first == own {
        return Ok(());
    }
    Err("the folders above it are named for other columns than those above the source's first file; name them alike")
}

fn same_layout(first: &SchemaRef, schema: &SchemaRef, folders: &[String], own: &[String]) -> Result<(), Fault> {
    same_folders(folders, own).map_err(|why| Fault::Read(why.into()))?;
    let names = |schema: &SchemaRef| schema.fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    let (first, own) = (names(first), names(schema));
    if first == own {
        return Ok(());
    }
    let column = 1 + first.iter().zip(&own).take_while(|(one, other)| one == other).count();
    Err(Fault::Read(format!(
        "its heading is another than that of the source's first file from column {column} on; keep files of one layout in \
         one folder"
    )))
}

/// The columns of files, and those that the names of folders above them give.
pub(in crate::sources) fn with_folders(schema: &SchemaRef, names: &[String]) -> Result<SchemaRef, String> {
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    for name in names {
        if fields.iter().any(|field| field.name() == name) {
            return Err(format!(
                "a folder is named for the column {name}, which the files have already; rename the folder"
            ));
        }
        fields.push(Arc::new(Field::new(name, DataType::Utf8, true)));
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The rows of files in their order.
pub(in crate::sources) struct Parts {
    files: Arc<Files>,
    /// The file behind the one that is being read.
    next: usize,
    rows: Option<Batches>,
}

impl Parts {
    fn part(&mut self) -> Result<Option<Part>, FileFault> {
        loop {
            let at = |number: usize, fault| {
                let path = self.files.files.get(number).map(|file| file.path.clone()).unwrap_or_default();
                FileFault { path, fault }
            };
            match (self.rows.as_mut().map(Iterator::next), self.files.files.get(self.next)) {
                (Some(Some(rows)), _) => {
                    let number = self.next.saturating_sub(1);
                    let rows = rows.map_err(|fault| at(number, fault))?;
                    let batch = self.files.whole(number, &rows.batch).map_err(|fault| at(number, fault))?;
                    let mut left_out = self.files.left_out.lock().unwrap_or_else(PoisonError::into_inner);
                    *left_out = *left_out + rows.left_out;
                    return Ok(Some(Part { batch, file: number, numbers: rows.numbers }));
                }
                (_, Some(file)) => {
                    self.rows = Some(Arc::clone(&file.records).rows().map_err(|fault| at(self.next, fault))?);
                    self.next += 1;
                }
                (_, None) => return Ok(None),
            }
        }
    }
}

impl Iterator for Parts {
    type Item = Result<Part, FileFault>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.part().transpose();
        if !matches!(item, Some(Ok(_))) {
            (self.rows, self.next) = (None, usize::MAX);
        }
        item
    }
}

impl Files {
    /// A file's rows with the columns that its folders' names give.
    fn whole(&self, number: usize, batch: &RecordBatch) -> Result<RecordBatch, Fault> {
        let folders = self.files.get(number).map(|file| file.folders.as_slice()).unwrap_or_default();
        let values = folders.iter().map(|value| constant(value, batch.num_rows()));
        let columns = batch.columns().iter().cloned().chain(values).collect();
        RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(|_| Fault::Read("its rows are no table".into()))
    }
}

fn constant(value: &str, rows: usize) -> ArrayRef {
    Arc::new(StringArray::from(vec![value; rows]))
}

/// Some whole records of one file, which are not parsed yet.
pub(in crate::sources) struct Piece {
    file: usize,
    text: csv::Piece,
}

/// All records, piece by piece, file by file.
pub(in crate::sources) struct Pieces {
    files: Arc<Files>,
    bytes: usize,
    /// The file behind the one that is being cut.
    next: usize,
    cutter: Option<Cutter>,
}

impl Iterator for Pieces {
    type Item = Result<Piece, InOrder>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(text) = self.cutter.as_mut().and_then(Iterator::next) {
                return Some(text.map(|text| Piece { file: self.next.saturating_sub(1), text }));
            }
            let file = self.files.files.get(self.next)?;
            self.next += 1;
            match file.records.csv().ok_or(InOrder).and_then(|csv| csv.pieces(self.bytes)) {
                Ok(cutter) => self.cutter = Some(cutter),
                Err(in_order) => return Some(Err(in_order)),
            }
        }
    }
}

impl Files {
    /// Of how many columns, the first ones, cells are taken as they stand in records that are all rows.
    pub(in crate::sources) fn columns_as_they_stand(&self) -> usize {
        let count =
            |file: &File| file.records.csv().filter(|csv| csv.keeps_cells()).map(|csv| csv.schema().fields().len());
        self.files.iter().map(count).min().flatten().unwrap_or_default()
    }

    /// All records in pieces of about so many bytes; `None` where the format has no such pieces.
    pub(in crate::sources) fn pieces(self: &Arc<Self>, bytes: usize) -> Option<Pieces> {
        let cut = self.files.iter().all(|file| file.records.csv().is_some());
        cut.then(|| Pieces { files: Arc::clone(self), bytes, next: 0, cutter: None })
    }

    /// The rows of a piece, these columns of them, and what was left out.
    pub(in crate::sources) fn parsed(
        &self,
        piece: &Piece,
        columns: &Columns,
    ) -> Result<(Vec<RecordBatch>, LeftOut), InOrder> {
        let file = self.files.get(piece.file).ok_or(InOrder)?;
        let csv = file.records.csv().ok_or(InOrder)?;
        let count = csv.schema().fields().len();
        let Columns { places, schema } = columns;
        let of_file = |(place, field): (&usize, &FieldRef)| (*place < count).then(|| (*place, Arc::clone(field)));
        let own: Vec<_> = places.iter().zip(schema.fields()).filter_map(of_file).collect();
        let parsed = csv.parsed(&piece.text, &own)?;
        let whole = |batch: RecordBatch| {
            let mut own = batch.columns().iter();
            let column = |index: &usize| match index.checked_sub(count) {
                None => own.next().cloned(),
                Some(folder) => file.folders.get(folder).map(|value| constant(value, batch.num_rows())),
            };
            let columns = places.iter().map(column).collect::<Option<Vec<_>>>().ok_or(InOrder)?;
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(|_| InOrder)
        };
        let batches = parsed.batches.into_iter().map(whole).collect::<Result<_, _>>()?;
        Ok((batches, parsed.left_out))
    }

    /// What was left out of rows that were read in pieces.
    pub(in crate::sources) fn leave_out(&self, left_out: LeftOut) {
        *self.left_out.lock().unwrap_or_else(PoisonError::into_inner) = left_out;
    }
}
