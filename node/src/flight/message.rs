//! Flight messages whose data are Arrow's buffers as they lie in memory, down to the frames of HTTP/2.
//!
//! The code that is generated for gRPC copies each buffer twice: into one message, and into what is sent. For rows in bulk
//! that is most of what a sender does besides the cipher. So an answer travels beside the response that DoGet gives, and
//! [`uncopied`] makes the response's body of it.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::buffer::Buffer;
use arrow::compute::cast;
use arrow::datatypes::{FieldRef, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::root_as_message;
use arrow::ipc::writer::StreamEncoder;
use arrow_flight::FlightData;
use bytes::{BufMut, Bytes, BytesMut};
use futures::{Stream, StreamExt};
use hyper::body::{Body as HttpBody, Frame};
use meridian_federation::remote::bytes_of;
use prost::Message as _;
use prost::encoding::{WireType, encode_key, encode_varint};
use tonic::body::Body;
use tonic::{Response, Status};

use super::encode::Messages;
use super::layers::trailers;

/// What a message may hold beyond header, data and metadata: their tags and lengths, in bytes.
const FRAMING_BYTES: usize = 64;
/// What stands before each message of Arrow's stream format: a mark, and the length of its header.
const CONTINUATION_BYTES: usize = 8;
/// The number of `data_body` in `FlightData`.
const DATA_BODY: u32 = 1000;
/// Parts that are shorter are sent together with what is next to them, in bytes.
const SHORT: usize = 8 << 10;

/// A `FlightData` without a descriptor, its data in parts.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    header: Bytes,
    metadata: Bytes,
    data: Vec<Bytes>,
}

impl Message {
    /// This metadata beside what it holds.
    pub(super) fn with_metadata(self, metadata: Vec<u8>) -> Self {
        Self { metadata: metadata.into(), ..self }
    }

    /// Bytes of the data.
    pub(super) fn data_len(&self) -> usize {
        self.data.iter().map(Bytes::len).sum()
    }

    /// Bytes of all of it, at most.
    pub(super) fn size(&self) -> usize {
        self.header.len() + self.metadata.len() + self.data_len() + FRAMING_BYTES
    }

    /// What is sent, in order: gRPC's prefix, all but the data, the data.
    fn frames(self) -> VecDeque<Bytes> {
        let length = self.data_len();
        let (data_header, app_metadata) = (self.header, self.metadata);
        let rest = FlightData { data_header, app_metadata, ..FlightData::default() };
        let mut begin = BytesMut::with_capacity(rest.encoded_len() + FRAMING_BYTES + SHORT);
        let mut message = BytesMut::with_capacity(rest.encoded_len() + FRAMING_BYTES);
        rest.encode_raw(&mut message);
        if length > 0 {
            encode_key(DATA_BODY, WireType::LengthDelimited, &mut message);
            encode_varint(length as u64, &mut message);
        }
        // Not compressed.
        begin.put_u8(0);
        begin.put_u32(u32::try_from(message.len() + length).unwrap_or(u32::MAX));
        begin.put(message);
        gathered(begin, self.data)
    }
}

impl From<Message> for FlightData {
    fn from(message: Message) -> Self {
        let Message { header: data_header, metadata: app_metadata, data } = message;
        Self { data_header, app_metadata, data_body: data.concat().into(), ..Self::default() }
    }
}

/// Long parts as they are, short ones copied together, behind `begin`.
fn gathered(begin: BytesMut, parts: Vec<Bytes>) -> VecDeque<Bytes> {
    let (mut gathered, mut short) = (VecDeque::with_capacity(parts.len() + 1), begin);
    for part in parts {
        if part.len() < SHORT {
            short.put(part);
            continue;
        }
        if !short.is_empty() {
            gathered.push_back(short.split().freeze());
        }
        gathered.push_back(part);
    }
    if !short.is_empty() {
        gathered.push_back(short.freeze());
    }
    gathered
}

/// Batches of one schema, without dictionaries, as messages.
pub(super) struct Encoder {
    stream: StreamEncoder,
    schema: SchemaRef,
}

impl Encoder {
    /// An encoder, and the message that says the schema.
    pub(super) fn new(schema: SchemaRef) -> Result<(Self, Message), ArrowError> {
        let mut encoder = Self { stream: StreamEncoder::try_new(&schema)?, schema };
        let mut begun = encoder.encode(&RecordBatch::new_empty(Arc::clone(&encoder.schema)))?;
        let first = begun.pop_front().ok_or_else(missing)?;
        Ok((encoder, first))
    }

