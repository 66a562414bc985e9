//! Which expressions a query may hold over what is public to its caller.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchemaRef};
use datafusion::error::{DataFusionError, Result as PlanResult};
use datafusion::logical_expr::{Expr, WindowFunctionDefinition};

use super::Refused;
use super::functions::{self, Use};

/// Admits an expression over public input, or says what in it is not known here.
pub(super) fn admit(expr: &Expr) -> Result<(), Refused> {
    let mut refused = None;
    expr.apply(|node| {
        refused = unknown(node);
        Ok(if refused.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    refused.map_or(Ok(()), Err)
}

#[expect(deprecated, reason = "every variant is named, those of older DataFusion as well")]
fn unknown(node: &Expr) -> Option<Refused> {
    match node {
        Expr::Alias(_)
        | Expr::Column(_)
        | Expr::Literal(..)
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
        | Expr::InList(_)
        | Expr::Exists(_)
        | Expr::InSubquery(_)
        | Expr::ScalarSubquery(_)
        | Expr::GroupingSet(_)
        | Expr::OuterReferenceColumn(..)
        | Expr::Unnest(_) => None,
        Expr::BinaryExpr(binary) => match functions::operator(binary.op) {
            Use::Connective
            | Use::Equality
            | Use::Order
            | Use::Arithmetic
            | Use::Pattern
            | Use::Bits
            | Use::Concatenation => None,
            Use::Never => Some(not_known(&format!("the operator {}", binary.op))),
        },
        Expr::ScalarFunction(call) => functions::scalar(call.name()).err(),
        Expr::AggregateFunction(call) => functions::aggregate(call.func.name()).err(),
        Expr::WindowFunction(window) => match &window.fun {
            WindowFunctionDefinition::AggregateUDF(function) => functions::aggregate(function.name()).err(),
            WindowFunctionDefinition::WindowUDF(function) => functions::window(function.name()).err(),
        },
        // DataFusion 55.2 compares the inner column with itself where both sides bear one name.
        Expr::SetComparison(_) => Some(Refused::new(
            "expression",
            "a comparison with ANY or ALL of a subquery is not answered here",
            "write IN (SELECT …), or compare with (SELECT MIN(…) …) or (SELECT MAX(…) …)",
        )),
        Expr::ScalarVariable(..) => Some(not_known("a variable")),
        Expr::Wildcard { .. } => Some(not_known("* in this place")),
        Expr::Placeholder(placeholder) => Some(
            Refused::new("expression", format!("the parameter {} has no value", placeholder.id), "bind a value to it")
                .at(&placeholder.id),
        ),
        Expr::HigherOrderFunction(_) | Expr::Lambda(_) | Expr::LambdaVariable(_) => Some(not_known("a lambda")),
    }
}

fn not_known(what: &str) -> Refused {
    Refused::new("expression", format!("{what} is not answered here"), "write the expression without it")
}

/// An outer reference takes the field of the outer plan as it is now: counts there may have become nullable, and
/// columns may be gone.
pub(super) fn renewed_outer(
    expr: Expr,
    outers: &[DFSchemaRef],
    missing: impl FnOnce(&Column) -> DataFusionError,
) -> PlanResult<Transformed<Expr>> {
    let Expr::OuterReferenceColumn(_, column) = expr else { return Ok(Transformed::no(expr)) };
    let field = outers.iter().rev().find_map(|outer| {
        let index = outer.maybe_index_of_column(&column)?;
        outer.fields().get(index).map(Arc::clone)
    });
    match field {
        Some(field) => Ok(Transformed::yes(Expr::OuterReferenceColumn(field, column))),
        None => Err(missing(&column)),
    }
}
