//! Puts the rows that a caller may see in place of a published dataset, under the same name.

use std::sync::Arc;

use datafusion::common::{Column, DFSchema, DFSchemaRef};
use datafusion::error::Result;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, LogicalPlanBuilder, Projection, SubqueryAlias, TableScan};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;

use super::access::Columns;
use super::governed::{self, Mark};
use super::table::PublishedTable;

/// All rows: the scan's columns over the mapping view.
pub(super) fn whole(table: &PublishedTable, scan: &TableScan) -> Result<LogicalPlan> {
    let rows = select(table.published()?, scanned(scan))?;
    finish(rows, scan)
}

/// The granted rows and columns behind a barrier, so that the caller's expressions meet no others. Columns that are
/// not granted are not there.
pub(super) fn granted(
    table: &PublishedTable,
    scan: &TableScan,
    columns: &Columns,
    filter: Option<&Expr>,
) -> Result<LogicalPlan> {
    let mut rows = table.published()?;
    if let Some(filter) = filter {
        let predicate = coerced(filter.clone(), rows.schema())?;
        rows = LogicalPlan::Filter(Filter::try_new(predicate, Arc::new(rows))?);
    }
    let names = scanned(scan).filter(|name| columns.holds(&table.terms, name));
    let rows = select(rows, names)?;
    finish(governed::node(Mark::Barrier, &table.terms.name.to_string(), rows), scan)
}

/// The names of a scan's columns, in order.
pub(super) fn scanned(scan: &TableScan) -> impl Iterator<Item = &str> {
    scan.projected_schema.fields().iter().map(|field| field.name().as_str())
}

/// Some columns of a plan whose columns have no qualifiers.
pub(super) fn select<'a>(rows: LogicalPlan, names: impl Iterator<Item = &'a str>) -> Result<LogicalPlan> {
    let columns = names.map(|name| Expr::Column(Column::new_unqualified(name))).collect();
    Projection::try_new(columns, Arc::new(rows)).map(LogicalPlan::Projection)
}

/// The schema of a plan's first columns.
pub(super) fn select_schema(schema: &DFSchemaRef, columns: usize) -> Result<DFSchemaRef> {
    let fields = schema.iter().take(columns).map(|(qualifier, field)| (qualifier.cloned(), Arc::clone(field)));
    DFSchema::new_with_metadata(fields.collect(), schema.metadata().clone()).map(Arc::new)
}

/// The scan's own name over its rows.
pub(super) fn named(rows: LogicalPlan, scan: &TableScan) -> Result<LogicalPlan> {
    SubqueryAlias::try_new(Arc::new(rows), scan.table_name.clone()).map(LogicalPlan::SubqueryAlias)
}

/// The scan's own name, filters and limit, where an earlier stage has put some into it.
fn finish(rows: LogicalPlan, scan: &TableScan) -> Result<LogicalPlan> {
    let mut plan = LogicalPlanBuilder::from(named(rows, scan)?);
    for filter in &scan.filters {
        plan = plan.filter(filter.clone())?;
    }
    match scan.fetch {
        Some(_) => plan.limit(0, scan.fetch)?.build(),
        None => plan.build(),
    }
}

fn coerced(predicate: Expr, schema: &DFSchemaRef) -> Result<Expr> {
    let context = SimplifyContext::builder().with_schema(Arc::clone(schema)).build();
    ExprSimplifier::new(context).coerce(predicate, schema)
}
