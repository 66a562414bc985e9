//! How often something was used and how much left, month by month, as the log has it.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::audit::{Entry, LogError, Outcome, Record, Recorded, each};

/// A month as it is published: volumes in classes, so that one use does not show the size of one answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Month {
    /// `2026-11`
    pub(super) month: String,
    /// Questions that were answered, those that were interrupted included.
    pub(super) questions: u64,
    /// Those of which a part may have left.
    pub(super) interrupted: u64,
    /// Rows that left, at most.
    pub(super) rows: String,
    /// Bytes that left, at most.
    pub(super) bytes: String,
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) questions: u64,
    pub(super) interrupted: u64,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// Interrupted ones of which it is not known how much left.
    pub(super) unknown: u64,
}

/// Counts by month.
type Months = BTreeMap<String, Count>;

/// What a log says.
#[derive(Debug, Default)]
pub(super) struct Usage {
    agreements: BTreeMap<String, Months>,
    open: Months,
    refused: BTreeMap<String, u64>,
    /// The index of the first record that was counted; none where there is no record.
    first: Option<u64>,
}

impl Usage {
    /// Counts the records of the log in a folder; none where there is no log yet.
    pub(super) fn of(folder: &Path) -> Result<Self, LogError> {
        let mut usage = Self::default();
        if !folder.exists() {
            return Ok(usage);
        }
        let mut pending: HashMap<u64, (String, Entry)> = HashMap::new();
        each(folder, &mut |recorded| {
            usage.take(recorded, &mut pending);
            ControlFlow::Continue(())
        })?;
        // What is under way may all leave.
        for (month, entry) in pending.into_values() {
            usage.add(&month, &entry, &Outcome::Interrupted { why: String::new(), rows: None, bytes: None });
        }
        Ok(usage)
    }

    fn take(&mut self, recorded: Recorded, pending: &mut HashMap<u64, (String, Entry)>) {
        self.first.get_or_insert(recorded.index);
        let month = month(recorded.time_ms);
        match recorded.record {
            Record::Release(entry) => drop(pending.insert(recorded.index, (month, entry))),
            Record::Refusal(_) => *self.refused.entry(month).or_default() += 1,
            // A release counts in the month in which it began.
            Record::Outcome { of, outcome } => {
                if let Some((month, entry)) = pending.remove(&of) {
                    self.add(&month, &entry, &outcome);
                }
            }
            Record::Check(_) | Record::Alert(_) | Record::Long(_) | Record::Right(_) | Record::Effect { .. } => {}
        }
    }

    fn add(&mut self, month: &str, entry: &Entry, outcome: &Outcome) {
        for agreement in &entry.agreements {
            self.agreements.entry(agreement.clone()).or_default().entry(month.to_owned()).or_default().add(outcome);
        }
        // What a body's own analysts see of its own data is not shared with anybody.
        if entry.agreements.is_empty() && entry.caller.ends_with("/node") {
            self.open.entry(month.to_owned()).or_default().add(outcome);
        }
    }

    /// The agreements that were relied on.
    pub(super) fn agreements(&self) -> impl Iterator<Item = &str> {
        self.agreements.keys().map(String::as_str)
    }

    /// The months in which an agreement was used.
    pub(super) fn of_agreement(&self, id: &str) -> Vec<Month> {
        self.agreements.get(id).map(published).unwrap_or_default()
    }

    /// The months in which open data was used.
    pub(super) fn open(&self) -> Vec<Month> {
        published(&self.open)
    }

    /// Refused questions by month.
    pub(super) fn refused(&self) -> impl Iterator<Item = (&str, u64)> {
        self.refused.iter().map(|(month, questions)| (month.as_str(), *questions))
    }

    /// Whether records of before are archived, and so not counted.
    pub(super) fn is_recent(&self) -> bool {
        self.first.is_some_and(|first| first > 0)
    }
}

