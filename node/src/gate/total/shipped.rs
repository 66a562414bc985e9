//! Total forms as they go to a worker of the body's cluster and become the same there.

use std::sync::Arc;

use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Operator, ScalarUDF, TypeSignature};
use serde::{Deserialize, Serialize};

use super::wrapped::{Total, Wrapped, udf};
use crate::portable;

/// A total form.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShippedTotal {
    form: Form,
    arguments: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Form {
    /// Of a function, which goes beside it.
    Function,
    Operator(String),
    Negative,
    Like {
        negated: bool,
        case_insensitive: bool,
    },
    Similar {
        negated: bool,
        case_insensitive: bool,
    },
    /// To the type of this field.
    Cast(Vec<u8>),
}

/// Those that have a total form.
const OPERATORS: [Operator; 9] = [
    Operator::Plus,
    Operator::Minus,
    Operator::Multiply,
    Operator::Divide,
    Operator::Modulo,
    Operator::RegexMatch,
    Operator::RegexIMatch,
    Operator::RegexNotMatch,
    Operator::RegexNotIMatch,
];

/// The total form with the function of which it is one; `None` for any other function.
pub(in super::super) fn ship(function: &ScalarUDF) -> Result<Option<(ShippedTotal, Option<Arc<ScalarUDF>>)>> {
    let Some(Total { wrapped, signature }) = function.inner().downcast_ref::<Total>() else { return Ok(None) };
    let arguments = match &signature.type_signature {
        TypeSignature::Any(arguments) => *arguments,
        TypeSignature::Nullary => 0,
        _ => return Err(malformed()),
    };
    let mut of = None;
    let form = match wrapped {
        Wrapped::Function(function) => {
            of = Some(Arc::clone(function));
            Form::Function
        }
        Wrapped::Operator(operator) if OPERATORS.contains(operator) => Form::Operator(operator.to_string()),
        Wrapped::Operator(_) => return Err(malformed()),
        Wrapped::Negative => Form::Negative,
        Wrapped::Like { negated, case_insensitive } => {
            Form::Like { negated: *negated, case_insensitive: *case_insensitive }
        }
        Wrapped::Similar { negated, case_insensitive } => {
            Form::Similar { negated: *negated, case_insensitive: *case_insensitive }
        }
        Wrapped::Cast(field) => Form::Cast(portable::of_field(field)?),
    };
    Ok(Some((ShippedTotal { form, arguments }, of)))
}

impl ShippedTotal {
    /// The total form, of this function if it is one of a function.
    pub(in super::super) fn function(self, of: Option<Arc<ScalarUDF>>) -> Result<Arc<ScalarUDF>> {
        let volatility = of.as_ref().map(|of| of.signature().volatility);
        let wrapped = match (self.form, of) {
            (Form::Function, Some(of)) => Wrapped::Function(of),
            (Form::Operator(symbol), None) => {
                let operator = OPERATORS.into_iter().find(|operator| operator.to_string() == symbol);
                Wrapped::Operator(operator.ok_or_else(malformed)?)
            }
            (Form::Negative, None) => Wrapped::Negative,
            (Form::Like { negated, case_insensitive }, None) => Wrapped::Like { negated, case_insensitive },
            (Form::Similar { negated, case_insensitive }, None) => Wrapped::Similar { negated, case_insensitive },
            (Form::Cast(field), None) => Wrapped::Cast(portable::field(&field)?),
            (Form::Function, None) | (_, Some(_)) => return Err(malformed()),
        };
        Ok(udf(wrapped, self.arguments, volatility.unwrap_or(datafusion::logical_expr::Volatility::Immutable)))
    }
}

fn malformed() -> DataFusionError {
    DataFusionError::Internal("a total form that does not go to workers".into())
}
