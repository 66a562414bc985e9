//! Reads the journal back: every group against the checkpoint behind it, and what its records say together.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tlog_tiles::{Checkpoint, Hash, Tile, record_hash};

use super::LogError;
use super::journal::{self, Stop};
use super::position::{JOURNAL, Position, Standing};
use super::record::Line;
use super::tree::Tree;
use super::verify::Broken;

/// Times that a journal is read again whose files went while they were read.
const AGAIN: usize = 20;

/// A journal that was read.
pub(super) struct Replayed {
    /// Where it begins.
    pub(super) start: Position,
    /// Its records, as they were written.
    pub(super) entries: Vec<Vec<u8>>,
    /// The sizes at the end of its groups, and the roots and checkpoints there.
    pub(super) groups: Vec<(u64, Hash, Vec<u8>)>,
    /// The tree at its end.
    pub(super) tree: Tree,
    /// Tiles that became full with it.
    pub(super) full: Vec<(Tile, Vec<u8>)>,
    /// What all records up to its end say together.
    pub(super) standing: Standing,
    /// Its last file; none where there is no log yet.
    pub(super) last: Option<LastFile>,
}

/// The file to which the next group is appended.
pub(super) struct LastFile {
    pub(super) first: u64,
    pub(super) path: PathBuf,
    /// Bytes of whole groups.
    pub(super) whole: usize,
    /// What follows them.
    pub(super) torn: Vec<u8>,
}

/// Reads the journal of the log in `folder`, which may be written meanwhile.
pub(super) fn journal(folder: &Path) -> Result<Replayed, LogError> {
    for _ in 0..AGAIN {
        match once(folder) {
            Err(LogError::Open { gone: true, .. }) => {}
            other => return other,
        }
    }
    match once(folder) {
        Err(LogError::Open { path, gone: true, .. }) => {
            Err(damaged(Path::new(&path), 0, "the file is missing, and with it the records that it held"))
        }
        other => other,
    }
}

fn once(folder: &Path) -> Result<Replayed, LogError> {
    let start = Position::read(folder, JOURNAL).map_err(|error| match error.kind() {
        io::ErrorKind::Other | io::ErrorKind::InvalidData => {
            damaged(&folder.join(JOURNAL), 0, "it is not what was written")
        }
        _ => failed(&folder.join(JOURNAL), &error),
    })?;
    let (tree, standing) = (start.tree.clone(), start.standing.clone());
    let mut replayed =
        Replayed { start, entries: Vec::new(), groups: Vec::new(), tree, full: Vec::new(), standing, last: None };
    let files = journal::files(folder).map_err(|error| failed(folder, &error))?;
    let begin = replayed.start.tree.size();
    // Files before it were read into the tiles; only a crash left them here.
    let mut files = files.into_iter().filter(|(first, _)| *first >= begin).peekable();
    if files.peek().is_none_or(|(first, _)| *first != begin) && (begin > 0 || files.peek().is_some()) {
        // Its files may have been moved into tiles since the position was read.
        let path = journal::file(folder, begin);
        return Err(LogError::Open { path: path.display().to_string(), why: "it is not there".into(), gone: true });
    }
    while let Some((first, path)) = files.next() {
        let size = replayed.tree.size();
        if first != size {
            return Err(damaged(&path, size, "it is missing: the file before ends earlier than this one begins"));
        }
        replayed.file(folder, first, path, files.peek().is_none())?;
    }
    Ok(replayed)
}

impl Replayed {
    fn file(&mut self, folder: &Path, first: u64, path: PathBuf, is_last: bool) -> Result<(), LogError> {
        let bytes = fs::read(&path).map_err(|error| failed(&path, &error))?;
        let mut end = 0;
        loop {
            let group = match journal::group(&bytes, end) {
                Ok(Some(group)) => group,
                Ok(None) => break,
                Err(Stop::Torn) if is_last => break,
                Err(Stop::Torn) => return Err(damaged(&path, self.tree.size(), "the file is cut off")),
                Err(Stop::Damaged(why)) => return Err(damaged(&path, self.tree.size(), why)),
            };
            for entry in group.records {
                let index = self.tree.size();
                let broken = |why| damaged(&path, index, why);
                let line = Line::read(folder, &entry).map_err(broken)?;
                if line.index != index {
                    return Err(broken("its index is not the next one"));
                }
                self.standing.add(index, &line.record).map_err(broken)?;
                self.tree.push(record_hash(&entry), &mut self.full);
                self.entries.push(entry);
            }
            let (size, broken) = (self.tree.size(), |why| damaged(&path, self.tree.size().saturating_sub(1), why));
            let root = self.tree.root().map_err(|_| broken("its tree has no root"))?;
            let said = text(&group.note).and_then(|text| Checkpoint::from_bytes(&text).ok());
            let said = said.ok_or_else(|| broken("no checkpoint stands behind it"))?;
            if said.size() != size || *said.hash() != root {
                return Err(broken("the checkpoint behind it is of other records"));
            }
            self.groups.push((size, root, group.note));
            end = group.end;
        }
        let torn = bytes.get(end..).unwrap_or_default().to_vec();
        self.last = Some(LastFile { first, path, whole: end, torn });
        Ok(())
    }
}

/// The text of a signed note.
fn text(note: &[u8]) -> Option<Vec<u8>> {
    signed_note::Note::from_bytes(note).ok().map(|note| note.text().to_vec())
}

pub(super) fn damaged(path: &Path, record: u64, why: &'static str) -> LogError {
    LogError::Damaged { path: path.display().to_string(), why: Broken { record, why: why.into() } }
}

pub(super) fn failed(path: &Path, error: &io::Error) -> LogError {
    let gone = error.kind() == io::ErrorKind::NotFound;
    LogError::Open { path: path.display().to_string(), why: error.to_string(), gone }
}
