//! What a query asks of each cell: counts, sums and averages in whatever words, as a few figures.

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Case, Expr, ExprSchemable};

use super::constants::constant;
use super::percentiles::is_percentile;
use super::totals::{CastKind, cast_kind};
use super::values::describe;
use super::{Below, Kind, Origin};
use crate::gate::Refused;
use crate::gate::facts::Decision;
use crate::gate::release::Output;
use crate::gate::terms::Precision;

/// A figure of each cell, and the rows that it is made of.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Asked {
    pub(super) contribution: Contribution,
    pub(super) filter: Option<Expr>,
}

/// What a row adds to its unit's contribution.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Contribution {
    /// The unit itself, once.
    Units,
    /// One, where the value is not NULL.
    Rows { of: Option<Expr> },
    /// A measure, within its bounds.
    Sum { value: Expr, measure: String, precision: Precision },
}

/// All that is asked of a release.
#[derive(Debug, Default)]
pub(super) struct Asking {
    pub(super) figures: Vec<Asked>,
    pub(super) outputs: Vec<Output>,
    /// For outputs that count labels: the output, the dimension, and the rows.
    pub(super) labels: Vec<(usize, Expr, Option<Expr>)>,
}

impl Asking {
    /// The figure's place; the same figure stands once.
    pub(super) fn figure(&mut self, asked: Asked) -> usize {
        self.figures.iter().position(|held| *held == asked).unwrap_or_else(|| {
            self.figures.push(asked);
            self.figures.len() - 1
        })
    }
}

impl Below {
    /// Adds what one aggregate asks.
    pub(super) fn ask(&self, expr: &Expr, asking: &mut Asking, decision: &mut Decision) -> Result<(), Refused> {
        let call = match expr {
            Expr::Alias(alias) => return self.ask(&alias.expr, asking, decision),
            Expr::AggregateFunction(call) => call,
            other => {
                return Err(self.leaf.expression(describe(other), self.first_column(other).as_deref()));
            }
        };
        if is_percentile(call.func.name()) && self.tables().is_none() {
            return self.percentile(call, asking, decision);
        }
        let params = &call.params;
        if !params.order_by.is_empty() || params.null_treatment.is_some() {
            return Err(self.aggregate_refused(call, "with an order or NULL treatment"));
        }
        let [argument] = params.args.as_slice() else {
            return Err(self.aggregate_refused(call, "over several expressions"));
        };
        self.choices(params.filter.as_deref().into_iter().chain([argument]))?;
        let (argument, condition) = self.unconditional(call, argument, decision)?;
        let filter = match &params.filter {
            Some(filter) => Some(self.predicate(filter, decision)?),
            None => None,
        };
        let filter = match (filter, condition) {
            (Some(filter), Some(condition)) => Some(filter.and(condition)),
            (filter, condition) => filter.or(condition),
        };
        match call.func.name() {
            "count" if params.distinct => self.distinct_values(call, &argument, filter, asking, decision),
            "approx_distinct" => self.distinct_values(call, &argument, filter, asking, decision),
            "count" => {
                let contribution = self.counted(call, &argument, decision)?;
                self.output(asking, contribution, filter);
                Ok(())
            }
            "sum" | "avg" if params.distinct => Err(self.aggregate_refused(call, "of distinct values")),
            "sum" | "avg" => self.summed(call, &argument, filter, asking, decision),
            _ => Err(self.aggregate_refused(call, "")),
        }
    }

    fn output(&self, asking: &mut Asking, contribution: Contribution, filter: Option<Expr>) {
        let figure = asking.figure(Asked { contribution, filter });
        asking.outputs.push(Output::Figure(figure));
    }

    fn counted(
        &self,
        call: &AggregateFunction,
        argument: &Expr,
        decision: &mut Decision,
    ) -> Result<Contribution, Refused> {
        let (value, origin) = self.value(argument, decision)?;
        match (value, origin.kind) {
            (Expr::Literal(value, _), Kind::Constant) if value.is_null() => {
                Err(self.aggregate_refused(call, "of NULL"))
            }
            (Expr::Literal(..), Kind::Constant) => Ok(Contribution::Rows { of: None }),
            (value, Kind::Label { .. } | Kind::Measure | Kind::Unit) => Ok(Contribution::Rows { of: Some(value) }),
            (_, Kind::Identifier | Kind::Outer | Kind::Hidden | Kind::Constant) => Err(origin.misused("count by")),
        }
    }

    /// COUNT(DISTINCT …): of the unit it is a count of units, of a dimension that of released labels.
    fn distinct_values(
        &self,
        call: &AggregateFunction,
        argument: &Expr,
        filter: Option<Expr>,
        asking: &mut Asking,
        decision: &mut Decision,
    ) -> Result<(), Refused> {
        let (value, origin) = self.value(argument, decision)?;
        match origin.kind {
            Kind::Unit if self.names_unit(&origin) => {
                self.output(asking, Contribution::Units, filter);
                Ok(())
            }
            Kind::Label { .. } => {
                asking.labels.push((asking.outputs.len(), value, filter));
                asking.outputs.push(Output::Labels);
                Ok(())
            }
            _ => Err(self.aggregate_refused(call, "of distinct values of anything but the unit or a dimension")),
        }
    }

