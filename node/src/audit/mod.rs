//! The log: an append-only chain of records of what this node released and refused, durable before the first byte.
//!
//! First form: JSON lines in `audit/log.jsonl`, each holding the SHA-256 of the line before it. One writer thread
//! commits whatever has gathered with one `fdatasync` (group commit). What the chain catches: edits, insertions and
//! deletions in the middle; a cut tail and a fork are caught only by whoever holds a later hash, such as a receipt.
//!
//! What a record must not hold for good (literals of the SQL, numbers of withheld cells) is its private part, in a side
//! file that forgets: [`Private`].
//!
//! One process writes: whoever has the file locked (`flock`), which ends with the process however that ends. That is the
//! node while it runs. `meridian rights` takes the lock where no node has it; otherwise the node records what it did.

mod chain;
mod private;
mod read;
mod record;
mod side;
mod writer;

pub use chain::{Broken, Rights, Verified, verify};
pub use private::{Cells, Committed, Private};
pub use read::{Kept, Recorded, private, records, records_if_any};
pub use record::{Alert, Entry, Outcome, Record, Right, Use};
pub use side::Keeping;
pub use writer::{Durable, Log};

/// The log's name in its folder.
const FILE: &str = "log.jsonl";

/// Why the log can't take a record, so that the node answers nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// The file or folder can't be opened or read.
    #[error("the log {path} can't be opened: {why}; the node answers nothing until it can")]
    Open {
        /// The file.
        path: String,
        /// The operating system's reason.
        why: String,
    },
    /// Another process writes it.
    #[error("the log {path} is held by another process; end the other node that has this state folder")]
    Held {
        /// The file.
        path: String,
    },
    /// The chain does not hold.
    #[error("the log {path} is damaged: {why}; the node answers nothing until it is restored or set aside")]
    Damaged {
        /// The file.
        path: String,
        /// Where and how.
        why: Broken,
    },
    /// A record was not written.
    #[error("the log can't be written: {0}; the node answers nothing until it can")]
    Write(String),
    /// The disk said that what it had taken may be lost.
    #[error("the log can't be made durable: {0}; the node answers nothing until it is restarted")]
    Sync(String),
}
