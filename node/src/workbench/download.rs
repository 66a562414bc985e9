//! An answer in another format. The browser sends back the Arrow stream that it was given: nothing is asked twice, and nothing
//! was kept here.

use std::io::{self, Write};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use bytes::{Buf, Bytes};
use clap::ValueEnum;
use futures::{StreamExt, TryStreamExt, stream};
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use meridian_federation::remote::well_formed;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::timeout;

use super::said::{Body, Problem};
use crate::format::{Format, Sheet, Whole};

/// What is sent: an Arrow IPC stream.
pub(super) const KIND: &str = "application/vnd.apache.arrow.stream";
/// How the page says that statistics are behind it.
pub(super) const STATISTICS: &str = "statistics";
/// The largest answer that is written again, in bytes.
pub(super) const MOST_BYTES: usize = 128 << 20;
/// The most messages of one: what becomes of each takes more memory than a small one has bytes.
const MOST_MESSAGES: usize = 50_000;
/// Answers that are written at the same time.
pub(super) const AT_ONCE: usize = 2;
/// Size of the pieces that are sent, in bytes.
const PIECE_BYTES: usize = 256 << 10;
/// Pieces that wait for the browser before the writer is held back.
const WAITING: usize = 4;
/// Longest wait for a browser that takes no piece: others wait for its place.
const PATIENCE: Duration = Duration::from_secs(60);
/// The marker in front of each message of an Arrow IPC stream.
const CONTINUATION: u32 = u32::MAX;

/// The formats that a browser may choose: all that the command line has, but its table for terminals.
pub(super) fn formats() -> Vec<Value> {
    let names = Format::value_variants().iter().filter(|format| **format != Format::Table);
    let names = names.filter_map(|format| Some(format.to_possible_value()?.get_name().to_owned()));
    names.map(|name| json!({ "name": name, "ending": ending(&name) })).collect()
}

fn ending(name: &str) -> &str {
    match name {
        "markdown" => "md",
        "arrow" => "arrows",
        "arrow-file" => "arrow",
        other => other,
    }
}

/// The answer in this format; the page says whether statistics are behind it. The place is held until it is written.
pub(super) async fn convert(
    (name, has_statistics): (&str, bool),
    bytes: Bytes,
    place: OwnedSemaphorePermit,
) -> Result<Response<Body>, Problem> {
    let format = Format::from_str(name, false).ok().filter(|format| *format != Format::Table);
    let format =
        format.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, format!("{name:?} is no format to download")))?;
    let unreadable = || Problem::new(StatusCode::BAD_REQUEST, "what was sent is no Arrow stream of an answer");
    let messages = messages(bytes).ok_or_else(unreadable)?;
    let mut read =
        FlightRecordBatchStream::new_from_flight_data(well_formed(stream::iter(messages.into_iter().map(Ok))));
    let mut batches = Vec::new();
    while let Some(batch) = read.try_next().await.map_err(|_| unreadable())? {
        if batch.num_rows() > 0 {
            batches.push(batch);
        }
    }
    let schema = read.schema().cloned().ok_or_else(unreadable)?;
    let sheet = Sheet::new(format, schema).map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    let (mut out, body) = Pieces::new(PATIENCE);
    let write = move || {
        let _place = place;
        if written(sheet.for_spreadsheets(), &batches, &Whole::of(has_statistics), &mut out).is_err() {
            tracing::info!("an answer was not written to its end");
        }
    };
    // A thread of its own: those that wait for files are few, and planning needs them.
    let spawned = std::thread::Builder::new().name("download".into()).spawn(write);
    spawned.map_err(|_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "there is no thread to write it: try again"))?;
    let mut response = Response::new(body);
    let kind = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

fn written(mut sheet: Sheet, batches: &[RecordBatch], whole: &Whole<'_>, out: &mut Pieces) -> io::Result<()> {
    let failed = |error: crate::format::FormatError| io::Error::other(error.to_string());
    for batch in batches {
        sheet.write(batch, out).map_err(failed)?;
    }
    sheet.finish(whole, out).map_err(failed)?;
    out.end()
}

