//! What a command can fail with, and the exit code that a shell sees.

use std::io;
use std::path::PathBuf;

use super::format::FormatError;

/// Why a command did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line or the statement doesn't say what is needed.
    #[error("{0}")]
    Usage(String),
    /// A file can't be read.
    #[error("reading {}: {source}; check the path, and that this user may read it", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file or folder can't be written.
    #[error("writing {}: {source}; check the folder's permissions and free space", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file in TOML is not what it should be.
    #[error("{kind} {}:{line}: {what}: {fix}", path.display())]
    Toml {
        /// What it is a file of: a profile, a sprint.
        kind: &'static str,
        /// The file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// What is wrong.
        what: String,
        /// What to do.
        fix: String,
    },
    /// Keys, certificates or addresses.
    #[error(transparent)]
    Certs(#[from] meridian_certs::Error),
    /// A node can't be reached, or the connection to it broke.
    #[error("asking {node}: {reason}")]
    Connection {
        /// The node's address.
        node: String,
        /// Why, and what to do.
        reason: String,
    },
    /// A node's own words.
    #[error("{0}")]
    Node(String),
    /// An answer that is not as it should be, and may not be relied on.
    #[error("the answer of {node} {problem}")]
    Answer {
        /// The node's address.
        node: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Records of the receipt that prove nothing; the answer has been printed.
    #[error(
        "{0} of the receipt's records can't be verified: don't rely on this answer, and tell the operator of your node"
    )]
    Receipt(usize),
    /// A check found bodies that would not release their part; what they said has been printed.
    #[error("{0} would not release the answer")]
    NotReleased(String),
    /// A check found bodies whose decision is not known; the others' has been printed.
    #[error("the decision of {0} is not known; ask again when their nodes answer")]
    Undecided(String),
    /// A look at a node found faults; they have been printed.
    #[error("{0} faults were found")]
    Faults(usize),
    /// A file lacks what the standard requires; the mapping has been printed without it.
    #[error("{0}")]
    Unmapped(String),
    /// The answer can't be written.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The configuration is not what it should be.
    #[error("{0}")]
    Config(String),
    /// The node ended with an error.
    #[error("{0}")]
    Serve(String),
    /// An agreement can't be proposed, signed or withdrawn.
    #[error("{0}")]
    Agreement(String),
    /// A right can't be exercised or reported on.
    #[error("{0}")]
    Rights(String),
    /// The demo's files can't be made.
    #[error(transparent)]
    Examples(#[from] meridian_examples::london::Error),
    /// A mesh on this machine did not come up, did not stay up, or has had its time.
    #[error("{0}")]
    Mesh(String),
    /// The operating system gives no threads or signals.
    #[error("starting the program's threads and signal handlers: {0}; check the limits of this user")]
    Runtime(io::Error),
    /// A statement of a script.
    #[error("{place}: {source}")]
    At {
        /// The script and the line on which the statement begins.
        place: String,
        /// What failed.
        source: Box<Error>,
    },
    /// The terminal does not do what an editor needs of it.
    #[error("reading from the terminal: {0}; pipe the statements in, or use meridian query")]
    Terminal(io::Error),
    /// Somebody asked to stop.
    #[error("interrupted")]
    Interrupted,
}

impl Error {
    /// The exit code: 2 for a command that can't be meant, 3 where a check found a no, 130 after an interrupt, 1 for all
    /// else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::NotReleased(_) | Self::Faults(_) | Self::Unmapped(_) => 3,
            Self::Interrupted => 130,
            Self::At { source, .. } => source.exit_code(),
            _ => 1,
        }
    }

    /// Whether the reader of the data has gone away, as `head` does: an end, not a failure.
    pub fn is_broken_pipe(&self) -> bool {
        match self {
            Self::Format(FormatError::Output(error)) => error.kind() == io::ErrorKind::BrokenPipe,
            Self::At { source, .. } => source.is_broken_pipe(),
            _ => false,
        }
    }
}

impl From<io::Error> for Error {
    /// Writing data out is the only I/O whose errors arrive bare.
    fn from(error: io::Error) -> Self {
        Self::Format(FormatError::Output(error))
    }
}
