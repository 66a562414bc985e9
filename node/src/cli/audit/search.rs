//! `meridian audit search`: what was released, refused and checked, by who asked and for what.

use std::collections::BTreeMap;
use std::io::Write;
use std::ops::ControlFlow;

use chrono::{DateTime, NaiveDate, NaiveTime, SecondsFormat, Utc};
use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{Of, log};
use crate::audit::{Entry, Outcome, Record, Recorded, each};
use crate::cli::Error;
use crate::cli::format::{csv_cell, printable, printable_json};

/// Options of `meridian audit search`. All that are given must hold.
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// Who asked: the SPIFFE ID, or a part of it such as body/loda
    #[arg(long, value_name = "TEXT")]
    caller: Option<String>,
    /// The analyst behind it, as the caller said: the SPIFFE ID or a part of it
    #[arg(long, value_name = "TEXT")]
    analyst: Option<String>,
    /// The purpose
    #[arg(long)]
    purpose: Option<String>,
    /// An agreement relied on
    #[arg(long)]
    agreement: Option<String>,
    /// A dataset used: its name, or the end of it such as lfb.incidents
    #[arg(long)]
    dataset: Option<String>,
    /// From this time on: a day (2026-11-26) or an instant (2026-11-26T13:00:00Z)
    #[arg(long, value_name = "TIME", value_parser = instant)]
    from: Option<u64>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = instant)]
    to: Option<u64>,
    /// How it ended
    #[arg(long, value_enum)]
    outcome: Option<Ended>,
    /// How the list is written
    #[arg(long, value_enum, default_value_t)]
    format: Form,
    #[command(flatten)]
    of: Of,
}

/// How a question ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Ended {
    /// All of it left
    Completed,
    /// A part of it left, at most
    Interrupted,
    /// It is leaving
    Open,
    /// Nothing left
    Refused,
    /// Somebody asked whether it would be released, and was told that it would
    Checked,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    #[default]
    Table,
    /// For spreadsheets
    Csv,
    /// For programs
    Json,
}

/// A question that was found.
#[derive(Debug, Serialize)]
struct Found {
    index: u64,
    time: String,
    outcome: Ended,
    caller: String,
    analyst: String,
    purpose: String,
    agreements: String,
    datasets: String,
    rows: Option<u64>,
    bytes: Option<u64>,
    query_id: String,
    #[serde(skip)]
    time_ms: u64,
}

/// The columns of tables and CSV.
const HEADINGS: [&str; 11] =
    ["record", "time", "outcome", "caller", "analyst", "purpose", "agreements", "datasets", "rows", "bytes", "query"];

impl Search {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let opened = self.of.open()?;
        let mut found: BTreeMap<u64, Found> = BTreeMap::new();
        each(&opened.folder, &mut |recorded| {
            self.take(&recorded, &mut found);
            ControlFlow::Continue(())
        })
        .map_err(log)?;
        let found: Vec<Found> =
            found.into_values().filter(|found| self.outcome.is_none_or(|outcome| outcome == found.outcome)).collect();
        match self.format {
            Form::Table => table(&found, out),
            Form::Csv => csv(&found, out),
            Form::Json => {
                let json = serde_json::to_string_pretty(&found).map_err(|error| Error::Config(error.to_string()))?;
                // Line ends stand between the values, where JSON may have them.
                let lines = json.lines().map(printable_json).collect::<Vec<_>>().join("\n");
                Ok(writeln!(out, "{lines}")?)
            }
        }
    }

    fn take(&self, recorded: &Recorded, found: &mut BTreeMap<u64, Found>) {
        let (entry, outcome) = match &recorded.record {
            Record::Release(entry) => (entry, Ended::Open),
            Record::Refusal(entry) => (entry, Ended::Refused),
            Record::Check(entry) => (entry, Ended::Checked),
            Record::Outcome { of, outcome } => {
                if let Some(found) = found.get_mut(of) {
                    found.end(outcome);
                }
                return;
            }
            Record::Alert(_) | Record::Right(_) | Record::Effect { .. } | Record::Long(_) => return,
        };
        let row = Found::new(recorded, entry, outcome);
        if self.wants(&row, entry) {
            found.insert(recorded.index, row);
        }
    }

    fn wants(&self, row: &Found, entry: &Entry) -> bool {
        let part = |wanted: &Option<String>, text: &str| wanted.as_ref().is_none_or(|wanted| text.contains(wanted));
        let is_end = |name: &str, wanted: &str| name == wanted || name.ends_with(&format!(".{wanted}"));
        part(&self.caller, &row.caller)
            && part(&self.analyst, &row.analyst)
            && self.purpose.as_ref().is_none_or(|purpose| *purpose == entry.purpose)
            && self.agreement.as_ref().is_none_or(|agreement| entry.agreements.contains(agreement))
            && self
                .dataset
                .as_ref()
                .is_none_or(|dataset| entry.datasets.iter().any(|used| is_end(&used.dataset, dataset)))
            && self.from.is_none_or(|from| row.time_ms >= from)
            && self.to.is_none_or(|to| row.time_ms < to)
    }
}

