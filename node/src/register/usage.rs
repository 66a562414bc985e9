//! How often something was used and how much left, month by month, as the log has it at the end of a day.
//!
//! What is of a day that is not over waits: who looks at the counts all day long does not see when somebody asks.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::path::Path;

use chrono::{DateTime, NaiveDate};

use super::model::{Class, Month, Refused};
use super::words::{Id, MonthName};
use crate::audit::{Entry, LogError, Outcome, Record, Recorded, each_from};

/// What was counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Count {
    questions: u64,
    interrupted: u64,
    rows: u64,
    bytes: u64,
    /// Interrupted ones of which it is not known how much left.
    unknown: u64,
}

/// Counts by month.
type Months = BTreeMap<MonthName, Count>;

/// What a log says, as far as it was read.
#[derive(Debug, Clone, Default)]
pub struct Usage {
    counted: Counted,
    /// Releases that are under way at that time, by index.
    open: HashMap<u64, Begun>,
    /// What is not counted yet, in order.
    waiting: Vec<(NaiveDate, Event)>,
    /// When releases began that are under way now, by index.
    began: HashMap<u64, NaiveDate>,
    /// The first day that does not count; none where all does.
    before: Option<NaiveDate>,
    /// The index of the first record that was read; none where there is no record.
    first: Option<u64>,
    /// The index of the record that is read next.
    next: u64,
}

/// What a record has to do with the counts.
#[derive(Debug, Clone)]
enum Event {
    Began { index: u64, begun: Begun },
    Ended { of: u64, outcome: Outcome },
    Refused { month: MonthName },
}

#[derive(Debug, Clone, Default)]
struct Counted {
    agreements: BTreeMap<String, Months>,
    open: Months,
    refused: BTreeMap<MonthName, u64>,
}

/// What is known of a release before it ends.
#[derive(Debug, Clone)]
struct Begun {
    month: MonthName,
    agreements: Vec<String>,
    /// Whether another body's node asked.
    to_peer: bool,
}

impl Usage {
    /// Reads the records that the log in a folder has grown by, and counts those of before a day, or all; none where there is no
    /// log yet. Returns whether there were any.
    pub fn follow(&mut self, folder: &Path, before: Option<NaiveDate>) -> Result<bool, LogError> {
        self.count_before(before);
        if !folder.exists() {
            return Ok(false);
        }
        let from = self.next;
        each_from(folder, from, &mut |recorded| {
            self.take(recorded);
            ControlFlow::Continue(())
        })?;
        Ok(self.next > from)
    }

    /// Counts what was read and is of before a day.
    pub fn count_before(&mut self, before: Option<NaiveDate>) {
        if self.before == before {
            return;
        }
        self.before = before;
        for (day, event) in std::mem::take(&mut self.waiting) {
            self.sort_in(day, event);
        }
    }

    /// The index of the record that is read next: how long the log was when it was read.
    pub fn next(&self) -> u64 {
        self.next
    }

    fn take(&mut self, recorded: Recorded) {
        self.first.get_or_insert(recorded.index);
        self.next = recorded.index + 1;
        let time = i64::try_from(recorded.time_ms).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default();
        let (index, day) = (recorded.index, time.date_naive());
        let month = MonthName::of(day);
        match recorded.record {
            Record::Release(Entry { agreements, caller, .. }) => {
                let to_peer = caller.ends_with("/node");
                self.began.insert(index, day);
                self.sort_in(day, Event::Began { index, begun: Begun { month, agreements, to_peer } });
            }
            Record::Refusal(_) => self.sort_in(day, Event::Refused { month }),
            Record::Outcome { of, outcome } => {
                // A clock that was put back ends nothing before it began.
                let began = self.began.remove(&of).unwrap_or(day);
                self.sort_in(day.max(began), Event::Ended { of, outcome });
            }
            Record::Check(_) | Record::Alert(_) | Record::Long(_) | Record::Right(_) | Record::Effect { .. } => {}
        }
    }

    fn sort_in(&mut self, day: NaiveDate, event: Event) {
        if self.before.is_some_and(|before| day >= before) {
            self.waiting.push((day, event));
            return;
        }
        match event {
            Event::Began { index, begun } => drop(self.open.insert(index, begun)),
            Event::Refused { month } => *self.counted.refused.entry(month).or_default() += 1,
            // A release counts in the month in which it began.
            Event::Ended { of, outcome } => {
                if let Some(begun) = self.open.remove(&of) {
                    self.counted.add(&begun, &outcome);
                }
            }
        }
    }

    /// As it is to be told: what was under way at the end of the last day that counts, with all that may have left.
    pub fn told(&self) -> Told {
        let mut counted = self.counted.clone();
        for begun in self.open.values() {
            counted.add(begun, &Outcome::Interrupted { why: String::new(), rows: None, bytes: None });
        }
        let last = self.before.and_then(|before| before.pred_opt());
        Told { counted, last, is_recent: self.first.is_some_and(|first| first > 0) }
    }
}

/// What a log says, with what is under way.
#[derive(Debug)]
pub struct Told {
    counted: Counted,
    last: Option<NaiveDate>,
    is_recent: bool,
}

impl Told {
    /// The agreements that were relied on.
    pub fn agreements(&self) -> impl Iterator<Item = Id> {
        self.counted.agreements.keys().filter_map(|id| id.parse().ok())
    }

