//! Writing the log: one thread, group commit, and nothing acknowledged before it is on disk.

use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::oneshot;

use super::LogError;
use super::chain::{self, hash};
use super::record::{Entry, Line, Outcome, Record};

/// Proof that a record is durable: the argument without which nothing is released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durable {
    index: u64,
    hash: [u8; 32],
}

impl Durable {
    /// The record's position in the log, from 0.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// SHA-256 of the record.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// For tests of what takes the proof.
    #[cfg(test)]
    pub(crate) fn for_test() -> Self {
        Self { index: 0, hash: [0; 32] }
    }
}

struct Job {
    record: Record,
    done: Option<oneshot::Sender<Result<Durable, LogError>>>,
}

/// The open log of this node.
#[derive(Debug)]
pub struct Log {
    jobs: Sender<Job>,
}

impl Log {
    /// Opens or begins the log in `folder`, verifies its chain, sets a torn tail aside, and closes releases that a
    /// crash left open as interrupted.
    pub fn open(folder: &Path) -> Result<Arc<Self>, LogError> {
        let mut writer = Writer::open(folder)?;
        let (jobs, queue) = channel();
        std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || writer.run(&queue))
            .map_err(|error| LogError::Write(error.to_string()))?;
        Ok(Arc::new(Self { jobs }))
    }

    /// Records that a release is about to begin; returns when that is durable.
    pub async fn release(&self, entry: Entry) -> Result<Durable, LogError> {
        self.durable(Record::Release(entry)).await
    }

    /// Records a refusal; returns when that is durable.
    pub async fn refusal(&self, entry: Entry) -> Result<Durable, LogError> {
        self.durable(Record::Refusal(entry)).await
    }

    /// Records that a query would be released, as somebody was told; returns when that is durable.
    pub async fn check(&self, entry: Entry) -> Result<Durable, LogError> {
        self.durable(Record::Check(entry)).await
    }

    /// Records how a release ended. It becomes durable with the next record; after a crash before that, the release
    /// counts as interrupted.
    pub fn outcome(&self, of: &Durable, outcome: Outcome) {
        let record = Record::Outcome { of: of.index, outcome };
        if self.jobs.send(Job { record, done: None }).is_err() {
            tracing::error!("the log's writer has ended; an outcome is not recorded");
        }
    }

    async fn durable(&self, record: Record) -> Result<Durable, LogError> {
        let (done, answer) = oneshot::channel();
        let gone = || LogError::Write("its writer has ended".into());
        self.jobs.send(Job { record, done: Some(done) }).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

struct Writer {
    path: PathBuf,
    file: File,
    length: u64,
    records: u64,
    head: [u8; 32],
    failed: Option<LogError>,
}

impl Writer {
    fn open(folder: &Path) -> Result<Self, LogError> {
        let path = folder.join("log.jsonl");
        let failed =
            |error: std::io::Error| LogError::Open { path: path.display().to_string(), why: error.to_string() };
        fs::create_dir_all(folder).map_err(failed)?;
        let file = OpenOptions::new().create(true).read(true).append(true).open(&path).map_err(failed)?;
        let bytes = fs::read(&path).map_err(failed)?;
        let found = chain::verify(&bytes).map_err(|why| LogError::Damaged { path: path.display().to_string(), why })?;
        if let Some(torn) = bytes.get(found.whole..).filter(|torn| !torn.is_empty()) {
            let aside = folder.join(format!("torn-{}", now_ms()));
            fs::write(&aside, torn).map_err(failed)?;
            file.set_len(found.whole as u64).map_err(failed)?;
            tracing::warn!(bytes = torn.len(), kept = %aside.display(), "the log had a torn tail; it was set aside");
        }
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        let mut writer =
            Self { path, file, length: found.whole as u64, records: found.records, head: found.head, failed: None };
        let stopped = || Outcome::Interrupted { why: "the node stopped".into(), rows: None, bytes: None };
        let outcomes: Vec<_> = found
            .open
            .into_iter()
            .map(|of| Job { record: Record::Outcome { of, outcome: stopped() }, done: None })
            .collect();
        if !outcomes.is_empty() {
            writer.commit(&outcomes)?;
        }
        Ok(writer)
    }

    fn run(&mut self, queue: &Receiver<Job>) {
        while let Ok(first) = queue.recv() {
            let mut jobs = vec![first];
            jobs.extend(queue.try_iter());
            match self.commit(&jobs) {
                Ok(proofs) => {
                    for (job, proof) in jobs.into_iter().zip(proofs) {
                        answer(job, Ok(proof));
                    }
                }
                Err(error) => {
                    tracing::error!(log = %self.path.display(), %error, "the log does not take records");
                    for job in jobs {
                        answer(job, Err(error.clone()));
                    }
                }
            }
        }
    }

    /// Appends all jobs and makes them durable, or leaves the log as it was.
    fn commit(&mut self, jobs: &[Job]) -> Result<Vec<Durable>, LogError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let mut bytes = Vec::new();
        let mut head = self.head;
        let mut proofs = Vec::with_capacity(jobs.len());
        for (index, job) in (self.records..).zip(jobs) {
            let line = Line { index, previous: hex::encode(head), time_ms: now_ms(), record: job.record.clone() };
            let text = serde_json::to_vec(&line).map_err(|error| LogError::Write(error.to_string()))?;
            head = hash(&text);
            bytes.extend_from_slice(&text);
            bytes.push(b'\n');
            proofs.push(Durable { index, hash: head });
        }
        if let Err(error) = self.file.write_all(&bytes) {
            return Err(self.undo(&error));
        }
        // What the disk took and then lost can't be known: no further record is taken until a restart reads it back.
        let waits = jobs.iter().any(|job| job.done.is_some());
        if waits && let Err(error) = self.file.sync_data() {
            let error = LogError::Sync(error.to_string());
            self.failed = Some(error.clone());
            return Err(error);
        }
        self.length += bytes.len() as u64;
        self.records += jobs.len() as u64;
        self.head = head;
        Ok(proofs)
    }

    /// Cuts a half-written line off, so that the next record can be tried on a clean end.
    fn undo(&mut self, error: &std::io::Error) -> LogError {
        let error = LogError::Write(error.to_string());
        let cut = self.file.set_len(self.length).and_then(|()| self.file.seek(SeekFrom::End(0)));
        if cut.is_err() {
            self.failed = Some(error.clone());
        }
        error
    }
}

