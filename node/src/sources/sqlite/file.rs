//! Opens a SQLite file to read it: nothing is written to it, and where that can be helped nothing beside it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, Error, OpenFlags};

use super::fault::SqliteFault;
use crate::sources::fingerprint::{FilesOf, Fingerprint};

/// How long somebody else's lock is waited for (seconds).
const PATIENCE: u64 = 5;
/// The first bytes of every database, up to the two that say how it is written (https://sqlite.org/fileformat2.html).
const HEADER: usize = 20;
const MAGIC: &[u8] = b"SQLite format 3\0";
/// What these two are where changes go into a file beside it first.
const WRITE_AHEAD: u8 = 2;
/// The end of that file's name.
const WAL: &str = "-wal";

/// A connection that can't write.
pub(super) struct Reading {
    pub(super) connection: Connection,
    /// Of a file that is read without locks, how it was before.
    before: Option<Fingerprint>,
}

impl Reading {
    /// Opens a file.
    pub(super) fn open(path: &Path) -> Result<Self, SqliteFault> {
        let unreadable = |error: std::io::Error| SqliteFault::Unreadable(error.to_string());
        let path = path.canonicalize().map_err(unreadable)?;
        let before = Fingerprint::of(&path, SQLITE).map_err(unreadable)?;
        // Without its other file, one that is written ahead is whole; opened as usual, files would be made beside it.
        let immutable = is_written_ahead(&path)? && !beside(&path).exists();
        let mode = if immutable { "immutable=1" } else { "mode=ro" };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = || {
            let connection = Connection::open_with_flags(format!("{}?{mode}", file_url(&path)), flags)?;
            connection.busy_timeout(Duration::from_secs(PATIENCE))?;
            // What the file itself says may call nothing that reaches beyond it.
            connection.execute_batch("PRAGMA query_only = 1; PRAGMA trusted_schema = 0; PRAGMA cell_size_check = 1")?;
            Ok(connection)
        };
        let connection = opened().map_err(|error| fault(&error))?;
        Ok(Self { connection, before: immutable.then_some(before) })
    }

    /// Whether what was read is of one state of the file: without locks, somebody may have written meanwhile.
    pub(super) fn end(&self) -> Result<(), SqliteFault> {
        match &self.before {
            Some(before) if !before.holds() => Err(SqliteFault::Changed),
            _ => Ok(()),
        }
    }
}

/// Whether a file is a database, by its first bytes.
pub(in crate::sources) fn is_database(path: &Path) -> bool {
    let mut first = [0; MAGIC.len()];
    File::open(path).and_then(|mut file| file.read_exact(&mut first)).is_ok_and(|()| first == MAGIC)
}

/// The files of a database.
pub(in crate::sources) const SQLITE: FilesOf = FilesOf { suffixes: &[], hidden: &[], beside: Some(WAL) };

/// What an error of SQLite is.
pub(super) fn fault(error: &Error) -> SqliteFault {
    SqliteFault::of(error, PATIENCE)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(WAL);
    name.into()
}

fn is_written_ahead(path: &Path) -> Result<bool, SqliteFault> {
    let mut header = Vec::with_capacity(HEADER);
    let read = File::open(path).and_then(|file| file.take(HEADER as u64).read_to_end(&mut header));
    read.map_err(|error| SqliteFault::Unreadable(error.to_string()))?;
    // A file of no bytes is a database without tables.
    if !header.is_empty() && !header.starts_with(MAGIC) {
        return Err(SqliteFault::NotADatabase);
    }
    Ok(header.get(MAGIC.len() + 2) == Some(&WRITE_AHEAD))
}

/// The address of a file, given from the root, with every unusual byte escaped.
fn file_url(file: &Path) -> String {
    let mut url = String::from("file://");
    for byte in file.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => url.push(char::from(*byte)),
            other => url.push_str(&format!("%{other:02X}")),
        }
    }
    url
}
