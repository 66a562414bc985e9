//! What the part of each body in a query came to: rows, bytes and times.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use meridian_proto::BodyName;

use super::RemoteErrorKind;
use crate::node::RemotePart;

/// How far the answer of one body to one part of a query has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// The body.
    pub body: BodyName,
    /// What it was asked.
    pub sql: String,
    /// Rows that arrived.
    pub rows: u64,
    /// Bytes of Arrow IPC bodies, as its signed release record says; `None` while that has not come.
    pub bytes: Option<u64>,
    /// From the request to the first row; `None` where there was none.
    pub first: Option<Duration>,
    /// From the request to the receipt; `None` where it was not waited for, since enough had arrived.
    pub all: Option<Duration>,
    /// Why it failed, where it did.
    pub failed: Option<RemoteErrorKind>,
}

/// When a part was asked, and when the first of its answer was there, for who reads it later.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opened {
    pub(super) asked: Instant,
    pub(super) after: Duration,
}

/// The parts of one query that were asked, in that order.
#[derive(Debug, Default)]
pub(super) struct Parts(Mutex<Vec<Arc<Mutex<Arrived>>>>);

impl Parts {
    /// A part is asked now.
    pub(super) fn asked(&self, part: &RemotePart) -> Measure {
        let (body, sql) = (part.body.clone(), part.sql.clone());
        let arrived =
            Arc::new(Mutex::new(Arrived { body, sql, rows: 0, bytes: None, first: None, all: None, failed: None }));
        lock(&self.0).push(Arc::clone(&arrived));
        Measure { arrived, asked: Instant::now(), ready: None }
    }

    /// All of them as far as they have come.
    pub(super) fn all(&self) -> Vec<Arrived> {
        lock(&self.0).iter().map(|part| lock(part).clone()).collect()
    }
}

/// Measures one part while its answer is read.
#[derive(Debug)]
pub(super) struct Measure {
    arrived: Arc<Mutex<Arrived>>,
    asked: Instant,
    /// When what is read next had arrived, where that was before anybody read it.
    ready: Option<Duration>,
}

impl Measure {
    /// It was asked before, and the first of its answer has waited since.
    pub(super) fn opened(&mut self, opened: Opened) {
        self.asked = opened.asked;
        self.ready = Some(opened.after);
    }

    /// Rows have arrived.
    pub(super) fn rows(&mut self, rows: u64) {
        let at = self.at();
        let mut arrived = lock(&self.arrived);
        arrived.rows += rows;
        if rows > 0 && arrived.first.is_none() {
            arrived.first = Some(at);
        }
    }

    /// The end has arrived.
    pub(super) fn end(&mut self) {
        let at = self.at();
        lock(&self.arrived).all = Some(at);
    }

    /// It came to no end.
    pub(super) fn failed(&self, kind: RemoteErrorKind) {
        lock(&self.arrived).failed = Some(kind);
    }

    /// The size that the release record tells.
    pub(super) fn bytes(&self, bytes: u64) {
        lock(&self.arrived).bytes = Some(bytes);
    }

    fn at(&mut self) -> Duration {
        self.ready.take().unwrap_or_else(|| self.asked.elapsed())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
