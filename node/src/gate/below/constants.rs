//! Constants: folded when a query is planned, so that a bad one is an error then and not a sign of what the rows hold.

use chrono::{DateTime, Utc};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, Volatility};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use super::super::Refused;
use super::super::variant::Variant;

/// The value of an expression without columns; `None` for any other.
pub(super) fn constant(expr: &Expr, now: DateTime<Utc>) -> Result<Option<ScalarValue>, Refused> {
    if let Expr::Literal(value, _) = expr {
        return Ok(Some(value.clone()));
    }
    if expr.exists(|node| Ok(varies(node)))? {
        return Ok(None);
    }
    let context = SimplifyContext::builder().with_query_execution_start_time(Some(now)).build();
    match ExprSimplifier::new(context).simplify(expr.clone()) {
        Ok(Expr::Literal(value, _)) => Ok(Some(value)),
        Ok(_) => Ok(None),
        Err(error) => Err(Refused::new(
            "statistics.constant",
            format!("a constant can't be read: {}", error.strip_backtrace()),
            "write it as the type of the column that it is compared with",
        )),
    }
}

/// Whether a node's value is not known from the query alone.
fn varies(node: &Expr) -> bool {
    match Variant::of(node) {
        Variant::Named | Variant::Constant(_) | Variant::Operator(_) | Variant::Test | Variant::Value => false,
        Variant::Scalar(call) => call.func.signature().volatility == Volatility::Volatile,
        Variant::Column
        | Variant::Outer
        | Variant::Aggregate(_)
        | Variant::Window(_)
        | Variant::ValueOf(_)
        | Variant::TestOf(_)
        | Variant::ComparedWith(_)
        | Variant::Sets
        | Variant::Unnested
        | Variant::Parameter(_)
        | Variant::Other(_) => true,
    }
}
