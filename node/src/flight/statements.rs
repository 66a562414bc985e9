//! From a statement to a ticket, and from a ticket to an answer.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit};
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use datafusion::scalar::ScalarValue;
use futures::{Stream, TryStreamExt};
use meridian_federation::remote::{Arrived, well_formed};
use meridian_proto::{CheckAnswer, DatasetUse, Progress, State};
use tonic::Response;
use tonic::Status;
use tonic::metadata::MetadataValue;

use super::encode::{self, Messages, cancelled, cancelled_status};
use super::endpoints::{Further, Several, Tickets};
use super::tickets::{Handle, Handles, PREPARED_LIFETIME, Running, TICKET_LIFETIME, UnderWay};
use super::{Limits, QUERY_ID_HEADER, sessions, status};
use crate::gate::Caller;
use crate::query::{Asked, Engine, Partial, Progress as Sent, Shape, Watch};
use crate::traces::Trace;

/// The statements that are known here: planned ones that wait for their reader, and prepared ones.
pub(super) struct Statements {
    engine: Arc<Engine>,
    limits: Limits,
    tickets: Handles<Asked>,
    /// Further endpoints of answers that are under way.
    endpoints: Arc<Tickets>,
    prepared: Handles<Prepared>,
    running: Arc<Running>,
}

/// A prepared statement, and the values that are bound to it.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    sql: Arc<str>,
    shape: Shape,
    parameters: Vec<ScalarValue>,
}

/// A statement that was planned and not refused.
pub(super) struct Planned {
    pub(super) asked: Asked,
    pub(super) schema: SchemaRef,
}

impl Statements {
    pub(super) fn new(engine: Arc<Engine>, limits: Limits) -> Self {
        Self {
            engine,
            limits,
            tickets: Handles::new("tickets", TICKET_LIFETIME),
            endpoints: Arc::new(Tickets::new(limits.streams)),
            prepared: Handles::new("prepared statements", PREPARED_LIFETIME),
            running: Arc::default(),
        }
    }

    /// What a caller asks, under a query id of its own.
    pub(super) fn asked(&self, caller: Caller, sql: String, parameters: Vec<ScalarValue>) -> Result<Asked, Status> {
        self.bounded(&sql)?;
        let query_id = Handle::random()?.to_string();
        tracing::Span::current().record("query_id", &query_id);
        Ok(Asked { parameters, trace: Trace::current(), ..Asked::new(caller, sql, query_id) })
    }

    /// What a caller asks by a prepared statement.
    pub(super) fn asked_prepared(&self, caller: Caller, handle: &[u8]) -> Result<Asked, Status> {
        let (_, prepared) = self.find(&caller, handle)?;
        self.asked(caller, prepared.sql.to_string(), prepared.parameters)
    }

    /// Plans and gates, so that what is refused is refused now.
    pub(super) async fn plan(&self, asked: Asked) -> Result<Planned, Status> {
        let described = self.engine.describe(&asked).await;
        let schema = described.map_err(|error| named(status::of(&error), &asked.query_id))?;
        Ok(Planned { schema: encode::travelling(&schema), asked })
    }

    /// The handle by which the answer can be read, once.
    pub(super) fn ticket(&self, asked: Asked) -> Result<Handle, Status> {
        let bytes = asked.sql.len() + asked.parameters.iter().map(ScalarValue::size).sum::<usize>();
        self.tickets.put(Instant::now(), asked.caller.spiffe(), asked, bytes)
    }

    /// The answer to a statement that was planned before, which this process may watch.
    pub(super) async fn read(
        &self,
        caller: &Caller,
        handle: &[u8],
        watch: Option<Watch>,
    ) -> Result<Response<Messages>, Status> {
        let owner = caller.spiffe();
        let handle = Handle::parse(handle);
        if let Some(further) = handle.and_then(|handle| self.endpoints.take(&owner, &handle)) {
            return self.further(&further).await;
        }
        let found = handle.and_then(|handle| Some((handle, self.tickets.take(Instant::now(), &owner, &handle)?)));
        // Expired, read before, somebody else's or made up: whoever tries learns nothing from the answer.
        let (handle, asked) = found.ok_or_else(|| {
            Status::not_found(format!(
                "there is no such ticket: it is good for one read by the caller who asked, within {} minutes; \
                 ask GetFlightInfo again",
                TICKET_LIFETIME.as_secs() / 60
            ))
        })?;
        let under_way = self.running.begin(owner, handle);
        let trace = asked.trace.read_here();
        self.answer(Asked { trace, watch, ..asked }, Some(under_way), 1).await
    }

