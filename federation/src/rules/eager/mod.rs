//! Eager aggregation: an aggregate above a join of several bodies' rows, computed in parts below it, at one side or at both.
//!
//! Yan and Larson, "Performing Group-By before Join" (ICDE 1994) and "Eager Aggregation and Lazy Aggregation" (VLDB 1995). Each side `R` of
//! the joins that is grouped is replaced by `SELECT K, COUNT(*) AS p, SUM(x) AS s, … FROM R GROUP BY K`, where `K` is every column of `R` that
//! a group key, a join condition or a filter above it uses. Whether rows join depends on `K` alone, so that a joined row stands for as
//! many as the product of the multiplicities `p`, and
//!
//! | aggregate | is |
//! | --- | --- |
//! | `COUNT(*)` | `SUM(p1 * p2 * …)`, 0 if NULL |
//! | `SUM(x)`, x of side 1 | `SUM(s1 * p2 * …)`, where `s1 = SUM(x)` |
//! | `COUNT(x)` | the same with `s1 = COUNT(x)`, 0 if NULL |
//! | `AVG(x)` | of those two; decimals by DataFusion's own averager |
//! | `MIN(x)`, `MAX(x)`, `BOOL_AND`, `BOOL_OR`, `BIT_AND`, `BIT_OR` | of themselves |
//! | `f(DISTINCT x)` | itself, with x among `K` |
//! | any with `FILTER (WHERE c1 AND c2)` | the filter of a side within its parts, and only rows whose filtered `p` is not 0 |
//!
//! Arguments over both sides are among `K` of each. It is exact
//! - over duplicates and NULLs of any kind, since `GROUP BY` keeps NULL apart as one value and the join does with it what it did;
//! - for inner joins with any conditions, and for the rows that semi and anti joins keep (what they look for is never grouped);
//! - for outer joins, where a missing row has multiplicity 1, and arguments and computed keys go below only if they are NULL
//!   over NULLs (`COUNT(COALESCE(x, 0))` counts missing rows, so that x is among `K`);
//! - for integers modulo 2^64, as SUM wraps; for decimals; for doubles where their sums are exact, as split aggregates are;
//! - in what fails: only expressions that have a value for every row go below, as a row without partner may not raise an error.
//!
//! A side that leaves as `statistics` only is always grouped, its parts are cells, and `cells` says when they are enough. A release
//! that is finer than the question's own groups is taken only if there is no other way, and is told.

mod build;
mod cells;
mod compose;
mod nulls;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeSet;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams, Alias};
use datafusion::logical_expr::utils::split_conjunction_owned;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan};
use meridian_proto::{ColumnType, Role};

use self::cells::Ordered;
use self::compose::{Call, Demand, Mode};
use self::tree::Tree;
use crate::alternative::{Alternative, Away, Here, Rejection};
use crate::error::Why;
use crate::placement::{Search, height};
use crate::rel::ScanColumn;
use crate::released::reads_statistics;
use crate::rules::whole::grouped;

/// Rows under which it is not worth to group them before they come here.
const WORTH: f64 = 1_000.0;

pub(crate) fn make(search: &mut Search, node: &LogicalPlan, children: &[Vec<Alternative>]) -> Vec<Alternative> {
    let LogicalPlan::Aggregate(aggregate) = node else { return Vec::new() };
    // Open rows that are joined at their bodies are aggregated there as they are.
    let joined = |alternative: &Alternative| matches!(alternative, Alternative::Away(away) if !away.is_protected());
    if children.iter().flatten().any(joined) {
        return Vec::new();
    }
    let Some(join) = tree::topmost(&aggregate.input).filter(|_| !search.rewritten) else { return Vec::new() };
    let mut protected = None;
    match eager(search, aggregate, &mut protected) {
        Ok(found) => found.map(Alternative::Here).into_iter().collect(),
        Err(why) => {
            // Open rows are joined here without more ado.
            if let Some(part) = protected.as_ref().and_then(|away: &Away| away.parts.first()) {
                let reason = format!(
                    "{} leaves as statistics only, and can't be aggregated before it is joined: {}",
                    part.name, why.0
                );
                let remedy = format!("aggregate {} by itself and join what is released", part.name);
                // What the owner says of the join itself is nearer to what was written.
                let below = height(join).saturating_sub(1);
                search.reject_at(Rejection::new("placement.eager", part, reason, remedy), below);
            }
            Vec::new()
        }
    }
}

/// A side of the join: where it is, and how it is to be brought.
struct Brought {
    away: Option<Away>,
    mode: Mode,
}

