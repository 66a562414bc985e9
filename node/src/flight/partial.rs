//! Whether an analyst takes a partial answer: a header of each call, which nobody but their own node looks at.

use std::sync::Arc;

use tonic::{Request, Status};

use super::PARTIAL_HEADER;
use crate::gate::Caller;
use crate::query::Partial;

/// A partial answer to begin with, where the caller is an analyst who takes one. Another body's node has no say in it: what
/// it asks for is one body's own answer.
pub(super) fn wanted<T>(request: &Request<T>, caller: &Caller) -> Result<Option<Arc<Partial>>, Status> {
    if caller.is_peer() {
        return Ok(None);
    }
    let mut values = request.metadata().get_all(PARTIAL_HEADER).iter();
    let wanted = match (values.next().map(|value| value.as_bytes()), values.next()) {
        (None, _) | (Some(b"false"), None) => false,
        (Some(b"true"), None) => true,
        (Some(_), _) => {
            return Err(Status::invalid_argument(format!(
                "the header {PARTIAL_HEADER} stands there once and is true or false"
            )));
        }
    };
    Ok(wanted.then(Arc::default))
}
