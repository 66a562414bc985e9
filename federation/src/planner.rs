//! The query planner of a node's sessions: placement, then DataFusion's own physical planner.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::error::Result;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};

use crate::placement::place;
use crate::remote::{QueryContext, shared};

/// Places what is foreign and plans the rest. Set it on a session whose configuration is [`crate::session::session_config`]
/// and whose rules are [`crate::session::optimizer_rules`].
pub struct FederationPlanner {
    extension_planners: Vec<Arc<dyn ExtensionPlanner + Send + Sync>>,
}

impl FederationPlanner {
    /// A planner with these extension planners; one of them must plan [`crate::RemoteNode`].
    pub fn new(extension_planners: Vec<Arc<dyn ExtensionPlanner + Send + Sync>>) -> Self {
        Self { extension_planners }
    }
}

impl fmt::Debug for FederationPlanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FederationPlanner").finish_non_exhaustive()
    }
}

#[async_trait]
impl QueryPlanner for FederationPlanner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, session: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        let placed = place(plan.clone(), session)?;
        if let Some(context) = session.config().get_extension::<QueryContext>() {
            context.receipts.note(placed.notices);
        }
        let planner = DefaultPhysicalPlanner::with_extension_planners(self.extension_planners.clone());
        shared(planner.create_physical_plan(&placed.plan, session).await?)
    }
}
