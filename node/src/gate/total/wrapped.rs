//! A function or operator that gives NULL where it has no value, under its own name.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::{Column, DFSchema};
use datafusion::config::ConfigOptions;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::{Like, ScalarFunction, TryCast};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::attempt;

/// What may fail.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Wrapped {
    /// A scalar function.
    Function(Arc<ScalarUDF>),
    /// An operator between two values; whole numbers that overflow have no value.
    Operator(Operator),
    /// The sign turned.
    Negative,
    /// LIKE and ILIKE.
    Like { negated: bool, case_insensitive: bool },
    /// SIMILAR TO.
    Similar { negated: bool, case_insensitive: bool },
    /// A cast to the type of a field.
    Cast(FieldRef),
}

/// The total form.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Total {
    pub(super) wrapped: Wrapped,
    pub(super) signature: Signature,
}

/// The total form of a call.
pub(in super::super) fn total_call(call: ScalarFunction) -> ScalarFunction {
    let ScalarFunction { func, args } = call;
    let volatility = func.signature().volatility;
    let func = udf(Wrapped::Function(func), args.len(), volatility);
    ScalarFunction { func, args }
}

/// The total form of an operator over its arguments.
pub(super) fn wrap(wrapped: Wrapped, args: Vec<Expr>) -> Expr {
    let func = udf(wrapped, args.len(), Volatility::Immutable);
    Expr::ScalarFunction(ScalarFunction { func, args })
}

pub(super) fn udf(wrapped: Wrapped, arguments: usize, volatility: Volatility) -> Arc<ScalarUDF> {
    let signature = if arguments == 0 { Signature::nullary(volatility) } else { Signature::any(arguments, volatility) };
    Arc::new(ScalarUDF::new_from_impl(Total { wrapped, signature }))
}

impl Wrapped {
    /// The plain expression over these arguments.
    fn plain(&self, args: &[Expr]) -> Result<Expr> {
        let missing = || DataFusionError::Internal("a total form without its argument".into());
        let at = |index: usize| args.get(index).cloned().map(Box::new).ok_or_else(missing);
        let like = |negated: bool, case_insensitive: bool| {
            Ok::<_, DataFusionError>(Like {
                negated,
                expr: at(0)?,
                pattern: at(1)?,
                escape_char: None,
                case_insensitive,
            })
        };
        Ok(match self {
            Self::Function(func) => {
                Expr::ScalarFunction(ScalarFunction { func: Arc::clone(func), args: args.to_vec() })
            }
            Self::Operator(op) => Expr::BinaryExpr(BinaryExpr { left: at(0)?, op: *op, right: at(1)? }),
            Self::Negative => Expr::Negative(at(0)?),
            Self::Like { negated, case_insensitive } => Expr::Like(like(*negated, *case_insensitive)?),
            Self::Similar { negated, case_insensitive } => Expr::SimilarTo(like(*negated, *case_insensitive)?),
            Self::Cast(field) => Expr::TryCast(TryCast::new_from_field(at(0)?, Arc::clone(field))),
        })
    }

    /// The field of the plain form's value.
    fn field(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        if let Self::Function(func) = self {
            return func.return_field_from_args(args);
        }
        let names: Vec<String> = (0..args.arg_fields.len()).map(|index| format!("a{index}")).collect();
        let fields = args.arg_fields.iter().zip(&names).map(|(field, name)| field.as_ref().clone().with_name(name));
        let schema = DFSchema::try_from(Schema::new(fields.collect::<Vec<_>>()))?;
        let columns: Vec<Expr> = names.into_iter().map(|name| Expr::Column(Column::new_unqualified(name))).collect();
        self.plain(&columns)?.to_field(&schema).map(|(_, field)| field)
    }
}

impl ScalarUDFImpl for Total {
    fn name(&self) -> &str {
        match &self.wrapped {
            Wrapped::Function(func) => func.name(),
            Wrapped::Operator(op) => symbol(*op),
            Wrapped::Negative => "-",
            Wrapped::Like { .. } => "like",
            Wrapped::Similar { .. } => "similar",
            Wrapped::Cast(_) => "try_cast",
        }
    }

    /// As the plain form is named, so that columns keep their names.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        Ok(self.wrapped.plain(args)?.schema_name().to_string())
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Err(DataFusionError::Internal("a total form has a field for its arguments".into()))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let field = self.wrapped.field(args)?;
        Ok(Arc::new(field.as_ref().clone().with_nullable(true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        attempt::whole_or_parts(&self.wrapped, args)
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let Wrapped::Function(func) = &self.wrapped else { return None };
        let func = Arc::new(func.inner().with_updated_config(config)?);
        Some(ScalarUDF::new_from_impl(Self { wrapped: Wrapped::Function(func), signature: self.signature.clone() }))
    }
}

/// An operator's name as a function.
fn symbol(op: Operator) -> &'static str {
    match op {
        Operator::Plus => "+",
        Operator::Minus => "-",
        Operator::Multiply => "*",
        Operator::Divide => "/",
        Operator::Modulo => "%",
        Operator::RegexMatch => "~",
        Operator::RegexIMatch => "~*",
        Operator::RegexNotMatch => "!~",
        Operator::RegexNotIMatch => "!~*",
        _ => "operator",
    }
}

/// The typed NULL of a field.
pub(super) fn null(field: &FieldRef) -> Result<ScalarValue> {
    ScalarValue::try_from(field.data_type())
}
