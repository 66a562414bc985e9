//! A dataset as its owner configures it, and the checks of its file.

pub(super) mod about;
mod asked;
pub(super) mod columns;
mod conforms;
mod controls;
mod coverage;
mod references;
mod source;
mod tables;
mod unit;
pub(super) mod values;

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use meridian_proto::{Dataset, Form, Name};
use toml::Spanned;

use super::addresses;
use super::files::Around;
use super::problem::{File, Report};
use super::raw::{self, Recipients};
use crate::gate::Reference;
use crate::sources::{AsOf, SourceSpec};
use crate::standards::Standard;

pub use controls::{DominanceConfig, HistoryMode, NoiseConfig};
pub use tables::TableConfig;
pub use unit::{Belongs, UnitConfig, UnitKey};
pub use values::Precision;

/// The smallest threshold that protects anybody.
pub(super) const LEAST_THRESHOLD: u32 = 3;
const DEFAULT_THRESHOLD: u32 = 10;
const LARGEST_SIZE_CLASS: u32 = 18;

/// A dataset as its owner configures it.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetConfig {
    /// The file that says so.
    pub file: PathBuf,
    /// What the federation is told. Its `size_class` is 0 unless `sized`.
    pub dataset: Arc<Dataset>,
    /// Whether the file gives the size class; otherwise it is computed from the rows.
    pub sized: bool,
    /// What the body's own analysts get.
    pub own: Form,
    /// What is protected; always there where the form is `statistics`.
    pub unit: Option<UnitConfig>,
    /// How long every query sees the same rows; `Live` unless the form is `statistics`.
    pub as_of: AsOf,
    /// The noise of released cells.
    pub noise: NoiseConfig,
    /// When few units make too much of a sum.
    pub dominance: DominanceConfig,
    /// What earlier answers do to cells near to them.
    pub history: HistoryMode,
    /// Measures are clamped into these, lowest and highest.
    pub bounds: HashMap<Name, (f64, f64)>,
    /// The step in which each measure is released; every measure has one.
    pub precision: HashMap<Name, Precision>,
    /// The only edges at which ranges of a measure or dimension may be cut, ascending, at least one; dates as days
    /// since 1970-01-01.
    pub bands: HashMap<Name, Vec<f64>>,
    /// All values that a dimension can have, as texts of the column's type.
    pub domains: HashMap<Name, Vec<String>>,
    /// Datasets of other bodies that its rows may be joined with.
    pub references: Vec<Reference>,
    /// The declared tables; at least one where there is no noise.
    pub tables: Vec<TableConfig>,
    /// The standard that it conforms to, as far as the node knows it.
    pub standard: Option<Arc<Standard>>,
    /// Whether the catalogue shows it.
    pub listed: bool,
    /// Where its rows come from.
    pub source: SourceSpec,
}

impl DatasetConfig {
    /// Its name.
    pub fn name(&self) -> &str {
        self.dataset.name.as_str()
    }
}

pub(super) fn check(
    file: &File,
    &Around { base, node, standards }: &Around<'_>,
    raw: &raw::Dataset,
    taken: &[DatasetConfig],
    report: &mut Report,
) -> Option<DatasetConfig> {
    let form = *raw.form.get_ref();
    let name = name(file, raw, taken, report);
    let title = file.text(report, "title", &raw.title);
    let licence = file.text(report, "licence", &raw.licence);
    let standard = raw.standard.as_ref().map(|text| file.name(report, "standard", text));
    let own = own(file, raw, report);
    let needs_agreement = recipients(file, raw, report);
    let threshold = threshold(file, raw, report);
    let columns = columns::check(file, raw, report);
    let conforms = conforms::check(file, raw, &columns, standards, report);
    let bounds = columns::bounds(file, raw, report);
    let precision = values::precision(file, raw, &columns, &bounds, report);
    let bands = values::bands(file, raw, &columns, report);
    let domains = values::domains(file, raw, &columns, report);
    let unit = unit::check(file, raw, &columns, report);
    let as_of = controls::as_of(file, raw, report);
    let noise = controls::noise(file, base, raw, report);
    let dominance = controls::dominance(file, raw, report);
    let history = controls::history(file, raw, report);
    let references = references::check(file, raw, node, report);
    let tables = tables::check(file, raw, (&columns, &domains), noise.as_ref(), report);
    let coverage = coverage::check(file, raw, &columns, report);
    let about = about::check(file, raw, node, report);
    let size = raw.size.as_ref().map(|text| size(file, text, report));
    let kind = source::kind(file, &raw.source, node, report);
    let place = source::place(file, base, &raw.source, (kind.as_ref(), node), report);
    let mapping = raw.mapping.as_ref().map(|mapping| file.text(report, "mapping.sql", &mapping.sql));
    let addresses = raw.mapping.as_ref().and_then(|mapping| addresses::of_mapping(file, mapping, node, report));

    let dataset = Arc::new(Dataset {
        name: name?,
        title: title?,
        description: raw.description.get_ref().trim().to_owned(),
        licence: licence?,
        form,
        needs_agreement,
        columns,
        unit_kind: unit
            .as_ref()
            .filter(|_| form == Form::Statistics)
            .map(|unit| unit.kind.to_string())
            .unwrap_or_default(),
        threshold,
        standard: standard.flatten(),
        coverage,
        size_class: size.flatten().unwrap_or_default(),
        update_frequency: raw.update_frequency.clone(),
        references: references.iter().map(Reference::described).collect(),
        about,
    });
    let (path, store) = place?;
    let source =
        SourceSpec { store, addresses, ..SourceSpec::new(Arc::clone(&dataset), kind?, path, mapping.flatten()) };
    let (sized, listed) = (raw.size.is_some(), raw.listed.unwrap_or(true));
    Some(DatasetConfig {
        file: file.path.clone(),
        dataset,
        sized,
        own,
        unit,
        as_of,
        noise: noise?,
        dominance,
        history,
        bounds,
        precision,
        bands,
        domains,
        references,
        tables,
        standard: conforms,
        listed,
        source,
    })
}

