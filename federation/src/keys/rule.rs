//! The physical rule that puts a [`KeyFilterExec`] over the joins whose remote leaf is marked.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{JoinSide, NullEquality};
use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{CastExpr, Column};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use meridian_proto::Form;

use super::exec::{Key, KeyFilterExec};
use super::{OpenHere, list, mark, small};
use crate::normal;
use crate::reference::ReferenceExec;
use crate::remote::RemoteExec;
use crate::turns::PacedExec;

/// The rule. Behind it only turns are seen to.
#[derive(Debug)]
pub struct KeyFilters;

impl PhysicalOptimizerRule for KeyFilters {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let own = OpenHere::of(config).is_some();
        plan.transform_up(|plan| {
            Ok(match filtered(&plan, own) {
                Some(filtered) => Transformed::yes(Arc::new(filtered) as _),
                None => Transformed::no(plan),
            })
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "KeyFilters"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

fn filtered(plan: &Arc<dyn ExecutionPlan>, own: bool) -> Option<KeyFilterExec> {
    let join = plan.downcast_ref::<HashJoinExec>()?;
    if join.null_equality() != NullEquality::NullEqualsNothing {
        return None;
    }
    mark::filterable(*join.join_type()).iter().find_map(|side| {
        let (large, other) = match side {
            JoinSide::Left => (join.left(), join.right()),
            _ => (join.right(), join.left()),
        };
        remote(large).filter(|remote| remote.takes_keys())?;
        if !is_open(other, own) || !small::is_plain(other) {
            return None;
        }
        let keys: Vec<Key> = join
            .on()
            .iter()
            .filter_map(|(left, right)| match side {
                JoinSide::Left => key((large, left), (other, right)),
                _ => key((large, right), (other, left)),
            })
            .collect();
        (!keys.is_empty()).then(|| KeyFilterExec::new(Arc::clone(plan), *side, keys))
    })
}

/// One side of a join, and of one of its equalities.
type Side<'a> = (&'a Arc<dyn ExecutionPlan>, &'a Arc<dyn PhysicalExpr>);

/// The key of an equality, if it is compared with a column of the remote leaf of which no two values are taken for one.
fn key((large, there): Side, (small, here): Side) -> Option<Key> {
    let compared = there.data_type(&large.schema()).ok()?;
    if here.data_type(&small.schema()).ok()? != compared {
        return None;
    }
    let position = origin(large, there, &compared)?;
    let data_type = remote(large)?.schema().fields().get(position)?.data_type().clone();
    Some(Key { expr: Arc::clone(here), position, data_type })
}

/// The position of the remote column that an expression over a plan is, but for casts that keep values apart.
fn origin(
    plan: &Arc<dyn ExecutionPlan>,
    expr: &Arc<dyn PhysicalExpr>,
    compared: &arrow::datatypes::DataType,
) -> Option<usize> {
    let from = expr.data_type(&plan.schema()).ok()?;
    if !list::is_exact(&from) || !normal::widens(&from, compared) {
        return None;
    }
    if let Some(cast) = expr.downcast_ref::<CastExpr>() {
        return origin(plan, cast.expr(), &from);
    }
    let index = expr.downcast_ref::<Column>()?.index();
    if plan.downcast_ref::<RemoteExec>().is_some() {
        return Some(index);
    }
    let input = below(plan)?;
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        return origin(input, &projection.expr().get(index)?.expr, &from);
    }
    let index = match plan.downcast_ref::<FilterExec>().and_then(|filter| filter.projection().as_ref()) {
        Some(kept) => *kept.get(index)?,
        None => index,
    };
    let name = input.schema().fields().get(index)?.name().clone();
    origin(input, &(Arc::new(Column::new(&name, index)) as _), &from)
}

/// What a plan takes rows of, each by itself, or puts in order.
pub(super) fn below(plan: &Arc<dyn ExecutionPlan>) -> Option<&Arc<dyn ExecutionPlan>> {
    let rowwise = plan.is::<ProjectionExec>()
        || plan.is::<FilterExec>() && plan.fetch().is_none()
        || plan.is::<CooperativeExec>()
        || plan.is::<PacedExec>()
        || plan.is::<RepartitionExec>()
        || plan.is::<CoalescePartitionsExec>() && plan.fetch().is_none()
        || plan.is::<SortExec>() && plan.fetch().is_none()
        || plan.is::<SortPreservingMergeExec>() && plan.fetch().is_none();
    if rowwise { plan.children().first().copied() } else { None }
}

/// The remote leaf that a plan takes rows of.
pub(super) fn remote(plan: &Arc<dyn ExecutionPlan>) -> Option<&RemoteExec> {
    match plan.downcast_ref::<RemoteExec>() {
        Some(remote) => Some(remote),
        None => remote(below(plan)?),
    }
}

/// Placement has seen to it; keys must not leave where it has not. What is this node's own is open if all of it in the query is.
fn is_open(plan: &Arc<dyn ExecutionPlan>, own: bool) -> bool {
    let children = plan.children();
    if !children.is_empty() {
        return children.into_iter().all(|child| is_open(child, own));
    }
    match plan.downcast_ref::<RemoteExec>() {
        Some(remote) => remote.parts().iter().all(|part| part.form == Form::Open && part.references.is_empty()),
        None => own && !plan.is::<ReferenceExec>(),
    }
}
