//! The end of an answer: its outcome in the log, and the receipt that travels behind it.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use datafusion::error::DataFusionError;
use meridian_federation::remote::Receipts;
use meridian_proto::{Receipt, ReleaseRecord};

use super::{Asked, Engine, ErrorKind, Planned, QueryError};
use crate::audit::{Durable, Outcome};

/// What is to be said when an answer has left. Dropped before that, it records the release as interrupted.
pub struct Closing {
    engine: Arc<Engine>,
    logged: Durable,
    record: ReleaseRecord,
    receipts: Arc<Receipts>,
    closed: bool,
}

impl fmt::Debug for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closing").field("query_id", &self.record.query_id).finish_non_exhaustive()
    }
}

impl Closing {
    pub(super) fn new(engine: &Arc<Engine>, asked: &Asked, planned: &Planned, logged: &Durable) -> Self {
        let facts = planned.admitted.facts();
        let record = ReleaseRecord {
            query_id: asked.query_id.clone(),
            federation: engine.federation().to_string(),
            body: engine.body().to_string(),
            caller: asked.caller.spiffe(),
            on_behalf_of: asked.caller.on_behalf_of().unwrap_or_default().to_owned(),
            purpose: asked.caller.purpose().unwrap_or_default().to_owned(),
            agreements: facts.agreements.clone(),
            datasets: facts.datasets.clone(),
            sql: asked.sql.clone(),
            rules: facts.rules.clone(),
            rows: 0,
            bytes: 0,
            time_ms: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |t| u64::try_from(t.as_millis()).unwrap_or(0)),
            log_index: logged.index(),
            log_hash: logged.hash().to_vec(),
            notices: facts.notices.clone(),
        };
        let receipts = Arc::clone(&planned.receipts);
        Self { engine: Arc::clone(engine), logged: logged.clone(), record, receipts, closed: false }
    }

    /// Records that all of it left, and signs the receipt.
    pub async fn close(mut self, rows: u64, bytes: u64) -> Result<Receipt, QueryError> {
        self.record.rows = rows;
        self.record.bytes = bytes;
        let own = self.engine.parts.credentials.sign(self.record.encode()).map_err(|error| QueryError {
            kind: ErrorKind::Internal,
            message: format!("the release record can't be signed: {error}"),
        })?;
        self.engine.parts.log.outcome(&self.logged, Outcome::Completed { rows, bytes });
        self.closed = true;
        let others = self.receipts.all().into_iter().map(|received| received.signed);
        Ok(Receipt { query_id: self.record.query_id.clone(), releases: std::iter::once(own).chain(others).collect() })
    }

    /// What the caller is told of an error while the answer was under way.
    pub fn fail(&self, error: DataFusionError) -> QueryError {
        let error = QueryError::from_running(error);
        tracing::info!(query_id = %self.record.query_id, kind = ?error.kind, "an answer ended early");
        error
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if !self.closed {
            let why = "it ended before all of it had left".into();
            self.engine.parts.log.outcome(&self.logged, Outcome::Interrupted { why });
        }
    }
}
