//! Expressions in normal form: literals carry their type themselves, chains lean left, comparisons with constants are lists.

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Alias, Between, BinaryExpr, Cast, InList, TryCast};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Operator};

/// An expression in normal form.
pub fn expression(expr: Expr) -> Result<Expr> {
    expr.transform_up(|part| rewrite(part).map(Transformed::yes)).data()
}

/// One string type for all.
pub fn one_string_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        other => other.clone(),
    }
}

/// The conjuncts of a predicate, each in normal form.
pub fn conjuncts(predicate: Expr) -> Result<Vec<Expr>> {
    Ok(split_conjunction_owned(expression(predicate)?))
}

/// All of them.
pub fn all(conjuncts: Vec<Expr>) -> Option<Expr> {
    conjunction(conjuncts)
}

fn rewrite(expr: Expr) -> Result<Expr> {
    Ok(match expr {
        Expr::Alias(Alias { expr, .. }) => *expr,
        Expr::Literal(value, _) => Expr::Literal(one_string(value), None),
        Expr::Cast(Cast { expr, field }) => cast(*expr, &one_string_type(field.data_type())),
        Expr::TryCast(TryCast { expr, field }) => Expr::TryCast(TryCast::new(expr, one_string_type(field.data_type()))),
        Expr::Negative(inner) => match *inner {
            Expr::Literal(value, _) => Expr::Literal(value.arithmetic_negate()?, None),
            inner => Expr::Negative(Box::new(inner)),
        },
        Expr::Between(Between { expr, negated, low, high }) => between(*expr, negated, *low, *high)?,
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => chain(*left, Operator::And, *right),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => chain(*left, Operator::Or, *right),
        other => other,
    })
}

fn one_string(value: ScalarValue) -> ScalarValue {
    match value {
        ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text) => ScalarValue::Utf8(text),
        other => other,
    }
}

fn cast(expr: Expr, to: &DataType) -> Expr {
    if let Expr::Literal(value, _) = &expr
        && let Ok(value) = value.cast_to(to)
    {
        return Expr::Literal(value, None);
    }
    Expr::Cast(Cast::new(Box::new(expr), to.clone()))
}

fn between(expr: Expr, negated: bool, low: Expr, high: Expr) -> Result<Expr> {
    expression(if negated {
        expr.clone().lt(low).or(expr.gt(high))
    } else {
        expr.clone().gt_eq(low).and(expr.lt_eq(high))
    })
}

/// A chain of AND or OR leans left, and comparisons of one expression with constants in it are an IN list.
fn chain(left: Expr, op: Operator, right: Expr) -> Expr {
    let mut links = Vec::new();
    flatten(left, op, &mut links);
    flatten(right, op, &mut links);
    let negated = op == Operator::And;
    let mut merged: Vec<Expr> = Vec::with_capacity(links.len());
    for link in links {
        let (expr, list) = match listed(link, negated) {
            Ok(parts) => parts,
            Err(other) => {
                merged.push(*other);
                continue;
            }
        };
        let same = merged.iter_mut().find_map(|known| match known {
            Expr::InList(InList { expr: known, list, negated: sign }) if *sign == negated && **known == expr => {
                Some(list)
            }
            _ => None,
        });
        match same {
            Some(known) => known.extend(list),
            None => merged.push(Expr::InList(InList::new(Box::new(expr), list, negated))),
        }
    }
    let links = merged.into_iter().map(single);
    links
        .reduce(|left, right| Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))))
        .unwrap_or_default()
}

fn flatten(expr: Expr, op: Operator, into: &mut Vec<Expr>) {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: inner, right }) if inner == op => {
            flatten(*left, op, into);
            flatten(*right, op, into);
        }
        other => into.push(other),
    }
}

/// The comparison as expression and constants: `x = 1` and `x IN (1, 2)`, or, negated, `x <> 1` and `x NOT IN (1, 2)`.
fn listed(expr: Expr, negated: bool) -> std::result::Result<(Expr, Vec<Expr>), Box<Expr>> {
    let comparison = if negated { Operator::NotEq } else { Operator::Eq };
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if op == comparison && matches!(*right, Expr::Literal(..)) => {
            Ok((*left, vec![*right]))
        }
        Expr::InList(InList { expr, list, negated: sign })
            if sign == negated && list.iter().all(|value| matches!(value, Expr::Literal(..))) =>
        {
            Ok((*expr, list))
        }
        other => Err(Box::new(other)),
    }
}

fn single(expr: Expr) -> Expr {
    match expr {
        Expr::InList(InList { expr, mut list, negated }) if list.len() == 1 => match list.pop() {
            Some(value) if negated => (*expr).not_eq(value),
            Some(value) => (*expr).eq(value),
            None => Expr::InList(InList::new(expr, list, negated)),
        },
        other => other,
    }
}
