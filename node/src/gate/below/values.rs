//! Group keys, projected columns and whatever is compared: dimensions, what is made of them, and constants.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{Case, ScalarFunction};
use datafusion::logical_expr::{Cast, Expr, ExprSchemable, TryCast, lit};

use super::super::Refused;
use super::super::facts::Decision;
use super::super::functions::{self, Class, Shape, Totality};
use super::super::total::total_call;
use super::constants::constant;
use super::totals::{CastKind, cast_kind};
use super::{Below, Choices, Kind, Origin};

type Value = (Expr, Origin);

impl Below {
    /// A group key: what may be a label in the answer.
    pub(super) fn key(&self, expr: &Expr, decision: &mut Decision) -> Result<Value, Refused> {
        self.choices([expr])?;
        let (value, origin) = self.value(expr, decision)?;
        match origin.kind {
            Kind::Label { .. } | Kind::Constant => Ok((value, origin)),
            Kind::Measure | Kind::Unit | Kind::Outer | Kind::Identifier | Kind::Hidden => {
                Err(origin.misused("group by"))
            }
        }
    }

    /// A projected column, which later conditions may build on.
    pub(super) fn projected(&self, expr: &Expr, decision: &mut Decision) -> Result<Value, Refused> {
        self.choices([expr])?;
        let (value, origin) = self.value(expr, decision)?;
        Ok((value, Origin { chosen: self.chosen([expr])?, ..origin }))
    }

    /// An expression over the columns, in a form that can't fail, and where its values come from.
    pub(super) fn value(&self, expr: &Expr, decision: &mut Decision) -> Result<Value, Refused> {
        if let Some(value) = constant(expr, decision.now)? {
            let origin = self.made("a constant".to_owned(), Kind::Constant);
            return Ok((Expr::Literal(value, None), origin));
        }
        match expr {
            Expr::Column(column) => {
                let origin = self.origin_of(column)?.clone();
                if origin.kind == Kind::Hidden {
                    return Err(origin.leaf.no_column(&origin.name));
                }
                decision.column(&origin.leaf.name, &origin.name);
                Ok((expr.clone(), origin))
            }
            Expr::Alias(alias) => self.value(&alias.expr, decision),
            Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => {
                let (value, origin) = self.value(expr, decision)?;
                self.cast(value, origin, field.data_type())
            }
            Expr::Case(case) => self.case(case, decision),
            Expr::ScalarFunction(call) => self.call(call, decision),
            other => Err(self.leaf.expression(describe(other), self.first_column(other).as_deref())),
        }
    }

    fn cast(&self, value: Expr, origin: Origin, to: &DataType) -> Result<Value, Refused> {
        let origin = Origin { bare: false, ..origin };
        let from = value.get_type(self.plan.schema())?;
        let ranges = matches!(origin.kind, Kind::Label { ranges: true }) && origin.leaf.bands(&origin.name).is_none();
        match cast_kind(&from, to) {
            CastKind::Lossless => Ok((Expr::TryCast(TryCast::new(Box::new(value), to.clone())), origin)),
            CastKind::Coarser if ranges => Ok((Expr::TryCast(TryCast::new(Box::new(value), to.clone())), origin)),
            CastKind::Coarser | CastKind::Refused => {
                let mut refused =
                    self.leaf.expression(&format!("a cast from {} to {}", sql(&from), sql(to)), Some(&origin.name));
                refused.remedy = format!(
                    "compare {} with a constant of its own type ({}): write the constant, not the column, in another type",
                    origin.name,
                    sql(&from)
                );
                Err(refused)
            }
        }
    }

