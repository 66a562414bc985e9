//! The tables that a dataset declares.

use meridian_proto::{Column, Name, Role};
use toml::Spanned;

use super::super::problem::{File, Report};
use super::super::raw;
use super::statistics_only;
use super::values::constant;
use crate::sources::literal;

/// A declared table: its cells are answered also where there is no noise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableConfig {
    /// Its name, once in a dataset.
    pub name: Name,
    /// The dimensions by which it is grouped; none for a single cell.
    pub dimensions: Vec<Name>,
    /// Dimensions that have a fixed value, sorted by name; the values are texts of the columns' types.
    pub filter: Vec<(Name, String)>,
    /// The measure that is summed; rows are counted where there is none.
    pub sum: Option<Name>,
}

pub(super) fn check(file: &File, raw: &raw::Dataset, columns: &[Column], report: &mut Report) -> Vec<TableConfig> {
    let Some(first) = raw.tables.first() else {
        return Vec::new();
    };
    if !statistics_only(file, raw, "[[tables]]", first.name.span(), report) {
        return Vec::new();
    }
    let mut tables: Vec<TableConfig> = Vec::with_capacity(raw.tables.len());
    for table in &raw.tables {
        let Some(name) = file.name(report, "tables.name", &table.name) else {
            continue;
        };
        if tables.iter().any(|other| other.name == name) {
            file.problem(report, table.name.span(), format!("table {name} stands twice"), "rename or remove one");
        }
        tables.push(TableConfig {
            dimensions: dimensions(file, &name, &table.dimensions, columns, report),
            filter: filter(file, &name, table, columns, report),
            sum: table.sum.as_ref().and_then(|text| {
                column(file, &name, "sum", text, Role::Measure, columns, report).map(|column| column.name.clone())
            }),
            name,
        });
    }
    tables
}

fn dimensions(
    file: &File,
    table: &Name,
    said: &[Spanned<String>],
    columns: &[Column],
    report: &mut Report,
) -> Vec<Name> {
    let mut dimensions = Vec::with_capacity(said.len());
    for text in said {
        let Some(Column { name, .. }) = column(file, table, "dimensions", text, Role::Dimension, columns, report)
        else {
            continue;
        };
        if dimensions.contains(name) {
            let what = format!("table {table}: dimension `{name}` stands twice");
            file.problem(report, text.span(), what, "remove one");
        } else {
            dimensions.push(name.clone());
        }
    }
    dimensions
}

fn filter(file: &File, table: &Name, raw: &raw::Table, columns: &[Column], report: &mut Report) -> Vec<(Name, String)> {
    let mut filter = Vec::with_capacity(raw.filter.len());
    for (text, value) in &raw.filter {
        let Some(Column { name, column_type, .. }) =
            column(file, table, "filter", text, Role::Dimension, columns, report)
        else {
            continue;
        };
        match constant(value.get_ref()).filter(|text| literal(*column_type, text).is_some()) {
            Some(constant) => filter.push((name.clone(), constant)),
            None => {
                let what = format!("table {table}: filter of {name} is no {column_type}");
                let fix = "write the value as text, number or boolean of the column's type";
                file.problem(report, value.span(), what, fix);
            }
        }
    }
    filter
}

/// A column of the role that its place in a table asks for.
fn column<'a>(
    file: &File,
    table: &Name,
    key: &str,
    text: &Spanned<String>,
    role: Role,
    columns: &'a [Column],
    report: &mut Report,
) -> Option<&'a Column> {
    let found = columns.iter().find(|column| column.name.as_str() == text.get_ref());
    let what = match found {
        Some(column) if column.role == role => return found,
        Some(column) => format!("table {table}: {key} names `{}`, which has the role {}", column.name, column.role),
        None => format!("table {table}: {key} names `{}`, which is no published column", text.get_ref()),
    };
    file.problem(report, text.span(), what, format!("name one of [[columns]] that has the role {role}"));
    None
}
