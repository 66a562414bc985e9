//! `meridian shell`: one question after the other over one connection, at a terminal or from a program.
//!
//! | where | what |
//! | --- | --- |
//! | `lex` | the words of a text, and where statements end |
//! | `command` | what begins with a backslash |
//! | `session` | what a statement or a command does, and what stays between them |
//! | `describe` | datasets, columns, bodies as they are shown |
//! | `names`, `complete` | what the caller may name, and what may come next |
//! | `editor`, `history` | the line with its colours; the file in which it is kept |
//! | `script` | statements from a file or a program |

mod command;
mod complete;
mod describe;
mod editor;
mod history;
mod lex;
mod names;
mod script;
mod session;

use std::io::{self, IsTerminal, Write};

use clap::Args;
use tokio::runtime;

use super::output::Output;
use super::profile::Connection;
use super::receipt::Detail;
use super::{Error, client, or_interrupted, say, terminal};
use editor::{Editor, Line};
use lex::entries;
use session::{Next, Session};

/// Options of `meridian shell`.
#[derive(Debug, Args)]
pub(crate) struct Shell {
    #[command(flatten)]
    connection: Connection,
    /// Answer without bodies of every.* that can't be reached, refuse or are too slow, and name them
    #[arg(long)]
    partial: bool,
    /// How answers are written
    #[arg(long, value_enum)]
    format: Option<super::format::Format>,
    /// How much of each receipt is printed
    #[arg(long, value_enum, default_value_t = Detail::Line)]
    receipt: Detail,
    /// Don't cut tables to the width of the terminal
    #[arg(long)]
    wide: bool,
    /// Don't show what is longer than the terminal in a pager
    #[arg(long)]
    no_pager: bool,
}

impl Shell {
    /// Reads, asks and prints until there is no more.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let profile = self.connection.resolve()?;
        let output = Output {
            format: self.format,
            receipt: self.receipt,
            wide: self.wide,
            no_pager: self.no_pager,
            ..Output::default()
        };
        let is_terminal = io::stdin().is_terminal() && io::stderr().is_terminal() && terminal::can_edit();
        if !is_terminal {
            return client(or_interrupted(async {
                let mut session = Session::begin(&profile, self.partial, output, false).await?;
                script::from_stdin(&mut session, out).await
            }));
        }
        // The connection is kept while nobody types: by another thread, since this one waits for the keyboard.
        let runtime = runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(Error::Runtime)?;
        let session = Session::begin(&profile, self.partial, output, true);
        let mut session = runtime.block_on(or_cancelled(session))?;
        say(session.greeting());
        let mut editor = Editor::new(session.names());
        loop {
            match editor.read(&session.prompt()).map_err(Error::Terminal)? {
                Line::Text(text) => match one(&runtime, &mut session, &text, out) {
                    Next::Go => {}
                    Next::Edit(text) => editor.fill(&text),
                    Next::Leave => return Ok(()),
                },
                Line::GivenUp => {}
                Line::End => return Ok(()),
            }
        }
    }
}

/// Runs what was entered; what fails is said, and what would come behind it does not run.
fn one(runtime: &runtime::Runtime, session: &mut Session, text: &str, out: &mut dyn Write) -> Next {
    for entry in entries(text) {
        let done = runtime.block_on(or_cancelled(session.run(entry, out)));
        // What has come of a broken answer is on the screen before the reason is.
        let _ = out.flush();
        match done {
            Ok(Next::Go) => {}
            Ok(next) => return next,
            Err(Error::Interrupted) => {
                // In place of the ^C that the terminal shows.
                say("\rCancelled");
                return Next::Go;
            }
            Err(error) => {
                say(error);
                return Next::Go;
            }
        }
    }
    Next::Go
}

/// The work, or the end of it by Ctrl-C: what was called is dropped, and so cancelled. Other signals end the program.
async fn or_cancelled<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::select! {
        done = work => done,
        _ = tokio::signal::ctrl_c() => Err(Error::Interrupted),
    }
}
