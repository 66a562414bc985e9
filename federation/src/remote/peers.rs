//! Flight SQL to every peer over mutual TLS with this node's own certificate: one lazy channel per body.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_flight::decode::{DecodedPayload, FlightDataDecoder};
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{Action, Ticket};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use meridian_certs::{Connector, Identity};
use meridian_proto::{Name, Receipt, wire::RemoteQuery};
use prost::Message;
use tonic::transport::Channel;

use super::again::{again, is_unconnected};
use super::{RemoteError, RemoteErrorKind, RemoteItem, RemoteStream, Transport, well_formed};

/// Largest Flight message that is taken from a peer, in bytes.
const MESSAGE_BYTES: usize = 64 << 20;

const TYPE_URL: &str = "type.googleapis.com/meridian.v1.RemoteQuery";

/// The Flight ticket by which a node puts a query to a peer: a packed `google.protobuf.Any`.
pub fn remote_ticket(query: &RemoteQuery) -> Ticket {
    let any = arrow_flight::sql::Any { type_url: TYPE_URL.into(), value: query.encode_to_vec().into() };
    Ticket { ticket: any.encode_to_vec().into() }
}

/// The other nodes of the federation.
pub struct Peers {
    federation: Name,
    connector: Connector,
    endpoints: HashMap<Name, String>,
    channels: Mutex<HashMap<Name, Channel>>,
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peers").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

impl Peers {
    /// The bodies of `federation` and the addresses of their nodes; nothing is connected yet.
    pub fn new(federation: Name, connector: Connector, endpoints: HashMap<Name, String>) -> Arc<Self> {
        Arc::new(Self { federation, connector, endpoints, channels: Mutex::default() })
    }

    /// The bodies.
    pub fn bodies(&self) -> impl Iterator<Item = &Name> {
        self.endpoints.keys()
    }

    /// Runs a Flight action at a body and returns the bodies of its results.
    pub async fn action(&self, body: &Name, kind: &str, request: Vec<u8>) -> Result<Vec<Vec<u8>>, RemoteError> {
        let action = Action { r#type: kind.into(), body: request.into() };
        let status = |status: tonic::Status| RemoteError::from_status(body, &status);
        let mut client = self.client(body)?;
        let answered = match client.do_action(action.clone()).await {
            Err(first) if broke(body, &first) => client.do_action(action).await,
            other => other,
        };
        let results = answered.map_err(status)?.into_inner();
        results.map_ok(|result| result.body.to_vec()).try_collect().await.map_err(status)
    }

    fn client(&self, body: &Name) -> Result<FlightServiceClient<Channel>, RemoteError> {
        let client = FlightServiceClient::new(self.channel(body)?);
        Ok(client.max_decoding_message_size(MESSAGE_BYTES).max_encoding_message_size(MESSAGE_BYTES))
    }

    fn channel(&self, body: &Name) -> Result<Channel, RemoteError> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channels.get(body) {
            return Ok(channel.clone());
        }
        let unavailable = |why: String| RemoteError::new(body, RemoteErrorKind::Unavailable, why);
        let endpoint = self.endpoints.get(body).ok_or_else(|| unavailable("no address of its node is known".into()))?;
        let expected = Identity::Node { federation: self.federation.clone(), body: body.clone() };
        let channel =
            self.connector.channel(endpoint, Some(expected)).map_err(|error| unavailable(error.to_string()))?;
        channels.insert(body.clone(), channel.clone());
        Ok(channel)
    }
}

#[async_trait]
impl Transport for Peers {
    async fn query(&self, body: &Name, query: RemoteQuery) -> Result<RemoteStream, RemoteError> {
        let ticket = remote_ticket(&query);
        let client = self.client(body)?;
        let ask = || {
            let (mut client, ticket) = (client.clone(), ticket.clone());
            async move { client.do_get(ticket).await }
        };
        // Nothing has arrived, and an owner charges the same question over the same cells once, so that asking again is safe.
        let answer = match again(ask).await {
            Err(first) if broke(body, &first) && !is_unconnected(&first) => again(ask).await,
            other => other,
        };
        let messages = answer.map_err(|status| RemoteError::from_status(body, &status))?.into_inner();
        let decoder = FlightDataDecoder::new(well_formed(messages));
        let body = body.clone();
        let items = decoder.map(move |message| {
            let message = message.map_err(|error| flight_error(&body, error))?;
            let metadata = message.inner.app_metadata;
            let mut items = Vec::with_capacity(2);
            if let DecodedPayload::RecordBatch(batch) = message.payload {
                items.push(Ok(RemoteItem::Batch(batch)));
            }
            if !metadata.is_empty() {
                let receipt = Receipt::decode(&metadata)
                    .map_err(|error| RemoteError::new(&body, RemoteErrorKind::Failed, error.to_string()))?;
                items.push(Ok(RemoteItem::Receipt(receipt)));
            }
            Ok(stream::iter(items))
        });
        Ok(RemoteStream { items: items.try_flatten().boxed() })
    }
}

/// Whether a call ended with its connection: a pooled one to a node that was restarted breaks on first use, and then
/// nothing has arrived.
fn broke(body: &Name, status: &tonic::Status) -> bool {
    RemoteError::from_status(body, status).kind == RemoteErrorKind::Unavailable
}

fn flight_error(body: &Name, error: FlightError) -> RemoteError {
    match error {
        FlightError::Tonic(status) => RemoteError::from_status(body, &status),
        other => RemoteError::new(body, RemoteErrorKind::Failed, format!("its answer can't be read: {other}")),
    }
}
