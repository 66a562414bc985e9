//! Records are durable, found again, and told from what they are not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::io;
use std::sync::Mutex;

use super::super::record::{Alert, Entry, Right};
use super::super::{Cells, Kept, Log, Recorded, Report, published, records, verify};
use super::*;

fn entry(id: &str) -> Entry {
    Entry { query_id: id.into(), caller: "spiffe://london/body/loda/node".into(), ..Entry::default() }
}

fn keeping() -> Keeping {
    Keeping { key: [3; 32], days: 90, log: LogKey::new("london/lfb/log", &[7; 32]) }
}

fn private() -> Private {
    Private { literals: vec!["'Zamora'".into()], ..Private::default() }
}

fn job(id: &str) -> Job {
    Job { record: Record::Refusal(entry(id)), private: Committed::new(&private()).unwrap(), done: None }
}

fn report(folder: &Path, earlier: &[Signed]) -> Result<Report, LogError> {
    verify(folder, &keeping().log.verifier(), &[3; 32], earlier)
}

/// A log of so many refusals, closed and published.
fn closed(folder: &Path, count: usize) {
    let (mut writer, _) = small(folder);
    for n in 0..count {
        writer.take(VecDeque::from([job(&n.to_string())]), &mut |_, result| result.map(drop)).unwrap();
    }
    drop(writer);
    let _ = Writer::open(folder, &keeping(), Duration::from_secs(20)).unwrap();
    hold(&File::options().append(true).open(folder.join(LOCK)).unwrap(), Duration::from_secs(20)).unwrap();
}

/// A writer whose journal has short files.
fn small(folder: &Path) -> (Writer, Rights) {
    let (mut writer, rights) = Writer::open(folder, &keeping(), Duration::from_secs(20)).unwrap();
    writer.file_bytes = 50_000;
    (writer, rights)
}

fn files(folder: &Path) -> Vec<(u64, PathBuf)> {
    journal::files(folder).unwrap()
}

#[tokio::test]
async fn records_are_in_the_tree_and_have_their_private_parts() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), &keeping()).unwrap();
    let first = log.release(entry("a"), &private()).await.unwrap();
    let cells = Cells { withheld: 2, ..Cells::default() };
    let closing = Private { cells: vec![cells], ..Private::default() };
    log.outcome(&first, Outcome::Completed { rows: 3, bytes: 64 }, Committed::new(&closing).unwrap());
    let second = log.refusal(entry("b"), &private()).await.unwrap();
    assert_eq!((first.index(), second.index()), (0, 2));
    let records = records(folder.path()).unwrap();
    assert_eq!(records.len(), 3);
    assert_eq!(records[2].hash, second.hash());
    for durable in [&first, &second] {
        let proof = log.prove(durable.index()).unwrap();
        proof.check(log.key(), tlog_tiles::Hash(durable.hash())).unwrap();
        assert!(proof.check(log.key(), tlog_tiles::Hash([0; 32])).is_err());
    }
    let kept = |index: usize| super::super::private(folder.path(), &[3; 32], &records[index]).unwrap();
    assert_eq!(hex::encode(first.commitment()), records[0].commitment);
    assert_eq!((kept(0), kept(1), kept(2)), (Kept::Whole(private()), Kept::Whole(closing), Kept::Whole(private())));
    let found = report(folder.path(), &[]).unwrap();
    assert_eq!((found.records, found.private, found.open), (3, 3, 0));
    // What is shown in its place is told apart, and so is what was deleted.
    let other = Recorded { commitment: records[1].commitment.clone(), ..records[0].clone() };
    assert_eq!(super::super::private(folder.path(), &[3; 32], &other).unwrap(), Kept::Altered);
    fs::remove_dir_all(folder.path().join("private")).unwrap();
    assert_eq!(kept(0), Kept::Deleted);
    assert_eq!(report(folder.path(), &[]).unwrap().deleted, 3);
    for file in [journal::file(folder.path(), 0)] {
        assert!(!fs::read(file).unwrap().windows(6).any(|window| window == b"Zamora"));
    }
}

