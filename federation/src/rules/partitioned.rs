//! A join of two standards at each body by itself, where no row of one body can match a row of another (partition-wise).

use std::collections::BTreeMap;

use datafusion::common::JoinType;
use datafusion::logical_expr::{Join, LogicalPlan};
use meridian_proto::Name;

use super::together::pairs;
use crate::alternative::{Alternative, Away, Here, Part};
use crate::error::Why;
use crate::placement::Search;
use crate::{coverage, lower, rel, statistics};

pub(crate) fn make(search: &mut Search, node: &LogicalPlan, children: &[Vec<Alternative>]) -> Vec<Alternative> {
    let (LogicalPlan::Join(join), [left, right]) = (node, children) else { return Vec::new() };
    let (Some(left), Some(right)) = (each(left), each(right)) else { return Vec::new() };
    if left.one().is_some() && right.one().is_some() {
        return Vec::new();
    }
    match joined(search, join, node, left, right) {
        Ok(found) => found.into_iter().collect(),
        Err(why) => {
            search.stays(&left.parts, &why, node);
            Vec::new()
        }
    }
}

/// What each body of a standard computes.
fn each(alternatives: &[Alternative]) -> Option<&Away> {
    alternatives.iter().find_map(|alternative| match alternative {
        Alternative::Away(away) if !away.ordered && away.references.is_empty() && away.rel.is_of_every() => Some(away),
        Alternative::Away(_) | Alternative::Here(_) => None,
    })
}

fn joined(
    search: &mut Search,
    join: &Join,
    node: &LogicalPlan,
    left: &Away,
    right: &Away,
) -> Result<Option<Alternative>, Why> {
    let Some(parts) = parts(join, left, right)? else { return Ok(None) };
    if parts.is_empty() {
        return Ok(Some(Alternative::Here(Here::empty(node.schema()))));
    }
    let rel = lower::join(join, left.rel.clone(), right.rel.clone())?;
    let number = parts.len() as f64;
    let of_one = |away: &Away| away.rows / away.parts.len() as f64;
    let both = Away::new(parts, rel.clone(), 0.0);
    // Released cells are joined where they were asked for.
    if both.is_protected() && statistics::is_aggregated(&rel) {
        return Ok(None);
    }
    for site in both.parts.iter().filter_map(statistics::Site::of) {
        if let Err(rejection) = site.joins(&rel) {
            search.reject(rejection, node);
            return Ok(None);
        }
    }
    let rows = pairs(&rel, &both, of_one(left), of_one(right), node.schema().fields().len()) * number;
    Ok(Some(Alternative::Away(both.over(rel, rows))))
}

/// The bodies that have rows of the join, each with its datasets of both sides; nothing where it can't be computed at each.
fn parts(join: &Join, left: &Away, right: &Away) -> Result<Option<Vec<Part>>, Why> {
    let Some((keeps_left, keeps_right)) = keeps(join) else { return Ok(None) };
    let (Some(of_left), Some(of_right)) = (by_body(left), by_body(right)) else { return Ok(None) };
    let without = |some: &BTreeMap<&Name, &Part>, others: &BTreeMap<&Name, &Part>| {
        some.keys().any(|body| !others.contains_key(body))
    };
    // A row that stays without a partner is one of a body that is asked for the join.
    if keeps_left && without(&of_left, &of_right) || keeps_right && without(&of_right, &of_left) {
        return Ok(None);
    }
    if !apart(join, left, right)? {
        return Ok(None);
    }
    let mut parts = Vec::new();
    for part in &left.parts {
        let Some(other) = of_right.get(&part.name.body) else { continue };
        if !are_told_apart(part, other) {
            return Ok(None);
        }
        parts.push(part.with(other));
    }
    Ok(Some(parts))
}

/// Whether rows of the left and of the right side stay without a partner, if the join is made of those of each body.
fn keeps(join: &Join) -> Option<(bool, bool)> {
    match join.join_type {
        // One NULL at any body would be one for all.
        _ if join.null_aware => None,
        JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi => Some((false, false)),
        JoinType::Left | JoinType::LeftAnti => Some((true, false)),
        JoinType::Right | JoinType::RightAnti => Some((false, true)),
        JoinType::Full => Some((true, true)),
        JoinType::LeftMark | JoinType::RightMark => None,
    }
}

/// The parts by their bodies, if no body has two.
fn by_body(away: &Away) -> Option<BTreeMap<&Name, &Part>> {
    let found: BTreeMap<&Name, &Part> = away.parts.iter().map(|part| (&part.name.body, part)).collect();
    (found.len() == away.parts.len()).then_some(found)
}

/// Whether it is clear which dataset of a body a standard means: not if one side has another of the same standard.
fn are_told_apart(left: &Part, right: &Part) -> bool {
    let mut pairs = left.datasets().flat_map(|one| right.datasets().map(move |other| (one, other)));
    pairs.all(|(one, other)| one.name == other.name || one.dataset.standard != other.dataset.standard)
}

/// Whether some equality of the join holds within bodies only: each has values of its own there.
fn apart(join: &Join, left: &Away, right: &Away) -> Result<bool, Why> {
    for (one, other) in &join.on {
        let one = rel::position(&lower::expr(one, join.left.schema())?);
        let other = rel::position(&lower::expr(other, join.right.schema())?);
        let (Some(one), Some(other)) = (one, other) else { continue };
        let both = [(left, one), (right, other)];
        let spans = both.into_iter().flat_map(|(away, index)| {
            away.parts.iter().map(move |part| Some((&part.name.body, coverage::span(&away.rel, index, part)?)))
        });
        if spans.collect::<Option<Vec<_>>>().is_some_and(|spans| coverage::are_apart(spans)) {
            return Ok(true);
        }
    }
    Ok(false)
}
