//! The calls of Flight, each handed to whoever answers it; what a node does not do is refused by name.

use std::sync::Arc;
use std::time::Instant;

use arrow::datatypes::SchemaRef;
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::{Command, DoPutPreparedStatementResult, DoPutUpdateResult};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, Result as ActionResult, SchemaResult, Ticket,
};
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use meridian_certs::Verified;
use prost::Message;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Request, Response, Status, Streaming, async_trait};

use super::command::{self, Ticketed, Wanted};
use super::encode::{self, Messages};
use super::sessions::{self, InSession, Sessions};
use super::sql_info::ServerInfo;
use super::statements::Statements;
use super::{Limits, QUERY_ID_HEADER, actions, message, metadata, partial, remote, status};
use crate::gate::Caller;
use crate::query::{Asked, Engine, Partial, Watch};

type Stream<T> = BoxStream<'static, Result<T, Status>>;

/// Flight SQL over an [`Engine`].
pub(crate) struct Service {
    engine: Arc<Engine>,
    limits: Limits,
    statements: Statements,
    sessions: Sessions,
    info: ServerInfo,
}

impl Service {
    pub(super) fn new(engine: Arc<Engine>, limits: Limits, sessions: Sessions) -> Result<Self, FlightError> {
        let info = ServerInfo::new(&limits)?;
        Ok(Self { statements: Statements::new(Arc::clone(&engine), limits), sessions, engine, limits, info })
    }

    /// Where the answer to a descriptor is, after it was planned and not refused.
    async fn info(
        &self,
        (caller, partial): (Caller, Option<Arc<Partial>>),
        session: Option<InSession>,
        descriptor: FlightDescriptor,
    ) -> Result<Response<FlightInfo>, Status> {
        let asked = match command::wanted(&descriptor)? {
            Wanted::Statement(sql) => self.statements.asked(caller, sql, Vec::new())?,
            Wanted::Prepared(handle) => self.statements.asked_prepared(caller, &handle)?,
            Wanted::Metadata(command) => {
                let batch = metadata::batch(&command, &self.engine, &self.info, &caller)?;
                let ticket = Ticket { ticket: descriptor.cmd.clone() };
                return Ok(Response::new(info(&batch.schema(), ticket, descriptor)?));
            }
        };
        if self.set(&asked.sql, session.as_ref())? {
            let info = FlightInfo::new().with_descriptor(descriptor).with_total_records(0);
            let info = info.try_with_schema(&sessions::set_schema());
            return info.map(Response::new).map_err(|why| status::fault("encode a schema", &why));
        }
        let planned = self.statements.plan(Asked { partial, ..asked }).await?;
        let query_id = planned.asked.query_id.clone();
        let handle = self.statements.ticket(planned.asked)?;
        let mut response = Response::new(info(&planned.schema, handle.ticket(), descriptor)?);
        if let Ok(value) = MetadataValue::try_from(&query_id) {
            response.metadata_mut().insert(QUERY_ID_HEADER, value);
        }
        Ok(response)
    }

    /// Whether the statement sets the purpose of the session; then that is done.
    fn set(&self, sql: &str, session: Option<&InSession>) -> Result<bool, Status> {
        let Some(purpose) = sessions::setting(sql)? else { return Ok(false) };
        self.sessions.set_purpose(session, purpose, Instant::now()).map(|()| true)
    }

    async fn schema(
        &self,
        (caller, partial): (Caller, Option<Arc<Partial>>),
        descriptor: &FlightDescriptor,
    ) -> Result<SchemaRef, Status> {
        match command::wanted(descriptor)? {
            Wanted::Statement(sql) if sessions::setting(&sql)?.is_some() => Ok(sessions::set_schema()),
            Wanted::Statement(sql) => {
                let asked = self.statements.asked(caller, sql, Vec::new())?;
                Ok(self.statements.plan(Asked { partial, ..asked }).await?.schema)
            }
            Wanted::Prepared(handle) => Ok(self.statements.shape(&caller, &handle)?.dataset),
            Wanted::Metadata(command) => Ok(metadata::batch(&command, &self.engine, &self.info, &caller)?.schema()),
        }
    }

    /// The answer to a ticket.
    pub(crate) async fn get(&self, request: Request<Ticket>) -> Result<Response<Messages>, Status> {
        let (caller, watch) = (caller(&request)?, request.extensions().get::<Watch>().cloned());
        match command::ticketed(request.get_ref())? {
            Ticketed::Statement(handle) => self.statements.read(&caller, &handle, watch).await,
            Ticketed::Metadata(command) => {
                let batch = metadata::batch(&command, &self.engine, &self.info, &caller)?;
                Ok(Response::new(encode::metadata(batch, self.limits.message_bytes)))
            }
            Ticketed::Remote(query) => {
                let own = (self.engine.federation(), self.engine.body());
                let (asked, endpoints) = remote::asked(&query, &verified(&request)?, own)?;
                self.statements.answer(asked, None, endpoints).await
            }
        }
    }
}

/// One endpoint without a location: the answer is read where it was asked for.
fn info(schema: &SchemaRef, ticket: Ticket, descriptor: FlightDescriptor) -> Result<FlightInfo, Status> {
    let endpoint = FlightEndpoint::new().with_ticket(ticket);
    let info = FlightInfo::new().with_endpoint(endpoint).with_descriptor(descriptor);
    info.try_with_schema(schema).map_err(|why| status::fault("encode a schema", &why))
}

fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    request.extensions().get::<Caller>().cloned().ok_or_else(unknown)
}

/// The caller, and whether they take a partial answer.
fn asker<T>(request: &Request<T>) -> Result<(Caller, Option<Arc<Partial>>), Status> {
    let caller = caller(request)?;
    let partial = partial::wanted(request, &caller)?;
    Ok((caller, partial))
}

/// Nothing is updated but the session.
fn updated() -> Result<Response<Stream<PutResult>>, Status> {
    let result = PutResult { app_metadata: DoPutUpdateResult { record_count: 0 }.encode_to_vec().into() };
    Ok(Response::new(stream::iter([Ok(result)]).boxed()))
}

fn session<T>(request: &Request<T>) -> Option<InSession> {
    request.extensions().get::<InSession>().cloned()
}

fn verified<T>(request: &Request<T>) -> Result<Verified, Status> {
    request.extensions().get::<Verified>().cloned().ok_or_else(unknown)
}

fn unknown() -> Status {
    Status::unauthenticated("the caller is not known: connect by mutual TLS with your own certificate")
}

#[async_trait]
impl FlightService for Service {
    type HandshakeStream = Stream<HandshakeResponse>;
    type ListFlightsStream = Stream<FlightInfo>;
    type DoGetStream = message::Nothing;
    type DoPutStream = Stream<PutResult>;
    type DoActionStream = Stream<ActionResult>;
    type ListActionsStream = Stream<ActionType>;
    type DoExchangeStream = Stream<FlightData>;

    async fn handshake(
        &self,
        _request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        Err(Status::unimplemented(
            "there is no handshake and no password: the certificate of the mutual TLS connection says who you are",
        ))
    }

    async fn list_flights(&self, request: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        let caller = caller(&request)?;
        if !request.get_ref().expression.is_empty() {
            return Err(Status::unimplemented("a node takes no criteria for flights: ask for all, or use GetTables"));
        }
        Ok(Response::new(stream::iter(metadata::flights(&self.engine, &caller)).boxed()))
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        self.info(asker(&request)?, session(&request), request.into_inner()).await
    }

    async fn poll_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        // The answer can be read at once, so that there is nothing to poll for.
        let response = self.info(asker(&request)?, session(&request), request.into_inner()).await?;
        let done = |info| PollInfo { info: Some(info), progress: Some(1.0), ..PollInfo::default() };
        Ok(response.map(done))
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        let schema = self.schema(asker(&request)?, request.get_ref()).await?;
        Ok(Response::new(SchemaResult { schema: actions::schema(&schema)? }))
    }

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        self.get(request).await.map(message::beside)
    }

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        let (caller, session) = (caller(&request)?, session(&request));
        let mut messages = request.into_inner();
        let first = messages.message().await?;
        let first = first.ok_or_else(|| Status::invalid_argument("the stream ended before its first message"))?;
        let descriptor = first.flight_descriptor.as_ref();
        let descriptor = descriptor.ok_or_else(|| {
            Status::invalid_argument("the first message of a stream says in its descriptor what it is for")
        })?;
        match command::command(&descriptor.cmd)? {
            Command::CommandPreparedStatementQuery(query) => {
                let messages = stream::iter([Ok(first)]).chain(messages);
                let handle = self.statements.bind(&caller, &query.prepared_statement_handle, messages).await?;
                let result =
                    DoPutPreparedStatementResult { prepared_statement_handle: Some(handle.to_string().into()) };
                let result = PutResult { app_metadata: result.encode_to_vec().into() };
                Ok(Response::new(stream::iter([Ok(result)]).boxed()))
            }
            Command::CommandStatementUpdate(update) if self.set(&update.query, session.as_ref())? => updated(),
            Command::CommandPreparedStatementUpdate(update)
                if self.set(&self.statements.sql(&caller, &update.prepared_statement_handle)?, session.as_ref())? =>
            {
                updated()
            }
            other => Err(command::refused(&other)),
        }
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        let ((caller, partial), verified, session) = (asker(&request)?, verified(&request)?, session(&request));
        let by = actions::By { caller, partial, verified, session };
        let done = actions::run(request.into_inner(), &self.engine, &self.statements, &self.sessions, by).await?;
        let results = done.results.into_iter().map(|body| Ok(ActionResult { body }));
        let response = Response::new(stream::iter(results).boxed());
        let (mut metadata, results, extensions) = response.into_parts();
        if let Some(cookie) = done.cookie {
            let mut headers = metadata.into_headers();
            headers.insert(http::header::SET_COOKIE, cookie);
            metadata = MetadataMap::from_headers(headers);
        }
        Ok(Response::from_parts(metadata, results, extensions))
    }

    async fn list_actions(&self, _request: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        Ok(Response::new(stream::iter(actions::list().map(Ok)).boxed()))
    }

    async fn do_exchange(
        &self,
        _request: Request<Streaming<FlightData>>,
    ) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(Status::unimplemented("a node exchanges no streams: ask by GetFlightInfo and read by DoGet"))
    }
}
