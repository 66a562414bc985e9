//! Parentheses in SQL expressions: as many as are needed to be read as meant, and no more. DataFusion's unparser leaves some out
//! that are needed (`NOT (a) IS NULL`).

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, UnaryOperator, Value,
};

/// Where an expression stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Alone: between commas or brackets.
    Whole,
    /// Beside AND.
    And,
    /// Beside OR.
    Or,
    /// Beside any other operator.
    Operand,
    /// Behind a sign.
    Signed,
}

/// The same expression with its parentheses put anew.
pub(crate) fn tidy(expr: Expr) -> Expr {
    at(expr, Place::Whole)
}

fn at(expr: Expr, place: Place) -> Expr {
    let inner = within(bare(expr));
    if needs(&inner, place) { Expr::Nested(Box::new(inner)) } else { inner }
}

fn bare(expr: Expr) -> Expr {
    match expr {
        Expr::Nested(inner) => bare(*inner),
        other => other,
    }
}

fn needs(expr: &Expr, place: Place) -> bool {
    match expr {
        Expr::Identifier(_)
        | Expr::CompoundIdentifier(_)
        | Expr::Function(_)
        | Expr::Cast { .. }
        | Expr::Case { .. } => false,
        Expr::Value(value) => {
            place == Place::Signed && matches!(&value.value, Value::Number(text, _) if text.starts_with('-'))
        }
        Expr::BinaryOp { op: BinaryOperator::And, .. } => !matches!(place, Place::Whole | Place::And),
        Expr::BinaryOp { op: BinaryOperator::Or, .. } => !matches!(place, Place::Whole | Place::Or),
        // What stands behind FROM reaches as far as it can.
        Expr::IsDistinctFrom(..) | Expr::IsNotDistinctFrom(..) => place != Place::Whole,
        _ => matches!(place, Place::Operand | Place::Signed),
    }
}

fn operand(expr: Box<Expr>) -> Box<Expr> {
    Box::new(at(*expr, Place::Operand))
}

fn within(expr: Expr) -> Expr {
    match expr {
        Expr::BinaryOp { left, op, right } => {
            let place = match op {
                BinaryOperator::And => Place::And,
                BinaryOperator::Or => Place::Or,
                _ => Place::Operand,
            };
            Expr::BinaryOp { left: Box::new(at(*left, place)), op, right: Box::new(at(*right, place)) }
        }
        Expr::UnaryOp { op, expr } => {
            let place = if op == UnaryOperator::Not { Place::Operand } else { Place::Signed };
            Expr::UnaryOp { op, expr: Box::new(at(*expr, place)) }
        }
        Expr::IsNull(expr) => Expr::IsNull(operand(expr)),
        Expr::IsNotNull(expr) => Expr::IsNotNull(operand(expr)),
        Expr::IsTrue(expr) => Expr::IsTrue(operand(expr)),
        Expr::IsNotTrue(expr) => Expr::IsNotTrue(operand(expr)),
        Expr::IsFalse(expr) => Expr::IsFalse(operand(expr)),
        Expr::IsNotFalse(expr) => Expr::IsNotFalse(operand(expr)),
        Expr::IsUnknown(expr) => Expr::IsUnknown(operand(expr)),
        Expr::IsNotUnknown(expr) => Expr::IsNotUnknown(operand(expr)),
        Expr::IsDistinctFrom(left, right) => Expr::IsDistinctFrom(operand(left), operand(right)),
        Expr::IsNotDistinctFrom(left, right) => Expr::IsNotDistinctFrom(operand(left), operand(right)),
        Expr::InList { expr, list, negated } => {
            Expr::InList { expr: operand(expr), list: list.into_iter().map(tidy).collect(), negated }
        }
        Expr::Like { negated, any, expr, pattern, escape_char } => {
            Expr::Like { negated, any, expr: operand(expr), pattern: operand(pattern), escape_char }
        }
        Expr::ILike { negated, any, expr, pattern, escape_char } => {
            Expr::ILike { negated, any, expr: operand(expr), pattern: operand(pattern), escape_char }
        }
        Expr::Cast { kind, expr, data_type, array, format } => {
            Expr::Cast { kind, expr: Box::new(tidy(*expr)), data_type, array, format }
        }
        Expr::Case { case_token, end_token, operand, conditions, else_result } => Expr::Case {
            case_token,
            end_token,
            operand: operand.map(|expr| Box::new(tidy(*expr))),
            conditions: conditions
                .into_iter()
                .map(|CaseWhen { condition, result }| CaseWhen { condition: tidy(condition), result: tidy(result) })
                .collect(),
            else_result: else_result.map(|expr| Box::new(tidy(*expr))),
        },
        Expr::Function(mut function) => {
            if let FunctionArguments::List(list) = &mut function.args {
                for arg in &mut list.args {
                    if let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg {
                        *expr = tidy(std::mem::replace(expr, Expr::Value(Value::Null.into())));
                    }
                }
            }
            Expr::Function(function)
        }
        other => other,
    }
}