#[test]
fn what_was_published_can_go_from_the_journal_and_a_start_reads_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    closed(folder.path(), 1500);
    let names = files(folder.path());
    assert!(names[0].0 > 0 && names[0].0 % 256 == 0, "{names:?}");
    let found = report(folder.path(), &[]).unwrap();
    assert_eq!((found.records, found.published, found.private), (1500, 1500, 1500));
    assert!(found.tiles >= 6, "{found:?}");
    assert_eq!(records(folder.path()).unwrap().len(), 1500);
    assert!(folder.path().join("tile/entries/004").is_file() && folder.path().join("tile/0/004").is_file());
    assert!(folder.path().join("tile/entries/005.p/220").is_file() && folder.path().join("tile/1/000.p/5").is_file());
    assert_eq!(fs::read_dir(folder.path().join("tile/entries/005.p")).unwrap().count(), 1, "no old partial ones");
    // Proofs reach back to what only tiles hold.
    let checkpoint = published(folder.path(), &keeping().log.verifier()).unwrap();
    for index in [0, 255, 256, 1300, 1499] {
        let proof = super::super::proof(folder.path(), index, &checkpoint).unwrap();
        let record = proof.extra.clone().unwrap();
        proof.check(&keeping().log.verifier(), record_hash(&record)).unwrap();
        assert!(String::from_utf8(record).unwrap().contains(&format!("\"index\":{index},")));
    }
    let log = Log::open(folder.path(), &keeping()).unwrap();
    for index in [0, 700, 1499] {
        log.prove(index)
            .unwrap()
            .check(log.key(), tlog_tiles::Hash(records(folder.path()).unwrap()[usize::try_from(index).unwrap()].hash))
            .unwrap();
    }
    let head = log.head();
    let earlier = log.root_at(&head, 1000).unwrap();
    super::super::check_tree(&log.continues(&head, 1000).unwrap(), 1500, head.root, 1000, earlier).unwrap();
}

/// Changes something of a closed log of 700 records, which must be found.
fn tampered(name: &str, change: impl Fn(&Path), finds: &str) {
    let folder = tempfile::tempdir().unwrap();
    closed(folder.path(), 700);
    assert_eq!(report(folder.path(), &[]).unwrap().records, 700);
    change(folder.path());
    let error = report(folder.path(), &[]).expect_err(name).to_string();
    assert!(error.contains(finds), "{name}: {error}");
}

fn bundle(folder: &Path, number: u64, change: impl Fn(&mut Vec<Vec<u8>>)) {
    let path = folder.join(tiles_path(number));
    let mut records = super::super::tiles::records(&fs::read(&path).unwrap()).unwrap();
    change(&mut records);
    fs::write(&path, super::super::tiles::encode(records.iter().map(Vec::as_slice))).unwrap();
}

fn tiles_path(number: u64) -> String {
    super::super::tiles::bundle_path(number, 256)
}

fn replaced(record: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8(record.to_vec()).unwrap();
    assert!(text.contains(from), "{text}");
    text.replacen(from, to, 1).into_bytes()
}

#[test]
fn an_edited_record_is_found() {
    let edit = |folder: &Path| {
        bundle(folder, 0, |records| records[7] = replaced(&records[7], "\"query_id\":\"7\"", "\"query_id\":\"8\""));
    };
    tampered("edited", edit, "record 7: the tile holds another hash");
    // With its tile made to fit, what is above it still says otherwise.
    tampered(
        "edited with its tile",
        |folder| {
            edit(folder);
            let records = super::super::tiles::bundle(folder, 0, 256).unwrap();
            let hashes: Vec<_> = records.iter().map(|record| record_hash(record)).collect();
            fs::write(folder.join("tile/0/000"), super::super::tree::bytes(&hashes)).unwrap();
        },
        "does not say what the records say",
    );
}

#[test]
fn a_dropped_record_is_found() {
    tampered("dropped", |folder| bundle(folder, 0, |records| drop(records.remove(7))), "no bundle of 256");
    let moved = |records: &mut Vec<Vec<u8>>| {
        records.remove(7);
        records.push(records[254].clone());
    };
    tampered("dropped and filled up", |folder| bundle(folder, 0, moved), "record 7: its index is not the next one");
}

#[test]
fn reordered_records_are_found() {
    tampered("reordered", |folder| bundle(folder, 0, |records| records.swap(7, 8)), "record 7: its index");
}

