//! What can go wrong with the history, and what to do then.

use std::path::{Path, PathBuf};

/// Why a release wasn't settled, or the history not opened.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A sketch too small to tell all distances below k.
    #[error(
        "a sketch of capacity {capacity} can't tell all cells fewer than {nearness} units apart; \
         make sketches of a capacity of at least the largest k of the node less one"
    )]
    Capacity {
        /// The capacity of the sketch.
        capacity: u64,
        /// k.
        nearness: u64,
    },
    /// Another key wrote the file.
    #[error(
        "history '{}' doesn't open with this node's key; start the node with the key that the file was written with \
         (moved away, the file protects no earlier answers)", path.display()
    )]
    Key {
        /// The file.
        path: PathBuf,
    },
    /// The file isn't what was written.
    #[error(
        "history '{}' is damaged: {what}; stop the node and put the newest whole copy in its place \
         (answers given since that copy was made are no longer protected)", path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// Another process has the file open.
    #[error("history '{}' is in use by another process; stop the other node, or give this one a folder of its own", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The file can't be read or written.
    #[error("history '{}' can't be read or written: {source}; see to the disk's space and the file's rights, then restart the node", path.display())]
    Storage {
        /// The file.
        path: PathBuf,
        /// What the storage says.
        source: Box<redb::Error>,
    },
    /// The system gave no random numbers or derived no keys.
    #[error("history '{}' can't be sealed: the system's cryptography gave an error; restart the node", path.display())]
    Seal {
        /// The file.
        path: PathBuf,
    },
}

/// A [`HistoryError`] that doesn't know the file's name yet.
pub(super) enum Fault {
    Key,
    Damaged(&'static str),
    Storage(Box<redb::Error>),
    Seal,
}

impl Fault {
    pub(super) fn at(self, path: &Path) -> HistoryError {
        let path = path.to_owned();
        match self {
            Self::Key => HistoryError::Key { path },
            Self::Damaged(what) => HistoryError::Damaged { path, what: what.to_owned() },
            Self::Storage(source) => match *source {
                redb::Error::Corrupted(what) => HistoryError::Damaged { path, what },
                redb::Error::DatabaseAlreadyOpen => HistoryError::InUse { path },
                other => HistoryError::Storage { path, source: Box::new(other) },
            },
            Self::Seal => HistoryError::Seal { path },
        }
    }
}

impl<E: Into<redb::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        Self::Storage(Box::new(error.into()))
    }
}
