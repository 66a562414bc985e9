//! Withholds what is under the threshold: pure, over all rows of a release point at once.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array};
use arrow::compute::{SortColumn, SortOptions, interleave, lexsort_to_indices, take};
use arrow::datatypes::SchemaRef;
use datafusion::common::cast::as_int64_array;
use datafusion::error::{DataFusionError, Result};

use super::Layout;

/// The rows that leave: cells under the threshold are NULL, rows without a cell are gone, sorted by label.
pub(super) fn withheld(rows: &RecordBatch, layout: Layout, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = rows.columns();
    let (keys, rest) = split(columns, layout.keys)?;
    let (values, units) = split(rest, layout.cells)?;
    let passes = units.iter().map(|units| passing(units, layout.threshold)).collect::<Result<Vec<_>>>()?;
    let order = sorted(keys, rows.num_rows())?;
    let left: Vec<usize> = order
        .into_iter()
        .filter(|row| layout.keys == 0 || passes.iter().any(|cell| cell.get(*row).copied().unwrap_or(false)))
        .collect();
    let mut released = Vec::with_capacity(schema.fields().len());
    let picked = UInt32Array::from_iter_values(left.iter().filter_map(|row| u32::try_from(*row).ok()));
    for key in keys {
        released.push(take(key, &picked, None)?);
    }
    for (value, passes) in values.iter().zip(&passes) {
        released.push(visible(value, passes, &left)?);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(left.len()));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), released, &options)?)
}

/// The values of the rows that leave. A withheld one is taken from an array of NULLs, so that not even the bytes under
/// the NULL are its own.
fn visible(value: &ArrayRef, passes: &[bool], left: &[usize]) -> Result<ArrayRef> {
    let nothing = new_null_array(value.data_type(), 1);
    let from = |row: &usize| if passes.get(*row).copied().unwrap_or(false) { (0, *row) } else { (1, 0) };
    let picked: Vec<(usize, usize)> = left.iter().map(from).collect();
    Ok(interleave(&[value.as_ref(), nothing.as_ref()], &picked)?)
}

fn passing(units: &ArrayRef, threshold: u32) -> Result<Vec<bool>> {
    let units: &Int64Array = as_int64_array(units)?;
    Ok(units.iter().map(|n| n.is_some_and(|n| n >= i64::from(threshold))).collect())
}

fn sorted(keys: &[ArrayRef], rows: usize) -> Result<Vec<usize>> {
    if keys.is_empty() {
        return Ok((0..rows).collect());
    }
    let options = Some(SortOptions { descending: false, nulls_first: false });
    let columns: Vec<SortColumn> = keys.iter().map(|key| SortColumn { values: Arc::clone(key), options }).collect();
    let order = lexsort_to_indices(&columns, None)?;
    Ok(order.values().iter().filter_map(|row| usize::try_from(*row).ok()).collect())
}

fn split(columns: &[ArrayRef], at: usize) -> Result<(&[ArrayRef], &[ArrayRef])> {
    columns.split_at_checked(at).ok_or_else(|| DataFusionError::Internal("a release point has too few columns".into()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use arrow::array::{StringArray, cast::AsArray};
    use arrow::datatypes::{DataType, Field, Int64Type, Schema};

    use super::*;

    fn int(values: &[i64]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    fn batch(columns: Vec<ArrayRef>) -> RecordBatch {
        let fields = columns.iter().enumerate().map(|(i, c)| Field::new(format!("c{i}"), c.data_type().clone(), true));
        RecordBatch::try_new(Arc::new(Schema::new(fields.collect::<Vec<_>>())), columns).unwrap()
    }

    fn schema(cells: usize) -> SchemaRef {
        let mut fields = vec![Field::new("g", DataType::Utf8, true)];
        fields.extend((0..cells).map(|i| Field::new(format!("v{i}"), DataType::Int64, true)));
        Arc::new(Schema::new(fields))
    }

    #[test]
    fn a_withheld_value_leaves_no_bytes_behind() {
        let labels: ArrayRef = Arc::new(StringArray::from(vec!["b", "a", "c"]));
        let rows =
            batch(vec![labels, int(&[7777, 20, 8888]), int(&[30, 20, 9999]), int(&[4, 9, 3]), int(&[10, 20, 4])]);
        let out = withheld(&rows, Layout { keys: 1, cells: 2, threshold: 5 }, &schema(2)).unwrap();
        let labels: Vec<_> = out.column(0).as_string::<i32>().iter().flatten().collect();
        assert_eq!(labels, ["a", "b"]);
        let first = out.column(1).as_primitive::<Int64Type>();
        assert_eq!((first.value(0), first.is_null(1)), (20, true));
        assert_eq!(first.values().to_vec(), [20, 0]);
        let data = out.column(1).to_data();
        assert!(!data.buffers().iter().any(|b| b.as_slice().chunks(8).any(|v| v == 7777_i64.to_le_bytes())));
    }

    #[test]
    fn an_ungrouped_row_stays_when_all_is_withheld() {
        let rows = batch(vec![int(&[4]), int(&[4])]);
        let schema = Arc::new(Schema::new(vec![Field::new("v", DataType::Int64, true)]));
        let out = withheld(&rows, Layout { keys: 0, cells: 1, threshold: 5 }, &schema).unwrap();
        assert_eq!((out.num_rows(), out.column(0).is_null(0)), (1, true));
    }
}
