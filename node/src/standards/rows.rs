//! Counts the rows of a dataset that its standard does not admit, by column.

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::error::DataFusionError;
use datafusion::functions::regex::regexp_like;
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, ident, lit};
use datafusion::prelude::SessionContext;
use futures::StreamExt;
use meridian_proto::{Dataset, Name};
use serde::Serialize;

use super::{Standard, StandardColumn, ValidValues};
use crate::sources::literal;

/// Rows of a column that are named, at most.
const SAMPLE: usize = 5;

/// How far a dataset's rows keep to a standard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Conformance {
    /// The dataset.
    pub dataset: String,
    /// The standard.
    pub standard: String,
    /// All rows.
    pub rows: u64,
    /// Each column that both have, in the standard's order.
    pub columns: Vec<ColumnConformance>,
    /// Columns of the standard that the dataset does not publish; none of them is required.
    pub absent: Vec<String>,
    /// Rows beyond the first of their key.
    pub repeated_keys: u64,
}

impl Conformance {
    /// Whether every row is as the standard has it.
    pub fn holds(&self) -> bool {
        self.repeated_keys == 0 && self.columns.iter().all(|column| column.missing == 0 && column.invalid == 0)
    }

    /// Values that are missing or not valid, and rows that repeat a key.
    pub fn failing(&self) -> u64 {
        self.repeated_keys + self.columns.iter().map(|column| column.missing + column.invalid).sum::<u64>()
    }

    /// What does not hold, by column, in words that hold no value; empty if all does.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for ColumnConformance { name, missing, invalid, .. } in &self.columns {
            if *missing > 0 {
                faults.push(format!("{name} is required and NULL in {missing} rows"));
            }
            if *invalid > 0 {
                faults.push(format!("{name} has no valid value in {invalid} rows"));
            }
        }
        if self.repeated_keys > 0 {
            faults.push(format!("{} rows repeat the key of another", self.repeated_keys));
        }
        faults
    }
}

/// How far the values of a column keep to a standard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnConformance {
    /// The column.
    pub name: String,
    /// Rows with NULL where a value is required.
    pub missing: u64,
    /// Rows with a value that is not valid.
    pub invalid: u64,
    /// The first of them.
    pub sample: Vec<Sample>,
}

/// A row that the standard does not admit.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Sample {
    /// Its number, from 1, of those that the mapping yields.
    pub row: u64,
    /// The value of the column, only where anybody may see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl std::fmt::Debug for Sample {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sample").field("row", &self.row).finish_non_exhaustive()
    }
}

/// Rows that can't be counted. The engine's words may hold values and are not passed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "dataset {dataset}: its rows can't be compared with the standard {standard}; `meridian node check --thorough` says why"
)]
pub struct RowsError {
    /// The dataset.
    pub dataset: Name,
    /// The standard.
    pub standard: Name,
}

/// Compares the rows of a plan, which are those of a dataset with the standard's types. They are numbered as the source has
/// them where they were loaded in one partition and are counted in one; `shown` puts values into the samples.
pub async fn conformance(
    standard: &Standard,
    dataset: &Dataset,
    plan: &LogicalPlan,
    context: &SessionContext,
    shown: bool,
) -> Result<Conformance, RowsError> {
    let published = |name: &Name| dataset.columns.iter().any(|column| column.name == *name);
    let (both, absent): (Vec<_>, Vec<_>) = standard.columns.iter().partition(|column| published(&column.name));
    let wrong = |_: DataFusionError| RowsError { dataset: dataset.name.clone(), standard: standard.name.clone() };
    let (rows, columns) = columns(&both, plan, context, shown).await.map_err(wrong)?;
    let keyed = !standard.keys.is_empty() && standard.keys.iter().all(published);
    let repeated_keys = if keyed { repeated(&standard.keys, plan, context).await.map_err(wrong)? } else { 0 };
    Ok(Conformance {
        dataset: dataset.name.to_string(),
        standard: standard.name.to_string(),
        rows,
        columns,
        absent: absent.iter().map(|column| column.name.to_string()).collect(),
        repeated_keys,
    })
}

