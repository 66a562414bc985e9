//! What an agreement grants of each dataset, checked against the datasets.

use std::collections::HashSet;
use std::sync::Arc;

use meridian_proto::{Form, Name, Role};
use toml::Spanned;

use super::agreement::Kind;
use super::dataset::LEAST_THRESHOLD;
use super::files::Known;
use super::problem::{File, Report};
use super::{DatasetConfig, ViewConfig, document, find, raw};
use crate::sources;

/// What an agreement admits of one dataset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantConfig {
    /// The dataset.
    pub dataset: Name,
    /// `rows` or `statistics`.
    pub form: Form,
    /// The columns; `None` is all that aren't hidden.
    pub columns: Option<Vec<Name>>,
    /// A row filter: an SQL predicate over the published columns that parses; `rows` only.
    pub filter: Option<String>,
    /// The smallest number of units in a cell, where raised.
    pub threshold: Option<u32>,
    /// The most visible cells that may be released, above 0; `statistics` only, `None` for any number.
    pub allowance: Option<u64>,
    /// Whether a recipient may have it for the analysts of other bodies, too.
    pub onward: bool,
}

pub(super) fn check(
    file: &File,
    raw: &raw::Agreement,
    (known, views, kind): (&Known<'_>, &[ViewConfig], Kind),
    report: &mut Report,
) -> Vec<GrantConfig> {
    let mut seen = HashSet::new();
    let mut grants = Vec::with_capacity(raw.grants.len());
    let chosen = raw.grants.iter().flat_map(|grant| {
        let named = document::chosen(file, grant, known, kind, report);
        named.into_iter().map(move |(name, at)| (grant, name, at))
    });
    for (grant, name, at) in chosen.collect::<Vec<_>>() {
        let Some(dataset) = find(known.datasets, &name) else {
            if let Some(view) = views.iter().find(|view| view.name() == name) {
                let own: Vec<_> = known.datasets.iter().map(|config| Arc::clone(&config.dataset)).collect();
                let bases: Vec<String> =
                    view.described(&own).into_iter().flat_map(|view| view.bases).map(|base| base.to_string()).collect();
                let fix = format!("grant the datasets that it is over ({}): a view gives nothing", bases.join(", "));
                file.problem(report, at.clone(), format!("the grant names `{name}`, which is a view"), fix);
            } else if known.all_datasets {
                let what = format!("the grant names dataset `{name}`, which is none of this node's");
                file.problem(report, at.clone(), what, "correct the name, or add the dataset");
            }
            continue;
        };
        if !seen.insert((name.clone(), *grant.form.get_ref())) {
            let what = format!("dataset `{name}` is granted twice in the same form");
            file.problem(report, at.clone(), what, "merge the two grants");
        }
        form(file, grant, dataset, report);
        grants.push(GrantConfig {
            dataset: dataset.dataset.name.clone(),
            form: *grant.form.get_ref(),
            columns: grant.columns.as_ref().map(|columns| self::columns(file, grant, columns, dataset, report)),
            filter: filter(file, grant, dataset, report),
            threshold: threshold(file, grant, dataset, report),
            allowance: allowance(file, grant, dataset, report),
            onward: grant.onward,
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
        Some(said) if !dataset.tables.is_empty() && *said.get_ref() > least => {
            let (name, own) = (&dataset.dataset.name, dataset.dataset.threshold);
            let what =
                format!("threshold is {}, and the declared tables of `{name}` are solved for {own}", said.get_ref());
            let fix = "raise the threshold in the dataset's file, where it holds for everybody, or leave it out here";
            file.problem(report, said.span(), what, fix);
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

fn allowance(file: &File, grant: &raw::Grant, dataset: &DatasetConfig, report: &mut Report) -> Option<u64> {
    let said = grant.allowance.as_ref()?;
    if *grant.form.get_ref() != Form::Statistics {
        let what = format!("allowance stands in a grant of {}", grant.form.get_ref());
        file.problem(report, said.span(), what, "leave it out: it is for statistics only");
    } else if *said.get_ref() == 0 {
        file.problem(report, said.span(), "allowance is 0", "write 1 or more, or leave it out for no limit");
    } else if !dataset.tables.is_empty() {
        let what = format!("allowance stands in a grant over declared tables of `{}`", dataset.dataset.name);
        file.problem(report, said.span(), what, "leave it out: all of them together tell no more than each");
    }
    Some(*said.get_ref())
}
