//! Messages of an answer put together where Arrow uses them: from the frames of HTTP/2 into aligned memory, by one copy.
//!
//! The generated code puts the frames of a message together wherever they fall, so that Arrow copies all of it once more. So
//! [`Aligned`] sets the body of an answer beside its response, and [`messages`] reads it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use arrow::buffer::{Buffer, MutableBuffer};
use arrow_flight::FlightData;
use bytes::{Buf, Bytes, BytesMut};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt, TryFutureExt};
use http_body::Frame;
use http_body_util::BodyExt;
use prost::Message;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http::{HeaderMap, Request, Response, StatusCode};
use tonic::{Status, Streaming};

/// The path of the call that streams an answer.
const DO_GET: &str = "/arrow.flight.protocol.FlightService/DoGet";
/// What is shorter is copied together: a frame by itself keeps more memory than it has bytes.
const SHORT_BYTES: usize = 4 << 10;
/// Where a server may say more of an error, in a form that the generated code does not take if it is malformed.
const DETAILS: &str = "grpc-status-details-bin";
/// Of each message of gRPC: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// A channel whose answers are read by [`messages`].
#[derive(Debug, Clone)]
pub struct Aligned<S>(pub S);

/// The body of an answer, until somebody reads it.
#[derive(Clone)]
struct Beside(Arc<Mutex<Option<Body>>>);

impl<S> Service<Request<Body>> for Aligned<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let is_answer = request.uri().path() == DO_GET;
        let response = self.0.call(request);
        let response = response.map_ok(without_details);
        response.map_ok(move |response| if is_answer { beside(response) } else { response }).boxed()
    }
}

/// A response without what nobody reads and what is not to be trusted to be well-formed.
fn without_details(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().remove(DETAILS);
    response.map(|body| {
        Body::new(body.map_frame(|frame| {
            frame.into_trailers().map_or_else(
                |frame| frame,
                |mut trailers| {
                    trailers.remove(DETAILS);
                    Frame::trailers(trailers)
                },
            )
        }))
    })
}

/// A response as it is, unless its body has messages that are not compressed.
fn beside(response: Response<Body>) -> Response<Body> {
    let headers = response.headers();
    let is_plain = headers.get("grpc-encoding").is_none_or(|encoding| encoding == "identity");
    if response.status() != StatusCode::OK || Status::from_header_map(headers).is_some() || !is_plain {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    parts.extensions.insert(Beside(Arc::new(Mutex::new(Some(body)))));
    Response::from_parts(parts, Body::empty())
}

/// The messages of an answer, none of more than `most` bytes.
pub fn messages(
    mut response: tonic::Response<Streaming<FlightData>>,
    most: usize,
) -> BoxStream<'static, Result<FlightData, Status>> {
    let beside = response.extensions_mut().remove::<Beside>();
    let body = beside.and_then(|Beside(kept)| kept.lock().unwrap_or_else(PoisonError::into_inner).take());
    match body {
        Some(body) => {
            let reading = Reading { body: Some(body), frames: Frames::default(), most };
            stream::try_unfold(reading, Reading::next).boxed()
        }
        None => response.into_inner().boxed(),
    }
}

struct Reading {
    /// `None` behind its end.
    body: Option<Body>,
    frames: Frames,
    most: usize,
}

impl Reading {
    async fn next(mut self) -> Result<Option<(FlightData, Self)>, Status> {
        loop {
            if let Some(message) = self.frames.message(self.most)? {
                return Ok(Some((message, self)));
            }
            let Some(body) = &mut self.body else { return Ok(None) };
            let frame = body.frame().await.transpose()?;
            match frame.map(|frame| frame.into_data()) {
                Some(Ok(data)) => self.frames.add(data),
                Some(Err(frame)) => self.end(frame.trailers_ref())?,
                None => self.end(None)?,
            }
        }
    }

    /// Behind the last frame stands how it ended; where nothing does, somebody cut it off.
    fn end(&mut self, trailers: Option<&HeaderMap>) -> Result<(), Status> {
        self.body = None;
        match trailers.and_then(Status::from_header_map) {
            Some(status) if status.code() != tonic::Code::Ok => Err(status),
            Some(_) if self.frames.is_empty() => Ok(()),
            Some(_) => Err(Status::internal("the answer ended within a message")),
            None => Err(Status::unknown("the answer ended without saying whether it is whole")),
        }
    }
}

