//! `meridian audit`: a body reads its own log, with the private parts that stay at home.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::DateTime;
use clap::{Args, Subcommand};

use super::Error;
use super::format::printable;
use crate::audit::{Alert, Cells, Entry, Kept, Outcome, Private, Record, Recorded, Right, private, records};
use crate::config::Config;
use crate::secrets::{Purpose, Secret};

/// What is read.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Show a record with its private part, where that still exists, and whether it is what the record commits to
    Show(Show),
    /// List who asked for counts that are near each other, and the alerts about it
    Alerts(Alerts),
}

/// Options of `meridian audit show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The record's index, from 0, as receipts name it
    index: u64,
    #[command(flatten)]
    of: Of,
}

/// Options of `meridian audit alerts`.
#[derive(Debug, Args)]
pub(crate) struct Alerts {
    #[command(flatten)]
    of: Of,
}

/// Whose log.
#[derive(Debug, Args)]
struct Of {
    /// The node's configuration (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// A log that was read, and the key of its private parts.
struct Opened {
    folder: PathBuf,
    key: [u8; 32],
    days: u32,
    records: Vec<Recorded>,
}

impl Audit {
    /// Reads and prints.
    pub(crate) fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let text = match self {
            Self::Show(show) => show.of.open()?.show(show.index)?,
            Self::Alerts(alerts) => alerts.of.open()?.alerts()?,
        };
        Ok(out.write_all(text.as_bytes())?)
    }
}

impl Of {
    fn open(&self) -> Result<Opened, Error> {
        let config = Config::load(&self.config).map_err(|errors| Error::Config(errors.to_string()))?;
        let state: &Path = &config.node.state;
        let secret = Secret::read(state).map_err(|error| Error::Config(error.to_string()))?;
        let folder = state.join("audit");
        let records = records(&folder).map_err(|error| Error::Config(error.to_string()))?;
        Ok(Opened { folder, key: secret.key(Purpose::Audit), days: config.node.audit.private_days, records })
    }
}

impl Opened {
    fn private(&self, recorded: &Recorded) -> Result<Kept, Error> {
        private(&self.folder, &self.key, recorded).map_err(|error| Error::Config(error.to_string()))
    }

    /// One record, and where it is a release, how that ended.
    fn show(&self, index: u64) -> Result<String, Error> {
        let Some(recorded) = self.records.iter().find(|recorded| recorded.index == index) else {
            let number = self.records.len();
            return Err(Error::Usage(format!("the log has no record {index}: it has {number}, counted from 0")));
        };
        let mut text = String::new();
        self.one(recorded, &mut text)?;
        let ended = self.records.iter().find(|other| matches!(other.record, Record::Outcome { of, .. } if of == index));
        if let Some(ended) = ended {
            text.push('\n');
            self.one(ended, &mut text)?;
        }
        Ok(text)
    }

    fn one(&self, recorded: &Recorded, text: &mut String) -> Result<(), Error> {
        let kept = self.private(recorded)?;
        let private = match &kept {
            Kept::Whole(private) => Some(private),
            Kept::Nothing | Kept::Deleted | Kept::Altered => None,
        };
        text.push_str(&format!("Record {} of {}: ", recorded.index, time(recorded.time_ms)));
        match &recorded.record {
            Record::Release(said) => entry("release", said, private, text),
            Record::Refusal(said) => entry("refusal", said, private, text),
            Record::Check(said) => entry("check", said, private, text),
            Record::Outcome { of, outcome } => ended(*of, outcome, private, text),
            Record::Alert(alert) => alerted(alert, private, text),
            Record::Right(right) => exercised(right, text),
            Record::Effect { dataset, rights } => in_force(dataset, rights, text),
        }
        item("hash", &hex::encode(recorded.hash), text);
        let state = match &kept {
            Kept::Nothing => "none".to_owned(),
            Kept::Whole(_) => {
                format!(
                    "kept for {} days at most; it is what the record commits to ({})",
                    self.days, recorded.commitment
                )
            }
            Kept::Deleted => format!("deleted; the record commits to {}", recorded.commitment),
            Kept::Altered => format!("NOT WHAT THE RECORD COMMITS TO ({})", recorded.commitment),
        };
        item("private", &state, text);
        Ok(())
    }

    /// Near pairs by day, caller, agreement and dataset, from the private parts that still exist.
    fn alerts(&self) -> Result<String, Error> {
        let mut pairs: BTreeMap<[String; 4], u64> = BTreeMap::new();
        let mut alerts = Vec::new();
        for recorded in &self.records {
            match &recorded.record {
                Record::Alert(alert) => alerts.push((recorded, alert)),
                Record::Outcome { of, .. } => self.near(recorded, *of, &mut pairs)?,
                Record::Release(_)
                | Record::Refusal(_)
                | Record::Check(_)
                | Record::Right(_)
                | Record::Effect { .. } => {}
            }
        }
        let mut text = String::new();
        for (recorded, alert) in &alerts {
            let Alert { who, name, day, limit } = alert;
            text.push_str(&format!(
                "Alert, record {}: {who} {} made {limit} near pairs of counts or more on {day}\n",
                recorded.index,
                printable(name)
            ));
        }
        if pairs.is_empty() {
            text.push_str(&format!("No near pairs of counts in the last {} days\n", self.days));
        }
        for ([day, caller, agreement, datasets], pairs) in &pairs {
            let agreement = if agreement.is_empty() { "no agreement" } else { agreement };
            text.push_str(&format!("{day}  {pairs:>6} near pairs  {datasets}  {agreement}  {}\n", printable(caller)));
        }
        Ok(text)
    }

