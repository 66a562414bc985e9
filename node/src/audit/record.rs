//! What a record of the log says, and how it is written: as one line of JSON.
//!
//! An entry of tlog-tiles has 65,535 bytes at most. A record that is longer, such as one of a long statement over many
//! datasets, lies in a file of its own, `long/<SHA-256>`, and the entry says so.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::tiles;

/// A dataset that a query used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// `federation.body.dataset`
    pub dataset: String,
    /// The published columns used.
    pub columns: Vec<String>,
    /// The form in which it leaves; empty where it was refused.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub form: String,
}

/// What is known of a query when it is decided.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// One per question of an analyst, the same at every body that it reaches.
    pub query_id: String,
    /// SPIFFE ID of whoever asked this node.
    pub caller: String,
    /// The analyst, as a peer claims.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub on_behalf_of: String,
    /// The groups that the analyst is in, as their own body's node says.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// The bodies whose nodes passed the question on to the caller's, from the analyst's own onward, as the caller claims.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub via: Vec<String>,
    /// The purpose stated.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub purpose: String,
    /// The agreements relied on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agreements: Vec<String>,
    /// The datasets used.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<Use>,
    /// The rules that admitted it, or the one that refused it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// The SQL with `?` in place of its literals, which may be personal data.
    pub sql: String,
}

/// How a release ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// All of it left.
    #[serde(rename = "completed")]
    Completed {
        /// Visible rows.
        rows: u64,
        /// Bytes of Arrow IPC bodies.
        bytes: u64,
    },
    /// It ended early: an error, a caller who went away, or a node that stopped. Any part of it may have left.
    #[serde(rename = "interrupted")]
    Interrupted {
        /// In words that depend on question and terms alone; a refusal by its rule.
        why: String,
        /// Visible rows that may have left until then; not known of a node that stopped.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rows: Option<u64>,
        /// Bytes of Arrow IPC bodies that may have left until then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<u64>,
    },
}

/// A right that a person exercised: what was done, never for whom nor with which values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Right {
    /// Its number in the node's list, from 1.
    pub number: u64,
    /// The verb of `meridian rights`.
    pub right: String,
    /// The number of the one that it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<u64>,
    /// The datasets that it concerned when it was made.
    pub datasets: Vec<String>,
    /// What kind of unit exercised it.
    pub unit_kind: String,
    /// The body's own case.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reference: String,
    /// When it was made, in milliseconds since the Unix epoch; the line's own time is when it was recorded.
    pub at_ms: u64,
}

/// An entry of the log.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Line {
    /// Position from 0.
    pub(super) index: u64,
    /// Milliseconds since the Unix epoch.
    pub(super) time_ms: u64,
    /// What commits to the record's private part, in hexadecimal; empty where it has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) commitment: String,
    /// The record.
    #[serde(flatten)]
    pub(super) record: Record,
}

impl Line {
    /// The entry. The content of one that is too long for the log is durable in its own file when this returns.
    pub(super) fn write(&self, folder: &Path) -> io::Result<Vec<u8>> {
        let entry = serde_json::to_vec(self)?;
        if entry.len() <= tiles::MOST_RECORD {
            return Ok(entry);
        }
        let content = serde_json::to_vec(&self.record)?;
        let sha256 = hex::encode(Sha256::digest(&content));
        tiles::write(&folder.join(LONG).join(&sha256), &content, true)?;
        let record = Record::Long(Long { sha256, bytes: content.len() as u64 });
        Ok(serde_json::to_vec(&Self { record, commitment: self.commitment.clone(), ..*self })?)
    }

    /// Reads an entry, or what lies in a file of its own in its place.
    pub(super) fn read(folder: &Path, entry: &[u8]) -> Result<Self, &'static str> {
        let line: Self = serde_json::from_slice(entry).map_err(|_| "it is no record")?;
        let Record::Long(Long { sha256, .. }) = &line.record else { return Ok(line) };
        if sha256.len() != 64 || !sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err("it names no SHA-256");
        }
        let content = fs::read(folder.join(LONG).join(sha256));
        let content = content.map_err(|_| "the file in which the whole of it lies can't be read")?;
        if hex::encode(Sha256::digest(&content)) != *sha256 {
            return Err("the file in which the whole of it lies was changed");
        }
        let record = serde_json::from_slice(&content).map_err(|_| "the file in which it lies holds no record")?;
        Ok(Self { record, ..line })
    }
}

impl Line {
    /// The file of its own, below the log's folder, in which an entry lies that is too long for the log.
    pub(super) fn file(entry: &[u8]) -> Option<PathBuf> {
        match serde_json::from_slice::<Self>(entry).ok()?.record {
            Record::Long(long) => Some(Path::new(LONG).join(long.sha256)),
            _ => None,
        }
    }
}

/// The folder of records that are too long for the log.
const LONG: &str = "long";

/// Stands for a record that is too long for the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Long {
    /// SHA-256 of the record, and the name of its file below `long`.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
}

/// The kinds of record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Record {
    /// A release is about to begin.
    Release(Entry),
    /// A query was refused.
    Refusal(Entry),
    /// Somebody asked whether a query would be released, and was told that it would.
    Check(Entry),
    /// How the release of an earlier index ended.
    Outcome {
        /// The index of its `release` record.
        of: u64,
        /// How.
        outcome: Outcome,
    },
    /// Somebody made many near pairs of counts.
    Alert(Alert),
    /// It is too long for the log, and lies in a file of its own.
    Long(Long),
    /// A right was exercised.
    Right(Right),
    /// Rights are in force: every later release of a dataset is made from rows to which they are applied.
    Effect {
        /// The dataset.
        dataset: String,
        /// Their numbers.
        rights: Vec<u64>,
    },
}

/// Somebody made many pairs of counts that differ in few units; how many is private.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// `analyst` or `agreement`.
    pub who: String,
    /// Which one.
    pub name: String,
    /// On which day, by UTC.
    pub day: String,
    /// The number of pairs a day from which on there is an alert.
    pub limit: u64,
}
