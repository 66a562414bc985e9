//! The normal form in which a query is written and in which two queries are compared.
//!
//! Unused columns go, projections of bare columns go, filters on filters become one, literals carry their type themselves.
//! None of it changes a result.

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Alias, Between, BinaryExpr, Cast, InList, TryCast};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Operator};

use crate::rel::{self, Agg, How, Key, On, Rel};

/// A query in normal form.
#[derive(Debug, Clone, PartialEq)]
pub struct Normal {
    /// The query; no projection of bare columns in it.
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

/// An expression in normal form.
pub fn expression(expr: Expr) -> Result<Expr> {
    expr.transform_up(|part| rewrite(part).map(Transformed::yes)).data()
}

/// One string type for all.
pub fn one_string_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        other => other.clone(),
    }
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
        Rel::Aggregate { input, groups, aggs } => aggregate(*input, groups, aggs, needed),
        Rel::Join { left, right, how, on } => join(*left, *right, how, on, needed),
        Rel::Sort { input, keys, fetch } => {
            let (input, map) = prune(*input, &union(needed, keys.iter().map(|key| &key.expr)))?;
            let keys = keys
                .into_iter()
                .map(|Key { expr, asc, nulls_first }| Ok(Key { expr: moved(expr, &map)?, asc, nulls_first }))
                .collect::<Result<_>>()?;
            Ok((Rel::Sort { input: Box::new(input), keys, fetch }, map))
        }
        Rel::Limit { input, skip, fetch } => {
            let (input, map) = prune(*input, needed)?;
            Ok((limited(input, skip, fetch), map))
        }
    }
}

fn join(left: Rel, right: Rel, how: How, on: On, needed: &BTreeSet<usize>) -> Result<(Rel, Map)> {
    let width = left.width();
    let (of_left, of_right): (BTreeSet<usize>, BTreeSet<usize>) = needed.iter().partition(|index| **index < width);
    let of_right = of_right.into_iter().map(|index| index - width).collect();
    let (left, mut map) = prune(left, &union(&of_left, [&on.left]))?;
    let (right, behind) = prune(right, &union(&of_right, [&on.right]))?;
    let on = On { left: moved(on.left, &map)?, right: moved(on.right, &behind)? };
    match how {
        How::Semi => {}
        How::Inner | How::Left => {
            let first = left.width();
            map.extend(behind.into_iter().map(|place| place.map(|place| first + place)));
        }
    }
    Ok((Rel::Join { left: Box::new(left), right: Box::new(right), how, on }, map))
}

fn filtered(input: Rel, predicate: Expr) -> Result<Rel> {
    Ok(match input {
        Rel::Filter { input, predicate: first } => Rel::Filter { input, predicate: expression(first.and(predicate))? },
        input => Rel::Filter { input: Box::new(input), predicate },
    })
}

fn limited(input: Rel, skip: usize, fetch: Option<usize>) -> Rel {
    let least = |inner: Option<usize>| match (inner, fetch) {
        (Some(inner), Some(outer)) => Some(inner.min(outer)),
        (inner, outer) => inner.or(outer),
    };
    match input {
        input if skip == 0 && fetch.is_none() => input,
        Rel::Sort { input, keys, fetch: inner } if skip == 0 => Rel::Sort { input, keys, fetch: least(inner) },
        Rel::Limit { input, skip: inner_skip, fetch: inner } if skip == 0 => {
            Rel::Limit { input, skip: inner_skip, fetch: least(inner) }
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

fn aggregate(input: Rel, groups: Vec<Expr>, aggs: Vec<Agg>, needed: &BTreeSet<usize>) -> Result<(Rel, Map)> {
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
    Ok((Rel::Aggregate { input: Box::new(input), groups, aggs }, map))
}

fn rewrite(expr: Expr) -> Result<Expr> {
    Ok(match expr {
        Expr::Alias(Alias { expr, .. }) => *expr,
        Expr::Literal(value, _) => Expr::Literal(one_string(value), None),
        Expr::Cast(Cast { expr, field }) => cast(*expr, &one_string_type(field.data_type())),
        Expr::TryCast(TryCast { expr, field }) => Expr::TryCast(TryCast::new(expr, one_string_type(field.data_type()))),
        Expr::Negative(inner) => match *inner {
            Expr::Literal(value, _) => Expr::Literal(value.arithmetic_negate()?, None),
            inner => Expr::Negative(Box::new(inner)),
        },
        Expr::Between(Between { expr, negated, low, high }) => between(*expr, negated, *low, *high)?,
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And, right }) => chain(*left, Operator::And, *right),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Or, right }) => chain(*left, Operator::Or, *right),
        other => other,
    })
}

