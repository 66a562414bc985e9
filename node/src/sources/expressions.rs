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

/// The hash of the unit that a row is of.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Unit {
    pub(super) key: [u8; 16],
    /// Whether the row itself is the unit, of which no two are equal; else its one argument names it.
    pub(super) each_row: bool,
    signature: Signature,
}

impl Unit {
    /// A column names it.
    pub(super) fn named(key: [u8; 16]) -> Self {
        Self { key, each_row: false, signature: Signature::any(1, Volatility::Immutable) }
    }

    /// The row is it.
    pub(super) fn row(key: [u8; 16]) -> Self {
        Self { key, each_row: true, signature: Signature::variadic_any(Volatility::Immutable) }
    }

    /// As an expression over the column that names it, or over all columns.
    pub(super) fn over(self, of: Vec<Expr>) -> Expr {
        call(self, of)
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unit").field("each_row", &self.each_row).finish_non_exhaustive()
    }
}

impl ScalarUDFImpl for Unit {
    fn name(&self) -> &str {
        "unit_of"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = spread(ColumnarValue::values_to_arrays(&args.args)?, args.number_rows)?;
        let hashes: UInt64Array = if self.each_row {
            let hashes = units::of_rows(&self.key, &columns)?;
            UInt64Array::from_iter_values(hashes)
        } else {
            let column = columns.first().ok_or_else(malformed)?;
            units::of_column(&self.key, column).ok_or_else(malformed)?.into()
        };
        Ok(ColumnarValue::Array(Arc::new(hashes)))
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

/// Whether a row may be used: none of its units is left out.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) left_out: Arc<HashSet<u64>>,
    signature: Signature,
}

impl Kept {
    /// Without the rows of these units.
    pub(super) fn new(left_out: &Arc<HashSet<u64>>) -> Self {
        Self { left_out: Arc::clone(left_out), signature: Signature::variadic_any(Volatility::Immutable) }
    }

    /// As an expression over the row's units.
    pub(super) fn over(self, units: Vec<Expr>) -> Expr {
        call(self, units)
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.left_out == other.left_out
    }
}

impl Eq for Kept {}

impl Hash for Kept {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.left_out.len().hash(state);
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

impl ScalarUDFImpl for Kept {
    fn name(&self) -> &str {
        "may_be_used"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut kept = vec![true; args.number_rows];
        for units in spread(ColumnarValue::values_to_arrays(&args.args)?, args.number_rows)? {
            for (kept, unit) in kept.iter_mut().zip(as_uint64_array(&units)?) {
                *kept &= !unit.is_some_and(|unit| self.left_out.contains(&unit));
            }
        }
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::from(kept))))
    }
}

/// A column with right values in the rows of some units.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Overlay {
    pub(super) values: HashMap<u64, ScalarValue>,
    signature: Signature,
}

impl Overlay {
    /// With these values of units, a later one in the place of an earlier one.
    pub(super) fn new(values: Vec<(u64, ScalarValue)>) -> Self {
        Self { values: values.into_iter().collect(), signature: Signature::any(2, Volatility::Immutable) }
    }

    /// As an expression over the column and the row's unit.
    pub(super) fn over(self, of: Vec<Expr>) -> Expr {
        call(self, of)
    }
}

impl Hash for Overlay {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.values.len().hash(state);
    }
}

impl fmt::Debug for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overlay").finish_non_exhaustive()
    }
}

impl ScalarUDFImpl for Overlay {
    fn name(&self) -> &str {
        "rectified"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        types.first().cloned().ok_or_else(malformed)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = spread(ColumnarValue::values_to_arrays(&args.args)?, args.number_rows)?;
        let [column, units] = columns.as_slice() else { return Err(malformed()) };
        let units = as_uint64_array(units)?;
        let found: HashSet<u64> = units.iter().flatten().filter(|unit| self.values.contains_key(unit)).collect();
        let mut right = Arc::clone(column);
        for (unit, value) in self.values.iter().filter(|(unit, _)| found.contains(unit)) {
            let here: BooleanArray = units.iter().map(|at| Some(at == Some(*unit))).collect();
            right = zip(&here, &value.to_scalar()?, &right)?;
        }
        Ok(ColumnarValue::Array(right))
    }
}

/// The hash of a unit whose record key the owner gives.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Keyed {
    signature: Signature,
}

impl Keyed {
    /// The only one.
    pub(super) fn new() -> Self {
        Self { signature: Signature::any(2, Volatility::Immutable) }
    }

    /// As an expression over the unit and its key.
    pub(super) fn over(self, of: Vec<Expr>) -> Expr {
        call(self, of)
    }
}

impl ScalarUDFImpl for Keyed {
    fn name(&self) -> &str {
        "with_record_key"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::UInt64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = spread(ColumnarValue::values_to_arrays(&args.args)?, args.number_rows)?;
        let [units, keys] = columns.as_slice() else { return Err(malformed()) };
        let keys = record_keys(keys).ok_or_else(malformed)?;
        let keyed = as_uint64_array(units)?.iter().zip(keys);
        let keyed: UInt64Array = keyed.map(|(unit, key)| Some(with_record_key(unit?, key?))).collect();
        Ok(ColumnarValue::Array(Arc::new(keyed)))
    }
}

fn call(function: impl ScalarUDFImpl + 'static, args: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction { func: Arc::new(ScalarUDF::new_from_impl(function)), args })
}

fn malformed() -> DataFusionError {
    DataFusionError::Internal("what is done to rows for their units is malformed".into())
}
