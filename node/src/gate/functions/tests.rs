//! The tables against what the build registers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::execution::FunctionRegistry;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};

use super::aggregate::AGGREGATE;
use super::scalar::SCALAR;
use super::table::TABLE;
use super::window::WINDOW;
use super::*;
use crate::geometry;

fn build() -> SessionState {
    let mut build = SessionStateBuilder::new().with_default_features().build();
    geometry::functions().for_each(|function| drop(build.register_udf(Arc::new(function)).unwrap()));
    build
}

fn names<'a>(table: &[(&'a str, Class)]) -> BTreeSet<&'a str> {
    let names: BTreeSet<&str> = table.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.len(), table.len(), "a name stands twice");
    names
}

/// Both directions: what the build has and no table names, and what a table names and the build has no longer.
fn compare(what: &str, registered: BTreeSet<String>, table: &[(&str, Class)]) {
    let table: BTreeSet<String> = names(table).into_iter().map(str::to_owned).collect();
    let unclassified: Vec<_> = registered.difference(&table).collect();
    let stale: Vec<_> = table.difference(&registered).collect();
    assert!(unclassified.is_empty() && stale.is_empty(), "{what}: unclassified {unclassified:?}, stale {stale:?}");
}

#[test]
fn every_scalar_function_of_the_build_is_classified_under_all_its_names() {
    let build = build();
    let registered = build.scalar_functions();
    compare("scalar", registered.values().map(|f| f.name().to_owned()).collect(), SCALAR);
    for (alias, function) in registered {
        let held = function.name() == alias || function.aliases().contains(alias);
        assert!(held, "{alias} is no name of {}", function.name());
    }
}

#[test]
fn every_aggregate_window_and_table_function_is_classified() {
    let build = build();
    compare("aggregate", build.aggregate_functions().values().map(|f| f.name().to_owned()).collect(), AGGREGATE);
    compare("window", build.window_functions().values().map(|f| f.name().to_owned()).collect(), WINDOW);
    compare("table", build.table_functions().keys().cloned().collect(), TABLE);
    assert!(build.higher_order_functions().is_empty(), "higher-order functions are classified as lambdas: none");
}

#[test]
fn functions_that_vary_stand_nowhere() {
    use datafusion::logical_expr::Volatility;
    for function in build().scalar_functions().values() {
        if function.signature().volatility == Volatility::Volatile {
            assert!(scalar(function.name()).is_err(), "{}", function.name());
        }
    }
}

#[test]
fn what_is_in_no_table_is_refused_with_its_name() {
    let refused = scalar("invert_matrix").unwrap_err();
    assert!(refused.reason.contains("invert_matrix") && !refused.remedy.is_empty(), "{refused}");
    assert!(aggregate("geometric_mean").is_err() && window("moving_mode").is_err());
    assert!(scalar("random").unwrap_err().to_string().contains("the same answer"));
}
