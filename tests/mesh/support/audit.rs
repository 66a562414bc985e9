//! A node's log read back without the node's own code: bundles, journal, and the tree that the checkpoint signs.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};

/// One record of a log.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Its hash in the tree (RFC 6962), hexadecimal.
    pub(crate) hash: String,
    /// What it says.
    pub(crate) json: Value,
}

impl Line {
    /// The query of a release record.
    pub(crate) fn released(&self) -> Option<&str> {
        self.json["release"]["query_id"].as_str()
    }

    /// The index of the release whose outcome this tells.
    pub(crate) fn outcome_of(&self) -> Option<u64> {
        self.json["outcome"]["of"].as_u64()
    }
}

/// One group of a journal: its records, and the checkpoint behind them.
pub(crate) struct Group {
    pub(crate) records: Vec<Vec<u8>>,
    pub(crate) note: String,
    /// Where it ends in its file.
    pub(crate) end: usize,
}

/// The files of the journal of the log in this folder, in order.
pub(crate) fn journal(audit: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(audit.join("journal")).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.sort();
    files
}

/// The whole groups of a file of a journal.
pub(crate) fn groups(file: &[u8]) -> Vec<Group> {
    let (mut groups, mut at) = (Vec::new(), 0);
    let number = |at: usize| Some(u32::from_be_bytes(file.get(at..at + 4)?.try_into().ok()?) as usize);
    while let (Some(records), Some(note)) = (number(at), number(at + 4)) {
        let end = at + 16 + records + note;
        let Some(hash) = file.get(end..end + 32) else { break };
        if Sha256::digest(&file[at..end]).as_slice() != hash {
            break;
        }
        let records_end = at + 16 + records;
        let note = String::from_utf8(file[records_end..end].to_vec()).expect("a note is text");
        groups.push(Group { records: bundle(&file[at + 16..records_end]), note, end: end + 32 });
        at = end + 32;
    }
    groups
}

/// The records of a bundle.
fn bundle(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while let [high, low, rest @ ..] = bytes {
        let (record, rest) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        records.push(record.to_vec());
        bytes = rest;
    }
    records
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// The root of a tree of these leaves: RFC 6962, section 2.1.
fn root(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => hash(&[]),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            hash(&[&[1], &root(left), &root(right)])
        }
    }
}

/// The records of the log in this folder, whose last checkpoint is of just these; none where there is no log.
pub(crate) fn log_lines(audit: &Path) -> Vec<Line> {
    let files = journal(audit);
    let first = files.first().and_then(|file| file.file_name()?.to_str()?.parse::<u64>().ok()).unwrap_or(0);
    let mut records = Vec::new();
    for number in 0..first / 256 {
        assert!(number < 1000, "a log of a test is short");
        records.extend(bundle(&fs::read(audit.join(format!("tile/entries/{number:03}"))).expect("a bundle")));
    }
    let mut note = None;
    for file in files {
        for group in groups(&fs::read(file).unwrap_or_default()) {
            records.extend(group.records);
            note = Some(group.note);
        }
    }
    let leaves: Vec<[u8; 32]> = records.iter().map(|record| hash(&[&[0], record])).collect();
    if let Some(note) = note {
        let lines: Vec<&str> = note.lines().collect();
        assert_eq!(lines[1], records.len().to_string(), "the size that the last checkpoint tells");
        assert_eq!(lines[2], tlog_tiles::Hash(root(&leaves)).to_string(), "the root that the last checkpoint tells");
    }
    let line = |(record, leaf): (&Vec<u8>, &[u8; 32])| Line {
        hash: hex::encode(leaf),
        json: serde_json::from_slice(record).expect("a record of the log is JSON"),
    };
    records.iter().zip(&leaves).map(line).collect()
}

/// Each record stands in its own place.
#[track_caller]
pub(crate) fn chained(lines: &[Line]) {
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(line.json["index"], index, "an index of the log");
    }
}
