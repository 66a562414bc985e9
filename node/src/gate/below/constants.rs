//! Constants: folded when a query is planned, so that a bad one is an error then and not a sign of what the rows hold.

use chrono::{DateTime, Utc};
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::TreeNode;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, Volatility};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use super::super::Refused;

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
#[expect(deprecated, reason = "every variant is named, those of older DataFusion as well")]
fn varies(node: &Expr) -> bool {
    match node {
        Expr::Alias(_)
        | Expr::Literal(..)
        | Expr::BinaryExpr(_)
        | Expr::Like(_)
        | Expr::SimilarTo(_)
        | Expr::Not(_)
        | Expr::IsNotNull(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotUnknown(_)
        | Expr::Negative(_)
        | Expr::Between(_)
        | Expr::Case(_)
        | Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::InList(_) => false,
        Expr::ScalarFunction(call) => call.func.signature().volatility == Volatility::Volatile,
        Expr::Column(_)
        | Expr::ScalarVariable(..)
        | Expr::AggregateFunction(_)
        | Expr::WindowFunction(_)
        | Expr::Exists(_)
        | Expr::InSubquery(_)
        | Expr::SetComparison(_)
        | Expr::ScalarSubquery(_)
        | Expr::Wildcard { .. }
        | Expr::GroupingSet(_)
        | Expr::Placeholder(_)
        | Expr::OuterReferenceColumn(..)
        | Expr::Unnest(_)
        | Expr::HigherOrderFunction(_)
        | Expr::Lambda(_)
        | Expr::LambdaVariable(_) => true,
    }
}
