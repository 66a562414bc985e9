//! Reads SQL back before it is sent: text, parse, analyse, lower must give what was meant, or it is not sent.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::plan_datafusion_err;
use datafusion::datasource::empty::EmptyTable;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, Projection};
use datafusion::sql::parser::{DFParser, Statement};
use meridian_proto::{DatasetName, Name};

use crate::error::Why;
use crate::lower;
use crate::normal::{self, Normal};
use crate::over::{self, Tables};
use crate::tables::ForeignTable;
use crate::{rel, wire};

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
    let statement = parsed(sql)?;
    let known = tables.iter().map(|table| (table.name.clone(), Arc::new(table.clone()) as _));
    over::analysed(over::plan(statement, &Tables::of(known))?)
}

fn parsed(sql: &str) -> Result<Statement> {
    let mut statements = DFParser::parse_sql(sql)?;
    match (statements.pop_front(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        _ => Err(plan_datafusion_err!("one statement is expected")),
    }
}

/// Whether the text of a condition over an answer, by [`wire::among`], chooses those rows that are meant and leaves their columns
/// as they are. A table stands in for the answer, whose own text was checked before.
pub(crate) fn among(condition: &str, answer: &SchemaRef, meant: Expr) -> Result<(), Why> {
    let name = "rows".parse::<Name>().map_err(|_| Why::new("the stand-in has no name"))?;
    let name = DatasetName { federation: name.clone(), body: name.clone(), dataset: name };
    let sql = wire::among(
        &format!("\"{}\".\"{}\".\"{}\"", name.federation, name.body, name.dataset),
        answer.fields().len(),
        condition,
    );
    let fields = answer.fields().iter().enumerate();
    let fields = fields.map(|(index, field)| Field::new(format!("c{index}"), field.data_type().clone(), true));
    let table = EmptyTable::new(Arc::new(Schema::new(fields.collect::<Vec<_>>())));
    let plan = over::analysed(over::plan(parsed(&sql)?, &Tables::of([(name, Arc::new(table) as _)]))?)?;
    let differs = || Why::new(format!("the SQL for it would be read differently: {sql}"));
    let LogicalPlan::Projection(Projection { expr: outputs, input, .. }) = &plan else { return Err(differs()) };
    let LogicalPlan::Filter(Filter { predicate, input, .. }) = input.as_ref() else { return Err(differs()) };
    if !matches!(input.as_ref(), LogicalPlan::TableScan(scan) if scan.filters.is_empty() && scan.fetch.is_none()) {
        return Err(differs());
    }
    for (index, output) in outputs.iter().enumerate() {
        if lower::expr(output, input.schema())? != rel::column(index) {
            return Err(differs());
        }
    }
    let back = normal::expression(lower::expr(predicate, input.schema())?)?;
    if back != normal::expression(meant)? || outputs.len() != answer.fields().len() {
        return Err(differs());
    }
    Ok(())
}
