//! Two nodes, the owner with the tables in memory, and the ways on which their rows are read.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow_flight::Ticket;
use arrow_flight::decode::{DecodedPayload, FlightDataDecoder};
use arrow_flight::error::FlightError;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::client::FlightSqlServiceClient;
use datafusion::common::DFSchema;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::SessionConfig;
use futures::{Stream, StreamExt, TryStreamExt};
use meridian_certs::{Authority, Credentials, Identity};
use meridian_federation::remote::{Peers, QueryContext, Receipts, RemoteExec, Routes, Signer, remote_ticket};
use meridian_federation::{RemoteNode, RemotePart};
use meridian_proto::{Form, Signed, wire::RemoteQuery};
use tempfile::TempDir;
use tonic::transport::Channel;

use crate::PARALLEL;
use crate::data::{Sum, Table};
use crate::nodes::{self, Node, Published, Site, name, wait};

/// Whose table it is.
pub(crate) const OWNER: &str = "gla";
/// Whose analyst asks for it.
const ASKER: &str = "loda";
const ANALYST: &str = "spiffe://london/body/loda/analyst/asha";
/// The most that one message may weigh (bytes).
const MESSAGE_BYTES: usize = 64 << 20;
const PATIENCE: Duration = Duration::from_secs(120);

/// The two nodes, and those who ask them.
pub(crate) struct Mesh {
    /// The asker's analyst.
    asha: FlightSqlServiceClient<Channel>,
    /// The asker's node, as this process is it.
    asker: Arc<Credentials>,
    peers: Arc<Peers>,
    pub(crate) owner: Site,
    asked: u64,
    _nodes: Vec<Node>,
    folder: TempDir,
}

/// What arrived, and how long it took.
pub(crate) type Read = Result<(Sum, Duration), String>;

impl Mesh {
    pub(crate) async fn new(tables: &[Table]) -> Self {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let dir = folder.path();
        let authority = Authority::create(&name("london"), &dir.join("authority")).unwrap();
        let mut sites = nodes::sites(&[ASKER, OWNER]);
        for site in &sites {
            site.write(&dir.join(site.body), &sites, &authority, PARALLEL);
        }
        for Table { kind, schema, path } in tables {
            Published { table: kind.name(), shared: false, held: true, coverage: None, schema, path }
                .write(&dir.join(OWNER));
        }
        let asha = nodes::analyst(ASKER, dir);
        let asker = nodes::credentials(&dir.join("authority/ca.pem"), &dir.join(ASKER).join("node"));
        let nodes = sites.iter().map(|site| Node::start(&dir.join(site.body))).collect();
        for site in &sites {
            site.ready(&dir.join(site.body)).await;
        }
        let owner = sites.pop().unwrap();
        let endpoints = HashMap::from([(name(OWNER), format!("https://{}", owner.flight))]);
        let peers = Peers::new(name("london"), asker.client_connector(), endpoints);
        let asha = FlightSqlServiceClient::new_from_inner(client(&asha, sites[0].flight.port()));
        let mut mesh = Self { asha, asker, peers, owner, asked: 0, _nodes: nodes, folder };
        let began = Instant::now();
        for table in tables {
            while let Err(why) = mesh.whole(table, true).await {
                wait(began, &why).await;
            }
        }
        mesh
    }

    /// The authority's certificate, and the owner's and the asker's without their endings.
    pub(crate) fn files(&self) -> [PathBuf; 3] {
        let dir = self.folder.path();
        [dir.join("authority/ca.pem"), dir.join(OWNER).join("node"), dir.join(ASKER).join("node")]
    }

    /// What the asker's node sends for a whole table.
    pub(crate) fn ticket(&mut self, table: &Table) -> Ticket {
        remote_ticket(&RemoteQuery {
            query_id: self.query_id(),
            sql: sql(table),
            on_behalf_of: ANALYST.into(),
            ..RemoteQuery::default()
        })
    }

    /// A query id that was not there before.
    fn query_id(&mut self) -> String {
        self.asked += 1;
        format!("bulk-{}", self.asked)
    }

