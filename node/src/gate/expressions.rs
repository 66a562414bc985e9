//! Which expressions a query may hold over what is public to its caller.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchemaRef};
use datafusion::error::{DataFusionError, Result as PlanResult};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Expr, WindowFunctionDefinition};

use super::Refused;
use super::functions::{self, Use};
use super::variant::Variant;

/// Admits an expression over public input, or says what in it is not known here.
pub(super) fn admit(expr: &Expr) -> Result<(), Refused> {
    let mut refused = None;
    expr.apply(|node| {
        refused = unknown(node);
        Ok(if refused.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    refused.map_or(Ok(()), Err)
}

fn unknown(node: &Expr) -> Option<Refused> {
    match Variant::of(node) {
        Variant::Named
        | Variant::Column
        | Variant::Outer
        | Variant::Constant(_)
        | Variant::Test
        | Variant::Value
        | Variant::ValueOf(_)
        | Variant::TestOf(_)
        | Variant::Sets
        | Variant::Unnested => None,
        Variant::Operator(operator) => match functions::operator(operator) {
            Use::Connective
            | Use::Equality
            | Use::Order
            | Use::Arithmetic
            | Use::Pattern
            | Use::Bits
            | Use::Concatenation => None,
            Use::Never => Some(not_known(&format!("the operator {operator}"))),
        },
        Variant::Scalar(call) => functions::scalar(call.name()).err().or_else(|| formatted_by_row(call)),
        Variant::Aggregate(call) => functions::aggregate(call.func.name()).err(),
        Variant::Window(window) => match &window.fun {
            WindowFunctionDefinition::AggregateUDF(function) => functions::aggregate(function.name()).err(),
            WindowFunctionDefinition::WindowUDF(function) => functions::window(function.name()).err(),
        },
        // DataFusion 55.2 compares the inner column with itself where both sides bear one name.
        Variant::ComparedWith(_) => Some(Refused::new(
            "expression",
            "a comparison with ANY or ALL of a subquery is not answered here",
            "write IN (SELECT …), or compare with (SELECT MIN(…) …) or (SELECT MAX(…) …)",
        )),
        Variant::Parameter(placeholder) => Some(
            Refused::new("expression", format!("the parameter {} has no value", placeholder.id), "bind a value to it")
                .at(&placeholder.id),
        ),
        Variant::Other(what) => Some(not_known(what)),
    }
}

/// DataFusion 55.2 gives the first row's value for all rows of to_char(constant, column), and its optimizer may make a constant
/// of the first argument.
fn formatted_by_row(call: &ScalarFunction) -> Option<Refused> {
    let by_row = |expr: &Expr| {
        matches!(
            expr,
            Expr::Column(_) | Expr::OuterReferenceColumn(..) | Expr::ScalarSubquery(_) | Expr::ScalarFunction(_)
        )
    };
    let format = call.args.get(1).filter(|_| call.name() == "to_char")?;
    format.exists(|expr| Ok(by_row(expr))).unwrap_or(true).then(|| {
        Refused::new(
            "function",
            "to_char is not answered here with a format that is not a constant",
            "write the format as a text, and CASE WHEN … THEN to_char(…, '…') where it differs by row",
        )
        .at("to_char")
    })
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
