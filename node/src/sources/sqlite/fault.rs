//! What goes wrong with a SQLite file, and what to do; holds no value of a row.

use rusqlite::{Error, ErrorCode};

/// Extended codes: a change that was not finished, which only who may write can undo.
const UNFINISHED: [i32; 3] = [
    rusqlite::ffi::SQLITE_READONLY_ROLLBACK,
    rusqlite::ffi::SQLITE_READONLY_RECOVERY,
    rusqlite::ffi::SQLITE_READONLY_CANTINIT,
];

/// What went wrong with a SQLite file. SQLite's own messages may quote values: none is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqliteFault {
    /// It can't be opened or read.
    #[error("it can't be read: {0}; check `path` and that the node's user may read it")]
    Unreadable(String),
    /// It is something else.
    #[error("it is no SQLite database, or an encrypted one; serve a copy that is not encrypted")]
    NotADatabase,
    /// It is damaged.
    #[error("it is damaged; see what PRAGMA integrity_check says, and put it back from a backup")]
    Corrupt,
    /// Somebody else writes.
    #[error("another program keeps it locked for longer than {0} s; let that finish, or serve a copy")]
    Locked(u64),
    /// A program that was writing has ended in the middle of it.
    #[error("a change to it was not finished; open it once with a program that may write it, such as sqlite3")]
    Unfinished,
    /// There is no such table.
    #[error("it has no table or view {0:?}; correct `table`")]
    NoTable(String),
    /// There is no such column to read as text.
    #[error("its table has no column {0:?}, which `as_text` names; correct `as_text`")]
    NoColumn(String),
    /// A value that is none of its column's type.
    #[error(
        "column {column} row {row} holds {found} where {declared:?} is declared; correct it, or name the column in `as_text`"
    )]
    Value {
        /// The column.
        column: String,
        /// The row, counted from 1 in the table's own order.
        row: i64,
        /// What SQLite calls its type.
        found: String,
        /// The declared type.
        declared: String,
    },
    /// A text that is none.
    #[error("column {0} holds a text that is not UTF-8; correct it, or publish hex() of it by a view")]
    Encoding(String),
    /// Another file or table than before.
    #[error("it changed while it was read; it is looked at again")]
    Changed,
    /// The query was given up.
    #[error("the query was given up")]
    Interrupted,
    /// Another error.
    #[error("SQLite answers with error {0}; a view may be broken, or the disk")]
    Other(i32),
}

impl SqliteFault {
    /// From an error of SQLite, while a lock is waited for so many seconds.
    pub(super) fn of(error: &Error, patience: u64) -> Self {
        let Error::SqliteFailure(failure, _) = error else { return Self::Other(rusqlite::ffi::SQLITE_MISUSE) };
        match failure.code {
            _ if UNFINISHED.contains(&failure.extended_code) => Self::Unfinished,
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Locked(patience),
            ErrorCode::DatabaseCorrupt => Self::Corrupt,
            ErrorCode::NotADatabase => Self::NotADatabase,
            ErrorCode::OperationInterrupted => Self::Interrupted,
            ErrorCode::SchemaChanged => Self::Changed,
            ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::SystemIoFailure => {
                Self::Unreadable(format!("SQLite answers with error {}", failure.extended_code))
            }
            _ => Self::Other(failure.extended_code),
        }
    }
}