impl Found {
    fn new(recorded: &Recorded, entry: &Entry, outcome: Ended) -> Self {
        let time = i64::try_from(recorded.time_ms).ok().and_then(DateTime::<Utc>::from_timestamp_millis);
        // Whoever asks their own node is the analyst.
        let analyst = match entry.on_behalf_of.as_str() {
            "" if entry.caller.contains("/analyst/") => entry.caller.clone(),
            analyst => analyst.to_owned(),
        };
        Self {
            index: recorded.index,
            time: time.unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true),
            outcome,
            caller: entry.caller.clone(),
            analyst,
            purpose: entry.purpose.clone(),
            agreements: entry.agreements.join(" "),
            datasets: entry.datasets.iter().map(|used| used.dataset.as_str()).collect::<Vec<_>>().join(" "),
            rows: None,
            bytes: None,
            query_id: entry.query_id.clone(),
            time_ms: recorded.time_ms,
        }
    }

    fn end(&mut self, outcome: &Outcome) {
        (self.outcome, self.rows, self.bytes) = match outcome {
            Outcome::Completed { rows, bytes } => (Ended::Completed, Some(*rows), Some(*bytes)),
            Outcome::Interrupted { rows, bytes, .. } => (Ended::Interrupted, *rows, *bytes),
        };
    }

    fn cells(&self) -> [String; 11] {
        let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        let outcome = match self.outcome {
            Ended::Completed => "completed",
            Ended::Interrupted => "interrupted",
            Ended::Open => "open",
            Ended::Refused => "refused",
            Ended::Checked => "checked",
        };
        [
            self.index.to_string(),
            self.time.clone(),
            outcome.into(),
            self.caller.clone(),
            self.analyst.clone(),
            self.purpose.clone(),
            self.agreements.clone(),
            self.datasets.clone(),
            number(self.rows),
            number(self.bytes),
            self.query_id.clone(),
        ]
    }
}

fn table(found: &[Found], out: &mut dyn Write) -> Result<(), Error> {
    let mut rows = vec![HEADINGS.map(str::to_owned)];
    rows.extend(found.iter().map(|found| found.cells().map(|cell| printable(&cell).into_owned())));
    let mut widths = [0; HEADINGS.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

fn csv(found: &[Found], out: &mut dyn Write) -> Result<(), Error> {
    writeln!(out, "{}", HEADINGS.join(","))?;
    for found in found {
        writeln!(out, "{}", found.cells().map(|cell| csv_cell(&cell)).join(","))?;
    }
    Ok(())
}

/// Milliseconds since the Unix epoch.
fn instant(text: &str) -> Result<u64, String> {
    let day = text.parse::<NaiveDate>().map(|day| day.and_time(NaiveTime::MIN).and_utc());
    let time = day.or_else(|_| DateTime::parse_from_rfc3339(text).map(|time| time.with_timezone(&Utc)));
    let time = time.map_err(|_| "it is no time: write 2026-11-26 or 2026-11-26T13:00:00Z".to_owned())?;
    u64::try_from(time.timestamp_millis()).map_err(|_| "it is before 1970".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn times_are_days_or_instants() {
        assert_eq!(instant("1970-01-02").unwrap(), 86_400_000);
        assert_eq!(instant("1970-01-01T01:00:01+01:00").unwrap(), 1_000);
        assert!(instant("yesterday").is_err() && instant("1969-01-01").is_err());
    }

    #[test]
    fn what_is_printed_acts_on_nobody() {
        let hostile = "=1+1\u{1b}[2J\u{202e}\"x\"";
        assert_eq!(csv_cell(hostile), "\"'=1+1\\u{1b}[2J\\u{202e}\"\"x\"\"\"");
        assert_eq!((csv_cell("-1"), csv_cell("a b")), ("\"'-1\"".to_owned(), "a b".to_owned()));
        let json = serde_json::to_string(hostile).unwrap();
        let safe = printable_json(&json);
        assert!(!safe.contains('\u{202e}') && !safe.contains('\u{1b}'), "{safe}");
        assert_eq!(serde_json::from_str::<String>(&safe).unwrap(), hostile);
    }
}
