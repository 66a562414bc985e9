//! A process that is killed while it settles loses nothing that it was told is settled.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::env;
use std::io::{BufRead, BufReader, Write, stdout};
use std::path::Path;
use std::process::{Command, Stdio};

use super::super::{History, Observation, Settled};
use super::{KEY, Place, settle, sum};

/// Set for the process that is to be killed: the history's file.
const FILE: &str = "MERIDIAN_TEST_HISTORY";
/// And the number of the first release that it settles.
const FIRST: &str = "MERIDIAN_TEST_FIRST";
const SETTLED: &str = "settled ";

/// Two cells, far from those of all other releases.
fn cells(number: u64) -> Vec<Observation> {
    let first = number * 1_000;
    vec![sum(first..first + 30, number.into()), sum(first + 500..first + 540, number.into())]
}

/// Does nothing unless it is run by [`what_was_acknowledged_survives_a_kill`].
#[test]
fn settles_until_it_is_killed() {
    let Ok(file) = env::var(FILE) else { return };
    let first: u64 = env::var(FIRST).unwrap().parse().unwrap();
    let history = History::open(Path::new(&file), &KEY).unwrap();
    // Bounded, so that it ends by itself if nobody kills it.
    for number in first..first + 100_000 {
        settle(&history, cells(number));
        let mut out = stdout().lock();
        if writeln!(out, "\n{SETTLED}{number}").and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let place = Place::new();
    let mut acknowledged = Vec::new();
    for (round, many) in [1, 7, 30].into_iter().enumerate() {
        let first = round as u64 * 1_000_000;
        acknowledged.extend(settle_and_kill(&place.path(), first, many));
        let history = place.open();
        for number in &acknowledged {
            assert_eq!(settle(&history, cells(*number)), [Settled::Repeated; 2], "release {number}, round {round}");
        }
    }
    assert!(acknowledged.len() >= 38);
}

/// Kills a child after it has acknowledged this many releases, and returns all that it has acknowledged by then.
fn settle_and_kill(path: &Path, first: u64, many: usize) -> Vec<u64> {
    let (_, module) = module_path!().split_once("::").unwrap();
    let mut child = Command::new(env::current_exe().unwrap())
        .args([&format!("{module}::settles_until_it_is_killed"), "--exact", "--nocapture", "--test-threads=1"])
        .env(FILE, path)
        .env(FIRST, first.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut numbers = lines.filter_map(|line| line.unwrap().strip_prefix(SETTLED)?.parse().ok());
    let mut acknowledged: Vec<u64> = numbers.by_ref().take(many).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    acknowledged.extend(numbers);
    assert!(acknowledged.len() >= many, "the child settled {} releases", acknowledged.len());
    acknowledged
}
