//! Functions that mappings may call beside those of the engine: what people write, as amounts and dates.
//!
//! | function | what it gives |
//! | --- | --- |
//! | `clean(text)` | the text without blanks around it and without invisible characters; NULL if nothing is left |
//! | `parse_money(text)` | the amount in pounds, dollars or euros and hundredths of it |
//! | `parse_date_uk(text)` | the day, written as it is in the United Kingdom, or as spreadsheets and ISO 8601 have it |
//!
//! What is empty is NULL. Text that is none of it is an error, as for CAST, which names line and column; `try_parse_money`
//! and `try_parse_date_uk` give NULL for it, as TRY_CAST does. No query knows them: they stand in no session but that of
//! a mapping, and where a mapping is part of a query over what is not open they are made total like any other.

mod date;
mod money;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Date32Array, Decimal128Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::cast::as_string_array;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;

use super::clean::clean;

/// Digits of an amount, and those of them behind the point.
const MONEY: (u8, i8) = (18, 2);

/// A text that is no value of the kind that is asked for.
#[derive(Debug, PartialEq, Eq)]
struct NoValue;

/// Whether `parse_money` reads a text.
pub fn is_money(text: &str) -> bool {
    money::pence(text).is_ok()
}

/// Whether `parse_date_uk` reads a text.
pub fn is_day_uk(text: &str) -> bool {
    date::day(text).is_ok()
}

/// All of them.
pub(super) fn all() -> impl Iterator<Item = ScalarUDF> {
    Function::ALL.into_iter().map(|function| {
        ScalarUDF::new_from_impl(OfText { function, signature: Signature::string(1, Volatility::Immutable) })
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Function {
    Clean,
    Money,
    TryMoney,
    Date,
    TryDate,
}

impl Function {
    const ALL: [Self; 5] = [Self::Clean, Self::Money, Self::TryMoney, Self::Date, Self::TryDate];

    fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Money => "parse_money",
            Self::TryMoney => "try_parse_money",
            Self::Date => "parse_date_uk",
            Self::TryDate => "try_parse_date_uk",
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Clean => DataType::Utf8,
            Self::Money | Self::TryMoney => DataType::Decimal128(MONEY.0, MONEY.1),
            Self::Date | Self::TryDate => DataType::Date32,
        }
    }

    fn of(self, texts: &StringArray) -> Result<ArrayRef> {
        let tries = matches!(self, Self::TryMoney | Self::TryDate);
        Ok(match self {
            Self::Clean => Arc::new(texts.iter().map(|text| clean(text?)).collect::<StringArray>()),
            Self::Money | Self::TryMoney => {
                let amounts = Decimal128Array::from(self.each(texts, money::pence, tries)?);
                Arc::new(amounts.with_precision_and_scale(MONEY.0, MONEY.1)?)
            }
            Self::Date | Self::TryDate => Arc::new(Date32Array::from(self.each(texts, date::day, tries)?)),
        })
    }

    /// The value of each text; NULL for one that has none, or an error that says nothing of it.
    fn each<T>(
        self,
        texts: &StringArray,
        value: fn(&str) -> std::result::Result<Option<T>, NoValue>,
        tries: bool,
    ) -> Result<Vec<Option<T>>> {
        let of_text = |text: Option<&str>| match text.map(value) {
            None => Ok(None),
            Some(Ok(value)) => Ok(value),
            Some(Err(NoValue)) if tries => Ok(None),
            Some(Err(NoValue)) => Err(DataFusionError::Execution(format!("{} of a text that is none", self.name()))),
        };
        texts.iter().map(of_text).collect()
    }
}

/// A function of one text.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OfText {
    function: Function,
    signature: Signature,
}

impl ScalarUDFImpl for OfText {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.function.data_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [texts] = arrays.as_slice() else {
            return Err(DataFusionError::Internal(format!("{} of other than one text", self.name())));
        };
        let values = self.function.of(as_string_array(&cast(texts, &DataType::Utf8)?)?)?;
        Ok(if scalar && values.len() == 1 {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?)
        } else {
            ColumnarValue::Array(values)
        })
    }
}
