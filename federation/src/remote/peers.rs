//! Flight SQL to every peer over mutual TLS with this node's own certificate: lazy channels to each body, more than one for
//! long answers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use arrow_flight::decode::{DecodedPayload, FlightDataDecoder};
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{Action, FlightData, Ticket};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use meridian_certs::{Connector, Identity};
use meridian_proto::{BodyName, MEMBERSHIP_HEADER, Member, Name, wire::RemoteQuery};
use prost::Message;
use tonic::transport::Channel;
use tonic::{Request, Response, Streaming};

use super::again::{again, is_unconnected};
use super::endpoints::{Part, Parts, together};
use super::{Aligned, RemoteError, RemoteErrorKind, RemoteStream, messages, well_formed};

/// Largest Flight message that is taken from a peer, and the most that an action's results have together, in bytes.
const MESSAGE_BYTES: usize = 64 << 20;

const TYPE_URL: &str = "type.googleapis.com/meridian.v1.RemoteQuery";

/// The Flight ticket by which a node puts a query to a peer: a packed `google.protobuf.Any`.
pub fn remote_ticket(query: &RemoteQuery) -> Ticket {
    let any = arrow_flight::sql::Any { type_url: TYPE_URL.into(), value: query.encode_to_vec().into() };
    Ticket { ticket: any.encode_to_vec().into() }
}

/// The nodes of one federation: one's own, or another that this node trusts.
pub struct Peers {
    federation: Name,
    /// Whether it is another federation than that of this node.
    abroad: bool,
    connector: Connector,
    known: RwLock<Known>,
    /// To each body as many as were needed at once.
    channels: Mutex<HashMap<Name, Vec<Channel>>>,
    /// Whether each answered when it was last called.
    reached: Mutex<HashMap<Name, bool>>,
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
        Self::of(federation, false, connector, endpoints)
    }

    /// The same for a federation that this node trusts beside its own.
    pub fn abroad(federation: Name, connector: Connector, endpoints: HashMap<Name, String>) -> Arc<Self> {
        Self::of(federation, true, connector, endpoints)
    }

    fn of(federation: Name, abroad: bool, connector: Connector, endpoints: HashMap<Name, String>) -> Arc<Self> {
        let member = |(body, endpoint): (Name, String)| {
            (body.clone(), Member { body, endpoint, suspended: false, valid_from: 0 })
        };
        let known = Known { version: 0, members: endpoints.into_iter().map(member).collect() };
        Arc::new(Self {
            federation,
            abroad,
            connector,
            known: RwLock::new(known),
            channels: Mutex::default(),
            reached: Mutex::default(),
        })
    }

    /// The federation whose nodes they are.
    pub fn federation(&self) -> &Name {
        &self.federation
    }

    /// A body of it, as this node names it.
    pub fn named(&self, body: &Name) -> BodyName {
        if self.abroad { BodyName::of_other(&self.federation, body) } else { body.clone().into() }
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

    /// The version of the membership that says who they are; 0 where none does.
    pub fn version(&self) -> u64 {
        self.known.read().unwrap_or_else(PoisonError::into_inner).version
    }

    /// The bodies.
    pub fn bodies(&self) -> Vec<Name> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).members.keys().cloned().collect()
    }

    /// Whether each member that was called answered when it was last called.
    pub fn reached(&self) -> Vec<(Name, bool)> {
        let reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        reached.into_iter().filter(|(body, _)| known.members.contains_key(body)).collect()
    }

    /// A member was called, and answered or did not.
    pub fn note(&self, body: &Name, answered: bool) {
        self.reached.lock().unwrap_or_else(PoisonError::into_inner).insert(body.clone(), answered);
    }

    /// A message with what goes along with every request.
    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        let version = self.version();
        if version > 0 && !self.abroad {
            request.metadata_mut().insert(MEMBERSHIP_HEADER, version.into());
        }
        request
    }

    /// Runs a Flight action at a body and returns the bodies of its results.
    pub async fn action(&self, body: &Name, kind: &str, request: Vec<u8>) -> Result<Vec<Vec<u8>>, RemoteError> {
        let action = Action { r#type: kind.into(), body: request.into() };
        let named = self.named(body);
        let status = |status: tonic::Status| RemoteError::from_status(&named, &status);
        let mut client = self.client(body, 0)?;
        let answered = match client.do_action(self.request(action.clone())).await {
            Err(first) if broke(&named, &first) => client.do_action(self.request(action)).await,
            other => other,
        };
        self.note(body, !matches!(&answered, Err(status) if broke(&named, status)));
        let mut answer = answered.map_err(status)?.into_inner();
        let (mut results, mut bytes) = (Vec::new(), 0);
        while let Some(result) = answer.try_next().await.map_err(status)? {
            bytes += result.body.len();
            if bytes > MESSAGE_BYTES {
                let why = format!("its results have more than {MESSAGE_BYTES} bytes");
                return Err(RemoteError::new(&named, RemoteErrorKind::Failed, why));
            }
            results.push(result.body.to_vec());
        }
        Ok(results)
    }

    /// Calls over one of the connections to a body; the first is 0.
    fn client(&self, body: &Name, number: usize) -> Result<FlightServiceClient<Aligned<Channel>>, RemoteError> {
        let client = FlightServiceClient::new(Aligned(self.channel(body, number)?));
        Ok(client.max_decoding_message_size(MESSAGE_BYTES).max_encoding_message_size(MESSAGE_BYTES))
    }

    fn channel(&self, body: &Name, number: usize) -> Result<Channel, RemoteError> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = channels.get(body).and_then(|channels| channels.get(number)) {
            return Ok(channel.clone());
        }
        let unavailable = |why: String| RemoteError::new(&self.named(body), RemoteErrorKind::Unavailable, why);
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let member = known.members.get(body).ok_or_else(|| unavailable("no address of its node is known".into()))?;
        if member.suspended {
            return Err(unavailable("it is suspended from its federation, as the authority says".into()));
        }
        let expected = Identity::Node { federation: self.federation.clone(), body: body.clone() };
        let connected = || self.connector.channel(&member.endpoint, Some(expected.clone()));
        let channels = channels.entry(body.clone()).or_default();
        while channels.len() <= number {
            channels.push(connected().map_err(|error| unavailable(error.to_string()))?);
        }
        channels.get(number).cloned().ok_or_else(|| unavailable("no connection to its node was made".into()))
    }

    /// Puts a query to a body.
    pub(super) async fn ask(
        self: &Arc<Self>,
        body: &Name,
        query: RemoteQuery,
        traceparent: Option<&str>,
    ) -> Result<RemoteStream, RemoteError> {
        let ticket = remote_ticket(&query);
        let client = self.client(body, 0)?;
        let (slug, body) = (body, &self.named(body));
        let ask = || {
            let (mut client, mut request) = (client.clone(), self.request(ticket.clone()));
            if let Some(value) = traceparent.and_then(|text| text.parse().ok()) {
                request.metadata_mut().insert("traceparent", value);
            }
            async move { client.do_get(request).await }
        };
        // Nothing has arrived, and an owner charges the same question over the same cells once, so that asking again is safe.
        let answer = match again(ask).await {
            Err(first) if broke(body, &first) && !is_unconnected(&first) => again(ask).await,
            other => other,
        };
        self.note(slug, !matches!(&answer, Err(status) if broke(body, status)));
        let answer = answer.map_err(|status| RemoteError::from_status(body, &status))?;
        let further = usize::try_from(query.endpoints).unwrap_or(usize::MAX).saturating_sub(1);
        let (peers, slug) = (Arc::clone(self), slug.clone());
        let open = Box::new(move |number, ticket| Arc::clone(&peers).open(slug.clone(), number, ticket).boxed());
        Ok(together(body.clone(), parts(body.clone(), answer), further, open))
    }

    /// Reads a further endpoint of an answer.
    async fn open(self: Arc<Self>, body: Name, number: usize, ticket: Ticket) -> Result<Parts, RemoteError> {
        let (mut client, named) = (self.client(&body, number)?, self.named(&body));
        let answer = client.do_get(self.request(ticket)).await;
        Ok(parts(named.clone(), answer.map_err(|status| RemoteError::from_status(&named, &status))?))
    }
}

