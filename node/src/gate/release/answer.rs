//! The columns that leave a release: labels, and what was released of each; whatever is withheld is NULL.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array, new_null_array};
use arrow::compute::{concat, concat_batches, take};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::error::{DataFusionError, Result};

use super::control::rounded;
use super::seen::{InnerRows, Label, inner_rows, label, labelled, percentile_of, released};
use super::settle::{Grouped, in_order};
use super::{Kind, Output, Point, Set};

/// The answer: the rows of each grouping, those of one sorted by label.
pub(super) fn table(point: &Point, groups: &[Grouped], schema: &SchemaRef) -> Result<RecordBatch> {
    let inner = inner_rows(point, groups)?;
    let mut batches = Vec::new();
    for (set, group) in point.sets.iter().zip(groups).filter(|(set, _)| set.inner.is_none()) {
        batches.push(grouping(point, set, group, &inner, schema)?);
    }
    Ok(concat_batches(schema, &batches)?)
}

fn grouping(point: &Point, set: &Set, group: &Grouped, inner: &InnerRows, schema: &SchemaRef) -> Result<RecordBatch> {
    let types: Vec<&DataType> = schema.fields().iter().map(|field| field.data_type()).collect();
    let mut visible = Vec::new();
    let mut values: Vec<Vec<ScalarValue>> = vec![Vec::new(); point.outputs.len()];
    for row in 0..group.rows {
        let mut cells = Vec::new();
        for (at, output) in point.outputs.iter().enumerate() {
            let data_type = output_type(point, schema, at);
            cells.push(cell(point, output, at, set, group, row, inner, &data_type)?);
        }
        let shown = cells.iter().any(|cell| !cell.is_null());
        let labelled = point.outputs.is_empty() && labelled(group, row);
        if set.keys.is_empty() || shown || labelled {
            visible.push(row);
            values.iter_mut().zip(cells).for_each(|(column, cell)| column.push(cell));
        }
    }
    let completed = completed(set, group, &visible)?;
    let rows = visible.len() + completed.len();
    let labels = labels(set, group, &visible, &completed)?;
    let mut columns = Vec::new();
    for key in 0..point.keys {
        let data_type = types.get(key).copied().unwrap_or(&DataType::Null);
        let held = set.keys.iter().position(|held| *held == key).and_then(|at| labels.get(at));
        columns.push(held.map_or_else(|| new_null_array(data_type, rows), Arc::clone));
    }
    if let Some(data_type) = &point.numbered {
        columns.push(ScalarValue::UInt64(Some(set.number)).cast_to(data_type)?.to_array_of_size(rows)?);
    }
    for (at, mut column) in values.into_iter().enumerate() {
        let data_type = output_type(point, schema, at);
        column.resize(rows, ScalarValue::try_from(&data_type)?);
        columns.push(if rows == 0 { new_null_array(&data_type, 0) } else { ScalarValue::iter_to_array(column)? });
    }
    let order =
        UInt32Array::from_iter_values(in_order(&labels, rows)?.into_iter().filter_map(|row| u32::try_from(row).ok()));
    let columns = columns.iter().map(|column| take(column, &order, None)).collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options)?)
}

/// Cells of an answer that are there to be seen: what is withheld is NULL, and so is what is completed.
pub(super) fn visible(point: &Point, answer: &RecordBatch) -> usize {
    let labels = point.keys + usize::from(point.numbered.is_some());
    answer.columns().iter().skip(labels).map(|cells| cells.len() - cells.null_count()).sum()
}

/// The type of an output of the answer.
pub(super) fn output_type(point: &Point, schema: &Schema, at: usize) -> DataType {
    let field = schema.fields().get(point.keys + usize::from(point.numbered.is_some()) + at);
    field.map_or(DataType::Null, |field| field.data_type().clone())
}

/// The labels of what is shown, then of what is completed.
fn labels(set: &Set, group: &Grouped, visible: &[usize], completed: &[Label]) -> Result<Vec<ArrayRef>> {
    let picked = UInt32Array::from_iter_values(visible.iter().filter_map(|row| u32::try_from(*row).ok()));
    let mut labels = Vec::with_capacity(set.keys.len());
    for (at, key) in group.keys.iter().take(set.keys.len()).enumerate() {
        let shown = take(key, &picked, None)?;
        let rest: Vec<ScalarValue> = completed.iter().filter_map(|label| label.get(at).cloned()).collect();
        labels.push(if rest.is_empty() {
            shown
        } else {
            let rest = arrow::compute::cast(&ScalarValue::iter_to_array(rest)?, key.data_type())?;
            concat(&[shown.as_ref(), rest.as_ref()])?
        });
    }
    Ok(labels)
}

