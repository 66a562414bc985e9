//! A mapping that makes each row of one row alone, as steps from batch to batch that need neither order nor neighbours.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::error::Result;
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{CastExpr, Column, TryCastExpr};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::{FilterExec, batch_filter};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::streaming::StreamingTableExec;

use super::decimals::decimals;

/// What is done to each batch.
pub(super) struct RowWise {
    /// The columns of the source that it begins with; `None` for all.
    pub(super) columns: Option<Vec<usize>>,
    /// Of what it yields.
    pub(super) schema: SchemaRef,
    steps: Vec<Step>,
}

enum Step {
    /// Rows for which this holds, and these columns of them.
    Keep(Arc<dyn PhysicalExpr>, Option<Vec<usize>>),
    /// These columns in place of those before.
    Compute(Vec<Value>, SchemaRef),
}

/// A column that is computed.
struct Value {
    expr: Arc<dyn PhysicalExpr>,
    decimal: Option<Decimal>,
}

/// What a column has that is text cast to a decimal.
struct Decimal {
    text: Arc<dyn PhysicalExpr>,
    precision: u8,
    scale: i8,
    /// Whether what is no number is NULL, and no error.
    total: bool,
}

impl RowWise {
    /// The steps of a plan over a table of one partition; `None` where it does more than to filter and compute rows.
    pub(super) fn of(plan: &Arc<dyn ExecutionPlan>) -> Option<Self> {
        let (schema, mut steps, mut at) = (plan.schema(), Vec::new(), plan);
        let columns = loop {
            if at.fetch().is_some() {
                return None;
            }
            if let Some(projection) = at.downcast_ref::<ProjectionExec>() {
                let from = projection.input().schema();
                let values = projection.expr().iter().map(|value| Value::new(&value.expr, &from));
                steps.push(Step::Compute(values.collect(), projection.schema()));
                at = projection.input();
            } else if let Some(filter) = at.downcast_ref::<FilterExec>() {
                let columns = filter.projection().as_ref().map(|columns| columns.to_vec());
                steps.push(Step::Keep(Arc::clone(filter.predicate()), columns));
                at = filter.input();
            } else {
                let table = at.downcast_ref::<StreamingTableExec>()?;
                break table.projection().as_ref().map(|columns| columns.to_vec());
            }
        };
        steps.reverse();
        Some(Self { columns, schema, steps })
    }

    /// Has columns of text that are only cast parsed as what they are cast to, where that is the same: by position, the type.
    /// NULL is what is empty, for text as well.
    pub(super) fn parse(&mut self, may_be: impl Fn(usize) -> bool) -> Vec<(usize, DataType)> {
        let Some(Step::Compute(values, _)) = self.steps.first_mut() else { return Vec::new() };
        let mut uses: HashMap<usize, usize> = HashMap::new();
        for column in values.iter().flat_map(|value| collect_columns(&value.expr)) {
            *uses.entry(column.index()).or_default() += 1;
        }
        let parsed = values.iter_mut().filter_map(|value| {
            let cast = value.expr.downcast_ref::<CastExpr>().filter(|cast| !cast.cast_options().safe)?;
            let (to, column) = (cast.cast_type().clone(), cast.expr().downcast_ref::<Column>()?.clone());
            let same = matches!(to, DataType::Int32 | DataType::Int64 | DataType::Date32 | DataType::Float64);
            if !same || !may_be(column.index()) || uses.get(&column.index()) != Some(&1) {
                return None;
            }
            let index = column.index();
            value.expr = Arc::new(column);
            Some((index, to))
        });
        parsed.collect()
    }

    /// What becomes of a batch.
    pub(super) fn run(&self, batch: RecordBatch) -> Result<RecordBatch> {
        self.steps.iter().try_fold(batch, |batch, step| match step {
            // Constants may fail; there is no row here that asks for them.
            Step::Compute(_, schema) if batch.num_rows() == 0 => Ok(RecordBatch::new_empty(Arc::clone(schema))),
            Step::Compute(values, schema) => {
                let columns = values.iter().map(|value| value.of(&batch)).collect::<Result<_>>()?;
                let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
                Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
            }
            Step::Keep(predicate, columns) => {
                let kept = batch_filter(&batch, predicate)?;
                Ok(if let Some(columns) = columns { kept.project(columns)? } else { kept })
            }
        })
    }
}

impl Value {
    fn new(expr: &Arc<dyn PhysicalExpr>, from: &SchemaRef) -> Self {
        let cast = match (expr.downcast_ref::<CastExpr>(), expr.downcast_ref::<TryCastExpr>()) {
            (Some(cast), _) => Some((cast.expr(), cast.cast_type(), cast.cast_options().safe)),
            (None, Some(cast)) => Some((cast.expr(), cast.cast_type(), true)),
            (None, None) => None,
        };
        let decimal = cast.and_then(|(text, to, total)| match to {
            DataType::Decimal128(precision, scale) if text.data_type(from).ok()? == DataType::Utf8 => {
                Some(Decimal { text: Arc::clone(text), precision: *precision, scale: *scale, total })
            }
            _ => None,
        });
        Self { expr: Arc::clone(expr), decimal }
    }

    fn of(&self, batch: &RecordBatch) -> Result<ArrayRef> {
        if let Some(Decimal { text, precision, scale, total }) = &self.decimal
            && let ColumnarValue::Array(texts) = text.evaluate(batch)?
            && let Some(texts) = texts.as_string_opt::<i32>()
            && let Some(found) = decimals(texts, *precision, *scale, *total)
        {
            return Ok(Arc::new(found));
        }
        self.expr.evaluate(batch)?.into_array(batch.num_rows())
    }
}
