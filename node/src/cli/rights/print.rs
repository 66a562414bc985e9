//! What `meridian rights` says, for people and as JSON; nothing of it names a unit, and only the file of rows has values.

use std::io::{self, Write};

use arrow::json::ArrayWriter;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::super::format::printable;
use crate::app::rights::{Access, Concerned, Done, Effect, Held, Listed, Release};
use crate::audit::Outcome;
use crate::rights::{Entry, Right};
use crate::sources::Place;

/// What was done, and what becomes of it.
pub(super) fn done(done: &Done, out: &mut dyn Write) -> io::Result<()> {
    let Entry { number, right, unit_kind, ends, .. } = &done.entry;
    match ends {
        Some(ended) => writeln!(out, "Entry {number}: the end of entry {ended}, of a unit of kind {unit_kind}.")?,
        None => writeln!(out, "Entry {number}: {}, of a unit of kind {unit_kind}.", right.title())?,
    }
    for concerned in &done.concerned {
        writeln!(out, "  {:<24} {}{}", concerned.dataset, effect(concerned.effect), found(concerned))?;
    }
    for (dataset, why) in &done.beyond {
        writeln!(out, "  {dataset:<24} NOT covered: {why}")?;
    }
    let none = |concerned: &Concerned| matches!(concerned.rows, Some(Ok(0)));
    if !done.concerned.is_empty() && done.concerned.iter().all(none) {
        writeln!(
            out,
            "No dataset holds rows of this unit now: see whether it is spelt as there, or withdraw the entry."
        )?;
    }
    match done.recorded {
        true => writeln!(out, "The log has it.")?,
        false => writeln!(
            out,
            "The node records it in its log within seconds; `meridian rights list` shows since when it is in force."
        )?,
    }
    match right {
        Right::Object | Right::Restrict | Right::Rectify => writeln!(out, "{RECIPIENTS}"),
        Right::Erase => writeln!(
            out,
            "{RECIPIENTS}\nErase it in the source, too: this keeps it from being released, and nothing else."
        ),
        Right::Report | Right::Withdraw | Right::Corrected => Ok(()),
    }
}

const RECIPIENTS: &str =
    "What recipients hold already stays with them: tell them (Article 19). `meridian rights report` names them.";

fn effect(effect: Effect) -> String {
    match effect {
        Effect::AtOnce => "at once: within seconds where the node runs, otherwise when it starts".into(),
        Effect::Snapshot(start) => format!("with the next snapshot, on {}", start.date_naive()),
        Effect::Never => "nothing of it is released".into(),
    }
}

fn found(concerned: &Concerned) -> String {
    match &concerned.rows {
        None => String::new(),
        Some(Ok(rows)) => format!("; {rows} rows of it in the source"),
        Some(Err(error)) => format!("; its source can't be looked into: {error}"),
    }
}

/// The list for people.
pub(super) fn list<'a>(listed: impl Iterator<Item = &'a Listed>, out: &mut dyn Write) -> io::Result<()> {
    let mut any = false;
    for Listed { entry, ended, in_force } in listed {
        any = true;
        let scope = match entry.named {
            true => "named datasets",
            false => "all datasets of the kind",
        };
        let ends = entry.ends.map(|ended| format!(" of entry {ended}")).unwrap_or_default();
        let end = ended.map(|end| format!("; ended by entry {end}")).unwrap_or_default();
        writeln!(
            out,
            "{}  {}{ends}  of kind {}  {}{end}",
            entry.number,
            entry.right.title(),
            entry.unit_kind,
            time(entry.at_ms)
        )?;
        let datasets: Vec<&str> = entry.datasets.iter().map(|dataset| dataset.as_str()).collect();
        writeln!(out, "   {scope}: {}", datasets.join(", "))?;
        for (dataset, since) in in_force {
            writeln!(out, "   in force in {dataset} since {}", time(*since))?;
        }
        let columns: Vec<&str> = entry.values.iter().map(|(column, _)| column.as_str()).collect();
        for (what, said) in
            [("columns", columns.join(", ")), ("reference", entry.reference.clone()), ("reason", entry.reason.clone())]
        {
            if !said.is_empty() {
                writeln!(out, "   {what}: {}", printable(&said))?;
            }
        }
    }
    if any { Ok(()) } else { writeln!(out, "Nothing stands.") }
}

/// The list as JSON.
pub(super) fn list_json<'a>(listed: impl Iterator<Item = &'a Listed>, out: &mut dyn Write) -> io::Result<()> {
    let one = |listed: &Listed| {
        let in_force = listed.in_force.iter().map(|(dataset, since)| (dataset.clone(), json!(time(*since))));
        let mut entry = entry_json(&listed.entry, listed.ended);
        entry["in_force"] = Value::Object(in_force.collect());
        entry["reason"] = json!(listed.entry.reason);
        entry
    };
    written(&json!({ "entries": listed.map(one).collect::<Vec<_>>() }), out)
}

