//! The side file of private parts: one file a day below `audit/private`, sealed, and gone when its time is over.
//!
//! A file is a row of sealed values, each behind its length (four bytes, little-endian). A value opens only under the
//! node's key and for the record that it belongs to. A tail that a crash tore is cut off before the next value.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Days, NaiveDate};

use super::note::LogKey;
use super::private::Committed;
use crate::seal::Seal;

const SALT: &[u8] = b"meridian audit private 1";
const FOLDER: &str = "private";
/// Bytes of a value's length.
const LENGTH: usize = 4;

/// By which keys a log is kept, and how long its private parts are.
#[derive(Clone)]
pub struct Keeping {
    /// The key under which private parts are sealed.
    pub key: [u8; 32],
    /// The most days that one is kept.
    pub days: u32,
    /// The key that signs checkpoints.
    pub log: LogKey,
}

impl std::fmt::Debug for Keeping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeping").field("days", &self.days).field("log", &self.log).finish_non_exhaustive()
    }
}

/// The private parts of a log that is being written.
pub(super) struct Side {
    folder: PathBuf,
    seal: Seal,
    days: u32,
    today: Option<Today>,
}

/// The file of one day.
struct Today {
    day: NaiveDate,
    file: File,
    length: u64,
}

impl Side {
    /// The private parts beside the log in `audit`.
    pub(super) fn open(audit: &Path, keeping: &Keeping) -> io::Result<Self> {
        let folder = audit.join(FOLDER);
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(Self { folder, seal: seal(&keeping.key)?, days: keeping.days, today: None })
    }

    /// Appends the private parts of records with these indices, which are all of one time.
    pub(super) fn append<'a>(
        &mut self,
        time_ms: u64,
        parts: impl Iterator<Item = (u64, &'a Committed)>,
    ) -> io::Result<()> {
        let mut bytes = Vec::new();
        for (index, part) in parts {
            let sealed = self.seal.seal(&place(index), &part.to_bytes()).map_err(|_| unusable())?;
            let length = u32::try_from(sealed.len()).map_err(|_| unusable())?;
            bytes.extend_from_slice(&length.to_le_bytes());
            bytes.extend_from_slice(&sealed);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let today = self.of_day(day_of(time_ms))?;
        if let Err(error) = today.file.write_all(&bytes) {
            self.undo();
            return Err(error);
        }
        Ok(())
    }

    /// Makes durable what was appended.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.today.as_ref().map_or(Ok(()), |today| today.file.sync_data())
    }

    /// What was appended stays.
    pub(super) fn keep(&mut self) {
        if let Some(today) = &mut self.today
            && let Ok(metadata) = today.file.metadata()
        {
            today.length = metadata.len();
        }
    }

    /// Takes back what was appended since [`Self::keep`]; where that can't be done the file is read again before it is
    /// written to.
    pub(super) fn undo(&mut self) {
        if let Some(today) = &self.today
            && today.file.set_len(today.length).is_err()
        {
            self.today = None;
        }
    }

    /// Deletes the files whose days are over.
    pub(super) fn purge(&mut self, now_ms: u64) -> io::Result<()> {
        let today = day_of(now_ms);
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let day = entry.file_name().to_str().and_then(|name| name.parse::<NaiveDate>().ok());
            if day.is_some_and(|day| day.checked_add_days(Days::new(self.days.into())).is_some_and(|end| end <= today))
            {
                fs::remove_file(entry.path())?;
                tracing::info!(day = %day.unwrap_or_default(), "the private parts of the log's records of a day are deleted");
            }
        }
        self.today.take_if(|held| held.day != today);
        Ok(())
    }

    fn of_day(&mut self, day: NaiveDate) -> io::Result<&mut Today> {
        if self.today.as_ref().is_none_or(|held| held.day != day) {
            let path = self.folder.join(day.to_string());
            let mut options = OpenOptions::new();
            let file = options.create(true).read(true).append(true).mode(0o600).open(&path)?;
            let bytes = fs::read(&path)?;
            let length = values(&bytes).map(|value| LENGTH + value.len()).sum::<usize>() as u64;
            if length < bytes.len() as u64 {
                tracing::warn!(file = %path.display(), "the private parts of today had a torn tail; it is cut off");
                file.set_len(length)?;
            }
            File::open(&self.folder)?.sync_all()?;
            self.today = Some(Today { day, file, length });
        }
        self.today.as_mut().ok_or_else(unusable)
    }
}

