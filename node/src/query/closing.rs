//! The end of an answer: its outcome in the log, and the receipt that travels behind it.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use datafusion::error::DataFusionError;
use meridian_federation::remote::{Arrived, Receipts};
use meridian_proto::{Receipt, ReleaseRecord};

use super::recorded::{party, texts};
use super::{Asked, Engine, ErrorKind, Partial, Planned, Progress, QueryError};
use crate::audit::{Alert, Committed, Durable, LogError, Outcome, Private};
use crate::gate::{Refused, Tally};
use crate::history::{NearToday, Who};
use crate::metrics::{Answering, Ended, Sent};
use crate::traces::Span;

/// What is to be said when an answer has left. Dropped before that, it records the release as interrupted.
pub struct Closing {
    engine: Arc<Engine>,
    logged: Durable,
    record: ReleaseRecord,
    receipts: Arc<Receipts>,
    tally: Arc<Tally>,
    progress: Progress,
    /// Where an answer that does without some bodies was asked for.
    partial: Option<Arc<Partial>>,
    /// Why it ended early, where that is known, in words that depend on question and terms alone.
    ended: Mutex<Option<String>>,
    closed: bool,
    begun: Instant,
    answering: Answering,
    /// Lasts as long as the answer does.
    running: Span,
}

impl fmt::Debug for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closing").field("query_id", &self.record.query_id).finish_non_exhaustive()
    }
}

impl Closing {
    pub(super) fn new(
        engine: &Arc<Engine>,
        asked: &Asked,
        planned: &Planned,
        logged: &Durable,
        begun: Instant,
    ) -> Self {
        let facts = planned.admitted.facts();
        let record = ReleaseRecord {
            query_id: asked.query_id.clone(),
            federation: engine.federation().to_string(),
            body: engine.body().to_string(),
            caller: asked.caller.spiffe(),
            on_behalf_of: asked.caller.on_behalf_of().unwrap_or_default().to_owned(),
            groups: texts(asked.caller.groups()),
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
            commitment: logged.commitment().to_vec(),
            closing_commitment: Vec::new(),
            log_key: engine.parts.log.key().to_owned(),
            log_proof: Vec::new(),
        };
        let (receipts, tally) = (Arc::clone(&planned.receipts), Arc::clone(planned.admitted.tally()));
        let (engine, logged) = (Arc::clone(engine), logged.clone());
        let (progress, ended) = (Progress::default(), Mutex::default());
        let partial = asked.partial.clone();
        let running = asked.trace.begin("run");
        running.datasets(facts.datasets.iter().map(|used| used.name.as_str()));
        let answering = engine.parts.metrics.begun(party(&asked.caller));
        Self {
            engine,
            logged,
            record,
            receipts,
            tally,
            progress,
            partial,
            ended,
            closed: false,
            begun,
            answering,
            running,
        }
    }

    /// The answer rests on another plan than the one that was recorded: one that asks fewer bodies.
    pub(super) fn rests_on(&mut self, planned: &Planned) {
        let facts = planned.admitted.facts();
        self.record.agreements.clone_from(&facts.agreements);
        self.record.datasets.clone_from(&facts.datasets);
        self.record.rules.clone_from(&facts.rules);
        self.record.notices.clone_from(&facts.notices);
        self.receipts = Arc::clone(&planned.receipts);
        self.tally = Arc::clone(planned.admitted.tally());
    }

    /// Where whoever sends the answer counts what has left.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Where what arrives from other bodies is counted.
    pub fn receipts(&self) -> Arc<Receipts> {
        Arc::clone(&self.receipts)
    }

    /// What other bodies were asked, and what has arrived of it.
    pub(super) fn arrived(&self) -> Vec<Arrived> {
        self.receipts.arrived()
    }

