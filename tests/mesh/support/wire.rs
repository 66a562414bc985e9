//! A Flight client that is not the product's own: plain rustls and tonic, and every decrypted byte is kept.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use arrow_flight::decode::{DecodedPayload, FlightDataDecoder};
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::{Any, CommandStatementQuery, ProstMessageExt};
use arrow_flight::{Action, Criteria, Empty, FlightData, FlightDescriptor, FlightInfo, Ticket};
use futures::{TryStreamExt, stream};
use hyper_util::rt::TokioIo;
use meridian_proto::wire::RemoteQuery;
use meridian_proto::{Receipt, ReleaseRecord};
use prost::Message;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{Request, Status};

use super::{PATIENCE, PURPOSE, Pair};

const REMOTE_QUERY: &str = "type.googleapis.com/meridian.v1.RemoteQuery";
const PURPOSE_HEADER: &str = "meridian-purpose";
const MESSAGE_BYTES: usize = 64 << 20;

/// One caller at one node.
pub(crate) struct Client {
    runtime: Runtime,
    flight: FlightServiceClient<Channel>,
    received: Received,
    heard: Vec<u8>,
    /// Sent with every request.
    pub(crate) purpose: Option<&'static str>,
    /// Sent with every request.
    pub(crate) cookie: Option<String>,
    /// The cookie that came with the last action's results.
    pub(crate) set_cookie: Option<String>,
    /// Headers that are sent beside it.
    pub(crate) headers: Vec<(&'static str, &'static str)>,
}

/// What an answer held.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) batches: Vec<RecordBatch>,
    pub(crate) receipt: Option<Receipt>,
    /// Bytes of the bodies of its messages of data, as a log counts them.
    pub(crate) bytes: u64,
}

impl Answer {
    /// Rows in all.
    pub(crate) fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The rows as text.
    pub(crate) fn text(&self) -> String {
        pretty_format_batches(&self.batches).expect("a table").to_string()
    }

    /// The records of the receipt.
    pub(crate) fn records(&self) -> Vec<ReleaseRecord> {
        let receipt = self.receipt.as_ref().expect("a receipt");
        receipt.releases.iter().map(|signed| ReleaseRecord::decode(&signed.payload).expect("a record")).collect()
    }
}

