//! The content of a reference, and that it is the same however it arrives.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType, Field, Schema};

use super::{Content, content};

fn batch(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    let field = |(name, array): &(&str, ArrayRef)| Field::new(*name, array.data_type().clone(), true);
    let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
    RecordBatch::try_new(schema, columns.iter().map(|(_, array)| Arc::clone(array)).collect()).unwrap()
}

fn wards(keys: Vec<Option<i64>>, wards: Vec<Option<&str>>) -> RecordBatch {
    batch(&[("uprn", Arc::new(Int64Array::from(keys))), ("ward", Arc::new(StringArray::from(wards)))])
}

fn of(batches: &[RecordBatch]) -> Content {
    content(&batches[0].schema(), batches).unwrap()
}

#[test]
fn the_bytes_are_those_that_are_documented() {
    use sha2::Digest;
    let mut bytes = b"meridian reference 1\nuprn integer\nward varchar\n".to_vec();
    bytes.extend([0, 0]);
    bytes.extend([1, 0, 0, 0, 0, 0, 0, 1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
    bytes.extend(b"E1");
    let expected: [u8; 32] = sha2::Sha256::digest(&bytes).into();
    let found = of(&[wards(vec![Some(258), None], vec![Some("E1"), None])]);
    assert_eq!(found, Content { sha256: expected, repeats: false });
}

#[test]
fn order_batches_and_encodings_change_nothing() {
    let one = wards(vec![Some(1), Some(2), Some(3)], vec![Some("a"), None, Some("a")]);
    let expected = of(std::slice::from_ref(&one));
    assert_eq!(of(&[one.slice(2, 1), one.slice(0, 0), one.slice(0, 2)]), expected);
    let text = |data_type: DataType| cast(one.column(1), &data_type).unwrap();
    let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
    for other in [DataType::Utf8View, DataType::LargeUtf8, dictionary] {
        let keys: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
        assert_eq!(of(&[batch(&[("uprn", keys), ("ward", text(other))])]), expected);
    }
    let zeros = |zero: f64| {
        batch(&[
            ("k", Arc::new(Int64Array::from(vec![1])) as ArrayRef),
            ("v", Arc::new(Float64Array::from(vec![zero]))),
        ])
    };
    assert_eq!(of(&[zeros(0.0)]), of(&[zeros(-0.0)]));
}

#[test]
fn a_value_a_row_a_null_and_a_name_change_it() {
    let base = of(&[wards(vec![Some(1), Some(2)], vec![Some("a"), Some("b")])]);
    let others = [
        wards(vec![Some(1), Some(2)], vec![Some("a"), Some("c")]),
        wards(vec![Some(1), Some(2)], vec![Some("b"), Some("a")]),
        wards(vec![Some(1), Some(2)], vec![Some("a"), None]),
        wards(vec![Some(1), Some(2)], vec![Some("a"), Some("")]),
        wards(vec![Some(1)], vec![Some("a")]),
        wards(vec![Some(1), Some(2), None], vec![Some("a"), Some("b"), None]),
    ];
    for other in others {
        assert_ne!(of(std::slice::from_ref(&other)).sha256, base.sha256, "{other:?}");
    }
    let (keys, labels): (ArrayRef, ArrayRef) =
        (Arc::new(Int64Array::from(vec![1, 2])), Arc::new(StringArray::from(vec!["a", "b"])));
    assert_ne!(of(&[batch(&[("uprn", keys), ("wards", labels)])]).sha256, base.sha256);
    let moved = [wards(vec![Some(1)], vec![Some("ab")]), wards(vec![Some(1)], vec![Some("a")])];
    let all = concat_batches(&moved[0].schema(), &moved).unwrap();
    assert_ne!(of(&[all]).sha256, base.sha256);
}

#[test]
fn a_repeated_key_is_found_and_null_is_none() {
    let repeats = |keys| of(&[wards(keys, vec![Some("a"), Some("b"), None])]).repeats;
    assert!(repeats(vec![Some(1), Some(2), Some(1)]));
    assert!(!repeats(vec![Some(1), Some(2), Some(3)]));
    assert!(!repeats(vec![None, None, Some(3)]));
}