#[test]
fn a_truncated_log_is_found() {
    tampered(
        "a bundle",
        |folder| fs::remove_file(folder.join(tiles_path(0))).unwrap(),
        "record 0: the file is missing",
    );
    tampered("a tile", |folder| fs::remove_file(folder.join("tile/0/000")).unwrap(), "the tile is missing");
    // The last group and more, in the journal: the published checkpoint covers it.
    let cut = |folder: &Path| {
        let (_, path) = files(folder).pop().unwrap();
        let bytes = fs::read(&path).unwrap();
        let (mut ends, mut end) = (vec![0], 0);
        while let Ok(Some(group)) = journal::group(&bytes, end) {
            end = group.end;
            ends.push(end);
        }
        fs::write(&path, &bytes[..ends[ends.len() - 3]]).unwrap();
    };
    tampered("the journal", cut, "covers more");
    let folder = tempfile::tempdir().unwrap();
    closed(folder.path(), 700);
    cut(folder.path());
    let error = Writer::open(folder.path(), &keeping(), Duration::ZERO).err().unwrap().to_string();
    assert!(error.contains("record 698") && error.contains("records are missing"), "{error}");
}

#[test]
fn a_forked_log_is_found_against_an_earlier_checkpoint() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    closed(one.path(), 300);
    let earlier = published(one.path(), &keeping().log.verifier()).unwrap();
    closed(one.path(), 20);
    assert_eq!(report(one.path(), &[earlier.clone()]).unwrap().continues, [300]);
    closed(other.path(), 320);
    assert_eq!(report(other.path(), &[]).unwrap().records, 320, "by itself it holds");
    let error = report(other.path(), &[earlier]).unwrap_err().to_string();
    assert!(error.contains("record 299") && error.contains("rewritten"), "{error}");
}

#[test]
fn an_old_backup_is_found_against_a_later_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    closed(folder.path(), 10);
    let old = fs::read(journal::file(folder.path(), 0)).unwrap();
    let old_checkpoint = fs::read(folder.path().join(CHECKPOINT)).unwrap();
    closed(folder.path(), 5);
    let later = published(folder.path(), &keeping().log.verifier()).unwrap();
    fs::write(journal::file(folder.path(), 0), old).unwrap();
    fs::write(folder.path().join(CHECKPOINT), old_checkpoint).unwrap();
    assert_eq!(report(folder.path(), &[]).unwrap().records, 10, "by itself it holds");
    let error = report(folder.path(), &[later]).unwrap_err().to_string();
    assert!(error.contains("record 10") && error.contains("old backup"), "{error}");
}

#[test]
fn a_changed_private_part_is_found() {
    let day = |folder: &Path| fs::read_dir(folder.join("private")).unwrap().next().unwrap().unwrap().path();
    tampered(
        "cut off",
        |folder| {
            let bytes = fs::read(day(folder)).unwrap();
            fs::write(day(folder), &bytes[..bytes.len() / 2]).unwrap();
        },
        "private part is missing",
    );
    tampered(
        "changed",
        |folder| {
            let mut bytes = fs::read(day(folder)).unwrap();
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            fs::write(day(folder), bytes).unwrap();
        },
        "record 699: its private part is missing",
    );
}

#[test]
fn every_changed_byte_of_the_journal_stops_the_node() {
    let folder = tempfile::tempdir().unwrap();
    closed(folder.path(), 3);
    let path = journal::file(folder.path(), 0);
    let good = fs::read(&path).unwrap();
    for place in (0..good.len()).step_by(7) {
        let mut bad = good.clone();
        bad[place] ^= 4;
        fs::write(&path, bad).unwrap();
        let error = Writer::open(folder.path(), &keeping(), Duration::ZERO).err();
        assert!(matches!(error, Some(LogError::Damaged { .. })), "{place}: {error:?}");
    }
    // Another key is not this node's.
    fs::write(&path, good).unwrap();
    let other = Keeping { log: LogKey::new("london/lfb/log", &[8; 32]), ..keeping() };
    let error = Writer::open(folder.path(), &other, Duration::ZERO).err().unwrap().to_string();
    assert!(error.contains("secret.key"), "{error}");
}

