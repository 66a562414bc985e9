//! Messages of honest senders arrive as they were sent; those of hostile ones are refused, and nothing panics.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, FixedSizeBinaryArray,
    Int64Array, LargeStringArray, ListArray, MapBuilder, NullArray, RecordBatch, RecordBatchOptions, StringArray,
    StringBuilder, StringViewArray, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, Schema, TimeUnit};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::encode::{DictionaryHandling, FlightDataEncoderBuilder};
use futures::executor::block_on;
use futures::stream;

use super::*;

/// A batch with a column of every form that is taken, with NULLs.
fn batch() -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter((0..40).map(|n| (n % 7 > 0).then_some(n))));
    let texts = (0..40).map(|n| (n % 5 > 0).then(|| format!("a text that is longer than a view {n}")));
    let texts: Vec<Option<String>> = texts.collect();
    let views: StringViewArray = texts.iter().map(Option::as_deref).collect();
    let lists =
        ListArray::from_iter_primitive::<Int32Type, _, _>((0..40).map(|n| (n % 3 > 0).then(|| vec![Some(n); 3])));
    let decimals = Decimal128Array::from_iter((0..40).map(|n| (n > 0).then_some(n)));
    let words: DictionaryArray<Int32Type> = (0..40).map(|n| (n % 4 > 0).then_some(["x", "y"][n % 2])).collect();
    let fixed = FixedSizeBinaryArray::try_from_iter((0..40u8).map(|n| [n; 3])).unwrap();
    let inner = [("n", Arc::clone(&numbers)), ("b", Arc::new(BooleanArray::from(vec![true; 40])) as ArrayRef)];
    let cast = |to| cast(&numbers, &to).unwrap();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StructArray::try_from(inner.to_vec()).unwrap()),
        Arc::new(texts.iter().map(Option::as_deref).collect::<StringArray>()),
        Arc::new(texts.iter().map(Option::as_deref).collect::<LargeStringArray>()),
        Arc::new(texts.iter().map(|text| text.as_ref().map(String::as_bytes)).collect::<BinaryArray>()),
        Arc::new(views),
        Arc::new(lists),
        Arc::new(NullArray::new(40)),
        Arc::new(decimals.with_precision_and_scale(20, 2).unwrap()),
        Arc::new(words),
        Arc::new(fixed),
        cast(DataType::Float64),
        cast(DataType::UInt16),
        cast(DataType::Timestamp(TimeUnit::Second, Some("UTC".into()))),
        cast(DataType::Time64(TimeUnit::Nanosecond)),
        cast(DataType::Duration(TimeUnit::Millisecond)),
        Arc::new(Date32Array::from_iter((0..40).map(|n| (n % 2 > 0).then_some(n)))),
    ];
    let named = columns.into_iter().enumerate().map(|(at, column)| (format!("c{at}"), column, true));
    RecordBatch::try_from_iter_with_nullable(named).unwrap()
}

fn sent(batch: &RecordBatch) -> Vec<FlightData> {
    let encoder = FlightDataEncoderBuilder::new().with_dictionary_handling(DictionaryHandling::Resend);
    block_on(encoder.build(stream::iter([Ok(batch.clone())])).try_collect()).unwrap()
}

fn received(messages: Vec<FlightData>) -> Result<Vec<RecordBatch>, FlightError> {
    let messages = well_formed(stream::iter(messages.into_iter().map(Ok)));
    block_on(FlightRecordBatchStream::new_from_flight_data(messages).try_collect())
}

fn numbers() -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter((0..1_000).map(|n| (n % 3 > 0).then_some(n))));
    RecordBatch::try_from_iter([("n", column)]).unwrap()
}

/// Why the last of the messages is not taken; those before it are.
#[track_caller]
fn refused(messages: &[FlightData]) -> Malformed {
    let mut expected = Expected::default();
    let (last, before) = messages.split_last().unwrap();
    for message in before {
        expected.check(message).unwrap();
    }
    expected.check(last).unwrap_err()
}

/// The messages with another number in the last one's header, in the first place where `number` stands there.
#[track_caller]
fn changed(mut messages: Vec<FlightData>, number: i64, to: i64) -> Vec<FlightData> {
    let last = messages.last_mut().unwrap();
    let mut header = last.data_header.to_vec();
    let at = header.windows(8).position(|bytes| bytes == number.to_le_bytes()).unwrap();
    header[at..at + 8].copy_from_slice(&to.to_le_bytes());
    last.data_header = header.into();
    messages
}

#[test]
fn honest_messages_arrive_as_they_were_sent() {
    let batch = batch();
    assert_eq!(received(sent(&batch)).unwrap(), [batch.clone()]);
    assert_eq!(received(sent(&batch.slice(3, 20))).unwrap(), [batch.slice(3, 20)]);
    // The last message of an answer.
    let empty = batch.project(&[0, 1, 4, 5]).unwrap().slice(0, 0);
    let messages = arrow_flight::utils::batches_to_flight_data(&empty.schema(), vec![empty.clone()]).unwrap();
    assert_eq!(received(messages).unwrap(), [empty]);
    let options = RecordBatchOptions::new().with_row_count(Some(7));
    let bare = RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &options).unwrap();
    assert_eq!(received(sent(&bare)).unwrap(), [bare]);
}