fn eager(search: &mut Search, node: &Aggregate, protected: &mut Option<Away>) -> Result<Option<Here>, Why> {
    let found = Tree::of(&node.input, &mut |join| lives_at_one_body(search, join))?;
    if found.leaves.len() < 2 {
        return Ok(None);
    }
    let mut sides = Vec::with_capacity(found.leaves.len());
    for leaf in &found.leaves {
        let side = brought(search, leaf)?;
        if side.mode == Mode::Cells && protected.is_none() {
            *protected = side.away.clone();
        }
        sides.push(side);
    }
    let modes: Vec<Mode> = sides.iter().map(|side| side.mode).collect();
    if modes.iter().all(|mode| *mode == Mode::Rows) {
        return Ok(None);
    }
    let question = Question::of(node, &found)?;
    let first = question.plan(node, &found, &modes);
    let modes = match first {
        Ok((_, demands)) => worth(&sides, &demands),
        // A side of open rows without a key is no reason not to group the others.
        Err(_) => modes.into_iter().map(|mode| if mode == Mode::Groups { Mode::Rows } else { mode }).collect(),
    };
    if modes.iter().all(|mode| *mode == Mode::Rows) {
        return Ok(None);
    }
    if !modes.contains(&Mode::Cells) {
        let (plan, _) = question.plan(node, &found, &modes)?;
        return Ok(search.beside(&plan).ok());
    }
    cells_joined(search, node, &question, found, &modes, &sides).map(Some)
}

fn cells_joined(
    search: &mut Search,
    node: &Aggregate,
    question: &Question,
    found: Tree,
    modes: &[Mode],
    sides: &[Brought],
) -> Result<Here, Why> {
    if question.calls.is_empty() {
        return Err(Why::new("labels alone are no statistics"));
    }
    let Ordered { tree, counted, finer } = cells::order(found, modes, &question.groups)?;
    let parts = (question.groups.as_slice(), question.calls.as_slice());
    let (plan, demands) = build::plan(node, &tree, parts, (modes, counted))?;
    for leaf in &finer {
        if let (Some(side), Some(demand)) = (sides.get(*leaf), demands.get(*leaf)) {
            not_near_unique(side, demand)?;
        }
    }
    let mut here = search.beside(&plan).map_err(|error| Why(error.reason))?;
    for leaf in finer {
        let Some(away) = sides.get(leaf).and_then(|side| side.away.as_ref()) else { continue };
        here.cost.finer += 1.0;
        let keys: BTreeSet<String> = demands.get(leaf).into_iter().flat_map(|demand| labels(away, demand)).collect();
        let keys: Vec<String> = keys.into_iter().collect();
        here.notices.extend(away.parts.iter().map(|part| told(&part.name.to_string(), &keys)));
    }
    Ok(here)
}

fn told(dataset: &str, keys: &[String]) -> String {
    format!(
        "{dataset} releases by {}, finer than the question groups by, and is joined here; a group in which a cell is not there has no figures",
        keys.join(", ")
    )
}

fn labels(away: &Away, demand: &Demand) -> Vec<String> {
    let columns = demand.columns.iter().map(|index| away.rel.label(*index));
    columns.chain(demand.computed.iter().map(|expr| expr.human_display().to_string())).collect()
}

/// A key with about as many values as there are rows makes a release of the rows themselves.
fn not_near_unique(side: &Brought, demand: &Demand) -> Result<(), Why> {
    let Some(away) = &side.away else { return Ok(()) };
    for index in &demand.columns {
        let drawn = away.rel.sources(*index).into_iter();
        for (_, column) in drawn.filter_map(|(source, name)| away.described(source, name)) {
            let many = matches!(
                column.column_type,
                ColumnType::Timestamp | ColumnType::Double | ColumnType::Decimal(..) | ColumnType::Bytea
            );
            if many || column.role == Role::Identifier {
                let name = &column.name;
                return Err(Why::new(format!("it would be released by {name}, which tells single rows apart")));
            }
        }
    }
    Ok(())
}

/// Whether a join of one body's datasets is made there, so that it is one side of the joins above it.
fn lives_at_one_body(search: &mut Search, join: &LogicalPlan) -> bool {
    let is_one = |alternative: &Alternative| matches!(alternative, Alternative::Away(away) if away.one().is_some());
    search.alternatives(join).is_ok_and(|alternatives| alternatives.iter().any(is_one))
}

