//! Descriptions as records of the UK Cross-Government Metadata Exchange Model, a profile of DCAT.
//!
//! The model: <https://co-cddo.github.io/ukgov-metadata-exchange-model/>, of which a record holds all that is required and what
//! is recommended as far as it is known. A dataset of which something required is not known has no record: it is said what
//! is lacking, and where to write it. The model's list of organisations has central government alone; a body is named by its
//! name here, in the model's spelling.

use chrono::NaiveDate;
use meridian_proto::{Form, Frequency};
use serde_json::{Map, Value, json};

use super::dcat::{Addresses, licence};
use super::{Entry, Freshness};

/// The longest summary, in characters.
const LONGEST_SUMMARY: usize = 250;
/// The licence of what is had by an agreement alone.
const BY_AGREEMENT: &str = "DATA_SHARE_AGREEMENT";

/// Something that the model requires and a dataset's owner has not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lack {
    /// The model's property.
    pub property: &'static str,
    /// What to write where.
    pub remedy: &'static str,
}

/// The record of a dataset on a day, or what it lacks.
pub fn record(entry: &Entry, addresses: &Addresses, today: NaiveDate) -> Result<Value, Vec<Lack>> {
    let dataset = &entry.dataset;
    let fresh = Freshness::of(dataset, today);
    let licence = match dataset.form {
        Form::Open => licence(&dataset.licence),
        Form::Rows | Form::Statistics | Form::None => {
            Some(licence(&dataset.licence).unwrap_or_else(|| BY_AGREEMENT.into()))
        }
    };
    let mut lacks = Vec::new();
    let lack = |lacks: bool, property, remedy| lacks.then_some(Lack { property, remedy });
    lacks.extend(lack(
        dataset.about.contact.is_none(),
        "contactPoint",
        "add contact = { name = \"…\", email = \"…\" } to node.toml or to the dataset's file",
    ));
    lacks.extend(lack(
        fresh.last_change.is_none(),
        "modified",
        "add last_change = \"2026-01-31\" to the dataset's file",
    ));
    lacks.extend(lack(
        licence.is_none(),
        "licence",
        "set licence to an SPDX identifier such as OGL-UK-3.0, or to an https address",
    ));
    let (Some(contact), Some(modified), Some(licence)) = (&dataset.about.contact, fresh.last_change, licence) else {
        return Err(lacks);
    };
    let organisation = entry.body.as_str().replace('_', "-");
    let description = if dataset.description.is_empty() { &dataset.title } else { &dataset.description };
    let mut record = Map::new();
    let mut say = |key: &str, value: Value| drop(record.insert(key.to_owned(), value));
    say("identifier", json!(addresses.dataset(entry)));
    say("type", json!("dcat:Dataset"));
    say("title", json!(dataset.title));
    say("alternativeTitle", json!([entry.id()]));
    say("summary", json!(summary(description)));
    say("description", json!(description));
    say("keyword", json!(dataset.about.keywords));
    say("licence", json!(licence));
    say("version", json!(modified.to_string()));
    say("accessRights", json!(if dataset.form == Form::Open { "OPEN" } else { "INTERNAL" }));
    say("securityClassification", json!("NOT_APPLICABLE"));
    say("contactPoint", json!({ "contactName": contact.name, "email": contact.email }));
    say("modified", json!(modified.to_string()));
    say("creator", json!([organisation]));
    say("publisher", json!(organisation));
    say("updateFrequency", json!(term(fresh.frequency)));
    Ok(Value::Object(record))
}

/// The records of all that have one, and what the others lack.
pub fn records(entries: &[Entry], addresses: &Addresses, today: NaiveDate) -> Value {
    let (mut records, mut incomplete) = (Vec::new(), Vec::new());
    for entry in entries {
        match record(entry, addresses, today) {
            Ok(record) => records.push(record),
            Err(lacks) => {
                let lacks = lacks.iter().map(|lack| json!({ "property": lack.property, "remedy": lack.remedy }));
                incomplete.push(json!({ "dataset": entry.id(), "lacks": lacks.collect::<Vec<_>>() }));
            }
        }
    }
    json!({ "datasets": records, "incomplete": incomplete })
}

/// The term of the Dublin Core Collection Description Frequency Vocabulary, which the model takes; it has no word for what is
/// renewed more seldom than every three years.
fn term(frequency: Option<Frequency>) -> &'static str {
    match frequency {
        Some(Frequency::Continuous) => "freq:continuous",
        Some(Frequency::Daily) => "freq:daily",
        Some(Frequency::Weekly) => "freq:weekly",
        Some(Frequency::Fortnightly) => "freq:biweekly",
        Some(Frequency::Monthly) => "freq:monthly",
        Some(Frequency::Quarterly) => "freq:quarterly",
        Some(Frequency::TwiceAYear) => "freq:semiannual",
        Some(Frequency::Annual) => "freq:annual",
        Some(Frequency::EachSecondYear) => "freq:biennial",
        Some(Frequency::EachTenYears | Frequency::Irregular | Frequency::Never) | None => "freq:irregular",
    }
}

/// The first words of a text.
fn summary(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= LONGEST_SUMMARY {
        return text;
    }
    let cut: String = text.chars().take(LONGEST_SUMMARY - 1).collect();
    let whole = cut.rsplit_once(' ').map_or(cut.as_str(), |(words, _)| words);
    format!("{whole}…")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::super::testing::{dataset, entry};
    use super::*;

    /// What the model requires of a dataset.
    const REQUIRED: [&str; 13] = [
        "accessRights",
        "contactPoint",
        "creator",
        "description",
        "identifier",
        "licence",
        "modified",
        "publisher",
        "securityClassification",
        "title",
        "type",
        "updateFrequency",
        "version",
    ];

    fn of(change: impl FnOnce(&mut meridian_proto::Dataset)) -> Result<Value, Vec<Lack>> {
        let mut told = dataset("fire_stations", "Fire stations");
        change(&mut told);
        record(&entry("city_of_london", "City", told), &Addresses::Named, "2026-11-27".parse().unwrap())
    }

    #[test]
    fn all_that_the_model_requires_is_there() {
        let record = of(|dataset| dataset.description.clear()).unwrap();
        for property in REQUIRED {
            assert!(record.get(property).is_some_and(|value| *value != "" && !value.is_null()), "{property}: {record}");
        }
        assert_eq!((&record["publisher"], &record["accessRights"]), (&"city-of-london".into(), &"OPEN".into()));
        assert_eq!(record["identifier"], "spiffe://london/body/city_of_london/dataset/fire_stations");
    }

    #[test]
    fn what_lacks_something_has_no_record_and_says_what() {
        let lacks = of(|dataset| {
            dataset.about.contact = None;
            dataset.about.last_change = None;
            dataset.licence = "ask us".into();
        });
        let properties: Vec<&str> = lacks.unwrap_err().iter().map(|lack| lack.property).collect();
        assert_eq!(properties, ["contactPoint", "modified", "licence"]);
        let by_agreement = of(|dataset| (dataset.form, dataset.licence) = (Form::Rows, "ask us".into())).unwrap();
        assert_eq!(
            (&by_agreement["licence"], &by_agreement["accessRights"]),
            (&BY_AGREEMENT.into(), &"INTERNAL".into())
        );
    }

    #[test]
    fn summaries_end_with_a_whole_word() {
        let record = of(|dataset| dataset.description = "éclair ".repeat(200)).unwrap();
        let summary = record["summary"].as_str().unwrap();
        assert!(summary.chars().count() <= LONGEST_SUMMARY && summary.ends_with("éclair…"), "{summary}");
    }
}
