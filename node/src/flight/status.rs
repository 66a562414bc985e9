//! Errors into gRPC statuses: one code for each kind, the same text for whoever asks.

use meridian_proto::{REFUSAL_HEADER, Refusal};
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

use crate::gate::Refused;
use crate::query::{ErrorKind, QueryError};

/// Longest text of a status, in characters: it travels in a header, and headers are bounded.
const MESSAGE_CHARS: usize = 4_000;

/// Longest refusal in its parts, in bytes, for the same reason; the words of the status say what a longer one would.
const REFUSAL_BYTES: usize = 2_000;

/// What a caller is told when a fault of this node ended the call.
pub(super) const FAULT: &str =
    "a fault of this node ended the call: its operator finds the reason in the node's log under the query's id";

/// The status of a query that got no answer.
pub(super) fn of(error: &QueryError) -> Status {
    with_parts(Status::new(code(error.kind), shortened(&error.message)), error.refusal.as_deref())
}

/// The status of a caller or a request that the gate refuses.
pub(super) fn refused(refused: &Refused) -> Status {
    with_parts(Status::permission_denied(shortened(&refused.to_string())), Some(&refused.into()))
}

/// Puts a refusal's parts beside its words, so that the asker can point into their own SQL.
fn with_parts(mut status: Status, refusal: Option<&Refusal>) -> Status {
    if let Some(bytes) = refusal.map(Refusal::encode).filter(|bytes| bytes.len() <= REFUSAL_BYTES) {
        status.metadata_mut().insert_bin(REFUSAL_HEADER, MetadataValue::from_bytes(&bytes));
    }
    status
}

/// A fault of this node: the reason goes to its log, a fixed sentence to the caller.
pub(super) fn fault(attempted: &'static str, why: &dyn std::fmt::Display) -> Status {
    tracing::error!(attempted, %why, "a call met a fault");
    Status::internal(FAULT)
}

fn code(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::InvalidSql => Code::InvalidArgument,
        ErrorKind::Refused => Code::PermissionDenied,
        ErrorKind::PeerUnavailable => Code::Unavailable,
        ErrorKind::PeerFailed => Code::Aborted,
        ErrorKind::TooLarge => Code::ResourceExhausted,
        ErrorKind::Deadline => Code::DeadlineExceeded,
        ErrorKind::Cancelled => Code::Cancelled,
        ErrorKind::Log | ErrorKind::Internal => Code::Internal,
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_code() {
        for (kind, expected) in [
            (ErrorKind::InvalidSql, Code::InvalidArgument),
            (ErrorKind::Refused, Code::PermissionDenied),
            (ErrorKind::PeerUnavailable, Code::Unavailable),
            (ErrorKind::PeerFailed, Code::Aborted),
            (ErrorKind::TooLarge, Code::ResourceExhausted),
            (ErrorKind::Deadline, Code::DeadlineExceeded),
            (ErrorKind::Cancelled, Code::Cancelled),
            (ErrorKind::Log, Code::Internal),
            (ErrorKind::Internal, Code::Internal),
        ] {
            let status = of(&QueryError::new(kind, "why"));
            assert_eq!((status.code(), status.message()), (expected, "why"), "{kind:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let status = of(&QueryError::new(ErrorKind::InvalidSql, "é".repeat(MESSAGE_CHARS + 1)));
        assert_eq!(status.message().chars().count(), MESSAGE_CHARS + 1);
        assert!(status.message().ends_with('…'));
    }
}
