//! An answer in another format. The browser sends back the Arrow stream that it was given: nothing is asked twice, and nothing
//! was kept here.

use std::io::{self, Write};

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
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::said::{Body, Problem};
use crate::format::{Format, Sheet, Whole};

/// What is sent: an Arrow IPC stream.
pub(super) const KIND: &str = "application/vnd.apache.arrow.stream";
/// The largest answer that is written again, in bytes.
pub(super) const MOST_BYTES: usize = 128 << 20;
/// Answers that are written at the same time.
pub(super) const AT_ONCE: usize = 2;
/// Size of the pieces that are sent, in bytes.
const PIECE_BYTES: usize = 256 << 10;
/// Pieces that wait for the browser before the writer is held back.
const WAITING: usize = 4;
/// What stands for NULL.
const WHOLE: Whole<'_> = Whole { null: "(withheld)", meaning: None, width: None };
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

/// The answer in this format. `_place` is held until it is written.
pub(super) async fn convert(name: &str, bytes: Bytes, place: OwnedSemaphorePermit) -> Result<Response<Body>, Problem> {
    let format = Format::from_str(name, false).ok().filter(|format| *format != Format::Table);
    let format =
        format.ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, format!("{name:?} is no format to download")))?;
    let unreadable = || Problem::new(StatusCode::BAD_REQUEST, "what was sent is no Arrow stream of an answer");
    let messages = messages(bytes).ok_or_else(unreadable)?;
    let mut read =
        FlightRecordBatchStream::new_from_flight_data(well_formed(stream::iter(messages.into_iter().map(Ok))));
    let mut batches = Vec::new();
    while let Some(batch) = read.try_next().await.map_err(|_| unreadable())? {
        batches.push(batch);
    }
    let schema = read.schema().cloned().ok_or_else(unreadable)?;
    let sheet = Sheet::new(format, schema).map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))?;
    let (sender, receiver) = mpsc::channel(WAITING);
    let write = move || {
        let _place = place;
        let mut out = Pieces { sender, piece: Vec::new() };
        if let Err(error) = written(sheet, &batches, &mut out) {
            tracing::info!("an answer was not written to its end");
            let _ = out.sender.blocking_send(Err(error));
        }
    };
    // A thread of its own: those that wait for files are few, and planning needs them.
    let spawned = std::thread::Builder::new().name("download".into()).spawn(write);
    spawned.map_err(|_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "there is no thread to write it: try again"))?;
    let next = |mut receiver: Receiver<io::Result<Bytes>>| async move {
        let piece = receiver.recv().await?;
        Some((piece.map(Frame::data), receiver))
    };
    let mut response = Response::new(StreamBody::new(stream::unfold(receiver, next).boxed()).boxed_unsync());
    let kind = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}

fn written(mut sheet: Sheet, batches: &[RecordBatch], out: &mut Pieces) -> io::Result<()> {
    let failed = |error: crate::format::FormatError| io::Error::other(error.to_string());
    for batch in batches {
        sheet.write(batch, out).map_err(failed)?;
    }
    sheet.finish(&WHOLE, out).map_err(failed)?;
    out.send()
}

/// The messages of an Arrow IPC stream; None where it is none, or is cut.
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
        if bytes.remaining() < head {
            return None;
        }
        let data_header = bytes.split_to(head);
        let length = arrow::ipc::root_as_message(&data_header).ok()?.bodyLength();
        let length = usize::try_from(length).ok().filter(|length| *length <= bytes.remaining())?;
        let data_body = bytes.split_to(length);
        messages.push(FlightData { data_header, data_body, ..FlightData::default() });
    }
}

/// Hands on what is written, in pieces.
struct Pieces {
    sender: Sender<io::Result<Bytes>>,
    piece: Vec<u8>,
}

impl Pieces {
    fn send(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.piece);
        self.sender.blocking_send(Ok(piece.into())).map_err(|_| io::ErrorKind::BrokenPipe.into())
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

    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::{DataType, Field, Schema};
    use arrow::ipc::writer::StreamWriter;
    use tokio::sync::Semaphore;

    use super::*;

    fn stream_of(rows: i64) -> Vec<u8> {
        let fields = vec![Field::new("borough", DataType::Utf8, true), Field::new("fires", DataType::Int64, true)];
        let schema = Arc::new(Schema::new(fields));
        let boroughs = StringArray::from_iter((0..rows).map(|row| (row > 0).then(|| format!("b{row}"))));
        let fires = Int64Array::from_iter(0..rows);
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::new(boroughs), Arc::new(fires)]).unwrap();
        let mut writer = StreamWriter::try_new(Vec::new(), &schema).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        writer.into_inner().unwrap()
    }

    async fn converted(name: &str, bytes: Vec<u8>) -> Result<Vec<u8>, StatusCode> {
        let place = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        let response = convert(name, bytes.into(), place).await.map_err(|problem| problem.status)?;
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
    async fn what_is_no_stream_of_an_answer_is_refused() {
        let whole = stream_of(50);
        for cut in [0, 4, 8, 100, whole.len() / 2, whole.len() - 4] {
            let bytes = whole.get(..cut).unwrap().to_vec();
            assert_eq!(converted("csv", bytes).await.unwrap_err(), StatusCode::BAD_REQUEST, "{cut}");
        }
        assert_eq!(converted("csv", b"SELECT 1; SELECT 2".to_vec()).await.unwrap_err(), StatusCode::BAD_REQUEST);
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