impl Client {
    /// Connects with the first call.
    pub(crate) fn new(ca: &Path, pair: Option<&Pair>, address: SocketAddr) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let tls = TlsConnector::from(Arc::new(config(ca, pair)));
        let received = Received::default();
        let recorder = received.clone();
        let connect = move |_: Uri| {
            let (tls, recorder) = (tls.clone(), recorder.clone());
            async move {
                let tcp = TcpStream::connect(address).await?;
                let stream = tls.connect(ServerName::IpAddress(address.ip().into()), tcp).await?;
                Ok::<_, std::io::Error>(TokioIo::new(recorder.of(stream)))
            }
        };
        let entered = runtime.enter();
        let endpoint = Endpoint::from_shared(format!("https://{address}")).expect("an endpoint");
        let channel = endpoint.connect_with_connector_lazy(tower::service_fn(connect));
        drop(entered);
        let flight = FlightServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES);
        let (purpose, heard) = (Some(PURPOSE), Vec::new());
        Self { runtime, flight, received, heard, purpose, cookie: None, set_cookie: None, headers: Vec::new() }
    }

    /// Asks as a node asks its peer.
    pub(crate) fn remote(&mut self, sql: &str) -> Result<Answer, Status> {
        self.remote_for(sql, "spiffe://london/body/loda/analyst/asha", PURPOSE)
    }

    /// Asks as a node asks its peer, and says whom it asks for.
    pub(crate) fn remote_for(&mut self, sql: &str, on_behalf_of: &str, purpose: &str) -> Result<Answer, Status> {
        self.read(remote_ticket(sql, on_behalf_of, purpose))
    }

    /// Asks as an analyst asks, in the two steps of Flight SQL.
    pub(crate) fn statement(&mut self, sql: &str) -> Result<Answer, Status> {
        let info = self.info(statement(sql))?;
        self.read(ticket_of(&info))
    }

    /// GetFlightInfo.
    pub(crate) fn info(&mut self, command: impl Message) -> Result<FlightInfo, Status> {
        let request = self.request(FlightDescriptor::new_cmd(command.encode_to_vec()));
        let mut flight = self.flight.clone();
        let info = self.block_on(async move { Ok(flight.get_flight_info(request).await?.into_inner()) });
        self.note(info)
    }

    /// GetSchema.
    pub(crate) fn schema(&mut self, command: impl Message) -> Result<(), Status> {
        let request = self.request(FlightDescriptor::new_cmd(command.encode_to_vec()));
        let mut flight = self.flight.clone();
        let schema = self.block_on(async move { Ok(flight.get_schema(request).await?.into_inner()) });
        self.note(schema).map(drop)
    }

    /// ListFlights; returns how many there are.
    pub(crate) fn flights(&mut self) -> Result<usize, Status> {
        let request = self.request(Criteria::default());
        let mut flight = self.flight.clone();
        let flights = self.block_on(async move {
            flight.list_flights(request).await?.into_inner().try_collect::<Vec<FlightInfo>>().await
        });
        self.note_all(flights).map(|flights| flights.len())
    }

    /// ListActions; returns their names.
    pub(crate) fn actions(&mut self) -> Result<Vec<String>, Status> {
        let request = self.request(Empty {});
        let mut flight = self.flight.clone();
        let actions = self
            .block_on(async move { flight.list_actions(request).await?.into_inner().try_collect::<Vec<_>>().await });
        self.note_all(actions).map(|actions| actions.into_iter().map(|action| action.r#type).collect())
    }

    /// DoAction; returns the bodies of its results.
    pub(crate) fn action(&mut self, kind: &str, body: Vec<u8>) -> Result<Vec<Vec<u8>>, Status> {
        let request = self.request(Action { r#type: kind.into(), body: body.into() });
        let mut flight = self.flight.clone();
        let answer = self.block_on(async move {
            let answer = flight.do_action(request).await?;
            let cookie = answer.metadata().get("set-cookie").map(|value| value.to_str().expect("text").to_owned());
            Ok((cookie, answer.into_inner().try_collect::<Vec<_>>().await?))
        });
        let results = answer.map(|(cookie, results)| {
            self.set_cookie = cookie;
            results
        });
        self.note_all(results).map(|results| results.into_iter().map(|result| result.body.to_vec()).collect())
    }

    /// DoPut, or DoExchange, of these messages.
    pub(crate) fn send(&mut self, exchange: bool, messages: Vec<FlightData>) -> Result<(), Status> {
        let request = self.request(stream::iter(messages));
        let mut flight = self.flight.clone();
        let answer = self.block_on(async move {
            let mut heard = Vec::new();
            if exchange {
                let mut answer = flight.do_exchange(request).await?.into_inner();
                while let Some(message) = answer.message().await? {
                    heard.extend(message.encode_to_vec());
                }
            } else {
                let mut answer = flight.do_put(request).await?.into_inner();
                while let Some(message) = answer.message().await? {
                    heard.extend(message.encode_to_vec());
                }
            }
            Ok(heard)
        });
        match answer {
            Ok(heard) => self.heard.extend(heard),
            Err(status) => return self.note(Err::<Empty, _>(status)).map(drop),
        }
        Ok(())
    }

    /// DoGet.
    pub(crate) fn read(&mut self, ticket: Ticket) -> Result<Answer, Status> {
        self.read_with(ticket, |_| {})
    }

    /// DoGet; `arrived` is told of each message, counted from 1.
    pub(crate) fn read_with(&mut self, ticket: Ticket, mut arrived: impl FnMut(usize)) -> Result<Answer, Status> {
        let mut count = 0;
        self.read_each(ticket, |_| {
            count += 1;
            arrived(count);
        })
    }

    /// DoGet; `arrived` is given each message.
    pub(crate) fn read_each(&mut self, ticket: Ticket, mut arrived: impl FnMut(&FlightData)) -> Result<Answer, Status> {
        let request = self.request(ticket);
        let mut flight = self.flight.clone();
        let mut messages: Vec<FlightData> = Vec::new();
        let heard = &mut messages;
        let end = self.runtime.block_on(bounded(async move {
            let mut answer = flight.do_get(request).await?.into_inner();
            while let Some(message) = answer.message().await? {
                arrived(&message);
                heard.push(message);
            }
            Ok(())
        }));
        for message in &messages {
            self.heard.extend(message.encode_to_vec());
        }
        let answer = self.decoded(messages);
        self.heard.extend(answer.text().into_bytes());
        match end {
            Ok(()) => Ok(answer),
            Err(status) => self.note(Err::<Empty, _>(status)).map(|_| answer),
        }
    }

    /// DoGet, of which the reader goes away after so many messages; returns what had arrived.
    pub(crate) fn read_part(&mut self, ticket: Ticket, messages: usize) -> Answer {
        let request = self.request(ticket);
        let mut flight = self.flight.clone();
        let arrived = self.block_on(async move {
            let mut answer = flight.do_get(request).await?.into_inner();
            let mut arrived = Vec::new();
            while arrived.len() < messages
                && let Some(message) = answer.message().await?
            {
                arrived.push(message);
            }
            Ok(arrived)
        });
        self.decoded(arrived.expect("the first messages"))
    }

    /// Every byte that arrived, decrypted, in all the forms in which it can be looked through: as it came, with the
    /// frames of HTTP/2 taken out, as messages, and as text.
    pub(crate) fn everything(&self) -> Vec<u8> {
        let mut all = self.received.everything();
        all.extend(&self.heard);
        all
    }

    fn decoded(&self, messages: Vec<FlightData>) -> Answer {
        // The last message carries the receipt and no data.
        let data = messages.iter().filter(|message| message.app_metadata.is_empty());
        let bytes = data.map(|message| message.data_body.len() as u64).sum();
        let mut decoder = FlightDataDecoder::new(stream::iter(messages.into_iter().map(Ok)));
        let mut answer = Answer { batches: Vec::new(), receipt: None, bytes };
        self.runtime.block_on(async {
            while let Some(message) = decoder.try_next().await.expect("messages of Flight") {
                let metadata = message.app_metadata();
                if let DecodedPayload::RecordBatch(batch) = message.payload {
                    if batch.num_rows() == 0 && !metadata.is_empty() {
                        answer.receipt = Receipt::decode(&metadata).ok();
                    }
                    answer.bytes += unsent(&batch);
                    answer.batches.push(batch);
                }
            }
        });
        answer
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(purpose) = self.purpose {
            request.metadata_mut().insert(PURPOSE_HEADER, purpose.parse().expect("a header"));
        }
        if let Some(cookie) = &self.cookie {
            request.metadata_mut().insert("cookie", cookie.parse().expect("a header"));
        }
        for (name, value) in &self.headers {
            request.metadata_mut().insert(*name, value.parse().expect("a header"));
        }
        request
    }

    fn block_on<T>(&self, call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
        self.runtime.block_on(bounded(call))
    }

    fn note<T: Message>(&mut self, result: Result<T, Status>) -> Result<T, Status> {
        match &result {
            Ok(message) => self.heard.extend(message.encode_to_vec()),
            Err(status) => {
                // Headers are compressed on the wire: what they say is kept as text.
                let said = format!("{status} {} {:?}", status.message(), status.metadata());
                self.heard.extend(said.into_bytes());
                self.heard.extend(status.details());
            }
        }
        result
    }

    fn note_all<T: Message>(&mut self, result: Result<Vec<T>, Status>) -> Result<Vec<T>, Status> {
        match result {
            Ok(messages) => messages.into_iter().map(|message| self.note(Ok(message))).collect(),
            Err(status) => self.note(Err::<Empty, _>(status)).map(|_| Vec::new()),
        }
    }
}

/// A log counts the bitmaps of columns without NULL, which Arrow does not send: a multiple of 8 bytes for each.
fn unsent(batch: &RecordBatch) -> u64 {
    let bitmap = batch.num_rows().div_ceil(8).next_multiple_of(64) as u64;
    batch.columns().iter().filter(|column| column.null_count() == 0).map(|_| bitmap).sum()
}

/// The command of a SQL statement.
pub(crate) fn statement(sql: &str) -> Any {
    CommandStatementQuery { query: sql.into(), transaction_id: None }.as_any()
}

/// The ticket by which a node puts a query to a peer.
pub(crate) fn remote_ticket(sql: &str, on_behalf_of: &str, purpose: &str) -> Ticket {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let query = RemoteQuery {
        query_id: format!("{:032x}", NUMBER.fetch_add(1, Ordering::Relaxed)),
        sql: sql.into(),
        on_behalf_of: on_behalf_of.into(),
        purpose: purpose.into(),
        ..RemoteQuery::default()
    };
    ticket(&query)
}

/// The ticket that puts a query to a peer.
pub(crate) fn ticket(query: &RemoteQuery) -> Ticket {
    let any = Any { type_url: REMOTE_QUERY.into(), value: query.encode_to_vec().into() };
    Ticket { ticket: any.encode_to_vec().into() }
}

/// The one ticket of an answer.
pub(crate) fn ticket_of(info: &FlightInfo) -> Ticket {
    assert_eq!(info.endpoint.len(), 1, "an answer comes in one part");
    info.endpoint[0].ticket.clone().expect("a ticket")
}

async fn bounded<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    tokio::time::timeout(PATIENCE, call).await.expect("an answer, or an error, in time")
}

pub(super) fn config(ca: &Path, pair: Option<&Pair>) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).expect("a certificate")).expect("an anchor");
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .expect("TLS 1.3")
        .with_root_certificates(roots);
    let mut config = match pair {
        Some(Pair { cert, key }) => {
            let chain = CertificateDer::pem_file_iter(cert).expect("a chain").map(|der| der.expect("a certificate"));
            let key = PrivateKeyDer::from_pem_file(key).expect("a key");
            builder.with_client_auth_cert(chain.collect(), key).expect("a chain and its key")
        }
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    config
}

