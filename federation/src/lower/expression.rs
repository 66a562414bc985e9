//! Expressions over columns by position, if they may be computed elsewhere.

use std::sync::Arc;

use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::{
    AggregateFunction, AggregateFunctionParams, Alias, ScalarFunction, Sort as SortExpr,
};
use datafusion::logical_expr::{Expr, LogicalPlan, ScalarUDF, Subquery, Volatility};

use super::FUNCTIONS;
use crate::error::Why;
use crate::narrowed;
use crate::rel::{self, Agg, How, Key, Rel};

/// Scalar subqueries, and where their values stand.
pub(crate) type Values = Vec<(Subquery, usize)>;

/// What expressions are over: the columns of an input, and the values of subqueries behind them.
pub(crate) struct Scope<'a> {
    pub(crate) schema: &'a DFSchema,
    pub(crate) values: &'a Values,
}

/// An expression over columns alone.
pub(crate) fn expr(item: &Expr, schema: &DFSchema) -> Result<Expr, Why> {
    Scope { schema, values: &Values::default() }.expr(item)
}

/// An input, and behind its columns the values of the scalar subqueries in some expressions.
pub(crate) fn values_of<'a>(
    exprs: impl IntoIterator<Item = &'a Expr>,
    input: Rel,
    of: &mut dyn FnMut(&LogicalPlan) -> Result<Rel, Why>,
) -> Result<(Rel, Values), Why> {
    let mut found: Vec<&Subquery> = Vec::new();
    for item in exprs {
        item.apply(|part| {
            if let Expr::ScalarSubquery(subquery) = part
                && !found.contains(&subquery)
            {
                found.push(subquery);
            }
            Ok(TreeNodeRecursion::Continue)
        })
        .map_err(|error: DataFusionError| Why::from(error))?;
    }
    let (mut rel, mut values) = (input, Values::default());
    for subquery in found {
        let Subquery { subquery: plan, outer_ref_columns, spans: _ } = subquery;
        if !outer_ref_columns.is_empty() {
            return Err(Why::new("a subquery that depends on the outer query is not sent to another body"));
        }
        values.push((subquery.clone(), rel.width()));
        let right = Box::new(of(plan)?.exactly(1));
        rel = Rel::Join { left: Box::new(rel), right, how: How::Value, on: Vec::new() };
    }
    Ok((rel, values))
}

impl Scope<'_> {
    /// An aggregate function over columns by position.
    pub(crate) fn agg(&self, item: &Expr) -> Result<Agg, Why> {
        match item {
            Expr::Alias(Alias { expr, relation: _, name: _, metadata: _ }) => self.agg(expr),
            Expr::AggregateFunction(AggregateFunction { func, params }) => {
                let AggregateFunctionParams { args, distinct, filter, order_by, null_treatment } = params;
                let known = FUNCTIONS.aggregate.get(func.name()).filter(|known| known.name() == func.name());
                let Some(known) = known else {
                    return Err(Why::new(format!("not every body knows the aggregate {}", func.name())));
                };
                let ordered = !order_by.is_empty() && !is_of_its_own_order(func.name(), args, order_by);
                if ordered || null_treatment.is_some() {
                    return Err(Why::new(format!(
                        "{} with an order of its own is not sent to another body",
                        func.name()
                    )));
                }
                Ok(Agg {
                    func: Arc::clone(known),
                    args: args.iter().map(|item| self.expr(item)).collect::<Result<_, _>>()?,
                    distinct: *distinct,
                    filter: filter.as_ref().map(|item| self.expr(item)).transpose()?,
                })
            }
            other => Err(Why::new(format!("{} is no aggregate", other.schema_name()))),
        }
    }

    /// An expression over columns by position, if it may be computed elsewhere.
    pub(crate) fn expr(&self, item: &Expr) -> Result<Expr, Why> {
        // The session in which it is computed puts its own marks there.
        let item = narrowed::bare(item.clone())?;
        self.travels(&item)?;
        let lowered = item.transform_up(|part| {
            Ok(match part {
                Expr::Column(column) => Transformed::yes(rel::column(self.schema.index_of_column(&column)?)),
                Expr::Alias(Alias { expr, relation: _, name: _, metadata: _ }) => Transformed::yes(*expr),
                Expr::ScalarSubquery(subquery) => match self.value(&subquery) {
                    Some(index) => Transformed::yes(rel::column(index)),
                    None => Transformed::no(Expr::ScalarSubquery(subquery)),
                },
                other => Transformed::no(other),
            })
        });
        Ok(lowered.data()?)
    }

    /// One key of an order.
    pub(super) fn key(&self, key: &SortExpr) -> Result<Key, Why> {
        let SortExpr { expr, asc, nulls_first } = key;
        Ok(Key { expr: self.expr(expr)?, asc: *asc, nulls_first: *nulls_first })
    }

    /// Where the value of a subquery stands.
    fn value(&self, subquery: &Subquery) -> Option<usize> {
        self.values.iter().find(|(known, _)| known == subquery).map(|(_, index)| *index)
    }

    /// Only what gives the same value wherever and whenever it is computed.
    fn travels(&self, item: &Expr) -> Result<(), Why> {
        let mut why = None;
        item.apply(|part| {
            Ok(match self.obstacle(part) {
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

    fn obstacle(&self, part: &Expr) -> Option<String> {
        match part {
            Expr::ScalarSubquery(subquery) if self.value(subquery).is_some() => None,
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