    /// Whether a column names the very units that are protected here.
    fn names_unit(&self, origin: &Origin) -> bool {
        let kind = origin.leaf.protection.as_ref().map(|protection| &protection.unit.kind);
        self.units.as_ref().is_some_and(|units| kind == Some(&units.kind))
    }

    fn summed(
        &self,
        call: &AggregateFunction,
        argument: &Expr,
        filter: Option<Expr>,
        asking: &mut Asking,
        decision: &mut Decision,
    ) -> Result<(), Refused> {
        let name = call.func.name();
        let (value, origin) = match self.value(argument, decision) {
            Ok(found) => found,
            // CASE and arithmetic inside of a sum weight units as the asker likes.
            Err(mut refused) => {
                if refused.rule == "statistics.expression" {
                    refused.remedy = format!(
                        "{} a bare measure ({}); conditions go into FILTER (WHERE …)",
                        if name == "sum" { "sum" } else { "average" },
                        self.leaf.columns(meridian_proto::Role::Measure)
                    );
                }
                return Err(refused);
            }
        };
        if origin.kind == Kind::Constant && name == "sum" && is_one(&value) {
            self.output(asking, Contribution::Rows { of: None }, filter);
            return Ok(());
        }
        if origin.kind != Kind::Measure {
            return Err(origin.misused(if name == "sum" { "sum" } else { "average" }));
        }
        let value = uncast(value);
        let precision = origin.leaf.column(&origin.name).map(|column| column.precision).unwrap_or_default();
        let measure = format!("{}.{}", origin.leaf.name, origin.name);
        let rows = Contribution::Rows { of: Some(value.clone()) };
        let sum = Contribution::Sum { value: self.fixed(value, &origin, precision)?, measure, precision };
        if name == "sum" {
            self.output(asking, sum, filter);
            return Ok(());
        }
        let sum = asking.figure(Asked { contribution: sum, filter: filter.clone() });
        let count = asking.figure(Asked { contribution: rows, filter });
        asking.outputs.push(Output::Ratio { sum, count });
        Ok(())
    }

    /// `CASE WHEN condition THEN value [ELSE 0 or NULL] END` inside of COUNT and SUM is a FILTER in other words.
    fn unconditional(
        &self,
        call: &AggregateFunction,
        argument: &Expr,
        decision: &mut Decision,
    ) -> Result<(Expr, Option<Expr>), Refused> {
        let mut bare = argument;
        while let Expr::Cast(cast) = bare {
            let from = cast.expr.get_type(self.plan.schema())?;
            if cast_kind(&from, cast.field.data_type()) != CastKind::Lossless {
                break;
            }
            bare = &cast.expr;
        }
        let (Expr::Case(case), "count" | "sum") = (bare, call.func.name()) else { return Ok((argument.clone(), None)) };
        let Case { expr, when_then_expr, else_expr } = case;
        let ([(when, then)], false) = (when_then_expr.as_slice(), call.params.distinct) else {
            return Ok((argument.clone(), None));
        };
        let otherwise = match else_expr {
            Some(otherwise) => constant(otherwise, decision.now)?,
            None => Some(ScalarValue::Null),
        };
        let nothing = |value: &ScalarValue| value.is_null() || (call.func.name() == "sum" && is_zero(value));
        if !otherwise.is_some_and(|value| nothing(&value)) {
            return Ok((argument.clone(), None));
        }
        let when = match expr {
            Some(expr) => expr.as_ref().clone().eq(when.as_ref().clone()),
            None => when.as_ref().clone(),
        };
        Ok((then.as_ref().clone(), Some(self.predicate(&when, decision)?)))
    }

    pub(super) fn aggregate_refused(&self, call: &AggregateFunction, how: &str) -> Refused {
        let name = call.func.name().to_uppercase();
        if self.tables().is_some() {
            return self.undeclared(&name).at(call.func.name());
        }
        let what = if how.is_empty() { name } else { format!("{name} {how}") };
        let unit = self.leaf.protection.as_ref().and_then(|protection| protection.unit.column.as_ref());
        let unit = unit.map_or_else(String::new, |unit| format!(", COUNT(DISTINCT {unit})"));
        let bands = match call.func.name() {
            "min" | "max" | "median" | "approx_median" | "percentile_cont" | "approx_percentile_cont" => {
                "; for how values are spread, group by bands that the owner declares, or ask it to publish a table"
            }
            _ => "",
        };
        Refused::new(
            "statistics.aggregate",
            format!("{what} is not admitted over {}", self.leaf.name),
            format!(
                "use COUNT(*){unit}, SUM or AVG of a measure ({}), each with FILTER (WHERE …) if need be{bands}",
                self.leaf.columns(meridian_proto::Role::Measure)
            ),
        )
        .about(&self.leaf.name)
        .at(call.func.name())
    }
}

/// A measure as it is published. Casts of it lose nothing, so that the sum in another type, and the sum of an average,
/// is the same sum: within the same bounds, with the same noise, and one cell to the history.
fn uncast(mut value: Expr) -> Expr {
    while let Expr::TryCast(cast) = value {
        value = *cast.expr;
    }
    value
}

fn is_one(value: &Expr) -> bool {
    matches!(value, Expr::Literal(value, _) if ScalarValue::new_one(&value.data_type()).is_ok_and(|one| one == *value))
}

fn is_zero(value: &ScalarValue) -> bool {
    ScalarValue::new_zero(&value.data_type()).is_ok_and(|zero| zero == *value)
}
