//! A measure in fixed point within its declared bounds, in one pass over its values.
//!
//! Where every value within the bounds fits, that is a 64-bit integer, which costs half of what a decimal does.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;
use serde::{Deserialize, Serialize};

use crate::portable;

/// `value` times 10^`decimals`, rounded, as a 64-bit integer or a Decimal128(38, `decimals`); where it lies outside of
/// `low` and `high` the nearer of them, which are of its own type. NULL, NaN and what has more than 38 digits become NULL.
pub(super) fn fixed(value: Expr, low: ScalarValue, high: ScalarValue, decimals: i8) -> Expr {
    let func = Arc::new(ScalarUDF::new_from_impl(Fixed::new(low, high, decimals)));
    Expr::ScalarFunction(ScalarFunction { func, args: vec![value] })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Fixed {
    /// Tells bounds apart where plans are compared by their text.
    name: String,
    low: ScalarValue,
    high: ScalarValue,
    decimals: i8,
    /// 10^`decimals`, if both bounds times it are 64-bit integers.
    scale: Option<i64>,
    signature: Signature,
}

/// The function as it goes to a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ShippedFixed {
    low: Vec<u8>,
    high: Vec<u8>,
    decimals: i8,
}

/// The function, if it is this one.
pub(in super::super) fn ship(function: &ScalarUDF) -> Result<Option<ShippedFixed>> {
    let Some(fixed) = function.inner().downcast_ref::<Fixed>() else { return Ok(None) };
    let (low, high) = (portable::of_value(&fixed.low)?, portable::of_value(&fixed.high)?);
    Ok(Some(ShippedFixed { low, high, decimals: fixed.decimals }))
}

impl ShippedFixed {
    /// The function.
    pub(in super::super) fn function(self) -> Result<Arc<ScalarUDF>> {
        let (low, high) = (portable::value(&self.low)?, portable::value(&self.high)?);
        Ok(Arc::new(ScalarUDF::new_from_impl(Fixed::new(low, high, self.decimals))))
    }
}

impl ScalarUDFImpl for Fixed {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.fixed_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = args.args.as_slice() else {
            return Err(DataFusionError::Internal("fixed point of several values".into()));
        };
        match value {
            ColumnarValue::Array(values) => Ok(ColumnarValue::Array(self.of(values)?)),
            ColumnarValue::Scalar(value) => {
                let one = self.of(&value.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&one, 0)?))
            }
        }
    }
}

impl Fixed {
    fn new(low: ScalarValue, high: ScalarValue, decimals: i8) -> Self {
        let name = format!("fixed_point({low} to {high}, {decimals} decimals)");
        let scale = u32::try_from(decimals).ok().and_then(|decimals| 10_i64.checked_pow(decimals));
        let fits = |bound: &ScalarValue| {
            let scaled = bound.cast_to(&DataType::Int64).ok().and_then(|bound| match bound {
                ScalarValue::Int64(bound) => bound?.checked_mul(scale?),
                _ => None,
            });
            bound.data_type().is_integer() && scaled.is_some()
        };
        let scale = scale.filter(|_| fits(&low) && fits(&high));
        Self { name, low, high, decimals, scale, signature: Signature::any(1, Volatility::Immutable) }
    }

    fn fixed_type(&self) -> DataType {
        if self.scale.is_some() { DataType::Int64 } else { DataType::Decimal128(38, self.decimals) }
    }

    fn of(&self, values: &ArrayRef) -> Result<ArrayRef> {
        let within = match values.data_type() {
            DataType::Int8 => self.whole::<Int8Type>(values)?,
            DataType::Int16 => self.whole::<Int16Type>(values)?,
            DataType::Int32 => self.whole::<Int32Type>(values)?,
            DataType::Int64 => self.whole::<Int64Type>(values)?,
            DataType::Float32 => Arc::new(self.within::<Float32Type>(values)?),
            DataType::Float64 => Arc::new(self.within::<Float64Type>(values)?),
            DataType::Decimal128(_, _) => {
                Arc::new(self.within::<Decimal128Type>(values)?.with_data_type(values.data_type().clone()))
            }
            other => return Err(DataFusionError::Internal(format!("fixed point of {other}"))),
        };
        if self.scale.is_some() {
            return Ok(within);
        }
        let options = CastOptions { safe: true, ..CastOptions::default() };
        Ok(cast_with_options(&within, &self.fixed_type(), &options)?)
    }

    /// Whole numbers, at the scale if there is one.
    fn whole<T: ArrowPrimitiveType>(&self, values: &ArrayRef) -> Result<ArrayRef>
    where
        T::Native: Into<i64> + PartialOrd,
    {
        let Some(scale) = self.scale else { return Ok(Arc::new(self.within::<T>(values)?)) };
        let (low, high) = self.bounds::<T>()?;
        let numbers = primitive::<T>(values)?;
        // Where something lies beyond a bound, the difference to that bound or, if that has overflowed, to the other has a sign.
        let (lowest, highest): (i64, i64) = (low.into(), high.into());
        let beyond = numbers.values().iter().fold(0, |signs, value| {
            let value: i64 = (*value).into();
            signs | value.wrapping_sub(lowest) | highest.wrapping_sub(value)
        });
        // Both bounds fit, and so does what lies between them.
        Ok(match beyond >= 0 {
            true if scale == 1 && T::DATA_TYPE == DataType::Int64 => Arc::clone(values),
            true => Arc::new(numbers.unary::<_, Int64Type>(|value| value.into().wrapping_mul(scale))),
            false => {
                Arc::new(numbers.unary::<_, Int64Type>(|value| clamped(value, low, high).into().wrapping_mul(scale)))
            }
        })
    }

