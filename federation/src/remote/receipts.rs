//! The signed release records that come back with the answers of other bodies.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use meridian_proto::{Name, Receipt, ReleaseRecord, Signed};

use super::{RemoteError, RemoteErrorKind};

/// A release record whose signature was verified to be the body's.
#[derive(Debug, Clone)]
pub struct Received {
    /// As signed, to be handed on.
    pub signed: Signed,
    /// What it says.
    pub record: ReleaseRecord,
}

/// Verifies a signed envelope and tells which body's node signed it.
pub type Verifier = dyn Fn(&Signed) -> Result<Name, String> + Send + Sync;

/// Collects the release records of one query, in the order in which they arrive.
pub struct Receipts {
    verifier: Arc<Verifier>,
    received: Mutex<Vec<Received>>,
}

impl fmt::Debug for Receipts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipts").finish_non_exhaustive()
    }
}

impl Receipts {
    /// An empty collection that takes what `verifier` holds for signed by a node.
    pub fn new(verifier: Arc<Verifier>) -> Arc<Self> {
        Arc::new(Self { verifier, received: Mutex::default() })
    }

    /// Takes the receipt with which `body` ended its answer of `rows` rows to `query_id`.
    ///
    /// An answer is whole only if its record is the body's own, is about this query, and counts what arrived.
    pub(crate) fn take(&self, body: &Name, query_id: &str, rows: u64, receipt: Receipt) -> Result<(), RemoteError> {
        let failed = |why: String| RemoteError::new(body, RemoteErrorKind::Failed, why);
        let mut received = Vec::with_capacity(receipt.releases.len());
        for (position, signed) in receipt.releases.into_iter().enumerate() {
            let signer = (self.verifier)(&signed).map_err(|why| failed(format!("its release record: {why}")))?;
            let record = ReleaseRecord::decode(&signed.payload).map_err(|error| failed(error.to_string()))?;
            if record.body != signer.as_str() || record.query_id != query_id {
                return Err(failed("its release record is about another body or query".into()));
            }
            if position == 0 && (signer != *body || record.rows != rows) {
                return Err(failed(format!("its release record counts {} rows, {rows} arrived", record.rows)));
            }
            received.push(Received { signed, record });
        }
        self.lock().extend(received);
        Ok(())
    }

    /// What has arrived, sorted by body.
    pub fn all(&self) -> Vec<Received> {
        let mut all = self.lock().clone();
        all.sort_by(|a, b| a.record.body.cmp(&b.record.body));
        all
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Received>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
