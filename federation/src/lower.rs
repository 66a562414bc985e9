//! From DataFusion's plans to ours. Every node is taken apart field by field and matched without `_`, so that no part of it can be
//! forgotten (`..` stands only where DataFusion demands it, for what it may add; the check before sending covers that).

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, JoinType, NullEquality};
use datafusion::datasource::source_as_provider;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::expr::{
    AggregateFunction, AggregateFunctionParams, Alias, BinaryExpr, ScalarFunction, Sort as SortExpr,
};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    Aggregate, AggregateUDF, Distinct, Expr, FetchType, Filter, Join, Limit, LogicalPlan, Operator, Projection,
    ScalarUDF, SkipType, Sort, SubqueryAlias, TableScan, Volatility,
};

use crate::error::Why;
use crate::rel::{self, Agg, How, Key, On, Rel, ScanColumn, Source};
use crate::tables::{BODY_COLUMN, EveryTable, ForeignTable};

/// The functions that every node knows by these names.
pub(crate) struct Functions {
    pub(crate) scalar: HashMap<String, Arc<ScalarUDF>>,
    pub(crate) aggregate: HashMap<String, Arc<AggregateUDF>>,
}

pub(crate) static FUNCTIONS: LazyLock<Functions> = LazyLock::new(|| {
    let mut functions = Functions { scalar: HashMap::new(), aggregate: HashMap::new() };
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
    functions
});

