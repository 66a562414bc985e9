//! A question as it is answered: which bodies are asked, how far each has come, the rows, the receipt.
//!
//! Rows go through and are kept nowhere here. Where the browser hangs up, the call is dropped, and with it what the bodies
//! have under way; the log says that it was interrupted.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use arrow_flight::decode::DecodedPayload;
use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use futures::TryStreamExt;
use http::StatusCode;
use meridian_certs::{Credentials, Verified};
use meridian_federation::remote::{Arrived, RemoteErrorKind};
use meridian_proto::Receipt;
use serde::Deserialize;
use serde_json::{Value, json};

use super::frames::{Frames, Gone};
use super::receipt;
use super::said::Problem;
use crate::flight::{Door, Inside, PARTIAL_HEADER, PURPOSE_HEADER};
use crate::query::{Watch, is_blank, without_purpose};

/// Time between two looks at what the bodies have answered.
const LOOK: Duration = Duration::from_millis(80);
/// Longest wait for a browser that does not read, beyond the longest time of the answer itself.
const SLOW_BROWSER: Duration = Duration::from_secs(120);

/// What an analyst asks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    sql: String,
    #[serde(default)]
    purpose: String,
    #[serde(default)]
    partial: bool,
}

/// A question on its way through the door.
pub(super) struct Asking {
    pub(super) client: FlightSqlServiceClient<Inside>,
    pub(super) sql: String,
}

impl Question {
    /// Comes in through the door, for the purpose that is stated: in the SQL first, beside it else.
    pub(super) fn enter(self, door: &Door, verified: &Verified, watch: &Watch) -> Result<Asking, Problem> {
        let bad = |why: String| Problem::new(StatusCode::BAD_REQUEST, why);
        let (sql, set) = without_purpose(&self.sql).map_err(|malformed| bad(malformed.to_string()))?;
        if is_blank(&sql) {
            return Err(bad("the SQL is empty: write one query".into()));
        }
        let purpose = set.unwrap_or(self.purpose);
        let mut client = door.enter(verified.clone(), watch.clone());
        if !purpose.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(bad("a purpose is one line of ASCII, as the agreement spells it: fire-risk".into()));
        }
        if !purpose.is_empty() {
            client.set_header(PURPOSE_HEADER, purpose);
        }
        if self.partial {
            client.set_header(PARTIAL_HEADER, "true");
        }
        Ok(Asking { client, sql })
    }
}

/// Asks a question and puts all that comes of it into `frames`.
pub(super) async fn run(
    question: Question,
    (door, verified, credentials): (Door, Verified, Arc<Credentials>),
    frames: Frames,
) {
    let (watch, began) = (Watch::default(), Instant::now());
    let longest = door.limits().time + SLOW_BROWSER;
    let asked = answered(question, (&door, &verified), &watch, &frames, &credentials);
    let whole = async {
        let mut seen = Seen::default();
        let mut asked = pin!(asked);
        let outcome = loop {
            tokio::select! {
                biased;
                outcome = &mut asked => break outcome,
                () = frames.gone() => return Err(Gone),
                () = tokio::time::sleep(LOOK) => seen.tell(&watch, &frames).await?,
            }
        };
        seen.tell(&watch, &frames).await?;
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        match outcome {
            Ok(receipt) => {
                frames.event(&json!({ "event": "receipt", "receipt": receipt })).await?;
                frames.event(&json!({ "event": "done", "ms": ms })).await
            }
            Err(Ended::Gone(gone)) => Err(gone),
            Err(Ended::Problem(problem)) => {
                frames.event(&json!({ "event": "failed", "ms": ms, "error": problem.told })).await
            }
        }
    };
    // An analyst who leaves, or reads no further, has ended it.
    let _ = tokio::time::timeout(longest, whole).await;
}

/// Why an answer has no end.
enum Ended {
    Problem(Problem),
    Gone(Gone),
}

impl From<Gone> for Ended {
    fn from(gone: Gone) -> Self {
        Self::Gone(gone)
    }
}

