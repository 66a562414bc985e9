//! The durable memory of released cells: anchors that later cells reuse, near pairs, and the allowances spent.
//!
//! Two answers about sets that differ in a few units tell something of those few. So every released magnitude is an
//! *anchor*, and a cell fewer than k units from one gets the earliest such anchor's answer. Counts are released with
//! their own noise, and near pairs are recorded for the dataset's owner.
//!
//! ```text
//! settle.rs   what becomes of each cell of a release
//! index.rs    which anchors may be near, held in memory
//! tables.rs   the file's tables, one transaction at a time
//! seal.rs     the file's keys: what is in it can't be read, moved or altered
//! ```
//!
//! What holds: in one scope, and for one k, any two anchors are at least k units apart, whoever asked, in whichever
//! order, and whatever was joined on the way. So a sum with and without fewer than k units, of coarser or finer cells, of
//! two analysts, or before and after fewer than k changed values is one answer. `tests/mesh/attacks/history.rs` tries
//! that and what follows, and says what each attacker gains.
//!
//! What doesn't, and stays with noise and allowance:
//!
//! - Two equal answers tell that their sets are near, and two that differ that they aren't, for certain. Who knows, or put
//!   there, k - 1 units leaves them out together with one unit more, and the answer tells whether that one was in the set
//!   (measured: right of all of 40 people, one question each).
//! - Nobody has to be known for that. Groups are left out, one more each time, until the answer changes: what was left out
//!   before is k - 1 units, by some ten questions, and serves as the measure from then on (measured: right of all of 40). A
//!   secret radius would not help: one for each anchor is found in the same way, and one for each cell tells unequal sets
//!   from equal ones at once.
//! - Counts with noise aren't reused. The same set has the same count, and a set of one unit less has another four times of
//!   five: two pairs of counts that differ in one possible unit tell nearly always whether it is there. Near pairs are
//!   recorded.
//! - A cell that is split in two in many ways has as many sums of two fresh counts: some 250 cells take the noise off.
//! - Sums and differences of three or more anchors, each far from the others, may be of one unit. They carry the noise of
//!   each (measured: an income from 30 such triples is off by twice what guessing is).
//! - Scopes aren't compared: a sum that can be had by another function or measure name must be settled in the scope of the
//!   sum. An average is settled as its sum.
//! - Anchors made under a smaller k stay as near to each other as that allowed.
//! - A file put back from an older copy forgets what was answered since.
//!
//! Against the first four only an allowance stands: a dataset whose labels tell people apart needs a small one.
//!
//! An *allowance* is the most visible cells of a dataset under an agreement, whoever asks for it: analysts of one
//! agreement share it, and an answer over several datasets is charged to each of them.
//!
//! - The same question over exactly the same cells is charged once: what it gives was given before. Two questions are
//!   the same by their plans, not by their cells: if a cell were free because its units were counted before in other
//!   words, what is left would tell that two sets are equal, for certain and without noise.
//! - Of an answer of more cells than are left so many are shown, in an order that labels and SQL alone decide, and what is
//!   behind them is withheld like any other cell: it is not settled either, and does nothing to later answers. Nothing says
//!   that something was cut off. Whoever counts sees that all of the allowance is used, which is theirs to know; whether
//!   there was more, an answer that uses the last cell doesn't tell.
//! - What remains visible: who sees a cell sees, too, that fewer than the allowance's rest were visible before it; all of
//!   those are shown. Two releases of one query spend in the order in which they run, so that of the last cells the one
//!   that ends first has more.

mod error;
mod index;
mod seal;
mod settle;
mod tables;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use chrono::NaiveDate;
use error::Fault;
pub use error::HistoryError;
use index::Index;
use meridian_disclosure::sketch::Sketch;
use seal::Keys;

/// The history of one node, in one file that one process has open.
pub struct History {
    path: PathBuf,
    database: redb::Database,
    keys: Keys,
    /// Held for the whole of a release: settling is one at a time.
    index: Mutex<Index>,
}

/// Which anchors a cell is compared with.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Scope(Arc<str>);

/// A cell that has passed threshold and dominance and is about to be released.
pub struct Observation {
    /// The first visible cell, counted from 1, that is made of this one; 0 for one of which none is made. Where an
    /// allowance ends before, it is neither shown nor settled.
    pub seen_in: u64,
    /// Kind of unit, function and measure.
    pub scope: Scope,
    /// How many units are in the cell.
    pub units: u64,
    /// The units and their contributions; its capacity is the release's nearness less one, or more.
    pub sketch: Sketch,
    /// What would be released, in fixed point.
    pub answer: i128,
    /// Whether a near anchor's answer is given in place of this one: yes for magnitudes, no for counts with noise.
    pub reuse: bool,
}

/// The cells of one answer.
pub struct Release {
    /// The cells in the order in which they settle: the coarsest grouping first, then by label.
    pub cells: Vec<Observation>,
    /// How many cells whoever asks can see of them, which is what an allowance counts: an average is one and settles two,
    /// and what a count of labels is made of is not seen at all.
    pub visible: u64,
    /// Cells fewer than this many units apart are near: k.
    pub nearness: u64,
    /// Who asks.
    pub caller: String,
    /// On which accounts the cells go: one for each protected dataset.
    pub accounts: Vec<Account>,
    /// What is asked, in words that are the same whenever it is asked again.
    pub question: String,
    /// The day, by UTC, to which near pairs of counts are counted.
    pub day: NaiveDate,
}

