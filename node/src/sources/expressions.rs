//! What is done to each row of a dataset with a unit, as functions that no SQL can name: they hold keys and values, and show
//! neither.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, UInt64Array};
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::common::cast::as_uint64_array;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::promises::{record_keys, with_record_key};
use super::units;

/// What is done to a row.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// The hash of the unit that its one argument names.
    Unit { key: [u8; 16] },
    /// The hash of the unit that the row itself is, of which no two are equal: over all columns.
    EachRow { key: [u8; 16] },
    /// Whether the row may be used: none of its units, which are the arguments, is left out.
    Kept { left_out: Arc<HashSet<u64>> },
    /// A column with right values in the rows of some units: over the column and the row's unit.
    Overlay { values: HashMap<u64, ScalarValue> },
    /// The hash of a unit whose record key the owner gives: over the unit and its key.
    Keyed,
}

impl Step {
    /// As an expression over its arguments.
    pub(super) fn over(self, args: Vec<Expr>) -> Expr {
        Expr::ScalarFunction(ScalarFunction { func: self.function(), args })
    }

    /// As a function.
    pub(super) fn function(self) -> Arc<ScalarUDF> {
        let signature = match &self {
            Self::Unit { .. } => Signature::any(1, Volatility::Immutable),
            Self::EachRow { .. } | Self::Kept { .. } => Signature::variadic_any(Volatility::Immutable),
            Self::Overlay { .. } | Self::Keyed => Signature::any(2, Volatility::Immutable),
        };
        Arc::new(ScalarUDF::new_from_impl(OverRows { step: self, signature }))
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Unit { .. } | Self::EachRow { .. } => "unit_of",
            Self::Kept { .. } => "may_be_used",
            Self::Overlay { .. } => "rectified",
            Self::Keyed => "with_record_key",
        }
    }

    fn done(&self, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        Ok(match (self, columns) {
            (Self::Unit { key }, [column]) => {
                let hashes: UInt64Array = units::of_column(key, column).ok_or_else(malformed)?.into();
                Arc::new(hashes)
            }
            (Self::EachRow { key }, columns) => Arc::new(UInt64Array::from_iter_values(units::of_rows(key, columns)?)),
            (Self::Kept { left_out }, units) => {
                let mut kept = vec![true; rows];
                for units in units {
                    for (kept, unit) in kept.iter_mut().zip(as_uint64_array(units)?) {
                        *kept &= !unit.is_some_and(|unit| left_out.contains(&unit));
                    }
                }
                Arc::new(BooleanArray::from(kept))
            }
            (Self::Overlay { values }, [column, units]) => overlaid(values, column, as_uint64_array(units)?)?,
            (Self::Keyed, [units, keys]) => {
                let keys = record_keys(keys).ok_or_else(malformed)?;
                let keyed = as_uint64_array(units)?.iter().zip(keys);
                let keyed: UInt64Array = keyed.map(|(unit, key)| Some(with_record_key(unit?, key?))).collect();
                Arc::new(keyed)
            }
            _ => return Err(malformed()),
        })
    }
}

impl Hash for Step {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Self::Unit { key } | Self::EachRow { key } => key.hash(state),
            Self::Kept { left_out } => left_out.len().hash(state),
            Self::Overlay { values } => values.len().hash(state),
            Self::Keyed => {}
        }
    }
}

/// Its name, and nothing of what it holds.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A step as the engine calls it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct OverRows {
    pub(super) step: Step,
    signature: Signature,
}

impl ScalarUDFImpl for OverRows {
    fn name(&self) -> &str {
        self.step.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match self.step {
            Step::Unit { .. } | Step::EachRow { .. } | Step::Keyed => Ok(DataType::UInt64),
            Step::Kept { .. } => Ok(DataType::Boolean),
            Step::Overlay { .. } => types.first().cloned().ok_or_else(malformed),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = spread(ColumnarValue::values_to_arrays(&args.args)?, args.number_rows)?;
        self.step.done(&columns, args.number_rows).map(ColumnarValue::Array)
    }
}

/// Constants among columns as long as these.
fn spread(columns: Vec<ArrayRef>, rows: usize) -> Result<Vec<ArrayRef>> {
    let spread = |column: ArrayRef| match column.len() {
        1 if rows != 1 => ScalarValue::try_from_array(&column, 0)?.to_array_of_size(rows),
        _ => Ok(column),
    };
    columns.into_iter().map(spread).collect()
}

/// The values of units in place of a column's own.
fn overlaid(values: &HashMap<u64, ScalarValue>, column: &ArrayRef, units: &UInt64Array) -> Result<ArrayRef> {
    let found: HashSet<u64> = units.iter().flatten().filter(|unit| values.contains_key(unit)).collect();
    let mut right = Arc::clone(column);
    for (unit, value) in values.iter().filter(|(unit, _)| found.contains(unit)) {
        let here: BooleanArray = units.iter().map(|at| Some(at == Some(*unit))).collect();
        right = zip(&here, &value.to_scalar()?, &right)?;
    }
    Ok(right)
}

fn malformed() -> DataFusionError {
    DataFusionError::Internal("what is done to rows for their units is malformed".into())
}
