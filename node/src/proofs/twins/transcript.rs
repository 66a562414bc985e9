//! What leaves a node of one question: the plan, what is said before the answer, the frames of the answer, and what stands
//! behind it; without what is time, id, handle or signature.

use std::fmt;
use std::path::Path;

use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::{CommandGetTables, CommandStatementQuery, ProstMessageExt};
use arrow_flight::utils::flight_data_to_batches;
use arrow_flight::{Criteria, FlightData, FlightDescriptor, FlightInfo, Ticket};
use futures::StreamExt;
use meridian_proto::{Receipt, ReleaseRecord};
use prost::Message;
use tonic::{Code, Request, Status};

use crate::flight::{Messages, Service};
use crate::proofs::asked::{asker, values};
use crate::proofs::value::Value;

/// All that leaves.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Transcript {
    /// What EXPLAIN answers.
    pub(super) plan: Answer,
    /// What is said before there is an answer.
    pub(super) info: Result<Info, (Code, String)>,
    pub(super) answer: Answer,
}

/// Frames, and how they end.
#[derive(Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) frames: Vec<Frame>,
    /// The record in the receipt, or an error.
    pub(super) end: Result<Option<ReleaseRecord>, (Code, String)>,
}

/// Rows and sizes, for a person; the bytes say little.
impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<_> = self.frames.iter().map(|frame| (frame.header.len(), frame.body.len())).collect();
        let rows = self.rows().map(|rows| rows.iter().map(|row| format!("{row:?}")).collect::<Vec<_>>());
        f.debug_struct("Answer").field("rows", &rows).field("sizes", &sizes).field("end", &self.end).finish()
    }
}

/// One message of a stream.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Frame {
    pub(super) header: Vec<u8>,
    pub(super) body: Vec<u8>,
    pub(super) descriptor: bool,
}

/// FlightInfo without its ticket, which is a random handle.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Info {
    schema: Vec<u8>,
    endpoints: usize,
    locations: usize,
    ticket_bytes: Vec<usize>,
    records: i64,
    bytes: i64,
    ordered: bool,
    metadata: Vec<u8>,
    headers: Vec<String>,
}

/// What is told of datasets before anything is asked.
#[derive(Clone, PartialEq)]
pub(super) struct Told {
    /// The answer to GetTables, with the columns.
    tables: Answer,
    /// What ListFlights says of each.
    flights: Vec<Info>,
    /// The descriptions that the federation gets.
    described: Vec<Vec<u8>>,
}

/// The tables' columns are bytes of Arrow, which say little.
impl fmt::Debug for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let said = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        let described: Vec<String> = self.described.iter().map(said).collect();
        let tables: Vec<usize> = self.tables.frames.iter().map(|frame| frame.body.len()).collect();
        f.debug_struct("Told").field("described", &described).field("tables", &tables).finish_non_exhaustive()
    }
}

impl Told {
    pub(super) async fn of(service: &Service, described: Vec<Vec<u8>>) -> Self {
        let command = CommandGetTables { include_schema: true, ..CommandGetTables::default() };
        let ticket = Ticket { ticket: command.as_any().encode_to_vec().into() };
        let purpose = Some("planning");
        let tables = read(service.get(with_caller(ticket, purpose)).await.unwrap().into_inner()).await;
        let criteria = Criteria { expression: vec![].into() };
        let flights = service.list_flights(with_caller(criteria, purpose)).await.unwrap().into_inner();
        let flights = flights.map(|info| self::told(&info.unwrap(), vec![])).collect().await;
        Self { tables, flights, described }
    }
}

fn with_caller<T>(message: T, purpose: Option<&str>) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(asker(purpose));
    request
}

fn said(status: &Status) -> (Code, String) {
    assert!(status.details().is_empty(), "{status:?}");
    (status.code(), status.message().to_owned())
}

impl Transcript {
    /// Asks once, as a client does: for the info, then for the answer.
    pub(super) async fn of(service: &Service, statement: &str, purpose: Option<&str>) -> Self {
        let command = CommandStatementQuery { query: statement.to_owned(), transaction_id: None };
        let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
        let nothing = Answer { frames: vec![], end: Ok(None) };
        let response = match service.get_flight_info(with_caller(descriptor, purpose)).await {
            Ok(response) => response,
            Err(status) => return Self { plan: nothing.clone(), info: Err(said(&status)), answer: nothing },
        };
        let headers = response.metadata().keys().map(|key| format!("{key:?}")).collect();
        let info = response.into_inner();
        let ticket = info.endpoint[0].ticket.clone().unwrap();
        let answer = match service.get(with_caller(ticket, purpose)).await {
            Ok(response) => read(response.into_inner()).await,
            Err(status) => Answer { frames: vec![], end: Err(said(&status)) },
        };
        Self { plan: nothing, info: Ok(told(&info, headers)), answer }
    }

