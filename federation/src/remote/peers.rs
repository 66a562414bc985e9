//! Flight SQL to every peer over mutual TLS with this node's own certificate: one lazy channel per body.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use arrow_flight::decode::{DecodedPayload, FlightDataDecoder};
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{Action, Ticket};
use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream};
use meridian_certs::{Connector, Identity};
use meridian_proto::{MEMBERSHIP_HEADER, Member, Name, Receipt, wire::RemoteQuery};
use prost::Message;
use tonic::Request;
use tonic::transport::Channel;

use super::again::{again, is_unconnected};
use super::{RemoteError, RemoteErrorKind, RemoteItem, RemoteStream, Transport, well_formed};

/// Largest Flight message that is taken from a peer, and the most that an action's results have together, in bytes.
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
    known: RwLock<Known>,
    channels: Mutex<HashMap<Name, Channel>>,
}

/// Where the nodes are.
#[derive(Debug, Default)]
struct Known {
    /// The version of the membership that says so; 0 where none does.
    version: u64,
    members: HashMap<Name, Member>,
}

impl std::fmt::Debug for Peers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peers").field("known", &self.known).finish_non_exhaustive()
    }
}

impl Peers {
    /// The bodies of `federation` and the addresses of their nodes; nothing is connected yet.
    pub fn new(federation: Name, connector: Connector, endpoints: HashMap<Name, String>) -> Arc<Self> {
        let member = |(body, endpoint): (Name, String)| {
            (body.clone(), Member { body, endpoint, suspended: false, valid_from: 0 })
        };
        let known = Known { version: 0, members: endpoints.into_iter().map(member).collect() };
        Arc::new(Self { federation, connector, known: RwLock::new(known), channels: Mutex::default() })
    }

    /// From now on these are the members. Every request says the version, so that whoever is asked learns of a newer one.
    pub fn set_members(&self, version: u64, members: &[Member]) {
        let members: HashMap<Name, Member> =
            members.iter().map(|member| (member.body.clone(), member.clone())).collect();
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        channels.retain(|body, _| members.get(body) == known.members.get(body));
        *known = Known { version, members };
    }

    /// The bodies.
    pub fn bodies(&self) -> Vec<Name> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).members.keys().cloned().collect()
    }

    /// A message with what goes along with every request.
    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let version = self.known.read().unwrap_or_else(PoisonError::into_inner).version;
        if version > 0 {
            request.metadata_mut().insert(MEMBERSHIP_HEADER, version.into());
        }
        request
    }

    /// Runs a Flight action at a body and returns the bodies of its results.
    pub async fn action(&self, body: &Name, kind: &str, request: Vec<u8>) -> Result<Vec<Vec<u8>>, RemoteError> {
        let action = Action { r#type: kind.into(), body: request.into() };
        let status = |status: tonic::Status| RemoteError::from_status(body, &status);
        let mut client = self.client(body)?;
        let answered = match client.do_action(self.request(action.clone())).await {
            Err(first) if broke(body, &first) => client.do_action(self.request(action)).await,
            other => other,
        };
        let mut answer = answered.map_err(status)?.into_inner();
        let (mut results, mut bytes) = (Vec::new(), 0);
        while let Some(result) = answer.try_next().await.map_err(status)? {
            bytes += result.body.len();
            if bytes > MESSAGE_BYTES {
                let why = format!("its results have more than {MESSAGE_BYTES} bytes");
                return Err(RemoteError::new(body, RemoteErrorKind::Failed, why));
            }
            results.push(result.body.to_vec());
        }
        Ok(results)
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
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let member = known.members.get(body).ok_or_else(|| unavailable("no address of its node is known".into()))?;
        if member.suspended {
            return Err(unavailable("it is suspended from the federation, as its authority says".into()));
        }
        let expected = Identity::Node { federation: self.federation.clone(), body: body.clone() };
        let channel =
            self.connector.channel(&member.endpoint, Some(expected)).map_err(|error| unavailable(error.to_string()))?;
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
            async move { client.do_get(self.request(ticket)).await }
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