    /// By `RemoteExec`, in this process, from the owner's node, over so many connections.
    pub(crate) async fn hop(&mut self, table: &Table, endpoints: u32, summed: bool) -> Read {
        let asker = Arc::clone(&self.asker);
        let context = QueryContext {
            query_id: self.query_id(),
            on_behalf_of: ANALYST.into(),
            groups: Vec::new(),
            via: Vec::new(),
            purpose: String::new(),
            transport: Arc::new(Routes::new(Arc::clone(&self.peers), [])),
            patience: PATIENCE,
            endpoints,
            receipts: Receipts::new(Arc::new(move |signed: &Signed| signer(&asker, signed))),
            begun: None,
        };
        let config = SessionConfig::new().with_extension(Arc::new(context));
        let task = Arc::new(TaskContext::default().with_session_config(config));
        let began = Instant::now();
        let stream = remote(table).execute(0, task).map_err(|error| error.to_string())?;
        drained(stream, began, summed).await
    }

    /// By the asker's analyst, through the asker's node.
    pub(crate) async fn whole(&mut self, table: &Table, summed: bool) -> Read {
        let began = Instant::now();
        let info = self.asha.execute(sql(table), None).await.map_err(|error| error.to_string())?;
        let ticket = info.endpoint.into_iter().next().and_then(|endpoint| endpoint.ticket).ok_or("no endpoint")?;
        let messages = self.asha.inner_mut().do_get(ticket).await.map_err(|error| error.to_string())?;
        drained(decoded(messages.into_inner()), began, summed).await
    }

    /// By a client of this process, with the asker's certificate, from whoever listens at a port with one of the federation.
    pub(crate) async fn direct(&mut self, port: u16, ticket: Ticket, summed: bool) -> Read {
        let mut client = client(&self.asker, port);
        let began = Instant::now();
        let messages = client.do_get(ticket).await.map_err(|error| error.to_string())?.into_inner();
        drained(decoded(messages), began, summed).await
    }

    /// What a process of the mesh says of itself, where something went wrong.
    pub(crate) fn log(&self) -> String {
        let log = |body: &str| std::fs::read_to_string(self.folder.path().join(body).join("node.log"));
        [ASKER, OWNER].map(|body| log(body).unwrap_or_default()).join("\n")
    }
}

fn client(credentials: &Credentials, port: u16) -> FlightServiceClient<Channel> {
    let channel = credentials.client_connector().channel(&format!("https://127.0.0.1:{port}"), None).unwrap();
    FlightServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES)
}

fn sql(table: &Table) -> String {
    format!("SELECT {} FROM \"london\".\"{OWNER}\".\"{}\"", table.columns(), table.kind.name())
}

fn remote(table: &Table) -> RemoteExec {
    let part = RemotePart {
        body: name(OWNER).into(),
        sql: sql(table),
        form: Form::Open,
        dataset: format!("london.{OWNER}.{}", table.kind.name()),
        beside: Vec::new(),
        references: Vec::new(),
        of_every: false,
    };
    let schema = Arc::new(DFSchema::try_from(Arc::clone(&table.schema)).unwrap());
    RemoteExec::new(&RemoteNode { parts: vec![part], schema, columns: Vec::new(), rows: 0, keys_of: Vec::new() })
}

fn signer(credentials: &Credentials, signed: &Signed) -> Result<Signer, String> {
    let verified = credentials.verify(signed, std::time::SystemTime::now()).map_err(|error| error.to_string())?;
    match verified.identity() {
        Identity::Node { federation, body } => Ok(Signer { federation: federation.clone(), body: body.clone().into() }),
        Identity::Analyst { .. } => Err("it was not signed by a node".into()),
    }
}

fn decoded(
    messages: impl Stream<Item = Result<arrow_flight::FlightData, tonic::Status>> + Send + 'static,
) -> impl Stream<Item = Result<RecordBatch, FlightError>> + Send {
    let messages = messages.map_err(|status| FlightError::Tonic(Box::new(status)));
    FlightDataDecoder::new(messages).try_filter_map(|message| async move {
        Ok(match message.payload {
            DecodedPayload::RecordBatch(batch) => Some(batch),
            DecodedPayload::None | DecodedPayload::Schema(_) => None,
        })
    })
}

/// In a task of its own, as a plan's work is; rows are only counted where no sum is asked for.
async fn drained<E: ToString + Send + 'static>(
    stream: impl Stream<Item = Result<RecordBatch, E>> + Send + 'static,
    began: Instant,
    summed: bool,
) -> Read {
    let task = tokio::spawn(async move {
        let mut stream = Box::pin(stream);
        let mut sum = Sum::default();
        while let Some(batch) = stream.next().await {
            let batch = batch.map_err(|error| error.to_string())?;
            if summed { sum.add(&batch) } else { sum.rows += batch.num_rows() as u64 }
        }
        Ok((sum, began.elapsed()))
    });
    task.await.map_err(|error| error.to_string())?
}
