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

/// The value of the standard's column, made of a column of texts, which are trimmed or not.
pub(super) fn value(column: &StandardColumn, name: &str, profile: &Profile, trimmed: bool) -> String {
    let source = identifier(name);
    let there = if trimmed { source.clone() } else { format!("clean({source})") };
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
            format!("CAST(CAST({} AS DOUBLE) AS {})", number(&source, &there, profile), sql_type(column.column_type))
        }
        // An amount as people write it is one to the function, which the mapping's own type then holds.
        ColumnType::Decimal(_, 0..=2) if profile.is_money => format!("parse_money({source})"),
        ColumnType::Integer | ColumnType::Bigint | ColumnType::Double | ColumnType::Decimal(..) => {
            format!("CAST({} AS {})", number(&source, &there, profile), sql_type(column.column_type))
        }
        ColumnType::Date => day(&source, &there, profile),
        ColumnType::Timestamp => format!("CAST({} AS TIMESTAMP)", day(&source, &there, profile)),
        ColumnType::Bytea => format!("st_geomfromtext({there})"),
    }
}

/// What a dash alone becomes, where there is one among the amounts: accounts write it for zero, and others for nothing.
pub(super) fn dash(column: &StandardColumn, profile: &Profile) -> Option<&'static str> {
    let by_function = value(column, "", profile, true).contains("parse_money");
    let is_number = matches!(
        column.column_type,
        ColumnType::Integer | ColumnType::Bigint | ColumnType::Double | ColumnType::Decimal(..)
    );
    (is_number && profile.dashes).then_some(if by_function { "0" } else { "NULL" })
}

/// A number that CAST takes. What `parse_money` reads without loss it reads; otherwise signs of money and thousands are taken
/// away, brackets or a minus behind it make it negative, and anything else stays, so that it is found when the source is read.
fn number(source: &str, there: &str, profile: &Profile) -> String {
    if profile.is_plain {
        return there.to_owned();
    }
    if profile.is_money && profile.fine == 0.0 {
        return format!("parse_money({source})");
    }
    let mut bare = format!("replace({there}, '(', '-')");
    if profile.minus_behind {
        bare = format!("regexp_replace({bare}, '^(.*)-$', '-$1')");
    }
    let bare = format!("regexp_replace({bare}, '[£$€,)\\s]', '', 'g')");
    let bare = if profile.dashes { format!("NULLIF(NULLIF({bare}, '-'), '–')") } else { bare };
    format!("NULLIF({bare}, '')")
}

/// A day: as `parse_date_uk` reads it, or in the layouts that the file has where that does not.
fn day(source: &str, there: &str, profile: &Profile) -> String {
    if profile.is_uk || profile.layouts.is_empty() {
        return format!("parse_date_uk({source})");
    }
    let mut day = there.to_owned();
    if profile.timed {
        // What stands behind the day: a time after a blank, or after the T of ISO 8601.
        day = format!("regexp_replace({day}, '[T ][0-9]+:.*$', '')");
    }
    let layouts: Vec<String> = profile.layouts.iter().map(|layout| text(layout)).collect();
    format!("to_date({day}, {})", layouts.join(", "))
}

/// Whether a row has anything in this column.
pub(super) fn has_text(name: &str) -> String {
    format!("clean({}) IS NOT NULL", identifier(name))
}

/// Whether a row is other than one that totals those above.
pub(super) fn no_total(name: &str) -> String {
    let name = identifier(name);
    format!("NOT regexp_like(coalesce({name}, ''), '^\\s*(grand|sub|overall)?[ -]?totals?:?\\s*$', 'i')")
}
