//! The file in which lines are kept: private to its owner, in the folder that XDG names for state.

use std::env;
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;

use reedline::FileBackedHistory;

/// Entries that are kept at most.
const MOST: usize = 10_000;
/// Only the owner reads and writes: questions tell what somebody wants to know.
const PRIVATE: u32 = 0o600;

/// What was entered before, and where what is entered now is kept.
pub(super) fn open() -> io::Result<FileBackedHistory> {
    let path = path().ok_or_else(|| io::Error::other("neither XDG_STATE_HOME nor HOME is set"))?;
    if let Some(folder) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let file = OpenOptions::new().read(true).append(true).create(true).mode(PRIVATE).open(&path)?;
    if file.metadata()?.permissions().mode() & 0o777 != PRIVATE {
        file.set_permissions(Permissions::from_mode(PRIVATE))?;
    }
    FileBackedHistory::with_file(MOST, path).map_err(io::Error::other)
}

/// `meridian/history` in the folder for state.
fn path() -> Option<PathBuf> {
    let named = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = named("XDG_STATE_HOME").or_else(|| Some(named("HOME")?.join(".local/state")))?;
    Some(folder.join("meridian/history"))
}