/// The declared labels of which nothing is shown: zero and withheld look alike.
fn completed(set: &Set, group: &Grouped, visible: &[usize]) -> Result<Vec<Label>> {
    let Some(domain) = &set.domain else { return Ok(Vec::new()) };
    let mut all: Vec<Label> = vec![Vec::new()];
    for values in domain {
        all = all.iter().flat_map(|label| values.iter().map(|value| extended(label, value))).collect();
    }
    let shown = visible.iter().map(|row| label(&group.keys, *row)).collect::<Result<HashSet<_>>>()?;
    Ok(all.into_iter().filter(|label| !shown.contains(label)).collect())
}

fn extended(label: &Label, value: &ScalarValue) -> Label {
    label.iter().cloned().chain([value.clone()]).collect()
}

#[expect(clippy::too_many_arguments, reason = "one cell of a table is found by all of them")]
pub(super) fn cell(
    point: &Point,
    output: &Output,
    at: usize,
    set: &Set,
    group: &Grouped,
    row: usize,
    inner: &InnerRows,
    data_type: &DataType,
) -> Result<ScalarValue> {
    let decimals = |figure: usize| match point.figures.get(figure).map(|of| of.kind) {
        Some(Kind::Magnitude(precision)) => precision.decimals,
        Some(Kind::Units) | None => 0,
    };
    let nothing = ScalarValue::try_from(data_type)?;
    if group.unseen.contains(&(row, at)) {
        return Ok(nothing);
    }
    match output {
        Output::Figure(figure) => {
            released(group, *figure, row).map_or(Ok(nothing), |value| scalar(value, 1, decimals(*figure), data_type))
        }
        Output::Ratio { sum, count } => match (released(group, *sum, row), released(group, *count, row)) {
            (Some(total), Some(number)) if number != 0 => scalar(total, number, decimals(*sum), data_type),
            _ => Ok(nothing),
        },
        Output::Percentile(percentile) => {
            percentile_of(point, percentile, group, row).map_or(Ok(nothing), |value| number(value, data_type))
        }
        Output::Labels => {
            let under = inner.get(&(at, set.keys.clone()));
            let label = label(group.keys.get(..set.keys.len()).unwrap_or_default(), row)?;
            let rows = under.and_then(|under| under.get(&label));
            rows.map_or(Ok(nothing), |rows| scalar(rows.len() as i128, 1, 0, data_type))
        }
    }
}

/// `value` / 10^`decimals` / `divisor` in a type of SQL; NULL where the type has no such value.
fn scalar(value: i128, divisor: i128, decimals: u8, data_type: &DataType) -> Result<ScalarValue> {
    let unit = 10_i128.saturating_pow(u32::from(decimals)).saturating_mul(divisor);
    Ok(match data_type {
        DataType::Int64 => ScalarValue::Int64(i64::try_from(rounded(value, unit)).ok()),
        DataType::UInt64 => ScalarValue::UInt64(u64::try_from(rounded(value, unit)).ok()),
        DataType::Float64 => ScalarValue::Float64(Some(quotient(value, unit))),
        DataType::Decimal128(precision, scale) => {
            let shift = 10_i128.saturating_pow(u32::try_from(*scale).unwrap_or_default());
            let held = value.checked_mul(shift).map(|value| rounded(value, unit));
            let most = 10_i128.saturating_pow(u32::from(*precision));
            ScalarValue::Decimal128(held.filter(|value| value.saturating_abs() < most), *precision, *scale)
        }
        other => return Err(DataFusionError::Internal(format!("a released figure is no {other}"))),
    })
}

/// A number in a type of SQL, whole where the type is.
fn number(value: f64, data_type: &DataType) -> Result<ScalarValue> {
    let value = if data_type.is_integer() { value.round() } else { value };
    ScalarValue::Float64(Some(value)).cast_to(data_type)
}

#[expect(clippy::cast_precision_loss, reason = "a double is asked for")]
fn quotient(value: i128, unit: i128) -> f64 {
    value as f64 / unit as f64
}
