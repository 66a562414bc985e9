//! What is done to rows for whom they are about.

use super::*;

#[tokio::test]
async fn who_objects_is_left_out_at_once_where_rows_are_live_and_with_all_others_at_the_next_snapshot() {
    let text = "id,home,name\n1,7,ann\n0002,7,bob\n3,8,cem\n4,,dee\n";
    let mut source = csv(text, &["id bigint", "home bigint", "name varchar"], None);
    let home = OuterUnitSpec { kind: "home".parse().unwrap(), column: "home".parse().unwrap(), key: [5; 16] };
    source.spec.unit = Some(UnitSpec { belongs_to: Some(home), ..unit("id", true) });
    let names = async |spec: &SourceSpec, now| {
        let loaded = load(spec, &context(), now).await.unwrap();
        let batches = context().execute_logical_plan(loaded.plan.clone()).await.unwrap().collect().await.unwrap();
        let text = pretty_format_batches(&batches).unwrap().to_string();
        let names: Vec<&str> = ["ann", "bob", "cem", "dee"].into_iter().filter(|name| text.contains(name)).collect();
        assert_eq!(loaded.rows as usize, names.len(), "who is left out isn't counted either");
        (names.join(" "), loaded)
    };
    let (all, live) = names(&source.spec, now()).await;
    assert_eq!(all, "ann bob cem dee");
    assert!(!live.is_stale(&source.spec.rights, now()));
    source.spec.rights = leaving_out(1, &["2"]);
    assert!(live.is_stale(&source.spec.rights, now()), "live rows are loaded again");
    assert_eq!(names(&source.spec, now()).await.0, "ann cem dee");
    // A home that objects is all who live in it.
    source.spec.rights = RightsSpec { left_out: Arc::new([unit_hash(&[5; 16], "7")].into()), ..leaving_out(1, &[]) };
    assert_eq!(names(&source.spec, now()).await.0, "cem dee");
    source.spec.unit.as_mut().unwrap().column = None;
    assert_eq!(names(&source.spec, now()).await.0, "cem dee", "also where each row is a unit of its own");
    source.spec.unit.as_mut().unwrap().column = Some("id".parse().unwrap());

    source.spec.rights = leaving_out(1, &["1"]);
    source.spec.as_of = AsOf::Monthly;
    let folder = source.folder.path().join("snapshots");
    source.spec.snapshots = Some(SnapshotStore { folder, key: [9; 32] });
    assert_eq!(takes_effect(&source.spec, now()), None, "with the snapshot that is still to be taken");
    let (taken, loaded) = names(&source.spec, now()).await;
    assert_eq!((taken.as_str(), &loaded.rights[..]), ("bob cem dee", &[1][..]));
    source.spec.rights = leaving_out(3, &["1", "3", "4"]);
    assert!(!loaded.is_stale(&source.spec.rights, now()), "they wait for the next one");
    let (same, loaded) = names(&source.spec, now()).await;
    assert_eq!((same.as_str(), &loaded.rights[..]), ("bob cem dee", &[1][..]), "it says what it was made with");
    let july = Utc.with_ymd_and_hms(2026, 7, 1, 0, 0, 0).unwrap();
    assert_eq!(takes_effect(&source.spec, now()), Some(july));
    assert!(loaded.is_stale(&source.spec.rights, july));
    let (next, loaded) = names(&source.spec, july).await;
    assert_eq!((next.as_str(), &loaded.rights[..]), ("bob", &[1, 2, 3][..]), "all together");
}

#[tokio::test]
async fn what_can_not_be_known_stops_a_dataset() {
    let mut source = csv("id\n1\n", &["id bigint"], None);
    source.spec.unit = Some(unit("id", true));
    let loaded = load(&source.spec, &context(), now()).await.unwrap();
    let before = inputs(&source.spec, now());
    source.spec.rights.fault = Some("the list is damaged".into());
    assert!(loaded.is_stale(&source.spec.rights, now()));
    let found = refused(&source, &[]).await;
    assert_eq!(found, "dataset people: the list is damaged; nothing of it is released until then");
    assert_ne!(inputs(&source.spec, now()), before, "and is tried again when it can be");
}

