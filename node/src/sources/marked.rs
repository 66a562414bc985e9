//! Puts the unit's hash behind each row; rectifies values first, and leaves out the rows of units that are not to be used.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt64Array};
use arrow::compute::filter_record_batch;
use arrow::compute::kernels::zip::zip;
use arrow::error::ArrowError;

use super::held::held_schema;
use super::promises::Promises;
use super::{Rectified, SourceError, SourceSpec, UnitSpec, arrow_type, literal, published_schema, units};

type Hashes = Vec<Option<u64>>;

/// Published columns as they are held. Batches come in the source's order and are consumed one by one, so that no two
/// copies of all rows exist.
pub(super) fn mark(spec: &SourceSpec, batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, SourceError> {
    let Some(unit) = &spec.unit else {
        let held = batches.into_iter().map(|batch| RecordBatch::try_new(held_schema(spec), batch.columns().to_vec()));
        return held.collect::<Result<_, _>>().map_err(|_| SourceError::evaluation(spec));
    };
    let types = spec.dataset.columns.iter().map(|column| arrow_type(column.column_type));
    let rows = units::Rows::new(types).map_err(|_| SourceError::evaluation(spec))?;
    let mut marker = Marker { spec, unit, rows, promises: Promises::new(spec, unit) };
    // What can't be marked at all is refused also where there are no rows.
    marker.batch(&RecordBatch::new_empty(published_schema(&spec.dataset)))?;
    let marked = batches.into_iter().map(|batch| marker.batch(&batch)).collect::<Result<_, _>>()?;
    marker.promises.kept()?;
    Ok(marked)
}

struct Marker<'a> {
    spec: &'a SourceSpec,
    unit: &'a UnitSpec,
    rows: units::Rows,
    promises: Promises<'a>,
}

impl Marker<'_> {
    fn batch(&mut self, batch: &RecordBatch) -> Result<RecordBatch, SourceError> {
        let found = self.hashes(batch)?;
        let (batch, hashes) = self.rectified(batch, &found)?;
        let out = |hash: &Option<u64>| hash.is_some_and(|hash| self.spec.left_out.contains(&hash));
        // Whoever objects is left out under the name that the source has, and under the one that is right.
        let kept: Vec<bool> = found.iter().zip(&hashes).map(|(found, right)| !out(found) && !out(right)).collect();
        let hashes = self.promises.check(&batch, hashes, &kept)?;
        self.held(&batch, hashes, kept).map_err(|_| SourceError::evaluation(self.spec))
    }

    fn hashes(&mut self, batch: &RecordBatch) -> Result<Hashes, SourceError> {
        let Some(name) = &self.unit.column else {
            return self.rows.of_batch(&self.unit.key, batch).map_err(|_| SourceError::evaluation(self.spec));
        };
        let column = published(self.spec, batch, name)?;
        units::of_column(&self.unit.key, column).ok_or_else(|| {
            SourceError::unit(self.spec, name, "doubles are not exact, and so name no unit; choose another column")
        })
    }

    /// Right values in place of wrong ones, and the hashes that come of it.
    fn rectified(&mut self, batch: &RecordBatch, hashes: &[Option<u64>]) -> Result<(RecordBatch, Hashes), SourceError> {
        if self.spec.rectified.is_empty() || self.unit.column.is_none() {
            return Ok((batch.clone(), hashes.to_vec()));
        }
        let mut right = batch.clone();
        for entry in &self.spec.rectified {
            right = overlaid(self.spec, &right, hashes, entry)?;
        }
        let hashes = self.hashes(&right)?;
        Ok((right, hashes))
    }

    fn held(&self, batch: &RecordBatch, hashes: Hashes, kept: Vec<bool>) -> Result<RecordBatch, ArrowError> {
        let hashes: ArrayRef = Arc::new(UInt64Array::from(hashes));
        let columns = batch.columns().iter().cloned().chain([hashes]).collect();
        let held = RecordBatch::try_new(held_schema(self.spec), columns)?;
        if kept.iter().all(|kept| *kept) { Ok(held) } else { filter_record_batch(&held, &BooleanArray::from(kept)) }
    }
}

/// A published column of a batch.
pub(super) fn published<'a>(
    spec: &SourceSpec,
    batch: &'a RecordBatch,
    name: &meridian_proto::Name,
) -> Result<&'a ArrayRef, SourceError> {
    let column = batch.column_by_name(name.as_str());
    column.ok_or_else(|| SourceError::unit(spec, name, "it is not published; add it to [[columns]]"))
}

/// The batch with one value in every row of one unit.
fn overlaid(
    spec: &SourceSpec,
    batch: &RecordBatch,
    hashes: &[Option<u64>],
    entry: &Rectified,
) -> Result<RecordBatch, SourceError> {
    let (dataset, column) = (spec.dataset.name.clone(), entry.column.clone());
    let wrong = || SourceError::Rectified { dataset: dataset.clone(), column: column.clone() };
    let at = batch.schema().index_of(entry.column.as_str()).map_err(|_| wrong())?;
    let column_type = spec.dataset.columns.get(at).ok_or_else(wrong)?.column_type;
    let value = literal(column_type, &entry.value).and_then(|value| value.to_scalar().ok()).ok_or_else(wrong)?;
    let here: BooleanArray = hashes.iter().map(|hash| Some(*hash == Some(entry.unit))).collect();
    if !here.has_true() {
        return Ok(batch.clone());
    }
    let overlay = |mut columns: Vec<ArrayRef>| {
        let column = columns.get_mut(at).ok_or_else(|| ArrowError::SchemaError(String::new()))?;
        *column = zip(&here, &value, &Arc::clone(column))?;
        RecordBatch::try_new(batch.schema(), columns)
    };
    overlay(batch.columns().to_vec()).map_err(|_| wrong())
}