fn brought(search: &mut Search, leaf: &tree::Leaf) -> Result<Brought, Why> {
    let mut foreign = false;
    leaf.plan.apply_with_subqueries(|node| {
        foreign |= matches!(node, LogicalPlan::TableScan(scan) if crate::lower::foreign(scan).is_some());
        Ok(if foreign { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    if !foreign {
        return Ok(Brought { away: None, mode: Mode::Rows });
    }
    let alternatives = search.alternatives(&leaf.plan).map_err(|error| Why(error.reason))?;
    let leaves = alternatives.iter().any(|alternative| matches!(alternative, Alternative::Here(_)));
    let away = alternatives.into_iter().find_map(|alternative| match alternative {
        Alternative::Away(away) => Some(away),
        Alternative::Here(_) => None,
    });
    let statistics = reads_statistics(&leaf.plan)?;
    let mode = match &away {
        Some(_) if statistics && !leaves && !leaf.inner => Mode::Cells,
        Some(away) if !statistics && leaves && !leaf.inner && away.rows >= WORTH => Mode::Groups,
        _ => Mode::Rows,
    };
    Ok(Brought { away, mode })
}

/// Groups where they are expected to be less than the rows.
fn worth(sides: &[Brought], demands: &[Demand]) -> Vec<Mode> {
    let worth = |(side, demand): (&Brought, &Demand)| match (side.mode, &side.away) {
        (Mode::Groups, Some(away)) => {
            let keys = demand.columns.len() + demand.computed.len();
            let identified = demand.columns.iter().any(|index| is_identifier(away, *index));
            let groups = if identified { away.rows } else { grouped(away.rows, keys) };
            let groups = groups * (keys + demand.partials.len()) as f64;
            // Row by row, the columns of the aggregates come instead.
            let rows = away.rows * keys as f64;
            if groups < rows { Mode::Groups } else { Mode::Rows }
        }
        (mode, _) => mode,
    };
    sides.iter().zip(demands).map(worth).collect()
}

/// Whether a column has about as many values as there are rows.
fn is_identifier(away: &Away, index: usize) -> bool {
    let Some((source, ScanColumn::Named(name))) = away.rel.origin(index) else { return false };
    away.described(source, name).is_some_and(|(_, column)| column.role == Role::Identifier)
}

/// An aggregate over the leaves of its tree.
struct Question {
    groups: Vec<Expr>,
    calls: Vec<Call>,
}

impl Question {
    fn of(node: &Aggregate, tree: &Tree) -> Result<Self, Why> {
        let Aggregate { input, group_expr, aggr_expr, schema, .. } = node;
        if group_expr.iter().any(|group| matches!(group, Expr::GroupingSet(_))) {
            return Err(Why::new("grouping sets are not taken apart"));
        }
        let sides = [(input.schema().as_ref(), tree.columns.as_slice())];
        let groups = group_expr.iter().map(|group| tree::over(group, &sides)).collect::<Result<Vec<_>, _>>()?;
        let fields = schema.fields().iter().skip(group_expr.len());
        let calls = aggr_expr.iter().zip(fields).map(|(expr, field)| call(expr, field.data_type(), tree, node));
        Ok(Self { calls: calls.collect::<Result<_, _>>()?, groups })
    }

    fn plan(&self, node: &Aggregate, tree: &Tree, modes: &[Mode]) -> Result<(LogicalPlan, Vec<Demand>), Why> {
        build::plan(node, tree, (&self.groups, &self.calls), (modes, false))
    }
}

fn call(expr: &Expr, data_type: &DataType, tree: &Tree, node: &Aggregate) -> Result<Call, Why> {
    let sides = [(node.input.schema().as_ref(), tree.columns.as_slice())];
    match expr {
        Expr::Alias(Alias { expr, relation: _, name: _, metadata: _ }) => call(expr, data_type, tree, node),
        Expr::AggregateFunction(AggregateFunction { func, params }) => {
            let AggregateFunctionParams { args, distinct, filter, order_by, null_treatment } = params;
            if !order_by.is_empty() || null_treatment.is_some() {
                return Err(Why::new(format!("{} has an order of its own", func.name())));
            }
            let args = args.iter().map(|arg| tree::over(arg, &sides)).collect::<Result<Vec<_>, _>>()?;
            let filter = filter.as_ref().map(|filter| tree::over(filter, &sides)).transpose()?;
            let filter = filter.map(split_conjunction_owned).unwrap_or_default();
            let func = crate::rules::combine::known(func.name())?;
            Ok(Call { func, args, distinct: *distinct, filter, data_type: data_type.clone() })
        }
        other => Err(Why::new(format!("{} is no aggregate", other.schema_name()))),
    }
}
