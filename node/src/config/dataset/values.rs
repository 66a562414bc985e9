//! What a column's values can be, and how finely they are released: precision, bands and domains.

use std::collections::{HashMap, HashSet};

use datafusion::common::ScalarValue;
use meridian_proto::{Column, ColumnType, Name, Role};
use serde::{Deserialize, Serialize};
use toml::{Spanned, Value};

use super::super::problem::{File, Report};
use super::super::raw;
use super::columns::is_number;
use super::statistics_only;
use crate::sources::literal;

/// Decimals of a precision that is written down.
const MOST_DECIMALS: u8 = 6;
/// Up to here a double holds every number as it was written.
const LARGEST_MULTIPLE: u64 = 1_000_000_000_000_000;
/// Up to here a double holds every whole number.
const LARGEST_EDGE: u64 = 1 << 53;
const LARGEST_DOMAIN: usize = 10_000;
/// Sums are fixed point in 128 bits: 10^14 rows of this fit.
const LARGEST_FIXED: f64 = 1e24;

/// The step of which released values are multiples: `multiple` × 10^-`decimals`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precision {
    /// Digits after the point.
    pub decimals: u8,
    /// Above 0.
    pub multiple: u64,
}

impl Precision {
    /// Where the file says nothing; only numbers have one.
    fn usual(column_type: ColumnType) -> Option<Self> {
        let decimals = match column_type {
            ColumnType::Integer | ColumnType::Bigint => 0,
            ColumnType::Double => 2,
            ColumnType::Decimal(_, scale) => u8::try_from(scale).unwrap_or(0),
            ColumnType::Boolean
            | ColumnType::Varchar
            | ColumnType::Date
            | ColumnType::Timestamp
            | ColumnType::Bytea => return None,
        };
        Some(Self { decimals, multiple: 1 })
    }

    fn of(number: f64) -> Option<Self> {
        // The shortest text that reads back as this double is what was written, and never has an exponent.
        let text = number.to_string();
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let decimals = u8::try_from(fraction.len()).ok().filter(|decimals| *decimals <= MOST_DECIMALS)?;
        let multiple = format!("{whole}{fraction}").parse().ok()?;
        (1..=LARGEST_MULTIPLE).contains(&multiple).then_some(Self { decimals, multiple })
    }
}

/// Each measure's precision. Bounds of which sums wouldn't fit are a problem.
pub(super) fn precision(
    file: &File,
    raw: &raw::Dataset,
    columns: &[Column],
    bounds: &HashMap<Name, (f64, f64)>,
    report: &mut Report,
) -> HashMap<Name, Precision> {
    let mut found = HashMap::new();
    for (raw_column, column) in pairs(raw, columns) {
        let precision = match &raw_column.precision {
            Some(said) => said_precision(file, raw, column, said, report),
            None if column.role == Role::Measure => Precision::usual(column.column_type),
            None => None,
        };
        let Some(precision) = precision else {
            continue;
        };
        let Column { name, .. } = column;
        if let (Some((low, high)), Some(said)) = (bounds.get(name), &raw_column.bounds)
            && low.abs().max(high.abs()) * 10f64.powi(i32::from(precision.decimals)) >= LARGEST_FIXED
        {
            let what = format!("column {name}: bounds with {} decimals are too wide to be summed", precision.decimals);
            let fix = "write narrower bounds, or a precision of fewer decimals: bounds × 10^decimals stays below 1e24";
            file.problem(report, said.span(), what, fix);
        }
        found.insert(name.clone(), precision);
    }
    found
}

fn said_precision(
    file: &File,
    raw: &raw::Dataset,
    column: &Column,
    said: &Spanned<f64>,
    report: &mut Report,
) -> Option<Precision> {
    let Column { name, role, .. } = column;
    if !statistics_only(file, raw, &format!("precision of column {name}"), said.span(), report) {
        return None;
    }
    if *role != Role::Measure {
        let what = format!("column {name} has a precision, but is no measure");
        file.problem(report, said.span(), what, "leave it out, or set role = \"measure\"");
        return None;
    }
    let precision = Precision::of(*said.get_ref());
    if precision.is_none() {
        let what = format!("column {name}: precision is {}", said.get_ref());
        let fix =
            format!("write a number above 0, such as 0.05 or 100, of {MOST_DECIMALS} decimals and 15 digits at most");
        file.problem(report, said.span(), what, fix);
    }
    precision
}

