//! A small body with a dataset of every form, for the targets that ask it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Date32Array, Float64Array, Int64Array, StringArray, UInt64Array};
use chrono::NaiveDate;
use datafusion::logical_expr::{LogicalPlan, col, lit};
use meridian::gate::{ColumnTerms, Grant, Terms, UNIT_COLUMN, Unit};
use meridian_proto::{Column, ColumnType, Form, Role};

use crate::in_process::{InProcess, batch, column, controls, name, scan, terms};

/// The purpose of the one agreement.
pub(crate) const PURPOSE: &str = "fire-risk";

const ROWS: i64 = 60;

fn columns() -> Vec<Column> {
    vec![
        column("borough", ColumnType::Varchar, Role::Dimension, false),
        column("day", ColumnType::Date, Role::Dimension, true),
        column("cost", ColumnType::Bigint, Role::Measure, false),
        column("height", ColumnType::Double, Role::Measure, false),
        column("uprn", ColumnType::Bigint, Role::Identifier, false),
    ]
}

fn rows(repeats: i64) -> LogicalPlan {
    let texts = ["bexley", "camden", "", "ealing É"];
    let boroughs = (0..ROWS).map(|n| usize::try_from(n).ok().and_then(|n| texts.get(n % 5)).copied());
    let days = (0..ROWS).map(|n| i32::try_from(18_000 + n * 9).ok());
    let units = (0..ROWS).map(|n| u64::try_from(n / repeats).unwrap().wrapping_mul(0x9e37_79b9_7f4a_7c15));
    scan(vec![vec![batch(vec![
        ("borough", Arc::new(boroughs.collect::<StringArray>())),
        ("day", Arc::new(days.collect::<Date32Array>())),
        ("cost", Arc::new((0..ROWS).map(|n| n * 7 - 90).collect::<Int64Array>())),
        ("height", Arc::new((0..ROWS).map(|n| f64::from(i32::try_from(n).unwrap()) / 3.0).collect::<Float64Array>())),
        ("uprn", Arc::new((0..ROWS).map(|n| n / repeats).collect::<Int64Array>())),
        (UNIT_COLUMN, Arc::new(units.collect::<UInt64Array>())),
    ])]])
}

/// `open`, `granted` (rows under an agreement with LODA, in part) and `incidents` and `homes` (statistics).
pub(crate) fn body() -> InProcess {
    InProcess::new(|history| {
        let granted = Grant {
            agreement: "fire-risk-2026".into(),
            purpose: PURPOSE.into(),
            recipients: vec![name("loda").into()],
            form: Form::Rows,
            columns: Some(vec![name("borough"), name("day"), name("cost")]),
            filter: Some(col("cost").gt(lit(100_i64))),
            threshold: None,
            allowance: None,
            askers: None,
            onward: false,
            start: NaiveDate::MIN,
            end: NaiveDate::MAX,
        };
        let statistics = |title: &str, unique: bool| {
            let bounds = |high| ColumnTerms { bounds: Some((0.0, high)), ..ColumnTerms::default() };
            Terms {
                unit: Some(Unit { kind: name("dwelling"), column: Some(name("uprn")), unique, belongs_to: None }),
                columns: HashMap::from([(name("cost"), bounds(500.0)), (name("height"), bounds(90.0))]),
                controls: Some(controls(history)),
                ..terms(title, Form::Statistics, columns())
            }
        };
        vec![
            (terms("open", Form::Open, columns()), rows(1)),
            (Terms { grants: vec![granted], ..terms("granted", Form::Rows, columns()) }, rows(1)),
            (statistics("incidents", false), rows(2)),
            (statistics("homes", true), rows(1)),
        ]
    })
}
