//! How often files were fetched, by dataset and day, and nothing of by whom.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use chrono::NaiveDate;
use meridian_proto::Name;

use crate::register::{Day, MonthName};

/// Counts by dataset and day.
type Days = BTreeMap<Name, BTreeMap<Day, u64>>;

/// The counts, and the file that they are kept in.
#[derive(Debug)]
pub(super) struct Readers {
    file: PathBuf,
    counted: Mutex<Counted>,
}

#[derive(Debug)]
struct Counted {
    days: Days,
    /// Whether the file has the newest.
    is_saved: bool,
}

impl Readers {
    /// Those of a file; none where there is no file yet.
    pub(super) fn open(file: PathBuf) -> io::Result<Self> {
        let days = match fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("{}: {error}; remove the file: the counts of downloads begin anew", file.display()),
                )
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Days::new(),
            Err(error) => return Err(error),
        };
        Ok(Self { file, counted: Mutex::new(Counted { days, is_saved: true }) })
    }

    /// One more.
    pub(super) fn count(&self, dataset: Name, day: NaiveDate) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        *counted.days.entry(dataset).or_default().entry(Day(day)).or_default() += 1;
        counted.is_saved = false;
    }

    /// How often files of a dataset were fetched by month, the newest first: of days before one, or of all.
    pub(super) fn by_month(&self, dataset: &Name, before: Option<NaiveDate>) -> Vec<(MonthName, u64)> {
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut months: BTreeMap<MonthName, u64> = BTreeMap::new();
        let days = counted.days.get(dataset).into_iter().flatten();
        for (day, fetched) in days.filter(|(day, _)| before.is_none_or(|before| day.0 < before)) {
            *months.entry(MonthName::of(day.0)).or_default() += fetched;
        }
        months.into_iter().rev().collect()
    }

    /// Writes the file, where there is something new.
    pub(super) fn save(&self) -> io::Result<()> {
        let bytes = {
            let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
            if counted.is_saved {
                return Ok(());
            }
            counted.is_saved = true;
            serde_json::to_vec(&counted.days)?
        };
        let new = self.file.with_extension("new");
        fs::write(&new, bytes)?;
        fs::rename(new, &self.file)
    }
}
