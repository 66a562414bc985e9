//! Statements as plans over given tables and nothing else, without a session.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::DataType;
use datafusion::catalog::TableProvider;
use datafusion::common::{TableReference, plan_datafusion_err};
use datafusion::config::ConfigOptions;
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner};
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF};
use datafusion::optimizer::{Analyzer, Optimizer, OptimizerContext};
use datafusion::sql::parser::Statement;
use datafusion::sql::planner::{ParserOptions, SqlToRel};
use meridian_proto::{DatasetName, Name};

use crate::lower::FUNCTIONS;
use crate::session::{optimizer_rules, session_config};

static OPTIONS: LazyLock<Arc<ConfigOptions>> = LazyLock::new(|| Arc::clone(session_config().options()));
static PLANNERS: LazyLock<Vec<Arc<dyn ExprPlanner>>> = LazyLock::new(SessionStateDefaults::default_expr_planners);
static ANALYZER: LazyLock<Analyzer> = LazyLock::new(Analyzer::new);

/// The tables that a statement may name, and the functions that every node knows.
pub struct Tables {
    known: HashMap<String, Arc<dyn TableSource>>,
    /// The federation and the body that a shorter name means; without it, only full names are known.
    home: Option<(Name, Name)>,
}

impl Tables {
    /// These tables, by full name only.
    pub fn of(tables: impl IntoIterator<Item = (DatasetName, Arc<dyn TableProvider>)>) -> Self {
        let known = tables.into_iter().map(|(name, table)| (name.to_string(), provider_as_source(table)));
        Self { known: known.collect(), home: None }
    }

    /// The same, where a name without body or federation means these.
    pub fn at_home(self, federation: &Name, body: &Name) -> Self {
        Self { home: Some((federation.clone(), body.clone())), ..self }
    }
}

/// The plan of a statement, as it is written; its places in the text are not in it.
pub fn plan(statement: Statement, tables: &Tables) -> Result<LogicalPlan> {
    let options = &OPTIONS.sql_parser;
    let parser = ParserOptions {
        parse_float_as_decimal: options.parse_float_as_decimal,
        enable_ident_normalization: options.enable_ident_normalization,
        support_varchar_with_length: options.support_varchar_with_length,
        enable_options_value_normalization: options.enable_options_value_normalization,
        collect_spans: false,
        map_string_types_to_utf8view: options.map_string_types_to_utf8view,
        default_null_ordering: options.default_null_ordering.as_str().into(),
    };
    SqlToRel::new_with_options(tables, parser).statement_to_plan(statement)
}

/// The plan with its types checked and made the same where they must be.
pub(crate) fn analysed(plan: LogicalPlan) -> Result<LogicalPlan> {
    ANALYZER.execute_and_check(plan, &OPTIONS, |_, _| {})
}

/// An analysed plan as placement gets plans.
pub(crate) fn optimised(plan: LogicalPlan) -> Result<LogicalPlan> {
    let context = OptimizerContext::new_with_config_options(Arc::clone(&OPTIONS));
    Optimizer::with_rules(optimizer_rules()).optimize(plan, &context, |_, _| {})
}

impl ContextProvider for Tables {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        let full = match &self.home {
            Some((federation, body)) => name.clone().resolve(federation.as_str(), body.as_str()).to_string(),
            None => name.to_string(),
        };
        let known = self.known.get(&full).map(Arc::clone);
        known.ok_or_else(|| plan_datafusion_err!("{name} is no dataset that may be named here"))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &PLANNERS
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        FUNCTIONS.scalar.get(name).cloned()
    }

    fn get_higher_order_meta(&self, _name: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        FUNCTIONS.aggregate.get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        FUNCTIONS.window.get(name).cloned()
    }

    fn get_variable_type(&self, _names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &OPTIONS
    }

    fn udf_names(&self) -> Vec<String> {
        names(&FUNCTIONS.scalar)
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        names(&FUNCTIONS.aggregate)
    }

    fn udwf_names(&self) -> Vec<String> {
        names(&FUNCTIONS.window)
    }
}

fn names<T>(functions: &HashMap<String, T>) -> Vec<String> {
    functions.keys().cloned().collect()
}
