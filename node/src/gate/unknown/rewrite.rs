//! Aggregates and windows over cells, in a form that is unknown where a cell is.

use std::sync::Arc;

use datafusion::common::Column;
use datafusion::error::Result;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::expr::{
    AggregateFunction, AggregateFunctionParams, WindowFunction, WindowFunctionParams,
};
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, Projection, Window, WindowFunctionDefinition, lit, when};

/// Aggregates that do not pass over NULL, count what there is, or pick one of the values.
const SHOWING: [&str; 9] = [
    "any_value",
    "approx_distinct",
    "array_agg",
    "count",
    "first_value",
    "grouping",
    "last_value",
    "nth_value",
    "regr_count",
];

/// The columns of cells in an expression.
type Cells<'a> = &'a dyn Fn(&Expr) -> Vec<Column>;

/// Counts that go beside the aggregates.
#[derive(Default)]
struct Beside {
    /// What there is already.
    held: Vec<Expr>,
    counts: Vec<Expr>,
}

impl Beside {
    /// A count as a column; the same count stands once. Over another body's cells the asker's own one is of another type,
    /// which may be NULL: their name is one, and only one of a name may stand here.
    fn count(&mut self, count: Expr) -> Expr {
        let named = |expr: &Expr| unaliased(expr).schema_name().to_string();
        let known = self.held.iter().chain(&self.counts).find(|held| named(held) == named(&count));
        let name = known.unwrap_or(&count).qualified_name().1;
        if known.is_none() {
            self.counts.push(count);
        }
        Expr::Column(Column::new_unqualified(name))
    }

    /// The condition that all of these cells are known, `count` being their count over the rows in question.
    fn known(&mut self, cells: Vec<Column>, count: impl Fn(Expr) -> Expr) -> Option<Expr> {
        let mut condition: Option<Expr> = None;
        for cell in cells {
            let same = self.count(count(Expr::Column(cell))).eq(self.count(count(lit(1_i64))));
            condition = Some(condition.map_or_else(|| same.clone(), |condition| condition.and(same.clone())));
        }
        condition
    }
}

/// The cells that an aggregate's arguments would be passed over for.
fn passed_over(function: &str, args: &[Expr], cells: Cells<'_>) -> Vec<Column> {
    let shows = SHOWING.contains(&function) && args.iter().all(super::is_strict);
    if shows { Vec::new() } else { args.iter().flat_map(cells).collect() }
}

/// The aggregate, each of its values unknown where one of its cells is, or one that its FILTER asks for.
pub(super) fn aggregate(aggregate: &Aggregate, cells: Cells<'_>) -> Result<LogicalPlan> {
    let mut beside = Beside { held: aggregate.aggr_expr.clone(), ..Beside::default() };
    let mut conditions = Vec::new();
    for expr in &aggregate.aggr_expr {
        let Expr::AggregateFunction(call) = unaliased(expr) else {
            conditions.push(None);
            continue;
        };
        let AggregateFunctionParams { args, filter, .. } = &call.params;
        let of_values = beside.known(passed_over(call.func.name(), args, cells), |of| counted(of, filter.clone()));
        let of_filter = filter.as_ref().map(|filter| cells(filter)).unwrap_or_default();
        let of_filter = beside.known(of_filter, |of| counted(of, None));
        conditions.push(both(of_values, of_filter));
    }
    if conditions.iter().all(Option::is_none) {
        return Ok(LogicalPlan::Aggregate(aggregate.clone()));
    }
    let keys = aggregate.schema.fields().len().saturating_sub(conditions.len());
    let exprs = aggregate.aggr_expr.iter().cloned().chain(beside.counts).collect();
    let counting = Aggregate::try_new(Arc::clone(&aggregate.input), aggregate.group_expr.clone(), exprs)?;
    let conditions = std::iter::repeat_n(None, keys).chain(conditions).collect();
    shown(LogicalPlan::Aggregate(counting), conditions)
}

/// The window, the same.
pub(super) fn window(window: &Window, cells: Cells<'_>) -> Result<LogicalPlan> {
    let mut beside = Beside { held: window.window_expr.clone(), ..Beside::default() };
    let mut conditions = Vec::new();
    for expr in &window.window_expr {
        let condition = match unaliased(expr) {
            Expr::WindowFunction(call) => match &call.fun {
                WindowFunctionDefinition::AggregateUDF(function) => {
                    let cells = passed_over(function.name(), &call.params.args, cells);
                    beside.known(cells, |of| windowed(call, of))
                }
                WindowFunctionDefinition::WindowUDF(_) => None,
            },
            _ => None,
        };
        conditions.push(condition);
    }
    if conditions.iter().all(Option::is_none) {
        return Ok(LogicalPlan::Window(window.clone()));
    }
    let passed = window.input.schema().fields().len();
    let exprs = window.window_expr.iter().cloned().chain(beside.counts).collect();
    let counting = Window::try_new(exprs, Arc::clone(&window.input))?;
    let conditions = std::iter::repeat_n(None, passed).chain(conditions).collect();
    shown(LogicalPlan::Window(counting), conditions)
}

/// The columns that were there before, under their names: each as it is, or where its condition holds.
fn shown(plan: LogicalPlan, conditions: Vec<Option<Expr>>) -> Result<LogicalPlan> {
    let mut exprs = Vec::new();
    for ((qualifier, field), condition) in plan.schema().iter().zip::<Vec<Option<Expr>>>(conditions) {
        let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
        exprs.push(match condition {
            Some(condition) => when(condition, column).end()?.alias_qualified(qualifier.cloned(), field.name()),
            None => column,
        });
    }
    let projection = Projection::try_new(exprs, Arc::new(plan))?;
    Ok(LogicalPlan::Projection(projection))
}

/// The count of an expression over the rows of an aggregate.
fn counted(argument: Expr, filter: Option<Box<Expr>>) -> Expr {
    Expr::AggregateFunction(AggregateFunction::new_udf(count_udaf(), vec![argument], false, filter, vec![], None))
}

/// The same over the rows of a window's frame.
fn windowed(call: &WindowFunction, argument: Expr) -> Expr {
    let params =
        WindowFunctionParams { args: vec![argument], distinct: false, null_treatment: None, ..call.params.clone() };
    let fun = WindowFunctionDefinition::AggregateUDF(count_udaf());
    Expr::WindowFunction(Box::new(WindowFunction { fun, params }))
}

fn both(one: Option<Expr>, other: Option<Expr>) -> Option<Expr> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.and(other)),
        (one, other) => one.or(other),
    }
}

fn unaliased(expr: &Expr) -> &Expr {
    match expr {
        Expr::Alias(alias) => unaliased(&alias.expr),
        expr => expr,
    }
}