async fn columns(
    both: &[&StandardColumn],
    plan: &LogicalPlan,
    context: &SessionContext,
    shown: bool,
) -> Result<(u64, Vec<ColumnConformance>), DataFusionError> {
    let mut looks = vec![lit(1_i64).alias("one")];
    for (number, column) in both.iter().enumerate() {
        let value = ident(column.name.as_str());
        let missing = if column.required { value.clone().is_null() } else { lit(false) };
        let text = if shown { cast(value.clone(), DataType::Utf8) } else { lit("") };
        looks.push(missing.alias(format!("missing{number}")));
        looks.push(invalid(column, value).alias(format!("invalid{number}")));
        looks.push(text.alias(format!("text{number}")));
    }
    let looked = LogicalPlanBuilder::from(plan.clone()).project(looks)?.build()?;
    let mut batches = context.execute_logical_plan(looked).await?.execute_stream().await?;
    let named = |column: &&StandardColumn| ColumnConformance {
        name: column.name.to_string(),
        missing: 0,
        invalid: 0,
        sample: Vec::new(),
    };
    let mut found: Vec<ColumnConformance> = both.iter().map(named).collect();
    let mut rows = 0;
    while let Some(batch) = batches.next().await {
        let batch = batch?;
        for (column, looks) in found.iter_mut().zip(batch.columns().get(1..).unwrap_or_default().chunks(3)) {
            if let [missing, invalid, text] = looks {
                column.count(rows, [missing.as_boolean(), invalid.as_boolean()], text.as_ref(), shown);
            }
        }
        rows += batch.num_rows() as u64;
    }
    Ok((rows, found))
}

impl ColumnConformance {
    fn count(&mut self, before: u64, [missing, invalid]: [&BooleanArray; 2], text: &dyn Array, shown: bool) {
        let is = |array: &BooleanArray, row: usize| array.is_valid(row) && array.value(row);
        let texts = text.as_string_opt::<i32>().filter(|_| shown);
        for row in 0..invalid.len() {
            let [missing, invalid] = [is(missing, row), is(invalid, row)];
            self.missing += u64::from(missing);
            self.invalid += u64::from(invalid);
            if (missing || invalid) && self.sample.len() < SAMPLE {
                let value = texts.filter(|texts| texts.is_valid(row)).map(|texts| texts.value(row).to_owned());
                self.sample.push(Sample { row: before + row as u64 + 1, value });
            }
        }
    }
}

/// Whether a value is none of the valid ones; NULL where there is none.
fn invalid(column: &StandardColumn, value: Expr) -> Expr {
    let constant = |text: &String| literal(column.column_type, text).map(lit);
    match &column.values {
        None => lit(false),
        Some(ValidValues::List(texts)) => value.in_list(texts.iter().filter_map(constant).collect(), true),
        Some(ValidValues::Range { from, to }) => {
            let below = from.as_ref().and_then(constant).map(|from| value.clone().lt(from));
            let above = to.as_ref().and_then(constant).map(|to| value.gt(to));
            below.into_iter().chain(above).reduce(Expr::or).unwrap_or_else(|| lit(false))
        }
        Some(ValidValues::Pattern(pattern)) => !regexp_like().call(vec![value, lit(format!("^(?:{pattern})$"))]),
    }
}

/// How many rows have the key of another one before them.
async fn repeated(keys: &[Name], plan: &LogicalPlan, context: &SessionContext) -> Result<u64, DataFusionError> {
    let key = |name: &Name| ident(name.as_str());
    let known = keys.iter().map(|name| key(name).is_not_null()).reduce(Expr::and).unwrap_or_else(|| lit(true));
    let counted = LogicalPlanBuilder::from(plan.clone())
        .filter(known)?
        .aggregate(keys.iter().map(key), [count(lit(1_i64)).alias("rows_of_key")])?
        .aggregate(Vec::<Expr>::new(), [sum(ident("rows_of_key") - lit(1_i64)).alias("repeated")])?
        .build()?;
    let answer = context.execute_logical_plan(counted).await?.collect().await?;
    let number = |batch: &RecordBatch| batch.columns().first()?.as_primitive_opt::<Int64Type>()?.iter().next()?;
    Ok(answer.iter().find_map(number).map_or(0, i64::unsigned_abs))
}
