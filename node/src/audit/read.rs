//! Reads a log back for its owner: its records, proofs of them, and the private parts that still exist.

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use tlog_tiles::{TileHashReader, prove_record, record_hash};

use super::note::Signed;
use super::proof::Proof;
use super::record::{Line, Record};
use super::replay::{self, damaged, failed};
use super::rights::Rights;
use super::seal::sealed;
use super::tiles::{self, CHECKPOINT};
use super::tree::{OnDisk, WIDTH};
use super::{LOCK, LogError, Private, side};

/// A record of a log.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its position, from 0.
    pub index: u64,
    /// Milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// Its hash in the tree.
    pub hash: [u8; 32],
    /// What commits to its private part, in hexadecimal; empty where it has none.
    pub commitment: String,
    /// What it says.
    pub record: Record,
}

/// What is left of a private part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// The record has none.
    Nothing,
    /// It is there, and is what the record commits to.
    Whole(Private),
    /// It was deleted.
    Deleted,
    /// There is one, and it is not what the record commits to.
    Altered,
}

/// The entries of a log as they were written, in order: those in bundles, then those of the journal.
pub struct Entries<'a> {
    folder: &'a Path,
    /// The index of the next one.
    next: u64,
    /// The index of the first one that is in the journal.
    journal: u64,
    held: std::vec::IntoIter<Vec<u8>>,
    tail: Vec<Vec<u8>>,
}

impl<'a> Entries<'a> {
    /// The entries of the log in `folder` from an index on; those that are sealed are passed over.
    pub(super) fn new(folder: &'a Path, from: u64) -> Result<(Self, replay::Replayed), LogError> {
        let mut read = replay::journal(folder)?;
        let from = from.max(sealed(folder)?.tree.size());
        let journal = read.start.tree.size();
        let mut tail = std::mem::take(&mut read.entries);
        let next = from.min(journal + tail.len() as u64);
        tail.drain(..usize::try_from(next.saturating_sub(journal)).unwrap_or(0));
        Ok((Self { folder, next, journal, held: Vec::new().into_iter(), tail }, read))
    }

    /// The next entry with its index; `None` at the end.
    pub(super) fn take(&mut self) -> Result<Option<(u64, Vec<u8>)>, LogError> {
        let index = self.next;
        if let Some(entry) = self.held.next() {
            self.next += 1;
            return Ok(Some((index, entry)));
        }
        if index >= self.journal {
            self.held = std::mem::take(&mut self.tail).into_iter();
        } else {
            let (number, place) = tiles::place(index);
            let path = self.folder.join(tiles::bundle_path(number, 256));
            let mut entries = tiles::bundle(self.folder, number, 256).map_err(|error| match error.kind() {
                io::ErrorKind::Other => damaged(&path, index, "it is no bundle of 256 records"),
                io::ErrorKind::NotFound => damaged(&path, index, "the file is missing"),
                _ => failed(&path, &error),
            })?;
            if entries.len() as u64 != WIDTH {
                return Err(damaged(&path, index, "it is no bundle of 256 records"));
            }
            entries.drain(..place);
            self.held = entries.into_iter();
        }
        let Some(entry) = self.held.next() else { return Ok(None) };
        self.next += 1;
        Ok(Some((index, entry)))
    }
}

/// What all records of the log in `folder` say of rights, the sealed ones included.
pub fn rights(folder: &Path) -> Result<Rights, LogError> {
    if folder.join(LOCK).exists() { Ok(replay::journal(folder)?.standing.rights) } else { Ok(Rights::default()) }
}

/// Hands each record of the log in `folder` that is not sealed to `visit`, in order, until that has seen enough. It may be read while a node
/// writes it. Whether the whole of it holds is for [`super::verify()`] to say.
pub fn each(folder: &Path, visit: &mut dyn FnMut(Recorded) -> ControlFlow<()>) -> Result<(), LogError> {
    each_from(folder, 0, visit)
}

/// The same from an index on.
pub fn each_from(folder: &Path, from: u64, visit: &mut dyn FnMut(Recorded) -> ControlFlow<()>) -> Result<(), LogError> {
    let (mut entries, _) = Entries::new(folder, from)?;
    while let Some((index, entry)) = entries.take()? {
        let recorded = recorded(folder, index, &entry)?;
        if visit(recorded).is_break() {
            break;
        }
    }
    Ok(())
}

/// Reads an entry.
pub(super) fn recorded(folder: &Path, index: u64, entry: &[u8]) -> Result<Recorded, LogError> {
    let broken = |why| damaged(&folder.join("tile/entries"), index, why);
    let line = Line::read(folder, entry).map_err(broken)?;
    if line.index != index {
        return Err(broken("its index is not the next one"));
    }
    let Line { index, time_ms, commitment, record } = line;
    Ok(Recorded { index, time_ms, hash: record_hash(entry).0, commitment, record })
}

/// The records of the log in `folder`.
pub fn records(folder: &Path) -> Result<Vec<Recorded>, LogError> {
    fs::metadata(folder.join(LOCK)).map_err(|error| failed(folder, &error))?;
    let mut records = Vec::new();
    each(folder, &mut |recorded| {
        records.push(recorded);
        ControlFlow::Continue(())
    })?;
    Ok(records)
}

/// The same; none where there is no log. It may be read while a node writes it.
pub fn records_if_any(folder: &Path) -> Result<Vec<Recorded>, LogError> {
    if folder.join(LOCK).exists() { records(folder) } else { Ok(Vec::new()) }
}

/// The published checkpoint of the log in `folder`, which is signed by this key.
pub fn published(folder: &Path, key: &str) -> Result<Signed, LogError> {
    let path = folder.join(CHECKPOINT);
    let note = fs::read(&path).map_err(|error| failed(&path, &error))?;
    Signed::verify(&note, key).map_err(|_| damaged(&path, 0, "it is not signed by this node's log"))
}

/// The proof that a record of the log in `folder` is in the tree of a checkpoint, with the record itself where that is not
/// sealed.
pub fn proof(folder: &Path, index: u64, checkpoint: &Signed) -> Result<Proof, LogError> {
    let (mut entries, _) = Entries::new(folder, index)?;
    if index >= checkpoint.size {
        let size = checkpoint.size;
        return Err(LogError::Proof(format!("the checkpoint covers {size} records, counted from 0, and not {index}")));
    }
    let entry = entries.take()?.filter(|(found, _)| *found == index).map(|(_, entry)| entry);
    let disk = OnDisk(folder.to_owned());
    let reader = TileHashReader::new(checkpoint.size, checkpoint.root, &disk);
    let hashes = prove_record(checkpoint.size, index, &reader).map_err(|error| LogError::Proof(error.to_string()))?;
    Ok(Proof { extra: entry, index, hashes, note: checkpoint.note.clone() })
}

/// The private part of a record of the log in `folder`.
pub fn private(folder: &Path, key: &[u8; 32], recorded: &Recorded) -> Result<Kept, LogError> {
    if recorded.commitment.is_empty() {
        return Ok(Kept::Nothing);
    }
    let parts = side::read(folder, key, recorded.index, recorded.time_ms);
    let parts = parts.map_err(|error| failed(&folder.join("private"), &error))?;
    let meant = parts.iter().find(|part| hex::encode(part.commitment()) == recorded.commitment);
    Ok(match meant.and_then(|part| part.private()) {
        Some(private) => Kept::Whole(private),
        None if parts.is_empty() => Kept::Deleted,
        None => Kept::Altered,
    })
}
