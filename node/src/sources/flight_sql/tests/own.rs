//! An engine that answers by DataFusion, and does one thing wrong where it is told to.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::sql::server::FlightSqlService;
use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt, SqlInfo, TicketStatementQuery};
use arrow_flight::{
    FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest, HandshakeResponse, Ticket,
};
use bytes::Bytes;
use datafusion::prelude::SessionContext;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use prost::Message;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::metadata::MetadataMap;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Code, Request, Response, Status, Streaming};

/// A text that is nobody's business.
pub(super) const SECRET: &str = "secret4711";

/// How it answers.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Way {
    #[default]
    Honest,
    /// The rows in so many places, which it says are at these addresses.
    Places(usize, Vec<String>),
    /// A status in place of a plan.
    Refusing(Code),
    /// A status in the middle of the rows.
    Cut,
    /// Fewer rows than it has announced.
    Short,
    /// Texts in place of all else.
    Texts,
    /// One column too few.
    Fewer,
    /// A batch whose header promises more than its body has.
    Malformed,
    /// Text that is no UTF-8.
    Garbled,
    /// No answer.
    Silent,
    /// Rows without end.
    Endless,
}

/// An engine that is up.
pub(super) struct Own {
    pub(super) port: u16,
    pub(super) state: Arc<State>,
    serving: JoinHandle<()>,
}

/// What it has and does.
pub(super) struct State {
    pub(super) context: SessionContext,
    pub(super) way: Mutex<Way>,
    asked: Mutex<Vec<String>>,
    /// What a call has to say of itself, and what user and password are exchanged for.
    pub(super) login: Mutex<Option<(String, Option<String>)>>,
    /// What calls said of themselves.
    pub(super) shown: Mutex<Vec<String>>,
}

impl Own {
    pub(super) async fn start() -> Self {
        let state = State {
            context: SessionContext::new(),
            way: Mutex::default(),
            asked: Mutex::default(),
            login: Mutex::default(),
            shown: Mutex::default(),
        };
        let state = Arc::new(state);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let service = FlightServiceServer::new(Service(Arc::clone(&state)));
        let serving = Server::builder().add_service(service).serve_with_incoming(TcpIncoming::from(listener));
        let serving = tokio::spawn(async move { serving.await.unwrap() });
        Self { port, state, serving }
    }

    pub(super) fn goes(&self, way: Way) {
        *self.state.way.lock().unwrap() = way;
    }

    /// What was put to it since this was last asked.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.state.asked.lock().unwrap())
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct Service(Arc<State>);

impl State {
    fn way(&self) -> Way {
        self.way.lock().unwrap().clone()
    }

    fn let_in(&self, metadata: &MetadataMap) -> Result<(), Status> {
        let said = metadata.get("authorization").map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
        self.shown.lock().unwrap().push(said.clone());
        match &*self.login.lock().unwrap() {
            Some((_, Some(token))) if said != format!("Bearer {token}") => Err(Status::unauthenticated(SECRET)),
            Some((login, None)) if said != *login => Err(Status::unauthenticated(SECRET)),
            _ => Ok(()),
        }
    }

    async fn rows(&self, sql: &str) -> Result<Vec<RecordBatch>, Status> {
        let frame = self.context.sql(sql).await.map_err(|error| Status::internal(format!("{SECRET} {error}")))?;
        let schema = Arc::new(frame.schema().as_arrow().clone());
        let mut batches = frame.collect().await.map_err(|error| Status::internal(format!("{SECRET} {error}")))?;
        if batches.is_empty() {
            batches.push(RecordBatch::new_empty(schema));
        }
        Ok(batches)
    }
}

#[tonic::async_trait]
impl FlightSqlService for Service {
    type FlightService = Self;

    async fn do_handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Pin<Box<dyn Stream<Item = Result<HandshakeResponse, Status>> + Send>>>, Status> {
        let said = request.metadata().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        match &*self.0.login.lock().unwrap() {
            Some((login, Some(token))) if said.as_ref() == Some(login) => {
                let answer = HandshakeResponse { protocol_version: 0, payload: Bytes::from(token.clone()) };
                Ok(Response::new(stream::iter([Ok(answer)]).boxed()))
            }
            Some((_, Some(_))) => Err(Status::unauthenticated(SECRET)),
            _ => Err(Status::unimplemented("no handshakes")),
        }
    }