/// The private parts of one record: those that were sealed for its index, of which one at most is what it commits to.
pub(super) fn read(audit: &Path, key: &[u8; 32], index: u64, time_ms: u64) -> io::Result<Vec<Committed>> {
    let bytes = match fs::read(audit.join(FOLDER).join(day_of(time_ms).to_string())) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let seal = seal(key)?;
    let opened = values(&bytes).filter_map(|sealed| seal.open(&place(index), sealed));
    Ok(opened.filter_map(|bytes| Committed::from_bytes(&bytes)).collect())
}

/// Days whose values are held at a time.
const DAYS_HELD: usize = 3;
/// Values that are passed over at most: those of one commit that a crash left behind without its records.
const PASSED: usize = 4096;

/// What is there of a private part.
pub(super) enum Found {
    /// It is what the record commits to.
    Whole,
    /// There is another in its place.
    Other,
    /// There is none in the file of its day.
    Missing,
    /// The file of its day was deleted.
    Over,
}

/// All private parts beside a log, looked up in the order of their records.
pub(super) struct Parts {
    folder: PathBuf,
    seal: Seal,
    days: Vec<DayRead>,
}

struct DayRead {
    day: NaiveDate,
    /// The file, where there is one.
    bytes: Option<Vec<u8>>,
    /// Up to where it was looked at.
    next: usize,
}

impl Parts {
    pub(super) fn new(audit: &Path, key: &[u8; 32]) -> io::Result<Self> {
        Ok(Self { folder: audit.join(FOLDER), seal: seal(key)?, days: Vec::new() })
    }

    /// The private part of a record that commits to it in hexadecimal.
    pub(super) fn find(&mut self, index: u64, time_ms: u64, commitment: &str) -> io::Result<Found> {
        let day = day_of(time_ms);
        if !self.days.iter().any(|read| read.day == day) {
            if self.days.len() >= DAYS_HELD {
                self.days.remove(0);
            }
            let bytes = match fs::read(self.folder.join(day.to_string())) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                bytes => Some(bytes?),
            };
            self.days.push(DayRead { day, bytes, next: 0 });
        }
        let Some(read) = self.days.iter_mut().find(|read| read.day == day) else { return Ok(Found::Over) };
        let Some(bytes) = &read.bytes else { return Ok(Found::Over) };
        let place = place(index);
        let (mut found, mut end) = (Found::Missing, read.next);
        for value in values(bytes.get(read.next..).unwrap_or_default()).take(PASSED) {
            end += LENGTH + value.len();
            let Some(opened) = self.seal.open(&place, value) else { continue };
            let part = Committed::from_bytes(&opened);
            if part.is_some_and(|part| hex::encode(part.commitment()) == commitment) {
                read.next = end;
                return Ok(Found::Whole);
            }
            found = Found::Other;
        }
        Ok(found)
    }
}

/// The day of a record, by UTC.
pub(super) fn day_of(time_ms: u64) -> NaiveDate {
    let time = i64::try_from(time_ms).ok().and_then(DateTime::from_timestamp_millis);
    time.unwrap_or_default().date_naive()
}

/// The whole values of a file.
fn values(mut bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok().filter(|length| *length > 0)?;
        let (value, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        Some(value)
    })
}

fn seal(key: &[u8; 32]) -> io::Result<Seal> {
    Seal::derive(key, SALT).map_err(|_| unusable())
}