/// What has arrived and is no message yet.
#[derive(Default)]
struct Frames {
    parts: VecDeque<Bytes>,
    /// Short frames behind them.
    tail: BytesMut,
    length: usize,
    /// Bytes of the message whose prefix was read.
    begun: Option<usize>,
}

impl Frames {
    fn is_empty(&self) -> bool {
        self.length == 0 && self.begun.is_none()
    }

    fn add(&mut self, data: Bytes) {
        self.length += data.len();
        if data.len() < SHORT_BYTES {
            self.tail.extend_from_slice(&data);
        } else {
            self.gather();
            self.parts.push_back(data);
        }
    }

    /// Everything that has arrived becomes parts.
    fn gather(&mut self) {
        if !self.tail.is_empty() {
            self.parts.push_back(self.tail.split().freeze());
        }
    }

    /// The next message, if it is whole.
    fn message(&mut self, most: usize) -> Result<Option<FlightData>, Status> {
        if self.begun.is_none() && self.length >= PREFIX_BYTES {
            self.gather();
            if self.get_u8() != 0 {
                return Err(Status::internal("a message of the answer is compressed, though nobody asked for that"));
            }
            let length = usize::try_from(self.get_u32()).unwrap_or(usize::MAX);
            if length > most {
                return Err(Status::out_of_range(format!(
                    "a message of the answer has {length} bytes, and {most} are the most that are taken"
                )));
            }
            self.begun = Some(length);
        }
        let Some(length) = self.begun.take_if(|length| *length <= self.length) else { return Ok(None) };
        self.gather();
        let message = FlightData::decode(Buf::take(&mut *self, length));
        message.map(Some).map_err(|why| Status::internal(format!("a message of the answer can't be read: {why}")))
    }
}

impl Buf for Frames {
    fn remaining(&self) -> usize {
        self.length
    }

    fn chunk(&self) -> &[u8] {
        self.parts.front().map_or(&[], |part| part)
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.length, "advanced by {count} of {} bytes", self.length);
        self.length -= count;
        while let Some(part) = self.parts.front_mut().filter(|_| count > 0) {
            if part.len() > count {
                part.advance(count);
                return;
            }
            count -= part.len();
            self.parts.pop_front();
        }
    }

    /// What is short and lies in one part as it is, else in aligned memory.
    fn copy_to_bytes(&mut self, length: usize) -> Bytes {
        assert!(length <= self.length, "asked for {length} of {} bytes", self.length);
        if let Some(part) = self.parts.front_mut().filter(|part| length < SHORT_BYTES && part.len() > length) {
            self.length -= length;
            return part.split_to(length);
        }
        let mut aligned = MutableBuffer::with_capacity(length);
        while aligned.len() < length {
            let chunk = self.chunk();
            let count = chunk.len().min(length - aligned.len());
            aligned.extend_from_slice(chunk.get(..count).unwrap_or_default());
            self.advance(count);
        }
        shared(aligned.into())
    }
}

