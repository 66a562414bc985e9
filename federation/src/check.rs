//! Reads SQL back before it is sent: text, parse, analyse, lower must give what was meant, or it is not sent.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::plan_datafusion_err;
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::parser::DFParser;

use crate::error::Why;
use crate::lower;
use crate::normal::{self, Normal};
use crate::over::{self, Tables};
use crate::tables::ForeignTable;

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
    let mut statements = DFParser::parse_sql(sql)?;
    let statement = match (statements.pop_front(), statements.is_empty()) {
        (Some(statement), true) => statement,
        _ => return Err(plan_datafusion_err!("one statement is expected")),
    };
    let known = tables.iter().map(|table| (table.name.clone(), Arc::new(table.clone()) as _));
    over::analysed(over::plan(statement, &Tables::of(known))?)
}