    /// CASE over dimensions: conditions that are admitted in WHERE, results that are dimensions or constants.
    fn case(&self, case: &Case, decision: &mut Decision) -> Result<Value, Refused> {
        let mut names: Vec<String> = Vec::new();
        let mut result = |below: &Self, expr: &Expr, decision: &mut Decision| {
            let (value, origin) = below.key(expr, decision)?;
            if matches!(origin.kind, Kind::Label { .. }) {
                names.push(origin.name);
            }
            Ok::<_, Refused>(Box::new(value))
        };
        let mut when_then_expr = Vec::new();
        for (when, then) in &case.when_then_expr {
            let when = match &case.expr {
                Some(base) => Expr::eq(base.as_ref().clone(), when.as_ref().clone()),
                None => when.as_ref().clone(),
            };
            let when = self.predicate(&when, decision)?;
            when_then_expr.push((Box::new(when), result(self, then, decision)?));
        }
        let else_expr = case.else_expr.as_ref().map(|otherwise| result(self, otherwise, decision)).transpose()?;
        let name = names.into_iter().next().unwrap_or_else(|| "CASE".to_owned());
        let value = Expr::Case(Case { expr: None, when_then_expr, else_expr });
        Ok((value, self.made(name, Kind::Label { ranges: false })))
    }

    /// What stands for no published column.
    fn made(&self, name: String, kind: Kind) -> Origin {
        Origin { leaf: Arc::clone(&self.leaf), name, kind, bare: false, chosen: Choices::new() }
    }

    /// Functions of labels that have an answer for every value: parts of dates whose ranges may be seen, prefixes and
    /// spellings of texts, and the choice among several.
    fn call(&self, call: &ScalarFunction, decision: &mut Decision) -> Result<Value, Refused> {
        let Ok(Class::Below(shape, totality)) = functions::scalar(call.name()) else { return Err(self.function(call)) };
        let (value, origin) = match (shape, call.args.as_slice()) {
            (Shape::DatePart, [part, of]) => self.date(call, part, of, decision),
            (Shape::Prefix, [of, length]) => self.text(call, of, &[length], decision),
            (Shape::PrefixFromFirst, [of, start, length]) => {
                let from_first = constant(start, decision.now)?.is_some_and(|start| {
                    start.cast_to(&DataType::Int64).is_ok_and(|start| start == ScalarValue::Int64(Some(1)))
                });
                if from_first { self.text(call, of, &[start, length], decision) } else { Err(self.function(call)) }
            }
            (Shape::Spelling, [of]) => self.text(call, of, &[], decision),
            (Shape::Choice, args) => self.choice(call, args, decision),
            (Shape::DatePart | Shape::Prefix | Shape::PrefixFromFirst | Shape::Spelling | Shape::StartsWith, _) => {
                Err(self.function(call))
            }
        }?;
        match (totality, value) {
            (Totality::MadeTotal, Expr::ScalarFunction(call)) => Ok((Expr::ScalarFunction(total_call(call)), origin)),
            (Totality::Total | Totality::MadeTotal | Totality::Rewritten, value) => Ok((value, origin)),
        }
    }

    fn date(&self, call: &ScalarFunction, part: &Expr, of: &Expr, decision: &mut Decision) -> Result<Value, Refused> {
        let Some(part) = constant(part, decision.now)? else { return Err(self.function(call)) };
        let (of, origin) = self.value(of, decision)?;
        match origin.kind {
            Kind::Label { ranges: true } if origin.leaf.bands(&origin.name).is_none() => {
                let args = vec![Expr::Literal(part, None), of];
                let value = Expr::ScalarFunction(ScalarFunction { func: call.func.clone(), args });
                Ok((value, Origin { bare: false, ..origin }))
            }
            Kind::Label { .. } => {
                let mut refused = self.leaf.expression(call.name(), Some(&origin.name));
                refused.remedy = format!("{} declares no ranges: group by it as it is", origin.name);
                Err(refused)
            }
            Kind::Measure | Kind::Unit | Kind::Outer | Kind::Identifier | Kind::Hidden | Kind::Constant => {
                Err(origin.misused("group by"))
            }
        }
    }

