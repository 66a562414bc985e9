//! Why the list can't be read or changed.

use std::io;
use std::path::PathBuf;

/// Why the list can't be read or changed. Nothing in it is of an entry's unit or values.
#[derive(Debug, thiserror::Error)]
pub enum RightsError {
    /// The file can't be read.
    #[error("the list of rights {} can't be read: {why}; check that the node's user may read it", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        why: io::Error,
    },
    /// The file is not what was written.
    #[error(
        "the list of rights {} was altered or cut short, or the node's secret is another; put it back from a backup",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// Entries are missing.
    #[error(
        "the list of rights {} ends with entry {found}, and entry {expected} is known: it is lost or an older copy; put \
         the newest one back from a backup",
        path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// The last entry that there is.
        found: u64,
        /// The last one that was seen or that the log tells of.
        expected: u64,
    },
    /// The file can't be written.
    #[error(
        "the list of rights {} can't be written: {why}; nothing was changed; check the state folder and its disk",
        path.display()
    )]
    Write {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        why: io::Error,
    },
    /// The file would belong to somebody else than the state folder, and the node couldn't read it.
    #[error("{} belongs to user {owner}, the user of the node; run this as that user", folder.display())]
    Owner {
        /// The state folder.
        folder: PathBuf,
        /// The user's number.
        owner: u32,
    },
    /// There is nothing of that number to end.
    #[error(
        "no entry {number} stands: it is unknown, has ended, or is none that can be withdrawn; see meridian rights list"
    )]
    NotStanding {
        /// The number.
        number: u64,
    },
}