    async fn get_flight_info_statement(
        &self,
        query: CommandStatementQuery,
        request: Request<FlightDescriptor>,
    ) -> Result<Response<FlightInfo>, Status> {
        self.0.let_in(request.metadata())?;
        self.0.asked.lock().unwrap().push(query.query.clone());
        let (places, addresses) = match self.0.way() {
            Way::Refusing(code) => return Err(Status::new(code, SECRET)),
            Way::Places(places, addresses) => (places, addresses),
            Way::Silent => std::future::pending().await,
            _ => (1, Vec::new()),
        };
        let mut info = FlightInfo::new();
        if self.0.way() == Way::Short {
            let rows: usize = self.0.rows(&query.query).await?.iter().map(RecordBatch::num_rows).sum();
            info = info.with_total_records(i64::try_from(rows).unwrap() + 1);
        }
        for place in 0..places {
            let handle = Bytes::from(format!("{place}/{places}/{}", query.query));
            let ticket = TicketStatementQuery { statement_handle: handle };
            let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(ticket.as_any().encode_to_vec()));
            info =
                info.with_endpoint(addresses.iter().fold(endpoint, |end, address| end.with_location(address.clone())));
        }
        Ok(Response::new(info))
    }

    async fn do_get_statement(
        &self,
        ticket: TicketStatementQuery,
        request: Request<Ticket>,
    ) -> Result<Response<<Self as FlightService>::DoGetStream>, Status> {
        self.0.let_in(request.metadata())?;
        let handle = String::from_utf8(ticket.statement_handle.to_vec()).unwrap();
        let mut parts = handle.splitn(3, '/');
        let (place, places): (usize, usize) =
            (parts.next().unwrap().parse().unwrap(), parts.next().unwrap().parse().unwrap());
        let batches = self.0.rows(parts.next().unwrap()).await?;
        let schema = batches[0].schema();
        // Every place has its share of the rows.
        let share = |batch: &RecordBatch| {
            let (from, to) = (batch.num_rows() * place / places, batch.num_rows() * (place + 1) / places);
            batch.slice(from, to - from)
        };
        let mut batches: Vec<RecordBatch> = batches.iter().map(share).collect();
        match self.0.way() {
            Way::Texts => batches = batches.iter().map(texts).collect(),
            Way::Fewer => batches = batches.iter().map(|batch| batch.project(&[0]).unwrap()).collect(),
            _ => {}
        }
        let schema = batches.first().map_or(schema, RecordBatch::schema);
        let encoder = FlightDataEncoderBuilder::new().with_schema(schema);
        let mut messages: Vec<FlightData> =
            encoder.build(stream::iter(batches.into_iter().map(Ok))).try_collect().await.unwrap();
        match self.0.way() {
            Way::Cut => {
                let end = stream::iter([Err(Status::internal(SECRET))]);
                return Ok(Response::new(stream::iter(messages.into_iter().map(Ok)).chain(end).boxed()));
            }
            Way::Malformed => {
                let last = messages.last_mut().unwrap();
                last.data_body = last.data_body.slice(..last.data_body.len() / 2);
            }
            Way::Garbled => {
                let last = messages.last_mut().unwrap();
                last.data_body = last.data_body.iter().map(|byte| if *byte >= b'A' { 0xFF } else { *byte }).collect();
            }
            Way::Endless => {
                let last = messages.last().unwrap().clone();
                let more = stream::iter(messages).chain(stream::repeat(last));
                return Ok(Response::new(more.map(Ok).boxed()));
            }
            _ => {}
        }
        Ok(Response::new(stream::iter(messages.into_iter().map(Ok)).boxed()))
    }

    async fn register_sql_info(&self, _id: i32, _result: &SqlInfo) {}
}

fn texts(batch: &RecordBatch) -> RecordBatch {
    let columns = batch.columns().iter().map(|column| cast(column, &DataType::Utf8).unwrap()).collect();
    let schema = batch.schema();
    let fields: Vec<Field> =
        schema.fields().iter().map(|field| Field::new(field.name(), DataType::Utf8, true)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}
