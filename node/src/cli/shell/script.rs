//! Statements and commands that are read from a program or a file; the first that fails is the last.

use std::fs;
use std::io::{self, BufRead, Write};
use std::path::Path;
use std::thread;

use tokio::sync::mpsc;

use super::super::Error;
use super::lex::{Entry, entries, is_complete, open_quote};
use super::session::{Next, Session};

/// Lines that wait to be run.
const WAITING: usize = 64;

/// Runs each statement of standard input as soon as it is whole.
pub(super) async fn from_stdin(session: &mut Session, out: &mut dyn Write) -> Result<(), Error> {
    let mut lines = stdin_lines();
    let (mut text, mut begin, mut read) = (String::new(), 1, 0);
    while let Some(line) = lines.recv().await {
        let line = line.map_err(|source| Error::Read { path: "standard input".into(), source })?;
        read += 1;
        let ends = line.contains(';') || line.trim_start().starts_with('\\');
        text.push_str(&line);
        if ends && is_complete(&text) {
            if run(session, &text, "standard input", begin, out).await? == Next::Leave {
                return Ok(());
            }
            text.clear();
        }
        if text.trim().is_empty() {
            text.clear();
            begin = read + 1;
        }
    }
    run(session, &text, "standard input", begin, out).await.map(|_| ())
}

/// Runs a file.
pub(super) async fn from_file(session: &mut Session, path: &Path, out: &mut dyn Write) -> Result<Next, Error> {
    let text = fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
    run(session, &text, &path.display().to_string(), 1, out).await
}

/// Runs a text that begins on a line of a script. A last statement needs no semicolon, but its quotes.
async fn run(
    session: &mut Session,
    text: &str,
    script: &str,
    begin: usize,
    out: &mut dyn Write,
) -> Result<Next, Error> {
    for entry in entries(text) {
        let line = match &entry {
            Entry::Statement { line, .. } | Entry::Command { line, .. } => begin + line - 1,
        };
        let at = |source| Error::At { place: format!("{script}, line {line}"), source: Box::new(source) };
        if let Entry::Statement { sql, is_ended: false, .. } = &entry
            && let Some(open) = open_quote(sql)
        {
            return Err(at(Error::Usage(format!("{open}: close it, and end the statement with a semicolon"))));
        }
        match session.run(entry, out).await.map_err(at)? {
            Next::Leave => return Ok(Next::Leave),
            Next::Go | Next::Edit(_) => {}
        }
    }
    Ok(Next::Go)
}

/// The lines of standard input with their ends, read by a thread of their own: nobody waits for it.
fn stdin_lines() -> mpsc::Receiver<io::Result<String>> {
    let (send, lines) = mpsc::channel(WAITING);
    thread::spawn(move || {
        let mut stdin = io::stdin().lock();
        loop {
            let mut line = String::new();
            let read = stdin.read_line(&mut line);
            let is_last = !matches!(read, Ok(1..));
            if (is_last && read.is_ok()) || send.blocking_send(read.map(|_| line)).is_err() || is_last {
                return;
            }
        }
    });
    lines
}
