//! `meridian rights …`: what an officer of a body does for those whom its rows are about, whether its node runs or not.
//!
//! Run it as the node's user, with the node's configuration. A unit or a value on the command line stands in the shell's
//! history and in the list of processes: `-` takes it from standard input, where a terminal asks for it.

mod print;

use std::fs::OpenOptions;
use std::io::{self, BufRead, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::{Error, client, say};
use crate::app::rights::{Access, Case, Desk, DeskError, Rectification};
use crate::config;
use crate::rights::Right;

/// What stands for standard input.
const STDIN: &str = "-";

/// `meridian rights …`
#[derive(Debug, Subcommand)]
pub(crate) enum Rights {
    /// Leave a unit out of every later release: it has objected (Article 21)
    Object(LeaveOut),
    /// Leave a unit out of every later release: it is to be erased (Article 17). Erase it in the source, too
    Erase(LeaveOut),
    /// Leave a unit out of every later release until this is withdrawn (Article 18)
    Restrict(LeaveOut),
    /// Say what is right where the source is wrong (Article 16)
    Rectify(Rectify),
    /// Say what is held of a unit, and which releases covered it (Article 15)
    Report(Report),
    /// List what has been asked for
    List(List),
    /// End an entry of the list
    Withdraw(Withdraw),
}

/// The list.
#[derive(Debug, Args)]
struct Place {
    /// The node's configuration (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// What the body says of its own case.
#[derive(Debug, Args)]
struct Said {
    /// Why, in your own words; it stays in the sealed list
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// The number of the case; it stands in the log for good, so name nobody
    #[arg(long, value_name = "CASE", default_value = "")]
    reference: String,
}

/// Options of `meridian rights object`, `erase` and `restrict`.
#[derive(Debug, Args)]
pub(crate) struct LeaveOut {
    #[command(flatten)]
    place: Place,
    /// The kind of unit, as the datasets' [unit] or belongs_to names it: person
    #[arg(long)]
    kind: String,
    /// The unit, as the published column spells it; - takes it from standard input
    #[arg(long, allow_hyphen_values = true)]
    unit: String,
    /// Only these datasets; all of the kind otherwise, those that come later included
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    datasets: Vec<String>,
    #[command(flatten)]
    said: Said,
}

/// Options of `meridian rights rectify`.
#[derive(Debug, Args)]
pub(crate) struct Rectify {
    #[command(flatten)]
    place: Place,
    /// The dataset
    #[arg(long)]
    dataset: String,
    /// The unit, as the published column spells it; - takes it from standard input
    #[arg(long, allow_hyphen_values = true)]
    unit: String,
    /// A column and its right value; may be given again. - takes such lines from standard input
    #[arg(long = "set", value_name = "COLUMN=VALUE", required = true, allow_hyphen_values = true)]
    set: Vec<String>,
    /// End it when the source holds these values; otherwise it stands until it is withdrawn
    #[arg(long)]
    until_corrected: bool,
    #[command(flatten)]
    said: Said,
}

/// How a report or list is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object.
    Json,
}

/// Options of `meridian rights report`.
#[derive(Debug, Args)]
pub(crate) struct Report {
    #[command(flatten)]
    place: Place,
    /// The kind of unit
    #[arg(long)]
    kind: String,
    /// The unit, as the published column spells it; - takes it from standard input
    #[arg(long, allow_hyphen_values = true)]
    unit: String,
    /// Write the rows themselves to this new file, for whom they are about; only its owner can read it
    #[arg(long, value_name = "FILE")]
    rows: Option<PathBuf>,
    /// How the report is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    said: Said,
}

/// Options of `meridian rights list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    place: Place,
    /// Also what has ended, and reports
    #[arg(long)]
    all: bool,
    /// How the list is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Options of `meridian rights withdraw`.
#[derive(Debug, Args)]
pub(crate) struct Withdraw {
    #[command(flatten)]
    place: Place,
    /// The entry's number, as `meridian rights list` has it
    number: u64,
    #[command(flatten)]
    said: Said,
}

impl Rights {
    /// Does it, and says what becomes of it.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        client(async {
            match self {
                Self::Object(options) => options.run(Right::Object, out).await,
                Self::Erase(options) => options.run(Right::Erase, out).await,
                Self::Restrict(options) => options.run(Right::Restrict, out).await,
                Self::Rectify(options) => options.run(out).await,
                Self::Report(options) => options.run(out).await,
                Self::List(options) => options.run(out),
                Self::Withdraw(options) => options.run(out).await,
            }
        })
    }
}