/// The only edges at which ranges of a column may be cut, ascending; dates as days since 1970-01-01.
pub(super) fn bands(
    file: &File,
    raw: &raw::Dataset,
    columns: &[Column],
    report: &mut Report,
) -> HashMap<Name, Vec<f64>> {
    let mut found = HashMap::new();
    for (raw_column, column) in pairs(raw, columns) {
        let Some(said) = &raw_column.bands else {
            continue;
        };
        let Column { name, column_type, role, .. } = column;
        if !statistics_only(file, raw, &format!("bands of column {name}"), said.span(), report) {
            continue;
        }
        let (what, fix) = if !matches!(role, Role::Measure | Role::Dimension) {
            let what = format!("column {name} has bands, but the role {role}");
            (what, "leave them out, or set role = \"dimension\" or \"measure\"")
        } else if !is_number(*column_type) && *column_type != ColumnType::Date {
            (
                format!("column {name} has bands, but the type {column_type}"),
                "leave them out: numbers and dates have them",
            )
        } else if said.get_ref().is_empty() {
            (format!("column {name}: bands is empty"), "write the edges of the ranges, or leave it out")
        } else {
            found.insert(name.clone(), edges(file, column, said.get_ref(), report));
            continue;
        };
        file.problem(report, said.span(), what, fix);
    }
    found
}

fn edges(file: &File, column: &Column, said: &[Spanned<Value>], report: &mut Report) -> Vec<f64> {
    let Column { name, column_type, .. } = column;
    let mut edges: Vec<f64> = Vec::with_capacity(said.len());
    for value in said {
        let Some(edge) = edge(*column_type, value.get_ref()) else {
            let what = format!("column {name}: the edge {} in bands is no {column_type}", value.get_ref());
            let fix = "write numbers, 2^53 at most, or for a date texts such as \"2026-01-31\"";
            file.problem(report, value.span(), what, fix);
            continue;
        };
        if edges.last().is_some_and(|last| *last >= edge) {
            let what = format!("column {name}: the edge {} in bands is not above the one before", value.get_ref());
            file.problem(report, value.span(), what, "write the edges in ascending order, each once");
        }
        edges.push(edge);
    }
    edges
}

fn edge(column_type: ColumnType, value: &Value) -> Option<f64> {
    let constant = literal(column_type, &constant(value)?)?;
    match (value, constant) {
        (Value::String(_), ScalarValue::Date32(Some(days))) => Some(f64::from(days)),
        #[expect(clippy::cast_precision_loss, reason = "whole numbers up to 2^53 are exact")]
        (Value::Integer(number), _) => (number.unsigned_abs() <= LARGEST_EDGE).then_some(*number as f64),
        (Value::Float(number), _) => number.is_finite().then_some(*number),
        _ => None,
    }
}

/// All values that a dimension can have, as texts of the column's type.
pub(super) fn domains(
    file: &File,
    raw: &raw::Dataset,
    columns: &[Column],
    report: &mut Report,
) -> HashMap<Name, Vec<String>> {
    let mut found = HashMap::new();
    for (raw_column, column) in pairs(raw, columns) {
        let Some(said) = &raw_column.domain else {
            continue;
        };
        let name = &column.name;
        if !statistics_only(file, raw, &format!("domain of column {name}"), said.span(), report) {
            continue;
        }
        if column.role != Role::Dimension {
            let what = format!("column {name} has a domain, but is no dimension");
            file.problem(report, said.span(), what, "leave it out, or set role = \"dimension\"");
            continue;
        }
        let domain = domain(file, name, column.column_type, said, report);
        found.extend(domain.map(|domain| (name.clone(), domain)));
    }
    found
}

/// The values of one domain, each of the type, none twice, 1 to 10,000 of them.
pub(in super::super) fn domain(
    file: &File,
    name: &Name,
    column_type: ColumnType,
    said: &Spanned<Vec<Spanned<Value>>>,
    report: &mut Report,
) -> Option<Vec<String>> {
    let size = said.get_ref().len();
    if !(1..=LARGEST_DOMAIN).contains(&size) {
        let what = format!("column {name}: domain holds {size} values");
        file.problem(report, said.span(), what, format!("write 1 to {LARGEST_DOMAIN}, or leave it out"));
        return None;
    }
    let mut seen = HashSet::with_capacity(size);
    let mut domain = Vec::with_capacity(size);
    for value in said.get_ref() {
        let text = constant(value.get_ref());
        let Some((text, literal)) = text.and_then(|text| literal(column_type, &text).map(|literal| (text, literal)))
        else {
            let what = format!("column {name}: {} in domain is no {column_type}", value.get_ref());
            file.problem(report, value.span(), what, "write text, numbers or booleans of the column's type");
            continue;
        };
        if !seen.insert(literal) {
            let what = format!("column {name}: {} stands twice in domain", value.get_ref());
            file.problem(report, value.span(), what, "remove one");
        }
        domain.push(text);
    }
    Some(domain)
}

/// A constant's text, if it is one.
pub(in super::super) fn constant(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(truth) => Some(truth.to_string()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}

/// The columns as written, beside what they were found to be; those that were refused are left out.
fn pairs<'a>(
    raw: &'a raw::Dataset,
    columns: &'a [Column],
) -> impl Iterator<Item = (&'a raw::Column, &'a Column)> + use<'a> {
    raw.columns.iter().filter_map(|said| {
        columns.iter().find(|column| column.name.as_str() == said.name.get_ref()).map(|column| (said, column))
    })
}
