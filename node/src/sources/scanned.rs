//! Scans a dataset with a unit by every query instead of holding it in memory: the unit's hash, rights and record keys are
//! expressions over its files, which give what [`super::held`] would hold.
//!
//! What is promised of the units of all rows together is learnt once, when the dataset is loaded, of one part of them after
//! the other, so that nothing grows with the rows but the time that it takes. Files that are others under a query are an
//! error of it.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result as PlanResult};
use datafusion::logical_expr::expr::{AggregateFunction, Alias};
use datafusion::logical_expr::{Aggregate, Distinct, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::behind::Behind;
use super::expressions::Step;
use super::mapping::{Mapped, MappedColumn};
use super::marked::{Learnt, Marker};
use super::units::Part;
use super::{AsOf, SourceError, SourceSpec, UnitSpec, checks, held, literal, parquet};
use crate::gate::UNIT_COLUMN;

/// Units of which it is known at once whether they are there already: some hundred megabytes.
const UNITS_AT_ONCE: u64 = 8_000_000;

/// The unit of a row by the values of the source, where right ones overlay these. No column has such a name.
const FOUND: &str = "unit as found";
/// The same of the unit that it belongs to.
const FOUND_OUTER: &str = "outer unit as found";

/// Whether rows are many, and may be scanned: a snapshot is held, and so is what is found in a list of addresses.
pub(super) fn is_wanted(spec: &SourceSpec, behind: &Behind) -> bool {
    let is_live = spec.as_of == AsOf::Live && spec.addresses.is_none();
    is_live && spec.unit.is_some() && behind.bytes().is_some_and(|bytes| bytes > spec.most_held)
}

/// The rows as they would be held, and the entries whose right values the source holds by now.
///
/// Where each row is a unit and some are equal, these are held: which of them is which only their order tells. So are those of a
/// mapping that gives others when the files' rows come in another order.
pub(super) async fn open(
    spec: &SourceSpec,
    behind: &Behind,
    context: &SessionContext,
) -> Result<(Mapped, Vec<u64>), SourceError> {
    let unit = spec.unit.as_ref().ok_or_else(|| SourceError::evaluation(spec))?;
    let mapped = parquet::open(spec, behind, context).await?;
    if !is_settled(&mapped.view).map_err(|_| SourceError::evaluation(spec))? {
        return held_instead(spec, behind, context, "its mapping goes by the order of rows").await;
    }
    let rows = checks::typed_rows(spec, &mapped, context).await?;
    let learnt = learn(spec, unit, &mapped, rows, context).await?;
    if learnt.repeated > 0 {
        return held_instead(spec, behind, context, "rows that are units themselves are equal").await;
    }
    let plan = marked(spec, unit, mapped.published)?;
    let columns = plan.schema().iter().take(spec.dataset.columns.len());
    let columns = columns.map(|found| Expr::Column(Column::from(found)));
    let columns = columns.map(|held| MappedColumn { raw: held.clone(), typed: held, fallible: false }).collect();
    Ok((Mapped { view: plan.clone(), columns, published: plan }, learnt.corrected))
}

/// The rows, held after all.
async fn held_instead(
    spec: &SourceSpec,
    behind: &Behind,
    context: &SessionContext,
    why: &str,
) -> Result<(Mapped, Vec<u64>), SourceError> {
    tracing::info!(dataset = %spec.dataset.name, why, "it is held in memory");
    let marked = held::read(spec, behind, context).await?;
    Ok((held::table(spec, marked.batches, context).await?, marked.corrected))
}

/// Whether a mapping gives the same rows in whatever order those of its files come: each query reads them in another one.
fn is_settled(mapping: &LogicalPlan) -> PlanResult<bool> {
    let mut settled = true;
    mapping.apply_with_subqueries(|node| {
        settled &= match node {
            LogicalPlan::Limit(_) | LogicalPlan::Window(_) | LogicalPlan::Distinct(Distinct::On(_)) => false,
            LogicalPlan::Sort(sort) => sort.fetch.is_none(),
            LogicalPlan::Aggregate(aggregate) => {
                aggregate.aggr_expr.iter().all(|call| is_settled_call(call, aggregate))
            }
            _ => true,
        };
        Ok(if settled { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(settled)
}

/// Whether an aggregate is the same in whatever order its rows come; sums of doubles are not.
fn is_settled_call(call: &Expr, aggregate: &Aggregate) -> bool {
    match call {
        Expr::Alias(Alias { expr, .. }) => is_settled_call(expr, aggregate),
        Expr::AggregateFunction(AggregateFunction { func, params }) => match func.name() {
            "count" | "min" | "max" | "bool_and" | "bool_or" | "bit_and" | "bit_or" | "bit_xor" => true,
            "sum" => params
                .args
                .iter()
                .all(|of| of.get_type(aggregate.input.schema()).is_ok_and(|of| of.is_integer() || of.is_decimal())),
            _ => false,
        },
        _ => false,
    }
}

/// Whether what is promised of units holds in all rows. All of them are read only where there is something to learn.
async fn learn(
    spec: &SourceSpec,
    unit: &UnitSpec,
    mapped: &Mapped,
    rows: u64,
    context: &SessionContext,
) -> Result<Learnt, SourceError> {
    let of_each = unit.column.is_none() || unit.unique || unit.record_key.is_some();
    let parts = match (of_each, spec.rights.rectified.is_empty()) {
        (true, _) => rows.div_ceil(UNITS_AT_ONCE).max(1),
        (false, false) => 1,
        (false, true) => return Marker::new(spec, unit, Part::WHOLE)?.finish(),
    };
    let mut learnt = Learnt { corrected: Vec::new(), repeated: 0 };
    for index in 0..parts {
        let mut marker = Marker::new(spec, unit, Part { index, of: parts })?;
        let mut rows = parquet::stream(spec, mapped, context).await?;
        while let Some(batch) = rows.next().await {
            marker.batch(&batch.map_err(|error| SourceError::run(spec, &error))?)?;
        }
        let Learnt { corrected, repeated } = marker.finish()?;
        learnt = Learnt { corrected, repeated: learnt.repeated + repeated };
        if learnt.repeated > 0 {
            break;
        }
    }
    Ok(learnt)
}

/// Published columns and the hash of the unit, of the rows that may be used.
fn marked(spec: &SourceSpec, unit: &UnitSpec, published: LogicalPlan) -> Result<LogicalPlan, SourceError> {
    let wrong = |_: DataFusionError| SourceError::evaluation(spec);
    let columns = || spec.dataset.columns.iter().map(|published| column(published.name.as_str()));
    let own = match &unit.column {
        Some(name) => Step::Unit { key: unit.key }.over(vec![column(name.as_str())]),
        None => Step::EachRow { key: unit.key }.over(columns().collect()),
    };
    let outer = unit.belongs_to.as_ref();
    let outer = outer.map(|outer| Step::Unit { key: outer.key }.over(vec![column(outer.column.as_str())]));
    let mut names: Vec<Expr> = std::iter::once(own.clone()).chain(outer.clone()).collect();
    let mut rows = LogicalPlanBuilder::from(published);
    if !spec.rights.rectified.is_empty() && unit.column.is_some() {
        let mut right = overlaid(spec, &own)?;
        right.push(own.clone().alias(FOUND));
        names.push(column(FOUND));
        if let Some(outer) = &outer {
            right.push(outer.clone().alias(FOUND_OUTER));
            names.push(column(FOUND_OUTER));
        }
        rows = rows.project(right).map_err(wrong)?;
    }
    if !spec.rights.left_out.is_empty() {
        let left_out = Arc::clone(&spec.rights.left_out);
        rows = rows.filter(Step::Kept { left_out }.over(names)).map_err(wrong)?;
    }
    let keyed = match &unit.record_key {
        Some(name) => Step::Keyed.over(vec![own, column(name.as_str())]),
        None => own,
    };
    rows.project(columns().chain([keyed.alias(UNIT_COLUMN)])).and_then(LogicalPlanBuilder::build).map_err(wrong)
}

fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

/// Published columns with right values in place of wrong ones.
fn overlaid(spec: &SourceSpec, unit: &Expr) -> Result<Vec<Expr>, SourceError> {
    let overlaid = |published: &meridian_proto::Column| {
        let name = &published.name;
        let plain = column(name.as_str());
        // A later one in the place of an earlier one.
        let mut values = HashMap::new();
        for entry in spec.rights.rectified.iter().filter(|entry| entry.column == *name) {
            let value = literal(published.column_type, &entry.value);
            let wrong = || SourceError::Rectified { dataset: spec.dataset.name.clone(), column: name.clone() };
            values.insert(entry.unit, value.ok_or_else(wrong)?);
        }
        if values.is_empty() {
            return Ok(plain);
        }
        Ok(Step::Overlay { values }.over(vec![plain, unit.clone()]).alias(name.as_str()))
    };
    spec.dataset.columns.iter().map(overlaid).collect()
}
