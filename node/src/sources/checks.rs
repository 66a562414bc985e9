//! Checks in one scan what a dataset promises of its rows, and counts them.

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprFunctionExt, LogicalPlanBuilder, Operator, lit};
use datafusion::prelude::SessionContext;
use meridian_proto::{Column, Coverage, Covers};

use super::mapping::{self, Mapped, MappedColumn};
use super::{SourceError, SourceSpec, literal};

/// What a dataset promises of a column.
#[derive(PartialEq, Eq)]
enum Promise {
    Type,
    Required,
    Coverage,
}

/// A promise and the counts that tell whether it holds.
struct Check<'a> {
    promise: Promise,
    column: &'a Column,
    counts: Vec<Expr>,
}

/// The number of rows, if every promise holds in them.
pub(super) async fn check(spec: &SourceSpec, mapped: &Mapped, context: &SessionContext) -> Result<u64, SourceError> {
    counted(spec, mapped, context, &checks(spec, mapped)?).await
}

/// Whether every column has its declared type, in rows that are going to be cast to it.
pub(super) async fn types(spec: &SourceSpec, mapped: &Mapped, context: &SessionContext) -> Result<(), SourceError> {
    let checks = of_types(spec, mapped)?;
    if checks.is_empty() { Ok(()) } else { counted(spec, mapped, context, &checks).await.map(drop) }
}

/// The number of rows, if every column has its declared type in them.
pub(super) async fn typed_rows(
    spec: &SourceSpec,
    mapped: &Mapped,
    context: &SessionContext,
) -> Result<u64, SourceError> {
    counted(spec, mapped, context, &of_types(spec, mapped)?).await
}

fn of_types<'a>(spec: &'a SourceSpec, mapped: &Mapped) -> Result<Vec<Check<'a>>, SourceError> {
    Ok(checks(spec, mapped)?.into_iter().filter(|check| check.promise == Promise::Type).collect())
}

async fn counted(
    spec: &SourceSpec,
    mapped: &Mapped,
    context: &SessionContext,
    checks: &[Check<'_>],
) -> Result<u64, SourceError> {
    let counts = checks.iter().flat_map(|check| check.counts.iter().cloned());
    let aggregates: Vec<Expr> = std::iter::once(count(lit(1_i64)))
        .chain(counts)
        .enumerate()
        .map(|(index, count)| count.alias(format!("c{index}")))
        .collect();
    // The engine's error may quote values: it is not passed on.
    let answer = run(mapped, aggregates, context).await.map_err(|error| SourceError::run(spec, &error))?;
    let mut numbers = numbers(&answer).into_iter();
    let rows = numbers.next().ok_or_else(|| SourceError::evaluation(spec))?;
    for check in checks {
        let counted: Vec<u64> = numbers.by_ref().take(check.counts.len()).collect();
        if let Some(error) = check.broken(spec, &counted, rows) {
            return Err(error);
        }
    }
    Ok(rows)
}

async fn run(
    mapped: &Mapped,
    aggregates: Vec<Expr>,
    context: &SessionContext,
) -> Result<Vec<RecordBatch>, DataFusionError> {
    let session = mapping::session(context.state().config().target_partitions(), context.runtime_env());
    let plan = LogicalPlanBuilder::from(mapped.view.clone()).aggregate(Vec::<Expr>::new(), aggregates)?.build()?;
    session.execute_logical_plan(plan).await?.collect().await
}

fn numbers(answer: &[RecordBatch]) -> Vec<u64> {
    let Some(row) = answer.iter().find(|batch| batch.num_rows() == 1) else {
        return Vec::new();
    };
    let counts = row.columns().iter().filter_map(|column| column.as_primitive_opt::<Int64Type>()?.iter().next()?);
    counts.map(i64::unsigned_abs).collect()
}

fn checks<'a>(spec: &'a SourceSpec, mapped: &Mapped) -> Result<Vec<Check<'a>>, SourceError> {
    let mut checks = Vec::new();
    for (column, MappedColumn { raw, typed, fallible }) in spec.dataset.columns.iter().zip(&mapped.columns) {
        let mut add = |promise, counts| checks.push(Check { promise, column, counts });
        if *fallible {
            add(Promise::Type, vec![count(raw.clone()), count(typed.clone())]);
        }
        if column.required {
            add(Promise::Required, vec![count(typed.clone())]);
        }
        for coverage in spec.dataset.coverage.iter().filter(|coverage| coverage.column == column.name) {
            add(Promise::Coverage, vec![outside(spec, column, typed, coverage)?]);
        }
    }
    Ok(checks)
}

/// How many rows lie outside of a coverage; NULL does.
fn outside(spec: &SourceSpec, column: &Column, typed: &Expr, coverage: &Coverage) -> Result<Expr, SourceError> {
    let constant = |text: &String| {
        let why = || format!("coverage of {} is no {}; write a value of that type", column.name, column.column_type);
        literal(column.column_type, text).map(lit).ok_or_else(|| SourceError::mapping(spec, why()))
    };
    let outside = match &coverage.covers {
        Covers::Value(text) => {
            let value = Box::new(constant(text)?);
            Expr::BinaryExpr(BinaryExpr::new(Box::new(typed.clone()), Operator::IsDistinctFrom, value))
        }
        Covers::Range { from, to } => {
            let mut outside = typed.clone().is_null();
            if let Some(from) = from {
                outside = outside.or(typed.clone().lt(constant(from)?));
            }
            if let Some(to) = to {
                outside = outside.or(typed.clone().gt(constant(to)?));
            }
            outside
        }
    };
    count(lit(1_i64)).filter(outside).build().map_err(|_| SourceError::evaluation(spec))
}

impl Check<'_> {
    /// The error, if the counts say that the promise is broken in some of all rows.
    fn broken(&self, spec: &SourceSpec, counts: &[u64], all: u64) -> Option<SourceError> {
        let first = *counts.first()?;
        let rows = match self.promise {
            Promise::Type => first.checked_sub(*counts.get(1)?)?,
            Promise::Required => all.checked_sub(first)?,
            Promise::Coverage => first,
        };
        let (dataset, column) = (spec.dataset.name.clone(), self.column.name.clone());
        (rows > 0).then_some(match self.promise {
            Promise::Type => SourceError::Type { dataset, column, column_type: self.column.column_type, rows },
            Promise::Required => SourceError::Required { dataset, column, rows },
            Promise::Coverage => SourceError::Coverage { dataset, column, rows },
        })
    }
}
