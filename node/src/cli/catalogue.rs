//! `meridian catalogue`: the datasets that one may see, with their columns.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow_flight::IpcMessage;
use clap::Args;

use super::Error;
use super::client::Client;
use super::format::{Format, FormatError, Sheet};
use super::profile::Connection;
use super::query::Output;

/// Options of `meridian catalogue`.
#[derive(Debug, Args)]
pub(crate) struct Catalogue {
    /// Only the datasets of bodies whose name matches; % stands for any text
    #[arg(long, value_name = "PATTERN")]
    body: Option<String>,
    /// How the list is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    connection: Connection,
}

/// A dataset as it is listed.
struct Entry {
    dataset: String,
    title: String,
    columns: String,
}

impl Catalogue {
    /// Lists and prints.
    pub(crate) async fn run(self, out: &mut dyn Write) -> Result<(), Error> {
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
            title: schema.metadata().get("title").cloned().unwrap_or_default(),
            columns: schema.fields().iter().map(|field| column(field)).collect::<Vec<_>>().join(", "),
        })
    };
    (0..batch.num_rows()).map(entry).collect()
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

fn write(entries: &[Entry], format: Format, out: &mut dyn Write) -> Result<(), Error> {
    let text = |name| Field::new(name, DataType::Utf8, false);
    let schema = Arc::new(Schema::new(vec![text("dataset"), text("title"), text("columns")]));
    let column =
        |of: fn(&Entry) -> &str| -> Arc<dyn Array> { Arc::new(StringArray::from_iter_values(entries.iter().map(of))) };
    let columns = vec![column(|entry| &entry.dataset), column(|entry| &entry.title), column(|entry| &entry.columns)];
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
        let schema = schema.with_metadata([("title".to_owned(), "Dwelling fires".to_owned())].into());
        let mut tables = CommandGetTables { include_schema: true, ..CommandGetTables::default() }.into_builder();
        tables.append("london", "lfb", "incidents", "TABLE", &schema).unwrap();
        let listed = entries(&tables.build().unwrap()).unwrap();
        let mut out = Vec::new();
        write(&listed, Format::Csv, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "dataset,title,columns\nlondon.lfb.incidents,Dwelling fires,\"borough_gss varchar, year integer\"\n"
        );
    }
}
