//! A standard as it is written, and the checks of its file; and those that every node knows.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use arrow::array::StringArray;
use arrow::compute::regexp_is_match_scalar;
use meridian_examples::london;
use meridian_proto::{ColumnType, Name};
use toml::{Spanned, Value};

use super::dataset::columns::column_type;
use super::dataset::values;
use super::problem::{File, Report};
use super::raw;
use crate::sources::literal;
use crate::standards::{Kind, Standard, StandardColumn, ValidValues};

/// A standard that the node knows.
#[derive(Debug, Clone, PartialEq)]
pub struct StandardConfig {
    /// The file that says so; of one that is built in, its name there.
    pub file: PathBuf,
    /// Whether it is built in, and no file of the node's.
    pub built_in: bool,
    /// What it says.
    pub standard: Arc<Standard>,
}

/// The standards that every node knows. A file of the node's with the same name takes the place of one.
pub fn built_in() -> Vec<StandardConfig> {
    static BUILT_IN: LazyLock<Vec<StandardConfig>> = LazyLock::new(|| {
        let mut report = Report::default();
        let mut read = |(name, text): &(&str, &str)| {
            let file = File::of(Path::new("built-in").join(name).with_extension("toml"), (*text).to_owned());
            let raw = file.parse::<raw::Standard>(&mut report)?;
            let standard = check(&file, &raw, &[], &mut report)?;
            Some(StandardConfig { built_in: true, ..standard })
        };
        london::standards().iter().filter_map(&mut read).collect()
    });
    BUILT_IN.clone()
}

pub(super) fn check(
    file: &File,
    raw: &raw::Standard,
    taken: &[StandardConfig],
    report: &mut Report,
) -> Option<StandardConfig> {
    let name = name(file, raw, taken, report);
    let title = file.text(report, "title", &raw.title);
    let columns = columns(file, raw, report);
    let keys = keys(file, raw, report);
    let standard = Arc::new(Standard { name: name?, title: title?, columns, keys });
    Some(StandardConfig { file: file.path.clone(), built_in: false, standard })
}

fn name(file: &File, raw: &raw::Standard, taken: &[StandardConfig], report: &mut Report) -> Option<Name> {
    let name = file.name(report, "name", &raw.name)?;
    if let Some(other) = taken.iter().find(|other| other.standard.name == name) {
        let what = format!("standard `{name}` stands in {} already", other.file.display());
        file.problem(report, raw.name.span(), what, "rename one");
    }
    Some(name)
}

fn columns(file: &File, raw: &raw::Standard, report: &mut Report) -> Vec<StandardColumn> {
    if raw.columns.is_empty() {
        file.problem(report, raw.name.span(), "there are no [[columns]]", "add one for each column of the standard");
    }
    let mut seen = HashSet::new();
    let mut columns = Vec::with_capacity(raw.columns.len());
    for column in &raw.columns {
        let name = file.name(report, "name", &column.name);
        let column_type = column_type(file, &column.column_type, report);
        let (Some(name), Some(column_type)) = (name, column_type) else { continue };
        if !seen.insert(name.clone()) {
            file.problem(report, column.name.span(), format!("column {name} stands twice"), "rename or remove one");
            continue;
        }
        let synonyms = column.synonyms.iter().filter_map(|text| file.text(report, "a synonym", text)).collect();
        columns.push(StandardColumn {
            values: valid_values(file, column, &name, column_type, report),
            name,
            column_type,
            concept: column.concept.clone(),
            required: column.required,
            description: column.description.trim().to_owned(),
            kind: column.kind.unwrap_or_else(|| Kind::usual(column_type, &column.concept)),
            synonyms,
        });
    }
    columns
}

/// What is valid: a list, a range or a pattern.
fn valid_values(
    file: &File,
    raw: &raw::StandardColumn,
    name: &Name,
    column_type: ColumnType,
    report: &mut Report,
) -> Option<ValidValues> {
    let range = raw.from.as_ref().or(raw.to.as_ref());
    let said =
        [raw.values.as_ref().map(Spanned::span), range.map(Spanned::span), raw.pattern.as_ref().map(Spanned::span)];
    if let Some(at) = said.iter().flatten().nth(1) {
        let what = format!("column {name} says twice what is valid");
        file.problem(report, at.clone(), what, "write one of values, from and to, or pattern");
        return None;
    }
    if let Some(values) = &raw.values {
        return values::domain(file, name, column_type, values, report).map(ValidValues::List);
    }
    if let Some(pattern) = &raw.pattern {
        return self::pattern(file, name, column_type, pattern, report);
    }
    let at = range?.span();
    if !(column_type.has_ranges() || column_type == ColumnType::Double) {
        let what = format!("column {name} has from or to, but is a {column_type}");
        file.problem(report, at, what, "write values or pattern, or leave them out");
        return None;
    }
    let ends = [("from", &raw.from), ("to", &raw.to)];
    let [from, to] = ends.map(|(key, said)| end(file, (name, key), column_type, said.as_ref(), report));
    let value = |text: &Option<String>| text.as_ref().and_then(|text| literal(column_type, text));
    if let (Some(lowest), Some(highest)) = (value(&from), value(&to))
        && lowest > highest
    {
        let what = format!("column {name} has a from above its to");
        file.problem(report, at, what, "write the lowest value as from, the highest as to");
    }
    Some(ValidValues::Range { from, to })
}

/// An end of a range, or a problem.
fn end(
    file: &File,
    (name, key): (&Name, &str),
    column_type: ColumnType,
    said: Option<&Spanned<Value>>,
    report: &mut Report,
) -> Option<String> {
    let said = said?;
    let text = match said.get_ref() {
        Value::Datetime(moment) => Some(moment.to_string()),
        other => values::constant(other),
    };
    let text = text.filter(|text| literal(column_type, text).is_some());
    if text.is_none() {
        let what = format!("column {name}: {key} is no {column_type}");
        file.problem(report, said.span(), what, "write a value of the column's type");
    }
    text
}

fn pattern(
    file: &File,
    name: &Name,
    column_type: ColumnType,
    said: &Spanned<String>,
    report: &mut Report,
) -> Option<ValidValues> {
    if column_type != ColumnType::Varchar {
        let what = format!("column {name} has a pattern, but is a {column_type}");
        file.problem(report, said.span(), what, "write values, or from and to, or leave it out");
        return None;
    }
    let none = StringArray::from(Vec::<&str>::new());
    if regexp_is_match_scalar(&none, said.get_ref(), None).is_err() {
        let what = format!("column {name}: pattern is no regular expression");
        file.problem(report, said.span(), what, "correct it, as in \"E09[0-9]{6}\"");
        return None;
    }
    Some(ValidValues::Pattern(said.get_ref().clone()))
}

fn keys(file: &File, raw: &raw::Standard, report: &mut Report) -> Vec<Name> {
    let mut keys = Vec::with_capacity(raw.keys.len());
    for said in &raw.keys {
        let Some(key) = file.name(report, "a key", said) else { continue };
        if !raw.columns.iter().any(|column| column.name.get_ref() == key.as_str()) {
            let what = format!("keys names `{key}`, which is no column");
            file.problem(report, said.span(), what, "name one of [[columns]]");
        } else if keys.contains(&key) {
            file.problem(report, said.span(), format!("keys names `{key}` twice"), "remove one");
        } else {
            keys.push(key);
        }
    }
    keys
}
