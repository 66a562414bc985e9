//! What became of the cells of an answer: counted while it runs, for the private part of its record and for nobody else.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::audit::Cells;
use crate::history::NearToday;

/// The counts of one answer. They have no form for messages.
#[derive(Default)]
pub struct Tally(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    cells: Vec<Cells>,
    near: Vec<NearToday>,
}

impl Tally {
    /// Notes what became of the cells of a release point.
    pub(super) fn note(&self, cells: Cells, near: Vec<NearToday>) {
        let mut counts = self.lock();
        counts.cells.push(cells);
        counts.near.extend(near);
    }

    /// The cells so far, by release point.
    pub fn cells(&self) -> Vec<Cells> {
        self.lock().cells.clone()
    }

    /// How many near pairs of counts there are of whoever made some in this answer.
    pub fn near(&self) -> Vec<NearToday> {
        self.lock().near.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tally(…)")
    }
}
