//! From DataFusion's plans to ours. Every node is taken apart field by field and matched without `_`, so that no part of it can be
//! forgotten (`..` stands only where DataFusion demands it, for what it may add; the check before sending covers that).

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use datafusion::catalog::TableProvider;
use datafusion::datasource::source_as_provider;
use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    Aggregate, AggregateUDF, Distinct, Expr, FetchType, Filter, GroupingSet, Limit, LogicalPlan, Projection, ScalarUDF,
    SkipType, Sort, SubqueryAlias, TableScan, Union, Window, WindowUDF,
};

use meridian_proto::Dataset;

use crate::error::Why;
use crate::normal;
use crate::rel::{self, Rel, ScanColumn, Source};
use crate::tables::{BODY_COLUMN, EveryTable, ForeignTable};

mod expression;
mod join;
mod window;

pub(crate) use expression::{Scope, Values, expr, values_of};
pub(crate) use join::join;

/// The functions that every node knows by these names.
pub(crate) struct Functions {
    pub(crate) scalar: HashMap<String, Arc<ScalarUDF>>,
    pub(crate) aggregate: HashMap<String, Arc<AggregateUDF>>,
    pub(crate) window: HashMap<String, Arc<WindowUDF>>,
}

pub(crate) static FUNCTIONS: LazyLock<Functions> = LazyLock::new(|| {
    let mut functions = Functions { scalar: HashMap::new(), aggregate: HashMap::new(), window: HashMap::new() };
    for function in SessionStateDefaults::default_scalar_functions() {
        for alias in function.aliases() {
            functions.scalar.insert(alias.clone(), Arc::clone(&function));
        }
        functions.scalar.insert(function.name().to_string(), function);
    }
    for function in SessionStateDefaults::default_aggregate_functions() {
        for alias in function.aliases() {
            functions.aggregate.insert(alias.clone(), Arc::clone(&function));
        }
        functions.aggregate.insert(function.name().to_string(), function);
    }
    for function in SessionStateDefaults::default_window_functions() {
        for alias in function.aliases() {
            functions.window.insert(alias.clone(), Arc::clone(&function));
        }
        functions.window.insert(function.name().to_string(), function);
    }
    functions
});