fn name(file: &File, raw: &raw::Dataset, taken: &[DatasetConfig], report: &mut Report) -> Option<Name> {
    let name = file.name(report, "name", &raw.name)?;
    if let Some(other) = taken.iter().find(|other| other.dataset.name == name) {
        let what = format!("dataset `{name}` stands in {} already", other.file.display());
        file.problem(report, raw.name.span(), what, "rename one");
    }
    Some(name)
}

fn own(file: &File, raw: &raw::Dataset, report: &mut Report) -> Form {
    let Some(own) = &raw.own else {
        return Form::Rows;
    };
    if *own.get_ref() == Form::Statistics && *raw.form.get_ref() != Form::Statistics {
        let what = "own is statistics, but the form is not";
        file.problem(
            report,
            own.span(),
            what,
            "set form = \"statistics\" with its unit and roles, or choose rows or none",
        );
    }
    *own.get_ref()
}

fn recipients(file: &File, raw: &raw::Dataset, report: &mut Report) -> bool {
    let Some(recipients) = &raw.recipients else {
        return false;
    };
    statistics_only(file, raw, "recipients", recipients.span(), report);
    *recipients.get_ref() == Recipients::Agreement
}

fn threshold(file: &File, raw: &raw::Dataset, report: &mut Report) -> u32 {
    let form = *raw.form.get_ref();
    match &raw.threshold {
        None if form == Form::Statistics => DEFAULT_THRESHOLD,
        None => 0,
        Some(said) => {
            let fits = statistics_only(file, raw, "threshold", said.span(), report);
            if fits && *said.get_ref() < LEAST_THRESHOLD {
                let what = format!("threshold is {}", said.get_ref());
                file.problem(
                    report,
                    said.span(),
                    what,
                    format!("write {LEAST_THRESHOLD} or more; {DEFAULT_THRESHOLD} is the default"),
                );
            }
            *said.get_ref()
        }
    }
}

fn size(file: &File, text: &Spanned<String>, report: &mut Report) -> Option<u32> {
    let class = text
        .get_ref()
        .strip_prefix("1e")
        .and_then(|digits| digits.parse().ok())
        .filter(|class| *class <= LARGEST_SIZE_CLASS);
    if class.is_none() {
        let what = format!("size is {:?}, which is no power of ten", text.get_ref());
        file.problem(
            report,
            text.span(),
            what,
            format!("write \"1e0\" to \"1e{LARGEST_SIZE_CLASS}\", or leave it out to have it computed"),
        );
    }
    class
}

/// Whether a key that is for statistics stands in a dataset of that form; otherwise a problem.
fn statistics_only(file: &File, raw: &raw::Dataset, key: &str, at: Range<usize>, report: &mut Report) -> bool {
    let form = *raw.form.get_ref();
    if form != Form::Statistics {
        let what = format!("{key} stands in a dataset of form {form}");
        file.problem(report, at, what, "leave it out: it is for statistics only");
    }
    form == Form::Statistics
}
