//! Makes a mapping's expressions total: what could fail on some value gives NULL instead.
//!
//! For a source that every query reads anew: an error would tell that a value exists among rows which the caller may not see.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{Cast, TryCast};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, lit, when};

use super::mapping::planner_words;
use super::{SourceError, SourceSpec};

/// Functions that fail on some values and have no form that gives NULL.
const FALLIBLE: [&str; 19] = [
    "arrow_cast",
    "chr",
    "date_bin",
    "decode",
    "factorial",
    "gcd",
    "lcm",
    "make_date",
    "make_time",
    "power",
    "repeat",
    "to_date",
    "to_time",
    "to_timestamp",
    "to_timestamp_micros",
    "to_timestamp_millis",
    "to_timestamp_nanos",
    "to_timestamp_seconds",
    "to_unixtime",
];

/// The same analysed plan, in which no cast and no division fails; an expression that can't be had so is refused.
pub(super) fn total(spec: &SourceSpec, plan: LogicalPlan) -> std::result::Result<LogicalPlan, SourceError> {
    if let Some(function) = fallible_function(&plan) {
        let why = format!(
            "{function}() fails on some values, and such an error would be an answer about rows; use TRY_CAST, or a source of kind csv"
        );
        return Err(SourceError::mapping(spec, why));
    }
    let rewritten = plan.transform_up_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        node.map_expressions(|expression| {
            let name = names.save(&expression);
            let changed = expression.transform_up(|expression| rewrite(expression, &schema))?;
            Ok(changed.update_data(|expression| name.restore(expression)))
        })?
        .map_data(LogicalPlan::recompute_schema)
    });
    rewritten.map(|plan| plan.data).map_err(|error| SourceError::mapping(spec, planner_words(&error)))
}

/// Whether a cast has a result for every value.
pub(super) fn never_fails(from: &DataType, to: &DataType) -> bool {
    use DataType::{
        Boolean, Date32, Decimal128, Float32, Float64, Int8, Int16, Int32, Int64, LargeUtf8, Null, UInt8, UInt16,
        UInt32, UInt64, Utf8, Utf8View,
    };
    match (from, to) {
        (from, to) if from == to => true,
        (Null, _) => true,
        (
            Boolean | Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 | Utf8 | LargeUtf8 | Utf8View,
            Utf8,
        ) => true,
        (Float32 | Float64 | Date32 | Decimal128(_, _), Utf8) => true,
        (Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 | Float32, Float64) => true,
        (Int8 | UInt8, Int16 | Int32 | Int64) | (Int16 | UInt16, Int32 | Int64) | (Int32 | UInt32, Int64) => true,
        (Decimal128(p, s), Decimal128(q, t)) => {
            t >= s && i16::from(*q) - i16::from(*t) >= i16::from(*p) - i16::from(*s)
        }
        _ => false,
    }
}

fn rewrite(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expression {
        Expr::Cast(Cast { expr, field }) if !never_fails(&expr.get_type(schema)?, field.data_type()) => {
            Ok(Transformed::yes(Expr::TryCast(TryCast::new_from_field(expr, field))))
        }
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::Divide | Operator::Modulo), right }) => {
            let right_type = right.get_type(schema)?;
            if right_type.is_floating() || !right_type.is_numeric() {
                return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })));
            }
            let zero = lit(ScalarValue::new_zero(&right_type)?);
            let divisor = when((*right).clone().not_eq(zero), *right).end()?;
            Ok(Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right: Box::new(divisor) })))
        }
        other => Ok(Transformed::no(other)),
    }
}

fn fallible_function(plan: &LogicalPlan) -> Option<&'static str> {
    let mut found = None;
    let walked = plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expression| {
            expression.apply(|expression| {
                if let Expr::ScalarFunction(call) = expression {
                    found = found.or(FALLIBLE.into_iter().find(|name| *name == call.func.name()));
                }
                Ok(if found.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
            })
        })
    });
    debug_assert!(walked.is_ok(), "the visitor above never fails");
    found
}
