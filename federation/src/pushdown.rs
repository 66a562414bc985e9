//! DataFusion's physical rule that pushes filters down, kept from plans in which a column's name stands twice.
//!
//! In 55.2 it follows a column through a projection by its name: over `r LEFT JOIN u`, projected to `r.b` and `u.b`, the filter
//! `u.g IS NULL OR r.b` reaches `u` as `u.g IS NULL OR u.b` and leaves out rows. The logical optimizer has pushed what can
//! be pushed by then, so that little is lost.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::config::ConfigOptions;
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::physical_plan::ExecutionPlan;

use crate::constant::ForgetConstants;
use crate::keys::KeyFilters;
use crate::turns::Turns;

/// What the rule is called, and behind it its phase.
const PUSHDOWN: &str = "FilterPushdown";

/// DataFusion's physical rules, kept from what they get wrong: nothing is constant that may be NULL, and the rule that goes by
/// names leaves plans alone in which they are not enough. Key filters come behind them, and turns last.
pub fn physical_optimizer_rules() -> Vec<Arc<dyn PhysicalOptimizerRule + Send + Sync>> {
    let rules = PhysicalOptimizer::new().rules.into_iter();
    let guarded = rules.map(|rule| if rule.name().starts_with(PUSHDOWN) { Arc::new(ByName(rule)) as _ } else { rule });
    let last: [Arc<dyn PhysicalOptimizerRule + Send + Sync>; 2] = [Arc::new(KeyFilters), Arc::new(Turns)];
    std::iter::once(Arc::new(ForgetConstants) as _).chain(guarded).chain(last).collect()
}

#[derive(Debug)]
struct ByName(Arc<dyn PhysicalOptimizerRule + Send + Sync>);

impl PhysicalOptimizerRule for ByName {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        if is_ambiguous(&plan) { Ok(plan) } else { self.0.optimize(plan, config) }
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}

fn is_ambiguous(plan: &Arc<dyn ExecutionPlan>) -> bool {
    let schema = plan.schema();
    let mut names = HashSet::new();
    !schema.fields().iter().all(|field| names.insert(field.name())) || plan.children().into_iter().any(is_ambiguous)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use datafusion::prelude::SessionContext;

    use super::*;
    use crate::session::{session_builder, session_config};
    use crate::tests::world::rows;

    const SQL: &str = "SELECT r.b, count(*) FROM (VALUES (1, NULL), (2, true)) AS r(k, b) RIGHT JOIN \
                       (SELECT k, g, NOT c AS b FROM (VALUES (2, NULL, false), (7, NULL, false), (8, 'x', false)) AS v(k, g, c) \
                       WHERE k > 1) AS u ON r.k = u.k WHERE u.g IS NULL OR r.b GROUP BY r.b, u.b ORDER BY 1";

    fn plain() -> SessionContext {
        let rules = PhysicalOptimizer::new().rules;
        let state = session_builder(session_config()).with_physical_optimizer_rules(rules);
        SessionContext::new_with_state(state.build())
    }

    #[tokio::test]
    async fn a_filter_is_about_the_column_that_it_names() {
        let right = ["true | 1", "NULL | 1"];
        let kept = SessionContext::new_with_state(session_builder(session_config()).build());
        assert_eq!(rows(&kept, SQL).await.unwrap(), right);
        let plain = rows(&plain(), SQL).await.unwrap();
        assert_ne!(plain, right, "DataFusion gets it right now: this file can go");
    }

    #[test]
    fn the_rule_exists_under_its_name() {
        let named = PhysicalOptimizer::new().rules.iter().filter(|rule| rule.name().starts_with(PUSHDOWN)).count();
        assert_eq!(named, 2);
    }
}
