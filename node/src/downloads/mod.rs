//! Open data as files for anybody: one release for each version of a dataset and each format, kept for all readers.
//!
//! Whoever reads without an account could otherwise make the log grow without end. So a file is made when somebody first asks
//! for it, on the same road as every question: by the gate, after a record in the log, with a receipt. Then it lies in the node's
//! state folder until the dataset has another version: other rows, other terms, other rights of persons. How often files were
//! fetched is counted by day, and nothing of who fetched them.

mod kept;
mod kind;
mod make;
mod map;
mod readers;
mod write;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use meridian_proto::{Dataset, Form, Name};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};

use crate::catalogue::{Distribution, Entry};
use crate::clock::Clock;
use crate::portal::{Files, Offer, Sampled};
use crate::query::Engine;

use kept::Folder;
pub use kept::Ready;
pub use kind::Kind;
use make::Why;
use readers::Readers;

/// The folder, below the node's state, in which files are kept.
pub const KEPT: &str = "downloads";

/// The longest that somebody waits for a file to be made.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time after which what could not be made is tried again.
const AGAIN: Duration = Duration::from_secs(300);
/// Time between looks at what is to be kept and what may go.
const LOOK: Duration = Duration::from_secs(30);

/// A dataset that anybody may have whole, as it is now.
#[derive(Debug, Clone)]
pub struct Version {
    /// Another one whenever rows, terms or rights are others: letters and digits.
    pub id: String,
    /// What is told of it.
    pub dataset: Arc<Dataset>,
}

/// The datasets of this body that are given as files, as they are now; `None` for one that is not.
pub type Versions = Box<dyn Fn(&Name) -> Option<Version> + Send + Sync>;

/// Whether anybody may have all of a dataset.
pub fn is_for_anybody(dataset: &Dataset) -> bool {
    dataset.form == Form::Open && !dataset.needs_agreement && !dataset.about.members_only
}

/// What the files are made of, and where they go.
pub struct Parts {
    /// By which every release is made.
    pub engine: Arc<Engine>,
    /// What may be given.
    pub versions: Versions,
    /// The node's state folder.
    pub state: PathBuf,
    /// The largest file, in MiB.
    pub most_mib: u32,
    /// By which days are counted.
    pub clock: Clock,
    /// Whether fetches are told as they happen, and not as of the end of the last whole day.
    pub live: bool,
}

/// Makes files, keeps them, and counts how often they are fetched.
pub struct Downloads {
    parts: Parts,
    folder: Folder,
    readers: Readers,
    /// Where they are made: beside the questions of others, not where pages are served.
    runtime: Handle,
    /// One is made at a time.
    turn: Semaphore,
    made: Mutex<BTreeMap<Name, Made>>,
}

/// What has come of making a file; `None` while it is made.
type Outcome = Option<Result<Ready, Why>>;

/// The files of one version of a dataset.
#[derive(Debug)]
struct Made {
    version: String,
    files: BTreeMap<Kind, watch::Receiver<Outcome>>,
}

/// What somebody gets who asks for a file.
#[derive(Debug, Clone)]
pub enum Fetched {
    /// The file.
    File(Ready),
    /// It is being made: ask again.
    Later,
    /// It would be larger than so many MiB.
    TooLarge(u32),
    /// It can't be made; the operator's log says why.
    Failed,
    /// There is no such file.
    None,
}

