//! A node's log read back without the node's own code.

use std::fs;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// One line of a log.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// SHA-256 of the line, hexadecimal.
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

/// The whole lines of a log; none where there is no log.
pub(crate) fn log_lines(path: &Path) -> Vec<Line> {
    let bytes = fs::read(path).unwrap_or_default();
    let whole = bytes.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
    whole
        .map(|line| Line {
            hash: hex::encode(Sha256::digest(line)),
            json: serde_json::from_slice(line).expect("a line of the log is JSON"),
        })
        .collect()
}

/// Re-derives the chain: each line holds the hash of the one before it and its own place.
#[track_caller]
pub(crate) fn chained(lines: &[Line]) {
    let mut previous = "0".repeat(64);
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(line.json["index"], index, "an index of the log");
        assert_eq!(line.json["previous"], previous, "the chain at line {}", index + 1);
        previous.clone_from(&line.hash);
    }
}
