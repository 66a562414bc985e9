//! The log: an append-only Merkle tree of records of what this node released and refused, durable before the first byte.
//!
//! Its form is C2SP's: the files below `audit` are a log of [tlog-tiles](https://c2sp.org/tlog-tiles) (hashes as in
//! RFC 6962, `tile/…`, `tile/entries/…`), and its newest `checkpoint` a signed note. A record is a line of JSON.
//!
//! One writer thread commits whatever has gathered with one `fdatasync` (group commit) into the `journal`, each group
//! with the signed checkpoint that covers it; only then is it acknowledged. From there another thread builds the tiles. So
//! a checkpoint never covers what is not durable, and the disk is waited for once.
//!
//! What the log finds out by itself: edits, insertions and deletions. That it is the only one that this body shows, and
//! whole up to its end, others must say: whoever holds an earlier checkpoint, such as the witnesses among its peers.
//!
//! What a record must not hold for good (literals of the SQL, numbers of withheld cells) is its private part, in a side
//! file that forgets: [`Private`].
//!
//! One process writes: whoever has the file `lock` locked (`flock`), which ends with the process however that ends. That is
//! the node while it runs. `meridian rights` takes the lock where no node has it; otherwise the node records what it did.

mod disk;
mod journal;
mod log;
mod note;
mod position;
mod private;
mod proof;
mod publish;
mod read;
mod record;
mod replay;
mod rights;
mod seal;
mod shared;
mod side;
mod tiles;
mod tree;
mod verify;
mod writer;

pub use log::{Durable, Log};
pub use note::{LogKey, NoteError, Signed, Witness, WitnessVerifier, origin, witness_name};
pub use private::{Cells, Committed, Private};
pub use proof::{Proof, ProofError};
pub use read::{Entries, Kept, Recorded, each, each_from, private, proof, published, records, records_if_any, rights};
pub use record::{Alert, Entry, Long, Outcome, Record, Right, Use};
pub use rights::Rights;
pub use seal::seal;
pub use shared::Head;
pub use side::Keeping;
pub use tlog_tiles::{Hash, check_tree, record_hash};
pub use verify::{Broken, Report, verify};

/// Puts a file in its place at once, whole and durable; its folder is made where it is not there.
pub fn durable_file(path: &std::path::Path, bytes: &[u8]) -> std::io::Result<()> {
    tiles::write(path, bytes, true)
}

/// Locked by whoever writes the log.
pub(crate) const LOCK: &str = "lock";

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
        /// Whether it is not there.
        gone: bool,
    },
    /// Another process writes it.
    #[error("the log {path} is held by another process; end the other node that has this state folder")]
    Held {
        /// The file.
        path: String,
    },
    /// The log is not what was written.
    #[error(
        "the log {path} is damaged: {why}; the node answers nothing until the folder is restored as it was, or set aside as \
         a whole: `meridian audit verify` says what of it holds"
    )]
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
    /// Something can't be proven by it.
    #[error("the log proves nothing: {0}; run `meridian audit verify`")]
    Proof(String),
    /// A witness holds a checkpoint of it that it does not continue.
    #[error(
        "the log is not the one that {witness} has seen: {why}; the node answers nothing until the newest log is put back \
         (it may have been restored from an old backup), and then restarted"
    )]
    Betrayed {
        /// Who holds the checkpoint.
        witness: String,
        /// In which way they differ.
        why: String,
    },
}