    /// What leaves of an answer at a further endpoint.
    async fn further(&self, further: &Further) -> Result<Response<Messages>, Status> {
        tracing::Span::current().record("query_id", &further.query_id);
        let joined = further.join().await.ok_or_else(|| Status::not_found("all of the answer has left already"))?;
        let (messages, progress) = encode::further(further, joined, self.limits.message_bytes);
        Ok(responding(messages, progress, &further.query_id))
    }

    /// The answer to whatever is asked, which its asker reads at so many endpoints at once.
    pub(super) async fn answer(
        &self,
        asked: Asked,
        under_way: Option<UnderWay>,
        endpoints: usize,
    ) -> Result<Response<Messages>, Status> {
        self.bounded(&asked.sql)?;
        let query_id = asked.query_id.clone();
        let several = (endpoints > 1).then(|| Several {
            tickets: Arc::clone(&self.endpoints),
            owner: asked.caller.spiffe(),
            further: endpoints - 1,
            query_id: query_id.clone(),
        });
        tracing::Span::current().record("query_id", &query_id);
        let answer = tokio::select! {
            biased;
            () = cancelled(under_way.as_ref()) => return Err(named(cancelled_status(), &query_id)),
            answer = self.engine.answer(asked) => answer,
        };
        let answer = answer.map_err(|error| named(status::of(&error), &query_id))?;
        let progress = answer.closing.progress().clone();
        if let Some(under_way) = &under_way {
            under_way.watch(answer.closing.receipts());
        }
        let messages = encode::answer(answer, under_way, several, self.limits.message_bytes);
        Ok(responding(messages, progress, &query_id))
    }

    /// What a question needs of other bodies that is not open.
    pub(super) async fn needs(&self, asked: Asked) -> Result<Vec<DatasetUse>, Status> {
        self.bounded(&asked.sql)?;
        let query_id = asked.query_id.clone();
        self.engine.needs(&asked).await.map_err(|error| named(status::of(&error), &query_id))
    }

    /// Whether the answer to what is asked would be released.
    pub(super) async fn check(&self, asked: Asked) -> Result<CheckAnswer, Status> {
        self.bounded(&asked.sql)?;
        let query_id = asked.query_id.clone();
        tracing::Span::current().record("query_id", &query_id);
        self.engine.check(asked).await.map_err(|error| named(status::of(&error), &query_id))
    }

    /// Ends an answer that is under way, or forgets a ticket that was not read.
    pub(super) fn cancel(&self, caller: &Caller, handle: &[u8]) -> bool {
        let owner = caller.spiffe();
        Handle::parse(handle).is_some_and(|handle| {
            self.tickets.take(Instant::now(), &owner, &handle).is_some() || self.running.cancel(&owner, &handle)
        })
    }

    /// How far the bodies behind an answer are that is under way.
    pub(super) fn progress(&self, caller: &Caller, handle: &[u8]) -> Option<Progress> {
        let receipts = self.running.receipts(&caller.spiffe(), &Handle::parse(handle)?)?;
        let state = |part: &Arrived| match (part.bytes, part.first) {
            (Some(_), _) => State::Whole,
            (None, Some(_)) => State::Arriving,
            (None, None) => State::Asked,
        };
        Some(Progress(receipts.arrived().iter().map(|part| (part.body.clone(), state(part))).collect()))
    }

    /// Prepares a statement whose parameters are bound later.
    pub(super) async fn prepare(
        &self,
        caller: Caller,
        sql: String,
        partial: Option<Arc<Partial>>,
    ) -> Result<(Handle, Shape), Status> {
        let owner = caller.spiffe();
        let asked = Asked { partial, ..self.asked(caller, sql, Vec::new())? };
        let shape = self.engine.shape(&asked).await;
        let shape = shape.map_err(|error| named(status::of(&error), &asked.query_id))?;
        let shape = Shape { dataset: encode::travelling(&shape.dataset), parameters: shape.parameters };
        let bytes = asked.sql.len();
        let prepared = Prepared { sql: asked.sql.into(), shape: shape.clone(), parameters: Vec::new() };
        let handle = self.prepared.put(Instant::now(), owner, prepared, bytes)?;
        Ok((handle, shape))
    }

