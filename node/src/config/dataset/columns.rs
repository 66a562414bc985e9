//! Checks a dataset's columns: names, types, roles and bounds.

use std::collections::{HashMap, HashSet};

use meridian_proto::{Column, ColumnType, Form, Name, Role};
use toml::Spanned;

use super::super::problem::{File, Report};
use super::super::raw;

pub(super) fn check(file: &File, raw: &raw::Dataset, report: &mut Report) -> Vec<Column> {
    if raw.columns.is_empty() && *raw.form.get_ref() != Form::None {
        file.problem(report, raw.name.span(), "there are no [[columns]]", "add one for each published column");
    }
    let mut seen = HashSet::new();
    let mut columns = Vec::with_capacity(raw.columns.len());
    for column in &raw.columns {
        let name = file.name(report, "name", &column.name);
        let column_type = column_type(file, &column.column_type, report);
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
        if column_type == ColumnType::Bytea && matches!(role, Role::Dimension | Role::Identifier) {
            let what = format!("column {name} is a {role} of type {column_type}");
            let fix = "leave role out: bytes are no label and name no unit; publish what a mapping makes of them";
            file.problem(report, column.column_type.span(), what, fix);
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

/// A column's type, or a problem.
pub(in super::super) fn column_type(file: &File, text: &Spanned<String>, report: &mut Report) -> Option<ColumnType> {
    let found = text.get_ref().parse().ok();
    if found.is_none() {
        let what = format!("type is {:?}, which is no column type", text.get_ref());
        let fix = "write boolean, integer, bigint, double, decimal(precision,scale), varchar, date, timestamp or bytea";
        file.problem(report, text.span(), what, fix);
    }
    found
}

pub(super) fn is_number(column_type: ColumnType) -> bool {
    match column_type {
        ColumnType::Integer | ColumnType::Bigint | ColumnType::Double | ColumnType::Decimal(_, _) => true,
        ColumnType::Boolean | ColumnType::Varchar | ColumnType::Date | ColumnType::Timestamp | ColumnType::Bytea => {
            false
        }
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

pub(super) fn bounds(file: &File, raw: &raw::Dataset, report: &mut Report) -> HashMap<Name, (f64, f64)> {
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
