//! The list: what concerns a dataset, what is kept of it, and what becomes of a file that is not what it should be.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::fs;
use std::os::unix::fs::PermissionsExt;

use meridian_proto::Name;
use tempfile::TempDir;

use super::*;
use crate::secrets::Secret;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn entry(right: Right, kind: &str, unit: u64, datasets: &[&str]) -> Entry {
    Entry {
        number: 0,
        at_ms: 1,
        right,
        unit_kind: name(kind),
        units: vec![unit],
        named: false,
        datasets: datasets.iter().map(|dataset| name(dataset)).collect(),
        values: Vec::new(),
        until_corrected: false,
        ends: None,
        reference: "CASE-17".into(),
        reason: "CANARY-REASON".into(),
    }
}

fn end(number: u64, of: &Entry) -> Entry {
    Entry { right: Right::Withdraw, units: Vec::new(), values: Vec::new(), ends: Some(number), ..of.clone() }
}

struct Node {
    folder: TempDir,
    secret: Secret,
}

impl Node {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let secret = Secret::open(folder.path()).unwrap();
        Self { folder, secret }
    }

    fn store(&self) -> Store {
        Store::new(self.folder.path(), &self.secret)
    }

    fn add(&self, entry: Entry) -> Result<Entry, RightsError> {
        self.store().add(0, |_| Ok(entry))
    }

    fn list(&self) -> List {
        self.store().read(0).unwrap()
    }
}

fn left_out(list: &List, dataset: &str, own: Option<&str>, outer: Option<&str>) -> Vec<u64> {
    let (own, outer) = (own.map(name), outer.map(name));
    let kinds = Kinds { own: own.as_ref(), outer: outer.as_ref() };
    let mut units: Vec<u64> = list.concerning(&name(dataset), kinds).unwrap().left_out.into_iter().collect();
    units.sort_unstable();
    units
}

#[test]
fn an_entry_is_about_its_kind_or_the_datasets_that_it_names() {
    let node = Node::new();
    node.add(entry(Right::Object, "person", 1, &["people", "visits"])).unwrap();
    node.add(Entry { named: true, ..entry(Right::Erase, "person", 2, &["people"]) }).unwrap();
    node.add(entry(Right::Restrict, "household", 3, &["homes", "people"])).unwrap();
    let list = node.list();
    assert_eq!(left_out(&list, "people", Some("person"), Some("household")), [1, 2, 3]);
    assert_eq!(left_out(&list, "visits", Some("person"), None), [1]);
    assert_eq!(left_out(&list, "homes", Some("household"), None), [3]);
    assert_eq!(left_out(&list, "later", Some("person"), None), [1], "one of the kind that came later");
    assert_eq!(left_out(&list, "trees", Some("tree"), None), [0; 0]);
    assert_eq!(left_out(&list, "boroughs", None, None), [0; 0]);
}

#[test]
fn what_is_withdrawn_ends_once_and_what_does_not_stand_can_not_be() {
    let node = Node::new();
    let first = entry(Right::Object, "person", 1, &["people"]);
    node.add(first.clone()).unwrap();
    node.add(entry(Right::Restrict, "person", 1, &["people"])).unwrap();
    assert_eq!(node.add(end(1, &first)).unwrap().number, 3);
    let list = node.list();
    assert_eq!(left_out(&list, "people", Some("person"), None), [1], "the restriction stands");
    assert_eq!(list.end_of(1).unwrap().number, 3);
    for number in [0, 1, 3, 4] {
        let error = node.add(end(number, &first)).unwrap_err();
        assert!(matches!(error, RightsError::NotStanding { number: n } if n == number), "{error}");
    }
    node.add(end(2, &first)).unwrap();
    let kinds = name("person");
    let concerning = node.list().concerning(&name("people"), Kinds { own: Some(&kinds), outer: None }).unwrap();
    assert!(concerning.left_out.is_empty());
    assert_eq!(concerning.numbers, [1, 2, 3, 4], "ended ones and their ends are known by what was made with them");
}

#[test]
fn a_dataset_that_no_longer_names_the_units_of_an_entry_is_a_misfit() {
    let node = Node::new();
    let first = entry(Right::Object, "person", 1, &["people"]);
    node.add(first.clone()).unwrap();
    let (list, people, dweller) = (node.list(), name("people"), name("dweller"));
    for kinds in [Kinds::default(), Kinds { own: Some(&dweller), outer: None }] {
        let misfit = list.concerning(&people, kinds).unwrap_err();
        assert_eq!(misfit, Misfit { number: 1, kind: name("person") });
    }
    node.add(end(1, &first)).unwrap();
    assert!(node.list().concerning(&people, Kinds::default()).is_ok(), "it has ended");
    // A right value is a unit's own, not that of those who belong to it.
    let household = name("household");
    node.add(Entry { named: true, ..entry(Right::Rectify, "household", 1, &["people"]) }).unwrap();
    let outer = Kinds { own: None, outer: Some(&household) };
    assert_eq!(node.list().concerning(&people, outer).unwrap_err().number, 3);
}

