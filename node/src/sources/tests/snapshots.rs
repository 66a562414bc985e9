//! Rows that stand for a period, sealed.

use super::*;

#[tokio::test]
async fn a_snapshot_stands_for_its_period_and_is_sealed() {
    let mut source = csv("id,name\n1,CANARY-ONE\n2,CANARY-TWO\n", &["id bigint", "name varchar"], None);
    source.spec.unit = Some(unit("id", true));
    source.spec.as_of = AsOf::Monthly;
    let folder = source.folder.path().join("snapshots");
    source.spec.snapshots = Some(SnapshotStore { folder: folder.clone(), key: [9; 32] });
    source.spec.rights = leaving_out(1, &["2"]);
    let taken = rows(&source).await;
    assert!(taken.contains("CANARY-ONE"), "{taken}");
    assert!(!taken.contains("CANARY-TWO"), "who objected is left out: {taken}");
    // Neither a change of the file nor a withdrawn objection shows before the next period.
    fs::write(&source.spec.path, "id,name\n1,CHANGED\n").unwrap();
    source.spec.rights = RightsSpec::default();
    assert_eq!(rows(&source).await, taken);
    fs::remove_file(&source.spec.path).unwrap();
    assert_eq!(rows(&source).await, taken);
    let files: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path()).collect();
    let [file] = files.as_slice() else { panic!("{files:?}") };
    let sealed = fs::read(file).unwrap();
    assert!(!sealed.windows(6).any(|bytes| bytes == b"CANARY"), "nothing readable");
    // The next month begins.
    fs::write(&source.spec.path, "id,name\n1,CHANGED\n").unwrap();
    let july = Utc.with_ymd_and_hms(2026, 7, 1, 0, 0, 0).unwrap();
    let loaded = load(&source.spec, &context(), now()).await.unwrap();
    assert!(!loaded.is_stale(&RightsSpec::default(), now()) && loaded.is_stale(&RightsSpec::default(), july));
    // What was altered is an error, not a new snapshot.
    for altered in [sealed[..sealed.len() - 1].to_vec(), flipped(&sealed)] {
        fs::write(file, altered).unwrap();
        let error = load(&source.spec, &context(), now()).await.unwrap_err().to_string();
        assert!(error.contains("remove"), "{error}");
    }
    assert_eq!(load(&source.spec, &context(), july).await.unwrap().rows, 1);
}

#[test]
fn other_ends_of_a_range_make_another_snapshot() {
    let mut source = csv("id\n1\n", &["id bigint"], None);
    source.spec.unit = Some(unit("id", true));
    source.spec.as_of = AsOf::Monthly;
    source.spec.snapshots = Some(SnapshotStore { folder: source.folder.path().into(), key: [9; 32] });
    let end = |text: &str| Some(text.to_owned());
    let all = [
        Covers::Value("1".into()),
        Covers::Value("from 1".into()),
        Covers::Range { from: end("1"), to: None },
        Covers::Range { from: None, to: end("1") },
        Covers::Range { from: end("1"), to: end("1") },
        Covers::Range { from: end("1"), to: end("2") },
    ];
    let paths = all.map(|covers| {
        let coverage = vec![Coverage { column: "id".parse().unwrap(), covers }];
        source.spec.dataset = Arc::new(Dataset { coverage, ..dataset(Form::Statistics, &["id bigint"]) });
        snapshot::Snapshot::of(&source.spec, now()).unwrap().unwrap().path()
    });
    assert_eq!(paths.iter().collect::<std::collections::HashSet<_>>().len(), 6);
}

fn flipped(bytes: &[u8]) -> Vec<u8> {
    let mut flipped = bytes.to_vec();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    flipped
}
