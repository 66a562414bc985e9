//! A dataset of the sprint at its body's node: its file, which says what the catalogue tells of the real one, and its rows.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use arrow::array::StringArray;
use meridian_proto::{ColumnType, Form, Name, Role};
use serde::Serialize;

use super::super::Error;
use super::super::output::Output;
use super::told::{Column, Coverage, Told};
use super::values::{Source, Values};
use crate::standards::Standard;

/// A dataset whose rows are made.
pub(super) struct Twin<'a> {
    told: &'a Told,
    columns: Vec<(Column, Values)>,
    /// How many rows it has.
    pub(super) rows: u64,
}

impl<'a> Twin<'a> {
    /// As the dataset is told, in the standard that it conforms to, with so many rows at most.
    pub(super) fn new(source: &Source, told: &'a Told, standard: Option<&Standard>, most: u64) -> Self {
        let hidden = standard.into_iter().flat_map(|standard| hidden(told, standard));
        let columns = told.columns.iter().cloned().chain(hidden).map(|column| {
            let values = Values::of(source, told, &column, standard);
            (column, values)
        });
        Self { told, columns: columns.collect(), rows: told.rows_at_most.map_or(most, |rows| rows.min(most)) }
    }

    /// Writes its rows.
    pub(super) fn write_rows(&self, source: &Source, path: &Path) -> Result<(), Error> {
        let texts = |values: &Values| (0..self.rows).map(|row| values.text(source, row)).collect::<StringArray>();
        let columns = self.columns.iter().map(|(column, values)| (column.name.as_str(), texts(values))).collect();
        let output = Output { output: Some(path.to_owned()), ..Output::default() };
        output.write_texts(columns, &mut io::sink())
    }

    /// Its file.
    pub(super) fn file(&self, sprint: &Name, path: String) -> Result<String, Error> {
        let Told { name, title, description, form, .. } = self.told;
        let statistics = *form == Form::Statistics;
        let mut file = File::of(self.told, path, "csv");
        file.title = format!("{title} (made-up rows)");
        let made = format!("SYNTHETIC: no row is real; made for the data sprint {sprint}. {description}");
        file.description = made.trim_end().to_owned();
        file.mapping = self.mapping();
        file.columns = self.columns.iter().map(|(column, values)| ColumnFile::of(column, statistics, values)).collect();
        let heading = format!(
            "# A twin of {} for the data sprint {sprint}: columns and terms are those that the catalogue tells, and every row \
             in {path} is made.\n# What the catalogue does not tell (noise, bounds, the unit's column, hidden columns) is as a node \
             has it by itself, or fits the rows.\n",
            self.told.full_name(),
            path = file.source.path
        );
        write(name, &heading, &file)
    }

    /// Geometry stands in the rows in hexadecimal.
    fn mapping(&self) -> Option<Mapping> {
        let is_binary = |column: &Column| column.column_type == ColumnType::Bytea;
        let select = |column: &Column| match column.column_type {
            ColumnType::Bytea => format!("st_geomfromhexwkb(\"{0}\") AS \"{0}\"", column.name),
            _ => format!("\"{}\"", column.name),
        };
        let columns = || self.columns.iter().map(|(column, _)| column);
        columns().any(is_binary).then(|| Mapping {
            sql: format!("SELECT {} FROM source", columns().map(select).collect::<Vec<_>>().join(", ")),
        })
    }
}

/// What a standard requires and the owner shows to nobody: without it the twin would not conform.
fn hidden(told: &Told, standard: &Standard) -> impl Iterator<Item = Column> {
    let is_told = move |name: &Name| told.columns.iter().any(|column| column.name == *name);
    let lacking = standard.columns.iter().filter(move |column| column.required && !is_told(&column.name));
    lacking.map(|column| Column {
        name: column.name.clone(),
        column_type: column.column_type,
        role: Role::Hidden,
        required: true,
        ranges: false,
        concept: Some(column.concept.clone()).filter(|concept| !concept.is_empty()),
        unit: None,
        description: Some(column.description.clone()),
    })
}

