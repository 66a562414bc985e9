//! What goes wrong between node and engine, for the operator.

use std::path::PathBuf;

use tonic::{Code, Status};

/// What went wrong at or on the way to an engine. The engine's own messages may quote values of rows: none is kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineFault {
    /// There is no connection.
    #[error("the engine can't be reached: {0}; check `address` in [[engines]], and that it is up")]
    Unreachable(String),
    /// The connection ended while it was in use.
    #[error("the engine went away: {0}; look into its log")]
    Gone(String),
    /// TLS is not spoken, or the engine is not who it should be.
    #[error(
        "TLS: {0}; the engine needs a certificate that names its host (subjectAltName) and that `ca` in [[engines]] has \
         signed"
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
    /// The engine does not let the node in.
    #[error(
        "the engine refuses the login; check user and password_file, token_file or certificate and key in [[engines]]"
    )]
    Login,
    /// The node may not read the table.
    #[error("the engine does not let the node read it; give its user leave to read the table, and nothing else")]
    Denied,
    /// It takes too long.
    #[error("nothing came for {0} s; set `request_seconds` in [[engines]] higher, or let the engine have more")]
    Slow(u32),
    /// It is busy.
    #[error("the engine has no room for more at the moment; let fewer ask, or give it more")]
    Busy,
    /// It does not do what it is asked.
    #[error(
        "the engine refuses the query ({0:?}); correct `table`, and `dialect` in [[engines]]: the engine's own log says more"
    )]
    Refused(Code),
    /// It speaks something else.
    #[error("it does not speak Arrow Flight SQL; correct `address` in [[engines]]")]
    NotFlightSql,
    /// There is no column that can be read.
    #[error("none of the table's columns is of a type that is read; let a view there make texts or numbers of them")]
    NoColumns,
    /// A column is of another type.
    #[error("the column {0} is of another type now; it is looked at again")]
    Retyped(String),
    /// Another number of columns than were asked for.
    #[error("{found} columns came where {asked} were asked for; it is looked at again")]
    Columns {
        /// How many came.
        found: usize,
        /// How many were asked for.
        asked: usize,
    },
    /// The rows are to be fetched from somebody else, who would get this node's login.
    #[error(
        "the engine has its rows fetched at another address than its own, which is not done; set it to give them itself, or to \
         name the address that [[engines]] has"
    )]
    Elsewhere,
    /// Nowhere, or in more places than can be.
    #[error("the engine has its rows fetched in {0} places, where 1 to {1} are taken")]
    Places(usize, usize),
    /// The answer is no Arrow data.
    #[error("its answer is not taken: {0}")]
    Malformed(String),
    /// An answer that is not whole.
    #[error("{found} rows came where the engine had announced {announced}; look into its log")]
    Cut {
        /// How many came.
        found: i64,
        /// How many were announced.
        announced: i64,
    },
    /// A value that has no place in its type.
    #[error("the column {0} holds a value that its type here has no place for; let a view there make text of it")]
    Unfit(String),
}

impl EngineFault {
    /// From the status of a call while so many seconds were waited for.
    pub(super) fn of(status: &Status, seconds: u32) -> Self {
        // What comes from the connection and not from the engine has a cause.
        if std::error::Error::source(status).is_some() {
            return Self::Gone(cause(status));
        }
        match status.code() {
            Code::Unauthenticated => Self::Login,
            Code::PermissionDenied => Self::Denied,
            Code::DeadlineExceeded => Self::Slow(seconds),
            Code::ResourceExhausted => Self::Busy,
            Code::Unimplemented => Self::NotFlightSql,
            Code::Unavailable | Code::Cancelled => Self::Gone(format!("it answers with {:?}", status.code())),
            code @ (Code::Ok
            | Code::Unknown
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Internal
            | Code::DataLoss) => Self::Refused(code),
        }
    }

    /// Whether the table may be another one than it was when the dataset was loaded.
    pub(in crate::sources) fn is_change(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::Denied | Self::Retyped(_) | Self::Columns { .. })
    }

    /// Whether the connection that was kept is worth no further try.
    pub(super) fn is_of_connection(&self) -> bool {
        matches!(self, Self::Gone(_) | Self::Login | Self::Unreachable(_) | Self::Tls(_) | Self::Slow(_))
    }
}

/// The innermost reason, which is the operating system's, TLS's or HTTP's.
pub(super) fn cause(error: &dyn std::error::Error) -> String {
    let mut found = error;
    while let Some(inner) = found.source() {
        found = inner;
    }
    found.to_string()
}