fn one_string(value: ScalarValue) -> ScalarValue {
    match value {
        ScalarValue::Utf8View(text) | ScalarValue::LargeUtf8(text) => ScalarValue::Utf8(text),
        other => other,
    }
}

fn cast(expr: Expr, to: &DataType) -> Expr {
    if let Expr::Literal(value, _) = &expr
        && let Ok(value) = value.cast_to(to)
    {
        return Expr::Literal(value, None);
    }
    Expr::Cast(Cast::new(Box::new(expr), to.clone()))
}

fn between(expr: Expr, negated: bool, low: Expr, high: Expr) -> Result<Expr> {
    expression(if negated {
        expr.clone().lt(low).or(expr.gt(high))
    } else {
        expr.clone().gt_eq(low).and(expr.lt_eq(high))
    })
}

/// A chain of AND or OR leans left, and comparisons of one expression with constants in it are an IN list.
fn chain(left: Expr, op: Operator, right: Expr) -> Expr {
    let mut links = Vec::new();
    flatten(left, op, &mut links);
    flatten(right, op, &mut links);
    let negated = op == Operator::And;
    let mut merged: Vec<Expr> = Vec::with_capacity(links.len());
    for link in links {
        let (expr, list) = match listed(link, negated) {
            Ok(parts) => parts,
            Err(other) => {
                merged.push(*other);
                continue;
            }
        };
        let same = merged.iter_mut().find_map(|known| match known {
            Expr::InList(InList { expr: known, list, negated: sign }) if *sign == negated && **known == expr => {
                Some(list)
            }
            _ => None,
        });
        match same {
            Some(known) => known.extend(list),
            None => merged.push(Expr::InList(InList::new(Box::new(expr), list, negated))),
        }
    }
    let links = merged.into_iter().map(single);
    links
        .reduce(|left, right| Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))))
        .unwrap_or_default()
}

fn flatten(expr: Expr, op: Operator, into: &mut Vec<Expr>) {
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op: inner, right }) if inner == op => {
            flatten(*left, op, into);
            flatten(*right, op, into);
        }
        other => into.push(other),
    }
}

/// The comparison as expression and constants: `x = 1` and `x IN (1, 2)`, or, negated, `x <> 1` and `x NOT IN (1, 2)`.
fn listed(expr: Expr, negated: bool) -> std::result::Result<(Expr, Vec<Expr>), Box<Expr>> {
    let comparison = if negated { Operator::NotEq } else { Operator::Eq };
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if op == comparison && matches!(*right, Expr::Literal(..)) => {
            Ok((*left, vec![*right]))
        }
        Expr::InList(InList { expr, list, negated: sign })
            if sign == negated && list.iter().all(|value| matches!(value, Expr::Literal(..))) =>
        {
            Ok((*expr, list))
        }
        other => Err(Box::new(other)),
    }
}

fn single(expr: Expr) -> Expr {
    match expr {
        Expr::InList(InList { expr, mut list, negated }) if list.len() == 1 => match list.pop() {
            Some(value) if negated => (*expr).not_eq(value),
            Some(value) => (*expr).eq(value),
            None => Expr::InList(InList::new(expr, list, negated)),
        },
        other => other,
    }
}

/// The conjuncts of a predicate, each in normal form.
pub fn conjuncts(predicate: Expr) -> Result<Vec<Expr>> {
    Ok(split_conjunction_owned(expression(predicate)?))
}

/// All of them.
pub fn all(conjuncts: Vec<Expr>) -> Option<Expr> {
    conjunction(conjuncts)
}
