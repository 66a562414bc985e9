//! The hashes that stand for units.

use super::*;

/// The hashes of the rows' units, in order.
async fn units(spec: &SourceSpec) -> Vec<Option<u64>> {
    let loaded = load(spec, &context(), now()).await.unwrap();
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    let batches = context.execute_logical_plan(loaded.plan).await.unwrap().collect().await.unwrap();
    let column = |batch: &RecordBatch| {
        let units = batch.column_by_name(crate::gate::UNIT_COLUMN).unwrap().clone();
        units.as_any().downcast_ref::<arrow::array::UInt64Array>().unwrap().iter().collect::<Vec<_>>()
    };
    batches.iter().flat_map(column).collect()
}

#[tokio::test]
async fn one_unit_in_several_spellings_is_one_unit() {
    let mut source = csv("id\n0042\n42\n 42 \nA-1\n\"\"\n", &["id varchar"], None);
    source.spec.unit = Some(unit("id", false));
    let found = units(&source.spec).await;
    assert_eq!(found[0], Some(unit_hash(&[3; 16], "42")));
    assert_eq!((found[1], found[2]), (found[0], found[0]));
    assert!(found[3].is_some() && found[3] != found[0]);
    assert_eq!(found[4], None, "no unit");
    let mut numbers = csv("id\n42\n", &["id bigint"], None);
    numbers.spec.unit = Some(unit("id", false));
    assert_eq!(units(&numbers.spec).await, [found[0]], "and the same in a column of numbers");
    numbers.spec.unit = Some(UnitSpec { key: [4; 16], ..unit("id", false) });
    assert_ne!(units(&numbers.spec).await, [found[0]], "for nobody to compute who lacks the key");
    source.spec.unit = Some(unit("id", true));
    assert!(refused(&source, &["0042"]).await.contains("repeat a unit"));
}

#[tokio::test]
async fn equal_rows_are_units_of_their_own_and_others_do_not_change_them() {
    let each = |text: &str| {
        let mut source = csv(text, &["borough varchar"], None);
        source.spec.unit = Some(UnitSpec { column: None, unique: true, ..unit("borough", true) });
        source
    };
    let before = units(&each("borough\nbexley\nbexley\ncamden\n").spec).await;
    assert_eq!(before.iter().collect::<std::collections::HashSet<_>>().len(), 3);
    let after = units(&each("borough\ncamden\nealing\nbexley\nbexley\n").spec).await;
    assert_eq!([after[2], after[3], after[0]], [before[0], before[1], before[2]]);
}

#[tokio::test]
async fn record_keys_of_the_owner_take_the_place_of_the_low_byte() {
    let mut source = csv("id,record_key\n1,7\n2,255\n", &["id bigint", "record_key bigint"], None);
    source.spec.unit = Some(UnitSpec { record_key: Some("record_key".parse().unwrap()), ..unit("id", true) });
    let low: Vec<u64> = units(&source.spec).await.into_iter().map(|unit| unit.unwrap() & 0xff).collect();
    assert_eq!(low, [7, 255]);
    fs::write(&source.spec.path, "id,record_key\n1,7\n2,256\n").unwrap();
    assert!(refused(&source, &["256"]).await.contains("record_key"));
}