/// A whole plan over datasets of one body, and what their owner joins them with.
pub(crate) fn plan(plan: &LogicalPlan) -> Result<Rel, Why> {
    match plan {
        LogicalPlan::TableScan(scan) => self::scan(scan),
        LogicalPlan::Projection(node) => {
            let (input, values) = with_values(&node.expr, &node.input)?;
            projection(node, input, &values)
        }
        LogicalPlan::Filter(node) => filter(node),
        LogicalPlan::Aggregate(node) => {
            let (input, values) = with_values(node.group_expr.iter().chain(&node.aggr_expr), &node.input)?;
            aggregate(node, input, &values)
        }
        LogicalPlan::Distinct(Distinct::All(input)) => Ok(distinct(input, self::plan(input)?)),
        LogicalPlan::Window(node) => window(node, self::plan(&node.input)?),
        LogicalPlan::Union(Union { inputs, schema }) => {
            let width = schema.fields().len();
            let inputs = inputs.iter().map(|input| Ok(self::plan(input)?.exactly(width)));
            Ok(Rel::Union { inputs: inputs.collect::<Result<_, Why>>()? })
        }
        LogicalPlan::Sort(node) => sort(node, self::plan(&node.input)?),
        LogicalPlan::Limit(node) => limit(node, self::plan(&node.input)?),
        LogicalPlan::SubqueryAlias(SubqueryAlias { input, alias: _, schema: _, .. }) => self::plan(input),
        LogicalPlan::Join(node) => join(node, self::plan(&node.left)?, self::plan(&node.right)?),
        LogicalPlan::Distinct(Distinct::On(_))
        | LogicalPlan::Repartition(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Subquery(_)
        | LogicalPlan::Statement(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Explain(_)
        | LogicalPlan::Analyze(_)
        | LogicalPlan::Extension(_)
        | LogicalPlan::Dml(_)
        | LogicalPlan::Ddl(_)
        | LogicalPlan::Copy(_)
        | LogicalPlan::DescribeTable(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::RecursiveQuery(_) => Err(Why::new(format!("{} is not sent to another body", name(plan)))),
    }
}

/// A node's input, and behind its columns the values of the subqueries in the node's expressions.
fn with_values<'a>(exprs: impl IntoIterator<Item = &'a Expr>, input: &LogicalPlan) -> Result<(Rel, Values), Why> {
    values_of(exprs, plan(input)?, &mut |subquery| plan(subquery))
}

/// A filter. A condition `NOT IN (SELECT …)` is a join.
fn filter(node: &Filter) -> Result<Rel, Why> {
    let Filter { predicate, input, .. } = node;
    let conjuncts = split_conjunction(predicate);
    let (joins, conjuncts): (Vec<&Expr>, Vec<&Expr>) =
        conjuncts.into_iter().partition(|conjunct| matches!(conjunct, Expr::InSubquery(_)));
    let (mut rel, values) = with_values(conjuncts.iter().copied(), input)?;
    let scope = Scope { schema: input.schema(), values: &values };
    let conjuncts = conjuncts.into_iter().map(|conjunct| scope.expr(conjunct)).collect::<Result<_, _>>()?;
    if let Some(predicate) = normal::all(conjuncts) {
        rel = Rel::Filter { input: Box::new(rel), predicate };
    }
    joins.into_iter().try_fold(rel, |rel, join| join::not_in(join, input.schema(), rel))
}

/// What a node is called in an error.
pub(crate) fn name(plan: &LogicalPlan) -> String {
    plan.display().to_string().split([':', ' ', '(']).next().unwrap_or_default().to_lowercase()
}

/// A table that belongs to other bodies.
pub(crate) enum Foreign {
    One(ForeignTable),
    Every(EveryTable),
}

impl Foreign {
    /// Roughly how many rows there are.
    pub(crate) fn rows(&self) -> f64 {
        let class = |dataset: &Dataset| 10_f64.powi(i32::try_from(dataset.size_class).unwrap_or(18));
        match self {
            Self::One(table) => class(&table.dataset),
            Self::Every(table) => table.parts.iter().map(|part| class(&part.dataset)).sum(),
        }
    }
}

/// The foreign table behind a scan, if it is one.
pub(crate) fn foreign(scan: &TableScan) -> Option<Foreign> {
    let provider: Arc<dyn TableProvider> = source_as_provider(&scan.source).ok()?;
    if let Some(table) = provider.downcast_ref::<ForeignTable>() {
        return Some(Foreign::One(table.clone()));
    }
    provider.downcast_ref::<EveryTable>().map(|table| Foreign::Every(table.clone()))
}

/// The scan of a foreign table. Where the plan needs no column the first one stands in: positions beyond the plan's own are never read.
pub(crate) fn scan(scan: &TableScan) -> Result<Rel, Why> {
    let TableScan { table_name, source, projection, projected_schema: _, filters, fetch, statistics_requests: _ } =
        scan;
    let source_of = match foreign(scan) {
        Some(Foreign::One(table)) => Source::Dataset(table.name),
        Some(Foreign::Every(table)) => Source::Every(table.standard),
        None => return Err(Why::new(format!("{table_name} belongs to no other body"))),
    };
    if !filters.is_empty() {
        return Err(Why::new(format!("the scan of {table_name} holds a filter")));
    }
    let fields = source.schema();
    let mut wanted: Vec<usize> = projection.clone().unwrap_or_else(|| (0..fields.fields().len()).collect());
    if wanted.is_empty() {
        wanted.push(0);
    }
    let columns = wanted
        .into_iter()
        .filter_map(|index| fields.fields().get(index))
        .map(|field| match (&source_of, field.name().as_str()) {
            (Source::Every(_), BODY_COLUMN) => ScanColumn::Body,
            (_, name) => ScanColumn::Named(name.to_string()),
        })
        .collect();
    let rel = Rel::Scan { source: source_of, columns };
    Ok(match fetch {
        Some(_) => Rel::Limit { input: Box::new(rel), skip: 0, fetch: *fetch },
        None => rel,
    })
}

/// A projection over what its input became.
pub(crate) fn projection(node: &Projection, input: Rel, values: &Values) -> Result<Rel, Why> {
    let Projection { expr: exprs, input: below, schema: _, .. } = node;
    let scope = Scope { schema: below.schema(), values };
    let exprs = exprs.iter().map(|item| scope.expr(item)).collect::<Result<_, _>>()?;
    Ok(Rel::Project { input: Box::new(input), exprs })
}

/// Each row once.
pub(crate) fn distinct(node: &LogicalPlan, input: Rel) -> Rel {
    let groups = (0..node.schema().fields().len()).map(rel::column).collect();
    Rel::Aggregate { input: Box::new(input), groups, sets: None, aggs: Vec::new() }
}

/// An aggregate over what its input became.
pub(crate) fn aggregate(node: &Aggregate, input: Rel, values: &Values) -> Result<Rel, Why> {
    let Aggregate { input: below, group_expr, aggr_expr, schema: _, .. } = node;
    if group_expr.is_empty() && aggr_expr.is_empty() {
        return Err(Why::new("an aggregate of nothing is not sent to another body"));
    }
    let scope = Scope { schema: below.schema(), values };
    let aggs = aggr_expr.iter().map(|item| scope.agg(item)).collect::<Result<Vec<_>, _>>()?;
    let input = Box::new(input);
    let [Expr::GroupingSet(sets)] = group_expr.as_slice() else {
        let groups = group_expr.iter().map(|item| scope.expr(item)).collect::<Result<_, _>>()?;
        return Ok(Rel::Aggregate { input, groups, sets: None, aggs });
    };
    let keys = sets.distinct_expr();
    let place = |item: &Expr| keys.iter().position(|key| *key == item);
    let sets = enumerated(sets)?
        .into_iter()
        .map(|set| set.into_iter().map(|item| place(item).ok_or_else(unknown_key)).collect())
        .collect::<Result<_, Why>>()?;
    let groups: Vec<Expr> = keys.iter().map(|item| scope.expr(item)).collect::<Result<_, _>>()?;
    let (first, number) = (groups.len(), aggs.len());
    let rel = Rel::Aggregate { input, groups, sets: Some(sets), aggs };
    // Which set a row is of has a name that no SQL can say: whoever needs it computes the sets itself.
    let set = datafusion::common::Column::new_unqualified(Aggregate::INTERNAL_GROUPING_ID);
    let exprs = (0..first).map(rel::column).chain([Expr::Column(set)]).chain((first..first + number).map(rel::column));
    Ok(Rel::Project { exprs: exprs.collect(), input: Box::new(rel) })
}

fn unknown_key() -> Why {
    Why::new("a grouping set has a key that is none")
}

/// The sets one by one, that of all keys first.
fn enumerated(sets: &GroupingSet) -> Result<Vec<Vec<&Expr>>, Why> {
    Ok(match sets {
        GroupingSet::GroupingSets(sets) => sets.iter().map(|set| set.iter().collect()).collect(),
        GroupingSet::Rollup(keys) => (0..=keys.len()).rev().map(|number| keys.iter().take(number).collect()).collect(),
        GroupingSet::Cube(keys) if keys.len() <= 6 => {
            let kept = |mask: usize| move |(index, key)| (mask >> index & 1 == 1).then_some(key);
            (0..1 << keys.len()).rev().map(|mask| keys.iter().enumerate().filter_map(kept(mask)).collect()).collect()
        }
        GroupingSet::Cube(_) => return Err(Why::new("a cube of more than six keys is not sent to another body")),
    })
}

/// Window functions over what the input became.
pub(crate) fn window(node: &Window, input: Rel) -> Result<Rel, Why> {
    let Window { input: below, window_expr, schema: _ } = node;
    let values = Values::default();
    let scope = Scope { schema: below.schema(), values: &values };
    let calls = window_expr.iter().map(|item| scope.call(item)).collect::<Result<_, _>>()?;
    Ok(Rel::Window { input: Box::new(input.exactly(below.schema().fields().len())), calls })
}

/// An order over what its input became.
pub(crate) fn sort(node: &Sort, input: Rel) -> Result<Rel, Why> {
    let Sort { expr: keys, input: below, fetch } = node;
    let values = Values::default();
    let scope = Scope { schema: below.schema(), values: &values };
    let keys = keys.iter().map(|key| scope.key(key)).collect::<Result<_, Why>>()?;
    Ok(Rel::Sort { input: Box::new(input), keys, skip: 0, fetch: *fetch })
}

/// A limit over what its input became.
pub(crate) fn limit(node: &Limit, input: Rel) -> Result<Rel, Why> {
    let (skip, fetch) = bounds(node)?;
    Ok(Rel::Limit { input: Box::new(input), skip, fetch })
}

/// How many rows a limit leaves out and lets pass.
pub(crate) fn bounds(node: &Limit) -> Result<(usize, Option<usize>), Why> {
    match (node.get_skip_type()?, node.get_fetch_type()?) {
        (SkipType::Literal(skip), FetchType::Literal(fetch)) => Ok((skip, fetch)),
        (SkipType::UnsupportedExpr, _) | (_, FetchType::UnsupportedExpr) => {
            Err(Why::new("a LIMIT that is not a number is not sent to another body"))
        }
    }
}
