//! A case as a node holds it: tables with terms, and a history.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray, UInt64Array,
};
use arrow::datatypes::{Field, Schema};
use chrono::NaiveDate;
use datafusion::catalog::MemTable;
use datafusion::common::ScalarValue;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use meridian_proto::{Column, ColumnType, DatasetName, Form, Name};

use super::case::{Case, Dataset, Granted, Protection, Role};
use super::keys;
use super::value::{Type, Value};
use crate::gate::{
    Belongs, ColumnTerms, Controls, Dominance, Grant, Precision, PublishedTable, Terms, UNIT_COLUMN, Unit,
};
use crate::history::History;
use crate::sources;

pub(super) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// The tables of a case, all over one history.
pub(super) fn tables(case: &Case, history: &Arc<History>) -> BTreeMap<Name, Arc<PublishedTable>> {
    let table = |dataset: &Dataset| {
        let table = PublishedTable::new(Arc::new(terms(dataset, history)), rows(dataset)).unwrap();
        (name(dataset.name), Arc::new(table))
    };
    case.datasets.iter().map(table).collect()
}

fn terms(dataset: &Dataset, history: &Arc<History>) -> Terms {
    let protection = dataset.protection.as_ref();
    let form = if protection.is_some() { Form::Statistics } else { Form::Open };
    let published = meridian_proto::Dataset {
        name: name(dataset.name),
        title: String::new(),
        description: String::new(),
        licence: String::new(),
        form,
        needs_agreement: protection.is_some_and(|protection| protection.needs_agreement),
        columns: dataset.columns.iter().map(column).collect(),
        unit_kind: protection.map_or_else(String::new, |protection| protection.kind.to_owned()),
        threshold: protection.map_or(0, |protection| protection.threshold),
        standard: None,
        coverage: vec![],
        size_class: sources::size_class(form, dataset.rows.len() as u64),
        update_frequency: String::new(),
        references: vec![],
        about: meridian_proto::About::default(),
    };
    Terms {
        name: DatasetName { federation: name("london"), body: name("lfb"), dataset: name(dataset.name) },
        dataset: Arc::new(published),
        own: Form::Rows,
        unit: protection.map(unit),
        columns: dataset
            .columns
            .iter()
            .map(|column| (name(column.name), column_terms(column)))
            .collect::<HashMap<_, _>>(),
        controls: protection.and_then(|protection| controls(protection, history)),
        tables: None,
        listed: true,
        grants: protection.map_or_else(Vec::new, |protection| protection.grants.iter().map(grant).collect()),
        references: vec![],
    }
}

fn column(column: &super::case::Column) -> Column {
    Column {
        name: name(column.name),
        column_type: match column.of {
            Type::Bool => ColumnType::Boolean,
            Type::Int => ColumnType::Integer,
            Type::Big => ColumnType::Bigint,
            Type::Float => ColumnType::Double,
            Type::Fixed(precision, scale) => ColumnType::Decimal(precision, i8::try_from(scale).unwrap()),
            Type::Text => ColumnType::Varchar,
            Type::Day => ColumnType::Date,
        },
        role: match column.role {
            Role::Dimension => meridian_proto::Role::Dimension,
            Role::Measure => meridian_proto::Role::Measure,
            Role::Identifier => meridian_proto::Role::Identifier,
            Role::Hidden => meridian_proto::Role::Hidden,
        },
        required: false,
        ranges: column.ranges,
        concept: String::new(),
        unit: String::new(),
        description: String::new(),
    }
}

fn column_terms(column: &super::case::Column) -> ColumnTerms {
    let (decimals, multiple) = column.precision;
    let scalars = |values: &Vec<Value>| values.iter().map(|value| scalar(value, column.of)).collect();
    ColumnTerms {
        bounds: column.bounds,
        precision: Precision { decimals, multiple },
        bands: column.bands.as_ref().map(scalars),
        domain: column.domain.as_ref().map(scalars),
    }
}

fn scalar(value: &Value, of: Type) -> ScalarValue {
    ScalarValue::try_from_array(&array(std::slice::from_ref(value).iter(), of), 0).unwrap()
}

