//! The one front door: whoever comes through it holds a verified certificate, over the network or within this process.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::flight_service_server::FlightServiceServer;
use arrow_flight::sql::client::FlightSqlServiceClient;
use http::{Request, Response};
use meridian_certs::Verified;
use tonic::body::Body;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceBuilder};

use super::{Limits, ServeError, layers, message, service, sessions};
use crate::query::{Engine, Watch};

/// The calls of Flight SQL behind all that each of them passes: membership, identity, trace, limits.
#[derive(Debug, Clone)]
pub struct Door {
    calls: BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>,
    limits: Limits,
}

impl Door {
    /// The door of a node.
    pub fn new(engine: Arc<Engine>, limits: Limits) -> Result<Self, ServeError> {
        let sessions = sessions::Sessions::new();
        let identity = layers::Identity::new(
            (engine.federation().clone(), engine.body().clone()),
            Arc::clone(engine.credentials()),
            sessions.clone(),
        );
        let members = engine.members().cloned();
        let service = service::Service::new(engine, limits, sessions)?;
        let flight = FlightServiceServer::new(service)
            .max_decoding_message_size(limits.message_bytes)
            .max_encoding_message_size(limits.message_bytes);
        let calls = ServiceBuilder::new()
            .layer(layers::Membership::new(members))
            .layer(identity)
            .layer(layers::Trace)
            .layer(layers::Bounded::new(limits))
            .map_response(message::uncopied)
            .service(flight);
        Ok(Self { calls: BoxCloneSyncService::new(calls), limits })
    }

    /// What the node takes on.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// A client within this process that comes in as the holder of a certificate, which a handshake has verified.
    pub fn enter(&self, verified: Verified, watch: Watch) -> FlightSqlServiceClient<Inside> {
        let inside = Inside { door: self.clone(), verified, watch };
        let client = FlightServiceClient::new(inside).max_decoding_message_size(self.limits.message_bytes);
        FlightSqlServiceClient::new_from_inner(client)
    }
}

impl Service<Request<Body>> for Door {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = <BoxCloneSyncService<Request<Body>, Response<Body>, Infallible> as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.calls.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        self.calls.call(request)
    }
}

/// The way to the door from within: what a connection says of its caller stands with each request.
#[derive(Debug, Clone)]
pub struct Inside {
    door: Door,
    verified: Verified,
    watch: Watch,
}

impl Service<Request<Body>> for Inside {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = <Door as Service<Request<Body>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.door.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        request.extensions_mut().insert(self.verified.clone());
        request.extensions_mut().insert(self.watch.clone());
        self.door.call(request)
    }
}
