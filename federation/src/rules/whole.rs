//! A node with one input, computed whole where its input is: at the one body, or at each body for its own rows.

use std::sync::Arc;

use datafusion::logical_expr::{Expr, Filter, Limit, LogicalPlan, Sort, SubqueryAlias};

use crate::alternative::{Alternative, Away, Here};
use crate::error::Why;
use crate::placement::Search;
use crate::rel::Rel;
use crate::{lower, normal, template};

/// Of ten rows a condition lets about this many pass.
const PASS_OF_TEN: f64 = 2.0;

pub(crate) fn make(search: &mut Search, node: &LogicalPlan, children: &[Vec<Alternative>]) -> Vec<Alternative> {
    let [alternatives] = children else { return Vec::new() };
    let mut made = Vec::new();
    for alternative in alternatives {
        let Alternative::Away(away) = alternative else { continue };
        match over(search, node, away) {
            Ok(found) => made.extend(found),
            Err(why) => search.stays(&away.parts, &why, node),
        }
    }
    made
}

fn over(search: &mut Search, node: &LogicalPlan, away: &Away) -> Result<Option<Alternative>, Why> {
    match node {
        LogicalPlan::SubqueryAlias(SubqueryAlias { .. }) => Ok(Some(Alternative::Away(away.clone()))),
        LogicalPlan::Projection(projection) => {
            let rel = lower::projection(projection, away.rel.clone())?;
            Ok(Some(Alternative::Away(Away { rel, ..away.clone() })))
        }
        LogicalPlan::Filter(filter) => self::filter(search, filter, node, away),
        LogicalPlan::Aggregate(aggregate) if away.parts.len() == 1 => {
            let rel = lower::aggregate(aggregate, away.rel.clone())?;
            let rows = grouped(away.rows, aggregate.group_expr.len());
            Ok(Some(Alternative::Away(Away { rel, rows, ..away.clone() })))
        }
        LogicalPlan::Limit(limit) => self::limit(search, limit, node, away),
        LogicalPlan::Sort(sort) => self::sort(search, sort, node, away),
        _ => Ok(None),
    }
}

/// Roughly how many groups some rows fall into.
pub(crate) fn grouped(rows: f64, keys: usize) -> f64 {
    if keys == 0 { 1.0 } else { rows.powf(1.0 - 0.5_f64.powi(i32::try_from(keys).unwrap_or(i32::MAX))).max(1.0) }
}

/// What can travel of a filter does; the rest is applied here, to what leaves. A body whose coverage can't meet it is not asked.
fn filter(search: &mut Search, filter: &Filter, node: &LogicalPlan, away: &Away) -> Result<Option<Alternative>, Why> {
    let schema = filter.input.schema();
    let (mut travelling, mut staying, mut obstacle) = (Vec::new(), Vec::new(), None);
    for conjunct in datafusion::logical_expr::utils::split_conjunction(&filter.predicate) {
        match lower::expr(conjunct, schema) {
            Ok(lowered) => travelling.push(normal::expression(lowered)?),
            Err(why) => {
                staying.push(conjunct.clone());
                obstacle = Some(why);
            }
        }
    }
    let mut parts = away.parts.clone();
    parts.retain(|part| !template::rules_out(&away.rel, &travelling, part));
    if parts.is_empty() {
        return Ok(Some(Alternative::Here(Here::empty(schema))));
    }
    let share = parts.len() as f64 / away.parts.len() as f64;
    let rows =
        (away.rows * share * (PASS_OF_TEN / 10.0).powi(i32::try_from(travelling.len()).unwrap_or(i32::MAX))).max(1.0);
    let rel = match normal::all(travelling) {
        Some(predicate) => Rel::Filter { input: Box::new(away.rel.clone()), predicate },
        None => away.rel.clone(),
    };
    let pushed = Away { parts, rel, rows, references: away.references.clone() };
    let Some(why) = obstacle else { return Ok(Some(Alternative::Away(pushed))) };
    search.stays(&away.parts, &why, node);
    let rest = rest(filter, staying)?;
    let Some(here) = search.leave(&pushed, &filter.input) else { return Ok(None) };
    Ok(over_here(search, &rest, here))
}

/// Should a subquery of the node have no place, the plain way over the same node says so.
fn over_here(search: &mut Search, node: &LogicalPlan, here: Here) -> Option<Alternative> {
    search.over(node, vec![here]).ok().map(Alternative::Here)
}

fn rest(filter: &Filter, staying: Vec<Expr>) -> Result<LogicalPlan, Why> {
    let predicate = normal::all(staying).unwrap_or_else(|| filter.predicate.clone());
    Ok(LogicalPlan::Filter(Filter::try_new(predicate, Arc::clone(&filter.input))?))
}

/// At one body whole. At each body as many rows as could be needed, and the limit again here.
fn limit(search: &mut Search, limit: &Limit, node: &LogicalPlan, away: &Away) -> Result<Option<Alternative>, Why> {
    let (skip, fetch) = lower::bounds(limit)?;
    let cut = |away: &Away| fetch.map_or(away.rows, |fetch| away.rows.min(fetch as f64 * away.parts.len() as f64));
    if away.parts.len() == 1 {
        let rel = lower::limit(limit, away.rel.clone())?;
        return Ok(Some(Alternative::Away(Away { rel, rows: cut(away), ..away.clone() })));
    }
    let Some(fetch) = fetch else { return Ok(None) };
    let rel = Rel::Limit { input: Box::new(away.rel.clone()), skip: 0, fetch: Some(skip.saturating_add(fetch)) };
    let pushed = Away { rel, rows: cut(away), ..away.clone() };
    let Some(here) = search.leave(&pushed, &limit.input) else { return Ok(None) };
    Ok(over_here(search, node, here))
}

/// Each body sends its own first rows, and they are put in order again here: an answer has no order on its way.
fn sort(search: &mut Search, sort: &Sort, node: &LogicalPlan, away: &Away) -> Result<Option<Alternative>, Why> {
    let Some(fetch) = sort.fetch else { return Ok(None) };
    let rel = lower::sort(sort, away.rel.clone())?;
    let rows = away.rows.min(fetch as f64 * away.parts.len() as f64);
    let pushed = Away { rel, rows, ..away.clone() };
    let Some(here) = search.leave(&pushed, &sort.input) else { return Ok(None) };
    Ok(over_here(search, node, here))
}
