//! What the log's writer, its publisher and whoever proves something by it share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tlog_tiles::{Error, Hash, Tile, prove_record, prove_tree, tree_hash};

use super::LogError;
use super::proof::Proof;
use super::tree::{Stored, Tree};

/// The newest durable tree, and its signed checkpoint.
#[derive(Debug, Clone)]
pub struct Head {
    pub(super) tree: Tree,
    /// The root of the tree.
    pub root: Hash,
    /// The checkpoint, as a signed note.
    pub note: Vec<u8>,
}

impl Head {
    /// Number of records.
    pub fn size(&self) -> u64 {
        self.tree.size()
    }
}

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) folder: PathBuf,
    head: RwLock<Arc<Head>>,
    /// Full tiles that are in no file yet.
    pending: Mutex<HashMap<Tile, Vec<u8>>>,
    stopped: RwLock<Option<LogError>>,
}

impl Shared {
    pub(super) fn new(folder: PathBuf, head: Head) -> Self {
        let head = RwLock::new(Arc::new(head));
        Self { folder, head, pending: Mutex::default(), stopped: RwLock::default() }
    }

    pub(super) fn head(&self) -> Arc<Head> {
        Arc::clone(&self.head.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A later head, with the tiles that became full on the way.
    pub(super) fn advance(&self, head: &Arc<Head>, full: &[(Tile, Vec<u8>)]) {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).extend(full.iter().cloned());
        *self.head.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(head);
    }

    /// The tile is in its file.
    pub(super) fn written(&self, tile: &Tile) {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).remove(tile);
    }

    /// Why nothing may be released any more.
    pub(super) fn stopped(&self) -> Option<LogError> {
        self.stopped.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends all releases, for the first reason that is given.
    pub(super) fn stop(&self, why: LogError) {
        self.stopped.write().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }

    fn stored<'a>(&'a self, head: &'a Head) -> Stored<'a, impl Fn(&Tile) -> Option<Vec<u8>>> {
        let pending = |tile: &Tile| self.pending.lock().unwrap_or_else(PoisonError::into_inner).get(tile).cloned();
        Stored { tree: &head.tree, pending, folder: self.folder.clone() }
    }

    /// That the record with this index is in the tree of a size and with a checkpoint.
    pub(super) fn prove(&self, index: u64, size: u64, note: &[u8]) -> Result<Proof, LogError> {
        let head = self.head();
        let hashes = prove_record(size.min(head.size()), index, &self.stored(&head)).map_err(unproven)?;
        Ok(Proof { extra: None, index, hashes, note: note.to_vec() })
    }

    /// That the tree of `head` continues the one of an earlier size.
    pub(super) fn continues(&self, head: &Head, size: u64) -> Result<Vec<Hash>, LogError> {
        prove_tree(head.size(), size, &self.stored(head)).map_err(unproven)
    }

    /// The root that the tree had at a size.
    pub(super) fn root_at(&self, head: &Head, size: u64) -> Result<Hash, LogError> {
        if size > head.size() {
            return Err(unproven(Error::IndexesNotInTree));
        }
        tree_hash(size, &self.stored(head)).map_err(unproven)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the form that map_err asks for")]
fn unproven(error: Error) -> LogError {
    LogError::Proof(error.to_string())
}