/// What is counted together: the visible cells of a dataset under an agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The agreement; all that is asked under none is counted together.
    pub agreement: Option<String>,
    /// The dataset.
    pub dataset: String,
    /// The most visible cells; `None` for any number.
    pub allowance: Option<u64>,
}

/// What becomes of a cell. It must be visible to nobody but the owner, so that its value isn't formatted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// No anchor is near: released as it is, and an anchor from now on.
    Fresh,
    /// Exactly this set was answered before: released as it is. A magnitude's answer was this one, too.
    Repeated,
    /// A magnitude near an anchor: the earliest such anchor's answer is released in place of its own.
    Reused(i128),
    /// A count near another: recorded, released as it is, and an anchor from now on.
    Near,
    /// The allowance ended before it: not released, and not remembered.
    Unseen,
}

/// What became of a release.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How many of the visible cells are shown, from the first.
    pub shown: u64,
    /// One for each cell, in the order given.
    pub settled: Vec<Settled>,
    /// Pairs that it made, each of a count and an anchor that was fewer than k units from it.
    pub pairs: u64,
    /// Where it made any: how many there are of this day by its caller, and by its agreement.
    pub near: Vec<NearToday>,
}

/// How many pairs of near counts somebody made in a day, for the owner alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearToday {
    /// Who made them.
    pub who: Who,
    /// When.
    pub day: NaiveDate,
    /// Before this release.
    pub before: u64,
    /// With it.
    pub now: u64,
}

/// To whom near pairs are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Whoever asks.
    Caller(String),
    /// An agreement, whoever asks under it.
    Agreement(String),
}

impl Scope {
    /// For example `("incident", "sum", "london.lfb.incidents.cost")`: the kind of unit, and what is made of their rows.
    /// Datasets that are only joined are not in it, so that joining one is no way round an earlier answer.
    pub fn new(unit: &str, function: &str, measure: &str) -> Self {
        // With their lengths, so that no two triples of names give the same text.
        Self(format!("{}:{unit},{}:{function},{}:{measure}", unit.len(), function.len(), measure.len()).into())
    }
}

impl History {
    /// Opens the history in this file, or begins one if there is no such file.
    ///
    /// All of the file is read and its checksums are checked, 0.1 s for 100,000 anchors.
    ///
    /// # Errors
    ///
    /// The key isn't the one that the file was written with, the file is damaged or in use, or can't be read or written.
    pub fn open(path: &Path, key: &[u8; 32]) -> Result<Arc<Self>, HistoryError> {
        let named = |fault: Fault| fault.at(path);
        let keys = Keys::derive(key).map_err(named)?;
        let database = tables::open(path, &keys).map_err(named)?;
        Ok(Arc::new(Self { path: path.to_owned(), database, keys, index: Mutex::default() }))
    }

    /// [`Self::settle`] on a thread that may block.
    pub async fn settled(self: &Arc<Self>, release: Release) -> Result<Outcome, HistoryError> {
        let history = Arc::clone(self);
        let settled = tokio::task::spawn_blocking(move || history.settle(release)).await;
        settled.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
    }

    /// A history that ends with the process.
    #[cfg(test)]
    pub(crate) fn in_memory() -> Arc<Self> {
        let keys = Keys::derive(&[1; 32]).unwrap_or_else(|_| unreachable!("the key is long enough"));
        let database = tables::in_memory(&keys).unwrap_or_else(|_| unreachable!("memory is no file"));
        Arc::new(Self { path: PathBuf::new(), database, keys, index: Mutex::default() })
    }

    /// Decides what is released for each cell, and remembers it: what is returned here survives a crash.
    ///
    /// Blocks until the file is synced.
    ///
    /// # Errors
    ///
    /// The file can't be read or written. Then nothing is remembered, and nothing may be released.
    pub fn settle(&self, release: Release) -> Result<Outcome, HistoryError> {
        settle::check(&release)?;
        let mut index = self.index();
        let outcome = settle::settle(&self.database, &self.keys, &mut index, &release);
        if outcome.is_err() {
            // It may know anchors of the transaction that wasn't committed.
            index.clear();
        }
        outcome.map_err(|fault| fault.at(&self.path))
    }

    /// Copies it as it is at one moment into a file that must not be there yet, while releases go on.
    ///
    /// Blocks until the copy is synced.
    ///
    /// # Errors
    ///
    /// The file can't be read, or the copy can't be written.
    pub fn copy(&self, path: &Path) -> Result<(), HistoryError> {
        tables::copy(&self.database, path).map_err(|fault| fault.at(path))
    }

    /// Visible cells spent so far under an agreement, or `None` for all asked without one, and a dataset.
    ///
    /// # Errors
    ///
    /// The file can't be read.
    pub fn spent(&self, agreement: Option<&str>, dataset: &str) -> Result<u64, HistoryError> {
        tables::spent(&self.database, &self.keys, agreement, dataset).map_err(|fault| fault.at(&self.path))
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(|poisoned| {
            let mut index = poisoned.into_inner();
            index.clear();
            self.index.clear_poison();
            index
        })
    }
}

impl fmt::Debug for History {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("History").field("path", &self.path).finish_non_exhaustive()
    }
}

impl fmt::Debug for Settled {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Fresh => "Fresh",
            Self::Repeated => "Repeated",
            Self::Reused(_) => "Reused(..)",
            Self::Near => "Near",
            Self::Unseen => "Unseen",
        })
    }
}
