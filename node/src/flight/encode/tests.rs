//! Tests of the encoder: schema, splitting, counting, the receipt, and the end of a stream that fails.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use arrow::array::{ArrayRef, DictionaryArray, Int64Array, StringArray};
use arrow::datatypes::{DataType, Field, Int32Type, Schema};
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::utils::flight_data_to_batches;
use tokio::sync::oneshot;
use tonic::Code;

use super::super::endpoints::Tickets;
use super::super::tickets::{Handle, Running};
use super::*;

const LIMIT: usize = 16 << 20;

/// Says with which counts it was closed.
struct Ending(oneshot::Sender<(u64, u64)>, Progress);

impl Ending {
    fn new(closed: oneshot::Sender<(u64, u64)>) -> Self {
        Self(closed, Progress::default())
    }
}

impl End for Ending {
    fn progress(&self) -> &Progress {
        &self.1
    }

    async fn close(self) -> Result<Option<Vec<u8>>, Status> {
        self.0.send((self.1.rows(), self.1.bytes())).unwrap();
        Ok(Some(b"receipt".to_vec()))
    }

    fn fail(&self, _error: DataFusionError) -> Status {
        Status::aborted("for the caller")
    }
}

fn numbers(rows: usize) -> RecordBatch {
    let schema = Schema::new(vec![Field::new("n", DataType::Int64, false)]);
    let values = Int64Array::from_iter_values((0..rows).map(|n| n as i64));
    RecordBatch::try_new(Arc::new(schema), vec![Arc::new(values)]).unwrap()
}

fn texts(lengths: &[usize]) -> RecordBatch {
    let values = StringArray::from_iter_values(lengths.iter().map(|length| "x".repeat(*length)));
    RecordBatch::try_from_iter([("t", Arc::new(values) as ArrayRef)]).unwrap()
}

fn way(under_way: Option<UnderWay>, message_bytes: usize) -> Way {
    Way { under_way, message_bytes, ..Way::default() }
}

/// As it arrives at somebody else.
fn arrived(message: Result<Message, Status>) -> Result<FlightData, Status> {
    message.map(FlightData::from)
}

async fn run(batches: Vec<RecordBatch>, limit: usize) -> (Vec<Result<FlightData, Status>>, Option<(u64, u64)>) {
    let (sender, mut closed) = oneshot::channel();
    let schema = batches[0].schema();
    let batches = stream::iter(batches.into_iter().map(Ok));
    let messages = encode(schema, batches, Ending::new(sender), way(None, limit));
    (messages.map(arrived).collect().await, closed.try_recv().ok())
}

async fn sent(batches: Vec<RecordBatch>) -> (Vec<FlightData>, (u64, u64)) {
    let (messages, closed) = run(batches, LIMIT).await;
    (messages.into_iter().map(Result::unwrap).collect(), closed.unwrap())
}

#[tokio::test]
async fn the_last_message_is_an_empty_batch_with_the_receipt() {
    let (messages, closed) = sent(vec![numbers(3), numbers(2)]).await;
    assert_eq!(messages.len(), 4);
    let batches = flight_data_to_batches(&messages).unwrap();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [3, 2, 0]);
    assert_eq!(&messages[3].app_metadata[..], b"receipt");
    assert!(messages[..3].iter().all(|message| message.app_metadata.is_empty()));
    let bodies: usize = messages[1..3].iter().map(|message| message.data_body.len()).sum();
    // Nothing is NULL, so both batches left their validity bitmap out: it is counted all the same.
    assert_eq!(closed, (5, (bodies + 2 * IPC_ALIGNMENT) as u64));
}

#[tokio::test]
async fn bytes_do_not_tell_whether_a_cell_is_null() {
    let cell = |value| {
        let schema = Schema::new(vec![Field::new("n", DataType::Int64, true)]);
        RecordBatch::try_new(Arc::new(schema), vec![Arc::new(Int64Array::from(vec![value]))]).unwrap()
    };
    let (_, released) = sent(vec![cell(Some(17))]).await;
    let (_, withheld) = sent(vec![cell(None)]).await;
    assert_eq!(released, withheld);
}

#[tokio::test]
async fn the_stream_has_the_schema_that_was_announced() {
    let dictionary: DictionaryArray<Int32Type> = ["a", "b", "a"].into_iter().collect();
    let schema = Schema::new_with_metadata(
        vec![
            Field::new("d", dictionary.data_type().clone(), false),
            Field::new("n", DataType::Int64, true).with_metadata([("k".into(), "v".into())].into()),
        ],
        [("s".into(), "v".into())].into(),
    );
    let columns: Vec<ArrayRef> = vec![Arc::new(dictionary), Arc::new(Int64Array::from(vec![Some(1), None, Some(3)]))];
    let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
    let announced = travelling(&batch.schema());
    assert_eq!(announced.field(0).data_type(), &DataType::Utf8);
    assert!(!announced.field(0).is_nullable());

    let (messages, _) = sent(vec![batch]).await;
    let decoded = FlightRecordBatchStream::new_from_flight_data(stream::iter(messages.into_iter().map(Ok)));
    let decoded: Vec<RecordBatch> = decoded.try_collect().await.unwrap();
    assert!(decoded.iter().all(|batch| batch.schema() == announced), "{:?}", decoded[0].schema());
}

