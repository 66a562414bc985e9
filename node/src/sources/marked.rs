//! Puts the unit's hash behind each row; rectifies values first, and leaves out the rows of units that are not to be used.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt64Array};
use arrow::compute::kernels::cmp::distinct;
use arrow::compute::kernels::zip::zip;
use arrow::compute::{and, filter_record_batch};
use arrow::error::ArrowError;

use super::held::held_schema;
use super::promises::Promises;
use super::units::Part;
use super::{Rectified, SourceError, SourceSpec, UnitSpec, arrow_type, literal, published_schema, units};

pub(super) type Hashes = Vec<Option<u64>>;

/// Rows as they are held.
pub(super) struct Marked {
    pub(super) batches: Vec<RecordBatch>,
    /// The entries whose right values the source holds by now, in all rows of the unit.
    pub(super) corrected: Vec<u64>,
}

/// Published columns as they are held. Batches come in the source's order and are consumed one by one, so that no two
/// copies of all rows exist.
pub(super) fn mark(spec: &SourceSpec, batches: Vec<RecordBatch>) -> Result<Marked, SourceError> {
    let Some(unit) = &spec.unit else {
        let held = batches.into_iter().map(|batch| RecordBatch::try_new(held_schema(spec), batch.columns().to_vec()));
        let batches = held.collect::<Result<_, _>>().map_err(|_| SourceError::evaluation(spec))?;
        return Ok(Marked { batches, corrected: Vec::new() });
    };
    let mut marker = Marker::new(spec, unit, Part::WHOLE)?;
    let batches = batches.into_iter().map(|batch| marker.batch(&batch)).collect::<Result<_, _>>()?;
    Ok(Marked { batches, corrected: marker.finish()?.corrected })
}

/// What was found where a right value overlays the source's.
#[derive(Clone, Copy, Default)]
struct Overlaid {
    rows: usize,
    wrong: usize,
}

/// Marks rows batch by batch, and learns whether they are what the dataset promises.
pub(super) struct Marker<'a> {
    spec: &'a SourceSpec,
    unit: &'a UnitSpec,
    rows: units::Rows,
    promises: Promises<'a>,
    /// One for each rectified value.
    overlays: Vec<Overlaid>,
    part: Part,
}

/// What was learnt of all rows.
pub(super) struct Learnt {
    /// The entries whose right values the source holds by now, in all rows of the unit.
    pub(super) corrected: Vec<u64>,
    /// Rows that are units themselves and equal to one before them.
    pub(super) repeated: u64,
}

impl<'a> Marker<'a> {
    /// Before the first row; what is promised of units is learnt of those of one part.
    pub(super) fn new(spec: &'a SourceSpec, unit: &'a UnitSpec, part: Part) -> Result<Self, SourceError> {
        let types = spec.dataset.columns.iter().map(|column| arrow_type(column.column_type));
        let rows = units::Rows::new(types).map_err(|_| SourceError::evaluation(spec))?;
        let overlays = spec.rights.rectified.iter().map(|_| Overlaid::default()).collect();
        let mut marker = Self { spec, unit, rows, promises: Promises::new(spec, unit, part), overlays, part };
        // What can't be marked at all is refused also where there are no rows.
        marker.batch(&RecordBatch::new_empty(published_schema(&spec.dataset)))?;
        Ok(marker)
    }

    /// What was learnt, if the promises on all rows together were kept.
    pub(super) fn finish(self) -> Result<Learnt, SourceError> {
        self.promises.kept()?;
        Ok(Learnt { corrected: self.corrected(), repeated: self.rows.repeated() })
    }

    /// The next rows as they are held.
    pub(super) fn batch(&mut self, batch: &RecordBatch) -> Result<RecordBatch, SourceError> {
        let found = self.hashes(batch)?;
        let outer = outer_hashes(self.spec, self.unit, batch)?;
        let (batch, hashes) = self.rectified(batch, &found)?;
        // Whoever objects is left out under the name that the source has, and under the one that is right.
        let mut kept = vec![true; batch.num_rows()];
        for names in [&found, &hashes, &outer, &outer_hashes(self.spec, self.unit, &batch)?] {
            for (kept, hash) in kept.iter_mut().zip(names) {
                *kept &= !hash.is_some_and(|hash| self.spec.rights.left_out.contains(&hash));
            }
        }
        let hashes = self.promises.check(&batch, hashes, &kept)?;
        self.held(&batch, hashes, kept).map_err(|_| SourceError::evaluation(self.spec))
    }

    fn hashes(&mut self, batch: &RecordBatch) -> Result<Hashes, SourceError> {
        match &self.unit.column {
            Some(name) => named(self.spec, name, &self.unit.key, batch),
            None => {
                self.rows.of_batch(&self.unit.key, batch, self.part).map_err(|_| SourceError::evaluation(self.spec))
            }
        }
    }

    fn corrected(&self) -> Vec<u64> {
        let rectified = self.spec.rights.rectified.iter();
        // An entry of several values is through when all are, and a unit without rows tells nothing.
        let found: Vec<_> = rectified.zip(&self.overlays).filter(|(_, overlaid)| overlaid.rows > 0).collect();
        let wrong = |entry: u64| found.iter().any(|(of, overlaid)| of.entry == entry && overlaid.wrong > 0);
        let mut entries: Vec<u64> = found.iter().map(|(of, _)| of.entry).filter(|entry| !wrong(*entry)).collect();
        entries.dedup();
        entries
    }

    /// Right values in place of wrong ones, and the hashes that come of it.
    fn rectified(&mut self, batch: &RecordBatch, hashes: &[Option<u64>]) -> Result<(RecordBatch, Hashes), SourceError> {
        if self.spec.rights.rectified.is_empty() || self.unit.column.is_none() {
            return Ok((batch.clone(), hashes.to_vec()));
        }
        let mut right = batch.clone();
        for (entry, found) in self.spec.rights.rectified.iter().zip(&mut self.overlays) {
            right = overlaid(self.spec, &right, hashes, entry, found)?;
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

/// The hashes of the units that a column names.
pub(super) fn named(
    spec: &SourceSpec,
    name: &meridian_proto::Name,
    key: &[u8; 16],
    batch: &RecordBatch,
) -> Result<Hashes, SourceError> {
    units::of_column(key, published(spec, batch, name)?).ok_or_else(|| {
        SourceError::unit(
            spec,
            name,
            "neither doubles, which are not exact, nor bytes name a unit; choose another column",
        )
    })
}

/// The hashes of the units to which the rows' units belong; none where they belong to no other.
pub(super) fn outer_hashes(spec: &SourceSpec, unit: &UnitSpec, batch: &RecordBatch) -> Result<Hashes, SourceError> {
    unit.belongs_to.as_ref().map_or(Ok(Vec::new()), |outer| named(spec, &outer.column, &outer.key, batch))
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
    found: &mut Overlaid,
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
    let mut overlay = |mut columns: Vec<ArrayRef>| {
        let column = columns.get_mut(at).ok_or_else(|| ArrowError::SchemaError(String::new()))?;
        let wrong = and(&here, &distinct(column, &value)?)?;
        found.rows += here.true_count();
        found.wrong += wrong.true_count();
        *column = zip(&here, &value, &Arc::clone(column))?;
        RecordBatch::try_new(batch.schema(), columns)
    };
    overlay(batch.columns().to_vec()).map_err(|_| wrong())
}
