//! The tables of the history's file. Keys are keyed hashes or counters and every value is sealed.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use chrono::{Datelike, NaiveDate};
use redb::backends::FileBackend;
use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata, Table, TableDefinition,
    WriteTransaction,
};

use super::error::Fault;
use super::seal::Keys;
use super::{Account, Scope, Who};
use meridian_disclosure::sketch::{Outline, Sketch};

/// Place of the scope and number of units, and sequence → answer and sketch.
pub(super) const ANCHORS: TableDefinition<'_, (u128, u64), &[u8]> = TableDefinition::new("anchors");
/// Place of agreement and dataset → visible cells.
const SPENT: TableDefinition<'_, u128, &[u8]> = TableDefinition::new("spent");
/// Place of agreement, dataset and an answer → how many of its visible cells were charged to them.
const GIVEN: TableDefinition<'_, u128, &[u8]> = TableDefinition::new("given");
/// Place of whoever made near pairs → the day on which they last did, and the number of pairs of that day.
const NEAR: TableDefinition<'_, u128, &[u8]> = TableDefinition::new("near today");
/// [`CHECK`] and [`SEQUENCE`].
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// Opens only under the right key.
const CHECK: &str = "check";
const CHECKED: &[u8] = b"meridian history 2";
/// The sequence of the next anchor, which is also the number of anchors.
const SEQUENCE: &str = "sequence";

/// Bytes of the file that the storage holds in memory at most.
const CACHE: usize = 64 << 20;

/// Opens or begins a file, and sees that it is whole and of this key.
pub(super) fn open(path: &Path, keys: &Keys) -> Result<Database, Fault> {
    let database = Database::builder().set_cache_size(CACHE).set_check_integrity_on_open(true).create(path)?;
    let transaction = database.begin_write()?;
    Tables::open(&transaction, keys)?.check_or_begin(path)?;
    transaction.commit()?;
    sync_folder(path).map_err(redb::Error::Io)?;
    Ok(database)
}

/// Copies all tables as they are at one moment into a new file.
pub(super) fn copy(from: &Database, path: &Path) -> Result<(), Fault> {
    let read = from.begin_read()?;
    // Before the database makes it, so that nobody else can ever read it.
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path);
    let file = FileBackend::new(file.map_err(redb::Error::Io)?)?;
    let copy = Database::builder().set_cache_size(CACHE).create_with_backend(file)?;
    let write = copy.begin_write()?;
    copy_table(&read, &write, ANCHORS)?;
    copy_table(&read, &write, SPENT)?;
    copy_table(&read, &write, GIVEN)?;
    copy_table(&read, &write, NEAR)?;
    copy_table(&read, &write, META)?;
    write.commit()?;
    Ok(())
}

fn copy_table<K: redb::Key + 'static, V: redb::Value + 'static>(
    from: &ReadTransaction,
    to: &WriteTransaction,
    table: TableDefinition<'static, K, V>,
) -> Result<(), Fault> {
    let (from, mut to) = (from.open_table(table)?, to.open_table(table)?);
    for entry in from.iter()? {
        let (key, value) = entry?;
        to.insert(key.value(), value.value())?;
    }
    Ok(())
}

/// Begins a history without a file.
#[cfg(test)]
pub(super) fn in_memory(keys: &Keys) -> Result<Database, Fault> {
    let database = Database::builder().create_with_backend(redb::backends::InMemoryBackend::new())?;
    let transaction = database.begin_write()?;
    Tables::open(&transaction, keys)?.check_or_begin(Path::new(""))?;
    transaction.commit()?;
    Ok(database)
}

/// Visible cells spent.
pub(super) fn spent(database: &Database, keys: &Keys, agreement: Option<&str>, dataset: &str) -> Result<u64, Fault> {
    let table = database.begin_read()?.open_table(SPENT)?;
    read_spent(&table, keys, place_of_spent(keys, agreement, dataset))
}

/// Where the anchors of a scope with this many units are.
pub(super) fn place_of_anchors(keys: &Keys, scope: &Scope, units: u64) -> u128 {
    keys.index(&[b"anchors", scope.0.as_bytes(), &units.to_le_bytes()])
}

/// A cell that was released.
pub(super) struct Anchor {
    pub(super) answer: i128,
    pub(super) sketch: Sketch,
}

/// An anchor in its place in time.
pub(super) struct Listed {
    /// Anchors are numbered in the order in which they were made.
    pub(super) sequence: u64,
    /// What shows of nearly all others that they are far, beside the number.
    pub(super) outline: Outline,
    pub(super) anchor: Anchor,
}

