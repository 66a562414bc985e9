//! What a dataset's rows are about, and the checks of its [unit]: statistics protect it, and in each form its rights hold.

use meridian_proto::{Column, ColumnType, Form, Name, Role};
use toml::Spanned;

use super::super::problem::{File, Report};
use super::super::raw;

/// What a dataset's rows are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitConfig {
    /// Such as `dwelling` or `person`.
    pub kind: Name,
    /// How the unit of a row is known.
    pub key: UnitKey,
    /// A hidden integer column with values from 0 to 255 that takes the place of the computed record key.
    pub record_key: Option<Name>,
    /// Another kind of unit that protects.
    pub belongs_to: Option<Belongs>,
}

/// How the unit of a row is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitKey {
    /// Each row is a unit of its own.
    EachRow,
    /// A column names it.
    Column {
        /// The published column.
        name: Name,
        /// Whether no unit has two rows; checked when the source is loaded.
        unique: bool,
    },
}

/// The unit of another kind to which a row's unit belongs, such as a person's household.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Belongs {
    /// Its kind.
    pub kind: Name,
    /// The published column that names it.
    pub column: Name,
}

pub(super) fn check(file: &File, raw: &raw::Dataset, columns: &[Column], report: &mut Report) -> Option<UnitConfig> {
    let form = *raw.form.get_ref();
    let Some(unit) = &raw.unit else {
        if form == Form::Statistics {
            let fix = "add [unit] with kind, and column or rows = true: it is what is protected";
            file.problem(report, raw.form.span(), "form is statistics, but there is no [unit]", fix);
        }
        return None;
    };
    if form == Form::None {
        let what = format!("[unit] stands in a dataset of form {form}");
        file.problem(report, unit.span(), what, "leave it out: nothing of it is released");
    }
    let kind = file.name(report, "unit.kind", &unit.get_ref().kind);
    let key = unit_key(file, unit, columns, report);
    let record_key =
        unit.get_ref().record_key.as_ref().and_then(|text| record_key(file, text, key.as_ref(), columns, report));
    let belongs_to = unit
        .get_ref()
        .belongs_to
        .as_ref()
        .and_then(|belongs| belongs_to(file, belongs.get_ref(), kind.as_ref(), key.as_ref(), columns, report));
    Some(UnitConfig { kind: kind?, key: key?, record_key, belongs_to })
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
            let found = naming(file, "unit.column", column, columns, report)?;
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

/// A column that may name a unit.
fn naming<'a>(
    file: &File,
    key: &str,
    text: &Spanned<String>,
    columns: &'a [Column],
    report: &mut Report,
) -> Option<&'a Column> {
    let Some(found) = columns.iter().find(|found| found.name.as_str() == text.get_ref()) else {
        let what = format!("{key} is `{}`, which is no published column", text.get_ref());
        file.problem(report, text.span(), what, "add it to [[columns]], with role identifier or hidden");
        return None;
    };
    if !matches!(found.role, Role::Identifier | Role::Hidden) {
        let what = format!("{key} is `{}`, which has the role {}", found.name, found.role);
        let fix = "give it the role identifier or hidden: an answer never names a unit";
        file.problem(report, text.span(), what, fix);
    }
    Some(found)
}

fn is_key(name: &Name, key: Option<&UnitKey>) -> bool {
    matches!(key, Some(UnitKey::Column { name: own, .. }) if own == name)
}

fn record_key(
    file: &File,
    text: &Spanned<String>,
    key: Option<&UnitKey>,
    columns: &[Column],
    report: &mut Report,
) -> Option<Name> {
    let Some(Column { name, column_type, role, .. }) =
        columns.iter().find(|found| found.name.as_str() == text.get_ref())
    else {
        let what = format!("unit.record_key is `{}`, which is no published column", text.get_ref());
        file.problem(report, text.span(), what, "add it to [[columns]], with type integer and role hidden");
        return None;
    };
    let (what, fix) = if *role != Role::Hidden {
        let what = format!("unit.record_key is `{name}`, which has the role {role}");
        (what, "give it the role hidden: who knows record keys can take the noise off")
    } else if !matches!(column_type, ColumnType::Integer | ColumnType::Bigint) {
        let what = format!("unit.record_key is `{name}`, which has the type {column_type}");
        (what, "choose a column of type integer or bigint, with values from 0 to 255")
    } else if is_key(name, key) {
        (format!("unit.record_key is `{name}`, as is unit.column"), "choose another column, or leave record_key out")
    } else {
        return Some(name.clone());
    };
    file.problem(report, text.span(), what, fix);
    None
}

fn belongs_to(
    file: &File,
    raw: &raw::Belongs,
    own: Option<&Name>,
    key: Option<&UnitKey>,
    columns: &[Column],
    report: &mut Report,
) -> Option<Belongs> {
    let kind = file.name(report, "unit.belongs_to.kind", &raw.kind);
    if kind.is_some() && kind.as_ref() == own {
        let what = format!("unit.belongs_to.kind is `{}`, as is unit.kind", raw.kind.get_ref());
        file.problem(report, raw.kind.span(), what, "name another kind of unit, or leave belongs_to out");
    }
    let Column { name, .. } = naming(file, "unit.belongs_to.column", &raw.column, columns, report)?;
    if is_key(name, key) {
        let what = format!("unit.belongs_to.column is `{name}`, as is unit.column");
        file.problem(report, raw.column.span(), what, "name the column of the other unit, or leave belongs_to out");
    }
    Some(Belongs { kind: kind?, column: name.clone() })
}
