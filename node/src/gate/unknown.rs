//! What is computed from a withheld cell is unknown (invariant I9).
//!
//! SQL's aggregates pass over NULL, so that a sum of released cells, one of them withheld, would look like a total. Over
//! cells, each aggregate and each window that does so gets a value only where all of its cells have one:
//! `CASE WHEN count(n) = count(*) THEN sum(n) END`. What can't be put so (groups that are absent since they were
//! withheld, COALESCE, NOT IN, EXCEPT) is said in a notice behind the answer.

mod rewrite;

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, JoinType};
use datafusion::datasource::DefaultTableSource;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, Subquery};

use super::facts::ForeignUse;
use super::functions::{self, Use};
use super::release::ReleaseNode;
use super::walk::{over_cells, renewed_schema};

/// Functions that put something in the place of what is unknown.
const REPLACING: [&str; 3] = ["coalesce", "nvl", "nvl2"];

/// The plan in which unknown cells stay unknown, and what a reader must know beyond that.
pub(super) fn stays(
    plan: LogicalPlan,
    foreign: &dyn Fn(&dyn TableProvider) -> Option<ForeignUse>,
) -> Result<(LogicalPlan, BTreeSet<String>)> {
    let mut walk = Walk { foreign, notices: BTreeSet::new() };
    let (plan, _) = walk.plan(plan)?;
    Ok((plan, walk.notices))
}

struct Walk<'a> {
    foreign: &'a dyn Fn(&dyn TableProvider) -> Option<ForeignUse>,
    notices: BTreeSet<String>,
}

/// A plan, and for each of its columns whether it is made of cells.
type Flagged = (LogicalPlan, Vec<bool>);

