//! Checks an agreement's file against the datasets that it grants.

use std::collections::HashSet;

use chrono::NaiveDate;
use meridian_proto::{Form, Name, Role};
use toml::Spanned;

use super::dataset::LEAST_THRESHOLD;
use super::problem::{File, Report};
use super::{AgreementConfig, DatasetConfig, GrantConfig, NodeConfig, find, raw};
use crate::sources;

/// What an agreement may refer to.
pub(super) struct Known<'a> {
    pub(super) node: Option<&'a NodeConfig>,
    pub(super) datasets: &'a [DatasetConfig],
    /// Whether no dataset's file was refused; otherwise a name that is missing here is no problem of the agreement.
    pub(super) all_datasets: bool,
}

pub(super) fn check(
    file: &File,
    raw: &raw::Agreement,
    known: &Known<'_>,
    taken: &[AgreementConfig],
    report: &mut Report,
) -> Option<AgreementConfig> {
    let id = identifier(file, "id", &raw.id, report);
    if let Some(other) = taken.iter().find(|other| Some(&other.id) == id.as_ref()) {
        let what = format!("agreement `{}` stands in {} already", other.id, other.file.display());
        file.problem(report, raw.id.span(), what, "give one another id");
    }
    let title = file.text(report, "title", &raw.title);
    let purpose = identifier(file, "purpose", &raw.purpose, report);
    let benefit = file.text(report, "benefit", &raw.benefit);
    let legal_power = file.text(report, "legal_power", &raw.legal_power);
    let lawful_basis = file.text(report, "lawful_basis", &raw.lawful_basis);
    let contact = file.text(report, "contact", &raw.contact);
    let recipients = recipients(file, raw, known.node, report);
    let start = date(file, "start", &raw.start, report);
    let end = date(file, "end", &raw.end, report);
    if let (Some(start), Some(end)) = (start, end)
        && start >= end
    {
        let what = format!("the agreement ends on {end}, not after its start on {start}");
        file.problem(report, raw.end.span(), what, "write an end after the start; the end is exclusive");
    }
    let grants = grants(file, raw, known, report);
    Some(AgreementConfig {
        file: file.path.clone(),
        id: id?,
        title: title?,
        purpose: purpose?,
        benefit: benefit?,
        legal_power: legal_power?,
        lawful_basis: lawful_basis?,
        recipients,
        start: start?,
        end: end?,
        contact: contact?,
        grants,
    })
}

/// Lower-case letters, digits, hyphens and underscores: it travels in a header.
fn identifier(file: &File, key: &str, text: &Spanned<String>, report: &mut Report) -> Option<String> {
    let word = text.get_ref();
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    if word.is_empty() || word.len() > 63 || !word.bytes().all(inside) {
        let fix = "write lower-case letters, digits, hyphens and underscores, 63 at most";
        file.problem(report, text.span(), format!("{key} is {word:?}, which is no identifier"), fix);
        return None;
    }
    Some(word.clone())
}

fn date(file: &File, key: &str, text: &Spanned<String>, report: &mut Report) -> Option<NaiveDate> {
    let date = NaiveDate::parse_from_str(text.get_ref(), "%Y-%m-%d").ok();
    if date.is_none() {
        let what = format!("{key} is {:?}, which is no date", text.get_ref());
        file.problem(report, text.span(), what, "write it as \"2026-01-31\"");
    }
    date
}

fn recipients(file: &File, raw: &raw::Agreement, node: Option<&NodeConfig>, report: &mut Report) -> Vec<Name> {
    if raw.recipients.get_ref().is_empty() {
        file.problem(report, raw.recipients.span(), "recipients is empty", "name the bodies that the agreement admits");
    }
    let mut recipients = Vec::new();
    for text in raw.recipients.get_ref() {
        let Some(name) = file.name(report, "recipients", text) else {
            continue;
        };
        let unknown =
            node.is_some_and(|node| node.body != name && !node.members.iter().any(|member| member.body == name));
        if unknown {
            let what = format!("recipient `{name}` is no member of the federation");
            file.problem(report, text.span(), what, "correct the name, or add it to [[members]] of node.toml");
        } else if recipients.contains(&name) {
            file.problem(report, text.span(), format!("recipient `{name}` stands twice"), "remove one");
        } else {
            recipients.push(name);
        }
    }
    recipients
}