/// The memory of a buffer of Arrow as bytes, without a copy.
pub fn shared(buffer: Buffer) -> Bytes {
    struct Owned(Buffer);
    impl AsRef<[u8]> for Owned {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    Bytes::from_owner(Owned(buffer))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use std::convert::Infallible;

    use arrow_flight::Ticket;
    use arrow_flight::flight_service_client::FlightServiceClient;
    use futures::TryStreamExt;
    use futures::executor::block_on;
    use http_body_util::StreamBody;
    use tonic::Code;

    use super::*;

    const MOST: usize = 1 << 20;

    fn message(length: usize) -> FlightData {
        let data_body = (0..length).map(|n| (n % 251) as u8).collect::<Vec<_>>().into();
        FlightData { data_header: vec![7; 40].into(), app_metadata: vec![9; 3].into(), data_body, ..Default::default() }
    }

    fn framed(messages: &[FlightData]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for message in messages {
            bytes.push(0);
            bytes.extend((message.encoded_len() as u32).to_be_bytes());
            message.encode(&mut bytes).unwrap();
        }
        bytes
    }

    fn status(code: Code) -> HeaderMap {
        let mut trailers = HeaderMap::new();
        Status::new(code, "why").add_header(&mut trailers).unwrap();
        trailers
    }

    /// What a client of the generated code gets of these frames, as `headers` say.
    fn answered(frames: Vec<Frame<Bytes>>, headers: HeaderMap) -> Result<Vec<FlightData>, Status> {
        let frames = Mutex::new(Some(frames));
        let server = tower::service_fn(move |_: Request<Body>| {
            let frames = frames.lock().unwrap().take().unwrap();
            let body = StreamBody::new(stream::iter(frames.into_iter().map(Ok::<_, Status>)));
            let mut response = Response::new(Body::new(body));
            *response.headers_mut() = headers.clone();
            std::future::ready(Ok::<_, Infallible>(response))
        });
        let mut client = FlightServiceClient::new(Aligned(server));
        block_on(async {
            let response = client.do_get(Ticket::default()).await?;
            messages(response, MOST).try_collect().await
        })
    }

    fn cut(bytes: &[u8], size: usize) -> Vec<Frame<Bytes>> {
        bytes.chunks(size).map(|part| Frame::data(Bytes::copy_from_slice(part))).collect()
    }

    #[test]
    fn messages_are_put_together_however_they_are_cut() {
        let sent = [message(0), message(1), message(70_000), message(100), FlightData::default(), message(40_000)];
        let bytes = framed(&sent);
        for size in [1, 3, 5, 64, 1_000, 16_384, bytes.len()] {
            let mut frames = cut(&bytes, size);
            frames.push(Frame::trailers(status(Code::Ok)));
            let arrived = answered(frames, HeaderMap::new()).unwrap();
            assert_eq!(arrived, sent, "{size}");
            let unaligned = arrived.iter().filter(|message| message.data_body.as_ptr().align_offset(64) > 0);
            assert!(unaligned.map(|message| message.data_body.len()).max() < Some(SHORT_BYTES), "{size}");
        }
    }

    #[test]
    fn frames_of_few_bytes_take_no_more_memory_than_one_of_many() {
        let mut frames = Frames::default();
        for byte in framed(&[message(100_000)]) {
            frames.add(Bytes::from(vec![byte]));
            assert!(frames.parts.len() <= 1 && frames.tail.capacity() <= 4 * 100_000);
            if let Some(arrived) = frames.message(MOST).unwrap() {
                assert_eq!(arrived, message(100_000));
            }
        }
        assert!(frames.is_empty());
    }

    #[test]
    fn malformed_details_of_a_status_are_left_out() {
        let malformed = |mut status: HeaderMap| {
            status.insert(DETAILS, "=?".parse().unwrap());
            status
        };
        let behind = vec![Frame::trailers(malformed(status(Code::NotFound)))];
        assert_eq!(answered(behind, HeaderMap::new()).unwrap_err().code(), Code::NotFound);
        assert_eq!(answered(Vec::new(), malformed(status(Code::NotFound))).unwrap_err().code(), Code::NotFound);
    }

    #[test]
    fn an_answer_that_is_cut_off_is_an_error_and_so_is_its_status() {
        let bytes = framed(&[message(1_000)]);
        let failed = |frames| answered(frames, HeaderMap::new()).unwrap_err();
        assert_eq!(failed(cut(&bytes, 100)).code(), Code::Unknown);
        let behind = |bytes: &[u8], code| {
            let mut frames = cut(bytes, 100);
            frames.push(Frame::trailers(status(code)));
            failed(frames)
        };
        let refused = behind(&bytes, Code::PermissionDenied);
        assert_eq!((refused.code(), refused.message()), (Code::PermissionDenied, "why"));
        for length in 1..bytes.len() {
            assert_eq!(behind(&bytes[..length], Code::Ok).code(), Code::Internal, "{length}");
        }
    }

    #[test]
    fn what_the_generated_code_refuses_is_refused() {
        let trailed = |bytes: &[u8]| {
            let mut frames = cut(bytes, 100);
            frames.push(Frame::trailers(status(Code::Ok)));
            answered(frames, HeaderMap::new()).unwrap_err()
        };
        let mut compressed = framed(&[message(10)]);
        compressed[0] = 1;
        assert_eq!(trailed(&compressed).code(), Code::Internal);
        assert_eq!(trailed(&[0, 0xff, 0xff, 0xff, 0xff]).code(), Code::OutOfRange);
        assert_eq!(trailed(&[0, 0, 0, 0, 2, 0x0a, 0xff]).code(), Code::Internal);
        // Headers that already say how it ended, and another encoding, are left to the generated code.
        assert_eq!(answered(Vec::new(), status(Code::NotFound)).unwrap_err().code(), Code::NotFound);
        let gzip = HeaderMap::from_iter([("grpc-encoding".parse().unwrap(), "gzip".parse().unwrap())]);
        assert_eq!(answered(Vec::new(), gzip).unwrap_err().code(), Code::Unimplemented);
    }
}
