//! An optimizer rule: joins, aggregates, sorts and limits over tables of one engine become one query of that engine, where
//! each of them means the same there.
//!
//! Only what is open is asked so: elsewhere, what stands above a dataset's rows is the gate's to decide.

use std::sync::Arc;

use arrow::compute::SortOptions;
use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column as Named, JoinType, NullEquality};
use datafusion::datasource::{DefaultTableSource, provider_as_source};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams, Alias, Sort as SortExpr};
use datafusion::logical_expr::{
    Aggregate, Cast, Expr, FetchType, Filter, Join, Limit, LogicalPlan, LogicalPlanBuilder, Projection, SkipType, Sort,
    SubqueryAlias, TableScan, TryCast,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::condition;
use super::kind::Kind;
use super::query::{Column, Key, Query};
use super::table::{EngineTable, Origin};

/// What the query stands for in plans.
const NAME: &str = "database";

/// The rule.
#[derive(Debug, Default)]
pub struct WholeQueries;

impl OptimizerRule for WholeQueries {
    fn name(&self) -> &str {
        "whole_queries_of_databases"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let reads_more = matches!(
            plan,
            LogicalPlan::Aggregate(_)
                | LogicalPlan::Join(_)
                | LogicalPlan::Sort(_)
                | LogicalPlan::Limit(_)
                | LogicalPlan::Projection(_)
        );
        let made = if reads_more { Maker::default().made(&plan) } else { None };
        match made.filter(|made| made.more) {
            Some(made) => instead_of(&plan, made).map(Transformed::yes),
            None => Ok(Transformed::no(plan)),
        }
    }
}

/// The scan in place of a plan, under the names that its columns had. A sort stays above it and finds its work done: what
/// only relies on the order of a scan may lose it.
fn instead_of(plan: &LogicalPlan, made: Made) -> Result<LogicalPlan> {
    let Made { query, origin, .. } = made;
    let columns = query.columns.iter().enumerate();
    let columns = columns.map(|(index, column)| Column { name: format!("c{index}"), ..column.clone() }).collect();
    let nullable: Vec<bool> = plan.schema().fields().iter().map(|field| field.is_nullable()).collect();
    let order = query.order.clone();
    let keys = order.iter().filter_map(|key| {
        let SortOptions { descending, nulls_first } = key.options;
        let (qualifier, field) = plan.schema().iter().nth(key.column)?;
        Some(Expr::from((qualifier, field)).sort(!descending, nulls_first))
    });
    let keys: Vec<SortExpr> = keys.collect();
    let table = EngineTable::of_query(query.of(columns).sorted(order), origin, &nullable);
    let names = plan.schema().iter().enumerate().map(|(index, (qualifier, field))| {
        Expr::Column(Named::new(Some(NAME), format!("c{index}"))).alias_qualified(qualifier.cloned(), field.name())
    });
    let names: Vec<Expr> = names.collect();
    let scan = LogicalPlanBuilder::scan(NAME, provider_as_source(Arc::new(table)), None)?.project(names)?;
    if keys.is_empty() { scan.build() } else { scan.sort(keys)?.build() }
}

/// A plan as a query.
struct Made {
    query: Query,
    origin: Origin,
    /// Whether it does more than a scan does by itself.
    more: bool,
}

/// Makes one query of a plan.
#[derive(Default)]
struct Maker {
    aliases: usize,
}

impl Maker {
    /// The query, its columns called as those of the plan.
    fn made(&mut self, plan: &LogicalPlan) -> Option<Made> {
        let made = match plan {
            LogicalPlan::TableScan(scan) => scanned(scan),
            LogicalPlan::SubqueryAlias(SubqueryAlias { input, .. }) => self.made(input),
            LogicalPlan::Filter(Filter { predicate, input, .. }) => self.filtered(predicate, input),
            LogicalPlan::Projection(Projection { expr, input, .. }) => self.projected(expr, input),
            LogicalPlan::Sort(Sort { expr, input, fetch }) => self.sorted(expr, input, *fetch),
            LogicalPlan::Limit(limit) => self.limited(limit),
            LogicalPlan::Aggregate(aggregate) => self.aggregated(aggregate),
            LogicalPlan::Join(join) => self.joined(join),
            _ => None,
        }?;
        (made.query.columns.len() == plan.schema().fields().len())
            .then(|| Made { query: made.query.named(plan.schema()), ..made })
    }

    /// The query of a plan as a table behind FROM.
    fn wrapped(&mut self, made: Made, plan: &LogicalPlan) -> Made {
        self.aliases += 1;
        let query = made.query.wrapped(&format!("t{}", self.aliases)).named(plan.schema());
        Made { query, ..made }
    }

    /// The query of a plan as one that more can be done to.
    fn bare(&mut self, plan: &LogicalPlan) -> Option<Made> {
        let made = self.made(plan)?;
        Some(if made.query.is_bare() { made } else { self.wrapped(made, plan) })
    }

    fn filtered(&mut self, predicate: &Expr, input: &LogicalPlan) -> Option<Made> {
        let made = self.made(input)?;
        // Above a sort, its order is to be kept.
        if !made.query.order.is_empty() {
            return None;
        }
        let made = if made.query.is_bare() { made } else { self.wrapped(made, input) };
        let condition = condition::condition(predicate, &made.query)?;
        Some(Made { query: made.query.filtered(condition), ..made })
    }

    fn projected(&mut self, exprs: &[Expr], input: &LogicalPlan) -> Option<Made> {
        let made = self.made(input)?;
        let kept: Vec<Option<usize>> = exprs.iter().map(|expr| position(expr, &made.query)).collect();
        let columns = exprs.iter().map(|expr| value(expr, &made.query)).collect::<Option<Vec<_>>>()?;
        // The columns by which it is sorted have to be among them.
        let key = |key: &Key| {
            let column = kept.iter().position(|kept| *kept == Some(key.column))?;
            Some(Key { column, ..key.clone() })
        };
        let order = made.query.order.iter().map(key).collect::<Option<Vec<_>>>()?;
        Some(Made { query: made.query.of(columns).sorted(order), ..made })
    }

    fn sorted(&mut self, keys: &[SortExpr], input: &LogicalPlan, fetch: Option<usize>) -> Option<Made> {
        let made = self.made(input)?;
        // Where the order is lost on the way, sorting is of use for the first rows alone.
        if fetch.is_none() && !made.query.dialect.keeps_order() {
            return None;
        }
        let key = |sort: &SortExpr| {
            let column = position(&sort.expr, &made.query)?;
            let options = SortOptions { descending: !sort.asc, nulls_first: sort.nulls_first };
            orders(made.query.columns.get(column)?, &made.query).then_some(Key { column, options })
        };
        let order = keys.iter().map(key).collect::<Option<Vec<_>>>()?;
        if made.query.gives(&order, fetch) {
            return Some(made);
        }
        let made = if made.query.is_bare() { made } else { self.wrapped(made, input) };
        Some(Made { query: made.query.sorted(order).cut(0, fetch), more: true, ..made })
    }

    fn limited(&mut self, limit: &Limit) -> Option<Made> {
        let (SkipType::Literal(skip), FetchType::Literal(fetch)) =
            (limit.get_skip_type().ok()?, limit.get_fetch_type().ok()?)
        else {
            return None;
        };
        let made = self.made(&limit.input)?;
        if skip == 0 && made.query.limit().is_some_and(|own| fetch.is_none_or(|fetch| own <= fetch)) {
            return Some(made);
        }
        let made = match (made.query.is_cut(), made.query.order.is_empty()) {
            (false, _) => made,
            (true, true) => self.wrapped(made, &limit.input),
            (true, false) => return None,
        };
        Some(Made { query: made.query.cut(skip, fetch), more: true, ..made })
    }

    fn aggregated(&mut self, aggregate: &Aggregate) -> Option<Made> {
        let made = self.bare(&aggregate.input)?;
        let (dialect, mut columns) = (made.query.dialect, Vec::new());
        for key in &aggregate.group_expr {
            let column = value(key, &made.query)?;
            // Two zeros are one there, and two here.
            (column.kind != Kind::Double && column.comparable).then_some(())?;
            columns.push(Column::computed(dialect, &column.name, column.kind, &column.value()));
        }
        let keys = columns.iter().map(|column| column.sql.clone()).collect();
        for call in &aggregate.aggr_expr {
            columns.push(called(call, &made.query)?);
        }
        let types = columns.iter().map(|column| column.kind.arrow());
        if !types.eq(aggregate.schema.fields().iter().map(|field| field.data_type().clone())) {
            return None;
        }
        Some(Made { query: made.query.grouped(keys, columns), more: true, ..made })
    }

    fn joined(&mut self, join: &Join) -> Option<Made> {
        let Join { left, right, on, filter, join_type, null_equality, null_aware, schema, .. } = join;
        let word = match join_type {
            JoinType::Inner => "JOIN",
            JoinType::Left => "LEFT JOIN",
            _ => return None,
        };
        // Without an equality the pairs are more than anybody may make of this node's memory, or of the engine's.
        if on.is_empty() || *null_equality != NullEquality::NullEqualsNothing || *null_aware {
            return None;
        }
        let (one, other) = (self.side(left)?, self.side(right)?);
        if !one.origin.engine.is(&*other.origin.engine) {
            return None;
        }
        let columns: Vec<Column> = one.query.columns.iter().chain(&other.query.columns).cloned().collect();
        let (dialect, utf8) = (one.query.dialect, one.query.utf8);
        let both = Query::over(dialect, String::new(), columns, utf8).named(schema);
        let mut conditions = Vec::new();
        for (key, of_other) in on {
            let (key, of_other) = (value(key, &one.query)?, value(of_other, &other.query)?);
            conditions.push(equal(&key, &of_other, &both)?);
        }
        if let Some(filter) = filter {
            conditions.push(condition::condition(filter, &both)?.sql);
        }
        let on = conditions.join(" AND ");
        let from = format!("{} {word} {} ON {on}", one.query.from(), other.query.from());
        let query = Query::over(dialect, from, both.columns, utf8);
        Some(Made { query, origin: one.origin.beside(&other.origin), more: true })
    }

    /// A side of a join, always in parentheses: its conditions come before the join.
    fn side(&mut self, input: &LogicalPlan) -> Option<Made> {
        let made = self.made(input)?;
        Some(self.wrapped(made, input))
    }
}

/// The two columns are equal; texts by their bytes, whatever the collations of their columns.
fn equal(one: &Column, other: &Column, query: &Query) -> Option<String> {
    let digits = one.kind.has_digits_of(other.kind) || query.dialect.compares_decimals();
    if !one.comparable || !other.comparable || !one.kind.compares_with(other.kind) || !digits {
        return None;
    }
    let collation = if one.kind == Kind::Text { query.dialect.by_bytes() } else { "" };
    Some(format!("{}{collation} = {}{collation}", one.sql, other.sql))
}

/// A table of an open dataset, with what has been pushed into it.
fn scanned(scan: &TableScan) -> Option<Made> {
    let source = scan.source.downcast_ref::<DefaultTableSource>()?;
    let table = source.table_provider.downcast_ref::<EngineTable>().filter(|table| table.is_open())?;
    let mut query = table.query().clone();
    query.dialect.has_whole_queries().then_some(())?;
    for filter in &scan.filters {
        let condition = condition::condition(filter, &query)?;
        query = if query.is_bare() { query.filtered(condition) } else { return None };
    }
    if scan.fetch.is_some() {
        query = if query.is_bare() { query.cut(0, scan.fetch) } else { return None };
    }
    if let Some(projection) = &scan.projection {
        let columns = projection.iter().map(|index| query.columns.get(*index).cloned()).collect::<Option<Vec<_>>>()?;
        let position = |column: usize| projection.iter().position(|index| *index == column);
        let key = |key: &Key| Some(Key { column: position(key.column)?, ..key.clone() });
        let order = query.order.iter().map(key).collect::<Option<Vec<_>>>()?;
        query = query.of(columns).sorted(order);
    }
    Some(Made { query, origin: table.origin().clone(), more: false })
}

/// Whether a column orders there as it does here.
fn orders(column: &Column, query: &Query) -> bool {
    let by_kind = match column.kind {
        Kind::Double | Kind::Bytes => false,
        Kind::Text => query.utf8 && query.dialect.orders_texts(),
        _ => true,
    };
    by_kind && column.comparable
}

/// Which column of a query an expression is, as it is.
fn position(expr: &Expr, query: &Query) -> Option<usize> {
    match expr {
        Expr::Column(column) => query.position(column),
        Expr::Alias(Alias { expr, .. }) => position(expr, query),
        _ => None,
    }
}

/// An expression as a column: one of the query's, or one that holds its values in a wider type.
fn value(expr: &Expr, query: &Query) -> Option<Column> {
    match expr {
        Expr::Column(column) => query.column(column).cloned(),
        Expr::Alias(Alias { expr, .. }) => value(expr, query),
        Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => {
            let column = value(expr, query)?;
            widened(&column, field.data_type(), query)
        }
        _ => None,
    }
}

fn widened(column: &Column, to: &DataType, query: &Query) -> Option<Column> {
    if column.kind.arrow() == *to {
        return Some(column.clone());
    }
    let is_whole = matches!(column.kind, Kind::Integer | Kind::Bigint);
    let kind = match to {
        DataType::Int64 if column.kind == Kind::Integer => Kind::Bigint,
        DataType::Float64 if is_whole => Kind::Double,
        DataType::Decimal128(precision, scale) if column.kind.is_kept_as(to) => Kind::Decimal(*precision, *scale),
        _ => return None,
    };
    let sql = query.dialect.cast(&column.value(), kind);
    Some(Column { comparable: column.comparable, ..Column::new(&column.name, kind, sql) })
}

/// A call of an aggregate that gives the same there. Sums that do not fit in their type wrap around here and are an error
/// there, which is the better of the two.
fn called(call: &Expr, query: &Query) -> Option<Column> {
    let AggregateFunction { func, params } = match call {
        Expr::AggregateFunction(call) => call,
        Expr::Alias(Alias { expr, .. }) => return called(expr, query),
        _ => return None,
    };
    let AggregateFunctionParams { args, distinct, filter, order_by, null_treatment: None } = params else {
        return None;
    };
    let [argument] = args.as_slice() else { return None };
    if !order_by.is_empty() {
        return None;
    }
    let filter = match filter {
        Some(filter) => format!(" FILTER (WHERE {})", condition::condition(filter, query)?.sql),
        None => String::new(),
    };
    let (dialect, column) = (query.dialect, value(argument, query));
    let is_all = matches!(argument, Expr::Literal(constant, _) if !constant.is_null());
    let (kind, sql) = match (func.name(), column, distinct) {
        ("count", None, false) if is_all => (Kind::Bigint, format!("count(*){filter}")),
        ("count", Some(column), false) => (Kind::Bigint, format!("count({}){filter}", column.value())),
        ("count", Some(column), true) if column.kind != Kind::Double && column.comparable => {
            (Kind::Bigint, format!("count(DISTINCT {}){filter}", column.value()))
        }
        ("sum", Some(column), false) => match column.kind {
            Kind::Bigint => (Kind::Bigint, dialect.cast(&format!("sum({}){filter}", column.value()), Kind::Bigint)),
            Kind::Decimal(precision, scale) => {
                let wider = Kind::Decimal(precision.saturating_add(10).min(38), scale);
                (wider, format!("sum({}){filter}", column.value()))
            }
            _ => return None,
        },
        (name @ ("min" | "max"), Some(column), _) if column.kind != Kind::Boolean && orders(&column, query) => {
            (column.kind, format!("{name}({}){filter}", column.ordered(dialect)))
        }
        _ => return None,
    };
    Some(Column::computed(dialect, func.name(), kind, &sql))
}
