//! When a reader's connection is cut off: after a while, and later where a file is read as it comes.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest time of a connection.
const LONGEST: Duration = Duration::from_secs(60);
/// Longest time from the beginning of a file on.
const LONGEST_OF_FILE: Duration = Duration::from_secs(900);
/// Longest time for a piece of a file: whoever takes none holds a place that others wait for.
const STALLED: Duration = Duration::from_secs(30);

/// The end of a connection.
#[derive(Debug)]
pub(super) struct End(Mutex<Times>);

#[derive(Debug, Clone, Copy)]
struct Times {
    at: Instant,
    /// The latest that a file puts it off to.
    last: Instant,
}

impl End {
    /// Of a connection that begins now.
    pub(super) fn new() -> Self {
        let at = Instant::now() + LONGEST;
        Self(Mutex::new(Times { at, last: at }))
    }

    /// A file begins now.
    pub(super) fn of_file(&self) {
        let now = Instant::now();
        self.set(|_| Times { at: now + STALLED, last: now + LONGEST_OF_FILE });
    }

    /// A piece of the file was taken.
    pub(super) fn put_off(&self) {
        let at = Instant::now() + STALLED;
        self.set(|Times { last, .. }| Times { at: at.min(last), last });
    }

    /// Resolves at the end.
    pub(super) async fn passed(&self) {
        loop {
            let at = self.0.lock().unwrap_or_else(PoisonError::into_inner).at;
            if at <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(at.into()).await;
        }
    }

    fn set(&self, times: impl FnOnce(Times) -> Times) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = times(*kept);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn times(end: &End) -> Times {
        *end.0.lock().unwrap()
    }

    #[tokio::test]
    async fn a_file_puts_it_off_as_long_as_it_is_read_and_not_without_end() {
        let end = End::new();
        end.put_off();
        assert!(times(&end).at <= times(&end).last, "no file was asked for");
        let before = Instant::now();
        end.of_file();
        let begun = times(&end);
        assert!(begun.at >= before + STALLED && begun.last >= before + LONGEST_OF_FILE);
        end.put_off();
        let read = times(&end);
        assert!(read.at >= begun.at && read.last == begun.last);
        // Not beyond the last, however long it is read.
        end.set(|times| Times { last: before, ..times });
        end.put_off();
        end.passed().await;
    }
}