impl From<Problem> for Ended {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl From<FlightError> for Ended {
    fn from(error: FlightError) -> Self {
        Self::Problem(error.into())
    }
}

impl From<ArrowError> for Ended {
    /// Arrow's own words may hold values of the rows that it was given.
    fn from(_: ArrowError) -> Self {
        Self::Problem(Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the answer has no form as Arrow that browsers read",
        ))
    }
}

async fn answered(
    question: Question,
    (door, verified): (&Door, &Verified),
    watch: &Watch,
    frames: &Frames,
    credentials: &Credentials,
) -> Result<Value, Ended> {
    let Asking { mut client, sql } = question.enter(door, verified, watch)?;
    let info = client.execute(sql, None).await?;
    let cut = || Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the answer ended without its receipt: ask again");
    let ticket = info.endpoint.into_iter().next().and_then(|endpoint| endpoint.ticket).ok_or_else(cut)?;
    frames.event(&json!({ "event": "admitted" })).await?;
    let mut messages = client.do_get(ticket).await?.into_inner();
    let mut writer: Option<Writer> = None;
    let mut whole = None;
    while let Some(message) = messages.try_next().await? {
        let metadata = message.app_metadata();
        if !metadata.is_empty() {
            whole = Receipt::decode(&metadata).ok();
        }
        match message.payload {
            DecodedPayload::Schema(schema) => {
                let (begun, piece) = Writer::begin(&schema)?;
                writer = Some(begun);
                frames.arrow(&piece).await?;
            }
            DecodedPayload::RecordBatch(batch) if batch.num_rows() > 0 => {
                let writer = writer.as_mut().ok_or_else(cut)?;
                frames.arrow(&writer.piece(&batch)?).await?;
            }
            DecodedPayload::RecordBatch(_) | DecodedPayload::None => {}
        }
    }
    let whole = whole.ok_or_else(cut)?;
    frames.arrow(&writer.ok_or_else(cut)?.end()?).await?;
    Ok(receipt::told(&whole, credentials))
}

/// Writes batches in types that browsers read: views as what they are views of, also within lists.
struct Writer {
    schema: SchemaRef,
    stream: StreamWriter<Vec<u8>>,
}

impl Writer {
    fn begin(schema: &Schema) -> Result<(Self, Vec<u8>), ArrowError> {
        let fields: Vec<Field> = schema.fields().iter().map(|field| plain(field)).collect();
        let schema = Arc::new(Schema::new(fields));
        let mut stream = StreamWriter::try_new(Vec::new(), &schema)?;
        let head = std::mem::take(stream.get_mut());
        Ok((Self { schema, stream }, head))
    }

    fn piece(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        let columns = batch.columns().iter().zip(self.schema.fields());
        let columns = columns.map(|(column, field)| cast(column, field.data_type())).collect::<Result<Vec<_>, _>>()?;
        self.stream.write(&RecordBatch::try_new(Arc::clone(&self.schema), columns)?)?;
        Ok(std::mem::take(self.stream.get_mut()))
    }

    fn end(mut self) -> Result<Vec<u8>, ArrowError> {
        self.stream.finish()?;
        Ok(std::mem::take(self.stream.get_mut()))
    }
}

fn plain(field: &Field) -> Field {
    let of = |inner: &FieldRef| Arc::new(plain(inner));
    let kind = match field.data_type() {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::List(inner) | DataType::LargeList(inner) => DataType::List(of(inner)),
        DataType::FixedSizeList(inner, length) => DataType::FixedSizeList(of(inner), *length),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(of).collect()),
        other => other.clone(),
    };
    field.clone().with_data_type(kind)
}

/// What the browser was told of the bodies.
#[derive(Default)]
struct Seen {
    parts: Vec<Arrived>,
    left_out: usize,
}

