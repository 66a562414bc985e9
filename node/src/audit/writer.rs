//! Writing the log: one thread, group commit, and nothing acknowledged before it is on disk.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::NaiveDate;
use tokio::sync::oneshot;

use super::chain::{self, Rights, hash};
use super::private::Committed;
use super::record::{Alert, Entry, Line, Outcome, Record, Right};
use super::side::{Keeping, Side};
use super::{FILE, LogError, Private, side};

/// How long a node waits for a command that is writing a record of its own.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// Time between looks for private parts whose days are over.
const PURGE: Duration = Duration::from_secs(60 * 60);

/// Proof that a record is durable: the argument without which nothing is released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Durable {
    index: u64,
    hash: [u8; 32],
    commitment: [u8; 32],
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

struct Job {
    record: Record,
    private: Committed,
    done: Option<oneshot::Sender<Result<Durable, LogError>>>,
}

/// The open log of this node.
#[derive(Debug)]
pub struct Log {
    jobs: Sender<Job>,
    found: Rights,
}

impl Log {
    /// Opens or begins the log in `folder`, verifies its chain, sets a torn tail aside, and closes releases that a
    /// crash left open as interrupted. Private parts whose days are over are deleted, then and from then on. The log is
    /// this process's own until it is dropped.
    pub fn open(folder: &Path, keeping: &Keeping) -> Result<Arc<Self>, LogError> {
        Self::start(Writer::open(folder, keeping, LOCK_PATIENCE)?)
    }

    /// The same, or `None` where another process has it.
    pub fn open_if_free(folder: &Path, keeping: &Keeping) -> Result<Option<Arc<Self>>, LogError> {
        match Writer::open(folder, keeping, Duration::ZERO) {
            Err(LogError::Held { .. }) => Ok(None),
            writer => Self::start(writer?).map(Some),
        }
    }

