//! The signed release records that come back with the answers of other bodies.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use meridian_proto::{BodyName, DatasetName, DatasetUse, Form, Name, Receipt, ReleaseRecord, Signed};

use super::arrived::{Arrived, Measure, Parts};
use super::{RemoteError, RemoteErrorKind};
use crate::node::RemotePart;

/// A release record whose signature was verified to be the body's.
#[derive(Debug, Clone)]
pub struct Received {
    /// As signed, to be handed on.
    pub signed: Signed,
    /// What it says.
    pub record: ReleaseRecord,
}

/// The body whose node signed a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signer {
    /// Its federation.
    pub federation: Name,
    /// The body, as this node names it.
    pub body: BodyName,
}

impl Signer {
    /// Whether a record is of that body.
    fn speaks_in(&self, record: &ReleaseRecord) -> bool {
        (record.federation.as_str(), record.body.as_str()) == (self.federation.as_str(), self.body.slug().as_str())
    }
}

/// Verifies a signed envelope and tells which body's node signed it.
pub type Verifier = dyn Fn(&Signed) -> Result<Signer, String> + Send + Sync;

/// Collects the release records of one query, in the order in which they arrive.
pub struct Receipts {
    verifier: Arc<Verifier>,
    received: Mutex<Vec<Received>>,
    notices: Mutex<BTreeSet<String>>,
    parts: Parts,
}

impl fmt::Debug for Receipts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipts").finish_non_exhaustive()
    }
}

impl Receipts {
    /// An empty collection that takes what `verifier` holds for signed by a node.
    pub fn new(verifier: Arc<Verifier>) -> Arc<Self> {
        Arc::new(Self { verifier, received: Mutex::default(), notices: Mutex::default(), parts: Parts::default() })
    }

    /// Measures a part that is asked now.
    pub(super) fn measure(&self, part: &RemotePart) -> Measure {
        self.parts.asked(part)
    }

    /// What was asked of other bodies, each part as often as it was asked, and what has arrived of it.
    pub fn arrived(&self) -> Vec<Arrived> {
        self.parts.all()
    }

