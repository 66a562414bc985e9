//! Builds the tiles of the log from what is durable in the journal, in a thread of its own, and publishes checkpoints.
//!
//! Every commit has a signed checkpoint, so that the receipt of a release proves its record at once: a signature costs a
//! small part of what the disk does. What is published as the file `checkpoint` lags behind by a tenth of a second at most:
//! its tiles and bundles are there before it is.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tlog_tiles::Tile;

use super::journal;
use super::position::{JOURNAL, Position};
use super::shared::{Head, Shared};
use super::tiles::{self, CHECKPOINT};
use super::tree::WIDTH;

/// Shortest time between two published checkpoints.
const PAUSE: Duration = Duration::from_millis(100);
/// Time until what could not be written is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// What the publisher is told.
pub(super) enum Feed {
    /// Records are durable.
    Committed { head: Arc<Head>, entries: Vec<Vec<u8>>, full: Vec<(Tile, Vec<u8>)> },
    /// A file of the journal begins: all before this position may go from the journal when it is in tiles.
    Begun(Box<Position>),
}

/// A full file that is to be written.
struct Due {
    path: PathBuf,
    bytes: Vec<u8>,
    tile: Option<Tile>,
}

pub(super) struct Publisher {
    shared: Arc<Shared>,
    /// The log stays locked until all of it is published.
    _lock: Arc<File>,
    head: Arc<Head>,
    /// The records of the last bundle.
    open: Vec<Vec<u8>>,
    bundles: u64,
    due: Vec<Due>,
    /// Full files that are written and may not be durable.
    unsynced: Vec<PathBuf>,
    begun: VecDeque<Position>,
    /// Whether anything is to be published.
    stale: bool,
}

impl Publisher {
    /// Begins at a number of records that fills bundles exactly.
    pub(super) fn new(shared: Arc<Shared>, lock: Arc<File>, start: u64) -> Self {
        let head = shared.head();
        Self {
            shared,
            _lock: lock,
            head,
            open: Vec::new(),
            bundles: start / WIDTH,
            due: Vec::new(),
            unsynced: Vec::new(),
            begun: VecDeque::new(),
            stale: false,
        }
    }

    /// Publishes until the log ends.
    pub(super) fn run(mut self, feed: &Receiver<Feed>) {
        let mut next = Instant::now();
        loop {
            let wait = if self.stale { next.saturating_duration_since(Instant::now()) } else { AGAIN };
            let ended = match feed.recv_timeout(wait) {
                Ok(news) => {
                    self.take(news);
                    false
                }
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => true,
            };
            if self.stale && (ended || Instant::now() >= next) {
                match self.publish() {
                    Ok(()) => next = Instant::now() + PAUSE,
                    Err(error) => {
                        let log = self.shared.folder.display();
                        tracing::error!(%log, %error, "the tiles of the log can't be written; they will be tried again");
                        next = Instant::now() + AGAIN;
                    }
                }
            }
            if ended {
                return;
            }
        }
    }

    fn take(&mut self, news: Feed) {
        self.stale = true;
        match news {
            Feed::Begun(position) => self.begun.push_back(*position),
            Feed::Committed { head, entries, full } => {
                for entry in entries {
                    self.open.push(entry);
                    if self.open.len() as u64 == WIDTH {
                        let bytes = tiles::encode(self.open.iter().map(Vec::as_slice));
                        let path = tiles::bundle_path(self.bundles, 256).into();
                        self.due.push(Due { path, bytes, tile: None });
                        self.open.clear();
                        self.bundles += 1;
                    }
                }
                self.due.extend(full.into_iter().map(|(tile, bytes)| Due {
                    path: tiles::path(&tile).into(),
                    bytes,
                    tile: Some(tile),
                }));
                self.head = head;
            }
        }
    }

    fn publish(&mut self) -> io::Result<()> {
        let folder = self.shared.folder.clone();
        while let Some(due) = self.due.first() {
            let path = folder.join(&due.path);
            tiles::write(&path, &due.bytes, false)?;
            if let Some(tile) = &due.tile {
                self.shared.written(tile);
            }
            self.unsynced.push(path);
            self.due.remove(0);
        }
        let open = self.head.tree.open().into_iter();
        let mut partial: Vec<(PathBuf, Vec<u8>)> =
            open.map(|(tile, bytes)| (folder.join(tiles::path(&tile)), bytes)).collect();
        if let Ok(width @ 1..) = u32::try_from(self.open.len()) {
            let bytes = tiles::encode(self.open.iter().map(Vec::as_slice));
            partial.push((folder.join(tiles::bundle_path(self.bundles, width)), bytes));
        }
        for (path, bytes) in &partial {
            tiles::write(path, bytes, false)?;
        }
        // What is to be taken from the journal has to be durable here first, and so has the checkpoint that covers it.
        tiles::write(&folder.join(CHECKPOINT), &self.head.note, !self.begun.is_empty())?;
        self.stale = false;
        self.tidy(&partial);
        while let Some(position) = self.begun.front() {
            tiles::sync(&folder, &self.unsynced)?;
            self.unsynced.clear();
            position.write(&folder, JOURNAL)?;
            for (first, path) in journal::files(&folder)? {
                if first < position.tree.size() {
                    fs::remove_file(path)?;
                }
            }
            self.begun.pop_front();
        }
        Ok(())
    }

    /// Deletes files of earlier checkpoints that are not full. That they can't be deleted harms nobody.
    fn tidy(&self, partial: &[(PathBuf, Vec<u8>)]) {
        for (path, _) in partial {
            let Some(folder) = path.parent() else { continue };
            for other in fs::read_dir(folder).into_iter().flatten().flatten() {
                if other.path() != *path {
                    let _ = fs::remove_file(other.path());
                }
            }
        }
        for path in &self.unsynced {
            let _ = fs::remove_dir_all(partials(path));
        }
    }
}

/// The folder of the partial forms of a full file.
fn partials(full: &Path) -> PathBuf {
    let mut name = full.file_name().unwrap_or_default().to_owned();
    name.push(".p");
    full.with_file_name(name)
}