/// The decrypted bytes of each connection.
#[derive(Clone, Default)]
pub(super) struct Received(Arc<Mutex<Vec<Vec<u8>>>>);

impl Received {
    /// What a stream gives is kept.
    pub(super) fn of<S>(&self, stream: S) -> Recorded<S> {
        Recorded { stream, connection: self.begin(), recorder: self.clone() }
    }

    /// Every byte as it came, and then with the frames of HTTP/2 taken out.
    pub(super) fn everything(&self) -> Vec<u8> {
        let connections = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<u8> = connections.concat();
        for connection in connections.iter() {
            all.extend(without_frames(connection));
        }
        all
    }

    fn begin(&self) -> usize {
        let mut connections = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        connections.push(Vec::new());
        connections.len() - 1
    }

    fn add(&self, connection: usize, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)[connection].extend_from_slice(bytes);
    }
}

/// A stream whose read bytes are kept.
pub(super) struct Recorded<S> {
    stream: S,
    recorder: Received,
    connection: usize,
}

impl<S: AsyncRead + Unpin> AsyncRead for Recorded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        self.recorder.add(self.connection, &buf.filled()[before..]);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Recorded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What a client of HTTP/2 says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The payloads of HTTP/2's DATA frames, stream by stream: a message may lie in several frames.
fn without_frames(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.strip_prefix(PREFACE).unwrap_or(bytes);
    let mut streams: BTreeMap<u32, Vec<u8>> = BTreeMap::new();
    while let [a, b, c, kind, _flags, d, e, f, g, rest @ ..] = bytes {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let Some((payload, behind)) = rest.split_at_checked(length) else { break };
        if *kind == 0 {
            streams.entry(u32::from_be_bytes([*d, *e, *f, *g])).or_default().extend_from_slice(payload);
        }
        bytes = behind;
    }
    streams.into_values().flatten().collect()
}
