//! Marks the remote leaves of a placed plan that a join may filter by the keys of its other side.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNodeRecursion};
use datafusion::common::{JoinSide, JoinType, NullEquality};
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, ExprSchemable, Extension, Join, LogicalPlan};
use meridian_proto::Form;

use super::{OpenHere, Worth, list};
use crate::node::RemoteNode;
use crate::normal;

/// How many rows a table of this node is taken for. Where it has more, that is found out without asking anybody.
const OWN_ROWS: f64 = 1_000.0;

/// Which sides of a join may lose rows that have no partner, without any difference to its result. An anti join's do, too, in
/// part; there it stays at what is plain.
pub(super) fn filterable(join: JoinType) -> &'static [JoinSide] {
    match join {
        JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi => &[JoinSide::Left, JoinSide::Right],
        JoinType::Left => &[JoinSide::Right],
        JoinType::Right => &[JoinSide::Left],
        JoinType::Full | JoinType::LeftAnti | JoinType::RightAnti | JoinType::LeftMark | JoinType::RightMark => &[],
    }
}

/// The plan, with every remote leaf marked that it is worth to filter; by keys of this node's own rows as well, where they are open.
pub(crate) fn marked(plan: LogicalPlan, worth: Worth, own: Option<&OpenHere>) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|node| match &node {
        LogicalPlan::Join(join) => Ok(match sides(join, worth, own)? {
            Some(join) => Transformed::yes(LogicalPlan::Join(join)),
            None => Transformed::no(node),
        }),
        _ => Ok(Transformed::no(node)),
    })
    .data()
}

fn sides(join: &Join, worth: Worth, own: Option<&OpenHere>) -> Result<Option<Join>> {
    if join.null_equality != NullEquality::NullEqualsNothing {
        return Ok(None);
    }
    for side in filterable(join.join_type) {
        let (large, small) = match side {
            JoinSide::Left => (&join.left, &join.right),
            _ => (&join.right, &join.left),
        };
        let exact = |(left, right): &(Expr, Expr)| {
            let types = (left.get_type(join.left.schema()), right.get_type(join.right.schema()));
            matches!(types, (Ok(left), Ok(right)) if list::is_exact(&left) && list::is_exact(&right))
        };
        if !join.on.iter().any(exact) {
            continue;
        }
        // A key must be its row's alone: a subquery in it would tell what that comes to.
        let key = |(left, right): &(Expr, Expr)| normal::is_of_rows(if *side == JoinSide::Left { right } else { left });
        if !join.on.iter().map(key).collect::<Result<Vec<_>>>()?.into_iter().all(|alone| alone) {
            continue;
        }
        let Some(small) = open(small, own)? else { continue };
        if small.rows > worth.small {
            continue;
        }
        if let Some(large) = with_keys(large, &small, worth)? {
            let mut join = join.clone();
            match side {
                JoinSide::Left => join.left = Arc::new(large),
                _ => join.right = Arc::new(large),
            }
            return Ok(Some(join));
        }
    }
    Ok(None)
}

/// A side whose keys may be told to anybody.
struct Open {
    datasets: BTreeSet<String>,
    rows: f64,
}

/// The side, if it is made of open rows of other bodies, and of open ones of this node, and of nothing else, in its subqueries
/// neither.
fn open(plan: &LogicalPlan, own: Option<&OpenHere>) -> Result<Option<Open>> {
    let mut found = Open { datasets: BTreeSet::new(), rows: 0.0 };
    let (mut all, mut here) = (true, false);
    plan.apply_with_subqueries(|node| {
        match node {
            LogicalPlan::Extension(Extension { node }) => match node.as_any().downcast_ref::<RemoteNode>() {
                Some(remote) if is_open(remote) => {
                    found.rows += remote.rows as f64;
                    for part in &remote.parts {
                        found.datasets.insert(part.dataset.clone());
                        found.datasets.extend(part.beside.iter().map(ToString::to_string));
                    }
                }
                _ => all = false,
            },
            LogicalPlan::TableScan(_) => {
                here = true;
                found.rows += OWN_ROWS;
                all &= own.is_some_and(|own| !own.datasets().is_empty());
            }
            node => all &= !node.inputs().is_empty(),
        }
        Ok(if all { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    if let Some(own) = own.filter(|_| here) {
        found.datasets.extend(own.datasets().iter().cloned());
    }
    Ok((all && !found.datasets.is_empty()).then_some(found))
}

fn is_open(remote: &RemoteNode) -> bool {
    remote.parts.iter().all(|part| part.form == Form::Open && part.references.is_empty())
}

/// The side with its leaf marked, if it is the rows of one leaf and enough of them. Cells are never filtered by keys.
fn with_keys(plan: &LogicalPlan, small: &Open, worth: Worth) -> Result<Option<LogicalPlan>> {
    match plan {
        LogicalPlan::Projection(_) | LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) => {
            let inputs = plan.inputs();
            let Some(input) = inputs.first() else { return Ok(None) };
            let Some(input) = with_keys(input, small, worth)? else { return Ok(None) };
            plan.with_new_exprs(plan.expressions(), vec![input]).map(Some)
        }
        LogicalPlan::Extension(Extension { node }) => {
            let Some(remote) = node.as_any().downcast_ref::<RemoteNode>() else { return Ok(None) };
            let rows = |form| matches!(form, Form::Open | Form::Rows);
            let plain = remote.parts.iter().all(|part| rows(part.form) && part.references.is_empty());
            if !plain || (remote.rows as f64) < (small.rows * worth.times).min(worth.many) {
                return Ok(None);
            }
            let keys_of = small.datasets.iter().cloned().collect();
            let node = RemoteNode { keys_of, ..remote.clone() };
            Ok(Some(LogicalPlan::Extension(Extension { node: Arc::new(node) })))
        }
        _ => Ok(None),
    }
}
