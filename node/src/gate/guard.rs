//! Checks the physical plan: no way leads from protected rows to the root but through a release.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::tree_node::TreeNode;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Distinct, LogicalPlan};
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use meridian_proto::Form;

use super::governed::{GovernedExec, Mark};
use super::observed::Observed;
use super::permit::{InForce, Permit, Watched};
use super::release::ReleaseExec;
use super::released::{Discretion, Released};
use super::{Admitted, Refused};
use crate::audit::Durable;

/// A physical plan that has been checked against what was admitted.
#[derive(Debug)]
pub struct Guarded {
    plan: Arc<dyn ExecutionPlan>,
    schema: SchemaRef,
    discretion: Discretion,
    permit: Permit,
    is_bulk: bool,
}

/// Checks a physical plan that was made from an admitted one.
pub fn guard(physical: Arc<dyn ExecutionPlan>, admitted: &Admitted) -> Result<Guarded, Refused> {
    let statistics: Vec<&str> = admitted
        .facts()
        .datasets
        .iter()
        .filter(|used| used.form == Form::Statistics)
        .map(|used| used.name.as_str())
        .collect();
    outside(&physical, &statistics)?;
    let discretion =
        Discretion { protected: admitted.facts().protected, foreign: !admitted.facts().foreign.is_empty() };
    let permit = admitted.permit.clone();
    // An order may be one of columns that the answer no longer has: the physical plan does not always say.
    let orders = |node: &LogicalPlan| {
        matches!(node, LogicalPlan::Sort(_) | LogicalPlan::Values(_) | LogicalPlan::Distinct(Distinct::On(_)))
    };
    let is_bulk = statistics.is_empty() && !admitted.plan().exists(|node| Ok(orders(node))).unwrap_or(true);
    Ok(Guarded { plan: physical, schema: admitted.schema(), discretion, permit, is_bulk })
}

/// Above or beside any release: no protected rows.
fn outside(plan: &Arc<dyn ExecutionPlan>, statistics: &[&str]) -> Result<(), Refused> {
    if let Some(release) = plan.downcast_ref::<ReleaseExec>() {
        let datasets = release.datasets();
        let name = datasets.join(", ");
        if datasets.is_empty() || datasets.iter().any(|dataset| !statistics.contains(&dataset.as_str())) {
            return Err(broken("a release of a dataset that was not admitted", &name));
        }
        return plan.children().into_iter().try_for_each(|child| {
            if holds_mark(child, datasets)? || is_empty(child) {
                Ok(())
            } else {
                Err(broken("a release without the mark of its rows", &name))
            }
        });
    }
    if let Some(governed) = plan.downcast_ref::<GovernedExec>()
        && governed.mark() == Mark::Protected
    {
        return Err(broken("a way from protected rows to the answer past their release", governed.dataset()));
    }
    plan.children().into_iter().try_for_each(|child| outside(child, statistics))
}

/// Whether the rows below a release are marked as its datasets', and as no other's.
fn holds_mark(plan: &Arc<dyn ExecutionPlan>, datasets: &[String]) -> Result<bool, Refused> {
    if let Some(governed) = plan.downcast_ref::<GovernedExec>() {
        return if governed.mark() == Mark::Protected && datasets.iter().any(|dataset| dataset == governed.dataset()) {
            Ok(true)
        } else {
            Err(broken("rows of another dataset below a release", governed.dataset()))
        };
    }
    let mut held = false;
    for child in plan.children() {
        held |= holds_mark(child, datasets)?;
    }
    Ok(held)
}

/// Whether a plan reads nothing: its rows were known to be none when it was optimised.
fn is_empty(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let children = plan.children();
    if children.is_empty() {
        plan.is::<EmptyExec>() || plan.is::<PlaceholderRowExec>()
    } else {
        children.into_iter().all(is_empty)
    }
}

fn broken(what: &str, dataset: &str) -> Refused {
    Refused::new(
        "guard",
        format!("the plan that was made for the query has {what}"),
        "this is a fault of the node: tell its operator, and write the query more simply",
    )
    .about(dataset)
}

impl Guarded {
    /// The plan, to be looked at when it has run.
    pub fn observed(&self) -> Observed {
        Observed::new(&self.plan, self.discretion.protected)
    }

    /// Starts the run. The log record is durable before: its proof is the argument. What the answer rests on is looked
    /// up again while it streams.
    pub fn release(
        self,
        logged: Durable,
        task: Arc<TaskContext>,
        in_force: Arc<dyn InForce>,
    ) -> Result<Released, DataFusionError> {
        tracing::debug!(index = logged.index(), "release begins");
        let stream = execute_stream(self.plan, task).map_err(|error| self.discretion.outward(error))?;
        let watched = Watched { permit: self.permit, in_force };
        Ok(Released::new(stream, (self.schema, self.is_bulk), self.discretion, watched))
    }
}
