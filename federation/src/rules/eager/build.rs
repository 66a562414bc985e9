//! The plan in which leaves are grouped before they are joined.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, JoinConstraint};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{
    Aggregate, Expr, ExprFunctionExt, Filter, Join, LogicalPlan, Projection, Window, WindowFunctionDefinition, lit,
};

use super::compose::{Call, Composer, Demand, Mode, named};
use super::tree::{self, How, Leaf, Node, Tree};
use crate::alternative::renamed;
use crate::error::Why;
use crate::rules::combine::{call, known, when};

/// How many labels of its group there are, behind each label.
const LABELS: &str = "labels";

/// The aggregate over its tree, with each leaf brought as its mode says; what was asked of each leaf.
pub(super) fn plan(
    node: &Aggregate,
    tree: &Tree,
    (groups, calls): (&[Expr], &[Call]),
    (modes, counted): (&[Mode], bool),
) -> Result<(LogicalPlan, Vec<Demand>), Why> {
    let mut composer = Composer::new(tree, modes)?;
    let root = composer.node(&tree.root)?;
    let groups = groups.iter().map(|group| composer.key(group)).collect::<Result<Vec<_>, _>>()?;
    let values = calls.iter().map(|call| value(&mut composer, call, counted)).collect::<Result<Vec<_>, _>>()?;
    let input = Arc::new(joined(&root, tree, modes, &composer.demands)?);
    let keys = groups.into_iter().enumerate().map(|(index, group)| group.alias(format!("g{index}"))).collect();
    let number = node.schema.fields().len().saturating_sub(calls.len());
    let totals = std::mem::take(&mut composer.totals);
    let totals = totals.into_iter().enumerate().map(|(index, total)| total.alias(format!("t{index}"))).collect();
    let total = LogicalPlan::Aggregate(Aggregate::try_new(input, keys, totals)?);
    let keys = (0..number).map(|index| named(format!("g{index}")));
    Ok((renamed(total, keys.chain(values).collect(), &node.schema)?, composer.demands))
}

/// An aggregate; NULL where a cell that it is made of is not known.
fn value(composer: &mut Composer<'_>, of: &Call, counted: bool) -> Result<Expr, Why> {
    let (value, cells) = composer.value(of)?;
    if cells.is_empty() {
        return Ok(value);
    }
    let rows = composer.total(call(known("count")?, lit(1_i64), None));
    let mut conditions = Vec::new();
    for cell in cells {
        conditions.push(composer.total(call(known("count")?, cell, None)).eq(rows.clone()));
    }
    if counted {
        conditions.push(composer.total(call(known("max")?, named(LABELS.into()), None)).eq(rows));
    }
    let all = crate::normal::all(conditions).ok_or_else(|| Why::new("an aggregate has no parts"))?;
    Ok(when(vec![(all, value)], None))
}

fn joined(node: &Node, tree: &Tree, modes: &[Mode], demands: &[Demand]) -> Result<LogicalPlan, Why> {
    Ok(match node {
        Node::Leaf(number) => {
            let missing = || Why::new("there is no such side of the join");
            let leaf = tree.leaves.get(*number).ok_or_else(missing)?;
            let demand = demands.get(*number).ok_or_else(missing)?;
            match modes.get(*number) {
                Some(Mode::Groups | Mode::Cells) => grouped(leaf, *number, demand)?,
                Some(Mode::Rows) | None => rows(leaf, *number, &demand.columns)?,
            }
        }
        Node::Filter { input, predicate } => {
            LogicalPlan::Filter(Filter::try_new(predicate.clone(), Arc::new(joined(input, tree, modes, demands)?))?)
        }
        Node::Join { left, right, how } => {
            let left = Arc::new(joined(left, tree, modes, demands)?);
            let right = Arc::new(joined(right, tree, modes, demands)?);
            let How { kind, on, filter, null_equality, null_aware } = how.clone();
            let constraint = JoinConstraint::On;
            LogicalPlan::Join(Join::try_new(left, right, on, filter, kind, constraint, null_equality, null_aware)?)
        }
        Node::Counted { input, by } => {
            let input = Arc::new(joined(input, tree, modes, demands)?);
            let count = WindowFunctionDefinition::AggregateUDF(known("count")?);
            let count = Expr::from(WindowFunction::new(count, vec![lit(1_i64)]));
            let count = if by.is_empty() { count } else { count.partition_by(by.clone()).build()? };
            LogicalPlan::Window(Window::try_new(vec![count.alias(LABELS)], input)?)
        }
    })
}

fn rows(leaf: &Leaf, number: usize, columns: &BTreeSet<usize>) -> Result<LogicalPlan, Why> {
    let exprs = columns
        .iter()
        .map(|index| Ok(own(leaf, number, &tree::column(number, *index))?.alias(format!("e{number}_{index}"))))
        .collect::<Result<Vec<_>, Why>>()?;
    Ok(LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(leaf.plan.clone()))?))
}

fn grouped(leaf: &Leaf, number: usize, demand: &Demand) -> Result<LogicalPlan, Why> {
    let Demand { columns, computed, partials } = demand;
    let columns = columns.iter().map(|index| (format!("e{number}_{index}"), tree::column(number, *index)));
    let computed = computed.iter().enumerate().map(|(index, expr)| (format!("k{number}_{index}"), expr.clone()));
    let partials = partials.iter().enumerate().map(|(index, expr)| (format!("p{number}_{index}"), expr.clone()));
    let over = |(name, expr): (String, Expr)| Ok(own(leaf, number, &expr)?.alias(name));
    let keys = columns.chain(computed).map(over).collect::<Result<Vec<_>, Why>>()?;
    let partials = partials.map(over).collect::<Result<Vec<_>, Why>>()?;
    if keys.is_empty() {
        // One row over no rows would be joined where there is none.
        return Err(Why::new("it is joined by no key"));
    }
    Ok(LogicalPlan::Aggregate(Aggregate::try_new(Arc::new(leaf.plan.clone()), keys, partials)?))
}

/// An expression over the leaf's own plan.
fn own(leaf: &Leaf, number: usize, expr: &Expr) -> Result<Expr, Why> {
    let schema = leaf.plan.schema();
    let over = expr.clone().transform_up(|part| match tree::place(&part) {
        Some((of, index)) if of == number && index < schema.fields().len() => {
            Ok(Transformed::yes(Expr::Column(Column::from(schema.qualified_field(index)))))
        }
        _ => Ok(Transformed::no(part)),
    });
    Ok(over.data()?)
}
