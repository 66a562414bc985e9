//! `meridian audit show` and `alerts`: records of one's own log, with the private parts that stay at home.

use std::collections::BTreeMap;

use super::{Opened, caller, time};
use crate::audit::{Alert, Cells, Entry, Kept, Outcome, Private, Record, Recorded, Right, private};
use crate::cli::Error;
use crate::cli::format::printable;

impl Opened {
    fn private(&self, recorded: &Recorded) -> Result<Kept, Error> {
        private(&self.folder, &self.key, recorded).map_err(|error| Error::Config(error.to_string()))
    }

    /// One record, and where it is a release, how that ended.
    pub(super) fn show(&self, index: u64) -> Result<String, Error> {
        let records = self.records()?;
        let Some(recorded) = records.iter().find(|recorded| recorded.index == index) else {
            let number = records.len();
            return Err(Error::Usage(format!("the log has no record {index}: it has {number}, counted from 0")));
        };
        let mut text = String::new();
        self.one(recorded, &mut text)?;
        let ended = records.iter().find(|other| matches!(other.record, Record::Outcome { of, .. } if of == index));
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
            Record::Long(long) => text.push_str(&format!("a record of {} bytes that lies elsewhere\n", long.bytes)),
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
    pub(super) fn alerts(&self) -> Result<String, Error> {
        let mut pairs: BTreeMap<[String; 4], u64> = BTreeMap::new();
        let mut alerts = Vec::new();
        let records = self.records()?;
        for recorded in &records {
            match &recorded.record {
                Record::Alert(alert) => alerts.push((recorded, alert)),
                Record::Outcome { of, .. } => self.near(recorded, &records, *of, &mut pairs)?,
                Record::Release(_)
                | Record::Refusal(_)
                | Record::Check(_)
                | Record::Right(_)
                | Record::Long(_)
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

    fn near(
        &self,
        ended: &Recorded,
        records: &[Recorded],
        of: u64,
        pairs: &mut BTreeMap<[String; 4], u64>,
    ) -> Result<(), Error> {
        let Kept::Whole(private) = self.private(ended)? else { return Ok(()) };
        let begun = records.iter().find(|recorded| recorded.index == of);
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

fn entry(kind: &str, entry: &Entry, private: Option<&Private>, text: &mut String) {
    text.push_str(&format!("{kind}\n"));
    item("query", &entry.query_id, text);
    item("caller", &caller(entry), text);
    item("via", &entry.via.join(", then "), text);
    item("groups", &entry.groups.join(", "), text);
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
