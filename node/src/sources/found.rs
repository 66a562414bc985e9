//! Finds the rows of some units, as the source has them now and as the snapshot in force has them.

use std::collections::HashSet;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use chrono::{DateTime, Utc};
use datafusion::prelude::SessionContext;

use super::behind::Behind;
use super::marked::{Hashes, named, outer_hashes};
use super::snapshot::Snapshot;
use super::{SourceError, SourceSpec, held, published_schema};

/// Where rows are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the source, through the mapping, whoever may not be used included.
    Source,
    /// In the snapshot that queries see.
    Snapshot,
}

/// The rows of some units at one place.
#[derive(Debug)]
pub struct Found {
    /// Where.
    pub place: Place,
    /// Published columns; none is empty.
    pub batches: Vec<RecordBatch>,
    /// The units that these rows belong to, of the kind that the dataset declares.
    pub outer: HashSet<u64>,
}

impl Found {
    fn nothing(place: Place) -> Self {
        Self { place, batches: Vec::new(), outer: HashSet::new() }
    }

    /// Adds those rows of a batch that are of these units.
    fn add(&mut self, spec: &SourceSpec, units: &HashSet<u64>, batch: &RecordBatch) -> Result<(), SourceError> {
        let published = published_schema(&spec.dataset);
        let columns = batch.columns().iter().take(published.fields().len()).cloned().collect();
        let batch = RecordBatch::try_new(published, columns).map_err(|_| SourceError::evaluation(spec))?;
        let (own, outer) = hashes(spec, &batch)?;
        let at = |hashes: &Hashes, row: usize| hashes.get(row).copied().flatten();
        let is_in = |hash: Option<u64>| hash.is_some_and(|hash| units.contains(&hash));
        let here: Vec<bool> = (0..batch.num_rows()).map(|row| is_in(at(&own, row)) || is_in(at(&outer, row))).collect();
        self.outer.extend(here.iter().enumerate().filter(|(_, here)| **here).filter_map(|(row, _)| at(&outer, row)));
        let rows = filter_record_batch(&batch, &BooleanArray::from(here)).map_err(|_| SourceError::evaluation(spec))?;
        if rows.num_rows() > 0 {
            self.batches.push(rows);
        }
        Ok(())
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

/// The rows whose units, own or those that they belong to, are among `units`.
///
/// No right is applied to what the source holds: this is for those whom the rows are about.
pub async fn found(
    spec: &SourceSpec,
    units: &HashSet<u64>,
    context: &SessionContext,
    now: DateTime<Utc>,
) -> Result<Vec<Found>, SourceError> {
    let mut all = vec![in_source(spec, units, context).await?];
    if let Some(snapshot) = Snapshot::of(spec, now)?
        && let Some(kept) = super::blocking(spec, move || snapshot.read()).await?
    {
        let mut found = Found::nothing(Place::Snapshot);
        kept.batches.iter().try_for_each(|batch| found.add(spec, units, batch))?;
        all.push(found);
    }
    Ok(all)
}

/// The same, in the source alone.
pub async fn in_source(
    spec: &SourceSpec,
    units: &HashSet<u64>,
    context: &SessionContext,
) -> Result<Found, SourceError> {
    let mut found = Found::nothing(Place::Source);
    held::each(spec, &Behind::of(spec).await?, context, |batch| found.add(spec, units, batch)).await?;
    Ok(found)
}

/// The units of a batch's rows, and those that they belong to.
fn hashes(spec: &SourceSpec, batch: &RecordBatch) -> Result<(Hashes, Hashes), SourceError> {
    let Some(unit) = &spec.unit else { return Ok((Vec::new(), Vec::new())) };
    let own = unit.column.as_ref().map_or(Ok(Vec::new()), |name| named(spec, name, &unit.key, batch))?;
    Ok((own, outer_hashes(spec, unit, batch)?))
}