    /// The months in which an agreement was used.
    pub fn of_agreement(&self, id: &str) -> Vec<Month> {
        self.counted.agreements.get(id).map(published).unwrap_or_default()
    }

    /// The months in which open data was used.
    pub fn open(&self) -> Vec<Month> {
        published(&self.counted.open)
    }

    /// Refused questions by month.
    pub fn refused(&self) -> Vec<Refused> {
        let refused = self.counted.refused.iter();
        refused.map(|(month, questions)| Refused { month: *month, questions: *questions }).collect()
    }

    /// The last day that is counted; none where all is.
    pub fn last(&self) -> Option<NaiveDate> {
        self.last
    }

    /// Whether records of before are archived, and so not counted.
    pub fn is_recent(&self) -> bool {
        self.is_recent
    }
}

impl Counted {
    fn add(&mut self, begun: &Begun, outcome: &Outcome) {
        for agreement in &begun.agreements {
            self.agreements.entry(agreement.clone()).or_default().entry(begun.month).or_default().add(outcome);
        }
        // What a body's own analysts see of its own data is not shared with anybody.
        if begun.agreements.is_empty() && begun.to_peer {
            self.open.entry(begun.month).or_default().add(outcome);
        }
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
        self.rows = self.rows.saturating_add(rows.unwrap_or(0));
        self.bytes = self.bytes.saturating_add(bytes.unwrap_or(0));
    }
}

fn published(months: &Months) -> Vec<Month> {
    let month = |(month, count): (&MonthName, &Count)| Month {
        month: *month,
        questions: count.questions,
        interrupted: count.interrupted,
        unknown: count.unknown,
        rows: Class::of(count.rows),
        bytes: Class::of(count.bytes),
    };
    months.iter().map(month).collect()
}

#[cfg(test)]
mod tests {
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
        let mut usage = Usage::default();
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
            usage.take(recorded(index as u64, record));
        }
        assert_eq!((usage.open.len(), usage.next), (1, 11), "one is under way");
        let of = |usage: &Usage, id: &str| {
            let months = usage.told().of_agreement(id).into_iter();
            let text = |month: Month| {
                let Month { month, questions, interrupted, unknown, rows, bytes } = month;
                format!(
                    "{month} {questions} {interrupted} {unknown} {}-{} {}-{}",
                    rows.from, rows.to, bytes.from, bytes.to
                )
            };
            months.map(text).collect::<Vec<_>>()
        };
        assert_eq!(of(&usage, "fire"), ["1970-01 2 1 0 10-99 1000-9999"]);
        assert_eq!(of(&usage, "ward"), ["1970-01 1 1 0 1-9 10-99", "1970-02 1 1 1 0-0 0-0"]);
        let told = usage.told();
        let refused: Vec<_> = told.refused().into_iter().map(|it| (it.month.to_string(), it.questions)).collect();
        assert_eq!(refused, [("1970-01".into(), 1), ("1970-02".into(), 1)]);
        assert_eq!((told.open().len(), told.is_recent()), (1, false));
        usage.take(recorded(11, end(10, Outcome::Completed { rows: 1, bytes: 1 })));
        assert_eq!(of(&usage, "ward"), ["1970-01 1 1 0 1-9 10-99", "1970-02 1 0 0 1-9 1-9"]);
    }

    #[test]
    fn nothing_of_a_day_shows_before_it_is_over() {
        const DAY: u64 = 86_400_000;
        let day = |day: u64| DateTime::from_timestamp_millis((day * DAY) as i64).unwrap().date_naive();
        let node = "spiffe://london/body/loda/node";
        let end = |of, rows| Record::Outcome { of, outcome: Outcome::Completed { rows, bytes: 1 } };
        let mut usage = Usage::default();
        usage.count_before(Some(day(1)));
        for (index, (time_ms, record)) in [
            (1, release(&["fire"], node)),
            (DAY - 1, Record::Refusal(Entry::default())),
            // It began on the first day and ended on the second.
            (DAY, end(0, 9)),
            (DAY + 1, release(&["fire"], node)),
            (DAY + 2, Record::Refusal(Entry::default())),
            // A clock that was wrong for a moment.
            (900 * DAY, release(&["fire"], node)),
            (2 * DAY - 1, end(5, 9)),
            (2 * DAY - 1, end(3, 9)),
        ]
        .into_iter()
        .enumerate()
        {
            usage.take(Recorded { index: index as u64, time_ms, hash: [0; 32], commitment: String::new(), record });
        }
        let shown = |usage: &Usage| {
            let told = usage.told();
            let fire = told.of_agreement("fire").into_iter();
            let fire: Vec<_> = fire.map(|month| (month.questions, month.unknown, month.rows.to)).collect();
            (fire, told.refused().first().map_or(0, |refused| refused.questions), told.last())
        };
        assert_eq!(shown(&usage), (vec![(1, 1, 0)], 1, Some(day(0))), "under way at the end of the first day");
        usage.count_before(Some(day(2)));
        assert_eq!(shown(&usage), (vec![(2, 0, 99)], 2, Some(day(1))));
        usage.count_before(None);
        assert_eq!(shown(&usage), (vec![(2, 0, 99), (1, 0, 9)], 2, None), "all counts");
    }
}