#[tokio::test]
async fn a_crash_leaves_a_torn_tail_and_an_open_release() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), &keeping()).unwrap();
    log.release(entry("a"), &private()).await.unwrap();
    let mut bytes = fs::read(journal::file(folder.path(), 0)).unwrap();
    let group = bytes.clone();
    bytes.extend_from_slice(&group[..group.len() - 5]);
    let other = tempfile::tempdir().unwrap();
    fs::create_dir_all(other.path().join("journal")).unwrap();
    fs::create_dir_all(other.path().join("private")).unwrap();
    for day in fs::read_dir(folder.path().join("private")).unwrap().flatten() {
        fs::copy(day.path(), other.path().join("private").join(day.file_name())).unwrap();
    }
    fs::write(journal::file(other.path(), 0), bytes).unwrap();
    let log = Log::open(other.path(), &keeping()).unwrap();
    log.refusal(entry("b"), &private()).await.unwrap();
    let records = records(other.path()).unwrap();
    assert_eq!(records.len(), 3);
    assert!(matches!(&records[1].record, Record::Outcome { of: 0, outcome: Outcome::Interrupted { .. } }));
    let torn = fs::read_dir(other.path()).unwrap().flatten();
    assert_eq!(torn.filter(|entry| entry.file_name().to_string_lossy().starts_with("torn-")).count(), 1);
}

/// What a disk does next.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    Well,
    /// Half of what is to be written, then no more room.
    Full,
    /// Taken, and lost.
    Lost,
}

/// A file on a disk that fails when it is told to.
struct Faulty(File, Arc<Mutex<Next>>);

impl Disk for Faulty {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if *self.1.lock().unwrap() == Next::Full {
            self.0.append(&bytes[..bytes.len() / 2])?;
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.0.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        if *self.1.lock().unwrap() == Next::Lost {
            return Err(io::Error::other("the disk lost it"));
        }
        self.0.sync()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.0.cut(length)
    }
}

fn faulty(folder: &Path) -> (Writer, Arc<Mutex<Next>>) {
    let (mut writer, _) = Writer::open(folder, &keeping(), Duration::from_secs(20)).unwrap();
    let next = Arc::new(Mutex::new(Next::Well));
    let file = File::options().append(true).open(journal::file(folder, 0)).unwrap();
    writer.file = Box::new(Faulty(file, Arc::clone(&next)));
    (writer, next)
}

#[test]
fn a_full_disk_stops_answers_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, next) = faulty(folder.path());
    writer.commit(&[job("a")]).unwrap();
    *next.lock().unwrap() = Next::Full;
    for _ in 0..3 {
        let error = writer.commit(&[job("b")]).unwrap_err().to_string();
        assert!(error.contains("can't be written") && error.contains("answers nothing"), "{error}");
    }
    assert_eq!(records(folder.path()).unwrap().len(), 1);
    *next.lock().unwrap() = Next::Well;
    writer.commit(&[job("c")]).unwrap();
    let records = records(folder.path()).unwrap();
    let kept = super::super::private(folder.path(), &[3; 32], &records[1]).unwrap();
    assert_eq!(kept, Kept::Whole(private()), "what was not recorded left nothing in its place");
    assert_eq!(report(folder.path(), &[]).unwrap().records, 2);
}

#[test]
fn what_the_disk_lost_stops_answers_until_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (mut writer, next) = faulty(folder.path());
    writer.commit(&[job("a")]).unwrap();
    *next.lock().unwrap() = Next::Lost;
    let error = writer.commit(&[job("b")]).unwrap_err().to_string();
    assert!(error.contains("can't be made durable: the disk lost it"), "{error}");
    *next.lock().unwrap() = Next::Well;
    assert!(writer.commit(&[job("c")]).is_err(), "what it holds is not known");
    let head = writer.shared().head();
    assert_eq!(head.size(), 1, "no checkpoint covers what may be lost");
    drop(writer);
    let (writer, _) = Writer::open(folder.path(), &keeping(), Duration::from_secs(20)).unwrap();
    assert_eq!(writer.tree.size(), 2, "it was there after all, and nobody was told otherwise");
}

#[tokio::test]
async fn a_log_that_others_know_better_takes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), &keeping()).unwrap();
    log.refusal(entry("a"), &private()).await.unwrap();
    log.stop(LogError::Betrayed { witness: "gla".into(), why: "it is older".into() });
    let error = log.release(entry("b"), &private()).await.unwrap_err().to_string();
    assert!(error.contains("gla") && error.contains("answers nothing"), "{error}");
}

