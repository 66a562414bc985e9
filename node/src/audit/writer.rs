//! Writing the log: one thread, group commit, and nothing acknowledged before it is on disk.

use std::collections::{BTreeSet, VecDeque};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::NaiveDate;
use tlog_tiles::record_hash;
use tokio::sync::oneshot;

use super::disk::Disk;
use super::journal;
use super::log::Durable;
use super::note::{LogKey, Signed};
use super::position::{Position, Standing};
use super::private::Committed;
use super::publish::{Feed, Publisher};
use super::record::{Line, Outcome, Record};
use super::replay::{self, Replayed, damaged, failed};
use super::rights::Rights;
use super::shared::{Head, Shared};
use super::side::{Keeping, Side};
use super::tiles::CHECKPOINT;
use super::tree::{Tree, WIDTH};
use super::{LOCK, LogError, Private, side};

/// Time between two tries to take the lock.
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// Time between looks for private parts whose days are over.
const PURGE: Duration = Duration::from_secs(60 * 60);
/// The length at which a file of the journal is followed by the next (bytes): what a node reads when it starts.
const FILE_BYTES: u64 = 4 << 20;
/// The most records of one commit.
const MOST_JOBS: usize = 1024;

/// A record that is to be written.
pub(super) struct Job {
    pub(super) record: Record,
    pub(super) private: Committed,
    /// Who waits for it.
    pub(super) done: Option<oneshot::Sender<Result<Durable, LogError>>>,
}

pub(super) struct Writer {
    folder: PathBuf,
    file: Box<dyn Disk>,
    side: Side,
    /// Bytes of the journal's last file.
    length: u64,
    file_bytes: u64,
    tree: Tree,
    standing: Standing,
    key: LogKey,
    shared: Arc<Shared>,
    feed: Sender<Feed>,
    failed: Option<LogError>,
    /// The day on which private parts were last deleted.
    purged: Option<NaiveDate>,
}

