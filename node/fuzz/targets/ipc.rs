//! Arrow messages of another process: whatever their headers say of their bodies, they are decoded whole or refused.
#![no_main]
#![allow(clippy::unwrap_used)]

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int64Array, ListArray, NullArray, RecordBatch,
    StringArray, StringViewArray, StructArray,
};
use arrow::datatypes::Int32Type;
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::encode::{DictionaryHandling, FlightDataEncoderBuilder};
use futures::{TryStreamExt, executor, stream};
use libfuzzer_sys::fuzz_target;
use meridian_federation::remote::well_formed;

/// Rows of a sample.
const ROWS: i64 = 20;

/// Honest answers, which the input changes.
static SAMPLES: LazyLock<[Vec<FlightData>; 3]> = LazyLock::new(|| {
    let numbers: ArrayRef = Arc::new((0..ROWS).map(|n| (n % 7 > 0).then_some(n)).collect::<Int64Array>());
    let heights: ArrayRef = Arc::new(Float64Array::from_iter_values([0.5; 20]));
    let texts: Vec<Option<String>> = (0..ROWS).map(|n| (n % 5 > 0).then(|| "borough ".repeat(n as usize))).collect();
    let text: ArrayRef = Arc::new(texts.iter().map(Option::as_deref).collect::<StringArray>());
    let views: ArrayRef = Arc::new(texts.iter().map(Option::as_deref).collect::<StringViewArray>());
    let lists = (0..20).map(|n| (n % 3 > 0).then(|| vec![Some(n); 2]));
    let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists));
    let flags: ArrayRef = Arc::new(BooleanArray::from_iter((0..ROWS).map(|n| (n % 4 > 0).then_some(n % 2 > 0))));
    let inner = StructArray::try_from(vec![("n", Arc::clone(&numbers)), ("b", Arc::clone(&flags))]).unwrap();
    let words: DictionaryArray<Int32Type> = (0..ROWS).map(|n| (n % 4 > 0).then_some("a word")).collect();
    [
        sample(vec![numbers, heights, text]),
        sample(vec![views, lists, flags, Arc::new(NullArray::new(20))]),
        sample(vec![Arc::new(inner), Arc::new(words)]),
    ]
});

fn sample(columns: Vec<ArrayRef>) -> Vec<FlightData> {
    let columns = columns.into_iter().enumerate().map(|(at, column)| (format!("c{at}"), column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let encoder = FlightDataEncoderBuilder::new().with_dictionary_handling(DictionaryHandling::Resend);
    executor::block_on(encoder.build(stream::iter([Ok(batch)])).try_collect()).unwrap()
}

fn change(bytes: &mut [u8], place: u16, byte: u8) {
    let length = bytes.len().max(1);
    if let Some(changed) = bytes.get_mut(usize::from(place) % length) {
        *changed = byte;
    }
}

/// Which sample, in what order its messages come, and bytes to change: of a message, of its header or body, where, to what.
type Input = (u8, Option<Vec<u8>>, Vec<(u8, bool, u16, u8)>, Option<u16>);

fuzz_target!(|input: Input| {
    let (which, order, changes, cut) = input;
    let sample = &SAMPLES[usize::from(which) % SAMPLES.len()];
    let mut messages = sample.clone();
    for (message, of_header, place, byte) in changes {
        let at = usize::from(message) % messages.len();
        let message = &mut messages[at];
        let bytes = if of_header { &mut message.data_header } else { &mut message.data_body };
        let mut changed = bytes.to_vec();
        change(&mut changed, place, byte);
        *bytes = changed.into();
    }
    if let (Some(length), Some(last)) = (cut, messages.last_mut()) {
        last.data_body.truncate(length.into());
    }
    let messages: Vec<FlightData> = match order {
        Some(order) => order.iter().map(|at| messages[usize::from(*at) % messages.len()].clone()).collect(),
        None => messages,
    };
    let messages = well_formed(stream::iter(messages.into_iter().map(Ok)));
    let mut batches = FlightRecordBatchStream::new_from_flight_data(messages);
    while let Ok(Some(batch)) = executor::block_on(batches.try_next()) {
        for column in batch.columns() {
            column.to_data().validate_full().unwrap();
        }
    }
});
