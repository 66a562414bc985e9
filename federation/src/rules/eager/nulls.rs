//! What may be computed below a join instead of above it: what can't fail on rows that the join would have left out, and what is
//! NULL where an outer join puts NULL in the place of a row.

use std::collections::BTreeSet;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::expr::{BinaryExpr, Cast, ScalarFunction};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, ExprSchemable, Operator};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use super::tree;

/// Functions that give a value for whatever they are given.
const TOTAL: [&str; 9] =
    ["coalesce", "date_part", "date_trunc", "lower", "nullif", "substr", "upper", "btrim", "character_length"];

/// Whether it can be computed for any row. An error is an answer, and rows that have no partner in a join give none.
pub(super) fn is_total(expr: &Expr, scope: &DFSchema) -> bool {
    let mut total = true;
    let walked = expr.apply(|part| {
        total &= match part {
            Expr::Column(_)
            | Expr::Literal(..)
            | Expr::Not(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsTrue(_)
            | Expr::IsNotTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsNotFalse(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotUnknown(_)
            | Expr::Between(_)
            | Expr::InList(_)
            | Expr::Case(_)
            | Expr::Like(_)
            | Expr::TryCast(_) => true,
            Expr::BinaryExpr(binary) => operator(binary),
            Expr::Cast(cast) => widens(cast, scope),
            Expr::ScalarFunction(ScalarFunction { func, args: _ }) => TOTAL.contains(&func.name()),
            _ => false,
        };
        Ok(if total { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    walked.is_ok() && total
}

/// Sums, differences and products of integers wrap, and of decimals grow a type that holds them.
fn operator(binary: &BinaryExpr) -> bool {
    match binary.op {
        Operator::Eq
        | Operator::NotEq
        | Operator::Lt
        | Operator::LtEq
        | Operator::Gt
        | Operator::GtEq
        | Operator::And
        | Operator::Or
        | Operator::IsDistinctFrom
        | Operator::IsNotDistinctFrom
        | Operator::Plus
        | Operator::Minus
        | Operator::Multiply
        | Operator::StringConcat => true,
        Operator::Divide | Operator::Modulo => {
            matches!(binary.right.as_ref(), Expr::Literal(value, _) if nonzero(value))
        }
        _ => false,
    }
}

fn nonzero(value: &ScalarValue) -> bool {
    !value.is_null() && ScalarValue::new_zero(&value.data_type()).is_ok_and(|zero| zero != *value)
}

fn widens(cast: &Cast, scope: &DFSchema) -> bool {
    use arrow::datatypes::DataType::{Date32, Decimal128, Float64, Int32, Int64, Timestamp, Utf8};
    let Ok(from) = cast.expr.get_type(scope) else { return false };
    match (&from, cast.field.data_type()) {
        (from, to) if from == to => true,
        (Int32, Int64 | Float64) | (Int64, Float64) | (Decimal128(..), Float64) | (Date32, Timestamp(..)) => true,
        (Int32 | Int64, Decimal128(precision, scale)) => i16::from(*precision) - i16::from(*scale) >= 19,
        (Decimal128(p1, s1), Decimal128(p2, s2)) => {
            s2 >= s1 && i16::from(*p2) - i16::from(*s2) >= i16::from(*p1) - i16::from(*s1)
        }
        (_, Utf8) => true,
        _ => false,
    }
}

/// Whether it is NULL where all the columns of these leaves are.
pub(super) fn is_strict(expr: &Expr, leaves: &BTreeSet<usize>, scope: &DFSchema) -> bool {
    matches!(over_nulls(expr, leaves, scope), Some(value) if value.is_null())
}

/// Whether it is not true where all the columns of these leaves are NULL.
pub(super) fn is_rejecting(expr: &Expr, leaves: &BTreeSet<usize>, scope: &DFSchema) -> bool {
    matches!(over_nulls(expr, leaves, scope), Some(value) if value.is_null() || value == ScalarValue::Boolean(Some(false)))
}

fn over_nulls(expr: &Expr, leaves: &BTreeSet<usize>, scope: &DFSchema) -> Option<ScalarValue> {
    use datafusion::common::tree_node::{Transformed, TransformedResult};
    let over = expr.clone().transform_up(|part| match tree::place(&part) {
        Some((leaf, _)) if leaves.contains(&leaf) => {
            let null = ScalarValue::try_from(&part.get_type(scope)?)?;
            Ok(Transformed::yes(Expr::Literal(null, None)))
        }
        _ => Ok(Transformed::no(part)),
    });
    match ExprSimplifier::new(SimplifyContext::default()).simplify(over.data().ok()?).ok()? {
        Expr::Literal(value, _) => Some(value),
        _ => None,
    }
}