    /// Records that all of it left, and signs the receipt.
    pub async fn close(mut self) -> Result<Receipt, QueryError> {
        let (rows, bytes) = (self.progress.rows(), self.progress.bytes());
        self.record.rows = rows;
        self.record.bytes = bytes;
        let left_out = self.partial.as_ref().map(|partial| partial.notices()).unwrap_or_default();
        for notice in left_out.into_iter().chain(self.receipts.notices()) {
            if !self.record.notices.contains(&notice) {
                self.record.notices.push(notice);
            }
        }
        let private = self.private()?;
        self.record.closing_commitment = private.commitment().to_vec();
        self.record.log_proof = self.engine.parts.log.prove(self.logged.index())?.encode();
        let own = self.engine.parts.credentials.sign(self.record.encode()).map_err(|error| {
            QueryError::new(ErrorKind::Internal, format!("the release record can't be signed: {error}"))
        })?;
        self.end(Outcome::Completed { rows, bytes }, private);
        let others = self.receipts.all().into_iter().map(|received| received.signed);
        let releases = std::iter::once(own).chain(others).collect();
        Ok(Receipt { query_id: self.record.query_id.clone(), releases, witnessed: Vec::new() })
    }

    /// What became of the cells so far.
    fn private(&self) -> Result<Committed, LogError> {
        Committed::new(&Private { cells: self.tally.cells(), ..Private::default() })
    }

    /// Records how it ended, and who made many near pairs of counts with it.
    fn end(&mut self, outcome: Outcome, private: Committed) {
        self.closed = true;
        self.count(&outcome);
        self.engine.parts.log.outcome(&self.logged, outcome, private);
        let limit = self.engine.parts.near_alert;
        for near in self.tally.near().iter().filter(|near| near.before < limit && limit <= near.now) {
            self.alert(near, limit);
        }
    }

    /// Tells the node's metrics of it: what was sent and what came from others for it, and nothing of what was withheld.
    fn count(&self, outcome: &Outcome) {
        let ended = match outcome {
            Outcome::Completed { .. } => Ended::Answered,
            Outcome::Interrupted { .. } => Ended::Interrupted,
        };
        self.running.outcome(ended.word(), matches!(ended, Ended::Answered));
        let form = self.record.datasets.iter().map(|used| used.form).max();
        let sent = Sent { rows: self.progress.rows(), bytes: self.progress.bytes(), form };
        self.answering.ended(ended, self.begun.elapsed(), sent);
        for part in self.arrived() {
            self.answering.received(&part.body, part.rows, part.bytes.unwrap_or_default());
        }
    }

    /// Once for each of them and day, since the limit is passed once.
    fn alert(&self, near: &NearToday, limit: u64) {
        let (who, name) = match &near.who {
            Who::Caller(name) => ("analyst", name),
            Who::Agreement(name) => ("agreement", name),
        };
        tracing::warn!(
            who,
            name,
            limit,
            "many counts of a day are near each other, as from somebody who asks for differences: see meridian audit alerts"
        );
        let alert = Alert { who: who.into(), name: name.clone(), day: near.day.to_string(), limit };
        match Committed::new(&Private { pairs: near.now, ..Private::default() }) {
            Ok(private) => self.engine.parts.log.alert(alert, private),
            Err(error) => tracing::error!(%error, "an alert is not recorded"),
        }
    }

    /// What the caller is told of an error while the answer was under way.
    pub fn fail(&self, error: DataFusionError) -> QueryError {
        if let DataFusionError::External(inner) = error.find_root()
            && let Some(refused) = inner.downcast_ref::<Refused>()
        {
            let why = format!("{}: {}", refused.rule, refused.reason);
            *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        }
        let error = QueryError::from_running(&self.record.sql, error);
        tracing::info!(query_id = %self.record.query_id, kind = ?error.kind, "an answer ended early");
        error
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let why = ended.unwrap_or_else(|| "it ended before all of it had left".into());
        let (rows, bytes) = (Some(self.progress.rows()), Some(self.progress.bytes()));
        match self.private() {
            Ok(private) => self.end(Outcome::Interrupted { why, rows, bytes }, private),
            // The log closes it as interrupted when the node starts again.
            Err(error) => tracing::error!(%error, "the end of a release is not recorded"),
        }
    }
}
