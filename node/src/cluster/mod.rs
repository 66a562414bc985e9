//! The cluster of one body: where one machine is not enough, what is below a release is computed by workers, on machines of the
//! body's own.
//!
//! The node decides as ever: the gate admits, and what stands above a release (thresholds, noise, history, the answer) is
//! computed at the node, which alone records and releases. A worker holds no terms and opens no log. It takes a part of a plan
//! from the node, reads files that its own configuration names, and gives what it computed to the node or to the other workers.
//!
//! | where | what |
//! | --- | --- |
//! | `exec` | a part of a plan that runs on workers, and again on those that are left where one dies |
//! | `workers` | which workers answer, and the way to them |
//! | `codec` | plans as bytes and back, with what is ours in them |
//! | `worker` | the worker's own process |
//! | `door` | who may ask a worker for what |
//! | `sound` | an answer that breaks off is no answer |
//! | `admitted` | which plans a worker runs: known operators over files that it may read |
//!
//! Plans go to workers as [`datafusion_distributed`] ships them: encoded by `datafusion-proto`, rows as Arrow over gRPC. Our
//! channels are mutual TLS 1.3 with certificates of the cluster's own authority ([`meridian_certs::Cluster`]), and nobody else
//! is let in. With a plan goes what the scan of a dataset needs to name units: the key of the kind's hashes, and who may not
//! be used (`sources`' `shipped`). Nothing is written to disks. Ballista, the other way, keeps rows between stages in files.
//!
//! One crate among those that came with it, `bincode` 1, is not maintained any more.

mod admitted;
mod codec;
mod door;
mod exec;
mod sound;
mod worker;
mod workers;

pub use exec::{Ran, ran};
pub use worker::{ServeError, WorkerParts, serve};
pub use workers::{Found, Unfit, Workers};

use std::sync::Arc;

use datafusion::error::Result;
use datafusion::physical_plan::ExecutionPlan;

use crate::gate;

/// The plan with what is below its releases run by workers, as far as it can be.
pub fn spread(workers: &Arc<Workers>, plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    gate::below_releases(plan, &|below| exec::spread(workers, below))
}
