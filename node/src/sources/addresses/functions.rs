//! `match_address(text[, postcode])` and `match_address_score(text[, postcode])`, which mappings may call that name a list.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Float64Array, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::cast::as_string_array;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use meridian_addresses::List;

use super::{Addresses, Tally};

/// Both of them, for this list.
pub(super) fn all(addresses: &Addresses, list: &Arc<List>) -> impl Iterator<Item = ScalarUDF> {
    [Gives::Uprn, Gives::Score].into_iter().map(|gives| {
        ScalarUDF::new_from_impl(MatchAddress {
            gives,
            list: Arc::clone(list),
            least_score: addresses.least_score,
            tally: Arc::clone(&addresses.tally),
            signature: Signature::one_of(
                vec![TypeSignature::String(1), TypeSignature::String(2)],
                Volatility::Immutable,
            ),
        })
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Gives {
    /// The UPRN; NULL where no address is meant for certain.
    Uprn,
    /// How well the best address agrees; NULL where none could be meant.
    Score,
}

/// Texts are found in a list.
#[derive(Debug)]
struct MatchAddress {
    gives: Gives,
    list: Arc<List>,
    least_score: f64,
    tally: Arc<Tally>,
    signature: Signature,
}

impl PartialEq for MatchAddress {
    fn eq(&self, other: &Self) -> bool {
        self.gives == other.gives
            && Arc::ptr_eq(&self.list, &other.list)
            && self.least_score.to_bits() == other.least_score.to_bits()
    }
}

impl Eq for MatchAddress {}

impl Hash for MatchAddress {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.gives.hash(state);
        self.least_score.to_bits().hash(state);
    }
}

impl MatchAddress {
    fn of(&self, texts: &StringArray, postcodes: Option<&StringArray>) -> ArrayRef {
        let postcode = |row: usize| postcodes.filter(|codes| codes.is_valid(row)).map(|codes| codes.value(row));
        let found = texts.iter().enumerate().map(|(row, text)| {
            let outcome = self.list.find(text?, postcode(row), self.least_score);
            if self.gives == Gives::Uprn {
                self.tally.count(&outcome);
            }
            Some(outcome)
        });
        match self.gives {
            Gives::Uprn => Arc::new(found.map(|found| found?.uprn()).collect::<Int64Array>()),
            Gives::Score => Arc::new(found.map(|found| found?.score()).collect::<Float64Array>()),
        }
    }
}

impl ScalarUDFImpl for MatchAddress {
    fn name(&self) -> &str {
        match self.gives {
            Gives::Uprn => "match_address",
            Gives::Score => "match_address_score",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.gives {
            Gives::Uprn => DataType::Int64,
            Gives::Score => DataType::Float64,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let arrays = arrays.iter().map(|array| cast(array, &DataType::Utf8)).collect::<Result<Vec<_>, _>>()?;
        let [texts, postcode @ ..] = arrays.as_slice() else {
            return Err(DataFusionError::Internal(format!("{} of no text", self.name())));
        };
        let postcodes = postcode.first().map(|codes| as_string_array(codes)).transpose()?;
        let values = self.of(as_string_array(texts)?, postcodes);
        Ok(if scalar && values.len() == 1 {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?)
        } else {
            ColumnarValue::Array(values)
        })
    }
}
