//! The receipt for people: who released what behind an answer, checked signature by signature and log by log.

mod file;
mod logged;

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::ValueEnum;
use meridian_proto::{Form, Receipt, ReleaseRecord, Signed};

use super::Error;
use super::format::{printable, printable_lines};
pub(crate) use file::ReceiptFile;
use logged::Logged;

/// How much of the receipt is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Detail {
    /// One line per body.
    #[default]
    Short,
    /// One line for all bodies.
    Line,
    /// Also the SQL that each body got, and the rules and agreements that admitted it.
    Full,
    /// Only notices, and records that don't hold.
    None,
}

/// Who signed a record, as its certificate says.
pub(crate) struct Signer {
    pub(crate) federation: String,
    pub(crate) body: String,
    /// Whether it is a node's certificate.
    pub(crate) node: bool,
}

/// A receipt whose records were looked at one by one.
pub(crate) struct Checked {
    query_id: String,
    /// The federation of the node that answered, whose bodies are named without it.
    home: String,
    records: Vec<ReleaseRecord>,
    /// What is proven of each record's place in its body's log.
    logged: Vec<Logged>,
    /// Why a record doesn't hold.
    broken: Vec<String>,
}

/// Verifies every record of a receipt. `verify` checks a signature, which was made at about that time, and says whose it is.
pub(crate) fn check(receipt: &Receipt, verify: impl Fn(&Signed, SystemTime) -> Result<Signer, String>) -> Checked {
    let query_id = receipt.query_id.clone();
    let home = home(receipt).unwrap_or_default();
    let mut checked = Checked { query_id, home, records: Vec::new(), logged: Vec::new(), broken: Vec::new() };
    for (index, signed) in receipt.releases.iter().enumerate() {
        let record = record(signed, &receipt.query_id, &verify);
        let record = record.and_then(|record| Ok((logged::check(&record, receipt, &verify)?, record)));
        match record {
            Ok((logged, record)) => {
                checked.records.push(record);
                checked.logged.push(logged);
            }
            Err(why) => checked.broken.push(format!("record {} of {}: {why}", index + 1, receipt.releases.len())),
        }
    }
    checked
}

/// The federation of the node that answered, as its record says.
fn home(receipt: &Receipt) -> Option<String> {
    let first = receipt.releases.first()?;
    ReleaseRecord::decode(&first.payload).ok().map(|record| record.federation)
}

/// The body of a record, as the nodes of a federation name it.
fn named(record: &ReleaseRecord, home: &str) -> String {
    body(&record.federation, &record.body, home)
}

/// A body, as the nodes of a federation name it.
fn body(federation: &str, body: &str, home: &str) -> String {
    if federation == home { body.to_owned() } else { format!("{federation}.{body}") }
}

fn record(
    signed: &Signed,
    query_id: &str,
    verify: &impl Fn(&Signed, SystemTime) -> Result<Signer, String>,
) -> Result<ReleaseRecord, String> {
    let record = ReleaseRecord::decode(&signed.payload).map_err(|error| error.to_string())?;
    let signer = verify(signed, UNIX_EPOCH + Duration::from_millis(record.time_ms))?;
    if !signer.node || signer.federation != record.federation || signer.body != record.body {
        return Err(format!("it speaks for {} but was signed by another", record.body));
    }
    if record.query_id != query_id {
        return Err(format!("{} signed it for another query", record.body));
    }
    Ok(record)
}

impl Checked {
    /// Why records don't hold; empty where all do.
    #[cfg(test)]
    pub(crate) fn broken(&self) -> &[String] {
        &self.broken
    }

    /// An error where records don't hold.
    pub(crate) fn proven(&self) -> Result<(), Error> {
        match self.broken.len() {
            0 => Ok(()),
            broken => Err(Error::Receipt(broken)),
        }
    }

    fn named(&self, record: &ReleaseRecord) -> String {
        named(record, &self.home)
    }

