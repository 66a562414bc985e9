//! One SELECT, and the messages of its answer.
//!
//! An engine may say that its rows are to be fetched at other addresses: whoever sits there would get this node's login with
//! the ticket. Rows are taken from the engine itself, and an answer that is elsewhere is refused.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow_flight::decode::{DecodedPayload, FlightDataDecoder};
use arrow_flight::error::FlightError;
use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt};
use arrow_flight::{FlightDescriptor, FlightEndpoint, FlightInfo, Ticket};
use datafusion::error::Result as Answer;
use futures::stream::{BoxStream, try_unfold};
use futures::{StreamExt, TryStreamExt};
use http::Uri;
use meridian_federation::remote::{messages, well_formed};
use prost::Message;
use tonic::Status;

use super::columns;
use super::fault::EngineFault;
use super::server::{FlightEngine, MESSAGE_BYTES, Session};
use crate::sources::Fault;
use crate::sources::remote::{Asked, Column, Engine, Kind, Origin, Shape};

/// Most places of an answer's parts.
const MOST_PLACES: usize = 10_000;
/// An address that means the connection on which it was told.
const SAME_CONNECTION: &str = "arrow-flight-reuse-connection";

/// The columns of a table that can be read.
pub(super) async fn columns(engine: &Arc<FlightEngine>, table: &[&str]) -> Result<Vec<Column>, EngineFault> {
    let dialect = engine.config().dialect.sql();
    let names: Vec<String> = table.iter().map(|name| dialect.name(name)).collect();
    let mut reading = Reading::begin(engine, &format!("SELECT * FROM {} LIMIT 0", names.join("."))).await?;
    while let Some(part) = reading.next().await? {
        if let Part::Schema(schema) = part {
            let columns = columns::of(&schema, dialect);
            return if columns.is_empty() { Err(EngineFault::NoColumns) } else { Ok(columns) };
        }
    }
    Err(EngineFault::Malformed("it has no schema".into()))
}

/// A part of an answer.
enum Part {
    /// How the rows behind it are made.
    Schema(SchemaRef),
    Rows(RecordBatch),
}

/// An answer under way. Where it is dropped before its end, the engine is told to stop.
struct Reading {
    engine: Arc<FlightEngine>,
    session: Session,
    tickets: VecDeque<Ticket>,
    answer: Option<FlightDataDecoder>,
    rows: i64,
    announced: i64,
}

impl Reading {
    /// Has a SELECT planned.
    async fn begin(engine: &Arc<FlightEngine>, select: &str) -> Result<Self, EngineFault> {
        let mut session = engine.session().await?;
        let planned = match planned(engine, &session, select).await {
            // A connection that was kept may have died since, or what it was let in with ended.
            Err(EngineFault::Gone(_) | EngineFault::Login) if session.is_kept => {
                engine.forget();
                session = engine.session().await?;
                planned(engine, &session, select).await?
            }
            planned => planned?,
        };
        let places = planned.endpoint.len();
        if !(1..=MOST_PLACES).contains(&places) {
            return Err(EngineFault::Places(places, MOST_PLACES));
        }
        let ticket = |endpoint: FlightEndpoint| {
            if !is_own(engine, &endpoint) {
                return Err(EngineFault::Elsewhere);
            }
            endpoint.ticket.ok_or_else(|| EngineFault::Malformed("it names a place without a ticket".into()))
        };
        let tickets = planned.endpoint.into_iter().map(ticket).collect::<Result<_, _>>()?;
        let engine = Arc::clone(engine);
        Ok(Self { engine, session, tickets, answer: None, rows: 0, announced: planned.total_records })
    }

    /// The next part; `None` at the end.
    async fn next(&mut self) -> Result<Option<Part>, EngineFault> {
        loop {
            let Some(answer) = &mut self.answer else {
                let Some(ticket) = self.tickets.pop_front() else { return self.end().map(|()| None) };
                let (mut client, request) = (self.session.client(), self.session.request(ticket));
                let answer =
                    waited(&self.engine, client.do_get(request)).await?.map_err(|status| self.fault(&status))?;
                // What the check refuses holds no value; what Arrow does may.
                let checked = well_formed(messages(answer, MESSAGE_BYTES)).map_err(|error| match error {
                    FlightError::DecodeError(why) => FlightError::ExternalError(Box::new(EngineFault::Malformed(why))),
                    other => other,
                });
                self.answer = Some(FlightDataDecoder::new(checked));
                continue;
            };
            match waited(&self.engine, answer.try_next()).await? {
                Ok(Some(message)) => match message.payload {
                    DecodedPayload::None => {}
                    DecodedPayload::Schema(schema) => return Ok(Some(Part::Schema(schema))),
                    DecodedPayload::RecordBatch(batch) => {
                        self.rows += i64::try_from(batch.num_rows()).unwrap_or(i64::MAX);
                        return Ok(Some(Part::Rows(batch)));
                    }
                },
                Ok(None) => self.answer = None,
                Err(error) => return Err(self.undecoded(error)),
            }
        }
    }

