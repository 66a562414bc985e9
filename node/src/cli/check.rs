//! `meridian check`: whether every body that a query needs would release its part, without running anything.

use std::io::Write;

use clap::{Args, ValueEnum};
use meridian_proto::{Admission, CheckAnswer, Decision, Refusal, Verdict};

use super::Error;
use super::client::Client;
use super::format::{printable_lines, verdicts};
use super::profile::Connection;
use super::receipt::some;
use super::statement::Source;
use crate::query::caret;

/// Options of `meridian check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    connection: Connection,
    /// How the decisions are written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A paragraph for each body, for people; bodies that decide alike share one.
    #[default]
    Table,
    /// One JSON object.
    Json,
}

impl Check {
    /// Asks and prints; that a body says no, or nothing, is an error of its own.
    pub(crate) async fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        let (mut client, statement) = Client::with(self.connection, self.source)?;
        check(&mut client, &statement.sql, self.format, out).await
    }
}

/// Asks and prints, as [`Check::run`] does.
pub(crate) async fn check(client: &mut Client, sql: &str, format: Format, out: &mut dyn Write) -> Result<(), Error> {
    let answer = client.check(sql).await?;
    match format {
        Format::Table => out.write_all(table(&answer, sql).as_bytes())?,
        Format::Json => writeln!(out, "{:#}", verdicts(&answer))?,
    }
    out.flush()?;
    outcome(&answer)
}

/// Which bodies a decision is of, each once, in order.
fn bodies(answer: &CheckAnswer, is: impl Fn(&Decision) -> bool) -> Vec<String> {
    let mut bodies: Vec<String> = Vec::new();
    for verdict in answer.verdicts.iter().filter(|verdict| is(&verdict.decision)) {
        let body = verdict.body.to_string();
        if !bodies.contains(&body) {
            bodies.push(body);
        }
    }
    bodies
}

fn is_yes(decision: &Decision) -> bool {
    matches!(decision, Decision::Admitted(_))
}

fn is_no(decision: &Decision) -> bool {
    matches!(decision, Decision::Refused(_))
}

fn is_silent(decision: &Decision) -> bool {
    !is_yes(decision) && !is_no(decision)
}

/// A no is enough to know that there would be no answer, whatever others would say.
fn outcome(answer: &CheckAnswer) -> Result<(), Error> {
    let (no, silent) = (bodies(answer, is_no), bodies(answer, is_silent));
    match (no.is_empty(), silent.is_empty()) {
        (false, _) => Err(Error::NotReleased(some(&no))),
        (true, false) => Err(Error::Undecided(some(&silent))),
        (true, true) => Ok(()),
    }
}

fn table(answer: &CheckAnswer, sql: &str) -> String {
    let all = bodies(answer, |_| true).len();
    let (no, silent) = (bodies(answer, is_no), bodies(answer, is_silent));
    let summary = if !no.is_empty() {
        format!("No: {} would not release it.", some(&no))
    } else if !silent.is_empty() {
        format!("Not known: {} did not decide.", some(&silent))
    } else if all == 1 {
        format!("Yes: {} would release it.", some(&bodies(answer, is_yes)))
    } else {
        format!("Yes: each of {all} bodies would release its part.")
    };
    let mut text = format!("{summary} Nothing has run, and nothing has left.\n");
    for group in groups(answer) {
        paragraph(&group, sql, &mut text);
    }
    text
}

