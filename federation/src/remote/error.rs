//! What can go wrong at another body; every variant names the body.

use meridian_proto::{BodyName, REFUSAL_HEADER, Refusal};

/// How a body failed to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteErrorKind {
    /// It can't be reached, or went away.
    Unavailable,
    /// Its gate refuses.
    Refused,
    /// It answered with an error, or with something that is no whole answer.
    Failed,
    /// A limit of its own, or the deadline of the query.
    Limit,
}

/// A body that did not answer as asked.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{body} {verb}: {message}", verb = match .kind {
    RemoteErrorKind::Unavailable => "is unavailable",
    RemoteErrorKind::Refused => "refuses",
    RemoteErrorKind::Failed => "did not answer",
    RemoteErrorKind::Limit => "stopped at a limit",
})]
pub struct RemoteError {
    /// The body.
    pub body: BodyName,
    /// How.
    pub kind: RemoteErrorKind,
    /// Why, and what to do.
    pub message: String,
    /// The refusal in its parts, where the body sent them. It speaks of SQL that this node wrote.
    pub refusal: Option<Box<Refusal>>,
    /// Whether a partial answer would have done without the body.
    pub dispensable: bool,
}

impl RemoteError {
    pub(crate) fn new(body: &BodyName, kind: RemoteErrorKind, message: impl Into<String>) -> Self {
        Self { body: body.clone(), kind, message: message.into(), refusal: None, dispensable: false }
    }

    /// Whether it is a failure of a kind that a partial answer may do without the body for. What did come and is wrong never is.
    pub(crate) fn is_absence(&self) -> bool {
        match self.kind {
            RemoteErrorKind::Unavailable | RemoteErrorKind::Refused | RemoteErrorKind::Limit => true,
            RemoteErrorKind::Failed => false,
        }
    }

    /// From the status with which a peer ended a call.
    pub(crate) fn from_status(body: &BodyName, status: &tonic::Status) -> Self {
        use tonic::Code;
        let kind = match status.code() {
            Code::PermissionDenied | Code::Unauthenticated => RemoteErrorKind::Refused,
            Code::Unavailable => RemoteErrorKind::Unavailable,
            Code::ResourceExhausted | Code::DeadlineExceeded => RemoteErrorKind::Limit,
            // tonic reports a connection that broke under a call as unknown, or as cancelled, with a cause of this side as its
            // source; what a peer itself says has none.
            Code::Unknown | Code::Cancelled if std::error::Error::source(status).is_some() => {
                RemoteErrorKind::Unavailable
            }
            Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Internal
            | Code::DataLoss => RemoteErrorKind::Failed,
        };
        let message = match kind {
            RemoteErrorKind::Unavailable => reason(status),
            RemoteErrorKind::Refused | RemoteErrorKind::Failed | RemoteErrorKind::Limit => {
                words(status.message()).to_owned()
            }
        };
        Self { refusal: refusal(status), ..Self::new(body, kind, message) }
    }
}

/// The refusal that a peer sent in its parts.
fn refusal(status: &tonic::Status) -> Option<Box<Refusal>> {
    let bytes = status.metadata().get_bin(REFUSAL_HEADER)?.to_bytes().ok()?;
    Refusal::decode(&bytes).ok().map(Box::new)
}

/// A peer's words without its pointer into SQL that this node wrote, which the analyst has not seen.
fn words(message: &str) -> &str {
    let first = message.lines().next().unwrap_or_default();
    match first.strip_prefix("line ").and_then(|rest| rest.split_once(": ")) {
        Some((place, words)) if place.contains(", column ") => words,
        _ => first,
    }
}

/// The innermost cause: `connection refused` rather than `tcp connect error`.
fn reason(status: &tonic::Status) -> String {
    let mut cause = std::error::Error::source(status);
    let mut text = status.message().to_owned();
    while let Some(error) = cause {
        text = error.to_string();
        cause = error.source();
    }
    if text.contains('?') { text } else { format!("{text}; is its node running and reachable from here?") }
}
