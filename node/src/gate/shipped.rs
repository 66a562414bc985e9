//! The gate's own operators and functions that stand below a release, as they go to a worker of this body's cluster and become
//! the same there. What decides, a release and what is above it, has no such form.

use std::sync::Arc;

use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{AggregateUDF, ScalarUDF};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use serde::{Deserialize, Serialize};

use super::below::{self, ShippedFixed};
use super::governed::{GovernedExec, Mark};
use super::release::{self, ReleaseExec, ShippedFigures};
use super::total::{self, ShippedTotal};

/// A mark.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShippedMark {
    mark: Mark,
    dataset: String,
}

/// A scalar function.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum ShippedScalar {
    /// A measure in fixed point.
    Fixed(ShippedFixed),
    /// A total form, without the function that it may be one of.
    Total(ShippedTotal),
}

/// An aggregate function.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShippedAggregate(ShippedFigures);

/// A mark; `None` for any other operator.
pub fn ship_mark(plan: &Arc<dyn ExecutionPlan>) -> Option<ShippedMark> {
    let governed = plan.downcast_ref::<GovernedExec>()?;
    Some(ShippedMark { mark: governed.mark(), dataset: governed.dataset().to_owned() })
}

impl ShippedMark {
    /// The mark over its input.
    pub fn over(self, input: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Arc::new(GovernedExec::new(self.mark, &self.dataset, input))
    }
}

/// A function of the gate's, with the function that it is a form of; `None` for any other.
pub fn ship_scalar(function: &ScalarUDF) -> Result<Option<(ShippedScalar, Option<Arc<ScalarUDF>>)>> {
    if let Some(fixed) = below::ship_fixed(function)? {
        return Ok(Some((ShippedScalar::Fixed(fixed), None)));
    }
    Ok(total::ship(function)?.map(|(total, of)| (ShippedScalar::Total(total), of)))
}

impl ShippedScalar {
    /// The function, where it is a form of another one that of this.
    pub fn function(self, of: Option<Arc<ScalarUDF>>) -> Result<Arc<ScalarUDF>> {
        match (self, of) {
            (Self::Fixed(fixed), None) => fixed.function(),
            (Self::Total(total), of) => total.function(of),
            (Self::Fixed(_), Some(_)) => Err(DataFusionError::Internal("fixed point is a form of no function".into())),
        }
    }
}

/// What gathers the figures of cells; `None` for any other function.
pub fn ship_aggregate(function: &AggregateUDF) -> Option<ShippedAggregate> {
    release::ship_figures(function).map(ShippedAggregate)
}

impl ShippedAggregate {
    /// The function.
    pub fn function(self) -> Arc<AggregateUDF> {
        self.0.function()
    }
}

/// The plan with others in the place of what is below its releases. What they are is checked by [`super::guard`], after this.
pub fn below_releases(
    plan: Arc<dyn ExecutionPlan>,
    with: &dyn Fn(&Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let is_release = plan.is::<ReleaseExec>();
    let children = plan.children();
    if children.is_empty() {
        return Ok(plan);
    }
    let changed = children.into_iter().map(|child| match is_release {
        true => Ok(with(child)),
        false => below_releases(Arc::clone(child), with),
    });
    let changed: Vec<_> = changed.collect::<Result<_>>()?;
    let same = plan.children().into_iter().zip(&changed).all(|(before, after)| Arc::ptr_eq(before, after));
    if same {
        return Ok(plan);
    }
    plan.replace_children(changed, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
}