#[test]
fn no_changed_byte_of_a_header_or_cut_of_a_body_makes_arrow_panic() {
    let honest = sent(&batch());
    for at in 0..honest.len() {
        let header = honest[at].data_header.to_vec();
        for place in 0..header.len() {
            for changed in [0, 1, 2, 0x7f, 0x80, 0xff, header[place].wrapping_add(8)] {
                let mut messages = honest.clone();
                let mut other = header.clone();
                other[place] = changed;
                messages[at].data_header = other.into();
                let tried = catch_unwind(AssertUnwindSafe(|| drop(received(messages))));
                assert!(tried.is_ok(), "message {at}, byte {place}: {changed:#x} for {:#x}", header[place]);
            }
        }
        for length in 0..honest[at].data_body.len() {
            let mut messages = honest.clone();
            messages[at].data_body.truncate(length);
            assert!(received(messages).is_err(), "message {at} cut to {length} bytes");
        }
    }
}

#[test]
fn compressed_messages_are_refused_before_they_are_unpacked() {
    let column: ArrayRef = Arc::new(StringArray::from(vec!["Camden"; 500]));
    let batch = RecordBatch::try_from_iter([("name", column)]).unwrap();
    for compression in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
        let options = IpcWriteOptions::default().try_with_compression(Some(compression)).unwrap();
        let encoder = FlightDataEncoderBuilder::new().with_options(options).build(stream::iter([Ok(batch.clone())]));
        let messages: Vec<FlightData> = block_on(encoder.try_collect()).unwrap();
        assert_eq!(refused(&messages), Malformed::Compressed);
        assert!(matches!(received(messages), Err(FlightError::DecodeError(_))));
    }
}

#[test]
fn buffers_lie_in_the_body_and_hold_their_values() {
    let honest = || sent(&numbers());
    for length in [8_001 << 20, i64::MAX, -1, i64::MIN] {
        assert_eq!(refused(&changed(honest(), 8_000, length)), Malformed::Outside, "{length}");
    }
    assert_eq!(refused(&changed(honest(), 8_000, 7_999)), Malformed::Short);
    // The bitmap of the NULLs, which Arrow asserts.
    assert_eq!(refused(&changed(honest(), 125, 124)), Malformed::Short);
    assert_eq!(refused(&changed(honest(), 125, 0)), Malformed::Short);
    // Offsets, of which Arrow asserts that they are whole.
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["Camden"; 500]));
    let texts = sent(&RecordBatch::try_from_iter([("name", texts)]).unwrap());
    assert_eq!(refused(&changed(texts, 2_004, 2_005)), Malformed::Short);
    let mut cut = honest();
    cut[1].data_body.truncate(4_000);
    assert_eq!(refused(&cut), Malformed::Outside);
}

#[test]
fn buffers_do_not_overlap() {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(0..800));
    let batch = RecordBatch::try_from_iter([("a", Arc::clone(&column)), ("b", column)]).unwrap();
    let honest = sent(&batch);
    assert_eq!(received(honest.clone()).unwrap(), [batch]);
    // The first column is said to be the whole body, and so to have the second one's bytes.
    assert_eq!(refused(&changed(honest, 6_400, 12_800)), Malformed::Overlap);
}

#[test]
fn counts_are_those_of_the_schema() {
    let honest = || sent(&numbers());
    for length in [-1, i64::MIN, 1_001 << 20, i64::MAX] {
        assert_eq!(refused(&changed(honest(), 1_000, length)), Malformed::Rows(length));
    }
    assert_eq!(refused(&changed(honest(), 334, 1_001)), Malformed::Parts, "more NULLs than values");
    let two = ["n", "m"].map(|name| (name, Arc::clone(numbers().column(0))));
    let mut fewer = sent(&RecordBatch::try_from_iter(two).unwrap());
    fewer[1] = honest().remove(1);
    assert_eq!(refused(&fewer), Malformed::Parts, "columns that are not there");
    let mut more = honest();
    more[1] = sent(&batch()).pop().unwrap();
    assert!(matches!(refused(&more), Malformed::Short | Malformed::Parts), "columns that nobody knows");
}

#[test]
fn rows_without_a_byte_are_bounded() {
    let rows = |count| RecordBatchOptions::new().with_row_count(Some(count));
    let bare = |count| RecordBatch::try_new_with_options(Arc::new(Schema::empty()), vec![], &rows(count)).unwrap();
    assert_eq!(refused(&sent(&bare(1 << 40))), Malformed::Rows(1 << 40));
    let nulls: ArrayRef = Arc::new(NullArray::new(1 << 40));
    assert_eq!(refused(&sent(&RecordBatch::try_from_iter([("n", nulls)]).unwrap())), Malformed::Rows(1 << 40));
}

#[test]
fn data_stand_behind_a_schema_of_types_that_are_taken() {
    assert_eq!(refused(&[sent(&numbers()).remove(1)]), Malformed::NoSchema);
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    map.append(true).unwrap();
    let map: ArrayRef = Arc::new(map.finish());
    let batch = RecordBatch::try_from_iter([("m", map)]).unwrap();
    assert_eq!(refused(&sent(&batch)[..1]), Malformed::Type(Type::Map));
    let garbage = FlightData { data_header: vec![1, 2, 3].into(), ..FlightData::default() };
    assert_eq!(refused(&[garbage]), Malformed::Unreadable);
}
