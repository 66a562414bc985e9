//! Keeps the rows of a dataset for a day, a week or a month, sealed, so that every query in it sees the same ones.

mod period;

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use chrono::{DateTime, Utc};
use meridian_certs::replace_file_with;
use meridian_proto::{Covers, Name};
use sha2::{Digest, Sha256};

use super::format::layout;
use super::held::held_schema;
use super::{SourceError, SourceSpec, UnitSpec};
use crate::secrets::{Opener, Sealer};

pub use period::{AsOf, period_end, period_start};

/// The folder of snapshots in a node's state folder.
pub const SNAPSHOTS: &str = "snapshots";
const SUFFIX: &str = ".snapshot";
/// Bytes of the definition's hash that stand in a file's name.
const DEFINITION: usize = 16;

/// The key in a snapshot's metadata under which stand the entries of the list of rights that its rows are made with.
const RIGHTS: &str = "rights";

/// What a snapshot holds.
pub(super) struct Kept {
    pub(super) batches: Vec<RecordBatch>,
    /// The entries of the list of rights that they are made with.
    pub(super) rights: Arc<[u64]>,
}

/// What is kept beside a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beside {
    /// What answers depend on beside the rows.
    Controls,
    /// Which cells of the declared tables are published.
    Pattern,
}

/// The place of one dataset's rows in one period.
pub(super) struct Snapshot {
    /// When the period began.
    pub(super) start: DateTime<Utc>,
    spec: SourceSpec,
    key: [u8; 32],
    folder: PathBuf,
    /// Tells dataset, period and definition: a file is authentic under its own name alone.
    name: String,
}

impl Snapshot {
    /// The place for `now`; `None` for a live dataset.
    pub(super) fn of(spec: &SourceSpec, now: DateTime<Utc>) -> Result<Option<Self>, SourceError> {
        let Some(start) = period_start(spec.as_of, now) else {
            return Ok(None);
        };
        let dataset = &spec.dataset.name;
        let (Some(unit), Some(store)) = (&spec.unit, &spec.snapshots) else {
            return Err(SourceError::NoSnapshots { dataset: dataset.clone(), as_of: spec.as_of.word() });
        };
        let definition = definition(spec, unit);
        let (as_of, day) = (spec.as_of.word(), start.date_naive());
        let name = format!("{dataset}.{as_of}.{day}.{definition}{SUFFIX}");
        Ok(Some(Self { start, spec: spec.clone(), key: store.key, folder: store.folder.clone(), name }))
    }

