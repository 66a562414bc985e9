//! Where the journal begins: what must be known of the records before it, so that a node that starts reads only the
//! journal. And where the records begin that are not sealed.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tlog_tiles::Hash;

use super::record::Record;
use super::rights::Rights;
use super::tiles;
use super::tree::{Tree, bytes, hashes};

/// The file of where the journal begins: one line of JSON, then its SHA-256 in hexadecimal.
pub(super) const JOURNAL: &str = "position";
/// The file of where the records begin that are not sealed, in the same form.
pub(super) const SEALED: &str = "sealed";

/// What the records so far say together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Standing {
    /// Releases whose outcome no record tells.
    pub(super) open: BTreeSet<u64>,
    /// What is said of rights.
    pub(super) rights: Rights,
}

impl Standing {
    /// Adds the record with this index, or says what is wrong with it.
    pub(super) fn add(&mut self, index: u64, record: &Record) -> Result<(), &'static str> {
        self.rights.add(record);
        match record {
            Record::Release(_) => {
                self.open.insert(index);
            }
            Record::Outcome { of, .. } => {
                if !self.open.remove(of) {
                    return Err("it tells the outcome of no open release");
                }
            }
            Record::Refusal(_)
            | Record::Check(_)
            | Record::Alert(_)
            | Record::Right(_)
            | Record::Effect { .. }
            | Record::Long(_) => {}
        }
        Ok(())
    }
}

/// The tree and the standing at the first record of the journal.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Position {
    pub(super) tree: Tree,
    pub(super) standing: Standing,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    size: u64,
    /// By level, the hashes of the last tile in hexadecimal.
    edge: Vec<String>,
    standing: Standing,
}

impl Position {
    /// The one that is kept; the very beginning where there is none.
    pub(super) fn read(folder: &Path, file: &str) -> io::Result<Self> {
        let text = match fs::read_to_string(folder.join(file)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            text => text?,
        };
        let damaged = || io::Error::other("it is not what was written");
        let (json, hash) = text.trim_end().split_once('\n').ok_or_else(damaged)?;
        if hex::encode(Sha256::digest(json)) != hash {
            return Err(damaged());
        }
        let Stored { size, edge, standing } = serde_json::from_str(json)?;
        let level = |text: &String| hex::decode(text).map(|data| hashes(&data));
        let edge: Vec<Vec<Hash>> = edge.iter().map(level).collect::<Result<_, _>>().map_err(|_| damaged())?;
        Ok(Self { tree: Tree::new(size, edge), standing })
    }

    /// Keeps it, durably.
    pub(super) fn write(&self, folder: &Path, file: &str) -> io::Result<()> {
        let edge = self.tree.edge().iter().map(|level| hex::encode(bytes(level))).collect();
        let json = serde_json::to_string(&Stored { size: self.tree.size(), edge, standing: self.standing.clone() })?;
        let text = format!("{json}\n{}\n", hex::encode(Sha256::digest(&json)));
        tiles::write(&folder.join(file), text.as_bytes(), true)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_position_comes_back_and_a_changed_one_does_not() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Position::read(folder.path(), JOURNAL).unwrap(), Position::default());
        let (mut position, mut full) = (Position::default(), Vec::new());
        for n in 0..600u32 {
            position.tree.push(tlog_tiles::record_hash(&n.to_be_bytes()), &mut full);
        }
        position.standing.open.extend([4, 9]);
        position.standing.rights.rights.insert(1);
        position.standing.rights.effects.insert(("people".into(), 1));
        position.write(folder.path(), JOURNAL).unwrap();
        assert_eq!(Position::read(folder.path(), JOURNAL).unwrap(), position);
        let file = folder.path().join(JOURNAL);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replacen('9', "8", 1)).unwrap();
        assert!(Position::read(folder.path(), JOURNAL).is_err());
    }
}