    fn within<T: ArrowPrimitiveType>(&self, values: &ArrayRef) -> Result<PrimitiveArray<T>>
    where
        T::Native: PartialOrd,
    {
        let (low, high) = self.bounds::<T>()?;
        Ok(primitive::<T>(values)?.unary(|value| clamped(value, low, high)))
    }

    fn bounds<T: ArrowPrimitiveType>(&self) -> Result<(T::Native, T::Native)> {
        let bound = |of: &ScalarValue| Ok::<_, DataFusionError>(primitive::<T>(&of.to_array()?)?.value(0));
        Ok((bound(&self.low)?, bound(&self.high)?))
    }
}

fn primitive<T: ArrowPrimitiveType>(values: &ArrayRef) -> Result<&PrimitiveArray<T>> {
    let typed = values.as_primitive_opt::<T>();
    typed.ok_or_else(|| DataFusionError::Internal("a measure and its bounds are of two types".into()))
}

/// NaN, which lies on no side, stays.
fn clamped<N: PartialOrd>(value: N, low: N, high: N) -> N {
    if value < low {
        low
    } else if value > high {
        high
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{Decimal128Array, Float64Array, Int32Array, Int64Array};

    use super::*;

    fn of(values: ArrayRef, low: ScalarValue, high: ScalarValue, decimals: i8) -> ArrayRef {
        let fixed = Fixed::new(low, high, decimals);
        let values = fixed.of(&values).unwrap();
        assert_eq!(values.data_type(), &fixed.fixed_type());
        values
    }

    fn integers(values: &ArrayRef) -> Vec<Option<i64>> {
        values.as_primitive::<Int64Type>().iter().collect()
    }

    fn decimals(values: &ArrayRef) -> Vec<Option<i128>> {
        values.as_primitive::<Decimal128Type>().iter().collect()
    }

    #[test]
    fn whole_numbers_are_kept_within_their_bounds_at_the_scale() {
        let values = Arc::new(Int64Array::from(vec![Some(i64::MIN), Some(-3), None, Some(7), Some(i64::MAX)]));
        let long = |value| ScalarValue::Int64(Some(value));
        let fixed = of(values.clone(), long(-2), long(5), 2);
        assert_eq!(integers(&fixed), [Some(-200), Some(-200), None, Some(500), Some(500)]);
        let fixed = of(values.clone(), long(i64::MIN), long(i64::MAX), 0);
        assert_eq!(integers(&fixed), values.iter().collect::<Vec<_>>());
        // The widest bounds do not fit at a scale, and have too many digits at the next.
        let fixed = of(values.clone(), long(i64::MIN), long(i64::MAX), 19);
        assert_eq!(decimals(&fixed).last(), Some(&Some(i128::from(i64::MAX) * 10_i128.pow(19))));
        let more = of(values, long(i64::MIN), long(i64::MAX), 25);
        assert_eq!(decimals(&more), [None, Some(-3 * 10_i128.pow(25)), None, Some(7 * 10_i128.pow(25)), None]);
        let int = |value| ScalarValue::Int32(Some(value));
        let fixed = of(Arc::new(Int32Array::from(vec![-9, 4, 9])), int(-5), int(5), 9);
        assert_eq!(integers(&fixed), [Some(-5_000_000_000), Some(4_000_000_000), Some(5_000_000_000)]);
    }

    #[test]
    fn every_value_beside_a_bound_is_kept_within_it() {
        let ends = [i64::MIN, -2, 0, 1, 5, i64::MAX];
        let values: Vec<i64> = ends.iter().flat_map(|end| [end.wrapping_sub(1), *end, end.wrapping_add(1)]).collect();
        for (low, high) in
            ends.iter().flat_map(|low| ends.iter().map(move |high| (*low, *high))).filter(|(low, high)| low <= high)
        {
            for value in &values {
                let one = Arc::new(Int64Array::from(vec![*value]));
                let fixed = of(one, ScalarValue::Int64(Some(low)), ScalarValue::Int64(Some(high)), 0);
                assert_eq!(integers(&fixed), [Some((*value).clamp(low, high))], "{value} from {low} to {high}");
            }
        }
    }

    #[test]
    fn what_is_no_number_or_has_no_place_is_null() {
        let floats = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.25, -0.004, 1e300];
        let floats = Arc::new(Float64Array::from(floats.to_vec()));
        let double = |value| ScalarValue::Float64(Some(value));
        let fixed = of(floats.clone(), double(-10.0), double(10.0), 2);
        assert_eq!(decimals(&fixed), [None, Some(1_000), Some(-1_000), Some(125), Some(0), Some(1_000)]);
        assert_eq!(decimals(&of(floats, double(-1e308), double(1e308), 2)).last(), Some(&None));
    }

    #[test]
    fn decimals_change_their_scale() {
        let values = Decimal128Array::from(vec![Some(-1_234), Some(99_999), None]);
        let values = values.with_data_type(DataType::Decimal128(7, 2));
        let decimal = |value| ScalarValue::Decimal128(Some(value), 7, 2);
        let fixed = of(Arc::new(values), decimal(0), decimal(50_000), 4);
        assert_eq!(decimals(&fixed), [Some(0), Some(5_000_000), None]);
    }
}
