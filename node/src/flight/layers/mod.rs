//! What every call passes before it is answered: who is calling, one trace of it, and its limits.

mod body;
mod bounded;
mod identity;
mod membership;
mod trace;

pub(super) use body::trailers;
pub(super) use bounded::Bounded;
pub(super) use identity::Identity;
pub(super) use membership::Membership;
pub(super) use trace::Trace;

/// The path of the call that streams an answer.
const DO_GET: &str = "/arrow.flight.protocol.FlightService/DoGet";

/// A call's response, from wherever it is decided.
type Response = http::Response<tonic::body::Body>;