fn unit(protection: &Protection) -> Unit {
    Unit {
        kind: name(protection.kind),
        column: protection.unit.map(name),
        unique: protection.unique,
        belongs_to: protection.belongs_to.map(|(kind, column)| Belongs { kind: name(kind), column: name(column) }),
    }
}

fn controls(protection: &Protection, history: &Arc<History>) -> Option<Arc<Controls>> {
    let noise = keys::noise(protection.noise?);
    let hundredths = |of: u32| f64::from(of) / 100.0;
    Some(Arc::new(Controls {
        counts: noise.counts.clone(),
        magnitudes: noise.magnitudes.clone(),
        dominance: Dominance {
            percent: hundredths(protection.percent),
            largest: protection.largest.map(|(n, share)| (n, hundredths(share))),
        },
        key: noise.key,
        reuse: protection.reuse,
        history: Arc::clone(history),
    }))
}

fn grant(grant: &Granted) -> Grant {
    let day = |year| NaiveDate::from_ymd_opt(year, 1, 1).unwrap();
    Grant {
        agreement: grant.agreement.into(),
        purpose: grant.purpose.into(),
        recipients: vec![name("loda").into()],
        form: Form::Statistics,
        columns: grant.columns.as_ref().map(|columns| columns.iter().map(|column| name(column)).collect()),
        filter: None,
        threshold: grant.threshold,
        allowance: grant.allowance,
        askers: None,
        onward: false,
        start: day(2020),
        end: if grant.in_force { day(9000) } else { day(2021) },
    }
}

fn rows(dataset: &Dataset) -> LogicalPlan {
    let mut columns: Vec<(&str, ArrayRef)> = Vec::new();
    for (at, column) in dataset.columns.iter().enumerate() {
        columns.push((column.name, array(dataset.rows.iter().map(|row| &row.values[at]), column.of)));
    }
    if dataset.protection.is_some() {
        let units: UInt64Array = dataset.rows.iter().map(|row| keys::unit(dataset, row)).collect();
        columns.push((UNIT_COLUMN, Arc::new(units)));
    }
    let fields: Vec<Field> = columns.iter().map(|(name, of)| Field::new(*name, of.data_type().clone(), true)).collect();
    let arrays = columns.into_iter().map(|column| column.1).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
    // Two partitions, so that cells are put together from parts.
    let half = batch.num_rows() / 2;
    let parts = vec![vec![batch.slice(0, half)], vec![batch.slice(half, batch.num_rows() - half)]];
    let table = MemTable::try_new(batch.schema(), parts).unwrap();
    LogicalPlanBuilder::scan("source", provider_as_source(Arc::new(table)), None).unwrap().build().unwrap()
}

fn array<'v>(values: impl Iterator<Item = &'v Value>, of: Type) -> ArrayRef {
    let values = values.map(|value| (!value.is_null()).then_some(value));
    macro_rules! array {
        ($kind:ident, $array:ty, $of:expr) => {
            Arc::new(
                values
                    .map(|value| {
                        value.map(|value| match value {
                            Value::$kind(value) => $of(value.clone()),
                            other => panic!("{other:?} in a column of {of:?}"),
                        })
                    })
                    .collect::<$array>(),
            )
        };
    }
    match of {
        Type::Bool => array!(Flag, BooleanArray, |flag| flag),
        Type::Int => array!(Whole, Int32Array, |value| i32::try_from(value).unwrap()),
        Type::Big => array!(Whole, Int64Array, |value| value),
        Type::Float => array!(Real, Float64Array, |value| value),
        Type::Text => array!(Word, StringArray, |text: String| text),
        Type::Day => array!(Date, Date32Array, |days| days),
        Type::Fixed(precision, scale) => {
            let values = values.map(|value| {
                value.map(|value| match value {
                    Value::Exact(value, _) => *value,
                    other => panic!("{other:?} in a column of {of:?}"),
                })
            });
            let values: Decimal128Array = values.collect();
            Arc::new(values.with_precision_and_scale(precision, i8::try_from(scale).unwrap()).unwrap())
        }
    }
}