impl LeaveOut {
    async fn run(self, right: Right, out: &mut dyn Write) -> Result<(), Error> {
        let Self { place, kind, unit, datasets, said } = self;
        let desk = place.open()?;
        let unit = unit_of(&unit)?;
        Ok(print::done(&desk.leave_out(right, &kind, &unit, &datasets, said.case()).await?, out)?)
    }
}

impl Rectify {
    async fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let Self { place, dataset, unit, set, until_corrected, said } = self;
        let desk = place.open()?;
        let unit = unit_of(&unit)?;
        let values = values(set)?;
        let rectification = Rectification { dataset, values, until_corrected };
        Ok(print::done(&desk.rectify(&unit, rectification, said.case()).await?, out)?)
    }
}

impl Report {
    async fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let Self { place, kind, unit, rows, format, said } = self;
        let desk = place.open()?;
        let unit = unit_of(&unit)?;
        // Before anything is asked for: what can't be handed over isn't taken out.
        let file = rows.as_deref().map(private).transpose()?;
        let access = desk.report(&kind, &unit, said.case()).await?;
        if let (Some(mut file), Some(path)) = (file, &rows) {
            print::rows(&access, &mut file)
                .and_then(|()| file.sync_all())
                .map_err(|source| Error::Write { path: path.clone(), source })?;
            say(format_args!("The rows are in {}; only you can read them.", path.display()));
        }
        match format {
            Format::Text => print::access(&access, out)?,
            Format::Json => print::access_json(&access, out)?,
        }
        complete(&access)
    }
}

impl List {
    fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let listed = self.place.open()?.list()?;
        let shown = listed.iter().filter(|listed| self.all || (listed.entry.right.stands() && listed.ended.is_none()));
        match self.format {
            Format::Text => print::list(shown, out)?,
            Format::Json => print::list_json(shown, out)?,
        }
        Ok(())
    }
}

impl Withdraw {
    async fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let desk = self.place.open()?;
        Ok(print::done(&desk.withdraw(self.number, self.said.case()).await?, out)?)
    }
}

impl Place {
    fn open(&self) -> Result<Desk, Error> {
        let config = config::Config::load(&self.config).map_err(|errors| Error::Config(errors.to_string()))?;
        Ok(Desk::open(config)?)
    }
}

impl Said {
    fn case(self) -> Case {
        Case { reference: self.reference, reason: self.reason }
    }
}

impl From<DeskError> for Error {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Said(text) => Self::Usage(text),
            other => Self::Rights(other.to_string()),
        }
    }
}

/// A report that lacks something is no answer to whom it is about.
fn complete(access: &Access) -> Result<(), Error> {
    match access.unread.len() {
        0 => Ok(()),
        unread => Err(Error::Rights(format!(
            "{unread} datasets can't be looked into, so that this report is not complete; correct what it says of them and \
             report again"
        ))),
    }
}

fn unit_of(said: &str) -> Result<String, Error> {
    if said == STDIN { line("unit") } else { Ok(said.to_owned()) }
}

/// Columns and values, `-` for those on standard input up to its end.
fn values(set: Vec<String>) -> Result<Vec<(String, String)>, Error> {
    let mut lines = Vec::new();
    for said in set {
        if said != STDIN {
            lines.push(said);
            continue;
        }
        if io::stdin().is_terminal() {
            say("column=value, one on a line; an empty line ends them:");
        }
        for line in io::stdin().lock().lines() {
            match line.map_err(stdin)? {
                line if line.is_empty() => break,
                line => lines.push(line),
            }
        }
    }
    let pair = |line: String| match line.split_once('=') {
        Some((column, value)) => Ok((column.trim().to_owned(), value.to_owned())),
        None => Err(Error::Usage("--set takes column=value".into())),
    };
    lines.into_iter().map(pair).collect()
}

/// One line of standard input; a terminal is asked for it.
fn line(what: &str) -> Result<String, Error> {
    if io::stdin().is_terminal() {
        let _ = write!(io::stderr(), "{what}: ");
    }
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(stdin)?;
    let line = line.trim_end_matches(['\n', '\r']);
    if line.is_empty() {
        return Err(Error::Usage(format!("standard input holds no {what}: write it on its first line")));
    }
    Ok(line.to_owned())
}

fn stdin(source: io::Error) -> Error {
    Error::Read { path: "standard input".into(), source }
}

/// A new file that only its owner can read.
fn private(path: &Path) -> Result<std::fs::File, Error> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    made.map_err(|source| Error::Write { path: path.to_owned(), source })
}
