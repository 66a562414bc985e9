//! A view as its owner writes it, and the checks of its file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::sql::parser::Statement;
use meridian_federation::view::{Described, Title, Unfit, described};
use meridian_proto::{Dataset, DatasetName, Name};

use super::files::Known;
use super::problem::{File, Report};
use super::{find, raw};
use crate::query;

/// A query over this body's datasets that has a name.
#[derive(Debug, Clone, PartialEq)]
pub struct ViewConfig {
    /// The file that says so.
    pub file: PathBuf,
    /// What it is called.
    pub title: Title,
    /// What it stands for.
    pub statement: Arc<Statement>,
    /// Whether the catalogue shows it, where it shows what it is over.
    pub listed: bool,
}

impl ViewConfig {
    /// Its name.
    pub fn name(&self) -> &str {
        self.title.name.dataset.as_str()
    }

    /// The view over these datasets of its body.
    pub fn described(&self, own: &[Arc<Dataset>]) -> Result<Described, Unfit> {
        described(&self.title, &self.statement, own)
    }
}

pub(super) fn check(
    file: &File,
    raw: &raw::View,
    known: &Known<'_>,
    taken: &[ViewConfig],
    report: &mut Report,
) -> Option<ViewConfig> {
    let name = name(file, raw, known, taken, report);
    let title = file.text(report, "title", &raw.title);
    let columns = columns(file, raw, report);
    let statement = statement(file, raw, report);
    let node = known.node?;
    let name = DatasetName { federation: node.federation.clone(), body: node.body.clone(), dataset: name? };
    let description = raw.description.get_ref().trim().to_owned();
    let view = ViewConfig {
        file: file.path.clone(),
        title: Title { name, title: title?, description, columns },
        statement: Arc::new(statement?),
        listed: raw.listed.unwrap_or(true),
    };
    // Where a dataset's file was refused, what is missing may be there.
    if known.all_datasets {
        let own: Vec<Arc<Dataset>> = known.datasets.iter().map(|config| Arc::clone(&config.dataset)).collect();
        if let Err(Unfit { what, fix }) = view.described(&own) {
            file.problem(report, raw.sql.span(), format!("view {}: {what}", view.name()), fix);
        }
    }
    Some(view)
}

fn name(file: &File, raw: &raw::View, known: &Known<'_>, taken: &[ViewConfig], report: &mut Report) -> Option<Name> {
    let name = file.name(report, "name", &raw.name)?;
    let other = find(known.datasets, name.as_str()).map(|dataset| ("dataset", &dataset.file));
    let other =
        other.or_else(|| taken.iter().find(|other| other.name() == name.as_str()).map(|view| ("view", &view.file)));
    if let Some((kind, other)) = other {
        let what = format!("{kind} `{name}` stands in {} already", other.display());
        file.problem(report, raw.name.span(), what, "give one another name");
    }
    Some(name)
}

/// What is said of columns; whether they are there is not known here.
fn columns(file: &File, raw: &raw::View, report: &mut Report) -> BTreeMap<Name, String> {
    let mut columns = BTreeMap::new();
    for (text, said) in &raw.columns {
        if let Some(name) = file.name(report, "a name in [columns]", text) {
            columns.insert(name, said.trim().to_owned());
        }
    }
    columns
}

fn statement(file: &File, raw: &raw::View, report: &mut Report) -> Option<Statement> {
    let refused = match query::view(raw.sql.get_ref()) {
        Ok(statement) => return Some(statement),
        Err(refused) => refused,
    };
    let place = refused.refusal.as_ref().and_then(|refusal| refusal.place);
    let place = place.map(|place| format!(", line {}, column {}", place.line, place.column)).unwrap_or_default();
    let reason = refused.refusal.map_or(refused.message, |refusal| refusal.reason);
    file.problem(
        report,
        raw.sql.span(),
        format!("sql{place}: {}", reason.replace('\n', " ")),
        "write one SELECT over datasets of this body",
    );
    None
}