impl Seen {
    /// Tells what is new.
    async fn tell(&mut self, watch: &Watch, frames: &Frames) -> Result<(), Gone> {
        let (now, left_out) = (watch.arrived(), watch.left_out());
        let new = now.iter().enumerate().filter(|(at, part)| self.parts.get(*at) != Some(*part));
        let parts: Vec<Value> = new.map(|(at, part)| arrived(at, part)).collect();
        if parts.is_empty() && left_out.len() == self.left_out {
            return Ok(());
        }
        // Planned again, others are asked: what was told before counts no more.
        let again = now.len() < self.parts.len();
        (self.parts, self.left_out) = (now, left_out.len());
        frames.event(&json!({ "event": "bodies", "again": again, "parts": parts, "left_out": left_out })).await
    }
}

fn arrived(at: usize, part: &Arrived) -> Value {
    let state = match (part.failed, part.all, part.first) {
        (Some(RemoteErrorKind::Unavailable), ..) => "unavailable",
        (Some(RemoteErrorKind::Refused), ..) => "refused",
        (Some(RemoteErrorKind::Limit), ..) => "limit",
        (Some(RemoteErrorKind::Failed), ..) => "failed",
        (None, Some(_), _) => "done",
        (None, None, Some(_)) => "answering",
        (None, None, None) => "asked",
    };
    let ms = |time: Option<Duration>| time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    json!({
        "part": at,
        "body": part.body,
        "state": state,
        "rows": part.rows,
        "bytes": part.bytes,
        "first_ms": ms(part.first),
        "all_ms": ms(part.all),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use arrow::array::{AsArray, LargeListBuilder, StringViewArray, StringViewBuilder, StructArray};
    use arrow::ipc::reader::StreamReader;

    use super::*;

    #[test]
    fn views_travel_as_what_they_are_views_of() {
        let schema = Schema::new(vec![Field::new("name", DataType::Utf8View, true)]);
        let names = StringViewArray::from(vec![Some("Camden"), None, Some("a name that is longer than a view")]);
        let batch = RecordBatch::try_new(Arc::new(schema.clone()), vec![Arc::new(names)]).unwrap();
        let (mut writer, mut bytes) = Writer::begin(&schema).unwrap();
        bytes.extend(writer.piece(&batch).unwrap());
        bytes.extend(writer.piece(&batch).unwrap());
        bytes.extend(writer.end().unwrap());
        let read: Vec<RecordBatch> =
            StreamReader::try_new(bytes.as_slice(), None).unwrap().map(Result::unwrap).collect();
        assert_eq!(read.len(), 2);
        let names: Vec<Option<&str>> = read.last().unwrap().column(0).as_string::<i32>().iter().collect();
        assert_eq!(names, [Some("Camden"), None, Some("a name that is longer than a view")]);
    }

    #[test]
    fn lists_and_records_of_views_do_so_too() {
        let mut lists = LargeListBuilder::new(StringViewBuilder::new());
        lists.append_value([Some("Camden"), None]);
        lists.append_null();
        let names = Arc::new(StringViewArray::from(vec![Some("Camden"), None]));
        let records = StructArray::from(vec![(
            Arc::new(Field::new("name", DataType::Utf8View, true)),
            names as arrow::array::ArrayRef,
        )]);
        let batch = RecordBatch::try_from_iter([
            ("lists", Arc::new(lists.finish()) as arrow::array::ArrayRef),
            ("records", Arc::new(records)),
        ]);
        let batch = batch.unwrap();
        let (mut writer, mut bytes) = Writer::begin(&batch.schema()).unwrap();
        bytes.extend(writer.piece(&batch).unwrap());
        bytes.extend(writer.end().unwrap());
        let read = StreamReader::try_new(bytes.as_slice(), None).unwrap().next().unwrap().unwrap();
        let (lists, records) = (read.column(0).as_list::<i32>(), read.column(1).as_struct());
        assert_eq!(lists.value(0).as_string::<i32>().iter().collect::<Vec<_>>(), [Some("Camden"), None]);
        assert_eq!(records.column(0).as_string::<i32>().iter().collect::<Vec<_>>(), [Some("Camden"), None]);
    }
}
