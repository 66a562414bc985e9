//! Joins: equalities and other conditions are one set, in which it is written out where NULL equals NULL.

use datafusion::common::{DFSchema, JoinType, NullEquality};
use datafusion::logical_expr::expr::{BinaryExpr, InSubquery};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, Join, Operator, Subquery};

use super::expr;
use crate::error::Why;
use crate::rel::{self, How, Rel};

/// A join over what its inputs became.
pub(crate) fn join(node: &Join, left: Rel, right: Rel) -> Result<Rel, Why> {
    let Join {
        left: of_left,
        right: of_right,
        on,
        filter,
        join_type,
        join_constraint: _,
        schema: _,
        null_equality,
        null_aware,
    } = node;
    let (first, second) = (of_left.schema().fields().len(), of_right.schema().fields().len());
    let equal = match null_equality {
        NullEquality::NullEqualsNothing => Operator::Eq,
        NullEquality::NullEqualsNull => Operator::IsNotDistinctFrom,
    };
    let mut all = Vec::new();
    for (one, other) in on {
        let other = rel::replace(expr(other, of_right.schema())?, |index| rel::column(first + index))?;
        let one = expr(one, of_left.schema())?;
        all.push(Expr::BinaryExpr(BinaryExpr::new(Box::new(one), equal, Box::new(other))));
    }
    if let Some(filter) = filter {
        let sides = DFSchema::join(of_left.schema(), of_right.schema())?;
        for conjunct in split_conjunction(filter) {
            all.push(expr(conjunct, &sides)?);
        }
    }
    let (how, swapped) = how(*join_type, *null_aware)?;
    let (left, right) = (Box::new(left.exactly(first)), Box::new(right.exactly(second)));
    if how == How::NotIn {
        return not_in_join(*left, *right, all);
    }
    if !swapped {
        return Ok(Rel::Join { left, right, how, on: all });
    }
    let moved = |index| rel::column(if index < first { second + index } else { index - first });
    let on = all.into_iter().map(|conjunct| rel::replace(conjunct, moved)).collect::<Result<_, _>>()?;
    Ok(Rel::Join { left: right, right: left, how, on })
}

/// Which rows stay, and whether the sides are to be swapped.
fn how(join_type: JoinType, null_aware: bool) -> Result<(How, bool), Why> {
    Ok(match (join_type, null_aware) {
        (JoinType::Inner, false) => (How::Inner, false),
        (JoinType::Left, false) => (How::Left, false),
        (JoinType::Right, false) => (How::Right, false),
        (JoinType::Full, false) => (How::Full, false),
        (JoinType::LeftSemi, false) => (How::Semi, false),
        (JoinType::RightSemi, false) => (How::Semi, true),
        (JoinType::LeftAnti, false) => (How::Anti, false),
        (JoinType::RightAnti, false) => (How::Anti, true),
        (JoinType::LeftAnti, true) => (How::NotIn, false),
        (JoinType::LeftMark | JoinType::RightMark, false) => {
            return Err(Why::new("EXISTS and IN as values are not sent to another body"));
        }
        (other, true) => return Err(Why::new(format!("a {other} join that minds NULL is not sent to another body"))),
    })
}

/// `NOT IN`: one equality, between an expression of the left side and a column of the right one.
fn not_in_join(left: Rel, right: Rel, on: Vec<Expr>) -> Result<Rel, Why> {
    let width = left.width();
    let refused = || Why::new("NOT IN with a subquery that depends on the outer query is not sent to another body");
    let [conjunct] = <[Expr; 1]>::try_from(on).map_err(|_| refused())?;
    let (one, other) = rel::equality(&conjunct).ok_or_else(refused)?;
    let of_left = |side: &Expr| rel::used(side).iter().all(|index| *index < width);
    let of_right = |side: &Expr| rel::used(side).iter().all(|index| *index >= width) && !rel::used(side).is_empty();
    let (own, key) = match (one, other) {
        (one, other) if of_left(one) && of_right(other) => (one, other),
        (one, other) if of_right(one) && of_left(other) => (other, one),
        _ => return Err(refused()),
    };
    let key = rel::replace(key.clone(), |index| rel::column(index - width))?;
    Ok(not_in_rel(left, own.clone(), Rel::Project { input: Box::new(right), exprs: vec![key] }))
}

fn not_in_rel(left: Rel, own: Expr, right: Rel) -> Rel {
    let on = vec![own.eq(rel::column(left.width()))];
    Rel::Join { left: Box::new(left), right: Box::new(right), how: How::NotIn, on }
}

/// The condition `x NOT IN (SELECT …)` over some rows.
pub(super) fn not_in(condition: &Expr, schema: &DFSchema, rel: Rel) -> Result<Rel, Why> {
    let refused = || Why::new("the result of a subquery is not sent to another body");
    let Expr::InSubquery(InSubquery { expr: own, subquery, negated: true }) = condition else { return Err(refused()) };
    let Subquery { subquery: plan, outer_ref_columns, spans: _ } = subquery;
    if !outer_ref_columns.is_empty() {
        return Err(refused());
    }
    let right = super::plan(plan)?.exactly(1);
    Ok(not_in_rel(rel.exactly(schema.fields().len()), expr(own, schema)?, right))
}