    fn text(
        &self,
        call: &ScalarFunction,
        of: &Expr,
        constants: &[&Expr],
        decision: &mut Decision,
    ) -> Result<Value, Refused> {
        let (of, origin) = self.key(of, decision)?;
        let mut args = vec![of];
        for argument in constants {
            let Some(value) = constant(argument, decision.now)? else { return Err(self.function(call)) };
            args.push(Expr::Literal(value, None));
        }
        // Arguments keep their order: the text comes first in all of these.
        let value = Expr::ScalarFunction(ScalarFunction { func: call.func.clone(), args });
        Ok((value, Origin { kind: Kind::Label { ranges: false }, bare: false, ..origin }))
    }

    fn choice(&self, call: &ScalarFunction, args: &[Expr], decision: &mut Decision) -> Result<Value, Refused> {
        // NULLIF of two columns would compare them.
        if call.name() == "nullif" && constant(args.get(1).unwrap_or(&lit(true)), decision.now)?.is_none() {
            return Err(self.function(call));
        }
        let mut name = "a choice".to_owned();
        let mut values = Vec::new();
        for arg in args {
            let (value, origin) = self.key(arg, decision)?;
            if matches!(origin.kind, Kind::Label { .. }) {
                name = origin.name;
            }
            values.push(value);
        }
        let value = Expr::ScalarFunction(ScalarFunction { func: call.func.clone(), args: values });
        Ok((value, self.made(name, Kind::Label { ranges: false })))
    }

    fn function(&self, call: &ScalarFunction) -> Refused {
        let column = call.args.iter().find_map(|arg| self.first_column(arg));
        self.leaf.expression(&format!("the function {}", call.func.name()), column.as_deref())
    }

    /// A column of an expression to point at: the first that SQL names.
    pub(super) fn first_column(&self, expr: &Expr) -> Option<String> {
        let mut names: Vec<&str> = expr.column_refs().into_iter().map(|column| column.name.as_str()).collect();
        names.sort_unstable();
        names.first().map(|name| (*name).to_owned())
    }
}

/// A type in the words of SQL, for a person.
fn sql(data_type: &arrow::datatypes::DataType) -> String {
    use arrow::datatypes::DataType;
    match data_type {
        DataType::Int32 => "integer".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "varchar".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Timestamp(_, _) => "timestamp".to_owned(),
        other => other.to_string().to_lowercase(),
    }
}

/// What an expression is, for a refusal.
#[expect(deprecated, reason = "every variant is named, those of older DataFusion as well")]
pub(super) fn describe(expr: &Expr) -> &'static str {
    match expr {
        Expr::Like(_) => "LIKE",
        Expr::SimilarTo(_) => "SIMILAR TO",
        Expr::BinaryExpr(binary) if binary.op.supports_propagation() => "a comparison used as a value",
        Expr::BinaryExpr(binary) if binary.op.is_numerical_operators() => "arithmetic",
        Expr::BinaryExpr(_) => "this operator",
        Expr::Negative(_) => "arithmetic",
        Expr::Not(_)
        | Expr::IsNotNull(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotUnknown(_)
        | Expr::Between(_)
        | Expr::InList(_) => "a condition used as a value",
        Expr::AggregateFunction(_) => "an aggregate inside of an expression",
        Expr::WindowFunction(_) => "a window function",
        Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_) | Expr::ScalarSubquery(_) => "a subquery",
        Expr::OuterReferenceColumn(..) => "a reference to the query around a subquery",
        Expr::GroupingSet(_) => "GROUPING SETS, ROLLUP and CUBE",
        Expr::ScalarFunction(_) => "a function",
        Expr::Alias(_)
        | Expr::Column(_)
        | Expr::ScalarVariable(..)
        | Expr::Literal(..)
        | Expr::Case(_)
        | Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::Wildcard { .. }
        | Expr::Placeholder(_)
        | Expr::Unnest(_)
        | Expr::HigherOrderFunction(_)
        | Expr::Lambda(_)
        | Expr::LambdaVariable(_) => "this expression",
    }
}
