//! The normal form in which a query is written and in which two queries are compared.
//!
//! Unused columns go, projections of bare columns go, filters on filters become one, literals carry their type themselves.
//! None of it changes a result.

use std::collections::BTreeSet;

use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::Expr;

use crate::rel::{self, Agg, Call, How, Key, Rel};

mod expression;
mod types;

pub use expression::{all, conjuncts, expression, one_string_type};
pub(crate) use types::widens;

/// Whether an expression has one value for a row, whenever and wherever it is computed.
pub(crate) fn is_of_rows(expr: &Expr) -> Result<bool> {
    let mut plain = !expr.is_volatile();
    expr.apply(|part| {
        plain &= !matches!(
            part,
            Expr::ScalarSubquery(_)
                | Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::SetComparison(_)
                | Expr::OuterReferenceColumn(..)
        );
        Ok(if plain { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    })?;
    Ok(plain)
}

/// A query in normal form.
#[derive(Debug, Clone, PartialEq)]
pub struct Normal {
    /// The query; no projection of bare columns in it, but where a union or a subquery has others than are wanted of it.
    pub rel: Rel,
    /// Which of its columns are answered, in order.
    pub outputs: Vec<usize>,
}

/// The first `width` columns of a query, in normal form.
pub fn normal(rel: Rel, width: usize) -> Result<Normal> {
    let needed: BTreeSet<usize> = (0..width).collect();
    let (rel, map) = prune(rel, &needed)?;
    let outputs: Vec<usize> = (0..width).map(|index| at(&map, index)).collect();
    Ok(match rel {
        Rel::Project { input, exprs } => {
            let exprs: Vec<Expr> = outputs.iter().filter_map(|index| exprs.get(*index).cloned()).collect();
            Normal { outputs: (0..exprs.len()).collect(), rel: Rel::Project { input, exprs } }
        }
        rel => Normal { rel, outputs },
    })
}

/// Where each old column went. A column that nobody needs has no place, and nobody asks for it.
type Map = Vec<Option<usize>>;

fn at(map: &Map, index: usize) -> usize {
    map.get(index).copied().flatten().unwrap_or(usize::MAX)
}

fn moved(expr: Expr, map: &Map) -> Result<Expr> {
    expression(rel::replace(expr, |index| rel::column(at(map, index)))?)
}

fn kept(width: usize, needed: &BTreeSet<usize>) -> Map {
    let mut next = 0;
    (0..width)
        .map(|index| {
            needed.contains(&index).then(|| {
                next += 1;
                next - 1
            })
        })
        .collect()
}

fn union<'a>(needed: &BTreeSet<usize>, exprs: impl IntoIterator<Item = &'a Expr>) -> BTreeSet<usize> {
    exprs.into_iter().flat_map(rel::used).chain(needed.iter().copied()).collect()
}

fn prune(rel: Rel, needed: &BTreeSet<usize>) -> Result<(Rel, Map)> {
    match rel {
        Rel::Scan { source, columns } => {
            let mut sorted: Vec<_> = columns.iter().enumerate().filter(|(index, _)| needed.contains(index)).collect();
            sorted.sort_by(|left, right| left.1.cmp(right.1));
            let mut map = vec![None; columns.len()];
            for (new, (old, _)) in sorted.iter().enumerate() {
                if let Some(place) = map.get_mut(*old) {
                    *place = Some(new);
                }
            }
            let columns = sorted.into_iter().map(|(_, column)| column.clone()).collect();
            Ok((Rel::Scan { source, columns }, map))
        }
        Rel::Filter { input, predicate } => {
            let (input, map) = prune(*input, &union(needed, [&predicate]))?;
            let predicate = moved(predicate, &map)?;
            Ok((filtered(input, predicate)?, map))
        }
        Rel::Project { input, exprs } => project(*input, exprs, needed),
        Rel::Aggregate { input, groups, sets, aggs } => aggregate(*input, groups, sets, aggs, needed),
        Rel::Window { input, calls } => window(*input, calls, needed),
        Rel::Join { left, right, how: How::Value, .. } => value(*left, *right, needed),
        Rel::Join { left, right, how, on } => join(*left, *right, how, on, needed),
        Rel::Union { inputs } => all_of(inputs, needed),
        Rel::Sort { input, keys, skip, fetch } => {
            let (input, map) = prune(*input, &union(needed, keys.iter().map(|key| &key.expr)))?;
            let keys = keys.into_iter().map(|key| ordered(key, &map)).collect::<Result<_>>()?;
            Ok((Rel::Sort { input: Box::new(input), keys, skip, fetch }, map))
        }
        Rel::Limit { input, skip, fetch } => {
            let (input, map) = prune(*input, needed)?;
            Ok((limited(input, skip, fetch), map))
        }
    }
}

fn ordered(key: Key, map: &Map) -> Result<Key> {
    let Key { expr, asc, nulls_first } = key;
    Ok(Key { expr: moved(expr, map)?, asc, nulls_first })
}

fn join(left: Rel, right: Rel, how: How, on: Vec<Expr>, needed: &BTreeSet<usize>) -> Result<(Rel, Map)> {
    let width = left.width();
    let (of_left, of_right): (BTreeSet<usize>, BTreeSet<usize>) =
        union(needed, &on).into_iter().partition(|index| *index < width);
    let of_right = of_right.into_iter().map(|index| index - width).collect();
    let (left, mut map) = prune(left, &of_left)?;
    let (right, behind) = prune(right, &of_right)?;
    let first = left.width();
    let kept = map.len();
    map.extend(behind.into_iter().map(|place| place.map(|place| first + place)));
    let mut conditions = Vec::new();
    for conjunct in on {
        conditions.push(moved(conjunct, &map)?);
    }
    let mut on = all(conditions).map(conjuncts).transpose()?.unwrap_or_default();
    on.retain(|conjunct| !matches!(conjunct, Expr::Literal(ScalarValue::Boolean(Some(true)), _)));
    if !how.shows_right() {
        map.truncate(kept);
    }
    Ok((Rel::Join { left: Box::new(left), right: Box::new(right), how, on }, map))
}

/// The value of a subquery that nobody reads is not asked for.
fn value(left: Rel, right: Rel, needed: &BTreeSet<usize>) -> Result<(Rel, Map)> {
    let width = left.width();
    let (left, mut map) = prune(left, &needed.iter().copied().filter(|index| *index < width).collect())?;
    if !needed.contains(&width) {
        map.push(None);
        return Ok((left, map));
    }
    let (right, behind) = prune(right, &BTreeSet::from([0]))?;
    let right = picked(right, &[at(&behind, 0)]);
    map.push(Some(left.width()));
    Ok((Rel::Join { left: Box::new(left), right: Box::new(right), how: How::Value, on: Vec::new() }, map))
}

/// The rows of all, each with the needed columns alone; a union of unions is one.
fn all_of(inputs: Vec<Rel>, needed: &BTreeSet<usize>) -> Result<(Rel, Map)> {
    let width = inputs.first().map_or(0, Rel::width);
    let mut flat = Vec::with_capacity(inputs.len());
    for input in inputs {
        let (rel, map) = prune(input, needed)?;
        let outputs: Vec<usize> = needed.iter().map(|index| at(&map, *index)).collect();
        match picked(rel, &outputs) {
            Rel::Union { inputs } => flat.extend(inputs),
            rel => flat.push(rel),
        }
    }
    Ok((Rel::Union { inputs: flat }, kept(width, needed)))
}

/// These columns of a query.
fn picked(rel: Rel, outputs: &[usize]) -> Rel {
    match rel {
        rel if outputs.iter().copied().eq(0..rel.width()) => rel,
        Rel::Project { input, exprs } => {
            let exprs = outputs.iter().filter_map(|index| exprs.get(*index).cloned()).collect();
            Rel::Project { input, exprs }
        }
        rel => Rel::Project { input: Box::new(rel), exprs: outputs.iter().copied().map(rel::column).collect() },
    }
}

fn window(input: Rel, calls: Vec<Call>, needed: &BTreeSet<usize>) -> Result<(Rel, Map)> {
    let width = input.width();
    let wanted: Vec<bool> = (0..calls.len()).map(|index| needed.contains(&(width + index))).collect();
    let calls: Vec<Call> =
        calls.into_iter().zip(&wanted).filter(|(_, wanted)| **wanted).map(|(call, _)| call).collect();
    let below: BTreeSet<usize> = needed.iter().copied().filter(|index| *index < width).collect();
    let (input, mut map) = prune(input, &union(&below, calls.iter().flat_map(Call::exprs)))?;
    let calls = calls.into_iter().map(|call| called(call, &map)).collect::<Result<Vec<_>>>()?;
    let mut next = input.width();
    map.extend(wanted.into_iter().map(|wanted| {
        wanted.then(|| {
            next += 1;
            next - 1
        })
    }));
    let rel = if calls.is_empty() { input } else { Rel::Window { input: Box::new(input), calls } };
    Ok((rel, map))
}

fn called(call: Call, map: &Map) -> Result<Call> {
    let Call { func, args, distinct, filter, ignores_nulls, partition, order, frame } = call;
    Ok(Call {
        func,
        args: args.into_iter().map(|expr| moved(expr, map)).collect::<Result<_>>()?,
        distinct,
        filter: filter.map(|expr| moved(expr, map)).transpose()?,
        ignores_nulls,
        partition: partition.into_iter().map(|expr| moved(expr, map)).collect::<Result<_>>()?,
        order: order.into_iter().map(|key| ordered(key, map)).collect::<Result<_>>()?,
        frame,
    })
}

fn filtered(input: Rel, predicate: Expr) -> Result<Rel> {
    Ok(match input {
        Rel::Filter { input, predicate: first } => Rel::Filter { input, predicate: expression(first.and(predicate))? },
        input => Rel::Filter { input: Box::new(input), predicate },
    })
}

/// Of the rows of an input some are left out, and of what remains so many pass; a limit of a limit is one.
fn limited(input: Rel, skip: usize, fetch: Option<usize>) -> Rel {
    let left = |before: Option<usize>| match (before.map(|before| before.saturating_sub(skip)), fetch) {
        (Some(inner), Some(outer)) => Some(inner.min(outer)),
        (inner, outer) => inner.or(outer),
    };
    match input {
        input if skip == 0 && fetch.is_none() => input,
        Rel::Sort { input, keys, skip: first, fetch } => {
            Rel::Sort { input, keys, skip: first.saturating_add(skip), fetch: left(fetch) }
        }
        Rel::Limit { input, skip: first, fetch } => {
            Rel::Limit { input, skip: first.saturating_add(skip), fetch: left(fetch) }
        }
        input => Rel::Limit { input: Box::new(input), skip, fetch },
    }
}

fn project(input: Rel, exprs: Vec<Expr>, needed: &BTreeSet<usize>) -> Result<(Rel, Map)> {
    let map = kept(exprs.len(), needed);
    let exprs: Vec<Expr> = exprs
        .into_iter()
        .enumerate()
        .filter(|(index, _)| needed.contains(index))
        .map(|(_, expr)| expression(expr))
        .collect::<Result<_>>()?;
    let (input, below) = prune(input, &union(&BTreeSet::new(), &exprs))?;
    let bare: Option<Vec<usize>> = exprs.iter().map(rel::position).collect();
    if let Some(bare) = bare {
        let through = |new: usize| bare.get(new).map(|old| at(&below, *old));
        return Ok((input, map.into_iter().map(|new| new.and_then(through)).collect()));
    }
    let exprs = exprs.into_iter().map(|expr| moved(expr, &below)).collect::<Result<_>>()?;
    Ok((Rel::Project { input: Box::new(input), exprs }, map))
}

fn aggregate(
    input: Rel,
    groups: Vec<Expr>,
    sets: Option<Vec<Vec<usize>>>,
    aggs: Vec<Agg>,
    needed: &BTreeSet<usize>,
) -> Result<(Rel, Map)> {
    let mut map: Map = (0..groups.len()).map(Some).collect();
    let mut used: Vec<Agg> = Vec::new();
    let nothing = groups.is_empty() && needed.is_empty();
    for (index, agg) in aggs.into_iter().enumerate() {
        if !(needed.contains(&(groups.len() + index)) || nothing && index == 0) {
            map.push(None);
            continue;
        }
        let same = used.iter().position(|other| *other == agg);
        map.push(Some(groups.len() + same.unwrap_or(used.len())));
        if same.is_none() {
            used.push(agg);
        }
    }
    let below: BTreeSet<usize> = groups
        .iter()
        .chain(used.iter().flat_map(|agg| agg.args.iter().chain(agg.filter.as_ref())))
        .flat_map(rel::used)
        .collect();
    let (input, place) = prune(input, &below)?;
    let groups = groups.into_iter().map(|expr| moved(expr, &place)).collect::<Result<_>>()?;
    let aggs = used
        .into_iter()
        .map(|Agg { func, args, distinct, filter }| {
            let args = args.into_iter().map(|expr| moved(expr, &place)).collect::<Result<_>>()?;
            let filter = filter.map(|expr| moved(expr, &place)).transpose()?;
            Ok(Agg { func, args, distinct, filter })
        })
        .collect::<Result<_>>()?;
    Ok((Rel::Aggregate { input: Box::new(input), groups, sets, aggs }, map))
}
