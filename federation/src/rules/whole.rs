//! A node with one input, computed whole where its input is: at the one body, or at each body for its own rows.

use std::sync::Arc;

use datafusion::logical_expr::{Distinct, Expr, Filter, Limit, LogicalPlan, Sort, SubqueryAlias};

use crate::alternative::{Alternative, Away, Here};
use crate::error::Why;
use crate::lower::{self, Scope, Values};
use crate::placement::Search;
use crate::rel::Rel;
use crate::{coverage, normal, statistics};

/// The share of rows that a condition lets pass, roughly.
pub(crate) const PASS: f64 = 0.2;

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

fn over(search: &mut Search, node: &LogicalPlan, away: &Away) -> Result<Vec<Alternative>, Why> {
    let one = away.one().is_some();
    let found = match node {
        LogicalPlan::SubqueryAlias(SubqueryAlias { .. }) => Some(Alternative::Away(away.clone())),
        LogicalPlan::Projection(projection) => {
            let (below, values) = valued(search, &projection.expr, away)?;
            let rel = lower::projection(projection, below.rel.clone(), &values)?;
            Some(Alternative::Away(below.over(rel, away.rows)))
        }
        LogicalPlan::Filter(filter) => self::filter(search, filter, node, away)?,
        LogicalPlan::Aggregate(aggregate) if one => {
            let exprs = aggregate.group_expr.iter().chain(&aggregate.aggr_expr);
            let (below, values) = valued(search, exprs, away)?;
            let rel = lower::aggregate(aggregate, below.rel.clone(), &values)?;
            let rows = grouped(away.rows, aggregate.group_expr.len());
            Some(Alternative::Away(Away { ordered: false, ..below.over(rel, rows) }))
        }
        LogicalPlan::Distinct(Distinct::All(input)) if one => {
            let rel = lower::distinct(input, away.rel.clone());
            let rows = grouped(away.rows, input.schema().fields().len());
            Some(Alternative::Away(Away { ordered: false, ..away.over(rel, rows) }))
        }
        // Over released cells a window is computed where they were asked for.
        LogicalPlan::Window(window) if one && !(away.is_protected() && statistics::is_aggregated(&away.rel)) => {
            let rel = lower::window(window, away.rel.clone())?;
            Some(Alternative::Away(Away { ordered: false, ..away.over(rel, away.rows) }))
        }
        LogicalPlan::Limit(limit) => self::limit(search, limit, node, away)?,
        LogicalPlan::Sort(sort) => return self::sort(search, sort, node, away),
        _ => None,
    };
    Ok(found.into_iter().collect())
}

/// What is away with the values of the scalar subqueries in some expressions behind it, if they are at the same body.
fn valued<'a>(
    search: &mut Search,
    exprs: impl IntoIterator<Item = &'a Expr>,
    away: &Away,
) -> Result<(Away, Values), Why> {
    let mut site = away.clone();
    let (rel, values) = lower::values_of(exprs, away.rel.clone(), &mut |plan| {
        let elsewhere = || Why::new("the result of a subquery is not sent to another body");
        let alternatives = search.alternatives(plan).map_err(|error| Why(error.reason))?;
        let aways = alternatives.into_iter().filter_map(|alternative| match alternative {
            Alternative::Away(away) => Some(away),
            Alternative::Here(_) => None,
        });
        for away in aways {
            if let Some(both) = site.with(&away, site.rel.clone(), site.rows)
                && !both.is_protected()
                && let Some(rel) = away.at_home()
            {
                site = Away { ordered: site.ordered, ..both };
                return rel;
            }
        }
        Err(elsewhere())
    })?;
    Ok((site.over(rel, away.rows), values))
}

/// Roughly how many groups some rows fall into.
pub(crate) fn grouped(rows: f64, keys: usize) -> f64 {
    if keys == 0 { 1.0 } else { rows.powf(1.0 - 0.5_f64.powi(i32::try_from(keys).unwrap_or(i32::MAX))).max(1.0) }
}

/// What can travel of a filter does; the rest is applied here, to what leaves. A body whose coverage can't meet it is not asked.
fn filter(search: &mut Search, filter: &Filter, node: &LogicalPlan, away: &Away) -> Result<Option<Alternative>, Why> {
    let schema = filter.input.schema();
    let (mut travelling, mut staying, mut obstacle) = (Vec::new(), Vec::new(), None);
    let mut below = away.clone();
    for conjunct in datafusion::logical_expr::utils::split_conjunction(&filter.predicate) {
        let lowered = valued(search, [conjunct], &below).and_then(|(over, values)| {
            let lowered = normal::expression(Scope { schema, values: &values }.expr(conjunct)?)?;
            Ok((over, lowered))
        });
        match lowered {
            Ok((over, lowered)) => {
                below = over;
                travelling.push(lowered);
            }
            Err(why) => {
                staying.push(conjunct.clone());
                obstacle = Some(why);
            }
        }
    }
    let mut parts = below.parts.clone();
    parts.retain(|part| !coverage::rules_out(&below.rel, &travelling, part));
    if parts.is_empty() {
        return Ok(Some(Alternative::Here(Here::empty(schema))));
    }
    let share = parts.len() as f64 / away.parts.len() as f64;
    let rows = (away.rows * share * PASS.powi(i32::try_from(travelling.len()).unwrap_or(i32::MAX))).max(1.0);
    let rel = match normal::all(travelling) {
        Some(predicate) => Rel::Filter { input: Box::new(below.rel.clone()), predicate },
        None => below.rel.clone(),
    };
    let pushed = Away { parts, ..below.over(rel, rows) };
    let Some(why) = obstacle else { return Ok(Some(Alternative::Away(pushed))) };
    search.stays(&away.parts, &why, node);
    if pushed.ordered {
        return Ok(None);
    }
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
    if away.one().is_some() {
        // The first rows of an order are those of the node that made it.
        if away.ordered && !matches!(away.rel, Rel::Sort { .. }) {
            return Ok(None);
        }
        let rel = lower::limit(limit, away.rel.clone())?;
        return Ok(Some(Alternative::Away(away.over(rel, cut(away)))));
    }
    let Some(fetch) = fetch else { return Ok(None) };
    let rel = Rel::Limit { input: Box::new(away.rel.clone()), skip: 0, fetch: Some(skip.saturating_add(fetch)) };
    let pushed = away.over(rel, cut(away));
    let Some(here) = search.leave(&pushed, &limit.input) else { return Ok(None) };
    Ok(over_here(search, node, here))
}

/// Each body sends its own first rows, and they are put in order again here: an answer has no order on its way. What one body
/// computes from an order of its own stays there.
fn sort(search: &mut Search, sort: &Sort, node: &LogicalPlan, away: &Away) -> Result<Vec<Alternative>, Why> {
    let one = away.one().is_some();
    let Some(fetch) = sort.fetch else {
        // An order below, by which rows were picked, would be taken for this one.
        let unordered = one && !matches!(away.rel, Rel::Sort { .. });
        let stays = unordered.then(|| Alternative::Away(Away { ordered: true, ..away.clone() }));
        return Ok(stays.into_iter().collect());
    };
    let rel = lower::sort(sort, away.rel.clone())?;
    let rows = away.rows.min(fetch as f64 * away.parts.len() as f64);
    let pushed = away.over(rel, rows);
    let here = search.leave(&pushed, &sort.input).and_then(|here| over_here(search, node, here));
    let stays = one.then_some(Alternative::Away(Away { ordered: true, ..pushed }));
    Ok(here.into_iter().chain(stays).collect())
}