#[test]
fn of_right_values_the_last_counts() {
    let node = Node::new();
    let value = |column: &str, value: &str| (name(column), value.to_owned());
    let rectify = |values: &[(Name, String)]| Entry {
        values: values.to_vec(),
        named: true,
        ..entry(Right::Rectify, "person", 1, &["people"])
    };
    let first = rectify(&[value("town", "leeds"), value("age", "41")]);
    node.add(first.clone()).unwrap();
    node.add(rectify(&[value("town", "york")])).unwrap();
    let person = name("person");
    let overlays = || {
        let list = node.list();
        let concerning = list.concerning(&name("people"), Kinds { own: Some(&person), outer: None }).unwrap();
        let of = |overlay: Overlay| (overlay.number, overlay.column.to_string(), overlay.value);
        concerning.overlays.into_iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(overlays(), [(1, "age".into(), "41".into()), (2, "town".into(), "york".into())]);
    node.add(end(2, &first)).unwrap();
    assert_eq!(overlays(), [(1, "age".into(), "41".into()), (1, "town".into(), "leeds".into())]);
}

#[test]
fn the_file_is_sealed_private_and_whole_or_an_error() {
    let node = Node::new();
    assert_eq!(node.list().last(), 0);
    node.add(entry(Right::Object, "person", 0x0123_4567_89ab_cdef, &["people"])).unwrap();
    let path = node.store().path();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let sealed = fs::read(&path).unwrap();
    for canary in ["CANARY", "CASE-17", "people", "object", "81985529216486895"] {
        assert!(!sealed.windows(canary.len()).any(|bytes| bytes == canary.as_bytes()), "{canary}");
    }
    assert!(!format!("{:?}", node.list()).contains("CANARY") && !format!("{:?}", node.list()).contains("8198552921"));
    let mut flipped = sealed.clone();
    flipped[sealed.len() / 2] ^= 1;
    for damaged in [Vec::new(), b"garbage".to_vec(), sealed[..sealed.len() - 1].to_vec(), flipped] {
        fs::write(&path, damaged).unwrap();
        assert!(matches!(node.store().read(0), Err(RightsError::Damaged { .. })));
        assert!(matches!(node.add(entry(Right::Object, "person", 2, &["people"])), Err(RightsError::Damaged { .. })));
    }
    fs::write(&path, &sealed).unwrap();
    let stranger = Store::new(node.folder.path(), &Secret::random().unwrap());
    assert!(matches!(stranger.read(0), Err(RightsError::Damaged { .. })), "another node's");
    assert_eq!(node.list().last(), 1);
}

#[test]
fn a_list_that_is_lost_or_older_is_noticed() {
    let node = Node::new();
    node.add(entry(Right::Object, "person", 1, &["people"])).unwrap();
    let older = fs::read(node.store().path()).unwrap();
    node.add(entry(Right::Object, "person", 2, &["people"])).unwrap();
    let watched = Watched::new(node.store(), 1);
    assert_eq!((watched.least(), watched.list().unwrap().last()), (2, 2));
    for lost in [true, false] {
        if lost {
            fs::remove_file(node.store().path()).unwrap();
        } else {
            fs::write(node.store().path(), &older).unwrap();
        }
        watched.refresh();
        let error = watched.list().unwrap_err();
        assert!(matches!(*error, RightsError::Missing { expected: 2, .. }), "{error}");
        // Nor is anything added to it, whose number would be taken.
        assert!(matches!(
            node.store().add(2, |_| Ok::<_, RightsError>(entry(Right::Object, "person", 3, &["people"]))),
            Err(RightsError::Missing { .. })
        ));
    }
}

#[test]
fn a_running_node_sees_what_is_added_and_gets_over_what_was_put_right() {
    let node = Node::new();
    let watched = Watched::new(node.store(), 0);
    assert_eq!(watched.list().unwrap().last(), 0);
    node.add(entry(Right::Object, "person", 1, &["people"])).unwrap();
    watched.refresh();
    assert_eq!(watched.list().unwrap().last(), 1);
    let good = fs::read(node.store().path()).unwrap();
    fs::write(node.store().path(), "garbage").unwrap();
    watched.refresh();
    assert!(watched.list().is_err());
    fs::write(node.store().path(), good).unwrap();
    watched.refresh();
    assert_eq!(watched.list().unwrap().last(), 1);
}

#[test]
fn half_a_file_of_a_crash_is_nothing_and_many_at_once_lose_nothing() {
    let node = Node::new();
    node.add(entry(Right::Object, "person", 1, &["people"])).unwrap();
    fs::write(node.folder.path().join("rights.sealed.new"), "half").unwrap();
    assert_eq!(node.list().last(), 1);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let node = &node;
            scope.spawn(move || {
                for unit in 0..5 {
                    node.add(entry(Right::Object, "person", 100 * thread + unit, &["people"])).unwrap();
                }
            });
        }
    });
    let list = node.list();
    let numbers: Vec<u64> = list.entries().iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, (1..=21).collect::<Vec<u64>>());
}
