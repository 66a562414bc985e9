//! Checks a dataset's file: its terms, its columns and its source.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use meridian_proto::{Column, ColumnType, Coverage, Dataset, Form, Name, Role};
use toml::{Spanned, Value};

use super::problem::{File, Report};
use super::raw::{self, Recipients};
use super::{DatasetConfig, UnitConfig, UnitKey};
use crate::sources::{SourceKind, SourceSpec, literal};

/// The smallest threshold that protects anybody.
pub(super) const LEAST_THRESHOLD: u32 = 3;
const DEFAULT_THRESHOLD: u32 = 10;
const LARGEST_SIZE_CLASS: u32 = 18;

pub(super) fn check(
    file: &File,
    base: &Path,
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
    let columns = columns(file, raw, report);
    let bounds = bounds(file, raw, report);
    let unit = unit(file, raw, &columns, report);
    let coverage = coverage(file, raw, &columns, report);
    let size = raw.size.as_ref().map(|text| size(file, text, report));
    let kind = source_kind(file, &raw.source, report);
    let path = file.existing(report, base, "source.path", &raw.source.path);
    let mapping = raw.mapping.as_ref().map(|mapping| file.text(report, "mapping.sql", &mapping.sql));

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
    });
    let unique = unit.as_ref().and_then(|unit| match &unit.key {
        UnitKey::Column { name, unique: true } => Some(name.clone()),
        UnitKey::Column { unique: false, .. } | UnitKey::EachRow => None,
    });
    let source =
        SourceSpec { dataset: Arc::clone(&dataset), kind: kind?, path: path?, mapping: mapping.flatten(), unique };
    let (sized, listed) = (raw.size.is_some(), raw.listed.unwrap_or(true));
    Some(DatasetConfig { file: file.path.clone(), dataset, sized, own, unit, bounds, listed, source })
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
    if *raw.form.get_ref() != Form::Statistics {
        let what = format!("recipients stands in a dataset of form {}", raw.form.get_ref());
        file.problem(report, recipients.span(), what, "leave it out: it is for statistics only");
    }
    *recipients.get_ref() == Recipients::Agreement
}

