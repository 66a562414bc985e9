//! A dataset as somebody may know of it: its description, whose it is, and the same in words and in JSON.

use std::sync::Arc;

use chrono::NaiveDate;
use meridian_proto::{Check, Column, Coverage, Covers, Dataset, Form, Name, Reference};
use serde_json::{Value, json};

use super::Freshness;
use crate::peers::{Directory, Known};

/// A dataset with its publisher; the columns are those of which whoever is told may know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The federation.
    pub federation: Name,
    /// The body that publishes it.
    pub body: Name,
    /// The body's name for people.
    pub publisher: String,
    /// What is told of it.
    pub dataset: Arc<Dataset>,
}

impl Entry {
    /// Its full name, `federation.body.dataset`, which stays the same wherever it is told.
    pub fn id(&self) -> String {
        format!("{}.{}.{}", self.federation, self.body, self.dataset.name)
    }

    /// How it may leave and to whom, in one sentence for anybody.
    pub fn terms(&self) -> String {
        let dataset = &self.dataset;
        match dataset.form {
            Form::Open => "Open data: anybody may have all of it.".into(),
            Form::Rows => {
                "Single records leave for the recipients of an agreement alone, with the columns that it names.".into()
            }
            Form::Statistics => {
                let units =
                    if dataset.unit_kind.is_empty() { "unit".to_owned() } else { dataset.unit_kind.replace('_', " ") };
                let who = if dataset.needs_agreement {
                    "the recipients of an agreement"
                } else {
                    "members of the federation"
                };
                format!(
                    "Counts, sums and averages of groups leave for {who}, never a single record; what is protected is each \
                     {units}, and a figure of fewer than {} is withheld.",
                    dataset.threshold
                )
            }
            Form::None => "Nothing of it leaves.".into(),
        }
    }

    /// Everything that is told of it on a day.
    pub fn json(&self, today: NaiveDate) -> Value {
        let dataset = &self.dataset;
        let about = &dataset.about;
        let fresh = Freshness::of(dataset, today);
        let contact = about.contact.as_ref().map(|contact| json!({ "name": contact.name, "email": contact.email }));
        let quality = about.quality.as_ref().map(|quality| {
            let checks: Vec<&str> = quality.checks.iter().map(|check| word(*check)).collect();
            json!({ "checks_passed": checks, "failing_values_at_most": quality.failing_class.and_then(power) })
        });
        json!({
            "dataset": self.id(),
            "federation": self.federation,
            "body": self.body,
            "name": dataset.name,
            "title": dataset.title,
            "description": dataset.description,
            "publisher": self.publisher,
            "keywords": about.keywords,
            "licence": dataset.licence,
            "form": dataset.form,
            "needs_agreement": dataset.form == Form::Rows || dataset.needs_agreement,
            "terms": self.terms(),
            "unit": some(&dataset.unit_kind),
            "threshold": (dataset.threshold > 0).then_some(dataset.threshold),
            "standard": dataset.standard,
            "columns": dataset.columns.iter().map(column).collect::<Vec<_>>(),
            "coverage": dataset.coverage.iter().map(coverage).collect::<Vec<_>>(),
            "references": dataset.references.iter().map(reference).collect::<Vec<_>>(),
            "rows_at_most": power(dataset.size_class),
            "update_frequency": some(&dataset.update_frequency),
            "last_change": fresh.last_change.map(|day| day.to_string()),
            "overdue": fresh.overdue,
            "quality": quality,
            "contact": contact,
        })
    }
}

/// What anybody may know of what the members of a federation publish, sorted by body and dataset.
pub fn public(directory: &Directory) -> Vec<Entry> {
    let of_body = |(body, known): (Name, Known)| {
        let told = known.description;
        let is_public = |dataset: &&Dataset| dataset.form != Form::None && !dataset.about.members_only;
        let entry = |dataset: &Dataset| Entry {
            federation: told.federation.clone(),
            body: body.clone(),
            publisher: told.title.clone(),
            dataset: Arc::new(dataset.clone()),
        };
        told.datasets.iter().filter(is_public).map(entry).collect::<Vec<_>>()
    };
    let mut entries: Vec<Entry> = directory.known().into_iter().flat_map(of_body).collect();
    entries.sort_by(|a, b| (&a.body, &a.dataset.name).cmp(&(&b.body, &b.dataset.name)));
    entries
}

