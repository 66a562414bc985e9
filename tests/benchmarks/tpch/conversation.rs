//! A process that is asked one line at a time: rows come as lines of fields, and behind them a line that says how it went.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Stands between the fields of a row.
pub(crate) const FIELD: char = '\u{1f}';
/// The first character of the line behind the rows: what follows is up to the process.
pub(crate) const END: char = '\u{1e}';

pub(crate) struct Conversation {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Conversation {
    pub(crate) fn start(command: &mut Command) -> Result<Self, String> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| format!("{command:?}: {error}"))?;
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Ok(Self { stdin: child.stdin.take(), lines, child })
    }

    /// Says this, and returns the rows and what the line behind them says.
    pub(crate) fn say(&mut self, line: &str) -> Result<(Vec<Vec<String>>, String), String> {
        let gone = |error: std::io::Error| format!("the process does not listen: {error}");
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").and_then(|()| stdin.flush()).map_err(gone)?;
        let mut rows = Vec::new();
        for line in &mut self.lines {
            let line = line.map_err(|error| format!("its answer can't be read: {error}"))?;
            match line.strip_prefix(END) {
                Some(end) => return Ok((rows, end.to_owned())),
                None => rows.push(line.split(FIELD).map(str::to_owned).collect()),
            }
        }
        Err("the process ended".into())
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}