/// What comes of an answer at one endpoint.
fn parts(body: BodyName, answer: Response<Streaming<FlightData>>) -> Parts {
    let decoder = FlightDataDecoder::new(well_formed(messages(answer, MESSAGE_BYTES)));
    let parts = decoder.map(move |message| {
        let message = message.map_err(|error| flight_error(&body, error))?;
        let metadata = message.inner.app_metadata;
        let has_metadata = !metadata.is_empty();
        let (rows, beside) = match message.payload {
            DecodedPayload::RecordBatch(batch) if batch.num_rows() > 0 => {
                (Some(Part::Rows(batch)), has_metadata.then_some(Part::Beside(metadata)))
            }
            _ => (None, has_metadata.then_some(Part::End(metadata))),
        };
        Ok(stream::iter(rows.into_iter().chain(beside).map(Ok)))
    });
    parts.try_flatten().boxed()
}

/// Whether a call ended with its connection: a pooled one to a node that was restarted breaks on first use, and then
/// nothing has arrived.
fn broke(body: &BodyName, status: &tonic::Status) -> bool {
    RemoteError::from_status(body, status).kind == RemoteErrorKind::Unavailable
}

fn flight_error(body: &BodyName, error: FlightError) -> RemoteError {
    match error {
        FlightError::Tonic(status) => RemoteError::from_status(body, &status),
        other => RemoteError::new(body, RemoteErrorKind::Failed, format!("its answer can't be read: {other}")),
    }
}