impl Walk<'_> {
    fn plan(&mut self, plan: LogicalPlan) -> Result<Flagged> {
        let columns = plan.schema().fields().len();
        if let Some(keys) = self.cells(&plan)? {
            return Ok((plan, (0..columns).map(|column| column >= keys).collect()));
        }
        let datasets = self.datasets(&plan)?;
        if datasets.is_empty() {
            return Ok((plan, vec![false; columns]));
        }
        let mut flags = Vec::new();
        let mut inputs = Vec::new();
        for input in plan.inputs() {
            let (input, of_input) = self.plan(input.clone())?;
            inputs.push(input);
            flags.push(of_input);
        }
        let mut inputs = inputs.into_iter();
        let plan = plan.map_children(|child| Ok(Transformed::yes(inputs.next().unwrap_or(child))))?.data;
        let plan = plan.map_subqueries(|subquery| self.subquery(subquery))?.data;
        let plan = renewed_schema(plan)?;
        self.notify(&plan, &flags, &datasets)?;
        self.operator(plan, flags)
    }

    fn subquery(&mut self, plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Subquery(subquery) = plan else { return Ok(Transformed::no(plan)) };
        let (inner, _) = self.plan(Arc::unwrap_or_clone(subquery.subquery))?;
        Ok(Transformed::yes(LogicalPlan::Subquery(Subquery { subquery: Arc::new(inner), ..subquery })))
    }

    /// The operator with its own aggregates put so that they are unknown where a cell is.
    fn operator(&self, plan: LogicalPlan, flags: Vec<Vec<bool>>) -> Result<Flagged> {
        let columns = plan.schema().fields().len();
        let first = |flags: Vec<Vec<bool>>| flags.into_iter().next().unwrap_or_default();
        match plan {
            LogicalPlan::Projection(ref projection) => {
                let unknown = projection.expr.iter().map(|expr| is_unknown(expr, &plan, &flags)).collect();
                Ok((plan, unknown))
            }
            LogicalPlan::Aggregate(ref aggregate) => {
                let keys = columns.saturating_sub(aggregate.aggr_expr.len());
                let of_aggregates = aggregate.aggr_expr.iter().map(|expr| !cells_of(expr, &plan, &flags).is_empty());
                let columns = std::iter::repeat_n(false, keys).chain(of_aggregates).collect();
                let plan = rewrite::aggregate(aggregate, &|expr| cells_of(expr, &plan, &flags))?;
                Ok((plan, columns))
            }
            LogicalPlan::Window(ref window) => {
                let own = window.window_expr.iter().map(|expr| !cells_of(expr, &plan, &flags).is_empty());
                let columns = flags.iter().flatten().copied().chain(own).collect();
                let plan = rewrite::window(window, &|expr| cells_of(expr, &plan, &flags))?;
                Ok((plan, columns))
            }
            LogicalPlan::Join(ref join) => {
                let [left, right] = <[Vec<bool>; 2]>::try_from(flags)
                    .map_err(|_| DataFusionError::Internal("a join has two inputs".into()))?;
                let columns = match join.join_type {
                    JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => [left, right].concat(),
                    JoinType::LeftSemi | JoinType::LeftAnti => left,
                    JoinType::RightSemi | JoinType::RightAnti => right,
                    JoinType::LeftMark => [left, vec![true]].concat(),
                    JoinType::RightMark => [right, vec![true]].concat(),
                };
                Ok((plan, columns))
            }
            LogicalPlan::Union(_) => {
                let any = |column: usize| flags.iter().any(|of| of.get(column).copied().unwrap_or_default());
                Ok((plan, (0..columns).map(any).collect()))
            }
            LogicalPlan::Filter(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Subquery(_)
            | LogicalPlan::Repartition(_)
            | LogicalPlan::Distinct(_) => Ok((plan, first(flags))),
            LogicalPlan::Unnest(_)
            | LogicalPlan::TableScan(_)
            | LogicalPlan::EmptyRelation(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::RecursiveQuery(_)
            | LogicalPlan::Extension(_)
            | LogicalPlan::Statement(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::DescribeTable(_) => {
                let any = flags.iter().flatten().any(|flag| *flag);
                Ok((plan, vec![any; columns]))
            }
        }
    }

    /// Notes where what is unknown is taken for absent, or gets another value.
    fn notify(&mut self, plan: &LogicalPlan, flags: &[Vec<bool>], datasets: &BTreeSet<String>) -> Result<()> {
        if let LogicalPlan::Join(join) = plan
            && matches!(
                join.join_type,
                JoinType::LeftSemi | JoinType::RightSemi | JoinType::LeftAnti | JoinType::RightAnti
            )
        {
            self.notices.extend(datasets.iter().map(|dataset| over_cells(dataset)));
        }
        let mut found = BTreeSet::new();
        plan.apply_expressions(|expr| {
            expr.apply(|node| {
                if let Expr::InSubquery(InSubquery { subquery, .. }) | Expr::Exists(Exists { subquery, .. }) = node {
                    found.extend(self.datasets(&subquery.subquery)?.iter().map(|dataset| over_cells(dataset)));
                }
                if let Some(name) = replacing(node)
                    && node.column_refs().into_iter().any(|column| is_cell(column, plan, flags))
                {
                    found.extend(datasets.iter().map(|dataset| replaced(dataset, &name)));
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        self.notices.extend(found);
        Ok(())
    }

    /// The datasets of whose cells a plan is made, its subqueries included.
    fn datasets(&self, plan: &LogicalPlan) -> Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        plan.apply_with_subqueries(|node| {
            if let Some(release) = release(node) {
                found.extend(release.point().datasets.iter().cloned());
            }
            found.extend(self.foreign_statistics(node));
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(found)
    }

    /// Where a plan gives cells: how many of its columns are their labels.
    fn cells(&self, plan: &LogicalPlan) -> Result<Option<usize>> {
        if let Some(release) = release(plan) {
            let point = release.point();
            return Ok(Some(point.keys + usize::from(point.numbered.is_some())));
        }
        let LogicalPlan::Aggregate(aggregate) = plan else { return Ok(None) };
        let (mut rows, mut aggregated) = (false, false);
        aggregate.input.apply(|node| {
            rows |= !self.foreign_statistics(node).is_empty();
            aggregated |= matches!(node, LogicalPlan::Aggregate(_));
            Ok(TreeNodeRecursion::Continue)
        })?;
        let keys = plan.schema().fields().len().saturating_sub(aggregate.aggr_expr.len());
        Ok((rows && !aggregated).then_some(keys))
    }

    fn foreign_statistics(&self, plan: &LogicalPlan) -> Vec<String> {
        let LogicalPlan::TableScan(scan) = plan else { return Vec::new() };
        let source = scan.source.downcast_ref::<DefaultTableSource>();
        let foreign = source.and_then(|source| (self.foreign)(source.table_provider.as_ref()));
        foreign.map(|foreign| foreign.statistics).unwrap_or_default()
    }
}

/// Whether a value is unknown exactly where one of its cells is.
fn is_unknown(expr: &Expr, plan: &LogicalPlan, flags: &[Vec<bool>]) -> bool {
    is_strict(expr) && !cells_of(expr, plan, flags).is_empty()
}

/// The columns of cells in an expression. Whether a cell is withheld is known, and what COALESCE makes of it as well.
fn cells_of(expr: &Expr, plan: &LogicalPlan, flags: &[Vec<bool>]) -> Vec<Column> {
    let mut cells = Vec::new();
    let walked = expr.apply(|node| {
        let replaced = matches!(node, Expr::ScalarFunction(call) if REPLACING.contains(&call.name()));
        if replaced || matches!(node, Expr::IsNull(_) | Expr::IsNotNull(_)) {
            return Ok(TreeNodeRecursion::Jump);
        }
        if let Expr::Column(column) = node
            && is_cell(column, plan, flags)
            && !cells.contains(column)
        {
            cells.push(column.clone());
        }
        Ok(TreeNodeRecursion::Continue)
    });
    debug_assert!(walked.is_ok(), "the visitor above never fails");
    cells
}

fn is_cell(column: &Column, plan: &LogicalPlan, flags: &[Vec<bool>]) -> bool {
    plan.inputs().into_iter().zip(flags).any(|(input, flags)| {
        let index = input.schema().maybe_index_of_column(column);
        index.and_then(|index| flags.get(index)).copied().unwrap_or_default()
    })
}

/// Columns and arithmetic of them: NULL where a part is.
fn is_strict(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) | Expr::Literal(..) => true,
        Expr::Alias(alias) => is_strict(&alias.expr),
        Expr::Cast(cast) => is_strict(&cast.expr),
        Expr::TryCast(cast) => is_strict(&cast.expr),
        Expr::Negative(of) => is_strict(of),
        Expr::BinaryExpr(binary) => {
            functions::operator(binary.op) == Use::Arithmetic && is_strict(&binary.left) && is_strict(&binary.right)
        }
        _ => false,
    }
}

/// What an expression is called, if it puts something in the place of what is unknown.
fn replacing(expr: &Expr) -> Option<String> {
    if let Expr::Case(_) = expr {
        return Some("CASE".to_owned());
    }
    let Expr::ScalarFunction(call) = expr else { return None };
    REPLACING.contains(&call.name()).then(|| call.name().to_uppercase())
}

fn release(plan: &LogicalPlan) -> Option<&ReleaseNode> {
    match plan {
        LogicalPlan::Extension(Extension { node }) => node.as_any().downcast_ref(),
        _ => None,
    }
}

fn replaced(dataset: &str, function: &str) -> String {
    format!("withheld cells of {dataset} stand as what {function} puts in their place")
}
