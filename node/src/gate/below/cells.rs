//! The release point: each aggregate becomes a value and the number of units behind it.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, DFSchemaRef, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{Aggregate, AggregateUDF, Case, Expr, ExprSchemable, LogicalPlan, Projection, lit};

use super::super::Refused;
use super::super::facts::Decision;
use super::super::release;
use super::super::terms::Unit;
use super::{Below, Kind, Origin};

/// One aggregate of the query.
struct Cell {
    func: Arc<AggregateUDF>,
    distinct: bool,
    argument: Argument,
    filter: Option<Expr>,
}

enum Argument {
    /// Rows are counted.
    Constant(ScalarValue),
    /// A value of each row; where it is summed, a zero contributes nothing.
    Value { value: Expr, summed: bool },
}

impl Below {
    /// The aggregate, computed with the units of each cell, under a node that withholds the small ones. Its columns
    /// are those of `schema`, but that any cell may be NULL.
    pub(super) fn release(
        self,
        keys: &[Expr],
        aggregates: &[Expr],
        schema: &DFSchemaRef,
        decision: &mut Decision,
    ) -> Result<LogicalPlan, Refused> {
        let mut lower = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            lower.push(self.key(key, decision)?.0.alias(name("g", index)));
        }
        let mut cells = Vec::new();
        for aggregate in aggregates {
            cells.push(self.cell(aggregate, decision)?);
        }
        for (index, cell) in cells.iter_mut().enumerate() {
            cell.filter = cell.filter.take().map(|filter| carried(filter, &mut lower)).transpose()?;
            if let Argument::Value { value, .. } = &cell.argument {
                lower.push(value.clone().alias(name("a", index)));
            }
        }
        lower.push(self.unit().map_or_else(|| lit(1_i64), Expr::Column).alias(name("u", 0)));
        self.notify(!keys.is_empty(), decision);
        let leaf = Arc::clone(&self.leaf);
        let lower = LogicalPlan::Projection(Projection::try_new(lower, Arc::new(self.plan))?);
        let groups = (0..keys.len()).map(|index| column("g", index)).collect();
        let mut upper = Vec::new();
        for (index, cell) in cells.iter().enumerate() {
            upper.push(cell.value(index).alias(name("v", index)));
        }
        for (index, cell) in cells.iter().enumerate() {
            upper.push(units(&leaf.unit, cell.contributes(index, lower.schema())?).alias(name("n", index)));
        }
        if cells.is_empty() {
            upper.push(units(&leaf.unit, None).alias(name("n", 0)));
        }
        let inner = Aggregate::try_new(Arc::new(lower), groups, upper)?;
        let schema = released_schema(schema, &inner.schema)?;
        Ok(release::node(&leaf.name, leaf.threshold, keys.len(), cells.len(), LogicalPlan::Aggregate(inner), schema))
    }

    fn notify(&self, grouped: bool, decision: &mut Decision) {
        let (name, k) = (&self.leaf.name, self.leaf.threshold);
        decision.notice(&if grouped {
            format!("groups of {name} under {k} units are left out, cells under it are empty (withheld, not zero)")
        } else {
            format!("figures of {name} over fewer than {k} units are empty (withheld, not zero)")
        });
    }

    fn cell(&self, expr: &Expr, decision: &mut Decision) -> Result<Cell, Refused> {
        let call = match expr {
            Expr::Alias(alias) => return self.cell(&alias.expr, decision),
            Expr::AggregateFunction(call) => call,
            other => {
                return Err(self.leaf.expression(super::values::describe(other), self.first_column(other).as_deref()));
            }
        };
        let params = &call.params;
        if !params.order_by.is_empty() || params.null_treatment.is_some() {
            return Err(self.aggregate_refused(call, "with an order or NULL treatment"));
        }
        let [argument] = params.args.as_slice() else {
            return Err(self.aggregate_refused(call, "over several expressions"));
        };
        let filter = params.filter.as_ref().map(|filter| self.predicate(filter, decision)).transpose()?;
        let argument = match call.func.name() {
            "count" => self.counted(call, argument, decision)?,
            "sum" | "avg" if params.distinct => return Err(self.aggregate_refused(call, "of distinct values")),
            "sum" | "avg" => self.summed(call, argument, decision)?,
            _ => return Err(self.aggregate_refused(call, "")),
        };
        Ok(Cell { func: Arc::clone(&call.func), distinct: params.distinct, argument, filter })
    }

    fn counted(&self, call: &AggregateFunction, argument: &Expr, decision: &mut Decision) -> Result<Argument, Refused> {
        let (value, origin) = self.value(argument, decision)?;
        if call.params.distinct && !self.leaf.is_unit(&origin) {
            return Err(self.aggregate_refused(call, "of distinct values of anything but the unit"));
        }
        match (value, origin.kind) {
            (Expr::Literal(value, _), Kind::Constant) => Ok(Argument::Constant(value)),
            (value, Kind::Label { .. } | Kind::Measure) => Ok(Argument::Value { value, summed: false }),
            (value, Kind::Identifier) if self.leaf.is_unit(&origin) => Ok(Argument::Value { value, summed: false }),
            (_, Kind::Identifier | Kind::Hidden | Kind::Constant) => Err(self.leaf.misused(&origin, "count by")),
        }
    }

    fn summed(&self, call: &AggregateFunction, argument: &Expr, decision: &mut Decision) -> Result<Argument, Refused> {
        let (value, origin) = match self.value(argument, decision) {
            Ok(found) => found,
            // CASE and arithmetic inside of a sum weight units as the asker likes.
            Err(mut refused) => {
                if refused.rule == "statistics.expression" {
                    refused.remedy = format!(
                        "{} a bare measure ({}); conditions go into FILTER (WHERE …)",
                        if call.func.name() == "sum" { "sum" } else { "average" },
                        self.leaf.columns(meridian_proto::Role::Measure)
                    );
                }
                return Err(refused);
            }
        };
        if origin.kind != Kind::Measure {
            return Err(self.leaf.misused(&origin, if call.func.name() == "sum" { "sum" } else { "average" }));
        }
        Ok(Argument::Value { value: self.clamped(value, &origin)?, summed: true })
    }

    /// A measure within its declared bounds, so that no unit weighs more than they say.
    fn clamped(&self, value: Expr, origin: &Origin) -> Result<Expr, Refused> {
        let bounds = self.leaf.terms.bounds.get(origin.name.as_str()).copied();
        let Some((low, high)) = bounds else {
            return Err(Refused::new(
                "statistics.bounds",
                format!("{} of {} declares no bounds, so that it can't be summed", origin.name, self.leaf.name),
                format!("ask {} to declare its bounds", self.leaf.terms.name.body),
            )
            .about(&self.leaf.name)
            .at_column(&origin.name));
        };
        let schema = self.plan.schema();
        let clamped = value.transform_up(|expr| match expr {
            Expr::Column(_) => {
                let data_type = expr.get_type(schema)?;
                let (low, high) = (bound(low.ceil(), low, &data_type)?, bound(high.floor(), high, &data_type)?);
                let within = Case {
                    expr: None,
                    when_then_expr: vec![
                        (Box::new(expr.clone().lt(low.clone())), Box::new(low)),
                        (Box::new(expr.clone().gt(high.clone())), Box::new(high)),
                    ],
                    else_expr: Some(Box::new(expr)),
                };
                Ok(Transformed::yes(Expr::Case(within)))
            }
            other => Ok(Transformed::no(other)),
        })?;
        Ok(clamped.data)
    }

    fn aggregate_refused(&self, call: &AggregateFunction, how: &str) -> Refused {
        let name = call.func.name().to_uppercase();
        let what = if how.is_empty() { name } else { format!("{name} {how}") };
        let unit = match &self.leaf.unit {
            Unit::Column { name, .. } => format!(", COUNT(DISTINCT {name})"),
            Unit::EachRow => String::new(),
        };
        Refused::new(
            "statistics.aggregate",
            format!("{what} is not admitted over {}", self.leaf.name),
            format!(
                "use COUNT(*){unit}, SUM or AVG of a measure ({}), each with FILTER (WHERE …) if need be",
                self.leaf.columns(meridian_proto::Role::Measure)
            ),
        )
        .about(&self.leaf.name)
        .at(call.func.name())
    }
}

