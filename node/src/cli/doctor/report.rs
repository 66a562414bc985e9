//! What was found, for people and for programs.

use std::io::{self, Write};

use serde::Serialize;

use super::super::format::printable;
use super::code::Code;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// As it should be.
    Good,
    /// The node works, and somebody should look at this.
    Warning,
    /// Something does not work.
    Fault,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    level: Level,
    code: Code,
    what: String,
    /// What to do; empty where all is well.
    fix: String,
}

/// All findings, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Finding>);

impl Report {
    pub(super) fn good(&mut self, code: Code, what: impl Into<String>) {
        self.0.push(Finding { level: Level::Good, code, what: what.into(), fix: String::new() });
    }

    pub(super) fn warning(&mut self, code: Code, what: impl Into<String>, fix: impl Into<String>) {
        self.0.push(Finding { level: Level::Warning, code, what: what.into(), fix: fix.into() });
    }

    pub(super) fn fault(&mut self, code: Code, what: impl Into<String>, fix: impl Into<String>) {
        self.0.push(Finding { level: Level::Fault, code, what: what.into(), fix: fix.into() });
    }

    /// How many faults there are.
    pub(super) fn faults(&self) -> usize {
        self.0.iter().filter(|finding| finding.level == Level::Fault).count()
    }

    #[cfg(test)]
    pub(super) fn levels(&self) -> Vec<Level> {
        self.0.iter().map(|finding| finding.level).collect()
    }

    /// A line each; below what is not well stands what to do.
    pub(super) fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        for Finding { level, code, what, fix } in &self.0 {
            let mark = match level {
                Level::Good => "ok     ",
                Level::Warning => "warning",
                Level::Fault => "FAULT  ",
            };
            writeln!(out, "{mark} {:<26} {}", code.name(), printable(what))?;
            if !fix.is_empty() {
                writeln!(out, "{:34} → {}", "", printable(fix))?;
            }
        }
        Ok(())
    }

    /// An array of objects with `level`, `code`, `what` and `fix`.
    pub(super) fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, &self.0)?;
        writeln!(out)
    }
}
