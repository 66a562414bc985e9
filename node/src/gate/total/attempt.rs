//! Evaluates a batch; where that fails, its halves, down to the rows that have no value.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, new_empty_array, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::Schema;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, Operator, ScalarFunctionArgs};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{self, BinaryExpr, Column, Literal};
use datafusion::scalar::ScalarValue;

use super::wrapped::{Wrapped, null};
use crate::telemetry;

/// The values of a batch, NULL where there is none.
pub(super) fn whole_or_parts(wrapped: &Wrapped, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
    let scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
    if let Some(value) = attempt(wrapped, args.clone()) {
        return Ok(value);
    }
    if scalar {
        return null(&args.return_field).map(ColumnarValue::Scalar);
    }
    let mut parts = Vec::new();
    gather(wrapped, &args, 0, args.number_rows, &mut parts)?;
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    Ok(ColumnarValue::Array(match parts.as_slice() {
        [] => new_empty_array(args.return_field.data_type()),
        parts => concat(parts)?,
    }))
}

/// The values of some rows, part by part. The depth is the logarithm of a batch's length.
fn gather(
    wrapped: &Wrapped,
    args: &ScalarFunctionArgs,
    from: usize,
    rows: usize,
    into: &mut Vec<ArrayRef>,
) -> Result<()> {
    if rows == 0 {
        return Ok(());
    }
    let part = args.args.iter().map(|arg| match arg {
        ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(from, rows)),
        ColumnarValue::Scalar(value) => ColumnarValue::Scalar(value.clone()),
    });
    let part = ScalarFunctionArgs { args: part.collect(), number_rows: rows, ..args.clone() };
    if let Some(value) = attempt(wrapped, part) {
        into.push(value.into_array(rows)?);
        return Ok(());
    }
    if rows == 1 {
        into.push(new_null_array(args.return_field.data_type(), 1));
        return Ok(());
    }
    let half = rows / 2;
    gather(wrapped, args, from, half, into)?;
    gather(wrapped, args, from + half, rows - half, into)
}

/// The values, if all rows have one. What panics on a value has none for it: the engine's functions do so here and
/// there, and a query that ends there would tell of the value.
fn attempt(wrapped: &Wrapped, args: ScalarFunctionArgs) -> Option<ColumnarValue> {
    let (rows, field) = (args.number_rows, Arc::clone(&args.return_field));
    let constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
    let unknown = args.args.iter().any(|arg| matches!(arg, ColumnarValue::Scalar(value) if value.is_null()));
    let value = match telemetry::quietly(|| evaluate(wrapped, args))?.ok()? {
        // Of constants alone, some functions give one value for all rows, as an array.
        ColumnarValue::Array(array) if constant && array.len() == 1 => {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0).ok()?)
        }
        value => value,
    };
    let whole = match &value {
        ColumnarValue::Array(array) => array.len() == rows,
        // DataFusion 55.2 gives the first row's value for all rows of to_char(constant, column).
        ColumnarValue::Scalar(_) => constant || unknown || rows == 1,
    };
    (whole && value.data_type() == *field.data_type()).then_some(value)
}

fn evaluate(wrapped: &Wrapped, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
    if let Wrapped::Function(func) = wrapped {
        return func.invoke_with_args(args);
    }
    let schema =
        Schema::new(args.arg_fields.iter().map(|field| field.as_ref().clone().with_nullable(true)).collect::<Vec<_>>());
    let mut columns = Vec::with_capacity(args.args.len());
    let mut operands: Vec<Arc<dyn PhysicalExpr>> = Vec::with_capacity(args.args.len());
    for (index, arg) in args.args.into_iter().enumerate() {
        match arg {
            ColumnarValue::Array(array) => {
                operands.push(Arc::new(Column::new(schema.field(index).name(), index)));
                columns.push(array);
            }
            ColumnarValue::Scalar(value) => {
                columns.push(new_null_array(schema.field(index).data_type(), args.number_rows));
                operands.push(Arc::new(Literal::new(value)));
            }
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(args.number_rows));
    let batch = RecordBatch::try_new_with_options(Arc::new(schema.clone()), columns, &options)?;
    let mut operands = operands.into_iter();
    let mut operand = || operands.next().ok_or_else(|| DataFusionError::Internal("an operator without operand".into()));
    let expr: Arc<dyn PhysicalExpr> = match wrapped {
        Wrapped::Operator(op) => Arc::new(BinaryExpr::new(operand()?, *op, operand()?).with_fail_on_overflow(true)),
        // Turning the sign wraps; taken from zero, the smallest number has no value.
        Wrapped::Negative if schema.fields().iter().all(|field| field.data_type().is_integer()) => {
            let zero = Arc::new(Literal::new(ScalarValue::new_zero(schema.field(0).data_type())?));
            Arc::new(BinaryExpr::new(zero, Operator::Minus, operand()?).with_fail_on_overflow(true))
        }
        Wrapped::Negative => expressions::negative(operand()?, &schema)?,
        Wrapped::Like { negated, case_insensitive } => {
            expressions::like(*negated, *case_insensitive, operand()?, operand()?, &schema)?
        }
        Wrapped::Similar { negated, case_insensitive } => {
            expressions::similar_to(*negated, *case_insensitive, operand()?, operand()?)?
        }
        Wrapped::Cast(field) => expressions::try_cast(operand()?, &schema, field.data_type().clone())?,
        Wrapped::Function(func) => return Err(DataFusionError::Internal(format!("{} is no operator", func.name()))),
    };
    expr.evaluate(&batch)
}
