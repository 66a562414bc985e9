//! Bodies that are asked at run time, in memory, and what they are sent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::{StreamExt, stream};
use meridian_proto::{BodyName, Name, Receipt, ReleaseRecord, Signed, wire::RemoteQuery};

use crate::keys::Worth;
use crate::remote::{
    QueryContext, Receipts, RemoteError, RemoteErrorKind, RemoteItem, RemoteStream, Signer, Transport,
};

/// The SQL that bodies were sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sent(Arc<Mutex<Vec<String>>>);

impl Sent {
    /// Each text, in order.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// The texts since the last call.
    pub(crate) fn new_ones(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

/// A configuration in which these bodies are asked, and keys are sent wherever they can be.
pub(crate) fn keyed(config: SessionConfig, bodies: HashMap<Name, SessionContext>, sent: &Sent) -> SessionConfig {
    let signer = |signed: &Signed| {
        let record = ReleaseRecord::decode(&signed.payload).map_err(|error| error.to_string())?;
        let unnamed = |_| "no name".to_owned();
        let federation = record.federation.parse().map_err(unnamed)?;
        Ok(Signer { federation, body: record.body.parse().map_err(unnamed)? })
    };
    let context = QueryContext {
        query_id: "q".into(),
        on_behalf_of: "analyst".into(),
        groups: Vec::new(),
        via: Vec::new(),
        purpose: String::new(),
        transport: Arc::new(InMemory { bodies, sent: sent.clone() }),
        patience: Duration::from_secs(600),
        endpoints: 1,
        receipts: Receipts::new(Arc::new(signer)),
        begun: None,
    };
    config.with_extension(Arc::new(context)).with_extension(Arc::new(Worth {
        small: f64::INFINITY,
        times: 0.0,
        many: 0.0,
    }))
}

struct InMemory {
    bodies: HashMap<Name, SessionContext>,
    sent: Sent,
}

impl std::fmt::Debug for InMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InMemory")
    }
}

#[async_trait]
impl Transport for InMemory {
    async fn query(&self, body: &BodyName, query: RemoteQuery) -> Result<RemoteStream, RemoteError> {
        self.sent.0.lock().unwrap().push(format!("{body}: {}", query.sql));
        let failed = |error: datafusion::error::DataFusionError| {
            RemoteError::new(body, RemoteErrorKind::Failed, error.to_string())
        };
        let frame = self.bodies[body.slug()].sql(&query.sql).await.map_err(failed)?;
        let batches = frame.collect().await.map_err(failed)?;
        let rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        let record = ReleaseRecord {
            query_id: query.query_id.clone(),
            federation: "london".into(),
            body: body.to_string(),
            caller: String::new(),
            on_behalf_of: String::new(),
            groups: Vec::new(),
            purpose: String::new(),
            agreements: Vec::new(),
            datasets: Vec::new(),
            sql: query.sql,
            rules: Vec::new(),
            rows,
            bytes: 0,
            time_ms: 0,
            log_index: 0,
            log_hash: vec![0; 32],
            notices: Vec::new(),
            commitment: vec![0; 32],
            closing_commitment: vec![0; 32],
            log_key: String::new(),
            log_proof: Vec::new(),
        };
        let signed = Signed { payload: record.encode(), chain: Vec::new(), signature: Vec::new(), scheme: 0 };
        let receipt = Receipt { query_id: query.query_id, releases: vec![signed], witnessed: vec![] };
        let items = batches.into_iter().map(RemoteItem::Batch).chain([RemoteItem::Receipt(receipt)]).map(Ok);
        Ok(RemoteStream { items: stream::iter(items.collect::<Vec<_>>()).boxed() })
    }
}
