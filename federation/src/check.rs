//! Reads SQL back before it is sent: text, parse, analyse, lower must give what was meant, or it is not sent.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::{TableReference, plan_datafusion_err};
use datafusion::config::ConfigOptions;
use datafusion::datasource::provider_as_source;
use datafusion::error::Result;
use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner};
use datafusion::logical_expr::{AggregateUDF, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF};
use datafusion::optimizer::Analyzer;
use datafusion::sql::parser::DFParser;
use datafusion::sql::planner::{ParserOptions, SqlToRel};

use crate::error::Why;
use crate::lower::{self, FUNCTIONS};
use crate::normal::{self, Normal};
use crate::session::session_config;
use crate::tables::ForeignTable;

static OPTIONS: LazyLock<ConfigOptions> = LazyLock::new(|| session_config().options().as_ref().clone());
static PLANNERS: LazyLock<Vec<Arc<dyn ExprPlanner>>> = LazyLock::new(SessionStateDefaults::default_expr_planners);
static ANALYZER: LazyLock<Analyzer> = LazyLock::new(Analyzer::new);

/// Whether the body that reads this text understands what is meant by it; the schema that it will answer with.
pub(crate) fn check(sql: &str, tables: &[ForeignTable], meant: &Normal) -> Result<SchemaRef, Why> {
    let plan = read(sql, tables)?;
    let schema = Arc::clone(plan.schema().inner());
    let back = normal::normal(lower::plan(&plan)?, schema.fields().len())?;
    // An answer without columns can't be asked for, so that a constant stands in.
    if back != *meant && !meant.outputs.is_empty() {
        return Err(Why::new(format!("the SQL for it would be read differently: {sql}")));
    }
    Ok(schema)
}

/// The analysed, unoptimised plan of a text over datasets of one body, and those that their owner joins them with.
pub(crate) fn read(sql: &str, tables: &[ForeignTable]) -> Result<LogicalPlan> {
    let known = tables.iter().map(|table| (table.name.to_string(), provider_as_source(Arc::new(table.clone()))));
    let known = Tables(known.collect());
    let mut statements = DFParser::parse_sql(sql)?;
    let statement = match (statements.pop_front(), statements.is_empty()) {
        (Some(statement), true) => statement,
        _ => return Err(plan_datafusion_err!("one statement is expected")),
    };
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
    let plan = SqlToRel::new_with_options(&known, parser).statement_to_plan(statement)?;
    ANALYZER.execute_and_check(plan, &OPTIONS, |_, _| {})
}

/// A catalogue that holds the datasets of one query, by full name, and the functions that every node knows.
struct Tables(HashMap<String, Arc<dyn TableSource>>);

impl ContextProvider for Tables {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        let known = self.0.get(&name.to_string()).map(Arc::clone);
        known.ok_or_else(|| plan_datafusion_err!("{name} is not the dataset that the query is for"))
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
