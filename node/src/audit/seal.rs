//! Retention: bundles whose records have been kept long enough are archived and removed; their hashes stay.
//!
//! What is sealed is a number of full bundles from the first on. Tiles and checkpoints stay whole, so that proofs of sealed
//! records, and of all others, are made as ever; [`super::verify()`] checks hashes alone there. What the sealed records say
//! together (open releases, rights) is kept in the file `sealed`.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use tlog_tiles::record_hash;

use super::LogError;
use super::position::{Position, SEALED};
use super::record::Line;
use super::replay::{self, damaged, failed};
use super::tiles::{self, CHECKPOINT};
use super::tree::WIDTH;

/// Seals the bundles all of whose records are older than `before_ms` (milliseconds since the Unix epoch), and returns which
/// records these are. They are copied below `archive`, where one is given, before they go. A node may write the log
/// meanwhile; of two commands that seal at the same time one fails.
pub fn seal(folder: &Path, before_ms: u64, archive: Option<&Path>) -> Result<Range<u64>, LogError> {
    let end = replay::journal(folder)?.start.tree.size();
    let mut position = sealed(folder)?;
    let first = position.tree.size();
    let mut files: Vec<PathBuf> = Vec::new();
    let mut full = Vec::new();
    for number in first / WIDTH..end / WIDTH {
        let path = PathBuf::from(tiles::bundle_path(number, 256));
        let entries = tiles::bundle(folder, number, 256).map_err(|error| failed(&folder.join(&path), &error))?;
        let mut lines = Vec::with_capacity(entries.len());
        for (index, entry) in (number * WIDTH..).zip(&entries) {
            let broken = |why| damaged(&folder.join(&path), index, why);
            lines.push((record_hash(entry), Line::read(folder, entry).map_err(broken)?, Line::file(entry)));
        }
        if lines.iter().any(|(_, line, _)| line.time_ms >= before_ms) {
            break;
        }
        for (index, (hash, line, file)) in (number * WIDTH..).zip(lines) {
            let added = position.standing.add(index, &line.record);
            added.map_err(|why| damaged(&folder.join(&path), index, why))?;
            position.tree.push(hash, &mut full);
            files.extend(file);
        }
        files.push(path);
    }
    if let Some(archive) = archive {
        for file in files.iter().map(PathBuf::as_path).chain([Path::new(CHECKPOINT)]) {
            let bytes = fs::read(folder.join(file)).map_err(|error| failed(&folder.join(file), &error))?;
            tiles::write(&archive.join(file), &bytes, true).map_err(|error| failed(&archive.join(file), &error))?;
        }
    }
    position.write(folder, SEALED).map_err(|error| failed(&folder.join(SEALED), &error))?;
    for file in &files {
        fs::remove_file(folder.join(file)).map_err(|error| failed(&folder.join(file), &error))?;
    }
    Ok(first..position.tree.size())
}

/// Where the records begin that are not sealed.
pub(super) fn sealed(folder: &Path) -> Result<Position, LogError> {
    let path = folder.join(SEALED);
    Position::read(folder, SEALED).map_err(|error| match error.kind() {
        std::io::ErrorKind::Other | std::io::ErrorKind::InvalidData => damaged(&path, 0, "it is not what was written"),
        _ => failed(&path, &error),
    })
}
