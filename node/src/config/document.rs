//! An agreement that many sign, as one body's node reads it: the same format, the grants of all owners in one document.

use std::ops::Range;
use std::path::Path;

use meridian_proto::Name;
use toml::Spanned;

use super::agreement::{self, Kind};
use super::files::Known;
use super::problem::{File, Report};
use super::{Config, ConfigError, Particulars, raw};
use crate::agreements::{Document, canonical};

/// Where in the file, for what is missing.
const TOP: Range<usize> = 0..0;

impl Config {
    /// Checks a document as far as this body can: that it is complete, fits together, and that what it grants of this
    /// body's datasets can be granted. The error holds every problem.
    pub fn document(&self, path: &Path, text: &str) -> Result<Document, ConfigError> {
        let mut report = Report::default();
        let file = File::of(path.to_path_buf(), text.to_owned());
        let Some(raw) = file.parse::<raw::Agreement>(&mut report) else { return Err(report.into_error(path)) };
        let known = Known { node: Some(&self.node), datasets: &self.datasets, all_datasets: true };
        let taken: Vec<_> =
            self.agreements.iter().filter(|agreement| !agreement.file.starts_with(&self.node.state)).cloned().collect();
        let read = agreement::check(&file, &raw, (&known, &self.views, Kind::Document), &taken, &mut report);
        // What is there and empty was reported with its line.
        if let Some(read) = read.filter(|_| report.is_empty()) {
            complete(&file, &raw, &read.particulars, &mut report);
        }
        let document = canonical(text).and_then(|text| Document::read(&text));
        match document {
            Ok(document) if report.is_empty() => Ok(document),
            Ok(_) => Err(report.into_error(path)),
            Err(error) => {
                if report.is_empty() {
                    file.problem(&mut report, TOP, error.to_string(), "correct it");
                }
                Err(report.into_error(path))
            }
        }
    }
}

/// All fields that a person has to fill in before anybody signs.
fn complete(file: &File, raw: &raw::Agreement, said: &Particulars, report: &mut Report) {
    let fields = [
        ("parties", raw.parties.is_some()),
        ("controllers", !said.controllers.is_empty()),
        ("method", said.method.is_some()),
        ("necessity", said.necessity.is_some()),
        ("dpia", said.dpia.is_some()),
        ("dpo_view", said.dpo_view.is_some()),
        ("retention", said.retention.is_some()),
        ("review", said.review.is_some()),
        ("area", said.area.is_some()),
        ("rights_contact", said.rights_contact.is_some()),
    ];
    for (key, _) in fields.iter().filter(|(_, is_there)| !is_there) {
        file.problem(report, TOP, format!("`{key}` is missing"), "fill it in: who signs has to know");
    }
}

/// What stands in documents only is not in force in a file that one body writes alone.
pub(super) fn stays_out(file: &File, raw: &raw::Agreement, report: &mut Report) {
    let fix = "leave it out, or propose the file as a document by `meridian agreement propose`";
    let mut said = |key: &str, at: Option<Range<usize>>| {
        if let Some(at) = at {
            file.problem(report, at, format!("{key} stands in a file that only this body signs"), fix);
        }
    };
    said("trustees", raw.trustees.as_ref().map(Spanned::span));
    said("trustees_needed", raw.trustees_needed.as_ref().map(Spanned::span));
    for grant in &raw.grants {
        said("body", grant.body.as_ref().map(Spanned::span));
        said("bodies", grant.bodies.as_ref().map(Spanned::span));
        said("standard", grant.standard.as_ref().map(Spanned::span));
    }
}

/// The datasets of this body that a grant is of, each with the place that names it.
pub(super) fn chosen(
    file: &File,
    grant: &raw::Grant,
    known: &Known<'_>,
    kind: Kind,
    report: &mut Report,
) -> Vec<(String, Range<usize>)> {
    let named = |text: &Spanned<String>| (text.get_ref().clone(), text.span());
    match (&grant.dataset, &grant.standard) {
        (Some(_), Some(standard)) => {
            file.problem(report, standard.span(), "the grant names a dataset and a standard", "name one of them");
            Vec::new()
        }
        (None, None) => {
            let fix = match kind {
                Kind::Own => "add dataset = \"…\"",
                Kind::Document => "add dataset = \"…\" with its body, or standard = \"…\"",
            };
            file.problem(report, grant.form.span(), "the grant names no dataset", fix);
            Vec::new()
        }
        (Some(dataset), None) if kind == Kind::Own => vec![named(dataset)],
        (None, Some(_)) if kind == Kind::Own => Vec::new(),
        (Some(dataset), None) => match owners(file, grant, known, report) {
            Owners::This => vec![named(dataset)],
            Owners::Others => Vec::new(),
            Owners::All => {
                let what = format!("the grant names dataset `{}`, and not whose", dataset.get_ref());
                file.problem(report, dataset.span(), what, "add body = \"…\" or bodies = [\"…\"]");
                Vec::new()
            }
        },
        (None, Some(standard)) => {
            let owners = owners(file, grant, known, report);
            let conform = known
                .datasets
                .iter()
                .filter(|own| own.dataset.standard.as_ref().is_some_and(|name| name.as_str() == standard.get_ref()));
            let found: Vec<_> = conform.map(|own| (own.name().to_owned(), standard.span())).collect();
            match owners {
                Owners::Others => Vec::new(),
                Owners::This if found.is_empty() && known.all_datasets => {
                    let what = format!("no dataset of this node conforms to the standard `{}`", standard.get_ref());
                    file.problem(report, standard.span(), what, "take this body out of bodies, or publish one");
                    found
                }
                Owners::This | Owners::All => found,
            }
        }
    }
}

/// Whose datasets a grant is of.
enum Owners {
    This,
    Others,
    /// Of every party that has such a dataset.
    All,
}

fn owners(file: &File, grant: &raw::Grant, known: &Known<'_>, report: &mut Report) -> Owners {
    let mut name = |key: &str, text: &Spanned<String>| file.name(report, key, text);
    let said: Vec<Name> = match (&grant.body, &grant.bodies) {
        (None, None) => return Owners::All,
        (Some(body), None) => name("body", body).into_iter().collect(),
        (None, Some(bodies)) => bodies.get_ref().iter().filter_map(|body| name("bodies", body)).collect(),
        (Some(_), Some(bodies)) => {
            file.problem(report, bodies.span(), "the grant names body and bodies", "name all in bodies");
            return Owners::Others;
        }
    };
    match known.node {
        Some(node) if said.contains(&node.body) => Owners::This,
        Some(_) | None => Owners::Others,
    }
}
