//! Window functions: each with its frame written out.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::NullTreatment;
use datafusion::logical_expr::expr::{Alias, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{Expr, WindowFrame, WindowFrameBound, WindowFunctionDefinition};

use super::{FUNCTIONS, Scope};
use crate::error::Why;
use crate::rel::{Bound, Call, Frame, Func};

impl Scope<'_> {
    /// A window function over columns by position.
    pub(super) fn call(&self, item: &Expr) -> Result<Call, Why> {
        match item {
            Expr::Alias(Alias { expr, relation: _, name: _, metadata: _ }) => self.call(expr),
            Expr::WindowFunction(function) => {
                let WindowFunction { fun, params } = function.as_ref();
                let WindowFunctionParams {
                    args,
                    partition_by,
                    order_by,
                    window_frame,
                    filter,
                    null_treatment,
                    distinct,
                } = params;
                let exprs = |items: &[Expr]| items.iter().map(|item| self.expr(item)).collect::<Result<Vec<_>, _>>();
                Ok(Call {
                    func: func(fun)?,
                    args: exprs(args)?,
                    distinct: *distinct,
                    filter: filter.as_ref().map(|item| self.expr(item)).transpose()?,
                    ignores_nulls: null_treatment.as_ref().map(|treatment| *treatment == NullTreatment::IgnoreNulls),
                    partition: exprs(partition_by)?,
                    order: order_by.iter().map(|key| self.key(key)).collect::<Result<_, _>>()?,
                    frame: frame(window_frame)?,
                })
            }
            other => Err(Why::new(format!("{} is no window function", other.schema_name()))),
        }
    }
}

fn func(fun: &WindowFunctionDefinition) -> Result<Func, Why> {
    let known = match fun {
        WindowFunctionDefinition::AggregateUDF(func) => FUNCTIONS
            .aggregate
            .get(func.name())
            .filter(|known| known.name() == func.name())
            .map(Arc::clone)
            .map(Func::Aggregate),
        WindowFunctionDefinition::WindowUDF(func) => FUNCTIONS
            .window
            .get(func.name())
            .filter(|known| known.name() == func.name())
            .map(Arc::clone)
            .map(Func::Window),
    };
    known.ok_or_else(|| Why::new(format!("not every body knows the window function {}", fun.name())))
}

fn frame(frame: &WindowFrame) -> Result<Frame, Why> {
    Ok(Frame { units: frame.units, start: bound(&frame.start_bound)?, end: bound(&frame.end_bound)? })
}

fn bound(bound: &WindowFrameBound) -> Result<Bound, Why> {
    // An offset that is no whole number has no text of its own.
    let offset = |value: &ScalarValue| match value {
        value if value.is_null() => Ok(None),
        value if value.data_type().is_integer() => Ok(Some(value.clone())),
        value => Err(Why::new(format!("a frame of {value} rows is not sent to another body"))),
    };
    Ok(match bound {
        WindowFrameBound::Preceding(value) => Bound::Preceding(offset(value)?),
        WindowFrameBound::CurrentRow => Bound::Current,
        WindowFrameBound::Following(value) => Bound::Following(offset(value)?),
    })
}
