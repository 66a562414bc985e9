//! How every node of a federation plans: the settings and rules on which SQL on the wire relies.

use std::sync::Arc;

use datafusion::execution::SessionStateBuilder;
use datafusion::optimizer::{Optimizer, OptimizerRule};
use datafusion::prelude::SessionConfig;

use crate::narrowed::KeepNarrowed;
use crate::pushdown::physical_optimizer_rules;

/// Rules that must not run before placement. The first turns `COUNT(DISTINCT unit)` into `GROUP BY unit`, which an owner
/// refuses; the others hide expressions behind names that are made up.
const AFTER_PLACEMENT: [&str; 4] = [
    "single_distinct_aggregation_to_group_by",
    "common_sub_expression_eliminate",
    "extract_leaf_expressions",
    "push_down_leaf_projections",
];

/// The settings: one string type, no dynamic filters (they would carry values of one body to another), UTC.
pub fn session_config() -> SessionConfig {
    let mut config = SessionConfig::new();
    let options = config.options_mut();
    options.sql_parser.map_string_types_to_utf8view = false;
    options.sql_parser.enable_ident_normalization = true;
    // Withheld cells are NULL: `ORDER BY fires DESC LIMIT 10` is to show the most fires.
    options.sql_parser.default_null_ordering = "nulls_last".into();
    options.execution.parquet.schema_force_view_types = false;
    options.execution.time_zone = Some("+00:00".into());
    options.optimizer.enable_dynamic_filter_pushdown = false;
    options.optimizer.enable_topk_dynamic_filter_pushdown = false;
    options.optimizer.enable_join_dynamic_filter_pushdown = false;
    options.optimizer.enable_aggregate_dynamic_filter_pushdown = false;
    options.optimizer.enable_leaf_expression_pushdown = false;
    config
}

/// What every session begins with: `config`, DataFusion's functions, and the rules of both phases that are safe here.
pub fn session_builder(config: SessionConfig) -> SessionStateBuilder {
    SessionStateBuilder::new()
        .with_config(config)
        .with_default_features()
        .with_optimizer_rules(optimizer_rules())
        .with_physical_optimizer_rules(physical_optimizer_rules())
}

/// The same for a session in which nothing is placed, as that of an owner's mapping: all of DataFusion's rules, guarded.
pub fn local_builder(config: SessionConfig) -> SessionStateBuilder {
    session_builder(config).with_optimizer_rules(guarded_rules())
}

/// DataFusion's rules, kept from what they get wrong: casts that lose digits stay where they are compared.
pub fn guarded_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let (first, last) = (Arc::new(KeepNarrowed::FIRST) as _, Arc::new(KeepNarrowed::LAST) as _);
    std::iter::once(first).chain(Optimizer::new().rules).chain([last]).collect()
}

/// Those without the ones that make a plan unfit for placement.
pub fn optimizer_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    guarded_rules().into_iter().filter(|rule| !AFTER_PLACEMENT.contains(&rule.name())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_left_out_exist_under_these_names() {
        assert_eq!(optimizer_rules().len() + AFTER_PLACEMENT.len(), guarded_rules().len());
    }
}
