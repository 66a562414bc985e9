//! `meridian catalogue`: the datasets that one may see, with their columns.

mod export;
mod search;

use std::io::Write;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use arrow_flight::IpcMessage;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::Error;
use super::client::Client;
use super::format::{Format, printable_json, sql_type};
use super::output::Output;
use super::profile::Connection;
use export::Export;
use search::Search;

/// Options of `meridian catalogue`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Catalogue {
    #[command(subcommand)]
    verb: Option<Verb>,
    /// Only the datasets of bodies whose name matches; % stands for any text
    #[arg(long, value_name = "PATTERN")]
    body: Option<String>,
    /// How the list is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    connection: Connection,
}

/// What else can be done with the catalogue.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Find datasets by words: titles, columns, concepts, publishers, keywords
    Search(Search),
    /// Print what the public may know of all datasets, in a form that other catalogues take
    Export(Export),
}

/// A dataset as it is listed.
struct Entry {
    dataset: String,
    title: String,
    form: String,
    last_change: String,
    freshness: String,
    quality: String,
    columns: String,
}

impl Catalogue {
    /// Lists and prints.
    pub(crate) async fn run(self, out: &mut dyn Write) -> Result<(), Error> {
        match self.verb {
            Some(Verb::Search(search)) => return search.run(out).await,
            Some(Verb::Export(export)) => return export.run(out).await,
            None => {}
        }
        Output { format: Some(self.format), ..Output::default() }.check()?;
        let profile = self.connection.resolve()?;
        let listings = listings(&mut Client::new(&profile)?, self.body).await?;
        let entries: Vec<Entry> = listings.iter().map(Listing::entry).collect();
        write(&entries, self.format, out)
    }
}

/// The bodies of the datasets that one may see.
pub(crate) async fn bodies(client: &mut Client) -> Result<Vec<String>, Error> {
    let mut answer = client.tables(None).await?;
    let mut bodies = Vec::new();
    while let Some(batch) = answer.next().await? {
        if let Some(column) = strings(&batch, "db_schema_name") {
            bodies.extend(column.iter().flatten().map(str::to_owned));
        }
    }
    Ok(bodies)
}

fn strings<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a StringArray> {
    batch.column_by_name(name)?.as_string_opt::<i32>()
}

/// A dataset that one may see, with what is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing {
    /// The federation.
    pub(crate) catalog: String,
    /// The body.
    pub(crate) body: String,
    /// The dataset's own name.
    pub(crate) table: String,
    /// Its columns, and what is told of it and of them in their metadata.
    pub(crate) schema: Schema,
}

impl Listing {
    /// Its full name.
    pub(crate) fn name(&self) -> String {
        let parts = [&self.catalog, &self.body, &self.table].map(String::as_str);
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
    }

    /// The names of its columns.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &str> {
        self.schema.fields().iter().map(|field| field.name().as_str())
    }

    /// What is told of it under a key; empty where nothing is.
    pub(crate) fn said(&self, key: &str) -> &str {
        self.schema.metadata().get(key).map(String::as_str).unwrap_or_default()
    }

    fn entry(&self) -> Entry {
        let said = |key| self.said(key).to_owned();
        Entry {
            dataset: self.name(),
            title: said("title"),
            form: said("form"),
            last_change: said("last_change"),
            freshness: said("freshness"),
            quality: said("quality"),
            columns: self.schema.fields().iter().map(|field| column(field)).collect::<Vec<_>>().join(", "),
        }
    }
}

/// The datasets that one may see, of bodies whose name matches.
pub(crate) async fn listings(client: &mut Client, body: Option<String>) -> Result<Vec<Listing>, Error> {
    let mut answer = client.tables(body).await?;
    let mut listings = Vec::new();
    while let Some(batch) = answer.next().await? {
        let read = read(&batch);
        listings.extend(read.ok_or_else(|| Error::Answer {
            node: client.node().to_owned(),
            problem: "is not a list of tables as Flight SQL has it: is it a Meridian node?".into(),
        })?);
    }
    Ok(listings)
}

/// None: the batch is no answer to GetTables with schemas.
fn read(batch: &RecordBatch) -> Option<Vec<Listing>> {
    let catalogs = strings(batch, "catalog_name")?;
    let bodies = strings(batch, "db_schema_name")?;
    let names = strings(batch, "table_name")?;
    let schemas = batch.column_by_name("table_schema")?.as_binary_opt::<i32>()?;
    let text =
        |column: &StringArray, row| if column.is_valid(row) { column.value(row).to_owned() } else { String::new() };
    let listing = |row: usize| {
        let schema = Schema::try_from(IpcMessage(schemas.value(row).to_vec().into())).ok()?;
        Some(Listing { catalog: text(catalogs, row), body: text(bodies, row), table: text(names, row), schema })
    };
    (0..batch.num_rows()).map(listing).collect()
}

/// A column and its type in the words of SQL.
fn column(field: &Field) -> String {
    format!("{} {}", field.name(), sql_type(field.data_type()))
}

/// A column of the list.
type Text = fn(&Entry) -> &str;

fn write(entries: &[Entry], format: Format, out: &mut dyn Write) -> Result<(), Error> {
    let columns: [(&str, Text); 7] = [
        ("dataset", |entry| &entry.dataset),
        ("title", |entry| &entry.title),
        ("form", |entry| &entry.form),
        ("last_change", |entry| &entry.last_change),
        ("freshness", |entry| &entry.freshness),
        ("quality", |entry| &entry.quality),
        ("columns", |entry| &entry.columns),
    ];
    let columns = columns.map(|(name, of)| (name, StringArray::from_iter_values(entries.iter().map(of))));
    let output = Output { format: Some(format), ..Output::default() };
    output.write_texts(columns.into(), out)
}

/// Writes JSON whose texts act on no terminal.
fn document(value: &Value, out: &mut dyn Write) -> Result<(), Error> {
    let text = format!("{value:#}");
    for line in text.lines() {
        writeln!(out, "{}", printable_json(line))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use arrow::datatypes::DataType;
    use arrow_flight::sql::CommandGetTables;

    use super::*;

    #[test]
    fn what_flight_sql_lists_is_shown_in_words_of_sql() {
        let schema = Schema::new(vec![
            Field::new("borough_gss", DataType::Utf8, true),
            Field::new("year", DataType::Int32, true),
        ]);
        let said = [
            ("title", "Dwelling fires"),
            ("form", "statistics"),
            ("last_change", "2026-11-01"),
            ("freshness", "overdue"),
            ("quality", "1 check passed"),
        ];
        let schema = schema.with_metadata(said.map(|(key, text)| (key.to_owned(), text.to_owned())).into());
        let mut tables = CommandGetTables { include_schema: true, ..CommandGetTables::default() }.into_builder();
        tables.append("london", "lfb", "incidents", "TABLE", &schema).unwrap();
        let listed: Vec<_> = read(&tables.build().unwrap()).unwrap().iter().map(Listing::entry).collect();
        let mut out = Vec::new();
        write(&listed, Format::Csv, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "dataset,title,form,last_change,freshness,quality,columns\nlondon.lfb.incidents,Dwelling fires,statistics,2026-11-01,\
             overdue,1 check passed,\"borough_gss varchar, year integer\"\n"
        );
    }
}