fn place(index: u64) -> Vec<u8> {
    [b"record ".as_slice(), &index.to_be_bytes()].concat()
}

fn unusable() -> io::Error {
    io::Error::other("a private part can't be sealed")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
    use super::*;
    use crate::audit::Private;

    const DAY_MS: u64 = 24 * 60 * 60 * 1000;
    const KEY: [u8; 32] = [9; 32];

    fn part(literal: &str) -> Committed {
        Committed::new(&Private { literals: vec![literal.into()], ..Private::default() }).unwrap()
    }

    fn open(folder: &Path, days: u32) -> Side {
        Side::open(folder, &Keeping { key: KEY, days, log: LogKey::new("london/lfb/log", &[1; 32]) }).unwrap()
    }

    fn literals(folder: &Path, index: u64, time_ms: u64) -> Vec<String> {
        let parts = read(folder, &KEY, index, time_ms).unwrap();
        parts.iter().flat_map(|part| part.private().unwrap().literals).collect()
    }

    #[test]
    fn parts_are_found_by_record_and_day_and_only_under_the_key() {
        let folder = tempfile::tempdir().unwrap();
        let mut side = open(folder.path(), 90);
        let (a, b) = (part("'Zamora'"), part("'Ruiz'"));
        side.append(5, [(0, &a), (1, &b)].into_iter()).unwrap();
        side.append(DAY_MS, [(2, &a)].into_iter()).unwrap();
        assert_eq!(literals(folder.path(), 0, 5), ["'Zamora'"]);
        assert_eq!(literals(folder.path(), 1, 5), ["'Ruiz'"]);
        assert_eq!(literals(folder.path(), 2, 5), [""; 0]);
        assert_eq!(literals(folder.path(), 2, DAY_MS + 1), ["'Zamora'"]);
        assert!(read(folder.path(), &[8; 32], 0, 5).unwrap().is_empty());
        let file = folder.path().join("private/1970-01-01");
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let bytes = fs::read(file).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"Zamora"));
    }

    #[test]
    fn what_is_taken_back_or_torn_is_not_there_and_the_next_is() {
        let folder = tempfile::tempdir().unwrap();
        let mut side = open(folder.path(), 90);
        side.append(0, [(0, &part("a"))].into_iter()).unwrap();
        side.keep();
        side.append(0, [(1, &part("b"))].into_iter()).unwrap();
        side.undo();
        drop(side);
        let file = folder.path().join("private/1970-01-01");
        let good = fs::read(&file).unwrap();
        for torn in [vec![7], vec![9, 0, 0, 0], vec![200, 0, 0, 0, 1, 2, 3], vec![0; 40]] {
            fs::write(&file, [good.as_slice(), &torn].concat()).unwrap();
            let mut side = open(folder.path(), 90);
            side.append(0, [(1, &part("c"))].into_iter()).unwrap();
            assert_eq!(literals(folder.path(), 0, 0), ["a"], "{torn:?}");
            assert_eq!(literals(folder.path(), 1, 0), ["c"], "{torn:?}");
        }
    }

    #[test]
    fn parts_are_deleted_when_their_days_are_over() {
        let folder = tempfile::tempdir().unwrap();
        let mut side = open(folder.path(), 2);
        for day in 0..4 {
            side.append(day * DAY_MS, [(day, &part("x"))].into_iter()).unwrap();
        }
        fs::write(folder.path().join("private/notes"), "").unwrap();
        side.purge(3 * DAY_MS + 7).unwrap();
        let kept: Vec<usize> = (0..4).map(|day| literals(folder.path(), day, day * DAY_MS).len()).collect();
        assert_eq!(kept, [0, 0, 1, 1], "today and yesterday");
        assert!(folder.path().join("private/notes").exists(), "only what is the log's own");
        side.append(3 * DAY_MS + 8, [(9, &part("y"))].into_iter()).unwrap();
        assert_eq!(literals(folder.path(), 9, 3 * DAY_MS), ["y"]);
    }
}
