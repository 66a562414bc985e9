//! Tells whether a file, or a folder of files, has changed since it was read.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Length and time of last change of the files behind a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fingerprint(Vec<(PathBuf, u64, SystemTime)>);

impl Fingerprint {
    /// The files at `path` as they are now.
    pub fn of(path: &Path) -> io::Result<Self> {
        let files = parquet_files(path)?;
        files.into_iter().map(state_of).collect::<io::Result<Vec<_>>>().map(Self)
    }
}

/// The file itself, or the `.parquet` files of a folder, sorted by name.
pub(super) fn parquet_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !path.metadata()?.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let mut files = Vec::new();
    for entry in path.read_dir()? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "parquet") && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn state_of(file: PathBuf) -> io::Result<(PathBuf, u64, SystemTime)> {
    let metadata = file.metadata()?;
    let changed = metadata.modified()?;
    Ok((file, metadata.len(), changed))
}