    /// Keeps what a reader of the answer must know of how it was placed.
    pub(crate) fn note(&self, notices: Vec<String>) {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).extend(notices);
    }

    /// What a reader of the answer must know of how it was placed.
    pub fn notices(&self) -> Vec<String> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Takes the receipt with which a body ended its answer of `rows` rows to its part of `query_id`.
    ///
    /// An answer is whole only if its record is the body's own, is about this query, and counts what arrived. Behind it stand
    /// the records of the bodies that it asked in turn: each of a release to a body whose record is there, and one for each
    /// dataset that it was to ask for. Where it is one of `several` whose answers are put together, nothing may have left as
    /// statistics that was to come as rows. Returns the bytes that it says it sent.
    pub(crate) fn take(
        &self,
        (part, several): (&RemotePart, bool),
        query_id: &str,
        rows: u64,
        receipt: Receipt,
    ) -> Result<u64, RemoteError> {
        let body = &part.body;
        let failed = |why: String| RemoteError::new(body, RemoteErrorKind::Failed, why);
        let mut received = Vec::with_capacity(receipt.releases.len());
        for (position, signed) in receipt.releases.into_iter().enumerate() {
            let signer = (self.verifier)(&signed).map_err(|why| failed(format!("its release record: {why}")))?;
            let record = ReleaseRecord::decode(&signed.payload).map_err(|error| failed(error.to_string()))?;
            if !signer.speaks_in(&record) || record.query_id != query_id {
                return Err(failed("its release record is about another body or query".into()));
            }
            if position == 0 && (signer.body != *body || record.rows != rows) {
                return Err(failed(format!("its release record counts {} rows, {rows} arrived", record.rows)));
            }
            received.push(Received { signed, record });
        }
        let node_of = |record: &ReleaseRecord| format!("spiffe://{}/body/{}/node", record.federation, record.body);
        let nodes: Vec<String> = received.iter().map(|received| node_of(&received.record)).collect();
        if let Some(stray) = received.iter().skip(1).find(|received| !nodes.contains(&received.record.caller)) {
            return Err(failed(format!("its receipt holds a release of {} to somebody else", stray.record.body)));
        }
        let holds = |name: &DatasetName| {
            let of = |received: &&Received| {
                received.record.body == name.body.as_str() && received.record.federation == name.federation.as_str()
            };
            received
                .iter()
                .filter(of)
                .any(|received| received.record.datasets.iter().any(|used| used.name == name.to_string()))
        };
        if (several || part.of_every)
            && let Some(used) = stricter(part, &received)
        {
            return Err(failed(format!(
                "{} came as statistics and was to come as {}: what is withheld of it would be missing from what is put together \
                 of several bodies; ask again, or ask {body} by name where that stays so",
                used.name, part.form
            )));
        }
        if let Some(missing) = part.references.iter().find(|name| !holds(name)) {
            return Err(failed(format!("its receipt holds no release of {missing}, which it was to join")));
        }
        let bytes = received.first().map_or(0, |received| received.record.bytes);
        self.lock().extend(received);
        Ok(bytes)
    }

    /// What has arrived, sorted by body.
    pub fn all(&self) -> Vec<Received> {
        let mut all = self.lock().clone();
        all.sort_by(|a, b| (&a.record.body, &a.record.federation).cmp(&(&b.record.body, &b.record.federation)));
        all
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Received>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A dataset that left as statistics though the plan was made for rows, which adds up what it gets and takes what is withheld
/// for nothing.
fn stricter<'a>(part: &RemotePart, received: &'a [Received]) -> Option<&'a DatasetUse> {
    if part.form == Form::Statistics {
        return None;
    }
    received.first()?.record.datasets.iter().find(|used| used.form == Form::Statistics)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn part(form: Form, of_every: bool) -> RemotePart {
        RemotePart {
            body: "lfb".parse().unwrap(),
            sql: String::new(),
            form,
            dataset: "london.lfb.incidents".into(),
            beside: Vec::new(),
            references: Vec::new(),
            of_every,
        }
    }

    /// What becomes of a receipt for a dataset that left in this form.
    fn taken(part: &RemotePart, several: bool, form: Form) -> Result<u64, RemoteError> {
        let record = ReleaseRecord {
            query_id: "q".into(),
            federation: "london".into(),
            body: "lfb".into(),
            caller: "spiffe://london/body/loda/node".into(),
            on_behalf_of: String::new(),
            groups: Vec::new(),
            purpose: String::new(),
            agreements: Vec::new(),
            datasets: vec![DatasetUse { name: "london.lfb.incidents".into(), columns: Vec::new(), form }],
            sql: String::new(),
            rules: Vec::new(),
            rows: 1,
            bytes: 8,
            time_ms: 1,
            log_index: 0,
            log_hash: vec![7; 32],
            notices: Vec::new(),
            commitment: vec![8; 32],
            closing_commitment: vec![9; 32],
            log_key: String::new(),
            log_proof: Vec::new(),
        };
        let signed = Signed { payload: record.encode(), chain: vec![vec![0]], signature: vec![0], scheme: 0 };
        let receipts = Receipts::new(Arc::new(|_| {
            Ok(Signer { federation: "london".parse().unwrap(), body: "lfb".parse().unwrap() })
        }));
        let answer = receipts.take(
            (part, several),
            "q",
            1,
            Receipt { query_id: "q".into(), releases: vec![signed], witnessed: vec![] },
        );
        assert_eq!(receipts.all().len(), usize::from(answer.is_ok()));
        answer
    }

    #[test]
    fn cells_are_not_taken_for_rows_of_one_body_of_several() {
        for form in [Form::Open, Form::Rows] {
            for (of_every, several) in [(true, false), (false, true), (true, true)] {
                let error = taken(&part(form, of_every), several, Form::Statistics).unwrap_err().to_string();
                assert!(error.contains("london.lfb.incidents came as statistics and was to come as"), "{error}");
                assert!(taken(&part(form, of_every), several, form).is_ok());
            }
            // One body's own answer is the answer.
            assert!(taken(&part(form, false), false, Form::Statistics).is_ok());
        }
        assert!(taken(&part(Form::Statistics, true), true, Form::Statistics).is_ok());
    }
}