/// What is checked, as a word for programs.
fn word(check: Check) -> &'static str {
    match check {
        Check::Types => "types",
        Check::Required => "required",
        Check::Coverage => "coverage",
        Check::Units => "units",
        Check::StandardColumns => "standard_columns",
        Check::StandardValues => "standard_values",
    }
}

fn column(column: &Column) -> Value {
    json!({
        "name": column.name,
        "type": column.column_type.to_string(),
        "role": column.role,
        "required": column.required,
        "ranges": column.ranges,
        "concept": some(&column.concept),
        "unit": some(&column.unit),
        "description": some(&column.description),
    })
}

fn coverage(coverage: &Coverage) -> Value {
    match &coverage.covers {
        Covers::Value(value) => json!({ "column": coverage.column, "value": value }),
        Covers::Range { from, to } => json!({ "column": coverage.column, "from": from, "to": to }),
    }
}

fn reference(reference: &Reference) -> Value {
    let Reference { body, dataset, key, labels } = reference;
    json!({ "body": body, "dataset": dataset, "key": key, "labels": labels })
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn power(class: u32) -> Option<u64> {
    10_u64.checked_pow(class)
}

/// How many rows, as far as it is told: `at most 10,000 rows`.
pub fn sizes(class: u32) -> String {
    let digits = power(class).unwrap_or(u64::MAX).to_string();
    let threes = digits.as_bytes().rchunks(3).rev().map(|three| String::from_utf8_lossy(three).into_owned());
    format!("at most {} {}", threes.collect::<Vec<_>>().join(","), if class == 0 { "row" } else { "rows" })
}

/// What holds of the rows, in one line for people.
pub fn quality(dataset: &Dataset) -> String {
    let Some(quality) = &dataset.about.quality else { return "not known at the moment".into() };
    if quality.checks.is_empty() {
        return "not checked".into();
    }
    let passed = quality.checks.len();
    let passed = format!("{passed} {} passed", if passed == 1 { "check" } else { "checks" });
    match quality.failing_class.and_then(power) {
        Some(most) => format!("{passed}, at most {most} values not valid"),
        None => passed,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::super::testing::{dataset, entry};
    use super::*;

    #[test]
    fn everything_that_a_description_holds_is_told() {
        let told = entry("lfb", "London Fire Brigade", dataset("stations", "Fire stations"))
            .json("2024-11-01".parse().unwrap());
        assert_eq!(
            (&told["dataset"], &told["last_change"], &told["overdue"]),
            (&"london.lfb.stations".into(), &"2024-10-04".into(), &false.into())
        );
        assert_eq!((&told["rows_at_most"], &told["quality"]["checks_passed"][0]), (&10_000.into(), &"types".into()));
        assert_eq!(
            (&told["columns"][0]["concept"], &told["coverage"][0]["value"]),
            (&"gss:borough".into(), &"E09000007".into())
        );
        assert_eq!(
            (&told["columns"][1]["concept"], &told["unit"], &told["threshold"]),
            (&Value::Null, &Value::Null, &Value::Null)
        );
        let empty: Vec<&String> =
            told.as_object().unwrap().iter().filter(|(_, value)| *value == "").map(|(key, _)| key).collect();
        assert!(empty.is_empty(), "{empty:?}");
    }

    #[test]
    fn sizes_are_read_by_people() {
        for (class, told) in [(0, "at most 1 row"), (3, "at most 1,000 rows"), (7, "at most 10,000,000 rows")] {
            assert_eq!(sizes(class), told);
        }
    }
}
