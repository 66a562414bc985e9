//! The sealed file of the list: read by anybody who has the key, changed by one process at a time, whole or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use meridian_certs::replace_file_with;

use super::{Entry, List, RightsError};
use crate::secrets::{Opener, Purpose, Sealer, Secret};

const FILE: &str = "rights.sealed";
const LOCK: &str = "rights.lock";
/// What is authenticated with the file, so that no other sealed file is taken for it.
const PLACE: &[u8] = b"rights";

/// The file of one node.
pub struct Store {
    folder: PathBuf,
    key: [u8; 32],
}

/// What tells one written file from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    inode: u64,
    length: u64,
    changed: Option<SystemTime>,
}

impl Store {
    /// The list in a state folder; the file is made with the first entry.
    pub fn new(state: &Path, secret: &Secret) -> Self {
        Self { folder: state.to_owned(), key: secret.key(Purpose::Rights) }
    }

    /// Where it is kept.
    pub fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    /// The list, of which entry `least` is known: no file is an empty list only where none is.
    pub fn read(&self, least: u64) -> Result<List, RightsError> {
        let list = match File::open(self.path()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => List::default(),
            opened => self.unsealed(opened.map_err(|why| self.unreadable(why))?)?,
        };
        if list.last() < least {
            return Err(RightsError::Missing { path: self.path(), found: list.last(), expected: least });
        }
        Ok(list)
    }

    /// Adds what `make` gives for the list as it is, under the next number; durable when this returns. Other processes
    /// that change the list wait.
    pub fn add<E: From<RightsError>>(
        &self,
        least: u64,
        make: impl FnOnce(&List) -> Result<Entry, E>,
    ) -> Result<Entry, E> {
        let failed = |why| RightsError::Write { path: self.path(), why };
        let lock = self.private(LOCK).map_err(failed)?;
        self.owned(&lock)?;
        lock.lock().map_err(failed)?;
        let mut list = self.read(least)?;
        let entry = Entry { number: list.last() + 1, ..make(&list)? };
        if let Some(number) = entry.ends.filter(|number| !list.standing().any(|standing| standing.number == *number)) {
            return Err(RightsError::NotStanding { number }.into());
        }
        list.push(entry.clone());
        self.write(&list).map_err(failed)?;
        Ok(entry)
    }

    pub(super) fn written(&self) -> Option<Written> {
        let metadata = fs::metadata(self.path()).ok()?;
        Some(Written { inode: metadata.ino(), length: metadata.len(), changed: metadata.modified().ok() })
    }

    fn unsealed(&self, file: File) -> Result<List, RightsError> {
        let damaged = || RightsError::Damaged { path: self.path() };
        let mut text = Vec::new();
        let read = Opener::new(BufReader::new(file), &self.key, PLACE).and_then(|mut open| open.read_to_end(&mut text));
        read.map_err(|_| damaged())?;
        let list: List = serde_json::from_slice(&text).map_err(|_| damaged())?;
        list.checked().ok_or_else(damaged)
    }

    fn write(&self, list: &List) -> io::Result<()> {
        let text = serde_json::to_vec(list)?;
        replace_file_with(&self.path(), 0o600, |file| {
            let mut sealer = Sealer::new(file, &self.key, PLACE)?;
            sealer.write_all(&text)?;
            sealer.finish()
        })
    }

    fn private(&self, name: &str) -> io::Result<File> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let path = self.folder.join(name);
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)
    }

    /// What another user writes the node can't read.
    fn owned(&self, lock: &File) -> Result<(), RightsError> {
        let failed = |why| RightsError::Write { path: self.path(), why };
        let owner = fs::metadata(&self.folder).map_err(failed)?.uid();
        if lock.metadata().map_err(failed)?.uid() == owner {
            return Ok(());
        }
        let _ = fs::remove_file(self.folder.join(LOCK));
        Err(RightsError::Owner { folder: self.folder.clone(), owner })
    }

    fn unreadable(&self, why: io::Error) -> RightsError {
        RightsError::Read { path: self.path(), why }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("folder", &self.folder).finish_non_exhaustive()
    }
}
