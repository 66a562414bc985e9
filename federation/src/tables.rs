//! The datasets of other bodies as DataFusion tables: known by their description, never scanned from here.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use datafusion::error::DataFusionError;
use meridian_proto::{BodyName, Column, ColumnType, Dataset, DatasetName, Form, Name};

/// The column of `every.x` that names the body a row is from.
pub const BODY_COLUMN: &str = "_body";

/// A dataset of one other body.
#[derive(Debug, Clone)]
pub struct ForeignTable {
    /// Its full name.
    pub name: DatasetName,
    /// The body that publishes it, as this node names it.
    pub owner: BodyName,
    /// Its description by its owner.
    pub dataset: Arc<Dataset>,
    schema: SchemaRef,
}

impl ForeignTable {
    /// A table of a body of one's own federation, with the dataset's visible columns.
    pub fn new(name: DatasetName, dataset: Arc<Dataset>) -> Self {
        let owner = name.body.clone().into();
        Self::of(owner, name, dataset)
    }

    /// A table of a body of whichever federation, with the dataset's visible columns.
    pub fn of(owner: BodyName, name: DatasetName, dataset: Arc<Dataset>) -> Self {
        let schema = schema_of(&dataset);
        Self { name, owner, dataset, schema }
    }
}

/// One body's share of `every.x`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EveryPart {
    /// The body.
    pub body: Name,
    /// Its dataset that conforms to the standard.
    pub dataset: Arc<Dataset>,
}

/// All datasets that conform to a standard, as one table.
#[derive(Debug, Clone)]
pub struct EveryTable {
    /// The federation.
    pub federation: Name,
    /// The standard.
    pub standard: Name,
    /// The datasets.
    pub parts: Vec<EveryPart>,
    /// Members whose description is not known: they may or may not have such a dataset.
    pub missing: Vec<Name>,
    /// Whether one of the datasets leaves as statistics, so that figures may be withheld.
    pub has_statistics: bool,
    schema: SchemaRef,
}

impl EveryTable {
    /// A table with the columns that all parts share by name and type, in the order of the first part, and `_body` as the last.
    pub fn new(federation: Name, standard: Name, parts: Vec<EveryPart>, missing: Vec<Name>) -> Self {
        let schema = shared_schema(&parts);
        let has_statistics = parts.iter().any(|part| part.dataset.form == Form::Statistics);
        Self { federation, standard, parts, missing, has_statistics, schema }
    }

    /// The same table as if these bodies published no such dataset; `None` where nobody else does. Its columns stay, so that
    /// who answers does not change the shape of the answer.
    pub fn without(mut self, bodies: &BTreeSet<Name>) -> Option<Self> {
        let all = self.parts.len();
        self.parts.retain(|part| !bodies.contains(&part.body));
        self.missing.retain(|body| !bodies.contains(body));
        (all == 0 || !self.parts.is_empty()).then_some(self)
    }
}

/// How a published type is held in memory.
pub fn arrow_type(column_type: ColumnType) -> DataType {
    match column_type {
        ColumnType::Boolean => DataType::Boolean,
        ColumnType::Integer => DataType::Int32,
        ColumnType::Bigint => DataType::Int64,
        ColumnType::Double => DataType::Float64,
        ColumnType::Decimal(precision, scale) => DataType::Decimal128(precision, scale),
        ColumnType::Varchar => DataType::Utf8,
        ColumnType::Date => DataType::Date32,
        ColumnType::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
        ColumnType::Bytea => DataType::Binary,
    }
}

/// The visible columns of a dataset.
pub fn schema_of(dataset: &Dataset) -> SchemaRef {
    Arc::new(Schema::new(dataset.visible_columns().map(field_of).collect::<Vec<_>>()))
}

fn field_of(column: &Column) -> Field {
    Field::new(column.name.as_str(), arrow_type(column.column_type), !column.required)
}

fn shared_schema(parts: &[EveryPart]) -> SchemaRef {
    let mut common: Vec<Field> = match parts.first() {
        Some(first) => first.dataset.visible_columns().map(field_of).collect(),
        None => Vec::new(),
    };
    for part in parts {
        let theirs: HashMap<&str, &Column> =
            part.dataset.visible_columns().map(|column| (column.name.as_str(), column)).collect();
        common.retain_mut(|field| match theirs.get(field.name().as_str()) {
            Some(column) if arrow_type(column.column_type) == *field.data_type() => {
                if !column.required {
                    field.set_nullable(true);
                }
                true
            }
            _ => false,
        });
    }
    common.push(Field::new(BODY_COLUMN, DataType::Utf8, false));
    Arc::new(Schema::new(common))
}

fn unplaced(name: &dyn std::fmt::Display) -> DataFusionError {
    DataFusionError::Internal(format!(
        "{name} belongs to another body and was to be scanned here: it has not been placed"
    ))
}

crate::unscanned_table!(ForeignTable, |table| unplaced(&table.name));
crate::unscanned_table!(EveryTable, |table| unplaced(&format!("every.{}", table.standard)));
