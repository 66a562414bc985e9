//! Copies arrays that hold more than their rows, so that nothing else goes over the wire with them: neither rows that
//! were sliced or filtered away, nor bytes under a NULL.

use arrow::array::{Array, ArrayRef, MutableArrayData, make_array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

/// The same values, in buffers that hold nothing else.
pub(super) fn compacted(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    match array.data_type() {
        // A dictionary holds values of rows that are gone: made anew, it holds those of its own rows.
        DataType::Dictionary(_, values) => cast(&rebuilt(&cast(array, values)?)?, array.data_type()),
        _ if is_compact(array) => Ok(ArrayRef::clone(array)),
        _ => with_children(&rebuilt(array)?),
    }
}

/// Lists and structs hold arrays, each of which may hold more than its rows as well.
fn with_children(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let data = array.to_data();
    if data.child_data().is_empty() {
        return Ok(ArrayRef::clone(array));
    }
    let children = data.child_data().iter().map(|child| Ok(compacted(&make_array(child.clone()))?.to_data()));
    let children = children.collect::<Result<Vec<_>, ArrowError>>()?;
    Ok(make_array(data.into_builder().child_data(children).build()?))
}

fn is_compact(array: &ArrayRef) -> bool {
    let data = array.to_data();
    let held: usize = data.buffers().iter().map(arrow::buffer::Buffer::len).sum();
    // The last byte of a bitmap has room for bits of seven other rows.
    data.nulls().is_none()
        && !matches!(array.data_type(), DataType::Boolean)
        && data.offset() == 0
        && data.child_data().is_empty()
        && !matches!(array.data_type(), DataType::Utf8View | DataType::BinaryView)
        && data.get_slice_memory_size().is_ok_and(|needed| needed == held)
}

fn rebuilt(array: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    let data = array.to_data();
    let mut copy = MutableArrayData::new(vec![&data], true, array.len());
    let mut from = 0;
    while from < array.len() {
        let null = array.is_null(from);
        let until = (from..array.len()).find(|row| array.is_null(*row) != null).unwrap_or(array.len());
        if null {
            copy.try_extend_nulls(until - from)?;
        } else {
            copy.try_extend(0, from, until)?;
        }
        from = until;
    }
    Ok(gathered(make_array(copy.freeze())))
}

/// View arrays keep whole buffers for the sake of a few rows.
fn gathered(array: ArrayRef) -> ArrayRef {
    use arrow::array::cast::AsArray;
    match array.data_type() {
        DataType::Utf8View => std::sync::Arc::new(array.as_string_view().gc()),
        DataType::BinaryView => std::sync::Arc::new(array.as_binary_view().gc()),
        _ => array,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use std::sync::Arc;

    use arrow::array::{
        BooleanArray, DictionaryArray, Int64Array, ListArray, StringArray, StringViewArray, StructArray,
    };
    use arrow::buffer::{NullBuffer, OffsetBuffer};
    use arrow::datatypes::{Field, Int32Type};

    use super::*;

    fn bytes(array: &ArrayRef) -> Vec<u8> {
        fn gather(data: &arrow::array::ArrayData, into: &mut Vec<u8>) {
            data.buffers().iter().for_each(|buffer| into.extend_from_slice(buffer.as_slice()));
            data.child_data().iter().for_each(|child| gather(child, into));
        }
        let mut found = Vec::new();
        gather(&array.to_data(), &mut found);
        found
    }

    #[test]
    fn other_rows_are_not_in_the_buffers() {
        let secret = "a secret that is longer than twelve bytes";
        let strings: ArrayRef = Arc::new(StringArray::from(vec![secret, "public"]));
        let views: ArrayRef = Arc::new(StringViewArray::from(vec![secret, "public but too long to be inlined"]));
        let words: DictionaryArray<Int32Type> = vec![secret, "public"].into_iter().collect();
        let words: ArrayRef = Arc::new(words);
        for array in [strings, views, words] {
            let sliced = array.slice(1, 1);
            let compact = compacted(&sliced).unwrap();
            assert_eq!(&sliced, &compact);
            assert!(!String::from_utf8_lossy(&bytes(&compact)).contains("secret"), "{:?}", compact.data_type());
        }
    }

    #[test]
    fn nothing_is_under_a_null() {
        let values = vec![1, 424_242, 3].into();
        let array: ArrayRef = Arc::new(Int64Array::new(values, Some(NullBuffer::from(vec![true, false, true]))));
        let compact = compacted(&array).unwrap();
        assert_eq!(&array, &compact);
        assert!(!bytes(&compact).chunks(8).any(|v| v == 424_242_i64.to_le_bytes()));
    }

    /// In buffers as they are encoded, and as whoever encodes them cuts them.
    fn encoded(array: &ArrayRef) -> Vec<u8> {
        let field = Field::new("a", array.data_type().clone(), true);
        let schema = Arc::new(arrow::datatypes::Schema::new(vec![field]));
        let batch = arrow::array::RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(array)]).unwrap();
        let mut writer = arrow::ipc::writer::StreamWriter::try_new(Vec::new(), &schema).unwrap();
        writer.write(&batch).unwrap();
        writer.into_inner().unwrap()
    }

    #[test]
    fn nothing_else_is_within_lists_and_structs() {
        let secret = "a secret that is longer than twelve bytes";
        let public = "public but too long to be inlined";
        let texts: [ArrayRef; 4] = [
            Arc::new(StringViewArray::from(vec![secret, public])),
            Arc::new(StringArray::from(vec![secret, public])),
            Arc::new(vec![secret, public].into_iter().collect::<DictionaryArray<Int32Type>>()),
            Arc::new(StringArray::new(
                OffsetBuffer::from_lengths([secret.len(), public.len()]),
                format!("{secret}{public}").into_bytes().into(),
                Some(NullBuffer::from(vec![false, true])),
            )),
        ];
        for texts in texts {
            let field = Arc::new(Field::new("item", texts.data_type().clone(), true));
            let pair = StructArray::from(vec![(Arc::clone(&field), texts.slice(0, 2))]);
            let both = ListArray::new(Arc::clone(&field), OffsetBuffer::from_lengths([1, 1]), Arc::clone(&texts), None);
            let nested: [ArrayRef; 3] = [
                Arc::new(pair.slice(1, 1)),
                Arc::new(both.slice(1, 1)),
                Arc::new(ListArray::new(
                    Arc::clone(&field),
                    OffsetBuffer::from_lengths([1, 1]),
                    Arc::clone(&texts),
                    Some(NullBuffer::from(vec![false, true])),
                )),
            ];
            for array in nested {
                let compact = compacted(&array).unwrap();
                assert_eq!(&array, &compact);
                for bytes in [bytes(&compact), encoded(&compact)] {
                    assert!(!String::from_utf8_lossy(&bytes).contains("secret"), "{:?}", compact.data_type());
                }
            }
        }
    }

    #[test]
    fn nothing_is_under_a_null_of_a_struct() {
        let values = Int64Array::new(vec![1, 424_242].into(), Some(NullBuffer::from(vec![true, false])));
        let field = Arc::new(Field::new("x", DataType::Int64, true));
        let array: ArrayRef = Arc::new(StructArray::from(vec![(field, Arc::new(values) as ArrayRef)]));
        let compact = compacted(&array).unwrap();
        assert_eq!(&array, &compact);
        assert!(!bytes(&compact).chunks(8).any(|v| v == 424_242_i64.to_le_bytes()));
    }

    #[test]
    fn bitmaps_end_with_their_rows() {
        let array: ArrayRef = Arc::new(BooleanArray::from(vec![true; 8]));
        let compact = compacted(&array.slice(0, 3)).unwrap();
        assert_eq!(bytes(&compact)[0], 0b111);
        let three_of = |others: [bool; 5]| {
            let nulls = NullBuffer::from([&[true; 3], others.as_slice()].concat());
            let array: ArrayRef = Arc::new(Int64Array::new(vec![0; 8].into(), Some(nulls)));
            encoded(&compacted(&array.slice(0, 3)).unwrap())
        };
        assert_eq!(three_of([false, false, true, false, true]), three_of([true; 5]));
    }

    #[test]
    fn what_is_compact_is_not_copied() {
        let array: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let compact = compacted(&array).unwrap();
        assert_eq!(array.to_data().buffers()[0].as_ptr(), compact.to_data().buffers()[0].as_ptr());
    }
}
