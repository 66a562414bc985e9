//! The log as the rest of the node sees it: records that are durable, and proofs of them.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use tlog_tiles::Hash;
use tokio::sync::{oneshot, watch};

use super::note::Signed;
use super::private::Committed;
use super::proof::Proof;
use super::record::{Alert, Entry, Outcome, Record, Right};
use super::rights::Rights;
use super::shared::{Head, Shared};
use super::side::Keeping;
use super::writer::{Job, Writer};
use super::{LogError, Private, verify};

/// How long a node waits for a command that is writing a record of its own.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Proof that a record is durable: the argument without which nothing is released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durable {
    pub(super) index: u64,
    pub(super) hash: [u8; 32],
    pub(super) commitment: [u8; 32],
}

impl Durable {
    /// The record's position in the log, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The record's hash in the tree (RFC 6962): SHA-256 of a zero byte and the record.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// What commits to the record's private part.
    pub fn commitment(&self) -> [u8; 32] {
        self.commitment
    }

    /// For tests of what takes the proof.
    #[cfg(test)]
    pub(crate) fn for_test() -> Self {
        Self { index: 0, hash: [0; 32], commitment: [0; 32] }
    }
}

/// The open log of this node.
#[derive(Debug)]
pub struct Log {
    jobs: Sender<Job>,
    found: Rights,
    shared: Arc<Shared>,
    key: String,
    /// Whether releases go on.
    open: watch::Sender<bool>,
}

impl Log {
    /// Opens or begins the log in `folder`, verifies its journal, sets a torn tail aside, and closes releases that a
    /// crash left open as interrupted. Private parts whose days are over are deleted, then and from then on. The log is
    /// this process's own until it is dropped.
    ///
    /// What lies before the journal is verified meanwhile, in a thread of its own: where it is damaged, the log takes nothing
    /// from then on.
    pub fn open(folder: &Path, keeping: &Keeping) -> Result<Arc<Self>, LogError> {
        let log = Self::start(Writer::open(folder, keeping, LOCK_PATIENCE)?, keeping)?;
        let (shared, key, private) = (Arc::clone(&log.shared), log.key.clone(), keeping.key);
        let folder = folder.to_owned();
        let verified = move || match verify(&folder, &key, &private, &[]) {
            Ok(report) => tracing::info!(records = report.records, sealed = report.sealed, "the log holds"),
            Err(error @ LogError::Damaged { .. }) => {
                tracing::error!(%error, "the log does not hold");
                shared.stop(error);
            }
            Err(error) => tracing::warn!(%error, "the log can't be verified"),
        };
        let spawned = std::thread::Builder::new().name("audit-verify".into()).spawn(verified);
        spawned.map_err(|error| LogError::Write(error.to_string()))?;
        Ok(log)
    }

    /// The same, or `None` where another process has it.
    pub fn open_if_free(folder: &Path, keeping: &Keeping) -> Result<Option<Arc<Self>>, LogError> {
        match Writer::open(folder, keeping, Duration::ZERO) {
            Err(LogError::Held { .. }) => Ok(None),
            writer => Self::start(writer?, keeping).map(Some),
        }
    }

    fn start((mut writer, found): (Writer, Rights), keeping: &Keeping) -> Result<Arc<Self>, LogError> {
        let (jobs, queue) = channel();
        let shared = writer.shared();
        std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || writer.run(&queue))
            .map_err(|error| LogError::Write(error.to_string()))?;
        Ok(Arc::new(Self { jobs, found, shared, key: keeping.log.verifier(), open: watch::Sender::new(true) }))
    }

    /// What the log told of rights when it was opened.
    pub fn found(&self) -> &Rights {
        &self.found
    }

    /// Records a right that was exercised; returns when that is durable.
    pub async fn right(&self, right: Right) -> Result<Durable, LogError> {
        self.durable(Record::Right(right), &Private::default()).await
    }

    /// Records that rights are in force in a dataset; returns when that is durable.
    pub async fn effect(&self, dataset: &str, rights: Vec<u64>) -> Result<Durable, LogError> {
        self.durable(Record::Effect { dataset: dataset.to_owned(), rights }, &Private::default()).await
    }

    /// From now on releases wait until [`Self::go_on`]: others are asked whether this is the newest log that they know.
    pub fn hold(&self) {
        self.open.send_replace(false);
    }

    /// Releases go on.
    pub fn go_on(&self) {
        self.open.send_replace(true);
    }

    /// Records that a release is about to begin; returns when that is durable.
    pub async fn release(&self, entry: Entry, private: &Private) -> Result<Durable, LogError> {
        // The sender lives as long as this.
        let _ = self.open.subscribe().wait_for(|open| *open).await;
        self.durable(Record::Release(entry), private).await
    }

    /// Records a refusal; returns when that is durable.
    pub async fn refusal(&self, entry: Entry, private: &Private) -> Result<Durable, LogError> {
        self.durable(Record::Refusal(entry), private).await
    }

    /// Records that a query would be released, as somebody was told; returns when that is durable.
    pub async fn check(&self, entry: Entry, private: &Private) -> Result<Durable, LogError> {
        self.durable(Record::Check(entry), private).await
    }

    /// Records how a release ended, without waiting for the disk; after a crash before that, the release counts as
    /// interrupted.
    pub fn outcome(&self, of: &Durable, outcome: Outcome, private: Committed) {
        self.later(Record::Outcome { of: of.index, outcome }, private);
    }

    /// Records that somebody made many near pairs of counts, without waiting for the disk.
    pub fn alert(&self, alert: Alert, private: Committed) {
        self.later(Record::Alert(alert), private);
    }

    /// The key that verifies this log's checkpoints.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The newest durable tree, with its signed checkpoint.
    pub fn head(&self) -> Arc<Head> {
        self.shared.head()
    }

    /// That a record is in the newest tree.
    pub fn prove(&self, index: u64) -> Result<Proof, LogError> {
        let head = self.head();
        self.shared.prove(index, head.size(), &head.note)
    }

    /// That a record is in the tree of an earlier checkpoint of this log.
    pub fn prove_under(&self, index: u64, checkpoint: &Signed) -> Result<Proof, LogError> {
        self.shared.prove(index, checkpoint.size, &checkpoint.note)
    }

    /// That a tree of this log continues the one that it had at an earlier size, from 1.
    pub fn continues(&self, head: &Head, size: u64) -> Result<Vec<Hash>, LogError> {
        self.shared.continues(head, size)
    }

    /// The root that a tree of this log had at an earlier size.
    pub fn root_at(&self, head: &Head, size: u64) -> Result<Hash, LogError> {
        self.shared.root_at(head, size)
    }

    /// From now on nothing is released, for this reason: others know the log better than its own disk does.
    pub fn stop(&self, why: LogError) {
        self.shared.stop(why);
    }

    /// Why nothing is released any more.
    pub fn stopped(&self) -> Option<LogError> {
        self.shared.stopped()
    }

    fn later(&self, record: Record, private: Committed) {
        if self.jobs.send(Job { record, private, done: None }).is_err() {
            tracing::error!("the log's writer has ended; a record is not written");
        }
    }

    async fn durable(&self, record: Record, private: &Private) -> Result<Durable, LogError> {
        let (done, answer) = oneshot::channel();
        let gone = || LogError::Write("its writer has ended".into());
        let private = Committed::new(private)?;
        self.jobs.send(Job { record, private, done: Some(done) }).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}
