//! Re-derives a whole log offline: every record's hash, every tile, every checkpoint, every private part that still exists.

use std::fmt;
use std::fs;
use std::io;
use std::path::Path;

use tlog_tiles::{HASH_SIZE, Hash, Tile, record_hash};

use super::LogError;
use super::note::Signed;
use super::position::{JOURNAL, SEALED, Standing};
use super::read::{Entries, Recorded, published, recorded};
use super::replay::{Replayed, damaged, failed};
use super::seal::sealed;
use super::side;
use super::tiles::{self, CHECKPOINT};
use super::tree::{HEIGHT, Tree, WIDTH, hashes};

/// Where a log is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The index of a record, from 0: the first that is concerned.
    pub record: u64,
    /// What is wrong with it.
    pub why: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "record {}: {}", self.record, self.why)
    }
}

/// What was found to hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Number of records.
    pub records: u64,
    /// The root of their tree.
    pub root: Hash,
    /// Number of the first records that are sealed: of them the hashes alone were checked.
    pub sealed: u64,
    /// Number of records that the published checkpoint covers; the others are in the journal.
    pub published: u64,
    /// Tiles that were compared.
    pub tiles: u64,
    /// Private parts that exist and are what their records commit to.
    pub private: u64,
    /// Private parts of days that are over.
    pub deleted: u64,
    /// Releases whose outcome no record tells.
    pub open: u64,
    /// The sizes of the earlier checkpoints that it continues.
    pub continues: Vec<u64>,
}

/// Verifies the log in `folder`, whose checkpoints are signed by the key `log` and whose private parts are sealed under
/// `private`, and that it continues earlier checkpoints of it. It may be read while a node writes it.
pub fn verify(folder: &Path, log: &str, private: &[u8; 32], earlier: &[Signed]) -> Result<Report, LogError> {
    let published = published_if_any(folder, log)?;
    let (mut entries, read) = Entries::new(folder, 0)?;
    let mut check = Check {
        folder,
        read: &read,
        published: published.as_ref(),
        tree: Tree::default(),
        standing: Standing::default(),
        bundle: Vec::new(),
        report: Report {
            records: 0,
            root: tlog_tiles::EMPTY_HASH,
            sealed: 0,
            published: published.as_ref().map_or(0, |published| published.size),
            tiles: 0,
            private: 0,
            deleted: 0,
            open: 0,
            continues: Vec::new(),
        },
    };
    let mut parts = side::Parts::new(folder, private).map_err(|error| failed(folder, &error))?;
    check.sizes(earlier)?;
    check.sealed(earlier)?;
    while let Some((index, entry)) = entries.take()? {
        let record = recorded(folder, index, &entry)?;
        check.private(&mut parts, &record)?;
        check.record(record, entry)?;
        check.sizes(earlier)?;
        check.start()?;
    }
    check.end(log, earlier)
}

fn published_if_any(folder: &Path, key: &str) -> Result<Option<Signed>, LogError> {
    match published(folder, key) {
        Err(LogError::Open { gone: true, .. }) => Ok(None),
        other => other.map(Some),
    }
}

struct Check<'a> {
    folder: &'a Path,
    read: &'a Replayed,
    published: Option<&'a Signed>,
    tree: Tree,
    standing: Standing,
    /// The records of the bundle that is not full.
    bundle: Vec<Vec<u8>>,
    report: Report,
}

