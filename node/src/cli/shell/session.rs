//! What stays between questions – connection, purpose, format, the last receipt – and what a statement or a command does.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use clap::ValueEnum;
use meridian_certs::Identity;

use super::super::check::{self, check};
use super::super::client::Client;
use super::super::explain::{Written, explain, is_explain};
use super::super::format::{Format, printable};
use super::super::output::Output;
use super::super::profile::Profile;
use super::super::query::answer;
use super::super::receipt::{Checked, Detail};
use super::super::{Error, say};
use super::command::{Command, help};
use super::complete::Shared;
use super::lex::Entry;
use super::names::Names;
use super::{describe, editor, script};
use crate::query::{is_blank, set_purpose};

/// How deep files may run files.
const DEEPEST: usize = 16;

/// What comes after an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    Go,
    /// A text to begin the next line with.
    Edit(String),
    Leave,
}

/// What stays between questions.
pub(super) struct Session {
    client: Client,
    names: Shared,
    output: Output,
    purpose: Option<String>,
    /// The last question.
    last: Option<String>,
    /// The receipt of the last answer.
    receipt: Option<Checked>,
    /// The agreements behind the answers so far.
    agreements: BTreeSet<String>,
    /// Whether somebody types.
    is_typed: bool,
    /// How many files run each other.
    depth: usize,
}

impl Session {
    /// Connects and learns what may be named.
    pub(super) async fn begin(profile: &Profile, partial: bool, output: Output, is_typed: bool) -> Result<Self, Error> {
        let mut client = Client::new(profile)?;
        if partial {
            client.take_partial();
        }
        // A program gets its first answer sooner without; whoever types learns now that nobody is there.
        let names = if is_typed { Names::of(&mut client).await? } else { Names::default() };
        Ok(Self {
            client,
            names: Arc::new(RwLock::new(names)),
            output,
            purpose: profile.purpose.clone(),
            last: None,
            receipt: None,
            agreements: BTreeSet::new(),
            is_typed,
            depth: 0,
        })
    }

    /// What may be named, as it was last learned.
    pub(super) fn names(&self) -> Shared {
        Arc::clone(&self.names)
    }

    /// Who asks whom, and how to go on.
    pub(super) fn greeting(&self) -> String {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        let who = match self.client.identity() {
            Identity::Analyst { body, name, .. } => format!("{name} of {body}"),
            Identity::Node { body, .. } => format!("the node of {body}"),
        };
        let (datasets, bodies) = (names.datasets.len(), names.bodies().len());
        format!(
            "Meridian {}: {who}, at {}; {datasets} datasets of {bodies} bodies. \\? for help, Ctrl-D to leave",
            env!("CARGO_PKG_VERSION"),
            self.client.node()
        )
    }

    /// The body that asks, and the purpose.
    pub(super) fn prompt(&self) -> String {
        let body = self.client.identity().body();
        match &self.purpose {
            Some(purpose) => format!("{body} [{}]", printable(purpose)),
            None => body.to_string(),
        }
    }

    /// Does what an entry says.
    pub(super) async fn run(&mut self, entry: Entry, out: &mut dyn Write) -> Result<Next, Error> {
        match entry {
            Entry::Statement { sql, .. } => self.statement(sql, out).await.map(|()| Next::Go),
            Entry::Command { text, .. } => {
                let command = Command::parse(&text).map_err(Error::Usage)?;
                self.command(command, out).await
            }
        }
    }

    async fn statement(&mut self, sql: String, out: &mut dyn Write) -> Result<(), Error> {
        match set_purpose(&sql).map_err(|malformed| Error::Usage(malformed.to_string()))? {
            Some((end, purpose)) if is_blank(sql.get(end..).unwrap_or_default()) => {
                return self.set_purpose(Some(purpose));
            }
            _ => {}
        }
        self.last = Some(sql.clone());
        if is_explain(&sql) {
            return explain(&mut self.client, &sql, Written::Text, out).await;
        }
        let output = self.meant_output();
        output.check()?;
        let answered = answer(&mut self.client, &sql, &output, out).await?;
        if let Some(file) = self.output.output.take() {
            say(format_args!("Written to {}", file.display()));
        }
        if self.output.receipt != Detail::None {
            let rows = answered.rows;
            say(format_args!("{rows} {}", if rows == 1 { "row" } else { "rows" }));
        }
        let text = answered.receipt.render(self.output.receipt);
        if !text.is_empty() {
            say(text.trim_end());
        }
        if self.output.timing {
            say(answered.timing());
        }
        self.agreements.extend(answered.receipt.agreements());
        self.receipt.insert(answered.receipt).proven()
    }