fn grants(file: &File, raw: &raw::Agreement, known: &Known<'_>, report: &mut Report) -> Vec<GrantConfig> {
    let mut seen = HashSet::new();
    let mut grants = Vec::with_capacity(raw.grants.len());
    for grant in &raw.grants {
        let name = grant.dataset.get_ref();
        let Some(dataset) = find(known.datasets, name) else {
            if known.all_datasets {
                let what = format!("the grant names dataset `{name}`, which is none of this node's");
                file.problem(report, grant.dataset.span(), what, "correct the name, or add the dataset");
            }
            continue;
        };
        if !seen.insert((name, *grant.form.get_ref())) {
            let what = format!("dataset `{name}` is granted twice in the same form");
            file.problem(report, grant.dataset.span(), what, "merge the two grants");
        }
        form(file, grant, dataset, report);
        grants.push(GrantConfig {
            dataset: dataset.dataset.name.clone(),
            form: *grant.form.get_ref(),
            columns: grant.columns.as_ref().map(|columns| self::columns(file, grant, columns, dataset, report)),
            filter: filter(file, grant, dataset, report),
            threshold: threshold(file, grant, dataset, report),
        });
    }
    grants
}

/// A grant may not be wider than the dataset's own form.
fn form(file: &File, grant: &raw::Grant, dataset: &DatasetConfig, report: &mut Report) {
    let (asked, own, name) = (*grant.form.get_ref(), dataset.dataset.form, &dataset.dataset.name);
    let (what, fix) = match (asked, own) {
        (Form::Rows, Form::Rows) | (Form::Statistics, Form::Statistics) => return,
        (Form::Statistics, Form::Rows) if dataset.unit.is_some() => return,
        (Form::Statistics, Form::Rows) => (
            format!("a grant of statistics needs a unit, and dataset `{name}` has none"),
            "add [unit] to the dataset's file",
        ),
        (Form::Open | Form::None, _) => (format!("a grant can't have the form {asked}"), "write rows or statistics"),
        (_, Form::Open) => (format!("dataset `{name}` is open and needs no grant"), "remove the grant"),
        (_, Form::None) => (
            format!("dataset `{name}` has the form none and can't be granted"),
            "remove the grant, or change the dataset's form",
        ),
        (Form::Rows, Form::Statistics) => (
            format!("the grant is of rows, and dataset `{name}` gives statistics at most"),
            "write form = \"statistics\"",
        ),
    };
    file.problem(report, grant.form.span(), what, fix);
}

fn columns(
    file: &File,
    grant: &raw::Grant,
    columns: &Spanned<Vec<Spanned<String>>>,
    dataset: &DatasetConfig,
    report: &mut Report,
) -> Vec<Name> {
    if columns.get_ref().is_empty() {
        file.problem(
            report,
            columns.span(),
            "columns is empty",
            "name columns, or leave it out to grant all that are not hidden",
        );
    }
    let mut granted = Vec::new();
    for text in columns.get_ref() {
        let Some(column) = dataset.dataset.column(text.get_ref()) else {
            let what = format!(
                "the grant names column `{}`, which dataset `{}` has not",
                text.get_ref(),
                dataset.dataset.name
            );
            file.problem(report, text.span(), what, "name one of the dataset's [[columns]]");
            continue;
        };
        if *grant.form.get_ref() == Form::Statistics && column.role == Role::Hidden {
            let what = format!("the grant names column `{}`, which is hidden", column.name);
            file.problem(report, text.span(), what, "leave it out, or give it another role in the dataset's file");
        } else if granted.contains(&column.name) {
            file.problem(report, text.span(), format!("column `{}` stands twice", column.name), "remove one");
        } else {
            granted.push(column.name.clone());
        }
    }
    granted
}

fn filter(file: &File, grant: &raw::Grant, dataset: &DatasetConfig, report: &mut Report) -> Option<String> {
    let filter = grant.filter.as_ref()?;
    if *grant.form.get_ref() != Form::Rows {
        let what = format!("filter stands in a grant of {}", grant.form.get_ref());
        file.problem(report, filter.span(), what, "leave it out: it is for rows only");
    } else if let Err(error) = sources::predicate(&dataset.dataset, filter.get_ref()) {
        file.problem(report, filter.span(), error.to_string(), "write an SQL predicate over the published columns");
    }
    Some(filter.get_ref().clone())
}

fn threshold(file: &File, grant: &raw::Grant, dataset: &DatasetConfig, report: &mut Report) -> Option<u32> {
    let statistics = *grant.form.get_ref() == Form::Statistics;
    let least = dataset.dataset.threshold.max(LEAST_THRESHOLD);
    match &grant.threshold {
        Some(said) if !statistics => {
            file.problem(
                report,
                said.span(),
                "threshold stands in a grant of rows",
                "leave it out: it is for statistics only",
            );
        }
        Some(said) if *said.get_ref() < least => {
            let what = format!("threshold is {}, below the dataset's {least}", said.get_ref());
            file.problem(report, said.span(), what, "write as much or more: a grant may only raise it");
        }
        None if statistics && dataset.dataset.form == Form::Rows => {
            let what =
                format!("the grant makes statistics of dataset `{}`, which has no threshold", dataset.dataset.name);
            file.problem(report, grant.form.span(), what, "add threshold = 10 or more to the grant");
        }
        Some(_) | None => {}
    }
    grant.threshold.as_ref().map(|said| *said.get_ref())
}
