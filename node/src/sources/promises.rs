//! Checks what a dataset promises of its units: no two rows of one, and record keys.

use std::collections::HashMap;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use meridian_proto::Name;

use super::marked::published;
use super::units::Part;
use super::{SourceError, SourceSpec, UnitSpec};

/// The bits of a hash in whose place a record key stands.
const RECORD_KEY: u64 = 0xff;

/// What is known of the units so far.
pub(super) struct Promises<'a> {
    spec: &'a SourceSpec,
    /// The column that names units, if it promises to name none twice.
    unique: Option<&'a Name>,
    record_key: Option<&'a Name>,
    /// Of which units it is known.
    part: Part,
    /// Units and their record keys.
    seen: HashMap<u64, Option<u8>>,
    rows: u64,
    repeated: u64,
}

impl<'a> Promises<'a> {
    pub(super) fn new(spec: &'a SourceSpec, unit: &'a UnitSpec, part: Part) -> Self {
        // Where each row is a unit none has two.
        let unique = unit.column.as_ref().filter(|_| unit.unique);
        Self { spec, unique, record_key: unit.record_key.as_ref(), part, seen: HashMap::new(), rows: 0, repeated: 0 }
    }

    /// The hashes of the next rows, with record keys in them; rows that are left out promise nothing.
    pub(super) fn check(
        &mut self,
        batch: &RecordBatch,
        mut hashes: Vec<Option<u64>>,
        kept: &[bool],
    ) -> Result<Vec<Option<u64>>, SourceError> {
        let first = self.rows + 1;
        self.rows += batch.num_rows() as u64;
        let kept = |at: &usize| kept.get(*at) == Some(&true);
        let rows = hashes.iter_mut().enumerate().filter(|(at, _)| kept(at));
        match self.record_key {
            None if self.unique.is_none() => {}
            None => rows.filter_map(|(_, unit)| *unit).for_each(|unit| {
                self.see(unit, None);
            }),
            Some(name) => {
                let column = published(self.spec, batch, name)?;
                let keys = record_keys(column).ok_or_else(|| {
                    SourceError::unit(self.spec, name, "record keys are integers; declare it as integer or bigint")
                })?;
                for (at, unit) in rows {
                    let wrong = |why| SourceError::record_key(self.spec, name, first + at as u64, why);
                    let key = keys.get(at).copied().flatten();
                    let key = key.ok_or_else(|| wrong("is no integer from 0 to 255"))?;
                    let Some(unit) = unit else { continue };
                    // Two keys would make two units of one.
                    if !self.see(*unit, Some(key)) {
                        return Err(wrong("is another than in an earlier row of its unit"));
                    }
                    *unit = with_record_key(*unit, key);
                }
            }
        }
        Ok(hashes)
    }

    /// Whether the promise on all rows together was kept.
    pub(super) fn kept(&self) -> Result<(), SourceError> {
        match self.unique {
            Some(column) if self.repeated > 0 => Err(SourceError::Repeated {
                dataset: self.spec.dataset.name.clone(),
                column: column.clone(),
                rows: self.repeated,
            }),
            _ => Ok(()),
        }
    }

    /// Counts a row of the unit; whether it has the record key of its other rows.
    fn see(&mut self, unit: u64, key: Option<u8>) -> bool {
        if !self.part.holds(unit) {
            return true;
        }
        let before = self.seen.insert(unit, key);
        self.repeated += u64::from(before.is_some());
        before.is_none_or(|before| before == key)
    }
}

/// A column's record keys; NULL where a value is no integer from 0 to 255, and `None` where the column has no integers.
pub(super) fn record_keys(column: &ArrayRef) -> Option<Vec<Option<u8>>> {
    let key = |key: i64| u8::try_from(key).ok();
    match column.data_type() {
        DataType::Int32 => Some(column.as_primitive::<Int32Type>().iter().map(|at| key(at?.into())).collect()),
        DataType::Int64 => Some(column.as_primitive::<Int64Type>().iter().map(|at| key(at?)).collect()),
        _ => None,
    }
}

/// The hash of a unit whose record key the owner gives.
pub(super) fn with_record_key(unit: u64, key: u8) -> u64 {
    unit & !RECORD_KEY | u64::from(key)
}