    fn start((mut writer, found): (Writer, Rights)) -> Result<Arc<Self>, LogError> {
        let (jobs, queue) = channel();
        std::thread::Builder::new()
            .name("audit".into())
            .spawn(move || writer.run(&queue))
            .map_err(|error| LogError::Write(error.to_string()))?;
        Ok(Arc::new(Self { jobs, found }))
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

    /// Records that a release is about to begin; returns when that is durable.
    pub async fn release(&self, entry: Entry, private: &Private) -> Result<Durable, LogError> {
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

    /// Records how a release ended. It becomes durable with the next record; after a crash before that, the release
    /// counts as interrupted.
    pub fn outcome(&self, of: &Durable, outcome: Outcome, private: Committed) {
        self.later(Record::Outcome { of: of.index, outcome }, private);
    }

    /// Records that somebody made many near pairs of counts. It becomes durable with the next record.
    pub fn alert(&self, alert: Alert, private: Committed) {
        self.later(Record::Alert(alert), private);
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

struct Writer {
    path: PathBuf,
    file: File,
    side: Side,
    length: u64,
    records: u64,
    head: [u8; 32],
    failed: Option<LogError>,
    /// The day on which private parts were last deleted.
    purged: Option<NaiveDate>,
}

impl Writer {
    fn open(folder: &Path, keeping: &Keeping, patience: Duration) -> Result<(Self, Rights), LogError> {
        let path = folder.join(FILE);
        let failed =
            |error: std::io::Error| LogError::Open { path: path.display().to_string(), why: error.to_string() };
        fs::create_dir_all(folder).map_err(failed)?;
        let file = OpenOptions::new().create(true).read(true).append(true).open(&path).map_err(failed)?;
        lock(&file, patience).map_err(|error| match error {
            TryLockError::WouldBlock => LogError::Held { path: path.display().to_string() },
            TryLockError::Error(error) => failed(error),
        })?;
        let bytes = fs::read(&path).map_err(failed)?;
        let found = chain::verify(&bytes).map_err(|why| LogError::Damaged { path: path.display().to_string(), why })?;
        if let Some(torn) = bytes.get(found.whole..).filter(|torn| !torn.is_empty()) {
            let aside = folder.join(format!("torn-{}", now_ms()));
            fs::write(&aside, torn).map_err(failed)?;
            file.set_len(found.whole as u64).map_err(failed)?;
            tracing::warn!(bytes = torn.len(), kept = %aside.display(), "the log had a torn tail; it was set aside");
        }
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        let mut side = Side::open(folder, keeping).map_err(failed)?;
        side.purge(now_ms()).map_err(failed)?;
        let length = found.whole as u64;
        let mut writer =
            Self { path, file, side, length, records: found.records, head: found.head, failed: None, purged: None };
        let stopped = |of| {
            let outcome = Outcome::Interrupted { why: "the node stopped".into(), rows: None, bytes: None };
            let record = Record::Outcome { of, outcome };
            Ok(Job { record, private: Committed::new(&Private::default())?, done: None })
        };
        let outcomes = found.open.into_iter().map(stopped).collect::<Result<Vec<_>, LogError>>()?;
        if !outcomes.is_empty() {
            writer.commit(&outcomes)?;
        }
        Ok((writer, found.rights))
    }

    fn run(&mut self, queue: &Receiver<Job>) {
        loop {
            let first = match queue.recv_timeout(PURGE) {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            self.purge();
            let Some(first) = first else { continue };
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

    /// Deletes private parts whose days are over, once a day.
    fn purge(&mut self) {
        let now_ms = now_ms();
        if self.purged == Some(side::day_of(now_ms)) {
            return;
        }
        match self.side.purge(now_ms) {
            Ok(()) => self.purged = Some(side::day_of(now_ms)),
            Err(error) => tracing::error!(%error, "private parts of the log whose days are over can't be deleted"),
        }
    }

    /// Appends all jobs and makes them durable, or leaves the log as it was. Private parts are durable before the records
    /// that commit to them.
    fn commit(&mut self, jobs: &[Job]) -> Result<Vec<Durable>, LogError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let time_ms = now_ms();
        let waits = jobs.iter().any(|job| job.done.is_some());
        if let Err(error) = self.side.append(time_ms, (self.records..).zip(jobs.iter().map(|job| &job.private))) {
            return Err(LogError::Write(error.to_string()));
        }
        if waits && let Err(error) = self.side.sync() {
            return Err(self.lost(&error));
        }
        let mut bytes = Vec::new();
        let mut head = self.head;
        let mut proofs = Vec::with_capacity(jobs.len());
        for (index, job) in (self.records..).zip(jobs) {
            let commitment = job.private.commitment();
            let (previous, record) = (hex::encode(head), job.record.clone());
            let line = Line { index, previous, time_ms, commitment: hex::encode(commitment), record };
            let text = serde_json::to_vec(&line).map_err(|error| LogError::Write(error.to_string()))?;
            head = hash(&text);
            bytes.extend_from_slice(&text);
            bytes.push(b'\n');
            proofs.push(Durable { index, hash: head, commitment });
        }
        if let Err(error) = self.file.write_all(&bytes) {
            return Err(self.undo(&error));
        }
        if waits && let Err(error) = self.file.sync_data() {
            return Err(self.lost(&error));
        }
        self.side.keep();
        self.length += bytes.len() as u64;
        self.records += jobs.len() as u64;
        self.head = head;
        Ok(proofs)
    }

    /// What the disk took and then lost can't be known: no further record is taken until a restart reads it back.
    fn lost(&mut self, error: &std::io::Error) -> LogError {
        let error = LogError::Sync(error.to_string());
        self.failed = Some(error.clone());
        error
    }

    /// Cuts a half-written line off, so that the next record can be tried on a clean end.
    fn undo(&mut self, error: &std::io::Error) -> LogError {
        self.side.undo();
        let error = LogError::Write(error.to_string());
        let cut = self.file.set_len(self.length).and_then(|()| self.file.seek(SeekFrom::End(0)));
        if cut.is_err() {
            self.failed = Some(error.clone());
        }
        error
    }
}

/// Takes the lock, which goes with the file.
fn lock(file: &File, patience: Duration) -> Result<(), TryLockError> {
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if began.elapsed() < patience => std::thread::sleep(LOCK_PAUSE),
            done => return done,
        }
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
    use super::super::{Cells, Kept, Recorded, records};
    use super::*;

    fn entry(id: &str) -> Entry {
        Entry { query_id: id.into(), caller: "spiffe://london/body/loda/node".into(), ..Entry::default() }
    }

    fn keeping() -> Keeping {
        Keeping { key: [3; 32], days: 90 }
    }

    fn private() -> Private {
        Private { literals: vec!["'Zamora'".into()], ..Private::default() }
    }

    fn read(folder: &Path) -> Vec<u8> {
        fs::read(folder.join("log.jsonl")).unwrap()
    }

    #[tokio::test]
    async fn records_are_chained_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path(), &keeping()).unwrap();
        let first = log.release(entry("a"), &private()).await.unwrap();
        let cells = Cells { withheld: 2, ..Cells::default() };
        let closing = Private { cells: vec![cells], ..Private::default() };
        log.outcome(&first, Outcome::Completed { rows: 3, bytes: 64 }, Committed::new(&closing).unwrap());
        let second = log.refusal(entry("b"), &private()).await.unwrap();
        assert_eq!((first.index(), second.index()), (0, 2));
        let found = chain::verify(&read(folder.path())).unwrap();
        assert_eq!(found.records, 3);
        assert_eq!(found.head, second.hash());
        assert!(found.open.is_empty());
        let records = records(folder.path()).unwrap();
        let kept = |index: usize| super::super::private(folder.path(), &[3; 32], &records[index]).unwrap();
        assert_eq!(hex::encode(first.commitment()), records[0].commitment);
        assert_eq!((kept(0), kept(1), kept(2)), (Kept::Whole(private()), Kept::Whole(closing), Kept::Whole(private())));
        assert!(!String::from_utf8(read(folder.path())).unwrap().contains("Zamora"));
        // What is shown in its place is told apart, and so is what was deleted.
        let other = Recorded { commitment: records[1].commitment.clone(), ..records[0].clone() };
        assert_eq!(super::super::private(folder.path(), &[3; 32], &other).unwrap(), Kept::Altered);
        fs::remove_dir_all(folder.path().join("private")).unwrap();
        assert_eq!(kept(0), Kept::Deleted);
    }

    #[tokio::test]
    async fn every_edit_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path(), &keeping()).unwrap();
        for id in ["a", "b", "c"] {
            log.refusal(entry(id), &private()).await.unwrap();
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
            let other = tempfile::tempdir().unwrap();
            fs::write(other.path().join("log.jsonl"), bytes).unwrap();
            assert!(matches!(Log::open(other.path(), &keeping()), Err(LogError::Damaged { .. })), "{name}");
        }
    }

    #[tokio::test]
    async fn a_crash_leaves_a_torn_tail_and_an_open_release() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path(), &keeping()).unwrap();
        log.release(entry("a"), &private()).await.unwrap();
        let mut bytes = read(folder.path());
        bytes.extend_from_slice(b"{\"index\":1,\"prev");
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("log.jsonl"), bytes).unwrap();
        let log = Log::open(folder.path(), &keeping()).unwrap();
        log.refusal(entry("b"), &private()).await.unwrap();
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
        let (mut writer, _) = Writer::open(folder.path(), &keeping(), Duration::ZERO).unwrap();
        // /dev/full takes an open and refuses every write, as a full disk does.
        let Ok(full) = OpenOptions::new().append(true).open("/dev/full") else { return };
        let good = std::mem::replace(&mut writer.file, full);
        let job =
            || [Job { record: Record::Refusal(entry("a")), private: Committed::new(&private()).unwrap(), done: None }];
        let error = writer.commit(&job()).unwrap_err().to_string();
        assert!(error.contains("answers nothing"), "{error}");
        writer.file = good;
        writer.failed = None;
        writer.commit(&job()).unwrap();
        let records = records(folder.path()).unwrap();
        let kept = super::super::private(folder.path(), &[3; 32], &records[0]).unwrap();
        assert_eq!(kept, Kept::Whole(private()), "what was not recorded left nothing in its place");
        assert_eq!(chain::verify(&read(folder.path())).unwrap().records, 1);
    }

    #[tokio::test]
    async fn one_process_writes_and_what_it_says_of_rights_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        assert!(super::super::records_if_any(folder.path()).unwrap().is_empty());
        let log = Log::open(folder.path(), &keeping()).unwrap();
        assert!(Log::open_if_free(folder.path(), &keeping()).unwrap().is_none(), "it is held");
        let right = |number| Right { number, right: "object".into(), unit_kind: "person".into(), ..Right::default() };
        log.right(right(1)).await.unwrap();
        log.right(right(2)).await.unwrap();
        log.effect("people", vec![1]).await.unwrap();
        // It may be read all the same.
        let lines = super::super::records_if_any(folder.path()).unwrap();
        assert!(matches!(&lines[2].record, Record::Effect { dataset, .. } if dataset == "people"));
        drop(log);
        // Its thread gives the file up.
        let log = Log::open(folder.path(), &keeping()).unwrap();
        assert_eq!(log.found().last(), 2);
        assert!(log.found().effects.contains(&("people".into(), 1)) && log.found().effects.len() == 1);
    }
}
