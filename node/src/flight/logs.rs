//! The Flight actions by which nodes keep an eye on each other: cosigning a checkpoint, proving a record, and telling of
//! agreements that many sign.

use std::time::SystemTime;

use bytes::Bytes;
use meridian_certs::Verified;
use meridian_proto::{BodyName, PROOF_ACTION, WitnessRequest, Witnessed, wire};
use prost::Message;
use tonic::Status;

use super::actions::unreadable;
use super::{remote, status};
use crate::agreements::AgreementError;
use crate::gate::Caller;
use crate::query::Engine;
use crate::witness::Refusal;

/// Cosigns the newest checkpoint of the log of the node that asks.
pub(super) fn witness(body: &[u8], engine: &Engine, verified: &Verified) -> Result<Vec<Bytes>, Status> {
    remote::node(verified, "have checkpoints witnessed")?;
    let request = WitnessRequest::decode(body).map_err(|why| Status::invalid_argument(why.to_string()))?;
    match engine.witnessing().answer(verified, &request) {
        Ok(answer) => Ok(vec![answer.encode().into()]),
        Err(Refusal::Bad(why)) => Err(Status::failed_precondition(why)),
        Err(error @ Refusal::Disk(_)) => {
            tracing::error!(%error, "a checkpoint of another body is not kept");
            Err(Status::unavailable("the witness can't keep the checkpoint; ask again later"))
        }
    }
}

/// Tells another node of agreements that concern it, and takes what it tells.
pub(super) fn agreements(body: &[u8], engine: &Engine, verified: &Verified) -> Result<Vec<Bytes>, Status> {
    remote::node(verified, "tell each other of agreements")?;
    // It reads and writes files.
    let answer = tokio::task::block_in_place(|| engine.agreements().answer(verified, body, SystemTime::now()));
    match answer {
        Ok(answer) => Ok(vec![answer.into()]),
        Err(error @ (AgreementError::Disk { .. } | AgreementError::Certs(_))) => {
            tracing::error!(%error, "what another body says of an agreement is not kept");
            Err(Status::unavailable("the node can't keep what it is told of agreements; tell it again later"))
        }
        Err(error @ (AgreementError::Unfit(_) | AgreementError::Refused(_))) => {
            Err(Status::failed_precondition(error.to_string()))
        }
    }
}

/// The proof of a record, of this node's log or, for its analysts, of another's. It holds hashes, and nothing of the record.
pub(super) async fn proof(body: &[u8], engine: &Engine, caller: &Caller) -> Result<Vec<Bytes>, Status> {
    let request = wire::ProofRequest::decode(body).map_err(|why| unreadable(&why))?;
    let of: BodyName = request.body.parse().map_err(|_| Status::invalid_argument("ProofRequest.body names a body"))?;
    let of = of.told_by(engine.federation(), engine.federation());
    if of == *engine.body() {
        let proven = engine.witnessing().prove(request.index).map_err(|why| status::fault("prove a record", &why))?;
        let proven = proven.ok_or_else(|| {
            Status::unavailable(format!(
                "no witness has cosigned record {} of {of} yet: ask again later",
                request.index
            ))
        })?;
        return Ok(vec![proven.encode().into()]);
    }
    if caller.is_peer() {
        return Err(Status::permission_denied("a node proves the records of its own log to other nodes"));
    }
    // There it is asked for by the name that it has in its own federation.
    let theirs = wire::ProofRequest { body: of.slug().to_string(), index: request.index };
    let results = engine.routes().action(&of, PROOF_ACTION, theirs.encode_to_vec()).await;
    let results = results.map_err(|error| Status::unavailable(format!("{of}: {}", error.message)))?;
    let [result] = results.as_slice() else { return Err(Status::unavailable(format!("{of} gave no one proof"))) };
    let proven = Witnessed::decode(result).map_err(|why| Status::unavailable(format!("{of}: {why}")))?;
    Ok(vec![proven.encode().into()])
}