    /// The message of a batch; dictionaries as their values.
    pub(super) fn message(&mut self, batch: &RecordBatch) -> Result<Message, ArrowError> {
        let plain = |(column, field): (&ArrayRef, &FieldRef)| match field.data_type() {
            same if same == column.data_type() => Ok(Arc::clone(column)),
            other => cast(column, other),
        };
        let columns = batch.columns().iter().zip(self.schema.fields()).map(plain).collect::<Result<_, _>>()?;
        let rows = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &rows)?;
        self.encode(&batch)?.pop_back().ok_or_else(missing)
    }

    /// The message of a batch without rows.
    pub(super) fn empty(&mut self) -> Result<Message, ArrowError> {
        self.message(&RecordBatch::new_empty(Arc::clone(&self.schema)))
    }

    fn encode(&mut self, batch: &RecordBatch) -> Result<VecDeque<Message>, ArrowError> {
        let parts = self.stream.encode(batch)?.into_iter().filter(|part| !part.is_empty());
        let mut parts: VecDeque<Bytes> = parts.map(of_its_own).collect();
        let mut messages = VecDeque::with_capacity(2);
        while !parts.is_empty() {
            let continuation = take(&mut parts, CONTINUATION_BYTES).concat();
            let length = continuation.last_chunk().map(|length| i32::from_le_bytes(*length));
            let length = length.and_then(|length| usize::try_from(length).ok()).ok_or_else(missing)?;
            let header: Bytes = take(&mut parts, length).concat().into();
            let message = root_as_message(&header).map_err(|why| ArrowError::IpcError(why.to_string()))?;
            let length = usize::try_from(message.bodyLength()).map_err(|_| missing())?;
            let data = take(&mut parts, length);
            messages.push_back(Message { header, data, metadata: Bytes::new() });
        }
        Ok(messages)
    }
}

/// The bytes of a buffer, uncopied unless it is a small part of its memory: what is sent may lie here for as long as its reader
/// is slow, and is not to keep what it is a part of.
fn of_its_own(buffer: Buffer) -> Bytes {
    if buffer.capacity() > 2 * buffer.len() { Bytes::copy_from_slice(&buffer) } else { bytes_of(buffer) }
}

fn missing() -> ArrowError {
    ArrowError::IpcError("the encoder gave no whole message".into())
}

/// The first `length` bytes; fewer where there are no more.
fn take(parts: &mut VecDeque<Bytes>, mut length: usize) -> Vec<Bytes> {
    let mut taken = Vec::new();
    while length > 0
        && let Some(mut part) = parts.pop_front()
    {
        if part.len() > length {
            parts.push_front(part.split_off(length));
        }
        length -= part.len();
        taken.push(part);
    }
    taken
}

/// The messages of a response, until its body is made of them.
#[derive(Clone)]
struct Beside(Arc<Mutex<Option<Messages>>>);

/// A response to DoGet with these messages beside it, for [`uncopied`].
pub(super) fn beside(response: Response<Messages>) -> Response<Nothing> {
    let (metadata, messages, mut extensions) = response.into_parts();
    extensions.insert(Beside(Arc::new(Mutex::new(Some(messages)))));
    Response::from_parts(metadata, Nothing(false), extensions)
}

/// What Flight's own code may send of an answer: that its messages were not there, once.
#[derive(Debug)]
pub(crate) struct Nothing(bool);

impl Stream for Nothing {
    type Item = Result<FlightData, Status>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let is_said = std::mem::replace(&mut self.0, true);
        Poll::Ready((!is_said).then(|| Err(Status::internal("the messages of this answer were not put into it"))))
    }
}

/// The messages that stand beside a response, as its body.
pub(super) fn uncopied(mut response: http::Response<Body>) -> http::Response<Body> {
    let beside = response.extensions_mut().remove::<Beside>();
    let messages = beside.and_then(|Beside(kept)| kept.lock().unwrap_or_else(PoisonError::into_inner).take());
    match messages {
        Some(messages) => response.map(|_empty| Body::new(Frames { messages, parts: VecDeque::new(), ended: false })),
        None => response,
    }
}

/// Messages as frames, and the status behind them.
struct Frames {
    messages: Messages,
    parts: VecDeque<Bytes>,
    ended: bool,
}

