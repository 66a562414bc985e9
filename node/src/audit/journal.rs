//! The journal: what is durable of the log before its tiles are built. One group of records a commit, behind it the signed
//! checkpoint that covers it.
//!
//! A journal is a row of files, `journal/<index of the first record>`; a file is a row of groups:
//!
//! ```text
//! group = length of the records (4 bytes, big-endian) || length of the checkpoint (4)
//!         || first 8 bytes of the SHA-256 of these two
//!         || records as in a bundle || checkpoint (a signed note) || SHA-256 of all of it
//! ```
//!
//! Nothing of a group is acknowledged before all of it is on disk. So a group that is cut short at the end of the last
//! file, or whose last bytes the disk never wrote, is the torn tail of a crash; any other fault is damage.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::tiles;

/// The journal's folder in that of the log.
const FOLDER: &str = "journal";
/// Bytes in front of a group.
const HEAD: usize = 16;
/// Bytes behind it.
const HASH: usize = 32;

/// One group.
pub(super) struct Group {
    /// Its records.
    pub(super) records: Vec<Vec<u8>>,
    /// The checkpoint that covers them and all before.
    pub(super) note: Vec<u8>,
    /// Bytes of the file up to its end.
    pub(super) end: usize,
}

/// Why a file of the journal can't be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The group at its end was never whole.
    Torn,
    /// A group is not what was written.
    Damaged(&'static str),
}

/// A group as it is written.
pub(super) fn encode<'a>(records: impl IntoIterator<Item = &'a [u8]>, note: &[u8]) -> Vec<u8> {
    let records = tiles::encode(records);
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
    let lengths = [length(&records), length(note)].concat();
    let mut group = [lengths.as_slice(), &check(&lengths), &records, note].concat();
    let hash = Sha256::digest(&group);
    group.extend_from_slice(&hash);
    group
}

/// The group that begins at `start`; `None` at the end.
pub(super) fn group(file: &[u8], start: usize) -> Result<Option<Group>, Stop> {
    let rest = file.get(start..).unwrap_or_default();
    if rest.is_empty() {
        return Ok(None);
    }
    let (head, body) = rest.split_first_chunk::<HEAD>().ok_or(Stop::Torn)?;
    let (lengths, checked) = head.split_at(8);
    if check(lengths) != checked {
        // What the disk was never told of a grown file is zeros.
        let unwritten = rest.iter().all(|byte| *byte == 0);
        return Err(if unwritten { Stop::Torn } else { Stop::Damaged("the head of a group was changed") });
    }
    let mut numbers = lengths.as_chunks::<4>().0.iter().map(|bytes| u32::from_be_bytes(*bytes) as usize);
    let (records, note) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let length = HEAD + records + note;
    let (group, behind) = rest.split_at_checked(length).ok_or(Stop::Torn)?;
    let hash = behind.first_chunk::<HASH>().ok_or(Stop::Torn)?;
    if Sha256::digest(group).as_slice() != hash {
        let last = *hash == [0; HASH] && behind.len() == HASH;
        return Err(if last { Stop::Torn } else { Stop::Damaged("a group was changed") });
    }
    let (records, note) = body
        .split_at_checked(records)
        .map_or((body, body), |(records, rest)| (records, rest.get(..note).unwrap_or_default()));
    let records = tiles::records(records).ok_or(Stop::Damaged("a group holds no records"))?;
    Ok(Some(Group { records, note: note.to_vec(), end: start + length + HASH }))
}

fn check(lengths: &[u8]) -> Vec<u8> {
    Sha256::digest(lengths).iter().take(8).copied().collect()
}

/// The file whose first record has this index.
pub(super) fn file(folder: &Path, first: u64) -> PathBuf {
    folder.join(FOLDER).join(format!("{first:020}"))
}

/// The files of a journal with the indices of their first records, in order; none where there is no journal.
pub(super) fn files(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let entries = match fs::read_dir(folder.join(FOLDER)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(first) = name.filter(|name| name.len() == 20).and_then(|name| name.parse().ok()) {
            files.push((first, path));
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn stop(file: &[u8], start: usize) -> Option<Stop> {
        group(file, start).err()
    }

    #[test]
    fn groups_come_back_and_only_what_was_never_whole_is_torn() {
        let (a, b) = (encode([b"one".as_slice(), b"two"], b"note 2\n"), encode([b"three".as_slice()], b"note 3\n"));
        let file = [a.as_slice(), &b].concat();
        let first = group(&file, 0).unwrap().unwrap();
        assert_eq!(
            (first.records, first.note, first.end),
            (vec![b"one".to_vec(), b"two".to_vec()], b"note 2\n".to_vec(), a.len())
        );
        let second = group(&file, a.len()).unwrap().unwrap();
        assert_eq!((second.records, second.end), (vec![b"three".to_vec()], file.len()));
        assert!(group(&file, file.len()).unwrap().is_none());
        for cut in a.len() + 1..file.len() {
            assert_eq!(stop(&file[..cut], a.len()), Some(Stop::Torn), "{cut}");
            let mut unwritten = file.clone();
            unwritten[cut..].fill(0);
            let found = stop(&unwritten, a.len());
            // Cut in its head it is no head any more, and that is not taken for a crash lightly.
            assert!(found == Some(Stop::Torn) || cut < a.len() + HEAD || file.len() - cut < HASH, "{cut}: {found:?}");
        }
        for place in 0..file.len() {
            let mut other = file.clone();
            other[place] ^= 1;
            let start = if place < a.len() { 0 } else { a.len() };
            assert!(matches!(stop(&other, start), Some(Stop::Damaged(_))), "{place}");
        }
        assert_eq!(stop(&[file.as_slice(), &[0; 500]].concat(), file.len()), Some(Stop::Torn));
    }
}