/// The messages of an Arrow IPC stream; None where it is none, is cut, or has too many.
fn messages(mut bytes: Bytes) -> Option<Vec<FlightData>> {
    let mut messages = Vec::new();
    loop {
        if bytes.remaining() < 8 || bytes.get_u32_le() != CONTINUATION {
            return None;
        }
        let head = usize::try_from(bytes.get_u32_le()).ok()?;
        if head == 0 {
            return Some(messages);
        }
        if bytes.remaining() < head || messages.len() >= MOST_MESSAGES {
            return None;
        }
        let data_header = bytes.split_to(head);
        let length = arrow::ipc::root_as_message(&data_header).ok()?.bodyLength();
        let length = usize::try_from(length).ok().filter(|length| *length <= bytes.remaining())?;
        let data_body = bytes.split_to(length);
        messages.push(FlightData { data_header, data_body, ..FlightData::default() });
    }
}

/// Hands on what is written, in pieces. The body breaks off unless it is told that there are no more: what is cut never
/// looks whole.
struct Pieces {
    sender: Sender<Option<Bytes>>,
    piece: Vec<u8>,
    runtime: Handle,
    patience: Duration,
}

impl Pieces {
    /// Pieces, and the body that consists of them; a browser has so long to take one.
    fn new(patience: Duration) -> (Self, Body) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let next = |receiver: Option<Receiver<Option<Bytes>>>| async move {
            let mut receiver = receiver?;
            match receiver.recv().await {
                Some(Some(piece)) => Some((Ok(Frame::data(piece)), Some(receiver))),
                Some(None) => None,
                None => Some((Err(io::ErrorKind::UnexpectedEof.into()), None)),
            }
        };
        let body = StreamBody::new(stream::unfold(Some(receiver), next).boxed()).boxed_unsync();
        (Self { sender, piece: Vec::new(), runtime: Handle::current(), patience }, body)
    }

    /// There are no more.
    fn end(&mut self) -> io::Result<()> {
        self.send()?;
        self.put(None)
    }

    fn put(&self, piece: Option<Bytes>) -> io::Result<()> {
        let put = self.runtime.block_on(async { timeout(self.patience, self.sender.send(piece)).await });
        put.map_err(|_| io::ErrorKind::TimedOut)?.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn send(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.piece);
        self.put(Some(piece.into()))
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.piece.extend_from_slice(bytes);
        if self.piece.len() >= PIECE_BYTES {
            self.send()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};
    use arrow::ipc::writer::StreamWriter;
    use tokio::sync::Semaphore;

    use super::*;

    fn stream_of(rows: i64) -> Vec<u8> {
        let fields = vec![Field::new("borough", DataType::Utf8, true), Field::new("fires", DataType::Int64, true)];
        let schema = Arc::new(Schema::new(fields));
        let boroughs = StringArray::from_iter((0..rows).map(|row| (row > 0).then(|| format!("b{row}"))));
        let fires = Int64Array::from_iter(0..rows);
        stream_with(&RecordBatch::try_new(schema, vec![Arc::new(boroughs), Arc::new(fires)]).unwrap())
    }

    fn stream_with(batch: &RecordBatch) -> Vec<u8> {
        let mut writer = StreamWriter::try_new(Vec::new(), &batch.schema()).unwrap();
        writer.write(batch).unwrap();
        writer.finish().unwrap();
        writer.into_inner().unwrap()
    }

    async fn converted(name: &str, bytes: Vec<u8>) -> Result<Vec<u8>, StatusCode> {
        converted_with(name, bytes, true).await
    }

    async fn converted_with(name: &str, bytes: Vec<u8>, has_statistics: bool) -> Result<Vec<u8>, StatusCode> {
        let place = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        let response = convert((name, has_statistics), bytes.into(), place).await.map_err(|problem| problem.status)?;
        Ok(response.into_body().collect().await.unwrap().to_bytes().to_vec())
    }

    #[tokio::test]
    async fn what_a_browser_sends_back_is_written_in_every_format() {
        let csv = converted("csv", stream_of(3)).await.unwrap();
        assert_eq!(String::from_utf8(csv).unwrap(), "borough,fires\n,0\nb1,1\nb2,2\n");
        for format in formats() {
            let name = format.get("name").and_then(Value::as_str).unwrap();
            if name == "geojson" {
                // There is no geometry in it.
                assert_eq!(converted(name, stream_of(1)).await.unwrap_err(), StatusCode::BAD_REQUEST);
                continue;
            }
            assert!(!converted(name, stream_of(100)).await.unwrap().is_empty(), "{name}");
        }
        assert_eq!(converted("table", stream_of(1)).await.unwrap_err(), StatusCode::NOT_FOUND);
        assert_eq!(converted("exe", stream_of(1)).await.unwrap_err(), StatusCode::NOT_FOUND);
    }

    #[tokio::test]
    async fn what_has_no_value_is_withheld_where_statistics_are_behind_it_alone() {
        for (has_statistics, expected) in [(true, "| (withheld) | 0 |"), (false, "| NULL | 0 |")] {
            let written = converted_with("markdown", stream_of(1), has_statistics).await.unwrap();
            assert!(String::from_utf8_lossy(&written).contains(expected), "{written:?}");
        }
    }

    #[tokio::test]
    async fn nothing_in_csv_is_a_formula() {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("=cmd|' /C calc'!A0"), Some("a, -1"), None]));
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![-1, 2, 3]));
        let stream = stream_with(&RecordBatch::try_from_iter([("@name", texts), ("n", numbers)]).unwrap());
        let text = async |format: &str| String::from_utf8(converted(format, stream.clone()).await.unwrap()).unwrap();
        assert_eq!(text("csv").await, "'@name,n\n'=cmd|' /C calc'!A0,-1\n\"a, -1\",2\n,3\n");
        assert!(
            text("jsonl").await.starts_with("{\"@name\":\"=cmd|' /C calc'!A0\",\"n\":-1}\n"),
            "values are as they are"
        );
        let empty = RecordBatch::try_from_iter([("=1", Arc::new(Int64Array::from(Vec::<i64>::new())) as ArrayRef)]);
        assert_eq!(converted("csv", stream_with(&empty.unwrap())).await.unwrap(), b"'=1\n");
    }

    #[tokio::test]
    async fn what_is_cut_never_looks_whole() {
        let (mut out, body) = Pieces::new(PATIENCE);
        std::thread::spawn(move || out.write_all(b"a,b\n").and_then(|()| out.end()));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "a,b\n");
        // Whoever writes is gone, and had no time to say why.
        let (mut out, body) = Pieces::new(PATIENCE);
        std::thread::spawn(move || out.write_all(b"a,b\n").and_then(|()| out.flush()));
        assert!(body.collect().await.is_err());
        // A browser that takes nothing is not waited for.
        let (mut out, body) = Pieces::new(Duration::ZERO);
        let piece = vec![b'x'; PIECE_BYTES];
        let write = move || (0..=WAITING).try_for_each(|_| out.write_all(&piece));
        let written = tokio::task::spawn_blocking(write).await.unwrap();
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(body.collect().await.is_err());
    }

    #[tokio::test]
    async fn what_is_no_stream_of_an_answer_is_refused() {
        let whole = stream_of(50);
        for cut in [0, 4, 8, 100, whole.len() / 2, whole.len() - 4] {
            let bytes = whole.get(..cut).unwrap().to_vec();
            assert_eq!(converted("csv", bytes).await.unwrap_err(), StatusCode::BAD_REQUEST, "{cut}");
        }
        assert_eq!(converted("csv", b"SELECT 1; SELECT 2".to_vec()).await.unwrap_err(), StatusCode::BAD_REQUEST);
        // Small messages without end become more than they are.
        let schema = Schema::new(vec![Field::new("n", DataType::Int64, true)]);
        let mut many = StreamWriter::try_new(Vec::new(), &schema).unwrap();
        let empty = RecordBatch::new_empty(Arc::new(schema));
        (0..MOST_MESSAGES).for_each(|_| many.write(&empty).unwrap());
        many.finish().unwrap();
        assert_eq!(converted("csv", many.into_inner().unwrap()).await.unwrap_err(), StatusCode::BAD_REQUEST);
        // Whatever byte is another, it is written or refused.
        for at in (0..whole.len()).step_by(7) {
            let mut bytes = whole.clone();
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 0xff;
            }
            let _ = converted("csv", bytes).await;
        }
    }
}