    /// The rows of the answer; none where it ended in an error or was refused.
    pub(super) fn rows(&self) -> Option<Vec<Vec<Value>>> {
        self.info.as_ref().ok()?;
        self.answer.end.as_ref().ok()?;
        self.answer.rows()
    }

    /// The code and text with which it was refused or ended.
    pub(super) fn refusal(&self) -> Option<&(Code, String)> {
        self.info.as_ref().err().or_else(|| self.answer.end.as_ref().err())
    }
}

impl Answer {
    fn rows(&self) -> Option<Vec<Vec<Value>>> {
        if self.frames.is_empty() {
            return None;
        }
        let messages = self.frames.iter().map(|frame| FlightData {
            data_header: frame.header.clone().into(),
            data_body: frame.body.clone().into(),
            ..FlightData::default()
        });
        let messages: Vec<FlightData> = messages.collect();
        Some(values(&flight_data_to_batches(&messages).unwrap()))
    }

    /// The record without figures of the answer's size.
    pub(super) fn record(&self) -> Option<ReleaseRecord> {
        let record = self.end.as_ref().ok()?.clone()?;
        Some(ReleaseRecord { rows: 0, bytes: 0, ..record })
    }

    pub(super) fn size(&self) -> Option<(u64, u64)> {
        let record = self.end.as_ref().ok()?.as_ref()?;
        Some((record.rows, record.bytes))
    }
}

fn told(info: &FlightInfo, headers: Vec<String>) -> Info {
    let ticket =
        |endpoint: &arrow_flight::FlightEndpoint| endpoint.ticket.as_ref().map_or(0, |ticket| ticket.ticket.len());
    Info {
        schema: info.schema.to_vec(),
        endpoints: info.endpoint.len(),
        locations: info.endpoint.iter().map(|endpoint| endpoint.location.len()).sum(),
        ticket_bytes: info.endpoint.iter().map(ticket).collect(),
        records: info.total_records,
        bytes: info.total_bytes,
        ordered: info.ordered,
        metadata: info.app_metadata.to_vec(),
        headers,
    }
}

async fn read(mut messages: Messages) -> Answer {
    let mut frames = Vec::new();
    let mut record = None;
    while let Some(message) = messages.next().await {
        match message {
            Ok(message) => {
                let message = FlightData::from(message);
                if !message.app_metadata.is_empty() {
                    record = Some(signed(&message.app_metadata));
                }
                frames.push(Frame {
                    header: message.data_header.to_vec(),
                    body: message.data_body.to_vec(),
                    descriptor: message.flight_descriptor.is_some(),
                });
            }
            Err(status) => return Answer { frames, end: Err(said(&status)) },
        }
    }
    Answer { frames, end: Ok(record) }
}

/// The one record of a receipt, without time, id and what names a place in the log.
fn signed(receipt: &[u8]) -> ReleaseRecord {
    let receipt = Receipt::decode(receipt).unwrap();
    assert_eq!(receipt.releases.len(), 1);
    let record = ReleaseRecord::decode(&receipt.releases[0].payload).unwrap();
    // Commitments are salted: what is left of them is their length.
    let (commitment, closing_commitment) = (vec![0; record.commitment.len()], vec![0; record.closing_commitment.len()]);
    let query_id = String::new();
    ReleaseRecord {
        query_id,
        time_ms: 0,
        log_index: 0,
        log_hash: vec![],
        log_proof: vec![],
        commitment,
        closing_commitment,
        ..record
    }
}

/// The records of a log, without time, id and the chain.
pub(super) fn records(folder: &Path) -> Vec<serde_json::Value> {
    let record = |recorded: &crate::audit::Recorded| {
        let mut record = serde_json::to_value(&recorded.record).unwrap();
        stripped(&mut record);
        record
    };
    crate::audit::records(folder).unwrap().iter().map(record).collect()
}

/// Takes out what is time, id, and place in the log.
fn stripped(record: &mut serde_json::Value) {
    let Some(fields) = record.as_object_mut() else { return };
    for varies in ["index", "of", "previous", "time_ms", "query_id", "commitment"] {
        fields.remove(varies);
    }
    fields.values_mut().for_each(stripped);
}
