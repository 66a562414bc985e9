//! What clients ask about the catalogue: catalogs, schemas, tables, types and keys, of what the caller may see.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef, Schema};
use arrow_flight::error::FlightError;
use arrow_flight::sql::{Command, CommandGetCatalogs, CommandGetDbSchemas, CommandGetTableTypes, CommandGetTables};
use arrow_flight::{FlightDescriptor, FlightInfo};
use chrono::NaiveDate;
use tonic::Status;

use super::encode::travelling;
use super::sql_info::ServerInfo;
use super::{command, status};
use crate::catalogue::{Freshness, quality, sizes};
use crate::gate::Caller;
use crate::query::{Engine, Listed};

/// The key of Flight SQL for what is said of a column.
const REMARKS: &str = "ARROW:FLIGHT:SQL:REMARKS";
/// What every dataset is to a client: a table that is read.
const TABLE: &str = "TABLE";

/// The batch that answers a metadata command.
pub(super) fn batch(
    command: &Command,
    engine: &Engine,
    info: &ServerInfo,
    caller: &Caller,
) -> Result<RecordBatch, Status> {
    let batch = match command {
        Command::CommandGetCatalogs(command) => catalogs(*command, engine, caller),
        Command::CommandGetDbSchemas(command) => schemas(command.clone(), engine, caller),
        Command::CommandGetTables(command) => tables(command.clone(), engine, caller),
        Command::CommandGetTableTypes(command) => table_types(*command),
        Command::CommandGetSqlInfo(command) => info.sql.record_batch(command.info.iter().copied()),
        Command::CommandGetXdbcTypeInfo(command) => info.types.record_batch(command.data_type),
        Command::CommandGetPrimaryKeys(_) => Ok(RecordBatch::new_empty(Arc::new(primary_keys()))),
        Command::CommandGetExportedKeys(_)
        | Command::CommandGetImportedKeys(_)
        | Command::CommandGetCrossReference(_) => Ok(RecordBatch::new_empty(Arc::new(foreign_keys()))),
        other => return Err(command::refused(other)),
    };
    batch.map_err(|why| status::fault("list metadata", &why))
}

/// One entry for each dataset that the caller may see, by its path.
pub(super) fn flights(engine: &Engine, caller: &Caller) -> Vec<Result<FlightInfo, Status>> {
    let info = |listed: Listed| {
        let path = vec![listed.catalog, listed.schema, listed.table];
        let info = FlightInfo::new().with_descriptor(FlightDescriptor::new_path(path));
        info.try_with_schema(&travelling(&listed.columns)).map_err(|why| status::fault("encode a schema", &why))
    };
    engine.listed(caller).into_iter().map(info).collect()
}

fn catalogs(command: CommandGetCatalogs, engine: &Engine, caller: &Caller) -> Result<RecordBatch, FlightError> {
    let mut builder = command.into_builder();
    engine.federations(caller).iter().for_each(|federation| builder.append(federation.as_str()));
    builder.build()
}

fn schemas(command: CommandGetDbSchemas, engine: &Engine, caller: &Caller) -> Result<RecordBatch, FlightError> {
    let mut builder = command.into_builder();
    let names: BTreeSet<_> = engine.listed(caller).into_iter().map(|listed| (listed.catalog, listed.schema)).collect();
    for (catalog, schema) in names {
        builder.append(catalog, schema);
    }
    builder.build()
}

fn tables(command: CommandGetTables, engine: &Engine, caller: &Caller) -> Result<RecordBatch, FlightError> {
    let mut builder = command.into_builder();
    let today = engine.today();
    for listed in engine.listed(caller) {
        let columns = described(Schema::clone(&travelling(&listed.columns)), &listed, today);
        builder.append(listed.catalog, listed.schema, listed.table, TABLE, &columns)?;
    }
    builder.build()
}

/// A schema with what is told of the dataset in its metadata, and of each column in that of its field.
fn described(schema: Schema, listed: &Listed, today: NaiveDate) -> Schema {
    let mut told = schema.metadata;
    told.insert("title".into(), listed.title.clone());
    let Some(dataset) = &listed.described else { return Schema { metadata: told, ..schema } };
    let fresh = Freshness::of(dataset, today);
    let more = [
        ("description", dataset.description.clone()),
        ("form", dataset.form.to_string()),
        ("licence", dataset.licence.clone()),
        ("keywords", dataset.about.keywords.join(", ")),
        ("size", sizes(dataset.size_class)),
        ("update_frequency", dataset.update_frequency.clone()),
        ("last_change", fresh.last_change.map(|day| day.to_string()).unwrap_or_default()),
        ("freshness", fresh.told().to_owned()),
        ("quality", quality(dataset)),
        ("standard", dataset.standard.as_ref().map(ToString::to_string).unwrap_or_default()),
    ];
    told.extend(more.into_iter().filter(|(_, text)| !text.is_empty()).map(|(key, text)| (key.to_owned(), text)));
    let field = |field: &FieldRef| {
        let Some(column) = dataset.column(field.name()) else { return Arc::clone(field) };
        let said = [(REMARKS, &column.description), ("concept", &column.concept), ("unit", &column.unit)];
        let said = said.into_iter().filter(|(_, text)| !text.is_empty());
        let mut metadata = field.metadata().clone();
        metadata.extend(said.map(|(key, text)| (key.to_owned(), text.clone())));
        metadata.insert("role".into(), column.role.to_string());
        Arc::new(field.as_ref().clone().with_metadata(metadata))
    };
    Schema { fields: schema.fields.iter().map(field).collect(), metadata: told }
}

fn table_types(command: CommandGetTableTypes) -> Result<RecordBatch, FlightError> {
    let mut builder = command.into_builder();
    builder.append(TABLE);
    builder.build()
}

/// As FlightSql.proto gives it for CommandGetPrimaryKeys.
fn primary_keys() -> Schema {
    Schema::new(vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, true),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("column_name", DataType::Utf8, false),
        Field::new("key_name", DataType::Utf8, true),
        Field::new("key_sequence", DataType::Int32, false),
    ])
}

/// As FlightSql.proto gives it for CommandGetExportedKeys, CommandGetImportedKeys and CommandGetCrossReference.
fn foreign_keys() -> Schema {
    Schema::new(vec![
        Field::new("pk_catalog_name", DataType::Utf8, true),
        Field::new("pk_db_schema_name", DataType::Utf8, true),
        Field::new("pk_table_name", DataType::Utf8, false),
        Field::new("pk_column_name", DataType::Utf8, false),
        Field::new("fk_catalog_name", DataType::Utf8, true),
        Field::new("fk_db_schema_name", DataType::Utf8, true),
        Field::new("fk_table_name", DataType::Utf8, false),
        Field::new("fk_column_name", DataType::Utf8, false),
        Field::new("key_sequence", DataType::Int32, false),
        Field::new("fk_key_name", DataType::Utf8, true),
        Field::new("pk_key_name", DataType::Utf8, true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ])
}