fn threshold(file: &File, raw: &raw::Dataset, report: &mut Report) -> u32 {
    let form = *raw.form.get_ref();
    match &raw.threshold {
        None if form == Form::Statistics => DEFAULT_THRESHOLD,
        None => 0,
        Some(said) => {
            if form != Form::Statistics {
                let what = format!("threshold stands in a dataset of form {form}");
                file.problem(report, said.span(), what, "leave it out: it is for statistics only");
            } else if *said.get_ref() < LEAST_THRESHOLD {
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

fn columns(file: &File, raw: &raw::Dataset, report: &mut Report) -> Vec<Column> {
    if raw.columns.is_empty() && *raw.form.get_ref() != Form::None {
        file.problem(report, raw.name.span(), "there are no [[columns]]", "add one for each published column");
    }
    let mut seen = HashSet::new();
    let mut columns = Vec::with_capacity(raw.columns.len());
    for column in &raw.columns {
        let name = file.name(report, "name", &column.name);
        let column_type = column_type(file, column, report);
        let role = column.role.as_ref().map_or(Role::Hidden, |role| *role.get_ref());
        let ranges = ranges(file, column, role, report);
        let (Some(name), Some(column_type)) = (name, column_type) else {
            continue;
        };
        if role == Role::Measure && !is_number(column_type) {
            let what = format!("column {name} is a measure of type {column_type}");
            file.problem(
                report,
                column.column_type.span(),
                what,
                "choose integer, bigint, double or decimal, or another role",
            );
        }
        if !seen.insert(name.clone()) {
            file.problem(report, column.name.span(), format!("column {name} stands twice"), "rename or remove one");
            continue;
        }
        columns.push(Column {
            name,
            column_type,
            role,
            required: column.required,
            ranges,
            concept: column.concept.clone(),
            unit: column.unit.clone(),
            description: column.description.clone(),
        });
    }
    columns
}

fn column_type(file: &File, column: &raw::Column, report: &mut Report) -> Option<ColumnType> {
    let found = column.column_type.get_ref().parse().ok();
    if found.is_none() {
        let what = format!("type is {:?}, which is no column type", column.column_type.get_ref());
        let fix = "write boolean, integer, bigint, double, decimal(precision,scale), varchar, date or timestamp";
        file.problem(report, column.column_type.span(), what, fix);
    }
    found
}

fn is_number(column_type: ColumnType) -> bool {
    match column_type {
        ColumnType::Integer | ColumnType::Bigint | ColumnType::Double | ColumnType::Decimal(_, _) => true,
        ColumnType::Boolean | ColumnType::Varchar | ColumnType::Date | ColumnType::Timestamp => false,
    }
}

fn ranges(file: &File, column: &raw::Column, role: Role, report: &mut Report) -> bool {
    match &column.ranges {
        Some(ranges) if *ranges.get_ref() && role != Role::Dimension => {
            let what = format!("column {} has ranges, but the role {role}", column.name.get_ref());
            file.problem(report, ranges.span(), what, "leave it out, or set role = \"dimension\"");
            false
        }
        Some(ranges) => *ranges.get_ref(),
        None => false,
    }
}

fn bounds(file: &File, raw: &raw::Dataset, report: &mut Report) -> HashMap<Name, (f64, f64)> {
    let statistics = *raw.form.get_ref() == Form::Statistics;
    let mut found = HashMap::new();
    for column in &raw.columns {
        let measure = column.role.as_ref().is_some_and(|role| *role.get_ref() == Role::Measure);
        let name = column.name.get_ref();
        match &column.bounds {
            None if measure && statistics => {
                let what = format!("column {name} is a measure without bounds");
                file.problem(
                    report,
                    column.name.span(),
                    what,
                    "add bounds = [lowest, highest]: values are clamped into them",
                );
            }
            None => {}
            Some(bounds) if !measure => {
                let what = format!("column {name} has bounds, but is no measure");
                file.problem(report, bounds.span(), what, "leave them out, or set role = \"measure\"");
            }
            Some(bounds) => match bounds.get_ref().as_slice() {
                [low, high] if low.is_finite() && high.is_finite() && low <= high => {
                    found.extend(name.parse().ok().map(|name: Name| (name, (*low, *high))));
                }
                _ => {
                    let what = format!("column {name}: bounds are no range");
                    file.problem(
                        report,
                        bounds.span(),
                        what,
                        "write [lowest, highest], two finite numbers in this order",
                    );
                }
            },
        }
    }
    found
}

fn unit(file: &File, raw: &raw::Dataset, columns: &[Column], report: &mut Report) -> Option<UnitConfig> {
    let form = *raw.form.get_ref();
    let Some(unit) = &raw.unit else {
        if form == Form::Statistics {
            let fix = "add [unit] with kind, and column or rows = true: it is what is protected";
            file.problem(report, raw.form.span(), "form is statistics, but there is no [unit]", fix);
        }
        return None;
    };
    if !matches!(form, Form::Statistics | Form::Rows) {
        let what = format!("[unit] stands in a dataset of form {form}");
        file.problem(report, unit.span(), what, "leave it out: only statistics protect units");
    }
    let kind = file.name(report, "unit.kind", &unit.get_ref().kind);
    let key = unit_key(file, unit, columns, report);
    Some(UnitConfig { kind: kind?, key: key? })
}

fn unit_key(file: &File, unit: &Spanned<raw::Unit>, columns: &[Column], report: &mut Report) -> Option<UnitKey> {
    let raw::Unit { column, rows, unique, .. } = unit.get_ref();
    let each_row = rows.as_ref().is_some_and(|rows| *rows.get_ref());
    let unique_said = unique.as_ref().is_some_and(|unique| *unique.get_ref());
    match (column, each_row) {
        (None, true) => {
            if let Some(unique) = unique.as_ref().filter(|unique| !*unique.get_ref()) {
                file.problem(report, unique.span(), "unit.unique is false, but each row is a unit", "leave it out");
            }
            Some(UnitKey::EachRow)
        }
        (Some(column), false) => {
            let Some(found) = columns.iter().find(|found| found.name.as_str() == column.get_ref()) else {
                let what = format!("unit.column is `{}`, which is no published column", column.get_ref());
                file.problem(report, column.span(), what, "add it to [[columns]], with role identifier or hidden");
                return None;
            };
            if !matches!(found.role, Role::Identifier | Role::Hidden) {
                let what = format!("unit.column is `{}`, which has the role {}", found.name, found.role);
                file.problem(
                    report,
                    column.span(),
                    what,
                    "give it the role identifier or hidden: an answer never names a unit",
                );
            }
            Some(UnitKey::Column { name: found.name.clone(), unique: unique_said })
        }
        (Some(_), true) | (None, false) => {
            file.problem(
                report,
                unit.span(),
                "[unit] names neither or both of column and rows",
                "write either column = \"…\" or rows = true",
            );
            None
        }
    }
}

fn coverage(file: &File, raw: &raw::Dataset, columns: &[Column], report: &mut Report) -> Vec<Coverage> {
    let mut found = Vec::with_capacity(raw.coverage.len());
    for (name, value) in &raw.coverage {
        let Some(column) = columns.iter().find(|column| column.name.as_str() == name.get_ref()) else {
            let what = format!("coverage names `{}`, which is no published column", name.get_ref());
            file.problem(report, name.span(), what, "name one of [[columns]]");
            continue;
        };
        let text = match value.get_ref() {
            Value::String(text) => Some(text.clone()),
            Value::Integer(number) => Some(number.to_string()),
            Value::Float(number) => Some(number.to_string()),
            Value::Boolean(truth) => Some(truth.to_string()),
            Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
        };
        match text.filter(|text| literal(column.column_type, text).is_some()) {
            Some(value) => found.push(Coverage { column: column.name.clone(), value }),
            None => {
                let what = format!("coverage of {} is no {}", column.name, column.column_type);
                file.problem(report, value.span(), what, "write the value as text or as a number of the column's type");
            }
        }
    }
    found
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

fn source_kind(file: &File, raw: &raw::Source, report: &mut Report) -> Option<SourceKind> {
    match raw.kind {
        raw::SourceKind::Parquet => {
            for at in [raw.delimiter.as_ref().map(Spanned::span), raw.header.as_ref().map(Spanned::span)]
                .into_iter()
                .flatten()
            {
                file.problem(
                    report,
                    at,
                    "delimiter or header stands in a parquet source",
                    "leave it out: it is for csv only",
                );
            }
            Some(SourceKind::Parquet)
        }
        raw::SourceKind::Csv => {
            let header = raw.header.as_ref().is_none_or(|header| *header.get_ref());
            let Some(text) = &raw.delimiter else {
                return Some(SourceKind::Csv { delimiter: b',', header });
            };
            match text.get_ref().as_bytes() {
                [delimiter] if !matches!(delimiter, b'"' | b'\r' | b'\n') => {
                    Some(SourceKind::Csv { delimiter: *delimiter, header })
                }
                _ => {
                    let what = format!("source.delimiter is {:?}", text.get_ref());
                    file.problem(
                        report,
                        text.span(),
                        what,
                        "write one ASCII character that is no quote and no line break",
                    );
                    None
                }
            }
        }
    }
}
