//! Aggregates put together again from partial ones: the expressions that split and eager aggregation share.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::logical_expr::expr::{AggregateFunction, Cast};
use datafusion::logical_expr::{AggregateUDF, Case, Expr, lit};

use crate::average::average;
use crate::error::Why;
use crate::lower::FUNCTIONS;

/// An aggregate function that every node knows.
pub(super) fn known(name: &str) -> Result<Arc<AggregateUDF>, Why> {
    FUNCTIONS.aggregate.get(name).cloned().ok_or_else(|| Why::new(format!("there is no aggregate {name}")))
}

/// `function(arg) FILTER (WHERE filter)`.
pub(super) fn call(function: Arc<AggregateUDF>, arg: Expr, filter: Option<Expr>) -> Expr {
    let filter = filter.map(Box::new);
    Expr::AggregateFunction(AggregateFunction::new_udf(function, vec![arg], false, filter, Vec::new(), None))
}

/// A count that is 0 over nothing, where the sum of counts is NULL.
pub(super) fn or_zero(value: Expr) -> Expr {
    when(vec![(value.clone().is_not_null(), value)], Some(lit(0_i64)))
}

/// `CASE WHEN … THEN … ELSE … END`.
pub(super) fn when(cases: Vec<(Expr, Expr)>, otherwise: Option<Expr>) -> Expr {
    let cases = cases.into_iter().map(|(condition, value)| (Box::new(condition), Box::new(value))).collect();
    Expr::Case(Case::new(None, cases, otherwise.map(Box::new)))
}

/// As another type.
pub(super) fn cast(expr: Expr, to: &DataType) -> Expr {
    Expr::Cast(Cast::new(Box::new(expr), to.clone()))
}

/// `sum / count` as AVG computes it.
pub(super) fn quotient(sum: Expr, count: Expr, data_type: &DataType) -> Result<Expr, Why> {
    match data_type {
        DataType::Float64 => Ok(cast(sum, &DataType::Float64) / cast(count, &DataType::Float64)),
        DataType::Decimal128(precision, scale) => Ok(average(sum, count, *precision, *scale)),
        other => Err(Why::new(format!("an average of type {other} over several bodies can't be made of parts"))),
    }
}

/// The number behind the cast that AVG and SUM put before it.
pub(super) fn uncast(arg: &Expr) -> Expr {
    match arg {
        Expr::Cast(Cast { expr, field })
            if *field.data_type() == DataType::Float64 || *field.data_type() == DataType::Int64 =>
        {
            expr.as_ref().clone()
        }
        other => other.clone(),
    }
}
