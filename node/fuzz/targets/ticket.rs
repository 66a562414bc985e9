//! Bytes through the front door: tickets, descriptors, actions and uploads of any content are answered or refused.
#![no_main]
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod body;
#[path = "../../../tests/in_process/mod.rs"]
mod in_process;

use std::io;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::{Action, Criteria, FlightData, FlightDescriptor, Ticket};
use futures::{StreamExt, future, stream};
use hyper_util::rt::TokioIo;
use libfuzzer_sys::fuzz_target;
use meridian::flight::{self, Limits};
use meridian_certs::{Identity, Verified};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::runtime::Runtime;
use tonic::transport::server::Connected;
use tonic::transport::{Channel, Endpoint};

use in_process::{InProcess, name};

/// One end of a connection whose other end is who the handshake would have said.
struct Known {
    io: DuplexStream,
    verified: Verified,
}

impl Connected for Known {
    type ConnectInfo = Verified;
    fn connect_info(&self) -> Verified {
        self.verified.clone()
    }
}

impl AsyncRead for Known {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Known {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

struct Place {
    runtime: Runtime,
    _node: InProcess,
    clients: [FlightServiceClient<Channel>; 2],
}

static PLACE: LazyLock<Place> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let (node, clients) = runtime.block_on(async {
        let node = body::body();
        let (london, lfb) = (name("london"), name("lfb"));
        let analyst = Identity::Analyst { federation: london.clone(), body: lfb, name: name("li") };
        let peer = Identity::Node { federation: london, body: name("loda") };
        let clients = future::join_all([analyst, peer].iter().map(|who| connect(&node, who))).await;
        (node, clients.try_into().unwrap_or_else(|_| unreachable!()))
    });
    Place { runtime, _node: node, clients }
});

async fn connect(node: &InProcess, who: &Identity) -> FlightServiceClient<Channel> {
    let (near, far) = tokio::io::duplex(1 << 20);
    let incoming = stream::iter([Ok::<_, io::Error>(Known { io: far, verified: node.verified(who) })]);
    let limits =
        Limits { streams: 64, message_bytes: 1 << 24, statement_bytes: 1 << 20, time: Duration::from_secs(300) };
    let door = flight::Door::new(node.engine.clone(), limits).unwrap();
    tokio::spawn(flight::serve(incoming.chain(stream::pending()), door, future::pending()));
    let mut near = Some(near);
    let connector = tower::service_fn(move |_| {
        let near = near.take().ok_or_else(|| io::Error::other("the node closed the connection"));
        future::ready(near.map(TokioIo::new))
    });
    let channel = Endpoint::from_static("http://node").connect_with_connector(connector).await.unwrap();
    FlightServiceClient::new(channel)
}

async fn call(mut client: FlightServiceClient<Channel>, which: u8, bytes: Vec<u8>) {
    let header = |name: &'static str| {
        move |mut request: tonic::Request<FlightDescriptor>| {
            request.metadata_mut().insert(name, "fire-risk".parse().unwrap());
            request
        }
    };
    match which % 6 {
        0 => {
            if let Ok(answer) = client.do_get(Ticket { ticket: bytes.into() }).await {
                answer.into_inner().for_each(|_| future::ready(())).await;
            }
        }
        1 => {
            let request = header("meridian-purpose")(tonic::Request::new(FlightDescriptor::new_cmd(bytes)));
            if let Ok(info) = client.get_flight_info(request).await {
                for endpoint in info.into_inner().endpoint {
                    if let Ok(answer) = client.do_get(endpoint.ticket.unwrap_or_default()).await {
                        answer.into_inner().for_each(|_| future::ready(())).await;
                    }
                }
            }
        }
        2 => drop(client.get_schema(FlightDescriptor::new_cmd(bytes)).await),
        3 => {
            let split = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
            let (kind, body) = bytes.split_at(split);
            let action = Action::new(String::from_utf8_lossy(kind), body.get(1..).unwrap_or_default().to_vec());
            if let Ok(results) = client.do_action(action).await {
                results.into_inner().for_each(|_| future::ready(())).await;
            }
        }
        4 => {
            let data =
                FlightData { data_header: bytes.clone().into(), data_body: bytes.clone().into(), ..FlightData::new() }
                    .with_descriptor(FlightDescriptor::new_cmd(bytes));
            if let Ok(results) = client.do_put(stream::iter([data])).await {
                results.into_inner().for_each(|_| future::ready(())).await;
            }
        }
        _ => {
            if let Ok(flights) = client.list_flights(Criteria { expression: bytes.into() }).await {
                flights.into_inner().for_each(|_| future::ready(())).await;
            }
        }
    }
}

// The first byte says whose call it is and which; the others are what it says.
fuzz_target!(|input: &[u8]| {
    let Some((which, bytes)) = input.split_first() else { return };
    let Place { runtime, clients, .. } = &*PLACE;
    let client = clients[usize::from(*which) % clients.len()].clone();
    runtime.block_on(async {
        call(client, which / 2, bytes.to_vec()).await;
        // The node is still there, whatever it was sent.
        let mut client = clients[0].clone();
        client.list_actions(arrow_flight::Empty {}).await.unwrap();
    });
});