/// Verdicts that differ in nothing but whose they are.
fn groups(answer: &CheckAnswer) -> Vec<Vec<&Verdict>> {
    let mut groups: Vec<(String, Vec<&Verdict>)> = Vec::new();
    for verdict in &answer.verdicts {
        let (body, slug) = (&verdict.body, verdict.body.slug());
        let own = [format!(".{slug}."), format!("'{slug}'"), format!("{body} ")];
        let shape = format!("{} {:?}", verdict.sql, verdict.decision);
        let shape = own.iter().fold(shape, |shape, name| shape.replace(name.as_str(), "\u{0}"));
        match groups.iter_mut().find(|(known, _)| *known == shape) {
            Some((_, group)) => group.push(verdict),
            None => groups.push((shape, vec![verdict])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

fn paragraph(group: &[&Verdict], sql: &str, text: &mut String) {
    let Some(first) = group.first() else { return };
    let names: Vec<String> = group.iter().map(|verdict| verdict.body.to_string()).collect();
    let word = match &first.decision {
        Decision::Admitted(_) => "yes",
        Decision::Refused(_) => "no",
        Decision::Unreachable(_) => "can't be reached",
        Decision::Undecided(_) => "did not decide",
    };
    text.push_str(&format!("\n{}: {word}\n", some(&names)));
    match &first.decision {
        Decision::Admitted(admission) => admitted(admission, text),
        Decision::Refused(refusal) => refused(refusal, sql, text),
        Decision::Unreachable(why) | Decision::Undecided(why) => item("why", why, text),
    }
    if first.sql != sql {
        let each = if group.len() > 1 { " (each over its own dataset)" } else { "" };
        item("SQL", &format!("{}{each}", first.sql), text);
    }
}

fn admitted(admission: &Admission, text: &mut String) {
    for used in &admission.datasets {
        item("dataset", &format!("{} as {}: {}", used.name, used.form, used.columns.join(", ")), text);
    }
    item("agreement", &admission.agreements.join(", "), text);
    item("rules", &admission.rules.join(", "), text);
    item("leaves", &admission.columns.join(", "), text);
    for notice in &admission.notices {
        item("to know", notice, text);
    }
}

fn refused(refusal: &Refusal, sql: &str, text: &mut String) {
    item("rule", &refusal.rule, text);
    item("dataset", refusal.dataset.as_deref().unwrap_or_default(), text);
    item("column", refusal.column.as_deref().unwrap_or_default(), text);
    item("why", &refusal.reason, text);
    item("instead", &refusal.remedy, text);
    if let Some(place) = refusal.place {
        let caret = caret(sql, place).unwrap_or_default();
        item("where", &format!("line {}, column {}\n{caret}", place.line, place.column), text);
    }
}

/// One item of a paragraph; none where there is nothing to say.
fn item(name: &str, value: &str, text: &mut String) {
    for (index, line) in printable_lines(value).lines().filter(|_| !value.is_empty()).enumerate() {
        text.push_str(format!("  {:<11}{line}", if index == 0 { name } else { "" }).trim_end());
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use meridian_proto::{DatasetUse, Form, Place};

    use super::*;

    const SQL: &str = "SELECT easting, COUNT(*) FROM lfb.incidents GROUP BY easting";

    fn answer(decisions: Vec<(&str, &str, Decision)>) -> CheckAnswer {
        let verdict = |(body, sql, decision): (&str, &str, Decision)| Verdict {
            body: body.parse().unwrap(),
            sql: sql.into(),
            decision,
        };
        CheckAnswer { query_id: "q".into(), verdicts: decisions.into_iter().map(verdict).collect() }
    }

    fn yes(body: &str) -> Decision {
        let used = DatasetUse {
            name: format!("london.{body}.dwellings"),
            columns: vec!["households".into()],
            form: Form::Statistics,
        };
        Decision::Admitted(Admission {
            datasets: vec![used],
            agreements: vec!["fire-risk-2026".into()],
            rules: vec!["form.statistics".into()],
            notices: vec![format!("groups of london.{body}.dwellings under 10 units are left out")],
            columns: vec!["sum(households)".into()],
        })
    }

    #[test]
    fn bodies_that_decide_alike_share_a_paragraph() {
        let own = Decision::Admitted(Admission { rules: vec!["foreign.owner-decides".into()], ..Admission::default() });
        let answer = answer(vec![
            ("loda", SQL, own),
            ("camden", "SELECT 1 FROM london.camden.dwellings", yes("camden")),
            ("hackney", "SELECT 1 FROM london.hackney.dwellings", yes("hackney")),
        ]);
        let expected = "\
Yes: each of 3 bodies would release its part. Nothing has run, and nothing has left.

loda: yes
  rules      foreign.owner-decides

camden, hackney: yes
  dataset    london.camden.dwellings as statistics: households
  agreement  fire-risk-2026
  rules      form.statistics
  leaves     sum(households)
  to know    groups of london.camden.dwellings under 10 units are left out
  SQL        SELECT 1 FROM london.camden.dwellings (each over its own dataset)
";
        assert_eq!(table(&answer, SQL), expected);
        assert!(outcome(&answer).is_ok());
        assert_eq!(verdicts(&answer)["released"], true);
    }

    #[test]
    fn a_no_says_why_where_and_what_instead() {
        let refusal = Refusal {
            rule: "statistics.column".into(),
            dataset: Some("london.lfb.incidents".into()),
            column: Some("easting".into()),
            reason: "easting is no dimension".into(),
            remedy: "group by borough_gss".into(),
            place: Some(Place { line: 1, column: 8 }),
            ..Refusal::default()
        };
        let answer = answer(vec![
            ("lfb", SQL, Decision::Refused(refusal)),
            ("gla", "SELECT 2", Decision::Unreachable("connection refused".into())),
        ]);
        let expected = "\
No: lfb would not release it. Nothing has run, and nothing has left.

lfb: no
  rule       statistics.column
  dataset    london.lfb.incidents
  column     easting
  why        easting is no dimension
  instead    group by borough_gss
  where      line 1, column 8
               |
             1 | SELECT easting, COUNT(*) FROM lfb.incidents GROUP BY easting
               |        ^

gla: can't be reached
  why        connection refused
  SQL        SELECT 2
";
        assert_eq!(table(&answer, SQL), expected);
        assert_eq!(outcome(&answer).unwrap_err().exit_code(), 3);
        assert_eq!(verdicts(&answer)["bodies"][0]["details"]["line"], 1);
        assert_eq!(verdicts(&answer)["bodies"][1]["decision"], "unreachable");
    }

    #[test]
    fn silence_is_neither_yes_nor_no() {
        let answer = answer(vec![("loda", SQL, yes("loda")), ("gla", SQL, Decision::Undecided("a limit".into()))]);
        assert!(table(&answer, SQL).starts_with("Not known: gla did not decide."));
        assert_eq!(outcome(&answer).unwrap_err().exit_code(), 1);
        assert_eq!(verdicts(&answer)["released"], false);
    }
}