impl Cell {
    fn value(&self, index: usize) -> Expr {
        let argument = match &self.argument {
            Argument::Constant(value) => Expr::Literal(value.clone(), None),
            Argument::Value { .. } => column("a", index),
        };
        let filter = self.filter.clone().map(Box::new);
        Expr::AggregateFunction(AggregateFunction::new_udf(
            Arc::clone(&self.func),
            vec![argument],
            self.distinct,
            filter,
            vec![],
            None,
        ))
    }

    /// Which rows contribute to it: its FILTER holds, and its argument is not NULL and, where it is summed, not zero.
    fn contributes(&self, index: usize, lower: &DFSchemaRef) -> Result<Option<Expr>, DataFusionError> {
        let filter = self.filter.clone();
        let argument = match &self.argument {
            Argument::Constant(value) if value.is_null() => Some(lit(false)),
            Argument::Constant(_) => None,
            Argument::Value { summed: false, .. } => Some(column("a", index).is_not_null()),
            Argument::Value { summed: true, .. } => {
                let argument = column("a", index);
                let zero = ScalarValue::new_zero(&argument.get_type(lower)?)?;
                Some(argument.clone().is_not_null().and(argument.not_eq(Expr::Literal(zero, None))))
            }
        };
        Ok(match (filter, argument) {
            (Some(filter), Some(argument)) => Some(filter.and(argument)),
            (filter, argument) => filter.or(argument),
        })
    }
}

