//! The list as a running node sees it: read again when its file has changed, and never taken for shorter than it was.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::store::Written;
use super::{List, RightsError, Store};

/// The list of a running node.
#[derive(Debug)]
pub struct Watched {
    store: Store,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    written: Option<Written>,
    /// The number of the last entry that is known to be there.
    least: u64,
    list: Result<Arc<List>, Arc<RightsError>>,
}

impl Watched {
    /// The list, of which entry `least` is known.
    pub fn new(store: Store, least: u64) -> Self {
        let seen = Seen { written: None, least, list: Ok(Arc::default()) };
        let watched = Self { store, seen: Mutex::new(seen) };
        watched.read(&mut watched.seen());
        watched
    }

    /// Reads the file again if it is another.
    pub fn refresh(&self) {
        let mut seen = self.seen();
        if self.store.written() != seen.written || seen.list.is_err() {
            self.read(&mut seen);
        }
    }

    /// The list as it was last read, or why it can't be had.
    pub fn list(&self) -> Result<Arc<List>, Arc<RightsError>> {
        self.seen().list.clone()
    }

    /// The file.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The number of the last entry that is known to be there.
    pub fn least(&self) -> u64 {
        self.seen().least
    }

    fn read(&self, seen: &mut Seen) {
        // Looked at before it is read: what is written in between is noticed the next time.
        seen.written = self.store.written();
        match self.store.read(seen.least) {
            Ok(list) => {
                seen.least = list.last();
                seen.list = Ok(Arc::new(list));
            }
            Err(error) => {
                // Said once, not at every look.
                if seen.list.is_ok() {
                    tracing::error!(%error, "datasets with a unit are out of order");
                }
                seen.list = Err(Arc::new(error));
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