#[tokio::test]
async fn a_right_value_overlays_the_source_and_is_noticed_there() {
    let mut source =
        csv("id,town,age\n1,leeds,40\n1,hull,41\n2,leeds,50\n", &["id bigint", "town varchar", "age integer"], None);
    source.spec.unit = Some(unit("id", false));
    let right = |entry, unit: &str, column: &str, value: &str| Rectified {
        entry,
        unit: unit_hash(&[3; 16], unit),
        column: column.parse().unwrap(),
        value: value.into(),
    };
    let rectified = vec![
        right(1, "1", "town", "york"),
        right(1, "1", "age", "42"),
        right(2, "2", "age", "50"),
        right(3, "9", "age", "1"),
    ];
    source.spec.rights = RightsSpec { rectified, ..leaving_out(3, &[]) };
    assert_rows(&marked(&source).await, &["|1|york|42|", "|1|york|42|", "|2|leeds|50|"]);
    let corrected = async |source: &Source| load(&source.spec, &context(), now()).await.unwrap().corrected;
    assert_eq!(corrected(&source).await, [2], "a unit without rows tells nothing");
    fs::write(&source.spec.path, "id,town,age\n1,york,42\n1,york,41\n2,hull,50\n").unwrap();
    assert_eq!(corrected(&source).await, [2], "one value of one row is still wrong");
    fs::write(&source.spec.path, "id,town,age\n1,york,42\n1,york,42\n2,hull,51\n").unwrap();
    assert_eq!(corrected(&source).await, [1]);
    source.spec.rights.rectified = vec![right(4, "1", "age", "old")];
    assert!(refused(&source, &["old"]).await.contains("column age: a rectified value is none of its type"));
}

/// The published columns of the rows.
async fn marked(source: &Source) -> String {
    let loaded = load(&source.spec, &context(), now()).await.unwrap();
    let columns: Vec<&str> = source.spec.dataset.columns.iter().map(|column| column.name.as_str()).collect();
    let frame = context().execute_logical_plan(loaded.plan).await.unwrap().select_columns(&columns).unwrap();
    pretty_format_batches(&frame.collect().await.unwrap()).unwrap().to_string()
}

#[tokio::test]
async fn the_rows_of_a_unit_are_found_whatever_it_asked_for() {
    let mut source = csv("id,home\n1,7\n2,7\n1,8\n", &["id bigint", "home bigint"], None);
    let home = OuterUnitSpec { kind: "home".parse().unwrap(), column: "home".parse().unwrap(), key: [5; 16] };
    source.spec.unit = Some(UnitSpec { belongs_to: Some(home), ..unit("id", false) });
    source.spec.as_of = AsOf::Monthly;
    let folder = source.folder.path().join("snapshots");
    source.spec.snapshots = Some(SnapshotStore { folder, key: [9; 32] });
    let counts = async |spec: &SourceSpec, key: [u8; 16], unit: &str| {
        let found = found(spec, &[unit_hash(&key, unit)].into(), &context(), now()).await.unwrap();
        found.iter().map(|found| (found.place, found.rows(), found.outer.len())).collect::<Vec<_>>()
    };
    assert_eq!(counts(&source.spec, [3; 16], "1").await, [(Place::Source, 2, 2)]);
    load(&source.spec, &context(), now()).await.unwrap();
    fs::write(&source.spec.path, "id,home\n2,7\n").unwrap();
    source.spec.rights = leaving_out(1, &["1", "2"]);
    assert_eq!(counts(&source.spec, [3; 16], "1").await, [(Place::Source, 0, 0), (Place::Snapshot, 2, 2)]);
    assert_eq!(counts(&source.spec, [5; 16], "7").await, [(Place::Source, 1, 1), (Place::Snapshot, 2, 1)]);
}
