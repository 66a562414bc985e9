//! What goes wrong between node and server, file or engine, for the operator.

use std::path::PathBuf;

use tokio_postgres::error::SqlState;

use crate::sources::{EngineFault, SqliteFault};

/// What went wrong at or on the way to a server. The server's own messages may quote values of rows: none is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is no connection.
    #[error("the server can't be reached: {0}; check host and port in [[databases]], and that it is up")]
    Unreachable(String),
    /// The connection ended while it was in use.
    #[error("the server went away: {0}; look into its log")]
    Gone(String),
    /// TLS is not spoken, or the server is not who it should be.
    #[error(
        "TLS: {0}; the server needs ssl = on and a certificate that names its host (subjectAltName) and that `ca` in \
         [[databases]] has signed"
    )]
    Tls(String),
    /// A file that the configuration names.
    #[error("{}: {why}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// The server does not let the user in.
    #[error(
        "the server refuses the login ({0}); check user, password_file and database in [[databases]], and pg_hba.conf"
    )]
    Login(String),
    /// All connections are in use.
    #[error("all {0} connections are in use for too long; set `connections` in [[databases]] higher, or let fewer ask")]
    Busy(usize),
    /// The statement took too long.
    #[error("it took longer than {0} s; set `statement_seconds` in [[databases]] higher, or add an index")]
    Slow(u32),
    /// A sum has no room in its type.
    #[error("a sum does not fit in its type")]
    TooLarge,
    /// There is no such table for this user.
    #[error("there is no such table or view; correct `table`, and GRANT USAGE on its schema to the user")]
    NoTable,
    /// The user may not read it.
    #[error("the user may not read it; GRANT SELECT on it, and USAGE on its schema")]
    Denied,
    /// A column is gone.
    #[error("the column {0} is not there any more; put it back, or correct mapping and [[columns]]")]
    NoColumn(String),
    /// A column is of another type.
    #[error("the column {0} is of another type now; it is looked at again")]
    Retyped(String),
    /// A value that is none of its type.
    #[error("the column {0} came in a form that is none of its type; this needs a server of PostgreSQL 12 or later")]
    Malformed(String),
    /// The database says nothing of its texts.
    #[error("its encoding is SQL_ASCII, which does not say what its texts are; serve a copy whose encoding is UTF8")]
    Encoding,
    /// The server's catalogue is not as it should be.
    #[error("the server's catalogue can't be read; this needs a server of PostgreSQL 12 or later")]
    Catalogue,
    /// A database that is a file.
    #[error(transparent)]
    Sqlite(SqliteFault),
    /// Another engine.
    #[error(transparent)]
    Engine(EngineFault),
    /// Another error of the server.
    #[error("the server answers with error {0}; its own log says more")]
    Server(String),
}

impl Fault {
    /// From an error of a statement that was to take so many seconds at most.
    pub(super) fn of_statement(error: &tokio_postgres::Error, seconds: u32) -> Self {
        let Some(found) = error.as_db_error() else { return Self::Gone(cause(error)) };
        let code = found.code();
        if *code == SqlState::QUERY_CANCELED {
            Self::Slow(seconds)
        } else if *code == SqlState::NUMERIC_VALUE_OUT_OF_RANGE {
            Self::TooLarge
        } else if *code == SqlState::UNDEFINED_TABLE || *code == SqlState::INVALID_SCHEMA_NAME {
            Self::NoTable
        } else if *code == SqlState::UNDEFINED_COLUMN {
            Self::NoColumn(quoted_name(found.message()))
        } else if *code == SqlState::INSUFFICIENT_PRIVILEGE {
            Self::Denied
        } else if is_absence(code) {
            Self::Gone(code.code().to_owned())
        } else {
            Self::Server(code.code().to_owned())
        }
    }

    /// From an error of connecting.
    pub(super) fn of_connecting(error: &tokio_postgres::Error) -> Self {
        let Some(found) = error.as_db_error() else {
            let why = cause(error);
            let tls = why.contains("TLS") || why.contains("certificate") || why.contains("does not support");
            return if tls { Self::Tls(why) } else { Self::Unreachable(why) };
        };
        let code = found.code();
        if is_absence(code) || *code == SqlState::TOO_MANY_CONNECTIONS {
            Self::Unreachable(code.code().to_owned())
        } else {
            Self::Login(code.code().to_owned())
        }
    }

    /// Whether the table may be another one than it was when the dataset was loaded.
    pub(in crate::sources) fn is_change(&self) -> bool {
        match self {
            Self::Engine(fault) => fault.is_change(),
            other => matches!(other, Self::NoTable | Self::Denied | Self::NoColumn(_) | Self::Retyped(_)),
        }
    }
}

/// The server ends, starts, or ends connections.
fn is_absence(code: &SqlState) -> bool {
    [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW, SqlState::DATABASE_DROPPED]
        .contains(code)
}

/// The innermost reason, which is the operating system's or TLS's.
fn cause(error: &tokio_postgres::Error) -> String {
    let mut found: &dyn std::error::Error = error;
    while let Some(inner) = found.source() {
        found = inner;
    }
    found.to_string()
}

/// A column's name out of the server's words on the statement that it got, in whatever language.
fn quoted_name(message: &str) -> String {
    let quote = |c: char| matches!(c, '"' | '«' | '»' | '„' | '“');
    message.split(quote).nth(1).unwrap_or("that is asked for").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_named_by_the_words_of_the_server() {
        assert_eq!(quoted_name("column \"postcode\" does not exist"), "postcode");
        assert_eq!(quoted_name("no quotes"), "that is asked for");
    }
}