impl HttpBody for Frames {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        loop {
            if let Some(part) = this.parts.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(part))));
            }
            if this.ended {
                return Poll::Ready(None);
            }
            let status = match ready!(this.messages.poll_next_unpin(cx)) {
                Some(Ok(message)) => {
                    this.parts = message.frames();
                    continue;
                }
                Some(Err(status)) => status,
                None => Status::ok(""),
            };
            this.ended = true;
            return Poll::Ready(Some(Ok(Frame::trailers(trailers(&status)))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{BooleanArray, Int64Array, StringArray};
    use futures::stream;
    use http_body_util::BodyExt;
    use prost::bytes::Buf;
    use tonic::Code;

    use super::*;

    fn batch(rows: i64) -> RecordBatch {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter((0..rows).map(|n| (n % 3 > 0).then_some(n))));
        let flags: ArrayRef = Arc::new(BooleanArray::from_iter((0..rows).map(|n| Some(n % 2 > 0))));
        let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(|n| format!("text {n}"))));
        RecordBatch::try_from_iter([("n", numbers), ("f", flags), ("t", texts)]).unwrap()
    }

    /// What arrives of a body: the messages, by the generated code, and the status.
    async fn received(body: Body) -> (Vec<FlightData>, Status) {
        let whole = body.collect().await.unwrap();
        let status = Status::from_header_map(whole.trailers().unwrap()).unwrap();
        let mut bytes = whole.to_bytes();
        let mut messages = Vec::new();
        while bytes.has_remaining() {
            assert_eq!(bytes.get_u8(), 0);
            let length = bytes.get_u32() as usize;
            messages.push(FlightData::decode(bytes.split_to(length)).unwrap());
        }
        (messages, status)
    }

    fn response(messages: Vec<Result<Message, Status>>) -> http::Response<Body> {
        let beside = beside(Response::new(stream::iter(messages).boxed()));
        let (_, _, extensions) = beside.into_parts();
        let mut response = http::Response::new(Body::empty());
        *response.extensions_mut() = extensions;
        uncopied(response)
    }

    #[tokio::test]
    async fn messages_arrive_as_the_protocol_has_them() {
        let batches = [batch(5), batch(100_000), batch(100_000).slice(1_003, 20_001), batch(5).slice(0, 0)];
        let (mut encoder, schema) = Encoder::new(batches[0].schema()).unwrap();
        let mut messages = vec![schema];
        messages.extend(batches.iter().map(|batch| encoder.message(batch).unwrap()));
        messages.push(encoder.empty().unwrap().with_metadata(b"receipt".to_vec()));
        let joined: Vec<FlightData> = messages.iter().cloned().map(FlightData::from).collect();
        let (arrived, status) = received(response(messages.into_iter().map(Ok).collect()).into_body()).await;
        assert_eq!(status.code(), Code::Ok);
        assert_eq!(arrived, joined);
        assert_eq!(&arrived[5].app_metadata[..], b"receipt");
        let decoded = arrow_flight::utils::flight_data_to_batches(&arrived).unwrap();
        assert_eq!(decoded[..4], batches);
    }

    #[tokio::test]
    async fn the_memory_that_is_sent_is_that_of_the_rows() {
        let rows = batch(100_000);
        let (mut encoder, _) = Encoder::new(rows.schema()).unwrap();
        let parts = encoder.message(&rows).unwrap().frames();
        let numbers = rows.column(0).to_data().buffers()[0].as_ptr();
        let texts = rows.column(2).to_data().buffers()[1].as_ptr();
        assert!([numbers, texts].iter().all(|memory| parts.iter().any(|part| part.as_ptr() == *memory)));
        assert!(parts.iter().all(|part| !part.is_empty()));
        // A small part of what is in memory does not keep the rest.
        let few = rows.slice(50_000, 2_000);
        let parts = encoder.message(&few).unwrap().frames();
        let all = rows.column(0).to_data().buffers()[0].as_slice().as_ptr_range();
        assert!(parts.iter().all(|part| !all.contains(&part.as_ptr())));
        // A small answer is one frame.
        assert_eq!(encoder.message(&batch(10)).unwrap().frames().len(), 1);
    }

    #[tokio::test]
    async fn without_its_messages_an_answer_is_an_error() {
        let answer = beside(Response::new(stream::iter([]).boxed())).into_inner();
        let sent: Vec<Result<FlightData, Status>> = answer.collect().await;
        assert!(matches!(sent.as_slice(), [Err(status)] if status.code() == Code::Internal));
    }

    #[tokio::test]
    async fn an_error_ends_the_body_with_its_status() {
        let (_, schema) = Encoder::new(batch(0).schema()).unwrap();
        let refused = Err(Status::permission_denied("why"));
        let (arrived, status) = received(response(vec![Ok(schema.clone()), refused, Ok(schema)]).into_body()).await;
        assert_eq!((arrived.len(), status.code(), status.message()), (1, Code::PermissionDenied, "why"));
    }
}
