//! A node of a member's own making: it has the member's key and address, and says what a test has it say.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_flight::flight_service_server::{FlightService, FlightServiceServer};
use arrow_flight::{
    Action, ActionType, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, HandshakeRequest, HandshakeResponse,
    PollInfo, PutResult, Result as ActionResult, SchemaResult, Ticket,
};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use meridian_certs::Credentials;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tonic::{Request, Response, Status, Streaming};

use super::{Mesh, Pair};

/// It answers for as long as this is there.
pub(crate) struct Hostile {
    credentials: Arc<Credentials>,
    said: Said,
    _runtime: Runtime,
}

/// What it answers to each action.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<BTreeMap<String, Vec<Vec<u8>>>>>);

impl Hostile {
    /// In the place of a body's node, which must not be up.
    pub(crate) fn of(mesh: &Mesh, body: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let Pair { cert, key } = mesh.node_pair(body);
        let credentials = Credentials::load(&mesh.ca(), &cert, &key).expect("its certificate");
        let (acceptor, said) = (credentials.server_acceptor(), Said::default());
        let listener = runtime.block_on(TcpListener::bind(mesh.address(body))).expect("its port");
        let service = FlightServiceServer::new(said.clone());
        runtime.spawn(async move {
            let server = tonic::transport::Server::builder().add_service(service);
            server.serve_with_incoming(acceptor.incoming(listener)).await
        });
        Self { credentials, said, _runtime: runtime }
    }

    /// What its key signs.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// From now on these are the results of an action.
    pub(crate) fn says(&self, action: &str, results: Vec<Vec<u8>>) {
        self.said.0.lock().unwrap_or_else(PoisonError::into_inner).insert(action.to_owned(), results);
    }
}

fn silent<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("it does not say"))
}

#[tonic::async_trait]
impl FlightService for Said {
    type HandshakeStream = BoxStream<'static, Result<HandshakeResponse, Status>>;
    type ListFlightsStream = BoxStream<'static, Result<FlightInfo, Status>>;
    type DoGetStream = BoxStream<'static, Result<FlightData, Status>>;
    type DoPutStream = BoxStream<'static, Result<PutResult, Status>>;
    type DoActionStream = BoxStream<'static, Result<ActionResult, Status>>;
    type ListActionsStream = BoxStream<'static, Result<ActionType, Status>>;
    type DoExchangeStream = BoxStream<'static, Result<FlightData, Status>>;

    async fn handshake(
        &self,
        _: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<Self::HandshakeStream>, Status> {
        silent()
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        silent()
    }

    async fn get_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        silent()
    }

    async fn poll_flight_info(&self, _: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        silent()
    }

    async fn get_schema(&self, _: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        silent()
    }

    async fn do_get(&self, _: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        silent()
    }

    async fn do_put(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        silent()
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&request.get_ref().r#type).cloned();
        let results = said.ok_or_else(|| Status::unimplemented("it does not say"))?;
        let results = results.into_iter().map(|body| Ok(ActionResult { body: body.into() }));
        Ok(Response::new(stream::iter(results).boxed()))
    }

    async fn list_actions(&self, _: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        silent()
    }

    async fn do_exchange(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoExchangeStream>, Status> {
        silent()
    }
}