    /// What is cut short has not ended.
    fn end(&self) -> Result<(), EngineFault> {
        let (found, announced) = (self.rows, self.announced);
        // Many say 0 where they do not know.
        if announced > 0 && found != announced { Err(EngineFault::Cut { found, announced }) } else { Ok(()) }
    }

    fn fault(&self, status: &Status) -> EngineFault {
        fault(&self.engine, status)
    }

    fn undecoded(&self, error: FlightError) -> EngineFault {
        match error {
            FlightError::Tonic(status) => self.fault(&status),
            FlightError::ExternalError(why) => match why.downcast::<EngineFault>() {
                Ok(fault) => *fault,
                Err(_) => EngineFault::Malformed("it can't be decoded".into()),
            },
            _ => EngineFault::Malformed("it can't be decoded".into()),
        }
    }
}

async fn planned(engine: &FlightEngine, session: &Session, select: &str) -> Result<FlightInfo, EngineFault> {
    let command = CommandStatementQuery { query: select.to_owned(), transaction_id: None };
    let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
    let (mut client, request) = (session.client(), session.request(descriptor));
    let answer = waited(engine, client.get_flight_info(request)).await?;
    Ok(answer.map_err(|status| fault(engine, &status))?.into_inner())
}

/// What comes in time.
async fn waited<T>(engine: &FlightEngine, coming: impl Future<Output = T>) -> Result<T, EngineFault> {
    let late = || {
        engine.forget();
        EngineFault::Slow(engine.config().request_seconds)
    };
    tokio::time::timeout(engine.patience(), coming).await.map_err(|_| late())
}

fn fault(engine: &FlightEngine, status: &Status) -> EngineFault {
    let fault = EngineFault::of(status, engine.config().request_seconds);
    if fault.is_of_connection() {
        engine.forget();
    }
    fault
}

/// Whether a part of an answer is at the engine itself.
fn is_own(engine: &FlightEngine, endpoint: &FlightEndpoint) -> bool {
    let config = engine.config();
    let own = |address: &str| {
        let Ok(uri) = address.parse::<Uri>() else { return address.starts_with(SAME_CONNECTION) };
        let host = uri.host().map(|host| host.trim_matches(['[', ']']));
        uri.scheme_str() == Some(SAME_CONNECTION)
            || (host.is_some_and(|host| host.eq_ignore_ascii_case(&config.host)) && uri.port_u16() == Some(config.port))
    };
    endpoint.location.is_empty() || endpoint.location.iter().any(|location| own(&location.uri))
}

impl Engine for FlightEngine {
    fn called(&self) -> String {
        format!("engine {}", self.config().name)
    }

    fn is(&self, other: &dyn Engine) -> bool {
        (other as &dyn std::any::Any).downcast_ref::<Self>().is_some_and(|other| self == other)
    }

    fn run(self: Arc<Self>, asked: Asked) -> BoxStream<'static, Answer<RecordBatch>> {
        let Asked { origin, shape, schema } = asked;
        let batches = try_unfold(None, move |reading| {
            let (engine, origin, shape, schema) =
                (Arc::clone(&self), origin.clone(), Arc::clone(&shape), Arc::clone(&schema));
            async move {
                let next = step(reading, &engine, &shape, &schema).await;
                next.map(|next| next.map(|(batch, reading)| (batch, Some(reading))))
                    .map_err(|fault| told(&origin, fault))
            }
        });
        batches.boxed()
    }
}

fn told(origin: &Origin, fault: EngineFault) -> datafusion::error::DataFusionError {
    origin.unanswered(Fault::Engine(fault))
}

/// The next batch, and what is read behind it.
async fn step(
    reading: Option<Reading>,
    engine: &Arc<FlightEngine>,
    shape: &Shape,
    schema: &SchemaRef,
) -> Result<Option<(RecordBatch, Reading)>, EngineFault> {
    let columns: &[(String, Kind)] = &shape.columns;
    let mut reading = match reading {
        Some(reading) => reading,
        None => Reading::begin(engine, &shape.select.sql).await?,
    };
    while let Some(part) = reading.next().await? {
        match part {
            Part::Schema(found) => columns::check(&found, columns)?,
            Part::Rows(batch) => return Ok(Some((columns::read(&batch, columns, schema)?, reading))),
        }
    }
    Ok(None)
}