fn entry_json(entry: &Entry, ended: Option<u64>) -> Value {
    json!({
        "number": entry.number,
        "time": time(entry.at_ms),
        "right": entry.right.verb(),
        "kind": entry.unit_kind.as_str(),
        "named": entry.named,
        "datasets": entry.datasets.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
        "columns": entry.values.iter().map(|(column, _)| column.as_str()).collect::<Vec<_>>(),
        "until_corrected": entry.until_corrected,
        "ends": entry.ends,
        "ended_by": ended,
        "reference": entry.reference,
    })
}

/// A report for people.
pub(super) fn access(access: &Access, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "Entry {}: access (Article 15), of a unit of kind {}.", access.number, access.kind)?;
    writeln!(out, "\nHeld now:")?;
    for Held { dataset, found } in &access.held {
        writeln!(out, "  {dataset:<24} {} rows in its {}", found.rows(), place(found.place))?;
    }
    for (dataset, error) in &access.unread {
        writeln!(out, "  {dataset:<24} CAN'T be looked into: {error}")?;
    }
    for (dataset, why) in &access.beyond {
        writeln!(out, "  {dataset:<24} can't be searched: {why}")?;
    }
    if access.held.is_empty() {
        writeln!(out, "  nothing")?;
    }
    writeln!(out, "\nRights exercised:")?;
    for (entry, ended) in &access.rights {
        let end = ended.map(|end| format!("; ended by entry {end}")).unwrap_or_default();
        writeln!(out, "  {}  entry {}: {}{end}", time(entry.at_ms), entry.number, entry.right.title())?;
    }
    if access.rights.is_empty() {
        writeln!(out, "  none")?;
    }
    writeln!(
        out,
        "\nReleases of these datasets while the unit was in them, by the log. When a row came in is not known, so that"
    )?;
    writeln!(out, "releases before are among them. In statistics a unit is one of many.")?;
    for release in &access.releases {
        let Release { index, used, caller, purpose, agreements, .. } = release;
        let terms = if agreements.is_empty() { "no agreement".into() } else { agreements.join(", ") };
        let purpose = if purpose.is_empty() { "none stated" } else { purpose.as_str() };
        writeln!(
            out,
            "  {}  record {index}  {}  {} ({})  to {caller}  purpose: {}  {terms}  {}",
            time(release.time_ms),
            used.dataset,
            used.form,
            used.columns.join(", "),
            printable(purpose),
            outcome(release.outcome.as_ref()),
        )?;
    }
    if access.releases.is_empty() {
        writeln!(out, "  none")?;
    }
    if !access.recorded {
        writeln!(out, "\nThe node records in its log that this was asked for, within seconds.")?;
    }
    Ok(())
}

/// A report as JSON.
pub(super) fn access_json(access: &Access, out: &mut dyn Write) -> io::Result<()> {
    let held = |held: &Held| json!({ "dataset": held.dataset.as_str(), "held_in": place(held.found.place), "rows": held.found.rows() });
    let failed =
        |(dataset, error): &(meridian_proto::Name, String)| json!({ "dataset": dataset.as_str(), "why": error });
    let beyond = |(dataset, why): &(meridian_proto::Name, &str)| json!({ "dataset": dataset.as_str(), "why": why });
    let release = |release: &Release| {
        json!({
            "time": time(release.time_ms),
            "record": release.index,
            "dataset": release.used.dataset,
            "columns": release.used.columns,
            "form": release.used.form,
            "caller": release.caller,
            "purpose": release.purpose,
            "agreements": release.agreements,
            "outcome": outcome(release.outcome.as_ref()),
        })
    };
    let all = json!({
        "number": access.number,
        "kind": access.kind.as_str(),
        "held": access.held.iter().map(held).collect::<Vec<_>>(),
        "unread": access.unread.iter().map(failed).collect::<Vec<_>>(),
        "not_searched": access.beyond.iter().map(beyond).collect::<Vec<_>>(),
        "rights": access.rights.iter().map(|(entry, ended)| entry_json(entry, *ended)).collect::<Vec<_>>(),
        "releases": access.releases.iter().map(release).collect::<Vec<_>>(),
    });
    written(&all, out)
}

/// The rows themselves, as one JSON document.
pub(super) fn rows(access: &Access, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{{\"datasets\":[")?;
    for (index, Held { dataset, found }) in access.held.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        // A dataset's name needs no escapes.
        writeln!(out, "{comma}{{\"dataset\":\"{dataset}\",\"held_in\":\"{}\",\"rows\":", place(found.place))?;
        let mut writer = ArrayWriter::new(&mut *out);
        found.batches.iter().try_for_each(|batch| writer.write(batch)).map_err(io::Error::other)?;
        writer.finish().map_err(io::Error::other)?;
        writeln!(out, "}}")?;
    }
    writeln!(out, "]}}")
}

fn written(value: &Value, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

fn place(place: Place) -> &'static str {
    match place {
        Place::Source => "source",
        Place::Snapshot => "snapshot",
    }
}

fn outcome(outcome: Option<&Outcome>) -> String {
    match outcome {
        Some(Outcome::Completed { rows, .. }) => format!("completed, {rows} rows in all"),
        Some(Outcome::Interrupted { .. }) => "interrupted".into(),
        None => "under way".into(),
    }
}

fn time(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(DateTime::<Utc>::from_timestamp_millis);
    time.map(|time| time.to_rfc3339_opts(SecondsFormat::Secs, true)).unwrap_or_default()
}
