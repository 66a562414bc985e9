//! What is being done: one line that changes on a terminal, plain lines elsewhere.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;

/// The line of progress on stderr.
pub(crate) struct Progress {
    terminal: bool,
    /// Whether there is a line to be wiped; held while writing, so that lines of several threads don't mix.
    shown: Mutex<bool>,
}

impl Progress {
    /// No line yet.
    pub(crate) fn new() -> Self {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { terminal: io::stderr().is_terminal() && !dumb, shown: Mutex::new(false) }
    }

    /// Shows a passing state, where a line can change.
    pub(crate) fn update(&self, text: &str) {
        if self.terminal {
            self.write(true, |stderr| write!(stderr, "\r\x1b[K{text}").and_then(|()| stderr.flush()));
        }
    }

    /// Says something that stays.
    pub(crate) fn say(&self, text: &str) {
        let wipe = if self.terminal { "\r\x1b[K" } else { "" };
        self.write(false, |stderr| writeln!(stderr, "{wipe}{text}"));
    }

    /// Wipes a passing state.
    pub(crate) fn end(&self) {
        let shown = self.shown.lock().is_ok_and(|shown| *shown);
        if shown {
            self.write(false, |stderr| write!(stderr, "\r\x1b[K"));
        }
    }

    fn write(&self, shows: bool, write: impl FnOnce(&mut io::StderrLock<'_>) -> io::Result<()>) {
        if let Ok(mut shown) = self.shown.lock() {
            *shown = shows;
            let _ = write(&mut io::stderr().lock());
        }
    }
}