    /// The text of a prepared statement.
    pub(super) fn sql(&self, caller: &Caller, handle: &[u8]) -> Result<String, Status> {
        Ok(self.find(caller, handle)?.1.sql.to_string())
    }

    /// Prepares `SET purpose = '…'`, which is done each time it is asked.
    pub(super) fn prepare_set(&self, caller: &Caller, sql: String) -> Result<(Handle, Shape), Status> {
        let shape = Shape { dataset: sessions::set_schema(), parameters: Arc::new(Schema::empty()) };
        let bytes = sql.len();
        let prepared = Prepared { sql: sql.into(), shape: shape.clone(), parameters: Vec::new() };
        Ok((self.prepared.put(Instant::now(), caller.spiffe(), prepared, bytes)?, shape))
    }

    /// The schema of a prepared statement's answer.
    pub(super) fn shape(&self, caller: &Caller, handle: &[u8]) -> Result<Shape, Status> {
        Ok(self.find(caller, handle)?.1.shape)
    }

    /// Binds one row of values.
    pub(super) async fn bind(
        &self,
        caller: &Caller,
        handle: &[u8],
        messages: impl Stream<Item = Result<FlightData, Status>> + Send + 'static,
    ) -> Result<Handle, Status> {
        let (handle, mut prepared) = self.find(caller, handle)?;
        let expected = prepared.shape.parameters.fields().len();
        prepared.parameters = values(messages, expected).await?;
        let bytes = prepared.sql.len() + prepared.parameters.iter().map(ScalarValue::size).sum::<usize>();
        if self.prepared.replace(Instant::now(), &caller.spiffe(), &handle, prepared, bytes)? {
            Ok(handle)
        } else {
            Err(unknown_prepared())
        }
    }

    /// Forgets a prepared statement.
    pub(super) fn close(&self, caller: &Caller, handle: &[u8]) -> Result<(), Status> {
        let (handle, _) = self.find(caller, handle)?;
        self.prepared.take(Instant::now(), &caller.spiffe(), &handle);
        Ok(())
    }

    fn find(&self, caller: &Caller, handle: &[u8]) -> Result<(Handle, Prepared), Status> {
        Handle::parse(handle)
            .and_then(|handle| Some((handle, self.prepared.get(Instant::now(), &caller.spiffe(), &handle)?)))
            .ok_or_else(unknown_prepared)
    }

    fn bounded(&self, sql: &str) -> Result<(), Status> {
        let most = self.limits.statement_bytes;
        if sql.len() <= most {
            return Ok(());
        }
        Err(Status::resource_exhausted(format!(
            "the statement has {} bytes and {most} are the most (limits.statement_bytes): write it shorter",
            sql.len()
        )))
    }
}

/// An answer on its way, and the query that it belongs to.
fn responding(messages: Messages, progress: Sent, query_id: &str) -> Response<Messages> {
    let mut response = Response::new(messages);
    response.extensions_mut().insert(progress);
    if let Ok(value) = MetadataValue::try_from(query_id) {
        response.metadata_mut().insert(QUERY_ID_HEADER, value);
    }
    response
}

fn unknown_prepared() -> Status {
    Status::not_found(format!(
        "there is no such prepared statement: it is good for the caller who prepared it, until it was not used for {} \
         minutes; prepare it again",
        PREPARED_LIFETIME.as_secs() / 60
    ))
}

/// Puts the query's id beside the reason why it got no answer.
fn named(mut status: Status, query_id: &str) -> Status {
    if let Ok(value) = MetadataValue::try_from(query_id) {
        status.metadata_mut().insert(QUERY_ID_HEADER, value);
    }
    status
}

