//! What the analyst's own node tells of datasets: descriptions, and never a row.

use std::collections::BTreeSet;

use meridian_proto::{ColumnType, EVERY, Form, Name, Role, wire};
use serde::Deserialize;
use serde_json::Value;

use super::super::Error;
use super::super::client::Client;
use super::super::format::printable;
use super::super::reference::Of;
use crate::spelling;

/// The most rows of an open dataset that are copied: of a larger one there is a twin.
const MOST_COPIED: u64 = 1_000_000;

/// A dataset as the catalogue tells it.
#[derive(Debug, Deserialize)]
pub(super) struct Told {
    pub(super) federation: Name,
    pub(super) body: Name,
    /// The body's name for people.
    pub(super) publisher: String,
    pub(super) name: Name,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) licence: String,
    pub(super) keywords: Vec<String>,
    pub(super) update_frequency: Option<String>,
    pub(super) form: Form,
    pub(super) needs_agreement: bool,
    /// The kind of unit, where it is told.
    pub(super) unit: Option<Name>,
    pub(super) threshold: Option<u32>,
    pub(super) standard: Option<Name>,
    pub(super) rows_at_most: Option<u64>,
    pub(super) columns: Vec<Column>,
    pub(super) coverage: Vec<Coverage>,
    pub(super) references: Vec<Reference>,
}

/// A column of it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Column {
    pub(super) name: Name,
    #[serde(rename = "type", deserialize_with = "column_type")]
    pub(super) column_type: ColumnType,
    pub(super) role: Role,
    pub(super) required: bool,
    pub(super) ranges: bool,
    pub(super) concept: Option<String>,
    pub(super) unit: Option<String>,
    pub(super) description: Option<String>,
}

/// What holds of a column in every row: one value, or a range.
#[derive(Debug, Deserialize)]
pub(super) struct Coverage {
    pub(super) column: Name,
    pub(super) value: Option<String>,
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
}

/// A dataset of another body with which its rows are joined at home.
#[derive(Debug, Deserialize)]
pub(super) struct Reference {
    body: Name,
    dataset: Name,
    key: Name,
    labels: Vec<Name>,
}

fn column_type<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<ColumnType, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}

impl Told {
    /// `federation.body.dataset`
    pub(super) fn full_name(&self) -> String {
        format!("{}.{}.{}", self.federation, self.body, self.name)
    }

    /// Whether anybody may have its rows, and they are few enough to be copied.
    pub(super) fn is_copied(&self) -> bool {
        self.form == Form::Open && self.rows_at_most.is_some_and(|rows| rows <= MOST_COPIED)
    }

    /// The question for all of its rows.
    pub(super) fn whole(&self) -> String {
        let columns: Vec<String> = self.columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
        format!("SELECT {} FROM \"{}\".\"{}\".\"{}\"", columns.join(", "), self.federation, self.body, self.name)
    }
}

impl Reference {
    /// Whether it is to this dataset.
    pub(super) fn is_to(&self, told: &Told) -> bool {
        self.body == told.body && self.dataset == told.name
    }

    /// What is referred to.
    pub(super) fn of(&self) -> Of {
        let Self { body, dataset, key, labels } = self;
        let mut labels = labels.clone();
        labels.sort_unstable();
        Of { body: body.clone(), dataset: dataset.clone(), key: key.clone(), labels }
    }

    /// `body.dataset`
    pub(super) fn name(&self) -> String {
        format!("{}.{}", self.body, self.dataset)
    }
}

/// All datasets of which the analyst may know.
pub(super) async fn all(client: &mut Client) -> Result<Vec<Told>, Error> {
    let form = wire::CatalogueForm::Found.into();
    let answer = client.catalogue(&wire::CatalogueRequest { form, ..wire::CatalogueRequest::default() }).await?;
    let datasets = answer.get("datasets").cloned().unwrap_or(Value::Null);
    serde_json::from_value(datasets).map_err(|error| Error::Answer {
        node: client.node().to_owned(),
        problem: format!("is no catalogue: {error}; is it a node of this version?"),
    })
}

/// Those that are named as in SQL, in the order of the catalogue, and the others: `body.dataset`, also with the federation
/// before it, or `every.standard`.
pub(super) fn chosen(all: Vec<Told>, home: &Name, names: &[String]) -> Result<(Vec<Told>, Vec<Told>), Error> {
    let mut chosen = BTreeSet::new();
    for name in names {
        let found = places(&all, home, name);
        if found.is_empty() {
            return Err(unknown(&all, home, name));
        }
        chosen.extend(found);
    }
    let (chosen, others): (Vec<_>, Vec<_>) = (0..).zip(all).partition(|(place, _)| chosen.contains(place));
    let told = |placed: Vec<(usize, Told)>| placed.into_iter().map(|(_, told)| told).collect();
    Ok((told(chosen), told(others)))
}