    /// The agreements that admitted releases.
    pub(crate) fn agreements(&self) -> impl Iterator<Item = String> + '_ {
        self.records.iter().flat_map(|record| record.agreements.iter().cloned())
    }

    /// Whether statistics are behind the answer, so that a NULL may be a withheld cell.
    pub(crate) fn has_statistics(&self) -> bool {
        self.records.iter().any(|record| forms(record).contains(&Form::Statistics))
    }

    /// The receipt as lines of text.
    pub(crate) fn render(&self, detail: Detail) -> String {
        let mut text = String::new();
        if detail != Detail::None {
            self.heading(&mut text);
        }
        if matches!(detail, Detail::Short | Detail::Full) {
            self.table(&mut text);
            let _ = writeln!(text, "{}", logged::sentence(&self.logged));
            if detail == Detail::Full {
                self.records.iter().for_each(|record| full(record, &self.named(record), &mut text));
            }
        }
        self.notices(&mut text);
        for why in &self.broken {
            let _ = writeln!(text, "NOT VERIFIED  {}", printable(why));
        }
        text
    }

    fn heading(&self, text: &mut String) {
        let signed = self.records.len();
        let state = if self.broken.is_empty() { "all signatures hold" } else { "NOT ALL SIGNATURES HOLD" };
        let id = printable(&self.query_id);
        let plural = if signed == 1 { "release" } else { "releases" };
        let _ = writeln!(text, "Receipt {id}: {signed} {plural}, {state}");
    }

    fn table(&self, text: &mut String) {
        let heading = ["body", "form", "agreement", "rows", "bytes", "log entry"].map(str::to_owned);
        let rows: Vec<[String; 6]> = std::iter::once(heading)
            .chain(self.records.iter().map(|record| line(record, &self.named(record))))
            .collect();
        let mut widths = [0; 6];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in &rows {
            let mut line = String::new();
            for (index, (cell, width)) in row.iter().zip(widths).enumerate() {
                // Rows and bytes are numbers: to the right.
                let _ = if matches!(index, 3 | 4) {
                    write!(line, "  {cell:>width$}")
                } else {
                    write!(line, "  {cell:<width$}")
                };
            }
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }

    /// Each notice once, with the bodies that gave it.
    fn notices(&self, text: &mut String) {
        let mut seen: Vec<(String, Vec<String>)> = Vec::new();
        for record in &self.records {
            // What differs only in whose dataset it is about is said once.
            let own = format!("{}.{}.", record.federation, record.body);
            for notice in record.notices.iter().map(|notice| notice.replace(&own, "")) {
                match seen.iter_mut().find(|(known, _)| *known == notice) {
                    Some((_, bodies)) if bodies.contains(&self.named(record)) => {}
                    Some((_, bodies)) => bodies.push(self.named(record)),
                    None => seen.push((notice, vec![self.named(record)])),
                }
            }
        }
        for (notice, bodies) in seen {
            let _ = writeln!(text, "Note from {}: {}", some(&bodies), printable(&notice));
        }
    }
}

/// A list of bodies that stays on one line.
pub(crate) fn some<T: AsRef<str>>(bodies: &[T]) -> String {
    match bodies {
        [first, second, third, _, rest @ ..] => {
            let first: Vec<&str> = [first, second, third].map(AsRef::as_ref).into();
            format!("{} and {} more", first.join(", "), rest.len() + 1)
        }
        _ => bodies.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "),
    }
}

fn forms(record: &ReleaseRecord) -> Vec<Form> {
    let mut forms = Vec::new();
    for used in &record.datasets {
        if !forms.contains(&used.form) {
            forms.push(used.form);
        }
    }
    forms
}

fn line(record: &ReleaseRecord, body: &str) -> [String; 6] {
    let forms: Vec<String> = forms(record).iter().map(|form| form.to_string()).collect();
    let hash = record.log_hash.iter().take(4).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    [
        printable(body).into_owned(),
        or_dash(&forms),
        or_dash(&record.agreements),
        record.rows.to_string(),
        record.bytes.to_string(),
        format!("{} ({hash})", record.log_index),
    ]
}

fn or_dash(items: &[String]) -> String {
    if items.is_empty() { "-".into() } else { printable(&items.join(", ")).into_owned() }
}

fn full(record: &ReleaseRecord, body: &str, text: &mut String) {
    let time = i64::try_from(record.time_ms).ok().and_then(chrono::DateTime::from_timestamp_millis);
    let time = time.map_or_else(|| "an unknown time".into(), |time| time.format("%Y-%m-%d %H:%M:%S UTC").to_string());
    let _ = writeln!(text, "\n{} at {time}", printable(body));
    let mut item = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(text, "  {name:<10}{}", printable(value));
        }
    };
    item("to", &record.caller);
    item("for", &record.on_behalf_of);
    item("groups", &record.groups.join(", "));
    item("purpose", &record.purpose);
    for used in &record.datasets {
        item("dataset", &format!("{} ({}): {}", used.name, used.form, used.columns.join(", ")));
    }
    item("rules", &record.rules.join(", "));
    item("log hash", &hex::encode(&record.log_hash));
    item("log key", &record.log_key);
    let commitments = [&record.commitment, &record.closing_commitment].map(hex::encode);
    item("private", &format!("not shown; commitments {}", commitments.join(" and ")));
    for (index, sql) in printable_lines(&record.sql).lines().enumerate() {
        let _ = writeln!(text, "  {:<10}{sql}", if index == 0 { "SQL" } else { "" });
    }
}

#[cfg(test)]
mod tests;