/// A condition over columns of the projection below the aggregate, which are added to it. The condition itself is no
/// such column, since DataFusion's logical and physical plans do not agree on whether `x IS NOT TRUE` may be NULL.
fn carried(condition: Expr, lower: &mut Vec<Expr>) -> Result<Expr, DataFusionError> {
    let renamed = condition.transform_up(|expr| match expr {
        Expr::Column(_) => {
            let name = name("c", lower.len());
            lower.push(expr.alias(&name));
            Ok(Transformed::yes(Expr::Column(Column::new_unqualified(name))))
        }
        other => Ok(Transformed::no(other)),
    })?;
    Ok(renamed.data)
}

/// The number of units that have a row where the condition holds.
fn units(unit: &Unit, condition: Option<Expr>) -> Expr {
    let (argument, distinct) = match unit {
        Unit::EachRow | Unit::Column { unique: true, .. } => (lit(1_i64), false),
        Unit::Column { unique: false, .. } => (column("u", 0), true),
    };
    let filter = condition.map(Box::new);
    Expr::AggregateFunction(AggregateFunction::new_udf(count_udaf(), vec![argument], distinct, filter, vec![], None))
}

/// A bound in a column's type; whole numbers take the nearest one inside.
fn bound(inside: f64, exact: f64, data_type: &DataType) -> Result<Expr, DataFusionError> {
    let value = if data_type.is_integer() { inside } else { exact };
    ScalarValue::Float64(Some(value)).cast_to(data_type).map(|value| Expr::Literal(value, None))
}

/// The columns of the query's own aggregate, filled from the inner one: anything may be withheld.
fn released_schema(schema: &DFSchemaRef, inner: &DFSchemaRef) -> Result<DFSchemaRef, Refused> {
    let mut fields = Vec::new();
    for ((qualifier, field), computed) in schema.iter().zip(inner.fields()) {
        if field.data_type() != computed.data_type() {
            return Err(DataFusionError::Internal("a released column changed its type".into()).into());
        }
        let field: Field = field.as_ref().clone().with_nullable(true);
        fields.push((qualifier.cloned(), Arc::new(field)));
    }
    Ok(Arc::new(DFSchema::new_with_metadata(fields, schema.metadata().clone())?))
}

fn name(kind: &str, index: usize) -> String {
    format!("{kind}{index}")
}

fn column(kind: &str, index: usize) -> Expr {
    Expr::Column(Column::new_unqualified(name(kind, index)))
}