impl Writer {
    pub(super) fn open(folder: &Path, keeping: &Keeping, patience: Duration) -> Result<(Self, Rights), LogError> {
        let path = folder.join(LOCK);
        fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
        let lock = OpenOptions::new().create(true).append(true).open(&path).map_err(|error| failed(&path, &error))?;
        hold(&lock, patience).map_err(|error| match error {
            TryLockError::WouldBlock => LogError::Held { path: path.display().to_string() },
            TryLockError::Error(error) => failed(&path, &error),
        })?;
        let read = replay::journal(folder)?;
        agrees(folder, &read, &keeping.log.verifier())?;
        let (file, length) = last_file(folder, &read)?;
        let mut side = Side::open(folder, keeping).map_err(|error| failed(folder, &error))?;
        side.purge(now_ms()).map_err(|error| failed(folder, &error))?;
        let note = match read.groups.last() {
            Some((_, _, note)) => note.clone(),
            None => signed(&keeping.log, &read.tree)?.1,
        };
        let root = read.tree.root().map_err(|error| LogError::Proof(error.to_string()))?;
        let head = Arc::new(Head { tree: read.tree.clone(), root, note });
        let shared = Arc::new(Shared::new(folder.to_owned(), Head::clone(&head)));
        shared.advance(&head, &read.full);
        let (feed, news) = channel();
        let publisher = Publisher::new(Arc::clone(&shared), Arc::new(lock), read.start.tree.size());
        std::thread::Builder::new()
            .name("audit-tiles".into())
            .spawn(move || publisher.run(&news))
            .map_err(|error| LogError::Write(error.to_string()))?;
        let _ = feed.send(Feed::Committed { head, entries: read.entries, full: read.full });
        let mut writer = Self {
            folder: folder.to_owned(),
            file: Box::new(file),
            side,
            length,
            file_bytes: FILE_BYTES,
            tree: read.tree,
            standing: read.standing,
            key: keeping.log.clone(),
            shared,
            feed,
            failed: None,
            purged: None,
        };
        let found = writer.standing.rights.clone();
        let stopped = |of: &u64| {
            let outcome = Outcome::Interrupted { why: "the node stopped".into(), rows: None, bytes: None };
            let record = Record::Outcome { of: *of, outcome };
            Ok(Job { record, private: Committed::new(&Private::default())?, done: None })
        };
        let outcomes = writer.standing.open.iter().map(stopped).collect::<Result<VecDeque<_>, LogError>>()?;
        writer.take(outcomes, &mut |_, result| result.map(drop))?;
        Ok((writer, found))
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    pub(super) fn run(&mut self, queue: &Receiver<Job>) {
        loop {
            let first = match queue.recv_timeout(PURGE) {
                Ok(first) => Some(first),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            self.purge();
            let Some(first) = first else { continue };
            let mut jobs = VecDeque::from([first]);
            jobs.extend(queue.try_iter().take(MOST_JOBS));
            // Nobody is left who would want to know what became of it: each job was answered.
            let _ = self.take(jobs, &mut |job, result| {
                answer(job, result);
                Ok(())
            });
        }
    }

    /// Commits all jobs, in as many parts as files of the journal and bundles ask for, and tells of each what became of it.
    fn take(
        &mut self,
        mut jobs: VecDeque<Job>,
        tell: &mut dyn FnMut(Job, Result<Durable, LogError>) -> Result<(), LogError>,
    ) -> Result<(), LogError> {
        let mut ended = BTreeSet::new();
        jobs.retain(|job| {
            let Record::Outcome { of, .. } = &job.record else { return true };
            let fits = self.standing.open.contains(of) && ended.insert(*of);
            if !fits {
                tracing::error!(of, "a release has two outcomes; the second is not recorded");
            }
            fits
        });
        while !jobs.is_empty() {
            let part: Vec<Job> = jobs.drain(..self.room().min(jobs.len())).collect();
            match self.commit(&part) {
                Ok(proofs) => part.into_iter().zip(proofs).try_for_each(|(job, proof)| tell(job, Ok(proof)))?,
                Err(error) => {
                    let log = self.folder.display();
                    tracing::error!(%log, %error, "the log does not take records");
                    part.into_iter().try_for_each(|job| tell(job, Err(error.clone())))?;
                }
            }
        }
        Ok(())
    }

    /// The number of records that may go into the journal's file; begins the next file where the last is long enough and
    /// the last bundle full.
    fn room(&mut self) -> usize {
        if self.length < self.file_bytes {
            return MOST_JOBS;
        }
        let open = self.tree.size() % WIDTH;
        if open > 0 {
            return usize::try_from(WIDTH - open).unwrap_or(1);
        }
        if self.failed.is_none()
            && let Err(error) = self.begin_file()
        {
            tracing::warn!(log = %self.folder.display(), %error, "the journal of the log goes on in its old file");
        }
        MOST_JOBS
    }

    fn begin_file(&mut self) -> std::io::Result<()> {
        let path = journal::file(&self.folder, self.tree.size());
        let file = OpenOptions::new().create_new(true).append(true).open(&path)?;
        file.sync_all()?;
        path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())?;
        self.file = Box::new(file);
        self.length = 0;
        let position = Position { tree: self.tree.clone(), standing: self.standing.clone() };
        let _ = self.feed.send(Feed::Begun(Box::new(position)));
        Ok(())
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
    /// that commit to them, and all of it before anybody sees the checkpoint that covers it.
    fn commit(&mut self, jobs: &[Job]) -> Result<Vec<Durable>, LogError> {
        if let Some(error) = self.failed.clone().or_else(|| self.shared.stopped()) {
            return Err(error);
        }
        let time_ms = now_ms();
        let first = self.tree.size();
        if let Err(error) = self.side.append(time_ms, (first..).zip(jobs.iter().map(|job| &job.private))) {
            return Err(LogError::Write(error.to_string()));
        }
        if let Err(error) = self.side.sync() {
            return Err(self.lost(&error));
        }
        let (mut tree, mut full) = (self.tree.clone(), Vec::new());
        let mut entries = Vec::with_capacity(jobs.len());
        let mut proofs = Vec::with_capacity(jobs.len());
        for (index, job) in (first..).zip(jobs) {
            let commitment = job.private.commitment();
            let line = Line { index, time_ms, commitment: hex::encode(commitment), record: job.record.clone() };
            let entry = line.write(&self.folder).map_err(|error| self.undo(&error))?;
            let hash = record_hash(&entry);
            tree.push(hash, &mut full);
            entries.push(entry);
            proofs.push(Durable { index, hash: hash.0, commitment });
        }
        let (root, note) = signed(&self.key, &tree)?;
        let group = journal::encode(entries.iter().map(Vec::as_slice), &note);
        if let Err(error) = self.file.append(&group) {
            return Err(self.undo(&error));
        }
        if let Err(error) = self.file.sync() {
            return Err(self.lost(&error));
        }
        self.side.keep();
        self.length += group.len() as u64;
        for (index, job) in (first..).zip(jobs) {
            if let Err(why) = self.standing.add(index, &job.record) {
                tracing::error!(index, why, "a record of the log is one too many");
            }
        }
        let head = Arc::new(Head { tree: tree.clone(), root, note });
        self.tree = tree;
        self.shared.advance(&head, &full);
        let _ = self.feed.send(Feed::Committed { head, entries, full });
        Ok(proofs)
    }

    /// What the disk took and then lost can't be known: no further record is taken until a restart reads it back.
    fn lost(&mut self, error: &std::io::Error) -> LogError {
        let error = LogError::Sync(error.to_string());
        self.failed = Some(error.clone());
        error
    }

    /// Cuts a half-written group off, so that the next record can be tried on a clean end.
    fn undo(&mut self, error: &std::io::Error) -> LogError {
        self.side.undo();
        let error = LogError::Write(error.to_string());
        if self.file.cut(self.length).is_err() {
            self.failed = Some(error.clone());
        }
        error
    }
}

fn signed(key: &LogKey, tree: &Tree) -> Result<(tlog_tiles::Hash, Vec<u8>), LogError> {
    let root = tree.root().map_err(|error| LogError::Proof(error.to_string()))?;
    let note = key.checkpoint(tree.size(), root).map_err(|error| LogError::Proof(error.to_string()))?;
    Ok((root, note))
}

/// The published checkpoint must be one of the journal's, and the last of the journal signed by this node.
fn agrees(folder: &Path, read: &Replayed, key: &str) -> Result<(), LogError> {
    let path = folder.join(CHECKPOINT);
    let begin = read.start.tree.size();
    let note = match fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && begin == 0 => None,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(damaged(&path, begin, "it is missing"));
        }
        note => Some(note.map_err(|error| failed(&path, &error))?),
    };
    let (mut notes, size) = (note.iter(), read.tree.size());
    if let Some(note) = notes.next() {
        let of_own = "it is not signed by this node's log: put back state/secret.key that belongs to it";
        let published = Signed::verify(note, key).map_err(|_| damaged(&path, 0, of_own))?;
        let known = read.groups.iter().any(|(size, root, _)| *size == published.size && *root == published.root);
        let known =
            known || (published.size == begin && read.start.tree.root().is_ok_and(|root| root == published.root));
        if published.size > size {
            return Err(damaged(
                &path,
                size,
                "the journal ends here, and the checkpoint covers more: records are missing",
            ));
        }
        if !known {
            return Err(damaged(&path, published.size.saturating_sub(1), "the checkpoint is of other records"));
        }
    }
    if let (Some((_, _, note)), Some(last)) = (read.groups.last(), &read.last) {
        let of_own =
            "the checkpoint behind it is not signed by this node's log: put back state/secret.key that belongs to it";
        Signed::verify(note, key).map_err(|_| damaged(&last.path, size.saturating_sub(1), of_own))?;
    }
    Ok(())
}

/// The file to append to and its length, a torn tail set aside.
fn last_file(folder: &Path, read: &Replayed) -> Result<(File, u64), LogError> {
    let path = journal::file(folder, read.last.as_ref().map_or(0, |last| last.first));
    let error = |error: std::io::Error| failed(&path, &error);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(error)?;
    }
    let file = OpenOptions::new().create(true).append(true).open(&path).map_err(error)?;
    let mut length = 0;
    if let Some(last) = &read.last {
        length = last.whole as u64;
        if !last.torn.is_empty() {
            let aside = folder.join(format!("torn-{}", now_ms()));
            fs::write(&aside, &last.torn).map_err(error)?;
            file.set_len(length).map_err(error)?;
            let bytes = last.torn.len();
            tracing::warn!(bytes, kept = %aside.display(), "the log had a torn tail; it was set aside");
        }
    }
    file.sync_all().map_err(error)?;
    for folder in [path.parent().unwrap_or(folder), folder] {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(error)?;
    }
    Ok((file, length))
}

/// Takes the lock, which goes with the file.
fn hold(file: &File, patience: Duration) -> Result<(), TryLockError> {
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
mod tests;
