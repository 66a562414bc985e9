//! The file of a dataset that maps a file to a standard, for a person to correct.

use meridian_proto::ColumnType;

use super::expressions::{has_text, identifier, no_total, nothing, value};
use super::proposal::{Origin, Proposal};
use super::sheet::Sheet;
use super::{Kind, Standard, StandardColumn};
use crate::sources::{CsvFormat, ExcelFormat, SourceKind, Tidy};

/// The dataset's file (TOML). It loads as it is, where no required column is lacking, and lets nothing leave: its form is a
/// person's decision.
pub fn draft(sheet: &Sheet, standard: &Standard, proposal: &Proposal) -> String {
    let Standard { name, title, columns, .. } = standard;
    let path = sheet.path.canonicalize().unwrap_or_else(|_| sheet.path.clone());
    let mut file = format!(
        "# Proposed by `meridian standard map`. Look at each line, say who may have it (form), and then publish it.\n\
         name = \"{name}\"\n\
         title = {}\n\
         description = \"\"\n\
         licence = \"to be decided\"\n\
         form = \"none\"\n\
         standard = \"{name}\"\n\n\
         [source]\n\
         {}",
        quoted(title),
        source(&path.display().to_string(), &sheet.kind),
    );
    file.push_str(&format!("\n[mapping]\nsql = {}\n", literal(&mapping(sheet, standard, proposal))));
    for column in columns {
        file.push_str(&self::column(column));
    }
    file
}

/// How the file is read, in as few keys as it needs.
fn source(path: &str, kind: &SourceKind) -> String {
    let plain = CsvFormat::default();
    let (word, format, sheet) = match kind {
        SourceKind::Excel(ExcelFormat { sheet, header, skip, tidy }) => {
            let format = CsvFormat { header: *header, skip: *skip, tidy: *tidy, ..plain.clone() };
            ("excel", format, sheet.as_deref())
        }
        SourceKind::JsonLines => ("jsonl", plain.clone(), None),
        SourceKind::GeoJson => ("geojson", plain.clone(), None),
        SourceKind::Csv(format) => ("csv", format.clone(), None),
        _ => ("csv", plain.clone(), None),
    };
    let CsvFormat { delimiter, header, encoding, skip, pad, tidy: Tidy { trim, blank_rows, repeated_headings } } =
        format;
    let dropped: Vec<&str> = [(blank_rows, "\"blank_rows\""), (repeated_headings, "\"repeated_headings\"")]
        .into_iter()
        .filter_map(|(is, word)| is.then_some(word))
        .collect();
    let keys = [
        Some(format!("kind = \"{word}\"")),
        Some(format!("path = {}", quoted(path))),
        sheet.map(|sheet| format!("sheet = {}", quoted(sheet))),
        (delimiter != plain.delimiter).then(|| format!("delimiter = {}", quoted(&char::from(delimiter).to_string()))),
        encoding.map(|encoding| format!("encoding = {}", quoted(&encoding.name().to_lowercase()))),
        (!header).then(|| "header = false".to_owned()),
        (skip > 0).then(|| format!("skip = {skip}")),
        pad.then(|| "pad = true".to_owned()),
        trim.then(|| "trim = true".to_owned()),
        (!dropped.is_empty()).then(|| format!("drop = [{}]", dropped.join(", "))),
    ];
    keys.into_iter().flatten().map(|key| format!("{key}\n")).collect()
}

/// A SELECT over the file, a line for each column of the standard.
fn mapping(sheet: &Sheet, standard: &Standard, proposal: &Proposal) -> String {
    let line = |column: &StandardColumn| {
        let from = origin(proposal, column);
        let value =
            from.map_or_else(|| nothing(column), |from| value(column, &from.name, &from.profile, is_trimmed(sheet)));
        format!("  {value} AS {}", identifier(column.name.as_str()))
    };
    let lines: Vec<String> = standard.columns.iter().map(line).collect();
    let conditions = conditions(sheet, standard, proposal);
    let only = if conditions.is_empty() { String::new() } else { format!("WHERE {}\n", conditions.join("\n  AND ")) };
    format!("SELECT\n{}\nFROM source\n{only}", lines.join(",\n"))
}

/// Which rows of the file are records, where not all of them are.
fn conditions(sheet: &Sheet, standard: &Standard, proposal: &Proposal) -> Vec<String> {
    let mapped: Vec<(&StandardColumn, &Origin)> =
        standard.columns.iter().filter_map(|column| Some((column, origin(proposal, column)?))).collect();
    // Regions and sums of boroughs stand among boroughs.
    let regions = mapped
        .iter()
        .filter(|(column, from)| column.required && column.kind == Kind::Borough && from.profile.boroughs < 1.0);
    let is_borough = |(column, from): (&StandardColumn, &Origin)| {
        format!("{} IS NOT NULL", value(column, &from.name, &from.profile, is_trimmed(sheet)))
    };
    let mut conditions: Vec<String> = regions.map(|(column, from)| is_borough((column, from))).collect();
    if sheet.has_remarks {
        let required = mapped.iter().filter(|(column, _)| column.required);
        let number = required.clone().find(|(_, from)| from.profile.numbers > 0.9);
        conditions.extend(number.or(required.clone().next()).map(|(_, from)| has_text(&from.name)));
    }
    if sheet.has_totals {
        // The word stands in the first column of texts, mostly.
        let texts = sheet.columns.iter().find(|column| column.has_total);
        conditions.extend(texts.map(|column| no_total(&column.name)));
    }
    conditions
}

/// Whether the source cuts blanks off cells.
fn is_trimmed(sheet: &Sheet) -> bool {
    matches!(sheet.kind, SourceKind::Csv(_) | SourceKind::Excel(_))
}

fn origin<'a>(proposal: &'a Proposal, column: &StandardColumn) -> Option<&'a Origin> {
    proposal.found.iter().find(|found| found.column == column.name)?.from.as_ref()
}

fn column(column: &StandardColumn) -> String {
    let StandardColumn { name, column_type, concept, required, description, .. } = column;
    let role = match column_type {
        ColumnType::Integer | ColumnType::Double | ColumnType::Decimal(..) => "measure",
        ColumnType::Bigint => "identifier",
        ColumnType::Boolean | ColumnType::Varchar | ColumnType::Date | ColumnType::Timestamp => "dimension",
        ColumnType::Bytea => "hidden",
    };
    let mut text = format!("\n[[columns]]\nname = \"{name}\"\ntype = \"{column_type}\"\nrole = \"{role}\"\n");
    if !concept.is_empty() {
        text.push_str(&format!("concept = {}\n", quoted(concept)));
    }
    if *required {
        text.push_str("required = true\n");
    }
    text.push_str(&format!("description = {}\n", quoted(description)));
    text
}

/// A TOML string on one line.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A TOML string of several lines in which nothing is escaped, where the text allows it.
fn literal(text: &str) -> String {
    if text.contains("'''") || text.contains(|c: char| c.is_control() && c != '\n') {
        return quoted(text);
    }
    format!("'''\n{text}'''")
}