    fn near(&self, ended: &Recorded, of: u64, pairs: &mut BTreeMap<[String; 4], u64>) -> Result<(), Error> {
        let Kept::Whole(private) = self.private(ended)? else { return Ok(()) };
        let begun = usize::try_from(of).ok().and_then(|of| self.records.get(of));
        let Some(Record::Release(entry)) = begun.map(|begun| &begun.record) else { return Ok(()) };
        for cells in private.cells.iter().filter(|cells| cells.near > 0) {
            let day = time(ended.time_ms).split(' ').next().unwrap_or_default().to_owned();
            let who = [day, caller(entry), entry.agreements.join(", "), cells.datasets.join("+")];
            *pairs.entry(who).or_default() += cells.near;
        }
        Ok(())
    }
}

fn exercised(right: &Right, text: &mut String) {
    let Right { number, right, ends, datasets, unit_kind, reference, at_ms } = right;
    text.push_str(&format!("right exercised: {right}\n"));
    item("entry", &number.to_string(), text);
    if let Some(ended) = ends {
        item("ends", &format!("entry {ended}"), text);
    }
    item("made", &time(*at_ms), text);
    item("unit", unit_kind, text);
    item("datasets", &datasets.join(", "), text);
    if !reference.is_empty() {
        item("reference", reference, text);
    }
}

fn in_force(dataset: &str, rights: &[u64], text: &mut String) {
    let numbers: Vec<String> = rights.iter().map(u64::to_string).collect();
    text.push_str("rights in force\n");
    item("dataset", dataset, text);
    item("entries", &numbers.join(", "), text);
}

fn caller(entry: &Entry) -> String {
    match entry.on_behalf_of.as_str() {
        "" => entry.caller.clone(),
        analyst => format!("{} for {analyst}", entry.caller),
    }
}

fn entry(kind: &str, entry: &Entry, private: Option<&Private>, text: &mut String) {
    text.push_str(&format!("{kind}\n"));
    item("query", &entry.query_id, text);
    item("caller", &caller(entry), text);
    item("via", &entry.via.join(", then "), text);
    item("purpose", &entry.purpose, text);
    item("agreement", &entry.agreements.join(", "), text);
    for used in &entry.datasets {
        let form = if used.form.is_empty() { String::new() } else { format!(" as {}", used.form) };
        item("dataset", &format!("{}{form}: {}", used.dataset, used.columns.join(", ")), text);
    }
    item("rules", &entry.rules.join(", "), text);
    item("SQL", &entry.sql, text);
    let Some(private) = private else { return };
    item("?", &private.literals.join(", "), text);
    for (mark, values) in [("_", &private.names), ("$", &private.parameters)] {
        for (number, value) in values.iter().enumerate() {
            item(&format!("{mark}{}", number + 1), value, text);
        }
    }
}

fn ended(of: u64, outcome: &Outcome, private: Option<&Private>, text: &mut String) {
    text.push_str(&format!("how record {of} ended\n"));
    match outcome {
        Outcome::Completed { rows, bytes } => item("completed", &format!("{rows} rows, {bytes} bytes"), text),
        Outcome::Interrupted { why, rows, bytes } => {
            item("ended", why, text);
            if let (Some(rows), Some(bytes)) = (rows, bytes) {
                item("until then", &format!("{rows} rows, {bytes} bytes"), text);
            }
        }
    }
    for Cells { datasets, released, withheld, reused, near } in private.iter().flat_map(|private| &private.cells) {
        let said = format!("{released} released, {withheld} withheld, {reused} reused, {near} near pairs of counts");
        item("cells", &format!("{}: {said}", datasets.join("+")), text);
    }
}

fn alerted(alert: &Alert, private: Option<&Private>, text: &mut String) {
    let Alert { who, name, day, limit } = alert;
    text.push_str("many near counts\n");
    item(who, name, text);
    item("day", day, text);
    item("limit", &limit.to_string(), text);
    item("pairs", &private.map(|private| private.pairs.to_string()).unwrap_or_default(), text);
}

fn item(name: &str, value: &str, text: &mut String) {
    if !value.is_empty() {
        text.push_str(&format!("  {name:<10} {}\n", printable(value)));
    }
}

fn time(time_ms: u64) -> String {
    let time = i64::try_from(time_ms).ok().and_then(DateTime::from_timestamp_millis);
    time.map_or_else(|| "an unknown time".into(), |time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string())
}
