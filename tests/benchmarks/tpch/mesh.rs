//! Four node processes with mutual TLS, each over the files of its body, and an analyst's connection to one of them.

use std::fmt::Write;
use std::fs::{self, File};
use std::io::{Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::DataType;
use arrow_flight::decode::DecodedPayload;
use arrow_flight::flight_service_client::FlightServiceClient;
use arrow_flight::sql::client::FlightSqlServiceClient;
use futures::TryStreamExt;
use meridian_certs::{Authority, Credentials, Identity, KeyAndRequest, Request, Validity};
use meridian_proto::{Name, Receipt, ReleaseRecord};
use tempfile::TempDir;
use tokio::time::timeout;
use tonic::transport::Channel;

use crate::PARALLEL;
use crate::answer::{Answer, Sent};
use crate::data::{Data, Part};

/// Who is asked.
const ASKER: &str = "loda";
/// The longest that the nodes may take to be ready and to know of each other.
const PATIENCE: Duration = Duration::from_secs(120);
/// An answer that takes longer counts as none.
const ANSWER_TIME: Duration = Duration::from_secs(60);
/// The most that one message of an answer may weigh (bytes).
const MESSAGE_BYTES: usize = 64 << 20;
/// What a node's queries may hold: more than any of them needs.
const MEMORY_MIB: usize = 8 << 10;
const LIFE: Duration = Duration::from_secs(24 * 3600);

pub(crate) struct Mesh {
    flight: FlightSqlServiceClient<Channel>,
    _nodes: Vec<Node>,
    folder: TempDir,
}

/// A process that ends where its standard input closes.
struct Node {
    child: Child,
    stdin: Option<ChildStdin>,
}

/// Where a body's node listens.
struct Site {
    body: &'static str,
    flight: SocketAddr,
    health: SocketAddr,
}

impl Mesh {
    /// Up, each node aware of all datasets.
    pub(crate) async fn new(data: &Data) -> Self {
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let dir = folder.path();
        let authority = Authority::create(&name("london"), &dir.join("authority")).unwrap();
        let sites = sites(&data.bodies());
        for site in &sites {
            write_site(&dir.join(site.body), site, &sites, &authority, data);
        }
        let analyst = Identity::Analyst { federation: name("london"), body: name(ASKER), name: name("asha") };
        certify(&authority, &analyst, &[], &dir.join("asha"));
        let ca = dir.join("authority/ca.pem");
        let asha = Credentials::load(&ca, &dir.join("asha.pem"), &dir.join("asha.key")).unwrap();
        let asked = sites.iter().find(|site| site.body == ASKER).unwrap();
        let channel = asha.client_connector().channel(&format!("https://{}", asked.flight), None).unwrap();
        let inner = FlightServiceClient::new(channel).max_decoding_message_size(MESSAGE_BYTES);
        let nodes = sites.iter().map(|site| Node::start(&dir.join(site.body))).collect();
        let mut mesh = Self { flight: FlightSqlServiceClient::new_from_inner(inner), _nodes: nodes, folder };
        let began = Instant::now();
        for site in &sites {
            while !is_ready(site.health) {
                let said = fs::read_to_string(mesh.folder.path().join(site.body).join("node.log")).unwrap_or_default();
                wait(began, &format!("the node of {} is ready; it says {said}", site.body)).await;
            }
        }
        for Part { body, table, .. } in &data.files {
            while let Err(why) = mesh.ask(&format!("SELECT count(*) FROM {body}.{table}")).await {
                wait(began, &why).await;
            }
        }
        mesh
    }

    /// The answer, from the question to the receipt.
    pub(crate) async fn ask(&mut self, sql: &str) -> Result<Answer, String> {
        let began = Instant::now();
        let late = |_| format!("no whole answer within {} s", ANSWER_TIME.as_secs());
        let (batches, receipt) = timeout(ANSWER_TIME, self.answer(sql)).await.map_err(late)??;
        let time = began.elapsed();
        let mut sent = Sent::default();
        for signed in receipt.ok_or("the answer has no receipt")?.releases {
            let release = ReleaseRecord::decode(&signed.payload).map_err(|error| error.to_string())?;
            if release.body != ASKER {
                sent = Sent { rows: sent.rows + release.rows, bytes: sent.bytes + release.bytes };
            }
        }
        Ok(Answer { sent: Some(sent), ..Answer::of(&batches, time) })
    }

    /// What each body would be asked.
    pub(crate) async fn explain(&mut self, sql: &str) -> String {
        match self.answer(&format!("EXPLAIN {sql}")).await {
            Ok((batches, _)) => batches.iter().fold(String::new(), |mut text, batch| {
                let lines = batch.column(batch.num_columns() - 1).as_string::<i32>();
                lines.iter().for_each(|line| writeln!(text, "  {}", line.unwrap_or_default()).unwrap());
                text
            }),
            Err(why) => why,
        }
    }

    async fn answer(&mut self, sql: &str) -> Result<(Vec<RecordBatch>, Option<Receipt>), String> {
        let info = self.flight.execute(sql.to_owned(), None).await.map_err(|error| error.to_string())?;
        let ticket = info.endpoint.into_iter().next().and_then(|endpoint| endpoint.ticket).ok_or("no endpoint")?;
        let mut stream = self.flight.do_get(ticket).await.map_err(|error| error.to_string())?.into_inner();
        let (mut batches, mut receipt) = (Vec::new(), None);
        while let Some(message) = stream.try_next().await.map_err(|error| error.to_string())? {
            let metadata = message.app_metadata();
            if !metadata.is_empty() {
                receipt = Some(Receipt::decode(&metadata).map_err(|error| error.to_string())?);
            }
            if let DecodedPayload::RecordBatch(batch) = message.payload {
                batches.push(batch);
            }
        }
        Ok((batches, receipt))
    }
}

impl Node {
    fn start(folder: &Path) -> Self {
        let log = File::create(folder.join("node.log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_meridian"));
        command.args(["node", "serve", "--exit-with-stdin", "--config"]).arg(folder.join("node.toml"));
        command.env_remove("MERIDIAN_LOG").stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log);
        let mut child = command.spawn().unwrap();
        Self { stdin: child.stdin.take(), child }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// Free ports: all are held until all are known, so that none is given twice.
fn sites(bodies: &[&'static str]) -> Vec<Site> {
    let listener = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let held: Vec<_> = bodies.iter().map(|body| (*body, listener(), listener())).collect();
    let address = |listener: &TcpListener| listener.local_addr().unwrap();
    held.iter().map(|(body, flight, health)| Site { body, flight: address(flight), health: address(health) }).collect()
}

fn write_site(folder: &Path, site: &Site, sites: &[Site], authority: &Authority, data: &Data) {
    fs::create_dir_all(folder.join("datasets")).unwrap();
    fs::create_dir(folder.join("state")).unwrap();
    let identity = Identity::Node { federation: name("london"), body: name(site.body) };
    certify(authority, &identity, &["127.0.0.1".to_owned()], &folder.join("node"));
    let Site { body, flight, health } = site;
    let mut text = format!(
        "federation = \"london\"\nbody = \"{body}\"\ntitle = \"{body}\"\nlisten = \"{flight}\"\nhealth = \"{health}\"\n\
         state = \"state\"\n[tls]\nca = \"../authority/ca.pem\"\ncert = \"node.pem\"\nkey = \"node.key\"\n[limits]\n\
         memory_mib = {MEMORY_MIB}\nworker_threads = {PARALLEL}\ntarget_partitions = {PARALLEL}\n"
    );
    for Site { body, flight, .. } in sites {
        write!(text, "[[members]]\nbody = \"{body}\"\nendpoint = \"https://{flight}\"\n").unwrap();
    }
    fs::write(folder.join("node.toml"), text).unwrap();
    for part in data.files.iter().filter(|part| part.body == *body) {
        fs::write(folder.join("datasets").join(format!("{}.toml", part.table)), dataset(part)).unwrap();
    }
}

fn dataset(Part { table, shared, schema, path, .. }: &Part) -> String {
    let standard = if *shared { format!("standard = \"{table}\"\n") } else { String::new() };
    let mut text = format!(
        "name = \"{table}\"\ntitle = \"{table}\"\ndescription = \"Made by the generator of TPC-H\"\nlicence = \"none\"\n\
         form = \"open\"\n{standard}[source]\nkind = \"parquet\"\npath = \"{}\"\n",
        path.display()
    );
    for field in schema.fields() {
        let column_type = match field.data_type() {
            DataType::Int32 => "integer".to_owned(),
            DataType::Int64 => "bigint".to_owned(),
            DataType::Date32 => "date".to_owned(),
            DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
            _ => "varchar".to_owned(),
        };
        let column = field.name();
        write!(
            text,
            "[[columns]]\nname = \"{column}\"\ntype = \"{column_type}\"\nrole = \"dimension\"\nrequired = true\n"
        )
        .unwrap();
    }
    text
}

/// Makes `<path>.key` and `<path>.pem`.
fn certify(authority: &Authority, identity: &Identity, hosts: &[String], path: &Path) {
    let made = KeyAndRequest::create(&path.with_extension("key")).unwrap();
    let request = Request::from_pem(made.pem()).unwrap();
    let signed = authority.sign(&request, identity, hosts, Validity::from_now(LIFE)).unwrap();
    fs::write(path.with_extension("pem"), signed).unwrap();
}

fn is_ready(health: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect(health) else { return false };
    let request = format!("GET /ready HTTP/1.1\r\nHost: {health}\r\nConnection: close\r\n\r\n");
    let mut status = [0; b"HTTP/1.1 200".len()];
    let answered = stream.write_all(request.as_bytes()).and_then(|()| stream.read_exact(&mut status));
    answered.is_ok() && &status == b"HTTP/1.1 200"
}

async fn wait(began: Instant, what: &str) {
    assert!(began.elapsed() < PATIENCE, "not within {} s: {what}", PATIENCE.as_secs());
    tokio::time::sleep(Duration::from_millis(50)).await;
}
