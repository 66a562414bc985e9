//! What becomes of cells, case by case; the file's own promises are in `file` and `crash`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod crash;
mod file;
mod settling;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use chrono::NaiveDate;
use tempfile::TempDir;

use super::{Account, History, Observation, Release, Scope, Settled};
use meridian_disclosure::sketch::{Shape, Sketch};

const KEY: [u8; 32] = [7; 32];
const NEARNESS: u64 = 10;
const CAPACITY: u16 = 10;

/// A history in a folder of its own.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("history.redb")
    }

    fn open(&self) -> Arc<History> {
        History::open(&self.path(), &KEY).unwrap()
    }
}

/// The unit with this number, one to one: SplitMix64 (Steele, Lea and Flood, 2014).
fn unit(number: u64) -> u64 {
    let z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The sum over these units, each of which contributes 1.
fn sum(units: Range<u64>, answer: i128) -> Observation {
    cell("sum", units.map(|number| (number, 1)), answer)
}

/// The count of these units.
fn count(units: Range<u64>, answer: i128) -> Observation {
    let set: Vec<(u64, i128)> = units.map(|number| (unit(number), 1)).collect();
    let shape = Shape { capacity: CAPACITY, contributions: false };
    Observation { reuse: false, sketch: Sketch::of(shape, set.clone()), ..observation("count", &set, answer) }
}

fn cell(function: &str, contributions: impl Iterator<Item = (u64, i128)>, answer: i128) -> Observation {
    let set: Vec<(u64, i128)> = contributions.map(|(number, contribution)| (unit(number), contribution)).collect();
    observation(function, &set, answer)
}

fn observation(function: &str, set: &[(u64, i128)], answer: i128) -> Observation {
    Observation {
        seen_in: 0,
        scope: Scope::new("lfb.incidents", function, "cost"),
        units: set.len() as u64,
        sketch: summed(CAPACITY, set),
        answer,
        reuse: true,
    }
}

fn summed(capacity: u16, set: &[(u64, i128)]) -> Sketch {
    Sketch::of(Shape { capacity, contributions: true }, set.iter().copied())
}

fn release(cells: Vec<Observation>) -> Release {
    Release {
        visible: cells.len() as u64,
        cells,
        nearness: NEARNESS,
        caller: "ann@camden".to_owned(),
        accounts: vec![account("lfb.incidents", None)],
        question: String::new(),
        day: NaiveDate::from_ymd_opt(2026, 6, 1).unwrap(),
    }
}

/// The account of a dataset under the agreement.
fn account(dataset: &str, allowance: Option<u64>) -> Account {
    Account { agreement: Some("fire-risk-2026".to_owned()), dataset: dataset.to_owned(), allowance }
}

/// What becomes of these cells in one release.
fn settle(history: &History, cells: Vec<Observation>) -> Vec<Settled> {
    history.settle(release(cells)).unwrap().settled
}