    async fn command(&mut self, command: Command, out: &mut dyn Write) -> Result<Next, Error> {
        match command {
            Command::Quit => return Ok(Next::Leave),
            Command::Edit => return self.edit(),
            Command::Include(path) => return Box::pin(self.include(Path::new(&path), out)).await,
            Command::Help => say(help()),
            Command::Describe(name) => {
                let names = self.learn().await?;
                describe::datasets(&names, name.as_deref(), &self.output, out)?;
            }
            Command::Bodies => describe::bodies(&self.learn().await?, &self.output, out)?,
            Command::Agreements => describe::agreements(&self.learn().await?, &self.agreements, &self.output, out)?,
            Command::Receipt => match &self.receipt {
                Some(receipt) => write!(out, "{}", receipt.render(Detail::Full))?,
                None => return Err(Error::Usage("there is no receipt yet: ask something first".into())),
            },
            Command::Explain(sql) => {
                let sql = self.meant(sql)?;
                explain(&mut self.client, &sql, Written::Text, out).await?;
            }
            Command::Check(sql) => {
                let sql = self.meant(sql)?;
                check(&mut self.client, &sql, check::Format::Table, out).await?;
            }
            Command::Purpose(purpose) => self.purpose_command(purpose)?,
            Command::Format(format) => self.format_command(format.as_deref())?,
            Command::Output(file) => self.output_command(file)?,
            Command::Timing(on) => {
                self.output.timing = on.unwrap_or(!self.output.timing);
                say(format_args!("Timing is {}", if self.output.timing { "on" } else { "off" }));
            }
            Command::Pager(on) => {
                self.output.no_pager = !on.unwrap_or(self.output.no_pager);
                say(format_args!("The pager is {}", if self.output.no_pager { "off" } else { "on" }));
            }
        }
        out.flush()?;
        Ok(Next::Go)
    }

    /// Learns anew what may be named.
    async fn learn(&mut self) -> Result<Names, Error> {
        let names = Names::of(&mut self.client).await?;
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = names.clone();
        Ok(names)
    }

    /// Where the next answer goes: a file's ending says its format, whatever the others are written as.
    fn meant_output(&self) -> Output {
        let of_file = self.output.output.as_deref().and_then(Format::of);
        Output { format: of_file.or(self.output.format), ..self.output.clone() }
    }

    /// The SQL behind a command, or the last question.
    fn meant(&mut self, sql: Option<String>) -> Result<String, Error> {
        if let Some(sql) = sql {
            self.last = Some(sql);
        }
        let last = self.last.clone();
        last.ok_or_else(|| Error::Usage("there is no last question: write SQL behind the command".into()))
    }

    fn purpose_command(&mut self, purpose: Option<String>) -> Result<(), Error> {
        match purpose {
            None => {}
            Some(none) if none == "-" => self.set_purpose(None)?,
            some => self.set_purpose(some)?,
        }
        match &self.purpose {
            Some(purpose) => say(format_args!("The purpose is {}", printable(purpose))),
            None => say("There is no purpose: only what is open is answered without one. \\purpose fire-risk sets one"),
        }
        Ok(())
    }

    fn set_purpose(&mut self, purpose: Option<String>) -> Result<(), Error> {
        match &purpose {
            Some(purpose) => self.client.set_purpose(purpose)?,
            None => self.client.clear_purpose(),
        }
        self.purpose = purpose;
        Ok(())
    }

    fn format_command(&mut self, name: Option<&str>) -> Result<(), Error> {
        let format = match name {
            None => self.output.format.unwrap_or_default(),
            Some(name) => Format::from_str(name, true).map_err(|_| {
                let known: Vec<_> = Format::value_variants().iter().filter_map(ValueEnum::to_possible_value).collect();
                let known: Vec<&str> = known.iter().map(|value| value.get_name()).collect();
                Error::Usage(format!("there is no format {}: take one of {}", printable(name), known.join(", ")))
            })?,
        };
        self.output.format = name.map(|_| format).or(self.output.format);
        let shown = format.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        say(format_args!("Answers are written as {shown}"));
        Ok(())
    }

    fn output_command(&mut self, file: Option<String>) -> Result<(), Error> {
        let before = self.output.output.take();
        self.output.output = file.map(PathBuf::from);
        match (self.meant_output().check(), &self.output.output) {
            (Err(error), _) => {
                self.output.output = before;
                return Err(error);
            }
            (Ok(()), Some(file)) => say(format_args!("The next answer goes into {}", file.display())),
            (Ok(()), None) => say("Answers go to standard output"),
        }
        Ok(())
    }

    fn edit(&self) -> Result<Next, Error> {
        if !self.is_typed {
            return Err(Error::Usage("\\e needs a terminal".into()));
        }
        editor::edited(self.last.as_deref().unwrap_or_default()).map(Next::Edit)
    }

    async fn include(&mut self, path: &Path, out: &mut dyn Write) -> Result<Next, Error> {
        if self.depth >= DEEPEST {
            return Err(Error::Usage(format!(
                "{} is run by itself, or by more than {DEEPEST} files in turn: take its \\i out",
                path.display()
            )));
        }
        self.depth += 1;
        let done = script::from_file(self, path, out).await;
        self.depth -= 1;
        done
    }
}