impl Count {
    fn add(&mut self, outcome: &Outcome) {
        self.questions += 1;
        let (rows, bytes) = match outcome {
            Outcome::Completed { rows, bytes } => (Some(*rows), Some(*bytes)),
            Outcome::Interrupted { rows, bytes, .. } => {
                self.interrupted += 1;
                (*rows, *bytes)
            }
        };
        self.unknown += u64::from(rows.is_none() || bytes.is_none());
        self.rows += rows.unwrap_or(0);
        self.bytes += bytes.unwrap_or(0);
    }
}

fn published(months: &Months) -> Vec<Month> {
    let month = |(month, count): (&String, &Count)| {
        let and = match count.unknown {
            0 => "",
            _ => ", and an unknown number of interrupted answers",
        };
        Month {
            month: month.clone(),
            questions: count.questions,
            interrupted: count.interrupted,
            rows: class(count.rows) + and,
            bytes: class(count.bytes) + and,
        }
    };
    months.iter().map(month).collect()
}

/// The power of ten below a number.
fn class(number: u64) -> String {
    match number.checked_ilog10() {
        None => "0".into(),
        Some(digits) => match 10_u64.checked_pow(digits + 1) {
            Some(above) => format!("{} to {}", 10_u64.pow(digits), above - 1),
            None => format!("{} or more", 10_u64.pow(digits)),
        },
    }
}

fn month(time_ms: u64) -> String {
    let time = i64::try_from(time_ms).ok().and_then(DateTime::<Utc>::from_timestamp_millis).unwrap_or_default();
    time.format("%Y-%m").to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn recorded(index: u64, record: Record) -> Recorded {
        // The last minutes of January, then February.
        let time_ms = if index < 5 { 2_678_399_000 } else { 2_678_400_000 };
        Recorded { index, time_ms, hash: [0; 32], commitment: String::new(), record }
    }

    fn release(agreements: &[&str], caller: &str) -> Record {
        let agreements = agreements.iter().map(|id| (*id).to_owned()).collect();
        Record::Release(Entry { agreements, caller: caller.into(), ..Entry::default() })
    }

    #[test]
    fn what_left_counts_where_it_began_and_what_was_cut_off_by_its_upper_bound() {
        let (mut usage, mut pending) = (Usage::default(), HashMap::new());
        let node = "spiffe://london/body/loda/node";
        let end = |of, outcome| Record::Outcome { of, outcome };
        for (index, record) in [
            release(&["fire"], node),
            release(&["fire", "ward"], node),
            release(&[], node),
            release(&[], "spiffe://london/body/lfb/analyst/li"),
            Record::Refusal(Entry::default()),
            end(0, Outcome::Completed { rows: 9, bytes: 1_000 }),
            end(1, Outcome::Interrupted { why: "x".into(), rows: Some(3), bytes: Some(50) }),
            end(2, Outcome::Completed { rows: 0, bytes: 99 }),
            end(3, Outcome::Completed { rows: 77, bytes: 777 }),
            Record::Refusal(Entry::default()),
            release(&["ward"], node),
        ]
        .into_iter()
        .enumerate()
        {
            usage.take(recorded(index as u64, record), &mut pending);
        }
        assert_eq!(pending.len(), 1, "one is under way");
        let count = |questions, interrupted, rows, bytes| Count { questions, interrupted, rows, bytes, unknown: 0 };
        assert_eq!(usage.agreements["fire"]["1970-01"], count(2, 1, 12, 1_050));
        assert_eq!(usage.agreements["ward"]["1970-01"], count(1, 1, 3, 50));
        assert_eq!(usage.open["1970-01"], count(1, 0, 0, 99));
        assert_eq!(usage.refused().collect::<Vec<_>>(), [("1970-01", 1), ("1970-02", 1)]);
        let fire = usage.of_agreement("fire");
        assert_eq!((fire[0].rows.as_str(), fire[0].bytes.as_str()), ("10 to 99", "1000 to 9999"));
        assert!(!usage.is_recent());
    }

    #[test]
    fn classes_are_powers_of_ten() {
        for (number, expected) in [(0, "0"), (1, "1 to 9"), (9, "1 to 9"), (10, "10 to 99"), (12_345, "10000 to 99999")]
        {
            assert_eq!(class(number), expected);
        }
        assert!(class(u64::MAX).ends_with("or more"));
    }
}