impl Listed {
    pub(super) fn new(sequence: u64, anchor: Anchor) -> Self {
        Self { sequence, outline: anchor.sketch.outline(), anchor }
    }
}

/// The tables within one transaction.
pub(super) struct Tables<'t> {
    pub(super) keys: &'t Keys,
    anchors: Table<'t, (u128, u64), &'static [u8]>,
    spent: Table<'t, u128, &'static [u8]>,
    given: Table<'t, u128, &'static [u8]>,
    near: Table<'t, u128, &'static [u8]>,
    meta: Table<'t, &'static str, &'static [u8]>,
    changed: bool,
}

impl<'t> Tables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction, keys: &'t Keys) -> Result<Self, Fault> {
        Ok(Self {
            keys,
            anchors: transaction.open_table(ANCHORS)?,
            spent: transaction.open_table(SPENT)?,
            given: transaction.open_table(GIVEN)?,
            near: transaction.open_table(NEAR)?,
            meta: transaction.open_table(META)?,
            changed: false,
        })
    }

    /// Whether anything was written.
    pub(super) fn changed(&self) -> bool {
        self.changed
    }

    /// The anchors at a place, in order.
    pub(super) fn listed(&self, place: u128) -> Result<Vec<Listed>, Fault> {
        let mut all = Vec::new();
        for entry in self.anchors.range((place, 0)..=(place, u64::MAX))? {
            let (key, sealed) = entry?;
            let (_, sequence) = key.value();
            let anchor = self.read_anchor(place, sequence, sealed.value())?;
            all.push(Listed::new(sequence, anchor));
        }
        Ok(all)
    }

    pub(super) fn add_anchor(&mut self, place: u128, listed: &Listed) -> Result<(), Fault> {
        let Listed { sequence, anchor, .. } = listed;
        let value = [anchor.answer.to_le_bytes().as_slice(), &anchor.sketch.to_bytes()].concat();
        let sealed = self.keys.seal(&authenticated("anchors", place, *sequence), &value)?;
        self.changed = true;
        self.anchors.insert((place, *sequence), sealed.as_slice())?;
        Ok(())
    }

    pub(super) fn next_sequence(&self) -> Result<u64, Fault> {
        let sealed = self.meta.get(SEQUENCE)?.ok_or(Fault::Damaged("the number of anchors is missing"))?;
        read_number(self.keys, SEQUENCE.as_bytes(), sealed.value())
    }

    pub(super) fn set_next_sequence(&mut self, sequence: u64) -> Result<(), Fault> {
        let sealed = self.keys.seal(SEQUENCE.as_bytes(), &sequence.to_le_bytes())?;
        self.changed = true;
        self.meta.insert(SEQUENCE, sealed.as_slice())?;
        Ok(())
    }

    pub(super) fn spent(&self, agreement: Option<&str>, dataset: &str) -> Result<u64, Fault> {
        read_spent(&self.spent, self.keys, place_of_spent(self.keys, agreement, dataset))
    }

    pub(super) fn set_spent(&mut self, agreement: Option<&str>, dataset: &str, cells: u64) -> Result<(), Fault> {
        let place = place_of_spent(self.keys, agreement, dataset);
        let sealed = self.keys.seal(&authenticated("spent", place, 0), &cells.to_le_bytes())?;
        self.changed = true;
        self.spent.insert(place, sealed.as_slice())?;
        Ok(())
    }

    /// How many visible cells of this answer were charged to the account before.
    pub(super) fn given(&self, account: &Account, answer: &[u8]) -> Result<u64, Fault> {
        let place = place_of_given(self.keys, account, answer);
        match self.given.get(place)? {
            Some(sealed) => read_number(self.keys, &authenticated("given", place, 0), sealed.value()),
            None => Ok(0),
        }
    }

    pub(super) fn set_given(&mut self, account: &Account, answer: &[u8], cells: u64) -> Result<(), Fault> {
        let place = place_of_given(self.keys, account, answer);
        let sealed = self.keys.seal(&authenticated("given", place, 0), &cells.to_le_bytes())?;
        self.changed = true;
        self.given.insert(place, sealed.as_slice())?;
        Ok(())
    }

    /// Adds pairs to those that somebody made on a day, and returns how many there were.
    pub(super) fn add_near(&mut self, who: &Who, day: NaiveDate, pairs: u64) -> Result<u64, Fault> {
        let place = place_of_near(self.keys, who);
        let before = match self.near.get(place)? {
            Some(sealed) => read_near(self.keys, place, sealed.value())?,
            None => (day, 0),
        };
        let before = if before.0 == day { before.1 } else { 0 };
        let value =
            [day.num_days_from_ce().to_le_bytes().as_slice(), &before.saturating_add(pairs).to_le_bytes()].concat();
        let sealed = self.keys.seal(&authenticated("near", place, 0), &value)?;
        self.changed = true;
        self.near.insert(place, sealed.as_slice())?;
        Ok(before)
    }

    fn check_or_begin(&mut self, path: &Path) -> Result<(), Fault> {
        let written = match self.meta.get(CHECK)? {
            Some(sealed) => Some(self.keys.open(CHECK.as_bytes(), sealed.value()).ok_or(Fault::Key)?),
            None => None,
        };
        match written {
            Some(check) if check != CHECKED => Err(Fault::Damaged("it was written by another version")),
            // The storage's checksums aren't keyed: an anchor taken out by hand would pass them.
            Some(_) if self.anchors.len()? != self.next_sequence()? => Err(Fault::Damaged("anchors are missing")),
            Some(_) => Ok(()),
            None if !self.anchors.is_empty()? => Err(Fault::Damaged("its check value is missing")),
            None => {
                tracing::info!(path = %path.display(), "a new history begins: no answer given before it is protected");
                let sealed = self.keys.seal(CHECK.as_bytes(), CHECKED)?;
                self.changed = true;
                self.meta.insert(CHECK, sealed.as_slice())?;
                self.set_next_sequence(0)
            }
        }
    }

    fn read_anchor(&self, place: u128, sequence: u64, sealed: &[u8]) -> Result<Anchor, Fault> {
        let value = self.keys.open(&authenticated("anchors", place, sequence), sealed);
        let value = value.ok_or(Fault::Damaged("an anchor doesn't open"))?;
        let parts = value.split_first_chunk().and_then(|(answer, sketch)| {
            Some(Anchor { answer: i128::from_le_bytes(*answer), sketch: Sketch::from_bytes(sketch)? })
        });
        parts.ok_or(Fault::Damaged("an anchor has the wrong length"))
    }
}

