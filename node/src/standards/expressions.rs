//! The SQL that makes a value of a column's type out of the texts of a file: all of it stands here.

use meridian_proto::ColumnType;

use super::values::Profile;
use super::{Kind, StandardColumn, ValidValues};

/// A name as SQL has it.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as SQL has it.
fn text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The type as SQL has it.
fn sql_type(column_type: ColumnType) -> String {
    column_type.to_string().to_uppercase()
}

/// The value of the standard's column where the file has none.
pub(super) fn nothing(column: &StandardColumn) -> String {
    format!("CAST(NULL AS {})", sql_type(column.column_type))
}

/// The value of the standard's column, made of a column of texts.
pub(super) fn value(column: &StandardColumn, name: &str, profile: &Profile) -> String {
    let source = identifier(name);
    let there = format!("NULLIF(trim({source}), '')");
    match column.column_type {
        ColumnType::Varchar if column.kind == Kind::Borough => format!("borough_gss({source})"),
        ColumnType::Varchar => match &column.values {
            Some(ValidValues::List(known)) if known.iter().all(|known| *known == known.to_lowercase()) => {
                format!("lower({there})")
            }
            _ => there,
        },
        ColumnType::Boolean => format!(
            "CASE WHEN lower({there}) IN ('y', 'yes', 'true', 't', '1') THEN TRUE \
             WHEN lower({there}) IN ('n', 'no', 'false', 'f', '0') THEN FALSE END"
        ),
        ColumnType::Integer | ColumnType::Bigint if profile.whole < 0.999 => {
            format!("CAST(CAST({} AS DOUBLE) AS {})", number(&source, profile), sql_type(column.column_type))
        }
        ColumnType::Integer | ColumnType::Bigint | ColumnType::Double | ColumnType::Decimal(..) => {
            format!("CAST({} AS {})", number(&source, profile), sql_type(column.column_type))
        }
        ColumnType::Date => day(&source, profile),
        ColumnType::Timestamp => format!("CAST({} AS TIMESTAMP)", day(&source, profile)),
        ColumnType::Bytea => format!("st_geomfromtext({there})"),
    }
}

/// A number without signs of money and thousands; in an accountant's brackets, or with a minus behind it, it is below zero.
/// Anything else stays, so that it is found when the source is read.
fn number(source: &str, profile: &Profile) -> String {
    let mut bare = format!("replace({source}, '(', '-')");
    if profile.minus_behind {
        bare = format!("regexp_replace(trim({bare}), '^(.*)-$', '-$1')");
    }
    let bare = format!("regexp_replace({bare}, '[£$€,)\\s]', '', 'g')");
    let bare = if profile.dashes { format!("NULLIF(NULLIF({bare}, '-'), '–')") } else { bare };
    format!("NULLIF({bare}, '')")
}

/// A day in one of the layouts that the file has.
fn day(source: &str, profile: &Profile) -> String {
    let mut day = format!("trim({source})");
    if profile.timed {
        // What stands behind the day: a time after a blank, or after the T of ISO 8601.
        day = format!("regexp_replace({day}, '[T ][0-9]+:.*$', '')");
    }
    let day = format!("NULLIF({day}, '')");
    match profile.layouts.as_slice() {
        [] | ["%Y-%m-%d"] => format!("CAST({day} AS DATE)"),
        layouts => {
            let layouts: Vec<String> = layouts.iter().map(|layout| text(layout)).collect();
            format!("to_date({day}, {})", layouts.join(", "))
        }
    }
}

/// Whether a row has a number in this column, as no heading and no empty row has.
pub(super) fn has_number(name: &str) -> String {
    format!("regexp_like({}, '[0-9]')", identifier(name))
}

/// Whether a row has anything in this column.
pub(super) fn has_text(name: &str) -> String {
    format!("NULLIF(trim({}), '') IS NOT NULL", identifier(name))
}

/// Whether a row is other than one that totals those above.
pub(super) fn no_total(name: &str) -> String {
    let name = identifier(name);
    format!("NOT regexp_like(coalesce({name}, ''), '^\\s*(grand|sub|overall)?[ -]?totals?:?\\s*$', 'i')")
}

/// Whether a cell is other than the heading above it.
pub(super) fn no_heading(name: &str, heading: &str) -> String {
    format!("trim({}) <> {}", identifier(name), text(heading))
}