/// The one row that a client sends to be bound.
async fn values(
    messages: impl Stream<Item = Result<FlightData, Status>> + Send + 'static,
    expected: usize,
) -> Result<Vec<ScalarValue>, Status> {
    let mut batches = FlightRecordBatchStream::new_from_flight_data(well_formed(messages));
    let mut row: Option<RecordBatch> = None;
    while let Some(batch) = batches.try_next().await.map_err(unreadable)? {
        let rows = batch.num_rows() + row.as_ref().map_or(0, RecordBatch::num_rows);
        if rows > 1 {
            return Err(Status::invalid_argument(
                "a query takes one row of parameters at a time and more were bound: bind and run it row by row",
            ));
        }
        if rows == 1 && batch.num_rows() == 1 {
            row = Some(batch);
        }
    }
    let found = row.as_ref().map_or(0, RecordBatch::num_columns);
    if found != expected {
        return Err(Status::invalid_argument(format!(
            "the statement has {expected} parameters and {found} values are bound"
        )));
    }
    let Some(row) = row else { return Ok(Vec::new()) };
    row.columns()
        .iter()
        .enumerate()
        .map(|(at, column)| {
            ScalarValue::try_from_array(column, 0).and_then(plain).map_err(|_| {
                let (number, kind) = (at + 1, column.data_type());
                Status::invalid_argument(format!("parameter ${number} has a type that can't be bound: {kind}"))
            })
        })
        .collect()
}

/// The same value without the encodings that only some clients use; lists and structures are none of a column.
fn plain(value: ScalarValue) -> datafusion::common::Result<ScalarValue> {
    let kind = value.data_type();
    match value {
        ScalarValue::Dictionary(_, value) => plain(*value),
        value if matches!(kind, DataType::Utf8View | DataType::LargeUtf8) => value.cast_to(&DataType::Utf8),
        // The least of them has no text: to write it panics.
        value if kind == DataType::Date64 => value.cast_to(&DataType::Timestamp(TimeUnit::Millisecond, None)),
        _ if kind.is_nested() => datafusion::common::plan_err!("{kind} is no type of a single value"),
        value => Ok(value),
    }
}

fn unreadable(error: FlightError) -> Status {
    match error {
        FlightError::Tonic(status) => *status,
        _ => Status::invalid_argument("the bound parameters are no Arrow record batch, uncompressed, that can be read"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use arrow::array::{ArrayRef, Date64Array, Int64Array, LargeStringArray, ListArray};
    use arrow::datatypes::Int32Type;
    use futures::stream;

    use super::*;

    fn sent(numbers: Vec<i64>) -> impl Stream<Item = Result<FlightData, Status>> + Send + 'static {
        let texts = LargeStringArray::from_iter_values(numbers.iter().map(i64::to_string));
        of(vec![Arc::new(Int64Array::from(numbers)), Arc::new(texts)])
    }

    fn of(columns: Vec<ArrayRef>) -> impl Stream<Item = Result<FlightData, Status>> + Send + 'static {
        let named = columns.into_iter().enumerate().map(|(at, column)| (at.to_string(), column));
        let batch = RecordBatch::try_from_iter(named).unwrap();
        let messages = arrow_flight::utils::batches_to_flight_data(&batch.schema(), vec![batch]).unwrap();
        stream::iter(messages.into_iter().map(Ok))
    }

    #[tokio::test]
    async fn one_row_is_bound() {
        let bound = values(sent(vec![7]), 2).await.unwrap();
        assert_eq!(bound, [ScalarValue::Int64(Some(7)), ScalarValue::Utf8(Some("7".into()))]);
        assert_eq!(values(stream::empty(), 0).await.unwrap(), []);
    }

    #[tokio::test]
    async fn what_is_not_one_row_of_all_parameters_is_refused() {
        let cases = [(vec![1, 2], 2, "row by row"), (vec![1], 3, "3 parameters"), (vec![], 2, "2 parameters")];
        for (rows, expected, word) in cases {
            let status = values(sent(rows), expected).await.unwrap_err();
            assert_eq!(status.code(), tonic::Code::InvalidArgument);
            assert!(status.message().contains(word), "{}", status.message());
        }
        let garbage = FlightData { data_header: vec![1, 2, 3].into(), ..FlightData::default() };
        assert!(values(stream::iter([Ok(garbage)]), 1).await.is_err());
    }

    #[tokio::test]
    async fn every_value_that_is_bound_has_a_text_for_the_log() {
        let dates: ArrayRef = Arc::new(Date64Array::from(vec![i64::MIN]));
        let bound = values(of(vec![dates]), 1).await.unwrap();
        assert_eq!(bound[0].to_string(), i64::MIN.to_string());
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1)])]);
        let status = values(of(vec![Arc::new(list)]), 1).await.unwrap_err();
        assert!(status.message().contains("parameter $1 has a type that can't be bound"), "{}", status.message());
    }
}
