//! The record of an algorithm as its owner writes it, and the checks of its file: the two tiers of the UK Algorithmic
//! Transparency Recording Standard, and the query.

use std::path::PathBuf;

use meridian_proto::{EVERY, Name};
use toml::Spanned;

use super::files::Known;
use super::problem::{File, Report};
use super::{agreement, find, raw};
use crate::query;

/// An attribute of the standard: its key, what it is called, and whether every record has it.
type Attribute = (&'static str, &'static str, bool);

/// The sections of the standard: the key of a table, the tier, what it is called, and its attributes.
const SECTIONS: [(&str, u8, &str, &[Attribute]); 7] = [
    (
        "overview",
        1,
        "Overview",
        &[
            ("name", "Name", true),
            ("description", "Description", true),
            ("website", "Website", false),
            ("contact_email", "Contact email", true),
        ],
    ),
    (
        "owner",
        2,
        "Owner and responsibility",
        &[
            ("organisation", "Organisation", true),
            ("team", "Team", true),
            ("senior_responsible_owner", "Senior responsible owner", true),
            ("third_party_involvement", "Third-party involvement", true),
            ("third_party_role", "Third party's role", false),
            ("procurement_procedure_type", "Procurement procedure", false),
            ("third_party_data_access_terms", "Third party's access to data", false),
        ],
    ),
    (
        "rationale",
        2,
        "Description and rationale",
        &[
            ("detailed_description", "Detailed description", true),
            ("benefits", "Benefits", true),
            ("previous_process", "Previous process", false),
            ("alternatives_considered", "Alternatives considered", false),
        ],
    ),
    (
        "decisions",
        2,
        "Decision-making process",
        &[
            ("process_integration", "Process integration", true),
            ("provided_information", "Provided information", false),
            ("frequency_and_scale_of_usage", "Frequency and scale of usage", false),
            ("human_decisions_and_review", "Human decisions and review", true),
            ("required_training", "Required training", false),
            ("appeals_and_review", "Appeals and review", true),
        ],
    ),
    (
        "tool",
        2,
        "Tool specification",
        &[
            ("system_architecture", "System architecture", true),
            ("phase", "Phase", true),
            ("maintenance", "Maintenance", false),
            ("models", "Models", false),
        ],
    ),
    (
        "data",
        2,
        "Data",
        &[
            ("data_description", "Data description", true),
            ("data_quantities", "Data quantities", false),
            ("sensitive_attributes", "Sensitive attributes", false),
            ("data_completeness_and_representativeness", "Completeness and representativeness", false),
            ("data_access_and_storage", "Access and storage", false),
            ("data_sharing_agreements", "Data sharing agreements", false),
        ],
    ),
    (
        "risks",
        2,
        "Risks, mitigations and impact assessments",
        &[("impact_assessment", "Impact assessments", true), ("risks_and_mitigations", "Risks and mitigations", true)],
    ),
];

/// A query or model that helps to decide about people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlgorithmConfig {
    /// The file that says so.
    pub file: PathBuf,
    /// Its identifier: lower-case letters, digits, hyphens and underscores.
    pub id: String,
    /// What is said of it, section by section.
    pub sections: Vec<SectionConfig>,
    /// The datasets that it uses, `body.dataset` or `every.standard`.
    pub datasets: Vec<String>,
    /// The file of the query, which could be read and parsed.
    pub sql: PathBuf,
}

/// A section of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SectionConfig {
    /// 1 or 2.
    pub tier: u8,
    /// As the standard calls it.
    pub title: &'static str,
    /// Key, label and text of what is said.
    pub fields: Vec<(&'static str, &'static str, String)>,
}