    /// Where it is kept.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.join(&self.name)
    }

    /// The rows as they were when it was taken; `None` if it wasn't yet.
    pub(super) fn read(&self) -> Result<Option<Kept>, SourceError> {
        let broken = |why: String| SourceError::Snapshot { dataset: self.dataset(), path: self.path(), why };
        let file = match File::open(self.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|error| broken(error.to_string()))?,
        };
        let kept = self.unsealed(file).map_err(|_| {
            broken("it was altered, cut short or put in another's place, or the node's secret is another".into())
        })?;
        self.remove_others();
        Ok(Some(kept))
    }

    /// Keeps the rows: whole under its name, or not at all.
    pub(super) fn write(&self, batches: &[RecordBatch]) -> Result<(), SourceError> {
        self.sealed(batches).map_err(|error| SourceError::SnapshotWrite {
            dataset: self.dataset(),
            path: self.path(),
            why: error.to_string(),
        })?;
        self.remove_others();
        Ok(())
    }

    fn unsealed(&self, file: File) -> Result<Kept, ArrowError> {
        let opener = Opener::new(BufReader::new(file), &self.key, self.name.as_bytes())?;
        let mut reader = StreamReader::try_new(opener, None)?;
        let schema = held_schema(&self.spec);
        // Without what stands in the file's schema only.
        let held = |batch: RecordBatch| RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec());
        let batches = reader.by_ref().map(|batch| held(batch?)).collect::<Result<_, _>>()?;
        let behind = reader.get_mut().read(&mut [0])?;
        let written = reader.schema();
        let rights = written.metadata().get(RIGHTS).map(|numbers| numbers.split_whitespace().map(str::parse).collect());
        match rights.and_then(Result::ok) {
            Some(rights) if behind == 0 && written.fields() == schema.fields() => Ok(Kept { batches, rights }),
            _ => Err(ArrowError::SchemaError(String::new())),
        }
    }

    fn sealed(&self, batches: &[RecordBatch]) -> io::Result<()> {
        self.put(&self.name, |sealer| encoded(sealer, &self.spec, batches).map_err(io::Error::other))
    }

    /// Seals a file under its name: whole or not at all.
    fn put(&self, name: &str, write: impl FnOnce(Sealer<File>) -> io::Result<Sealer<File>>) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        replace_file_with(&self.folder.join(name), 0o600, |file| {
            write(Sealer::new(file, &self.key, name.as_bytes())?)?.finish()
        })
    }

    /// The text that is kept beside it; `None` if there is none.
    pub(super) fn beside(&self, what: Beside) -> Result<Option<String>, SourceError> {
        let name = self.name_beside(what);
        let path = self.folder.join(&name);
        let broken = |why: &str| SourceError::Snapshot { dataset: self.dataset(), path: path.clone(), why: why.into() };
        let altered = "it was altered, cut short or put in another's place, or the node's secret is another";
        match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(broken(&error.to_string())),
            Ok(file) => {
                let mut kept = String::new();
                let opened = Opener::new(BufReader::new(file), &self.key, name.as_bytes());
                let read = opened.and_then(|mut opener| opener.read_to_string(&mut kept));
                read.map(|_| Some(kept)).map_err(|_| broken(altered))
            }
        }
    }

    /// Keeps a text beside it.
    pub(super) fn put_beside(&self, what: Beside, text: &str) -> Result<(), SourceError> {
        let name = self.name_beside(what);
        let put = self.put(&name, |mut sealer| sealer.write_all(text.as_bytes()).map(|()| sealer));
        put.map_err(|error| SourceError::SnapshotWrite {
            dataset: self.dataset(),
            path: self.folder.join(&name),
            why: error.to_string(),
        })
    }

    fn name_beside(&self, what: Beside) -> String {
        let what = match what {
            Beside::Controls => "controls",
            Beside::Pattern => "pattern",
        };
        format!("{}.{what}", self.name)
    }

    /// Removes the dataset's other snapshots, and halves of such. What can't be removed now is tried again with the next.
    fn remove_others(&self) {
        let others = self.others().unwrap_or_default();
        for path in others {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(file = %path.display(), %error, "an old snapshot can't be removed");
            }
        }
    }

    fn others(&self) -> io::Result<Vec<PathBuf>> {
        let own = format!("{}.", self.spec.dataset.name);
        let beside = [Beside::Controls, Beside::Pattern].map(|what| self.name_beside(what));
        let other = |path: &Path| {
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            name.starts_with(&own)
                && name.contains(SUFFIX)
                && name != self.name
                && !beside.iter().any(|beside| beside == name)
        };
        let paths = fs::read_dir(&self.folder)?.map(|entry| Ok(entry?.path()));
        Ok(paths.collect::<io::Result<Vec<_>>>()?.into_iter().filter(|path| other(path)).collect())
    }

    fn dataset(&self) -> Name {
        self.spec.dataset.name.clone()
    }
}

fn encoded<W: io::Write>(into: W, spec: &SourceSpec, batches: &[RecordBatch]) -> Result<W, ArrowError> {
    let numbers: Vec<String> = spec.rights.entries.iter().map(u64::to_string).collect();
    let schema = held_schema(spec).as_ref().clone();
    let schema = schema.with_metadata([(RIGHTS.to_owned(), numbers.join(" "))].into());
    let mut writer = StreamWriter::try_new(into, &schema)?;
    batches.iter().try_for_each(|batch| writer.write(batch))?;
    writer.finish()?;
    writer.into_inner()
}

/// What the rows depend on but for the source's content: another definition makes another snapshot.
fn definition(spec: &SourceSpec, unit: &UnitSpec) -> String {
    let mut hash = Sha256::new();
    // Each part with its length, so that no two lists of parts read the same.
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    };
    add(&layout(&spec.kind));
    add(spec.path.as_os_str().as_encoded_bytes());
    add(spec.mapping.as_ref().map_or(b"by name".to_vec(), |sql| format!("as {sql}").into_bytes()).as_slice());
    let optional = |name: &Option<Name>| name.as_ref().map(ToString::to_string).unwrap_or_default();
    add(unit.kind.as_str().as_bytes());
    add(optional(&unit.column).as_bytes());
    add(optional(&unit.record_key).as_bytes());
    add(&[u8::from(unit.unique)]);
    for column in &spec.dataset.columns {
        add(format!("column {} {} {}", column.name, column.column_type, column.required).as_bytes());
    }
    for coverage in &spec.dataset.coverage {
        match &coverage.covers {
            Covers::Value(value) => add(format!("coverage {} {value}", coverage.column).as_bytes()),
            Covers::Range { from, to } => {
                let end = |word, text: &Option<String>| text.as_ref().map(|text| format!("{word} {text}"));
                add(format!("range {}", coverage.column).as_bytes());
                add(end("from", from).unwrap_or_default().as_bytes());
                add(end("to", to).unwrap_or_default().as_bytes());
            }
        }
    }
    hex::encode(hash.finalize().iter().copied().take(DEFINITION).collect::<Vec<u8>>())
}
