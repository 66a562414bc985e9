//! Makes the gate's own operators runnable.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};

use super::governed::{GovernedExec, GovernedNode};
use super::release::{ReleaseExec, ReleaseNode};

/// Plans the gate's extension nodes.
pub fn extension_planner() -> Arc<dyn ExtensionPlanner + Send + Sync> {
    Arc::new(GatePlanner)
}

struct GatePlanner;

#[async_trait]
impl ExtensionPlanner for GatePlanner {
    async fn plan_extension(
        &self,
        planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _logical_inputs: &[&LogicalPlan],
        physical_inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        _planning_ctx: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        if let Some(release) = node.as_any().downcast_ref::<ReleaseNode>() {
            let mut inputs = Vec::with_capacity(release.below().len());
            for below in release.below() {
                let below = session.optimize(below)?;
                inputs.push(planner.create_physical_plan(&below, session).await?);
            }
            let schema = Arc::clone(UserDefinedLogicalNode::schema(release).inner());
            return Ok(Some(Arc::new(ReleaseExec::new(Arc::clone(release.point()), schema, inputs))));
        }
        if let Some(governed) = node.as_any().downcast_ref::<GovernedNode>() {
            let [input] = physical_inputs else {
                return Err(DataFusionError::Internal("a mark has one input".into()));
            };
            let marked = GovernedExec::new(governed.mark(), governed.dataset(), Arc::clone(input));
            return Ok(Some(Arc::new(marked)));
        }
        Ok(None)
    }
}
