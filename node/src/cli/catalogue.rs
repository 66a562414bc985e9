//! `meridian catalogue`: the datasets that one may see, with their columns.

mod export;
mod search;

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow_flight::IpcMessage;
use clap::{Args, Subcommand};
use serde_json::Value;

use super::Error;
use super::client::Client;
use super::format::{Format, FormatError, Sheet, printable_json};
use super::profile::Connection;
use super::query::Output;
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
        Output { format: self.format, ..Output::default() }.check()?;
        let profile = self.connection.resolve()?;
        let mut answer = Client::new(&profile)?.tables(self.body).await?;
        let mut entries = Vec::new();
        while let Some(batch) = answer.next().await? {
            let read = self::entries(&batch);
            entries.extend(read.ok_or_else(|| Error::Answer {
                node: profile.node.clone(),
                problem: "is not a list of tables as Flight SQL has it: is it a Meridian node?".into(),
            })?);
        }
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

/// None: the batch is no answer to GetTables with schemas.
fn entries(batch: &RecordBatch) -> Option<Vec<Entry>> {
    let catalogs = strings(batch, "catalog_name")?;
    let bodies = strings(batch, "db_schema_name")?;
    let names = strings(batch, "table_name")?;
    let schemas = batch.column_by_name("table_schema")?.as_binary_opt::<i32>()?;
    let entry = |row: usize| {
        let schema = Schema::try_from(IpcMessage(schemas.value(row).to_vec().into())).ok()?;
        let parts = [catalogs, bodies].map(|column| column.is_valid(row).then(|| column.value(row)));
        let name: Vec<&str> = parts.into_iter().flatten().chain([names.value(row)]).collect();
        Some(Entry {
            dataset: name.join("."),
            title: said(&schema, "title"),
            form: said(&schema, "form"),
            last_change: said(&schema, "last_change"),
            freshness: said(&schema, "freshness"),
            quality: said(&schema, "quality"),
            columns: schema.fields().iter().map(|field| column(field)).collect::<Vec<_>>().join(", "),
        })
    };
    (0..batch.num_rows()).map(entry).collect()
}

fn said(schema: &Schema, key: &str) -> String {
    schema.metadata().get(key).cloned().unwrap_or_default()
}

/// A column and its type in the words of SQL.
fn column(field: &Field) -> String {
    let kind = match field.data_type() {
        DataType::Boolean => "boolean".into(),
        DataType::Int32 => "integer".into(),
        DataType::Int64 => "bigint".into(),
        DataType::Float64 => "double".into(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        DataType::Utf8 => "varchar".into(),
        DataType::Date32 => "date".into(),
        DataType::Timestamp(_, None) => "timestamp".into(),
        DataType::Binary => "bytea".into(),
        other => other.to_string(),
    };
    format!("{} {kind}", field.name())
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
    texts(columns.into(), format, out)
}

/// Writes JSON whose texts act on no terminal.
fn document(value: &Value, out: &mut dyn Write) -> Result<(), Error> {
    let text = format!("{value:#}");
    for line in text.lines() {
        writeln!(out, "{}", printable_json(line))?;
    }
    Ok(())
}

/// Writes columns of text.
fn texts(columns: Vec<(&str, StringArray)>, format: Format, out: &mut dyn Write) -> Result<(), Error> {
    let fields = columns.iter().map(|(name, _)| Field::new(*name, DataType::Utf8, true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let columns = columns.into_iter().map(|(_, texts)| -> Arc<dyn Array> { Arc::new(texts) }).collect();
    let encode = |source| FormatError::Encode { format: "a list", source };
    let batch = RecordBatch::try_new(schema.clone(), columns).map_err(encode)?;
    let mut sheet = Sheet::new(format, schema)?;
    sheet.write(&batch, out)?;
    sheet.finish("", out)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
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
        let listed = entries(&tables.build().unwrap()).unwrap();
        let mut out = Vec::new();
        write(&listed, Format::Csv, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "dataset,title,form,last_change,freshness,quality,columns\nlondon.lfb.incidents,Dwelling fires,statistics,2026-11-01,\
             overdue,1 check passed,\"borough_gss varchar, year integer\"\n"
        );
    }
}