#[tokio::test]
async fn a_record_that_is_too_long_for_the_log_lies_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::open(folder.path(), &keeping()).unwrap();
    let long = Entry { sql: "SELECT 1 ".repeat(20_000), ..entry("a") };
    let release = log.release(long.clone(), &private()).await.unwrap();
    log.outcome(&release, Outcome::Completed { rows: 1, bytes: 1 }, Committed::new(&private()).unwrap());
    log.refusal(entry("b"), &private()).await.unwrap();
    let found = records(folder.path()).unwrap();
    assert_eq!(found[0].record, Record::Release(long));
    assert_eq!(report(folder.path(), &[]).unwrap().records, 3);
    let file = fs::read_dir(folder.path().join("long")).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("SELECT 1", "SELECT 2", 1)).unwrap();
    assert!(report(folder.path(), &[]).unwrap_err().to_string().contains("record 0"));
}

#[tokio::test]
async fn one_process_writes_and_what_it_says_of_rights_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    assert!(super::super::records_if_any(folder.path()).unwrap().is_empty());
    let log = Log::open(folder.path(), &keeping()).unwrap();
    assert!(Log::open_if_free(folder.path(), &keeping()).unwrap().is_none(), "it is held");
    let right = |number| Right { number, right: "object".into(), unit_kind: "person".into(), ..Right::default() };
    log.right(right(1)).await.unwrap();
    log.right(right(2)).await.unwrap();
    log.effect("people", vec![1]).await.unwrap();
    log.alert(
        Alert { who: "analyst".into(), name: "a".into(), day: "d".into(), limit: 1 },
        Committed::new(&Private::default()).unwrap(),
    );
    // It may be read all the same.
    let lines = super::super::records_if_any(folder.path()).unwrap();
    assert!(matches!(&lines[2].record, Record::Effect { dataset, .. } if dataset == "people"));
    drop(log);
    // Its threads give the file up.
    let log = Log::open(folder.path(), &keeping()).unwrap();
    assert_eq!(log.found().last(), 2);
    assert!(log.found().effects.contains(&("people".into(), 1)) && log.found().effects.len() == 1);
}

#[test]
fn sealed_records_go_and_their_hashes_stay() {
    let (folder, archive) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    closed(folder.path(), 1500);
    let (log, now) = (keeping().log.verifier(), now_ms());
    let checkpoint = published(folder.path(), &log).unwrap();
    let record = super::super::proof(folder.path(), 5, &checkpoint).unwrap().extra.unwrap();
    assert!(super::super::seal(folder.path(), 1, None).unwrap().is_empty(), "none is that old");
    let sealed = super::super::seal(folder.path(), now + 1, Some(archive.path())).unwrap();
    assert!(sealed.start == 0 && sealed.end >= 256 && sealed.end % 256 == 0, "{sealed:?}");
    assert!(!folder.path().join(tiles_path(0)).exists() && archive.path().join(tiles_path(0)).is_file());
    let found = report(folder.path(), std::slice::from_ref(&checkpoint)).unwrap();
    assert_eq!((found.records, found.sealed), (1500, sealed.end));
    assert_eq!(records(folder.path()).unwrap()[0].index, sealed.end);
    // A proof of a sealed record is for whoever has it from the archive.
    let proof = super::super::proof(folder.path(), 5, &checkpoint).unwrap();
    assert_eq!(proof.extra, None);
    proof.check(&log, record_hash(&record)).unwrap();
    let kept = super::super::tiles::bundle(archive.path(), 0, 256).unwrap();
    assert_eq!(kept[5], record);
    // The node goes on, and a changed hash is found.
    closed(folder.path(), 3);
    assert_eq!(report(folder.path(), &[checkpoint]).unwrap().records, 1503);
    let mut tile = fs::read(folder.path().join("tile/0/000")).unwrap();
    tile[40] ^= 1;
    fs::write(folder.path().join("tile/0/000"), tile).unwrap();
    let error = report(folder.path(), &[]).unwrap_err().to_string();
    assert!(error.contains("tile holds another hash") || error.contains("sealed records are not"), "{error}");
}

#[test]
fn a_node_that_starts_on_a_log_damaged_long_ago_finds_out() {
    let folder = tempfile::tempdir().unwrap();
    closed(folder.path(), 700);
    bundle(folder.path(), 0, |records| records[7] = replaced(&records[7], "\"query_id\":\"7\"", "\"query_id\":\"8\""));
    let log = Log::open(folder.path(), &keeping()).unwrap();
    let began = Instant::now();
    while log.stopped().is_none() {
        assert!(began.elapsed() < Duration::from_secs(60), "it takes records on a log that does not hold");
        std::thread::yield_now();
    }
    let error = log.stopped().unwrap().to_string();
    assert!(error.contains("record 7") && error.contains("answers nothing"), "{error}");
}
