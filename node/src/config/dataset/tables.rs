//! The tables that a dataset declares.

use std::collections::HashMap;

use meridian_proto::{Column, Name, Role};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::super::problem::{File, Report};
use super::super::raw;
use super::values::constant;
use super::{NoiseConfig, statistics_only};
use crate::sources::{AsOf, literal};

/// A declared table, which is answered with all its margins where there is no noise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableConfig {
    /// Its name, once in a dataset.
    pub name: Name,
    /// The dimensions by which it is grouped, each with a domain; none for a single cell.
    pub dimensions: Vec<Name>,
    /// Dimensions of which all its rows have one value, sorted by name; texts of the columns' domains.
    pub filter: Vec<(Name, String)>,
    /// The measure that is summed beside the count.
    pub sum: Option<Name>,
}

/// Published columns, and the domains that they declare.
type Known<'a> = (&'a [Column], &'a HashMap<Name, Vec<String>>);

pub(super) fn check(
    file: &File,
    raw: &raw::Dataset,
    known: Known<'_>,
    noise: Option<&NoiseConfig>,
    report: &mut Report,
) -> Vec<TableConfig> {
    let Some(first) = raw.tables.first() else {
        return Vec::new();
    };
    if !statistics_only(file, raw, "[[tables]]", first.name.span(), report) {
        return Vec::new();
    }
    if let Some(NoiseConfig::Made { .. }) = noise {
        let fix =
            "set noise = \"none\" to answer them alone and exactly, or leave them out: with noise all SQL is answered";
        file.problem(report, first.name.span(), "[[tables]] stands in a dataset with noise", fix);
    }
    if let Some(as_of) = raw.as_of.as_ref().filter(|as_of| *as_of.get_ref() == AsOf::Live) {
        let fix = "write daily, weekly or monthly: exact figures of before and after a change would tell the row";
        file.problem(report, as_of.span(), "as_of is live, and the dataset declares tables", fix);
    }
    let mut tables: Vec<TableConfig> = Vec::with_capacity(raw.tables.len());
    for table in &raw.tables {
        let Some(name) = file.name(report, "tables.name", &table.name) else {
            continue;
        };
        if tables.iter().any(|other| other.name == name) {
            file.problem(report, table.name.span(), format!("table {name} stands twice"), "rename or remove one");
        }
        let dimensions = dimensions(file, &name, &table.dimensions, known, report);
        tables.push(TableConfig {
            filter: filter(file, &name, table, &dimensions, known, report),
            dimensions,
            sum: table.sum.as_ref().and_then(|text| {
                column(file, &name, "sum", text, Role::Measure, known.0, report).map(|column| column.name.clone())
            }),
            name,
        });
    }
    tables
}

fn dimensions(file: &File, table: &Name, said: &[Spanned<String>], known: Known<'_>, report: &mut Report) -> Vec<Name> {
    let mut dimensions = Vec::with_capacity(said.len());
    for text in said {
        let Some(name) = dimension(file, table, "dimensions", text, known, report) else {
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

fn filter(
    file: &File,
    table: &Name,
    raw: &raw::Table,
    dimensions: &[Name],
    known: Known<'_>,
    report: &mut Report,
) -> Vec<(Name, String)> {
    let mut filter = Vec::with_capacity(raw.filter.len());
    for (text, value) in &raw.filter {
        let Some(name) = dimension(file, table, "filter", text, known, report) else {
            continue;
        };
        if dimensions.contains(name) {
            let what = format!("table {table}: filter names `{name}`, which is one of its dimensions");
            file.problem(report, text.span(), what, "leave it out of one of them");
            continue;
        }
        let types = known.0.iter().find(|column| column.name == *name).map(|column| column.column_type);
        let said = constant(value.get_ref()).zip(types).and_then(|(text, of)| literal(of, &text).zip(Some(of)));
        let domain = known.1.get(name).map_or(&[][..], Vec::as_slice);
        // In the domain's own words, so that 1 and 1.0 are one label.
        let held = said.and_then(|(said, of)| domain.iter().find(|text| literal(of, text).as_ref() == Some(&said)));
        match held {
            Some(held) => filter.push((name.clone(), held.clone())),
            None => {
                let what =
                    format!("table {table}: filter of {name} is {}, which is not in its domain", value.get_ref());
                file.problem(report, value.span(), what, "write one of the values in the column's domain");
            }
        }
    }
    filter
}

/// A dimension with a domain: labels that came from the rows would tell what is in them.
fn dimension<'a>(
    file: &File,
    table: &Name,
    key: &str,
    text: &Spanned<String>,
    known: Known<'a>,
    report: &mut Report,
) -> Option<&'a Name> {
    let Column { name, .. } = column(file, table, key, text, Role::Dimension, known.0, report)?;
    if !known.1.contains_key(name) {
        let what = format!("table {table}: {key} names `{name}`, which declares no domain");
        let fix = "add domain = […] with all values that it can have to the column";
        file.problem(report, text.span(), what, fix);
        return None;
    }
    Some(name)
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