fn places(all: &[Told], home: &Name, name: &str) -> Vec<usize> {
    let name = name.trim().to_lowercase();
    let name = name.strip_prefix(&format!("{home}.")).unwrap_or(&name);
    let is_named = |told: &Told| told.federation == *home && spoken(told).iter().any(|spoken| spoken == name);
    (0..).zip(all).filter(|(_, told)| is_named(told)).map(|(place, _)| place).collect()
}

/// What a dataset is called in a question of its own federation.
fn spoken(told: &Told) -> Vec<String> {
    let every = told.standard.iter().map(|standard| format!("{EVERY}.{standard}"));
    every.chain([format!("{}.{}", told.body, told.name)]).collect()
}

fn unknown(all: &[Told], home: &Name, name: &str) -> Error {
    let name = printable(name.trim());
    if all.iter().any(|told| told.federation != *home && told.full_name() == name) {
        return Error::Usage(format!("{name} is of another federation: a sprint is of bodies of {home} alone"));
    }
    let known: Vec<String> = all.iter().filter(|told| told.federation == *home).flat_map(spoken).collect();
    let near = spelling::nearest(&name.to_lowercase(), known.iter().map(String::as_str));
    let near = near.map(|near| format!("did you mean {near}? ")).unwrap_or_default();
    Error::Usage(format!("there is no dataset {name} that you may see: {near}`meridian catalogue` lists all"))
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use serde_json::json;

    use super::*;

    /// A dataset of statistics with these columns: name, type, role.
    pub(in super::super) fn told(name: &str, form: &str, columns: &[[&str; 3]]) -> Told {
        let (body, dataset) = name.split_once('.').unwrap();
        let columns: Vec<Value> = columns
            .iter()
            .map(|[name, kind, role]| {
                json!({ "name": name, "type": kind, "role": role, "required": false, "ranges": false })
            })
            .collect();
        serde_json::from_value(json!({
            "federation": "london", "body": body, "publisher": "A body", "name": dataset, "title": "Rows",
            "description": "", "licence": "OGL-UK-3.0", "keywords": [], "form": form, "needs_agreement": false,
            "columns": columns, "coverage": [], "references": [], "rows_at_most": 1000,
        }))
        .unwrap()
    }

    fn names(words: &[&str]) -> Result<Vec<String>, String> {
        let mut homes = [told("camden.dwellings", "open", &[]), told("hackney.dwellings", "open", &[])];
        homes.iter_mut().for_each(|home| home.standard = Some("dwellings".parse().unwrap()));
        let mut abroad = told("mitte.trees", "open", &[]);
        abroad.federation = "berlin".parse().unwrap();
        let all = homes.into_iter().chain([told("lfb.incidents", "open", &[]), abroad]).collect();
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let (chosen, others) = chosen(all, &"london".parse().unwrap(), &words).map_err(|error| error.to_string())?;
        assert_eq!(chosen.len() + others.len(), 4);
        Ok(chosen.iter().map(Told::full_name).collect())
    }

    #[test]
    fn datasets_are_named_as_in_sql() {
        assert_eq!(
            names(&["lfb.incidents", "London.camden.dwellings"]).unwrap(),
            ["london.camden.dwellings", "london.lfb.incidents"]
        );
        assert_eq!(names(&[" every.dwellings", "camden.dwellings"]).unwrap().len(), 2);
        assert!(names(&["lfb.incident"]).unwrap_err().contains("did you mean lfb.incidents"));
        assert!(names(&["berlin.mitte.trees"]).unwrap_err().contains("another federation"));
    }

    #[test]
    fn open_rows_are_copied_where_they_are_few() {
        let mut open =
            told("gla.boroughs", "open", &[["gss", "varchar", "dimension"], ["inner", "boolean", "dimension"]]);
        assert!(open.is_copied());
        assert_eq!(open.whole(), "SELECT \"gss\", \"inner\" FROM \"london\".\"gla\".\"boroughs\"");
        open.rows_at_most = Some(10_000_000);
        assert!(!open.is_copied());
        for form in ["rows", "statistics", "none"] {
            assert!(!told("lfb.incidents", form, &[]).is_copied(), "{form}");
        }
    }
}