/// A whole plan over one dataset, or over one and what its owner joins it with.
pub(crate) fn plan(plan: &LogicalPlan) -> Result<Rel, Why> {
    match plan {
        LogicalPlan::TableScan(scan) => self::scan(scan),
        LogicalPlan::Projection(node) => projection(node, self::plan(&node.input)?),
        LogicalPlan::Filter(Filter { predicate, input, .. }) => {
            let predicate = expr(predicate, input.schema())?;
            Ok(Rel::Filter { input: Box::new(self::plan(input)?), predicate })
        }
        LogicalPlan::Aggregate(node) => aggregate(node, self::plan(&node.input)?),
        LogicalPlan::Distinct(Distinct::All(input)) => {
            let groups = (0..input.schema().fields().len()).map(rel::column).collect();
            Ok(Rel::Aggregate { input: Box::new(self::plan(input)?), groups, aggs: Vec::new() })
        }
        LogicalPlan::Sort(node) => sort(node, self::plan(&node.input)?),
        LogicalPlan::Limit(node) => limit(node, self::plan(&node.input)?),
        LogicalPlan::SubqueryAlias(SubqueryAlias { input, alias: _, schema: _, .. }) => self::plan(input),
        LogicalPlan::Join(node) => join(node, self::plan(&node.left)?, self::plan(&node.right)?),
        LogicalPlan::Distinct(Distinct::On(_))
        | LogicalPlan::Window(_)
        | LogicalPlan::Repartition(_)
        | LogicalPlan::Union(_)
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

/// What a node is called in an error.
pub(crate) fn name(plan: &LogicalPlan) -> String {
    plan.display().to_string().split([':', ' ', '(']).next().unwrap_or_default().to_lowercase()
}

/// A table that belongs to other bodies.
pub(crate) enum Foreign {
    One(ForeignTable),
    Every(EveryTable),
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
pub(crate) fn projection(node: &Projection, input: Rel) -> Result<Rel, Why> {
    let Projection { expr: exprs, input: below, schema: _, .. } = node;
    let exprs = exprs.iter().map(|item| expr(item, below.schema())).collect::<Result<_, _>>()?;
    Ok(Rel::Project { input: Box::new(input), exprs })
}

/// An aggregate over what its input became.
pub(crate) fn aggregate(node: &Aggregate, input: Rel) -> Result<Rel, Why> {
    let Aggregate { input: below, group_expr, aggr_expr, schema: _, .. } = node;
    if group_expr.is_empty() && aggr_expr.is_empty() {
        return Err(Why::new("an aggregate of nothing is not sent to another body"));
    }
    let groups = group_expr.iter().map(|item| expr(item, below.schema())).collect::<Result<_, _>>()?;
    let aggs = aggr_expr.iter().map(|item| agg(item, below.schema())).collect::<Result<_, _>>()?;
    Ok(Rel::Aggregate { input: Box::new(input), groups, aggs })
}

/// A join by one equality over what its inputs became.
fn join(node: &Join, left: Rel, right: Rel) -> Result<Rel, Why> {
    let Join { left: _, right: _, on, filter, join_type, join_constraint: _, schema: _, null_equality, null_aware } =
        node;
    let how = match join_type {
        JoinType::Inner => How::Inner,
        JoinType::Left => How::Left,
        JoinType::LeftSemi => How::Semi,
        JoinType::Right
        | JoinType::Full
        | JoinType::RightSemi
        | JoinType::LeftAnti
        | JoinType::RightAnti
        | JoinType::LeftMark
        | JoinType::RightMark => return Err(Why::new(format!("a {join_type} join is not sent to another body"))),
    };
    if *null_equality != NullEquality::NullEqualsNothing || *null_aware {
        return Err(Why::new("a join in which NULL equals NULL is not sent to another body"));
    }
    let sides = DFSchema::join(node.left.schema(), node.right.schema())?;
    let mut equal = Vec::new();
    for (one, other) in on {
        equal.push((expr(one, &sides)?, expr(other, &sides)?));
    }
    for part in filter.iter().flat_map(split_conjunction) {
        match part {
            Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => {
                equal.push((expr(left, &sides)?, expr(right, &sides)?));
            }
            other => return Err(Why::new(format!("{other} as a condition of a join is not sent to another body"))),
        }
    }
    let width = left.width();
    let [(one, other)] = <[_; 1]>::try_from(equal).map_err(|_| Why::new("a join is sent with one equality"))?;
    let of_left = |side: &Expr| rel::used(side).iter().all(|index| *index < width);
    let of_right = |side: &Expr| rel::used(side).iter().all(|index| *index >= width);
    let (own, key) = if of_left(&one) && of_right(&other) { (one, other) } else { (other, one) };
    if !of_left(&own) || !of_right(&key) {
        return Err(Why::new("a join is sent with an equality between its sides"));
    }
    let on = On { left: own, right: rel::replace(key, |index| rel::column(index - width))? };
    Ok(Rel::Join { left: Box::new(left), right: Box::new(right), how, on })
}

/// An order over what its input became.
pub(crate) fn sort(node: &Sort, input: Rel) -> Result<Rel, Why> {
    let Sort { expr: keys, input: below, fetch } = node;
    let keys = keys
        .iter()
        .map(|SortExpr { expr: key, asc, nulls_first }| {
            Ok(Key { expr: expr(key, below.schema())?, asc: *asc, nulls_first: *nulls_first })
        })
        .collect::<Result<_, Why>>()?;
    Ok(Rel::Sort { input: Box::new(input), keys, fetch: *fetch })
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

/// An aggregate function over columns by position.
pub(crate) fn agg(item: &Expr, schema: &DFSchema) -> Result<Agg, Why> {
    match item {
        Expr::Alias(Alias { expr, relation: _, name: _, metadata: _ }) => agg(expr, schema),
        Expr::AggregateFunction(AggregateFunction { func, params }) => {
            let AggregateFunctionParams { args, distinct, filter, order_by, null_treatment } = params;
            let known = FUNCTIONS.aggregate.get(func.name()).filter(|known| known.name() == func.name());
            let Some(known) = known else {
                return Err(Why::new(format!("not every body knows the aggregate {}", func.name())));
            };
            let ordered = !order_by.is_empty() && !is_of_its_own_order(func.name(), args, order_by);
            if ordered || null_treatment.is_some() {
                return Err(Why::new(format!("{} with an order of its own is not sent to another body", func.name())));
            }
            Ok(Agg {
                func: Arc::clone(known),
                args: args.iter().map(|item| expr(item, schema)).collect::<Result<_, _>>()?,
                distinct: *distinct,
                filter: filter.as_ref().map(|item| expr(item, schema)).transpose()?,
            })
        }
        other => Err(Why::new(format!("{} is no aggregate", other.schema_name()))),
    }
}

/// Whether a percentile is `f(share) WITHIN GROUP (ORDER BY x)`, which is f(x, share): the order says nothing more.
fn is_of_its_own_order(function: &str, args: &[Expr], order_by: &[SortExpr]) -> bool {
    // Coercion casts the argument, and not the order's.
    fn uncast(expr: &Expr) -> &Expr {
        if let Expr::Cast(cast) = expr { uncast(&cast.expr) } else { expr }
    }
    let percentile = matches!(function, "percentile_cont" | "approx_percentile_cont");
    match (args, order_by) {
        ([of, ..], [order]) => percentile && order.asc && uncast(of) == uncast(&order.expr),
        _ => false,
    }
}

/// An expression over columns by position, if it may be computed elsewhere.
pub(crate) fn expr(item: &Expr, schema: &DFSchema) -> Result<Expr, Why> {
    travels(item)?;
    let lowered = item.clone().transform_up(|part| {
        Ok(match part {
            Expr::Column(column) => Transformed::yes(rel::column(schema.index_of_column(&column)?)),
            Expr::Alias(Alias { expr, relation: _, name: _, metadata: _ }) => Transformed::yes(*expr),
            other => Transformed::no(other),
        })
    });
    Ok(lowered.data()?)
}

/// Only what gives the same value wherever and whenever it is computed.
fn travels(item: &Expr) -> Result<(), Why> {
    let mut why = None;
    item.apply(|part| {
        Ok(match obstacle(part) {
            Some(text) => {
                why = Some(Why(text));
                TreeNodeRecursion::Stop
            }
            None => TreeNodeRecursion::Continue,
        })
    })
    .map_err(|error: DataFusionError| Why::from(error))?;
    why.map_or(Ok(()), Err)
}

fn obstacle(part: &Expr) -> Option<String> {
    match part {
        Expr::Alias(_)
        | Expr::Column(_)
        | Expr::Literal(..)
        | Expr::BinaryExpr(_)
        | Expr::Like(_)
        | Expr::Not(_)
        | Expr::IsNotNull(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotUnknown(_)
        | Expr::Negative(_)
        | Expr::Between(_)
        | Expr::Case(_)
        | Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::InList(_) => None,
        Expr::ScalarFunction(ScalarFunction { func, args: _ }) => function_obstacle(func),
        Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_) | Expr::ScalarSubquery(_) => {
            Some("the result of a subquery is not sent to another body".into())
        }
        other => Some(format!("{} is not sent to another body", other.variant_name())),
    }
}

fn function_obstacle(func: &ScalarUDF) -> Option<String> {
    let name = func.name();
    match func.signature().volatility {
        Volatility::Immutable => {}
        Volatility::Stable | Volatility::Volatile => {
            return Some(format!("{name}() gives another value each time and is not sent to another body"));
        }
    }
    let known = FUNCTIONS.scalar.get(name).is_some_and(|known| **known == *func);
    (!known).then(|| format!("not every body knows the function {name}()"))
}