impl fmt::Debug for Downloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Downloads").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Downloads {
    /// Opens the folder; files are made on the runtime that this is called on.
    pub fn open(parts: Parts) -> io::Result<Arc<Self>> {
        let folder = Folder::open(parts.state.join(KEPT))?;
        let readers = Readers::open(folder.beside("readers.json"))?;
        let (runtime, turn) = (Handle::current(), Semaphore::new(1));
        Ok(Arc::new(Self { parts, folder, readers, runtime, turn, made: Mutex::default() }))
    }

    /// Whether a dataset of this body is still one that anybody may have whole.
    pub fn is_given(&self, name: &str) -> bool {
        name.parse().is_ok_and(|name| (self.parts.versions)(&name).is_some())
    }

    /// The file of a dataset of this body, made if it is not there yet.
    pub async fn file(self: &Arc<Self>, name: &str, kind: Kind) -> Fetched {
        let version = name.parse().ok().and_then(|name| (self.parts.versions)(&name));
        let Some(version) = version.filter(|version| kind.is_of(&version.dataset)) else { return Fetched::None };
        let mut coming = self.begun(&version, kind);
        let outcome = timeout(PATIENCE, coming.wait_for(Option::is_some)).await;
        match outcome.ok().and_then(Result::ok).as_deref() {
            Some(Some(Ok(ready))) => Fetched::File(ready.clone()),
            Some(Some(Err(Why::TooLarge))) => Fetched::TooLarge(self.parts.most_mib),
            Some(Some(Err(Why::Failed(_)))) => Fetched::Failed,
            Some(None) | None => Fetched::Later,
        }
    }

    /// Counts that somebody has fetched a file of a dataset.
    pub fn count(&self, name: &str) {
        if let Ok(name) = name.parse() {
            self.readers.count(name, self.parts.clock.now().date_naive());
        }
    }

    /// Keeps the counts, and removes files that nobody is given any more, for as long as the node runs.
    pub async fn keep(self: Arc<Self>) {
        loop {
            let this = Arc::clone(&self);
            let kept = tokio::task::spawn_blocking(move || {
                this.readers.save()?;
                this.folder.sweep(|name, version| (this.parts.versions)(name).is_some_and(|now| now.id == version))
            });
            match kept.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(%error, "the folder of downloads can't be kept in order"),
                Err(error) => tracing::error!(%error, "the folder of downloads can't be kept in order"),
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// What comes of a file of this version, whose making begins now if it has not before.
    fn begun(self: &Arc<Self>, version: &Version, kind: Kind) -> watch::Receiver<Outcome> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let anew = || Made { version: version.id.clone(), files: BTreeMap::new() };
        let of = made.entry(version.dataset.name.clone()).or_insert_with(anew);
        if of.version != version.id {
            *of = anew();
        }
        if let Some(coming) = of.files.get(&kind)
            && is_worth_waiting_for(coming)
        {
            return coming.clone();
        }
        let kept = self.folder.kept(&version.dataset.name, &version.id, kind);
        let is_kept = kept.is_some();
        let (say, coming) = watch::channel(kept.map(Ok));
        of.files.insert(kind, coming.clone());
        if !is_kept {
            let (this, version) = (Arc::clone(self), version.clone());
            self.runtime.spawn(async move {
                let outcome = this.make(&version, kind).await;
                say.send_replace(Some(outcome));
            });
        }
        coming
    }

    /// Makes a file, one at a time, and drops it where the dataset has changed meanwhile.
    async fn make(&self, version: &Version, kind: Kind) -> Result<Ready, Why> {
        let _turn = self.turn.acquire().await;
        let name = &version.dataset.name;
        let most = u64::from(self.parts.most_mib) << 20;
        let made = make::make(&self.parts.engine, &self.folder, version, kind, most).await;
        let is_of_now = (self.parts.versions)(name).is_some_and(|now| now.id == version.id);
        let outcome = match made {
            Ok(ready) if is_of_now => return Ok(ready),
            Ok(_) => Err("it has changed while its file was made".into()),
            Err(make::Error::TooLarge) => {
                tracing::warn!(dataset = %name, kind = kind.title(), mib = self.parts.most_mib,
                    "its file for the public is too large: [public] download_mib says how large one may be");
                return Err(Why::TooLarge);
            }
            Err(make::Error::Other(why)) => Err(why),
        };
        if let Err(why) = &outcome {
            tracing::warn!(dataset = %name, kind = kind.title(), why, "a file for the public is not made");
        }
        outcome.map_err(|_: String| Why::Failed(Instant::now()))
    }

    /// What has come of a file of this version so far; `None` where nobody has asked for it since the node started.
    fn so_far(&self, version: &Version, kind: Kind) -> Option<Result<Ready, Why>> {
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let of = made.get(&version.dataset.name).filter(|made| made.version == version.id)?;
        of.files.get(&kind)?.borrow().clone()
    }
}

/// Whether a file is there, or is being made, or failed not long ago.
fn is_worth_waiting_for(coming: &watch::Receiver<Outcome>) -> bool {
    match &*coming.borrow() {
        Some(Ok(ready)) => ready.is_there(),
        Some(Err(Why::TooLarge)) => true,
        Some(Err(Why::Failed(at))) => at.elapsed() < AGAIN,
        // Whoever made it is gone where nobody can say any more what has come of it.
        None => coming.has_changed().is_ok(),
    }
}

impl Files for Arc<Downloads> {
    fn offer(&self, entry: &Entry) -> Option<Offer> {
        let name = &entry.dataset.name;
        let version = (self.parts.versions)(name)?;
        let csv = self.so_far(&version, Kind::Csv);
        let of = |kind: Kind| {
            let bytes = self.so_far(&version, kind).and_then(Result::ok).map(|ready| ready.bytes);
            Distribution { ending: kind.ending(), title: kind.title(), media: kind.media(), bytes }
        };
        let sample = match &csv {
            Some(Ok(ready)) => ready.sample.clone().map_or(Sampled::Failed, Sampled::Rows),
            Some(Err(Why::TooLarge)) => Sampled::TooLarge(self.parts.most_mib),
            Some(Err(Why::Failed(_))) => Sampled::Failed,
            None => Sampled::Making,
        };
        let before = (!self.parts.live).then(|| self.parts.clock.now().date_naive());
        let files = Kind::ALL.into_iter().filter(|kind| kind.is_of(&version.dataset)).map(of).collect();
        Some(Offer { version: version.id, files, sample, fetched: self.readers.by_month(name, before) })
    }

    fn wish(&self, entry: &Entry) {
        let version = (self.parts.versions)(&entry.dataset.name);
        if let Some(version) = version.filter(|version| Kind::Csv.is_of(&version.dataset)) {
            drop(self.begun(&version, Kind::Csv));
        }
    }
}