pub(super) fn check(
    file: &File,
    raw: &raw::Algorithm,
    known: &Known<'_>,
    taken: &[AlgorithmConfig],
    report: &mut Report,
) -> Option<AlgorithmConfig> {
    let id = agreement::identifier(file, "id", &raw.id, report);
    if let Some(other) = taken.iter().find(|other| Some(&other.id) == id.as_ref()) {
        let what = format!("algorithm `{}` stands in {} already", other.id, other.file.display());
        file.problem(report, raw.id.span(), what, "give one another id");
    }
    let sql = sql(file, &raw.sql, report);
    let datasets = datasets(file, &raw.datasets, known, report);
    let raw::Algorithm { overview, owner, rationale, decisions, tool, data, risks, .. } = raw;
    let said = [overview, owner, rationale, decisions, tool, data, risks];
    let sections = SECTIONS.iter().zip(said).map(|((key, tier, title, attributes), said)| {
        let fields = section(file, (key, &raw.id), said, attributes, report);
        SectionConfig { tier: *tier, title, fields }
    });
    let sections = sections.collect();
    Some(AlgorithmConfig { file: file.path.clone(), id: id?, sections, datasets, sql: sql? })
}

fn section(
    file: &File,
    (key, id): (&str, &Spanned<String>),
    table: &raw::Section,
    attributes: &[Attribute],
    report: &mut Report,
) -> Vec<(&'static str, &'static str, String)> {
    for unknown in table.keys().filter(|said| !attributes.iter().any(|(attribute, ..)| attribute == said.get_ref())) {
        let known: Vec<&str> = attributes.iter().map(|(attribute, ..)| *attribute).collect();
        let what = format!("unknown key `{}` in [{key}]", unknown.get_ref());
        file.problem(report, unknown.span(), what, format!("known here: {}", known.join(", ")));
    }
    let mut fields = Vec::new();
    for (attribute, label, required) in attributes {
        match table.iter().find(|(said, _)| said.get_ref() == attribute) {
            Some((_, text)) => {
                fields.extend(file.text(report, attribute, text).map(|text| (*attribute, *label, text)));
            }
            None if *required => {
                let what = format!("[{key}] lacks `{attribute}` ({})", label.to_lowercase());
                file.problem(report, id.span(), what, "add it: every record of the standard has it");
            }
            None => {}
        }
    }
    fields
}

/// The file of the query, beside the record's own.
fn sql(file: &File, text: &Spanned<String>, report: &mut Report) -> Option<PathBuf> {
    let path = file.folder().join(text.get_ref());
    let read = match std::fs::read_to_string(&path) {
        Ok(read) => read,
        Err(error) => {
            let what = format!("sql is {}, which can't be read: {error}", path.display());
            file.problem(report, text.span(), what, "correct the path, which is relative to this file's folder");
            return None;
        }
    };
    if let Err(refused) = query::view(&read) {
        let what = format!("{}: {}", path.display(), refused.message.replace('\n', " "));
        file.problem(report, text.span(), what, "write one SELECT");
        return None;
    }
    Some(path)
}

/// Names of datasets: those of this body must be there, and others' of a member.
fn datasets(file: &File, said: &Spanned<Vec<Spanned<String>>>, known: &Known<'_>, report: &mut Report) -> Vec<String> {
    if said.get_ref().is_empty() {
        file.problem(report, said.span(), "datasets is empty", "name what the query reads, as \"body.dataset\"");
    }
    let mut datasets = Vec::new();
    for text in said.get_ref() {
        let parts: Result<Vec<Name>, _> = text.get_ref().split('.').map(str::parse).collect();
        let Some([body, dataset]) = parts.ok().and_then(|parts| <[Name; 2]>::try_from(parts).ok()) else {
            let what = format!("datasets names {:?}, which is no dataset", text.get_ref());
            file.problem(
                report,
                text.span(),
                what,
                "write body and dataset, as \"lfb.incidents\" or \"every.dwellings\"",
            );
            continue;
        };
        let own = known.node.is_some_and(|node| node.body == body);
        if own && known.all_datasets && find(known.datasets, dataset.as_str()).is_none() {
            let what = format!("datasets names `{dataset}`, which is none of this node's");
            file.problem(report, text.span(), what, "correct the name, or add the dataset");
        } else if body.as_str() != EVERY && known.node.is_some_and(|node| !node.may_be_member(&body)) {
            let what = format!("datasets names a dataset of `{body}`, which is no member of the federation");
            file.problem(report, text.span(), what, "correct the name, or add it to [[members]] of node.toml");
        } else {
            datasets.push(text.get_ref().clone());
        }
    }
    datasets
}
