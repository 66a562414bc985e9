//! The file of a dataset that maps a file to a standard, for a person to correct.

use meridian_proto::ColumnType;

use super::expressions::{has_number, has_text, identifier, no_heading, no_total, nothing, value};
use super::proposal::{Origin, Proposal};
use super::sheet::{Heading, Sheet};
use super::{Kind, Standard, StandardColumn};

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
         kind = \"csv\"\n\
         path = {}\n",
        quoted(title),
        quoted(&path.display().to_string()),
    );
    if sheet.delimiter != b',' {
        file.push_str(&format!("delimiter = {}\n", quoted(&char::from(sheet.delimiter).to_string())));
    }
    if sheet.heading != Heading::First {
        file.push_str("header = false\n");
    }
    file.push_str(&format!("\n[mapping]\nsql = {}\n", literal(&mapping(sheet, standard, proposal))));
    for column in columns {
        file.push_str(&self::column(column));
    }
    file
}

/// A SELECT over the file, a line for each column of the standard.
fn mapping(sheet: &Sheet, standard: &Standard, proposal: &Proposal) -> String {
    let line = |column: &StandardColumn| {
        let from = origin(proposal, column);
        let value = from.map_or_else(|| nothing(column), |from| value(column, &from.name, &from.profile));
        format!("  {value} AS {}", identifier(column.name.as_str()))
    };
    let lines: Vec<String> = standard.columns.iter().map(line).collect();
    let conditions = conditions(sheet, standard, proposal);
    let only = if conditions.is_empty() { String::new() } else { format!("WHERE {}\n", conditions.join("\n  AND ")) };
    format!("SELECT\n{}\nFROM source\n{only}", lines.join(",\n"))
}

/// Which rows of the file are records, where not all of them are.
fn conditions(sheet: &Sheet, standard: &Standard, proposal: &Proposal) -> Vec<String> {
    let mut conditions = Vec::new();
    let mapped: Vec<(&StandardColumn, &Origin)> =
        standard.columns.iter().filter_map(|column| Some((column, origin(proposal, column)?))).collect();
    if sheet.left_out.others > 0 {
        let number = mapped.iter().find(|(column, from)| column.required && from.profile.numbers > 0.9);
        let required = mapped.iter().find(|(column, _)| column.required).or(mapped.first());
        match (number, required) {
            (Some((_, from)), _) => conditions.push(has_number(&from.name)),
            (None, Some((_, from))) => {
                conditions.push(has_text(&from.name));
                let heading = sheet.columns.iter().find(|column| column.name == from.name);
                let heading = heading.filter(|column| sheet.heading == Heading::Below && !column.heading.is_empty());
                conditions.extend(heading.map(|column| no_heading(&from.name, &column.heading)));
            }
            (None, None) => {}
        }
    }
    // Regions and sums of boroughs stand among boroughs.
    let regions = mapped
        .iter()
        .filter(|(column, from)| column.required && column.kind == Kind::Borough && from.profile.boroughs < 1.0);
    conditions
        .extend(regions.map(|(column, from)| format!("{} IS NOT NULL", value(column, &from.name, &from.profile))));
    if sheet.left_out.totals > 0 {
        // The word stands in the first column of texts, mostly.
        let texts = sheet.columns.iter().find(|column| column.has_total);
        conditions.extend(texts.map(|column| no_total(&column.name)));
    }
    conditions
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
