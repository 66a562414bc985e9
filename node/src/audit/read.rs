//! Reads a log back for its owner: its records, whether the chain holds, and the private parts that still exist.

use std::fs;
use std::path::Path;

use super::record::{Line, Record};
use super::{FILE, LogError, Private, chain, side};

/// A record of a log.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// Its position, from 0.
    pub index: u64,
    /// Milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// SHA-256 of its line.
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

/// The records of the log in `folder`, whose chain holds.
pub fn records(folder: &Path) -> Result<Vec<Recorded>, LogError> {
    let path = folder.join(FILE);
    let named = || path.display().to_string();
    let bytes = fs::read(&path).map_err(|error| LogError::Open { path: named(), why: error.to_string() })?;
    let found = chain::verify(&bytes).map_err(|why| LogError::Damaged { path: named(), why })?;
    let whole = bytes.get(..found.whole).unwrap_or_default();
    let lines = whole.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
    let recorded = lines.filter_map(|text| {
        let Line { index, previous: _, time_ms, commitment, record } = serde_json::from_slice(text).ok()?;
        Some(Recorded { index, time_ms, hash: chain::hash(text), commitment, record })
    });
    Ok(recorded.collect())
}

/// The same; none where there is no log. It may be read while a node writes it.
pub fn records_if_any(folder: &Path) -> Result<Vec<Recorded>, LogError> {
    if folder.join(FILE).exists() { records(folder) } else { Ok(Vec::new()) }
}

/// The private part of a record of the log in `folder`.
pub fn private(folder: &Path, key: &[u8; 32], recorded: &Recorded) -> Result<Kept, LogError> {
    if recorded.commitment.is_empty() {
        return Ok(Kept::Nothing);
    }
    let parts = side::read(folder, key, recorded.index, recorded.time_ms);
    let parts = parts.map_err(|error| LogError::Open {
        path: folder.join("private").display().to_string(),
        why: error.to_string(),
    })?;
    let meant = parts.iter().find(|part| hex::encode(part.commitment()) == recorded.commitment);
    Ok(match meant.and_then(|part| part.private()) {
        Some(private) => Kept::Whole(private),
        None if parts.is_empty() => Kept::Deleted,
        None => Kept::Altered,
    })
}