/// The file of an open dataset whose rows are as they are.
pub(super) fn copy(told: &Told, sprint: &Name, path: String, day: &str) -> Result<String, Error> {
    let mut file = File::of(told, path, "parquet");
    let copied = format!("As it was on {day}, copied for the data sprint {sprint}. {}", told.description);
    file.description = copied.trim_end().to_owned();
    let heading = format!("# {}, which is open, as it was on {day}.\n", told.full_name());
    write(&told.name, &heading, &file)
}

fn write(name: &Name, heading: &str, file: &File<'_>) -> Result<String, Error> {
    let text = toml::to_string(file).map_err(|error| Error::Usage(format!("writing the file of {name}: {error}")))?;
    Ok(format!("{heading}{text}"))
}

/// A dataset's file, as `config` reads it.
#[derive(Serialize)]
struct File<'a> {
    name: &'a Name,
    title: String,
    description: String,
    licence: &'a str,
    update_frequency: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    keywords: &'a [String],
    form: Form,
    recipients: Option<&'static str>,
    threshold: Option<u32>,
    /// Rows that the team changes are asked at once.
    as_of: Option<&'static str>,
    standard: Option<&'a Name>,
    size: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    coverage: BTreeMap<&'a Name, Covered<'a>>,
    unit: Option<Unit<'a>>,
    source: SourceFile,
    mapping: Option<Mapping>,
    columns: Vec<ColumnFile>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Covered<'a> {
    Value(&'a str),
    Range { from: Option<&'a str>, to: Option<&'a str> },
}

#[derive(Serialize)]
struct Unit<'a> {
    kind: &'a str,
    column: Option<&'a Name>,
    rows: Option<bool>,
}

#[derive(Serialize)]
struct SourceFile {
    kind: &'static str,
    path: String,
}

#[derive(Serialize)]
struct Mapping {
    sql: String,
}

#[derive(Serialize)]
struct ColumnFile {
    name: Name,
    #[serde(rename = "type")]
    column_type: String,
    role: Role,
    ranges: Option<bool>,
    bounds: Option<[f64; 2]>,
    concept: Option<String>,
    unit: Option<String>,
    required: Option<bool>,
    description: Option<String>,
}

impl<'a> File<'a> {
    fn of(told: &'a Told, path: String, kind: &'static str) -> Self {
        let statistics = told.form == Form::Statistics;
        let identifier = told.columns.iter().find(|column| column.role == Role::Identifier).map(|column| &column.name);
        Self {
            name: &told.name,
            title: told.title.clone(),
            description: told.description.clone(),
            licence: &told.licence,
            update_frequency: told.update_frequency.as_deref(),
            keywords: &told.keywords,
            form: told.form,
            recipients: statistics.then_some(if told.needs_agreement { "agreement" } else { "members" }),
            threshold: told.threshold,
            as_of: statistics.then_some("live"),
            standard: told.standard.as_ref(),
            size: told.rows_at_most.and_then(u64::checked_ilog10).map(|digits| format!("1e{digits}")),
            coverage: told.coverage.iter().map(|coverage| (&coverage.column, Covered::of(coverage))).collect(),
            unit: statistics.then_some(Unit {
                kind: told.unit.as_ref().map_or("unit", Name::as_str),
                column: identifier,
                rows: identifier.is_none().then_some(true),
            }),
            source: SourceFile { kind, path },
            mapping: None,
            columns: told.columns.iter().map(|column| ColumnFile::said(column)).collect(),
        }
    }
}

impl<'a> Covered<'a> {
    fn of(coverage: &'a Coverage) -> Self {
        match &coverage.value {
            Some(value) => Self::Value(value),
            None => Self::Range { from: coverage.from.as_deref(), to: coverage.to.as_deref() },
        }
    }
}

impl ColumnFile {
    fn said(column: &Column) -> Self {
        Self {
            name: column.name.clone(),
            column_type: column.column_type.to_string(),
            role: column.role,
            ranges: column.ranges.then_some(true),
            bounds: None,
            concept: column.concept.clone(),
            unit: column.unit.clone(),
            required: column.required.then_some(true),
            description: column.description.clone(),
        }
    }

    /// Of statistics, a measure has bounds: those of its rows.
    fn of(column: &Column, statistics: bool, values: &Values) -> Self {
        let bounds = (statistics && column.role == Role::Measure).then(|| values.bounds());
        Self { bounds, ..Self::said(column) }
    }
}
