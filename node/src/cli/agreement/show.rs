//! Who has signed an agreement, who has not, and where it is in force, in words.

use std::io::Write;

use chrono::{DateTime, NaiveDate};
use meridian_proto::Name;

use super::super::Error;
use super::super::format::{printable, printable_lines};
use crate::agreements::{Act, Document, Kept, REVOKED_SINCE};

/// Characters of an id that tell documents apart for people.
pub(super) const SHORT: usize = 12;

/// One paragraph for each document.
pub(super) fn list(kept: &[Kept], today: NaiveDate, out: &mut dyn Write) -> Result<(), Error> {
    for kept in kept {
        let Kept { document, .. } = kept;
        let short: String = document.id.chars().take(SHORT).collect();
        writeln!(out, "{short}  {}  {}", printable(&document.name), printable(&document.title))?;
        let bodies = document.bodies();
        let (signed, not): (Vec<&Name>, Vec<&Name>) = bodies.iter().partition(|body| kept.agrees(body));
        writeln!(out, "  signed by  {}", names(&signed))?;
        writeln!(out, "  not by     {}", names(&not))?;
        let (there, elsewhere): (Vec<&Name>, Vec<&Name>) =
            document.owners.iter().partition(|owner| why_not(kept, owner, today).is_empty());
        writeln!(out, "  in force   at {}", names(&there))?;
        writeln!(out, "  not yet    at {}", names(&elsewhere))?;
    }
    Ok(())
}

/// All about one document.
pub(super) fn one(kept: &Kept, own: &Name, today: NaiveDate, out: &mut dyn Write) -> Result<(), Error> {
    let Kept { document, from, .. } = kept;
    writeln!(out, "{}\n{}\n", printable(&document.title), document.id)?;
    match from {
        Some(body) => writeln!(out, "It came here from {body}.")?,
        None => writeln!(out, "It was proposed here.")?,
    }
    writeln!(out, "Proposed by {}.", names(&kept.proposers().collect::<Vec<_>>()))?;
    if let Some(day) = kept.discarded_on(own) {
        writeln!(out, "{own} has not signed it; if it does not, it is discarded here on {day}.")?;
    }
    if !document.trustees.is_empty() {
        let (needed, of) = (document.trustees_needed, document.trustees.len());
        writeln!(out, "Of its {of} trustees, {needed} must sign.")?;
    }
    writeln!(out)?;
    for body in document.bodies() {
        writeln!(out, "  {:<24} {:<20} {}", body.as_str(), part(document, &body), state(kept, &body))?;
    }
    writeln!(out)?;
    for owner in &document.owners {
        let why = why_not(kept, owner, today);
        if why.is_empty() {
            writeln!(out, "It is in force at the node of {owner}.")?;
        } else {
            writeln!(out, "It is not in force at the node of {owner}: {}.", why.join("; "))?;
        }
    }
    writeln!(out, "\n{}", printable_lines(&document.text).trim_end())?;
    Ok(())
}

fn part(document: &Document, body: &Name) -> String {
    let parts = [
        ("owner", document.owners.contains(body)),
        ("recipient", document.recipients.contains(body)),
        ("trustee", document.trustees.contains(body)),
    ];
    let parts: Vec<&str> = parts.into_iter().filter_map(|(part, is)| is.then_some(part)).collect();
    if parts.is_empty() { "party".into() } else { parts.join(", ") }
}

fn state(kept: &Kept, body: &Name) -> String {
    let said = |act: Act| {
        let (statement, _) = kept.signatures.get(&(act, body.clone()))?;
        let at = i64::try_from(statement.at).ok().and_then(DateTime::from_timestamp_millis)?;
        Some(at.format("%Y-%m-%d %H:%M UTC").to_string())
    };
    match (said(Act::Consent), said(Act::Withdrawal)) {
        (_, Some(at)) => format!("withdrew on {at}"),
        (Some(at), None) => format!("signed on {at}"),
        (None, None) if kept.revoked.contains(body) => REVOKED_SINCE.into(),
        (None, None) => "has not signed".into(),
    }
}

fn why_not(kept: &Kept, owner: &Name, today: NaiveDate) -> Vec<String> {
    let Document { start, end, .. } = &kept.document;
    let mut why = kept.lacks(owner);
    if today < *start {
        why.push(format!("it begins on {start}"));
    }
    if today >= *end {
        why.push(format!("it ended on {end}"));
    }
    why
}

fn names(names: &[&Name]) -> String {
    if names.is_empty() {
        return "none".into();
    }
    names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ")
}
