//! Keys as literals: which types have exact ones, and the distinct values of a column that rows of another type can equal.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef};
use arrow::compute::kernels::cmp::eq;
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::logical_expr::{Expr, lit};

use super::MOST_KEYS;
use crate::rel;

/// Whether what is written in SQL is read as the same value.
pub(super) fn is_exact(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::Boolean | DataType::Date32 | DataType::Decimal128(..))
        || data_type.is_signed_integer()
}

/// The distinct keys of one column, as values of the column at the other body.
pub(super) struct Keys {
    data_type: DataType,
    found: HashSet<ScalarValue>,
}

impl Keys {
    /// None yet, of a column of this type.
    pub(super) fn new(data_type: DataType) -> Self {
        Self { data_type, found: HashSet::new() }
    }

    /// Adds those of a batch; NULL equals nothing. Whether there are few enough still.
    pub(super) fn add(&mut self, keys: &ArrayRef) -> Result<bool> {
        let safe = CastOptions { safe: true, ..CastOptions::default() };
        // What no value of the other column is cast to has no partner there.
        let there = cast_with_options(keys, &self.data_type, &safe)?;
        let back = cast_with_options(&there, keys.data_type(), &safe)?;
        let same = eq(&back, keys)?;
        for (row, same) in same.iter().enumerate() {
            if same == Some(true) {
                self.found.insert(ScalarValue::try_from_array(&there, row)?);
                if self.found.len() > MOST_KEYS {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// How many there are.
    pub(super) fn number(&self) -> usize {
        self.found.len()
    }

    /// That the column at this position is one of them; there must be some.
    pub(super) fn condition(&self, position: usize) -> Expr {
        let mut keys: Vec<&ScalarValue> = self.found.iter().collect();
        // The same question is the same text.
        keys.sort_by(|one, other| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal));
        rel::column(position).in_list(keys.into_iter().map(|key| lit(key.clone())).collect(), false)
    }
}