fn read_spent(table: &impl ReadableTable<u128, &'static [u8]>, keys: &Keys, place: u128) -> Result<u64, Fault> {
    match table.get(place)? {
        Some(sealed) => read_number(keys, &authenticated("spent", place, 0), sealed.value()),
        None => Ok(0),
    }
}

fn read_number(keys: &Keys, place: &[u8], sealed: &[u8]) -> Result<u64, Fault> {
    let value = keys.open(place, sealed).and_then(|value| Some(u64::from_le_bytes(*value.as_array()?)));
    value.ok_or(Fault::Damaged("a counter doesn't open"))
}

fn read_near(keys: &Keys, place: u128, sealed: &[u8]) -> Result<(NaiveDate, u64), Fault> {
    let value = keys.open(&authenticated("near", place, 0), sealed);
    let parts = value.as_deref().and_then(|value| {
        let (day, pairs) = value.split_first_chunk()?;
        Some((NaiveDate::from_num_days_from_ce_opt(i32::from_le_bytes(*day))?, u64::from_le_bytes(*pairs.as_array()?)))
    });
    parts.ok_or(Fault::Damaged("a count of near pairs doesn't open"))
}

fn place_of_near(keys: &Keys, who: &Who) -> u128 {
    match who {
        Who::Caller(name) => keys.index(&[b"near", b"caller", name.as_bytes()]),
        Who::Agreement(name) => keys.index(&[b"near", b"agreement", name.as_bytes()]),
    }
}

fn place_of_given(keys: &Keys, account: &Account, answer: &[u8]) -> u128 {
    let Account { agreement, dataset, allowance: _ } = account;
    keys.index(&[b"given", &optional(agreement.as_deref()), dataset.as_bytes(), answer])
}

fn place_of_spent(keys: &Keys, agreement: Option<&str>, dataset: &str) -> u128 {
    keys.index(&[b"spent", &optional(agreement), dataset.as_bytes()])
}

/// No agreement, and an agreement of no name, are two things.
fn optional(agreement: Option<&str>) -> Vec<u8> {
    agreement.map_or_else(Vec::new, |id| [b"=", id.as_bytes()].concat())
}

/// A value opens only where it was put.
fn authenticated(table: &str, place: u128, sequence: u64) -> Vec<u8> {
    [table.as_bytes(), &place.to_be_bytes(), &sequence.to_be_bytes()].concat()
}

/// A new file is only there after a power cut if its folder was synced, too.
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
