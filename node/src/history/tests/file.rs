//! The file: it is reopened, read by nobody, and opens under no other key and with no byte changed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::fs;
use std::sync::Arc;

use rand::{Rng, SeedableRng, rngs::StdRng};
use redb::{Database, ReadableTable, Table};

use super::super::tables::ANCHORS;
use super::super::{History, HistoryError, Settled};
use super::{KEY, Place, count, release, settle, sum};

const ROUNDS: usize = 120;
type Anchors<'t> = Table<'t, (u128, u64), &'static [u8]>;

#[test]
fn anchors_counters_and_near_pairs_are_there_after_reopening() {
    let place = Place::new();
    settle(&place.open(), vec![sum(0..50, 500), count(0..50, 51), count(0..55, 54)]);
    let history = place.open();
    assert_eq!(history.spent(Some("fire-risk-2026"), "lfb.incidents").unwrap(), 3);
    let more = history.settle(release(vec![count(0..58, 59)])).unwrap();
    assert!(more.near.iter().all(|near| (near.before, near.now) == (1, 3)), "{more:?}");
    let again = vec![sum(0..50, 500), sum(0..51, 510), count(0..55, 54)];
    assert_eq!(settle(&history, again), [Settled::Repeated, Settled::Reused(500), Settled::Repeated]);
    assert_eq!(settle(&history, vec![sum(0..60, 600)]), [Settled::Fresh]);
}

#[test]
fn nothing_in_the_file_can_be_read() {
    let place = Place::new();
    let marked = 0x0123_4567_89ab_cdef_0011_2233_4455_6677;
    let cells = || vec![sum(0..5_000, marked), count(0..50, 51), count(0..55, 54)];
    let sketches: Vec<Vec<u8>> = cells().iter().map(|cell| cell.sketch.to_bytes()).collect();
    {
        let history = place.open();
        settle(&history, cells());
    }
    let bytes = fs::read(place.path()).unwrap();
    let holds = |wanted: &[u8]| bytes.windows(wanted.len()).any(|window| window == wanted);
    assert!(holds(b"anchors"), "the search finds what is there");
    for text in ["lfb", "incidents", "cost", "ann", "camden", "fire-risk", "meridian history"] {
        assert!(!holds(text.as_bytes()), "{text}");
    }
    for word in sketches.iter().flat_map(|sketch| sketch.chunks(8)).filter(|word| **word != [0; 8]) {
        assert!(!holds(word) && !holds(&word.iter().rev().copied().collect::<Vec<u8>>()));
    }
    assert!(!holds(&marked.to_le_bytes()) && !holds(&marked.to_be_bytes()));
    assert!(!holds(&KEY));
}

#[test]
fn another_key_opens_nothing_and_harms_nothing() {
    let place = Place::new();
    settle(&place.open(), vec![sum(0..50, 500)]);
    let refused = History::open(&place.path(), &[8; 32]).unwrap_err();
    assert!(matches!(refused, HistoryError::Key { .. }), "{refused}");
    assert!(refused.to_string().contains("history.redb"), "{refused}");
    assert_eq!(settle(&place.open(), vec![sum(0..50, 500)]), [Settled::Repeated]);
}

#[test]
fn a_second_process_is_kept_out() {
    let place = Place::new();
    let history = place.open();
    let refused = History::open(&place.path(), &KEY).unwrap_err();
    assert!(matches!(refused, HistoryError::InUse { .. }), "{refused}");
    assert_eq!(settle(&history, vec![sum(0..50, 500)]), [Settled::Fresh]);
}

#[test]
fn a_file_of_something_else_is_an_error() {
    let place = Place::new();
    fs::write(place.path(), "not a history, whatever its name says").unwrap();
    let refused = History::open(&place.path(), &KEY).unwrap_err();
    assert!(refused.to_string().contains("history.redb"), "{refused}");
    assert_eq!(fs::read(place.path()).unwrap(), b"not a history, whatever its name says");
}

/// With any byte changed, the file opens and says what it said before, or is an error that names it.
#[test]
fn a_changed_byte_is_an_error_or_changes_nothing() {
    let place = Place::new();
    settle(&place.open(), (0..40).map(|at| sum(at * 50..at * 50 + 30, at.into())).collect());
    let whole = fs::read(place.path()).unwrap();
    let mut random = StdRng::seed_from_u64(10);
    let mut found = 0;
    for round in 0..ROUNDS {
        let mut changed = whole.clone();
        let at = random.random_range(0..changed.len());
        changed[at] ^= 1 << random.random_range(0..8);
        fs::write(place.path(), changed).unwrap();
        match History::open(&place.path(), &KEY) {
            Ok(history) => {
                let again = (0..40).map(|at| sum(at * 50..at * 50 + 30, at.into())).collect();
                assert_eq!(settle(&history, again), [Settled::Repeated; 40], "round {round}, byte {at}");
            }
            Err(error) => {
                found += 1;
                assert!(error.to_string().contains("history.redb"), "round {round}, byte {at}: {error}");
            }
        }
    }
    assert!(found > ROUNDS / 20, "{found} of {ROUNDS} changes were found");
}

/// A history of two anchors whose file somebody changed who knows its format, but not its key.
fn tampered(change: fn(&mut Anchors<'_>)) -> (Place, Result<Arc<History>, HistoryError>) {
    let place = Place::new();
    settle(&place.open(), vec![sum(0..50, 500), sum(100..150, 501)]);
    let database = Database::open(place.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&mut transaction.open_table(ANCHORS).unwrap());
    transaction.commit().unwrap();
    drop(database);
    let opened = History::open(&place.path(), &KEY);
    (place, opened)
}

fn rows(table: &Anchors<'_>) -> Vec<((u128, u64), Vec<u8>)> {
    let rows = table.iter().unwrap().map(|row| row.unwrap());
    rows.map(|(key, value)| (key.value(), value.value().to_vec())).collect()
}

fn swap(table: &mut Anchors<'_>) {
    let rows = rows(table);
    for (at, (key, _)) in rows.iter().enumerate() {
        table.insert(key, rows[1 - at].1.as_slice()).unwrap();
    }
}

fn shorten(table: &mut Anchors<'_>) {
    for (key, value) in rows(table) {
        table.insert(key, &value[..9]).unwrap();
    }
}

#[test]
fn what_is_taken_out_moved_or_cut_is_found() {
    assert!(tampered(|_| {}).1.is_ok());
    let (_place, removed) = tampered(|table| drop(table.pop_first().unwrap()));
    assert!(matches!(removed, Err(HistoryError::Damaged { .. })));
    for change in [swap, shorten] {
        let (_place, opened) = tampered(change);
        let settled = opened.unwrap().settle(release(vec![sum(0..50, 500)]));
        assert!(matches!(settled, Err(HistoryError::Damaged { .. })));
    }
}

#[test]
fn a_release_that_fails_half_way_leaves_nothing_behind() {
    let (_place, opened) = tampered(swap);
    let history = opened.unwrap();
    assert!(history.settle(release(vec![sum(200..240, 7), sum(0..50, 500)])).is_err());
    assert_eq!(history.spent(Some("fire-risk-2026"), "lfb.incidents").unwrap(), 2);
    assert_eq!(settle(&history, vec![sum(200..240, 8)]), [Settled::Fresh]);
}