#[tokio::test]
async fn an_answer_without_rows_has_schema_and_receipt() {
    let (messages, closed) = sent(vec![numbers(0)]).await;
    assert_eq!((messages.len(), closed), (2, (0, 0)));
    assert_eq!(&messages[1].app_metadata[..], b"receipt");
}

#[tokio::test]
async fn messages_are_small_and_in_order() {
    let (messages, (rows, _)) = sent(vec![numbers(300_000)]).await;
    assert_eq!(rows, 300_000);
    let batches = flight_data_to_batches(&messages).unwrap();
    assert!(batches.iter().all(|batch| batch.num_rows() <= MESSAGE_ROWS));
    let all = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    assert_eq!(all, numbers(300_000));
    // Long values among short ones: what counts is each piece's own size.
    let mut lengths = vec![1; 100];
    lengths.extend([600 << 10, 600 << 10, 3 << 20]);
    let (messages, _) = sent(vec![texts(&lengths)]).await;
    let sizes: Vec<usize> = messages.iter().map(|message| message.data_body.len()).collect();
    assert_eq!(sizes.iter().filter(|size| **size > MESSAGE_BYTES + 4096).count(), 1, "{sizes:?}");
}

#[tokio::test]
async fn a_row_that_fits_no_message_ends_the_answer_with_a_reason() {
    let (messages, closed) = run(vec![texts(&[10, 5000, 10])], 4096).await;
    let last = messages.last().unwrap().as_ref().unwrap_err();
    assert_eq!(last.code(), Code::ResourceExhausted);
    assert!(last.message().contains("limits.message_bytes"), "{}", last.message());
    assert_eq!(closed, None);
}

#[tokio::test]
async fn an_error_ends_the_answer_without_a_receipt() {
    let (sender, mut closed) = oneshot::channel();
    let batches = vec![Ok(numbers(1)), Err(DataFusionError::Internal("secret".into())), Ok(numbers(1))];
    let schema = numbers(0).schema();
    let messages = encode(schema, stream::iter(batches), Ending::new(sender), way(None, LIMIT));
    let messages: Vec<_> = messages.map(arrived).collect().await;
    assert_eq!(messages.len(), 3);
    let last = messages[2].as_ref().unwrap_err();
    assert_eq!((last.code(), last.message()), (Code::Aborted, "for the caller"));
    assert!(closed.try_recv().is_err());
}

#[tokio::test]
async fn a_cancelled_answer_says_so() {
    let (running, handle) = (Arc::new(Running::default()), Handle::random().unwrap());
    let under_way = running.begin("asha".into(), handle);
    let (sender, mut closed) = oneshot::channel();
    let endless = stream::pending();
    let schema = numbers(0).schema();
    let mut messages = encode(schema, endless, Ending::new(sender), way(Some(under_way), LIMIT));
    assert!(messages.next().await.unwrap().is_ok());
    assert!(running.cancel("asha", &handle));
    assert_eq!(messages.next().await.unwrap().unwrap_err().code(), Code::Cancelled);
    assert!(messages.next().await.is_none());
    assert!(closed.try_recv().is_err());
}

#[tokio::test]
async fn a_further_endpoint_says_how_many_rows_left_there_even_where_there_are_none() {
    let (mut encoder, schema) = Encoder::new(numbers(1).schema()).unwrap();
    let empty = encoder.empty().unwrap();
    for rows in [0, 7] {
        let tickets = Arc::new(Tickets::new(LIMIT));
        let (owner, query_id) = ("loda".to_owned(), "q".to_owned());
        let several = Several { tickets: Arc::clone(&tickets), owner, further: 1, query_id };
        let spread = Spread::open(&several, &schema, &empty).unwrap();
        let opened = tickets.take("loda", &spread.handles()[0]).unwrap();
        let joined = opened.join().await.unwrap();
        let mut left = Vec::new();
        if rows > 0 {
            // The first has room for none more.
            left.extend((0..3).map(|_| piece(&mut encoder, &numbers(rows), LIMIT)));
        }
        let mut first = spread.over(stream::iter(left).boxed(), Progress::default());
        let (messages, progress) = further(&opened, joined, LIMIT);
        let sent: Vec<FlightData> = messages.map(|message| arrived(message).unwrap()).collect().await;
        let end = wire::EndpointEnd::decode(sent.last().unwrap().app_metadata.clone()).unwrap();
        assert_eq!((end.rows, progress.rows()), (Some(rows as u64), rows as u64));
        assert!(!sent.last().unwrap().app_metadata.is_empty(), "an end that says nothing is none");
        assert!(sent[..sent.len() - 1].iter().all(|message| message.app_metadata.is_empty()));
        while first.next().await.is_some() {}
    }
}
