//! How far an answer has come, for whoever watches the call and for the record of its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// How far one answer has come; clones count together.
#[derive(Debug, Clone, Default)]
pub struct Progress(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    rows: AtomicU64,
    bytes: AtomicU64,
    complete: AtomicBool,
}

impl Progress {
    /// Rows sent.
    pub fn rows(&self) -> u64 {
        self.0.rows.load(Ordering::Relaxed)
    }

    /// Bytes of Arrow IPC bodies sent.
    pub fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    /// Whether the last message was handed over.
    pub fn complete(&self) -> bool {
        self.0.complete.load(Ordering::Relaxed)
    }

    /// Counts what is sent.
    pub fn add(&self, rows: u64, bytes: u64) {
        self.0.rows.fetch_add(rows, Ordering::Relaxed);
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The last message was handed over.
    pub fn finish(&self) {
        self.0.complete.store(true, Ordering::Relaxed);
    }
}
