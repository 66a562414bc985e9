//! One expression made total, from its leaves upwards.

use arrow::datatypes::DataType;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Cast, Like, ScalarFunction, TryCast, WindowFunction};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, WindowFunctionDefinition};

use super::super::Refused;
use super::super::functions::{self, Totality, Use};
use super::casts;
use super::wrapped::{Wrapped, total_call, wrap};

/// Longest constant pattern of LIKE that is known to be readable, in bytes.
const LONGEST_PATTERN: usize = 200;
/// Widest decimals whose average can't overflow before 10^10 rows, in digits.
const WIDEST_AVERAGE: u8 = 24;

/// One node, its children total already.
#[expect(deprecated, reason = "every variant is named, those of older DataFusion as well")]
pub(super) fn total(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expr {
        Expr::BinaryExpr(binary) => self::binary(binary, schema),
        Expr::Negative(of) => match of.get_type(schema)? {
            data_type if data_type.is_floating() => Ok(Transformed::no(Expr::Negative(of))),
            _ => Ok(Transformed::yes(wrap(Wrapped::Negative, vec![*of]))),
        },
        Expr::Like(like) if readable(&like) => Ok(Transformed::no(Expr::Like(like))),
        Expr::Like(Like { negated, expr, pattern, escape_char: None, case_insensitive }) => {
            Ok(Transformed::yes(wrap(Wrapped::Like { negated, case_insensitive }, vec![*expr, *pattern])))
        }
        // Refused when it is planned, whatever the rows.
        Expr::Like(like) => Ok(Transformed::no(Expr::Like(like))),
        Expr::SimilarTo(Like { negated, expr, pattern, escape_char: _, case_insensitive }) => {
            Ok(Transformed::yes(wrap(Wrapped::Similar { negated, case_insensitive }, vec![*expr, *pattern])))
        }
        Expr::Cast(Cast { expr, field }) => match casts::cast(&expr.get_type(schema)?, field.data_type()) {
            casts::Cast::Plain => Ok(Transformed::no(Expr::Cast(Cast { expr, field }))),
            casts::Cast::Try => Ok(Transformed::yes(Expr::TryCast(TryCast::new_from_field(expr, field)))),
            casts::Cast::Wrapped => Ok(Transformed::yes(wrap(Wrapped::Cast(field), vec![*expr]))),
        },
        Expr::TryCast(TryCast { expr, field }) => match casts::cast(&expr.get_type(schema)?, field.data_type()) {
            casts::Cast::Plain | casts::Cast::Try => Ok(Transformed::no(Expr::TryCast(TryCast { expr, field }))),
            casts::Cast::Wrapped => Ok(Transformed::yes(wrap(Wrapped::Cast(field), vec![*expr]))),
        },
        Expr::ScalarFunction(call) => match functions::totality(call.name()) {
            Totality::Total => Ok(Transformed::no(Expr::ScalarFunction(call))),
            Totality::MadeTotal => Ok(Transformed::yes(Expr::ScalarFunction(total_call(call)))),
            Totality::Rewritten => rewritten(call, schema),
        },
        Expr::AggregateFunction(call) => {
            average(call.func.name(), &call.params.args, schema)?;
            Ok(Transformed::no(Expr::AggregateFunction(call)))
        }
        Expr::WindowFunction(window) => {
            let WindowFunction { fun, params } = window.as_ref();
            if let WindowFunctionDefinition::AggregateUDF(function) = fun {
                average(function.name(), &params.args, schema)?;
            }
            Ok(Transformed::no(Expr::WindowFunction(window)))
        }
        Expr::Alias(_)
        | Expr::Column(_)
        | Expr::Literal(..)
        | Expr::ScalarVariable(..)
        | Expr::Not(_)
        | Expr::IsNotNull(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotUnknown(_)
        | Expr::Between(_)
        | Expr::Case(_)
        | Expr::InList(_)
        | Expr::Exists(_)
        | Expr::InSubquery(_)
        | Expr::SetComparison(_)
        | Expr::ScalarSubquery(_)
        | Expr::GroupingSet(_)
        | Expr::OuterReferenceColumn(..)
        | Expr::Unnest(_)
        | Expr::Wildcard { .. }
        | Expr::Placeholder(_)
        | Expr::HigherOrderFunction(_)
        | Expr::Lambda(_)
        | Expr::LambdaVariable(_) => Ok(Transformed::no(expr)),
    }
}

/// A function that the engine would replace by another expression, which is made total in its place.
fn rewritten(call: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let ScalarFunction { func, args } = call;
    let context = SimplifyContext::builder().with_schema(schema.clone().into()).build();
    match func.simplify(args, &context)? {
        ExprSimplifyResult::Simplified(expr) => {
            expr.transform_up(|expr| total(expr, schema)).map(|expr| Transformed::yes(expr.data))
        }
        ExprSimplifyResult::Original(args) => {
            Ok(Transformed::yes(Expr::ScalarFunction(total_call(ScalarFunction { func, args }))))
        }
    }
}

fn binary(binary: BinaryExpr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let wrapped = match functions::operator(binary.op) {
        Use::Arithmetic => {
            !(binary.left.get_type(schema)?.is_floating() && binary.right.get_type(schema)?.is_floating())
        }
        Use::Pattern => true,
        Use::Connective | Use::Equality | Use::Order | Use::Bits | Use::Concatenation | Use::Never => false,
    };
    if !wrapped {
        return Ok(Transformed::no(Expr::BinaryExpr(binary)));
    }
    let BinaryExpr { left, op, right } = binary;
    Ok(Transformed::yes(wrap(Wrapped::Operator(op), vec![*left, *right])))
}

/// Whether LIKE has a pattern that is known to be readable.
fn readable(like: &Like) -> bool {
    match like.pattern.as_ref() {
        Expr::Literal(pattern, _) => {
            pattern.try_as_str().flatten().is_none_or(|pattern| pattern.len() <= LONGEST_PATTERN)
        }
        _ => false,
    }
}

/// An average of wide decimals overflows, and there is no form of it that gives NULL.
fn average(function: &str, args: &[Expr], schema: &DFSchema) -> Result<()> {
    let Some(of) = args.first().filter(|_| function == "avg") else { return Ok(()) };
    let wide = match of.get_type(schema)? {
        DataType::Decimal32(precision, _) | DataType::Decimal64(precision, _) | DataType::Decimal128(precision, _) => {
            precision > WIDEST_AVERAGE
        }
        DataType::Decimal256(..) => true,
        _ => false,
    };
    if !wide {
        return Ok(());
    }
    let reason = format!("AVG of decimals of more than {WIDEST_AVERAGE} digits can overflow");
    Err(Refused::new("expression", reason, "cast them to DOUBLE or to fewer digits first").at("avg").into())
}