fn answer(job: Job, result: Result<Durable, LogError>) {
    if let Some(done) = job.done {
        // Whoever asked may have gone away; the record stands all the same.
        let _ = done.send(result);
    }
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    fn entry(id: &str) -> Entry {
        Entry { query_id: id.into(), caller: "spiffe://london/body/loda/node".into(), ..Entry::default() }
    }

    fn read(folder: &Path) -> Vec<u8> {
        fs::read(folder.join("log.jsonl")).unwrap()
    }

    #[tokio::test]
    async fn records_are_chained_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path()).unwrap();
        let first = log.release(entry("a")).await.unwrap();
        log.outcome(&first, Outcome::Completed { rows: 3, bytes: 64 });
        let second = log.refusal(entry("b")).await.unwrap();
        assert_eq!((first.index(), second.index()), (0, 2));
        let found = chain::verify(&read(folder.path())).unwrap();
        assert_eq!(found.records, 3);
        assert_eq!(found.head, second.hash());
        assert!(found.open.is_empty());
    }

    #[tokio::test]
    async fn every_edit_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path()).unwrap();
        for id in ["a", "b", "c"] {
            log.refusal(entry(id)).await.unwrap();
        }
        let good = read(folder.path());
        let lines: Vec<&[u8]> = good.split_inclusive(|b| *b == b'\n').collect();
        let edited = String::from_utf8(good.clone()).unwrap().replace("\"query_id\":\"a\"", "\"query_id\":\"x\"");
        let cases = [
            ("edited", edited.into_bytes()),
            ("dropped", [lines[0], lines[2]].concat()),
            ("swapped", [lines[1], lines[0], lines[2]].concat()),
            ("doubled", [lines[0], lines[0], lines[1]].concat()),
            ("garbage", [lines[0], b"garbage\n".as_slice()].concat()),
        ];
        for (name, bytes) in cases {
            assert!(chain::verify(&bytes).is_err(), "{name}");
            fs::write(folder.path().join("log.jsonl"), bytes).unwrap();
            assert!(matches!(Log::open(folder.path()), Err(LogError::Damaged { .. })), "{name}");
        }
    }

    #[tokio::test]
    async fn a_crash_leaves_a_torn_tail_and_an_open_release() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path()).unwrap();
        log.release(entry("a")).await.unwrap();
        let mut bytes = read(folder.path());
        bytes.extend_from_slice(b"{\"index\":1,\"prev");
        fs::write(folder.path().join("log.jsonl"), bytes).unwrap();
        let log = Log::open(folder.path()).unwrap();
        log.refusal(entry("b")).await.unwrap();
        let text = String::from_utf8(read(folder.path())).unwrap();
        assert!(text.contains("interrupted"), "{text}");
        assert_eq!(chain::verify(text.as_bytes()).unwrap().records, 3);
        let torn = fs::read_dir(folder.path())
            .unwrap()
            .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with("torn-"));
        assert_eq!(torn.count(), 1);
    }

    #[tokio::test]
    async fn a_full_disk_stops_answers_and_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(folder.path()).unwrap();
        // /dev/full takes an open and refuses every write, as a full disk does.
        let Ok(full) = OpenOptions::new().append(true).open("/dev/full") else { return };
        let good = std::mem::replace(&mut writer.file, full);
        let job = || [Job { record: Record::Refusal(entry("a")), done: None }];
        let error = writer.commit(&job()).unwrap_err().to_string();
        assert!(error.contains("answers nothing"), "{error}");
        writer.file = good;
        writer.failed = None;
        writer.commit(&job()).unwrap();
        assert_eq!(chain::verify(&read(folder.path())).unwrap().records, 1);
    }
}
