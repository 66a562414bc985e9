//! What an analyst may name in SQL: datasets, their columns and what is told of both.

use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::{Field, Schema};
use arrow_flight::IpcMessage;
use arrow_flight::decode::DecodedPayload;
use arrow_flight::sql::CommandGetTables;
use futures::TryStreamExt;
use http::StatusCode;
use meridian_certs::Verified;
use serde_json::{Value, json};

use super::said::Problem;
use crate::flight::Door;
use crate::format::sql_type;
use crate::query::Watch;

/// The key of Flight SQL for what is said of a column.
const REMARKS: &str = "ARROW:FLIGHT:SQL:REMARKS";

/// Every dataset that the holder of a certificate may see.
pub(super) async fn names(door: &Door, verified: &Verified) -> Result<Value, Problem> {
    let mut client = door.enter(verified.clone(), Watch::default());
    let request = CommandGetTables { include_schema: true, ..CommandGetTables::default() };
    let info = client.get_tables(request).await?;
    let unreadable = || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the list of datasets can't be read");
    let ticket = info.endpoint.into_iter().next().and_then(|endpoint| endpoint.ticket).ok_or_else(unreadable)?;
    let mut messages = client.do_get(ticket).await?.into_inner();
    let mut datasets = Vec::new();
    while let Some(message) = messages.try_next().await? {
        if let DecodedPayload::RecordBatch(batch) = message.payload {
            datasets.extend(tables(&batch).ok_or_else(unreadable)?);
        }
    }
    Ok(json!({ "datasets": datasets }))
}

fn tables(batch: &RecordBatch) -> Option<Vec<Value>> {
    let (federations, bodies) = (texts(batch, "catalog_name")?, texts(batch, "db_schema_name")?);
    let datasets = texts(batch, "table_name")?;
    let schemas = batch.column_by_name("table_schema")?.as_binary_opt::<i32>()?;
    let table = |row: usize| {
        let schema = Schema::try_from(IpcMessage(schemas.value(row).to_vec().into())).ok()?;
        let told = |key: &str| said(schema.metadata(), key);
        Some(json!({
            "federation": federations.is_valid(row).then(|| federations.value(row)),
            "body": bodies.is_valid(row).then(|| bodies.value(row)),
            "dataset": datasets.value(row),
            "title": told("title"),
            "description": told("description"),
            "form": told("form"),
            "licence": told("licence"),
            "size": told("size"),
            "last_change": told("last_change"),
            "standard": told("standard"),
            "columns": schema.fields().iter().map(|field| column(field)).collect::<Vec<_>>(),
        }))
    };
    (0..batch.num_rows()).map(table).collect()
}

fn texts<'a>(batch: &'a RecordBatch, name: &str) -> Option<&'a StringArray> {
    batch.column_by_name(name)?.as_string_opt::<i32>()
}

fn column(field: &Field) -> Value {
    let told = |key: &str| said(field.metadata(), key);
    json!({
        "name": field.name(),
        "type": sql_type(field.data_type()),
        "role": told("role"),
        "concept": told("concept"),
        "unit": told("unit"),
        "description": told(REMARKS),
    })
}

fn said<'a>(told: &'a HashMap<String, String>, key: &str) -> Option<&'a str> {
    told.get(key).map(String::as_str).filter(|text| !text.is_empty())
}
