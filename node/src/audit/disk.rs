//! What the log's writer asks of a file, so that tests can put a disk in its place that fails.

use std::fs::File;
use std::io::{self, Write};

/// A file that is appended to.
pub(super) trait Disk: Send {
    /// Appends all of it.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was appended durable.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts what lies behind.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

/// A file that was opened for appending.
impl Disk for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }
}
