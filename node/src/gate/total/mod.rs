//! Makes a plan total: whatever has no value for some row (a division by zero, an overflow, a text that is no number, a
//! pattern that can't be read) is NULL there, since an error would be an answer about rows.
//!
//! The gate does so where anything in the plan is not open, in each operator over data of this node: SELECT, WHERE,
//! HAVING, ON, ORDER BY, GROUP BY, arguments of aggregates and windows, subqueries, and the owner's row filter below them.
//! What is computed over other bodies' datasets alone stays as it was written, so that it travels to them as plain SQL:
//! their nodes make it total in turn.
//!
//! | where | what |
//! | --- | --- |
//! | `expressions` | one expression, node by node |
//! | `casts` | which casts can fail, and what stands for them |
//! | `shipped` | these as they go to a worker of the body's cluster |
//! | `wrapped`, `attempt` | one function or operator that gives NULL where it has no value |
//!
//! Comparisons, lossless casts and whole-text functions stay as they are, so that conditions still reach the files.
//! TRY_CAST stands for casts where it says all. Everything else goes through one wrapper, which evaluates a batch at
//! once and only where that fails looks for the rows that have no value.

mod attempt;
mod casts;
mod expressions;
mod shipped;
mod wrapped;

#[cfg(test)]
mod tests;

use datafusion::catalog::TableProvider;
use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::datasource::DefaultTableSource;
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan};

use super::Refused;
use super::release::ReleaseNode;
use super::walk::renewed_schema;

pub(crate) use casts::never_fails;
pub(super) use shipped::{ShippedTotal, ship};
pub(super) use wrapped::total_call;

/// The plan with every expression over data of this node made total; `foreign` knows tables of other bodies.
pub(super) fn made_total(
    plan: LogicalPlan,
    foreign: &dyn Fn(&dyn TableProvider) -> bool,
) -> std::result::Result<LogicalPlan, Refused> {
    single_values(&plan, foreign)?;
    total(plan, foreign).map_err(Refused::from)
}

fn total(plan: LogicalPlan, foreign: &dyn Fn(&dyn TableProvider) -> bool) -> Result<LogicalPlan> {
    let plan = plan.transform_up_with_subqueries(|node| {
        if !is_local(&node, foreign)? {
            return Ok(Transformed::no(node));
        }
        // Constants, which are read when the query is planned.
        if matches!(node, LogicalPlan::Limit(_) | LogicalPlan::Values(_)) {
            return Ok(Transformed::no(node));
        }
        operator(node).map(Transformed::yes)
    })?;
    Ok(plan.data)
}

/// One operator with its own expressions made total.
fn operator(node: LogicalPlan) -> Result<LogicalPlan> {
    let mut scope = DFSchema::empty();
    for input in node.inputs() {
        scope.merge(input.schema());
    }
    let names = NamePreserver::new(&node);
    let node = node.map_expressions(|expr| {
        let name = names.save(&expr);
        let changed = expr.transform_up(|expr| expressions::total(expr, &scope))?;
        Ok(changed.update_data(|expr| name.restore(expr)))
    })?;
    renewed_schema(node.data)
}

/// The plan of a mapping made total: all that it reads lies at this node.
pub(crate) fn mapping(plan: LogicalPlan) -> Result<LogicalPlan> {
    total(plan, &|_| false)
}

/// Whether an operator reads anything that lies at this node.
fn is_local(node: &LogicalPlan, foreign: &dyn Fn(&dyn TableProvider) -> bool) -> Result<bool> {
    let mut local = false;
    node.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let source = scan.source.downcast_ref::<DefaultTableSource>();
            local |= !source.is_some_and(|source| foreign(source.table_provider.as_ref()));
        }
        local |= release(node).is_some();
        Ok(if local { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(local)
}

/// A subquery as a value must be known to give one row at most: whether it gives two is told by an error.
fn single_values(plan: &LogicalPlan, foreign: &dyn Fn(&dyn TableProvider) -> bool) -> Result<(), Refused> {
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::ScalarSubquery(subquery) = expr
                    && !is_single(&subquery.subquery)
                    && is_local(&subquery.subquery, foreign)?
                {
                    found = Some(several_rows());
                    return Ok(TreeNodeRecursion::Stop);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    found.map_or(Ok(()), Err)
}

fn several_rows() -> Refused {
    Refused::new(
        "expression",
        "a subquery stands as a value and may give several rows, over data that is not open",
        "aggregate it (MAX, COUNT, …) without GROUP BY, or end it with LIMIT 1",
    )
}

/// Whether a plan has at most one row, whatever the data.
fn is_single(plan: &LogicalPlan) -> bool {
    let narrows = matches!(
        plan,
        LogicalPlan::Projection(_) | LogicalPlan::SubqueryAlias(_) | LogicalPlan::Sort(_) | LogicalPlan::Filter(_)
    );
    let of_release = release(plan).is_some_and(|release| release.point().keys == 0);
    let of_input = narrows && plan.inputs().first().is_some_and(|input| is_single(input));
    of_release || of_input || plan.max_rows().is_some_and(|rows| rows <= 1)
}

fn release(plan: &LogicalPlan) -> Option<&ReleaseNode> {
    match plan {
        LogicalPlan::Extension(Extension { node }) => node.as_any().downcast_ref(),
        _ => None,
    }
}
