//! Datasets, columns, bodies and agreements as the shell shows them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use arrow::array::StringArray;

use super::super::Error;
use super::super::catalogue::Listing;
use super::super::format::{printable, printable_lines, sql_type};
use super::super::output::Output;
use super::names::Names;

/// The key of Flight SQL for what is said of a column.
const REMARKS: &str = "ARROW:FLIGHT:SQL:REMARKS";

/// All datasets, those of a body, or one with its columns.
pub(super) fn datasets(names: &Names, name: Option<&str>, output: &Output, out: &mut dyn Write) -> Result<(), Error> {
    let found = match name {
        None => names.datasets.iter().collect(),
        Some(name) => names.found(name),
    };
    match (found.as_slice(), name) {
        ([], Some(name)) => {
            let near = names.like(name).map(|near| format!("did you mean {near}? ")).unwrap_or_default();
            Err(Error::Usage(format!(
                "there is no dataset or body {} that you may see: {near}\\d lists all",
                printable(name)
            )))
        }
        ([one], Some(_)) => dataset(names, one, output, out),
        (several, _) => {
            let column = |of: fn(&Listing) -> &str| several.iter().map(|listing| of(listing).to_owned()).collect();
            let columns = vec![
                ("dataset", several.iter().map(|listing| names.short(listing)).collect()),
                ("form", column(|listing| listing.said("form"))),
                ("last change", column(|listing| listing.said("last_change"))),
                ("title", column(|listing| listing.said("title"))),
            ];
            table(columns, output, out)
        }
    }
}

fn dataset(names: &Names, listing: &Listing, output: &Output, out: &mut dyn Write) -> Result<(), Error> {
    writeln!(out, "{}  {}", names.short(listing), printable(listing.said("title")))?;
    for (key, name) in [
        ("description", ""),
        ("form", "form"),
        ("licence", "licence"),
        ("standard", "standard"),
        ("size", "size"),
        ("last_change", "last change"),
        ("update_frequency", "changes"),
        ("freshness", "freshness"),
        ("quality", "quality"),
        ("keywords", "keywords"),
    ] {
        let said = printable_lines(listing.said(key));
        if !said.is_empty() {
            let said = said.replace('\n', &format!("\n{:15}", ""));
            writeln!(out, "  {name:<13}{said}")?;
        }
    }
    writeln!(out)?;
    let fields = listing.schema.fields();
    let said = |key: &str| -> Vec<String> {
        fields.iter().map(|field| field.metadata().get(key).cloned().unwrap_or_default()).collect()
    };
    let columns = vec![
        ("column", fields.iter().map(|field| field.name().clone()).collect()),
        ("type", fields.iter().map(|field| sql_type(field.data_type())).collect()),
        ("role", said("role")),
        ("concept", said("concept")),
        ("unit", said("unit")),
        ("description", said(REMARKS)),
    ];
    let told =
        |(index, (_, texts)): &(usize, (&str, Vec<String>))| *index < 2 || texts.iter().any(|text| !text.is_empty());
    table(columns.into_iter().enumerate().filter(told).map(|(_, column)| column).collect(), output, out)
}

/// Who publishes what.
pub(super) fn bodies(names: &Names, output: &Output, out: &mut dyn Write) -> Result<(), Error> {
    let mut bodies: BTreeMap<String, Vec<&Listing>> = BTreeMap::new();
    for listing in names.datasets.iter().filter(|listing| !Names::is_every(&listing.body)) {
        bodies.entry(names.body_of(listing)).or_default().push(listing);
    }
    let newest =
        |of: &Vec<&Listing>| of.iter().map(|listing| listing.said("last_change")).max().unwrap_or_default().to_owned();
    let tables = |of: &Vec<&Listing>| of.iter().map(|listing| listing.table.as_str()).collect::<Vec<_>>().join(", ");
    let columns = vec![
        ("body", bodies.keys().cloned().collect()),
        ("last change", bodies.values().map(newest).collect()),
        ("datasets", bodies.values().map(tables).collect()),
    ];
    table(columns, output, out)
}

/// What is had by an agreement alone, and the agreements that stood behind answers.
pub(super) fn agreements(
    names: &Names,
    behind: &BTreeSet<String>,
    output: &Output,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let by_agreement: Vec<&Listing> =
        names.datasets.iter().filter(|listing| !matches!(listing.said("form"), "open" | "")).collect();
    let columns = vec![
        ("dataset", by_agreement.iter().map(|listing| names.short(listing)).collect()),
        ("form", by_agreement.iter().map(|listing| listing.said("form").to_owned()).collect()),
        ("title", by_agreement.iter().map(|listing| listing.said("title").to_owned()).collect()),
    ];
    writeln!(out, "These are not open: for which purpose you may have what of them, their owners' terms say.\n")?;
    table(columns, output, out)?;
    if behind.is_empty() {
        writeln!(out, "\nNo agreement has stood behind an answer yet. \\check tells which one would admit a question")?;
    } else {
        let behind: Vec<&str> = behind.iter().map(String::as_str).collect();
        writeln!(out, "\nBehind your answers so far: {}", printable(&behind.join(", ")))?;
    }
    out.flush()?;
    Ok(())
}

/// Columns of text, on the screen as answers are.
fn table(columns: Vec<(&str, Vec<String>)>, output: &Output, out: &mut dyn Write) -> Result<(), Error> {
    let screen = Output { wide: output.wide, no_pager: output.no_pager, ..Output::default() };
    screen.write_texts(columns.into_iter().map(|(name, texts)| (name, StringArray::from(texts))).collect(), out)
}
