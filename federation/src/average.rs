//! The average of decimals from their sum and count, by DataFusion's own averager, so that a split average equals a whole one.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Builder};
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, Int64Type, i256};
use datafusion::common::{exec_datafusion_err, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::aggregate::utils::DecimalAverager;

/// `sum / count` as a decimal of this type; NULL where there is no sum. It is computed at this node only.
pub(crate) fn average(sum: Expr, count: Expr, precision: u8, scale: i8) -> Expr {
    static SIGNATURE: LazyLock<Signature> = LazyLock::new(|| Signature::any(2, Volatility::Immutable));
    ScalarUDF::from(Average { precision, scale, signature: SIGNATURE.clone() }).call(vec![sum, count])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Average {
    precision: u8,
    scale: i8,
    signature: Signature,
}

impl ScalarUDFImpl for Average {
    fn name(&self) -> &str {
        "average_of_sum_and_count"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(DataType::Decimal128(self.precision, self.scale))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let [sums, counts] = arrays.as_slice() else { return plan_err!("an average takes a sum and a count") };
        let DataType::Decimal128(_, sum_scale) = sums.data_type() else {
            return plan_err!("an average of {} is not computed from parts", sums.data_type());
        };
        let averager = DecimalAverager::<Decimal256Type>::try_new(*sum_scale, self.precision, self.scale)?;
        let mut result =
            Decimal128Builder::with_capacity(sums.len()).with_precision_and_scale(self.precision, self.scale)?;
        for (sum, count) in sums.as_primitive::<Decimal128Type>().iter().zip(counts.as_primitive::<Int64Type>().iter())
        {
            match (sum, count) {
                (Some(sum), Some(count)) if count > 0 => {
                    let value = averager.avg(i256::from_i128(sum), i256::from_i128(count.into()))?;
                    let value =
                        value.to_i128().ok_or_else(|| exec_datafusion_err!("an average does not fit its type"))?;
                    result.append_value(value);
                }
                _ => result.append_null(),
            }
        }
        let result: ArrayRef = Arc::new(result.finish());
        Ok(ColumnarValue::Array(result))
    }
}
