//! What holds in every row of a dataset: a column's one value, or the range of its values.

use meridian_proto::{Column, ColumnType, Coverage, Covers};
use toml::{Spanned, Table, Value};

use super::super::problem::{File, Report};
use super::super::raw;
use super::values;
use crate::sources::literal;

const ENDS: &str = "write from, to or both, as in { from = 1, to = 9 }";

/// The coverage of each column that has one.
pub(super) fn check(file: &File, raw: &raw::Dataset, columns: &[Column], report: &mut Report) -> Vec<Coverage> {
    let mut found = Vec::with_capacity(raw.coverage.len());
    for (name, said) in &raw.coverage {
        let Some(column) = columns.iter().find(|column| column.name.as_str() == name.get_ref()) else {
            let what = format!("coverage names `{}`, which is no published column", name.get_ref());
            file.problem(report, name.span(), what, "name one of [[columns]]");
            continue;
        };
        match covers(column, said) {
            Ok(covers) => found.push(Coverage { column: column.name.clone(), covers }),
            Err((what, fix)) => file.problem(report, said.span(), format!("coverage of {} {what}", column.name), fix),
        }
    }
    found
}

/// What is covered, or what is wrong with it and what to do.
fn covers(column: &Column, said: &Spanned<Value>) -> Result<Covers, (String, &'static str)> {
    let column_type = column.column_type;
    match said.get_ref() {
        Value::Table(_) if !column_type.has_ranges() => Err((
            format!("is a range, but the column a {column_type}"),
            "write one value: only integers, decimals, dates and timestamps have ranges",
        )),
        Value::Table(table) => range(column, table),
        value => match text(column, value) {
            Some(text) => Ok(Covers::Value(text)),
            None => {
                let fix = "write the value as text or as a number of the column's type";
                Err((format!("is no {column_type}"), fix))
            }
        },
    }
}

fn range(column: &Column, table: &Table) -> Result<Covers, (String, &'static str)> {
    if let Some(key) = table.keys().find(|key| !matches!(key.as_str(), "from" | "to")) {
        return Err((format!("has the unknown key `{key}`"), ENDS));
    }
    let end = |key| match table.get(key) {
        None => Ok(None),
        Some(value) => text(column, value).map(Some).ok_or_else(|| {
            let fix = "write the end as text or as a number of the column's type";
            (format!("has an end, {key}, that is no {}", column.column_type), fix)
        }),
    };
    let (from, to) = (end("from")?, end("to")?);
    let value = |text: &Option<String>| text.as_ref().and_then(|text| literal(column.column_type, text));
    match (value(&from), value(&to)) {
        (None, None) => Err(("is a range without ends".into(), ENDS)),
        (Some(lowest), Some(highest)) if lowest > highest => {
            Err(("has a from above its to".into(), "write the lowest value as from, the highest as to"))
        }
        _ => Ok(Covers::Range { from, to }),
    }
}

/// A constant's text, if it is one of the column's type.
fn text(column: &Column, value: &Value) -> Option<String> {
    let text = match value {
        Value::Datetime(moment) => Some(moment.to_string()),
        other => values::constant(other),
    };
    text.filter(|text| literal(column.column_type, text).is_some() && is_whole(column.column_type, text))
}

/// Whether a number has no more digits behind the point than its type, which would round it: of a range's end, out of the range.
fn is_whole(column_type: ColumnType, text: &str) -> bool {
    let ColumnType::Decimal(_, scale) = column_type else { return true };
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let behind = number.split_once('.').map_or(0, |(_, behind)| behind.trim_end_matches('0').len());
    let (Ok(behind), Ok(exponent)) = (i64::try_from(behind), exponent.parse::<i64>()) else { return false };
    behind.saturating_sub(exponent) <= i64::from(scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_with_more_digits_than_its_column_is_none() {
        let cost = ColumnType::Decimal(10, 2);
        for (text, whole) in [
            ("12", true),
            ("12.34", true),
            ("12.3400", true),
            ("-0.5", true),
            ("12.345", false),
            ("-0.001", false),
            ("1e-2", true),
            ("1e-3", false),
            ("12.345e1", true),
        ] {
            assert_eq!(is_whole(cost, text), whole, "{text}");
        }
        assert!(is_whole(ColumnType::Double, "0.125"));
    }
}