impl Check<'_> {
    /// Takes the hashes of sealed records from their tiles.
    fn sealed(&mut self, earlier: &[Signed]) -> Result<(), LogError> {
        let sealed = sealed(self.folder)?;
        while self.tree.size() < sealed.tree.size() {
            let first = self.tree.size();
            let tile = Tile::new(HEIGHT, 0, first / WIDTH, 1 << HEIGHT, false);
            let path = self.folder.join(tiles::path(&tile));
            let found = fs::read(&path).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => damaged(&path, first, "the tile is missing"),
                _ => failed(&path, &error),
            })?;
            let leaves = hashes(&found);
            if found.len() != HASH_SIZE << HEIGHT {
                return Err(damaged(&path, first, "it is no full tile"));
            }
            for leaf in leaves {
                let mut full = Vec::new();
                self.tree.push(leaf, &mut full);
                for (tile, data) in full {
                    self.tile(&tile, &data)?;
                }
                self.sizes(earlier)?;
            }
        }
        if self.tree != sealed.tree {
            let why = "the tiles of the sealed records are not what they were when these were sealed";
            return Err(damaged(&self.folder.join(SEALED), sealed.tree.size().saturating_sub(1), why));
        }
        self.report.sealed = sealed.tree.size();
        self.standing = sealed.standing;
        self.start()
    }

    /// Compares what is known of the records before the journal.
    fn start(&self) -> Result<(), LogError> {
        let start = &self.read.start;
        if start.tree.size() == self.tree.size() && (start.tree != self.tree || start.standing != self.standing) {
            let record = self.tree.size().saturating_sub(1);
            return Err(damaged(&self.folder.join(JOURNAL), record, "it does not say what the records say"));
        }
        Ok(())
    }

    fn record(&mut self, recorded: Recorded, entry: Vec<u8>) -> Result<(), LogError> {
        let (index, broken) = (recorded.index, |why| damaged(&self.folder.join("tile/entries"), recorded.index, why));
        self.standing.add(index, &recorded.record).map_err(broken)?;
        let mut full = Vec::new();
        self.tree.push(record_hash(&entry), &mut full);
        self.bundle.push(entry);
        for (tile, data) in full {
            self.tile(&tile, &data)?;
        }
        if self.bundle.len() as u64 == WIDTH {
            self.bundle(index / WIDTH, 256)?;
            self.bundle.clear();
        }
        Ok(())
    }

    /// Compares a tile with its file, which may be missing only where the published checkpoint does not cover it.
    fn tile(&mut self, tile: &Tile, data: &[u8]) -> Result<(), LogError> {
        let path = self.folder.join(tiles::path(tile));
        let span = WIDTH.saturating_pow(u32::from(tile.level()));
        let first = tile.level_index().saturating_mul(WIDTH).saturating_mul(span);
        let is_full = u64::from(tile.width()) == WIDTH;
        match fs::read(&path) {
            Ok(found) if found == data => {
                self.report.tiles += 1;
                Ok(())
            }
            Ok(found) => {
                let differs = hashes(&found).iter().zip(hashes(data)).position(|(a, b)| *a != b);
                let record = first.saturating_add((differs.unwrap_or(0) as u64).saturating_mul(span));
                Err(damaged(&path, record, "the tile holds another hash than the records have"))
            }
            // A partial one may have been replaced by a later one while this was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound && (!is_full || !self.is_published()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(damaged(&path, first, "the tile is missing")),
            Err(error) => Err(failed(&path, &error)),
        }
    }

    /// Compares records that lie both in the journal and in a bundle.
    fn bundle(&self, number: u64, width: u32) -> Result<(), LogError> {
        let first = number * WIDTH;
        if first < self.read.start.tree.size() {
            return Ok(());
        }
        let path = self.folder.join(tiles::bundle_path(number, width));
        let found = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && (width < 256 || !self.is_published()) => {
                return Ok(());
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(damaged(&path, first, "the bundle is missing"));
            }
            found => found.map_err(|error| failed(&path, &error))?,
        };
        let records = tiles::records(&found).ok_or_else(|| damaged(&path, first, "it is no bundle of records"))?;
        let same = records.iter().zip(&self.bundle).take_while(|(found, known)| found == known).count();
        if same < self.bundle.len() || records.len() != self.bundle.len() {
            return Err(damaged(&path, first + same as u64, "the bundle holds another record than the journal"));
        }
        Ok(())
    }

    /// Whether the published checkpoint covers all records so far.
    fn is_published(&self) -> bool {
        self.published.is_some_and(|published| self.tree.size() <= published.size)
    }

    /// Compares the tree with whatever is said of its present size.
    fn sizes(&mut self, earlier: &[Signed]) -> Result<(), LogError> {
        let size = self.tree.size();
        let record = size.saturating_sub(1);
        let root = |tree: &Tree| tree.root().map_err(|error| LogError::Proof(error.to_string()));
        if let Some(published) = self.published.filter(|published| published.size == size) {
            let path = self.folder.join(CHECKPOINT);
            if root(&self.tree)? != published.root {
                return Err(damaged(&path, record, "the checkpoint is of other records"));
            }
            for (tile, data) in self.tree.open() {
                self.tile(&tile, &data)?;
            }
            if let Ok(width @ 1..) = u32::try_from(self.bundle.len()) {
                self.bundle(size / WIDTH, width)?;
            }
        }
        for signed in earlier.iter().filter(|signed| signed.size == size) {
            if root(&self.tree)? != signed.root {
                let why = "the earlier checkpoint is of other records: the log was rewritten";
                return Err(damaged(&self.folder.join("tile"), record, why));
            }
            self.report.continues.push(size);
        }
        Ok(())
    }

    fn private(&mut self, parts: &mut side::Parts, recorded: &Recorded) -> Result<(), LogError> {
        if recorded.commitment.is_empty() {
            return Ok(());
        }
        let folder = self.folder.join("private");
        let found = parts.find(recorded.index, recorded.time_ms, &recorded.commitment);
        match found.map_err(|error| failed(&folder, &error))? {
            side::Found::Whole => self.report.private += 1,
            side::Found::Over => self.report.deleted += 1,
            side::Found::Other => {
                return Err(damaged(&folder, recorded.index, "its private part is not what it commits to"));
            }
            side::Found::Missing => {
                return Err(damaged(
                    &folder,
                    recorded.index,
                    "its private part is missing, and others of its day are not",
                ));
            }
        }
        Ok(())
    }

    fn end(mut self, log: &str, earlier: &[Signed]) -> Result<Report, LogError> {
        let size = self.tree.size();
        if self.report.published > size {
            let why = "the log ends here, and its checkpoint covers more: records are missing";
            return Err(damaged(&self.folder.join(CHECKPOINT), size, why));
        }
        if earlier.iter().any(|signed| signed.size > size) {
            let why = "the log ends here, and the earlier checkpoint covers more: it was cut off, or an old backup was \
                       put back";
            return Err(damaged(&self.folder.join("tile"), size, why));
        }
        if self.tree != self.read.tree {
            return Err(damaged(&self.folder.join("journal"), size, "the journal continues other records"));
        }
        for (size, _, note) in &self.read.groups {
            let why = "the checkpoint behind it is not signed by this log's key";
            Signed::verify(note, log)
                .map_err(|_| damaged(&self.folder.join("journal"), size.saturating_sub(1), why))?;
        }
        self.report.records = size;
        self.report.root = self.tree.root().map_err(|error| LogError::Proof(error.to_string()))?;
        self.report.open = self.standing.open.len() as u64;
        Ok(self.report)
    }
}
