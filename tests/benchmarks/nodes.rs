//! Node processes of a federation with mutual TLS, for benchmarks: their ports, certificates and configuration.

use std::fmt::Write;
use std::fs::{self, File};
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arrow::datatypes::{DataType, Schema};
use meridian_certs::{Analysts, Authority, Credentials, Identity, KeyAndRequest, Request, Validity};
use meridian_proto::Name;

use crate::ports::free;

/// The longest that the nodes may take to be ready and to know of each other.
const PATIENCE: Duration = Duration::from_secs(120);
/// What a node's queries may hold: more than any of them needs.
const MEMORY_MIB: usize = 8 << 10;
const LIFE: Duration = Duration::from_secs(24 * 3600);

/// A process that ends where its standard input closes.
pub(crate) struct Node {
    child: Child,
    stdin: Option<ChildStdin>,
}

/// Where a body's node listens.
pub(crate) struct Site {
    pub(crate) body: &'static str,
    pub(crate) flight: SocketAddr,
    pub(crate) health: SocketAddr,
}

/// A dataset of a node over a Parquet file.
pub(crate) struct Published<'a> {
    pub(crate) table: &'a str,
    /// Whether it has the standard of its own name.
    pub(crate) shared: bool,
    /// Whether its node holds its rows in memory, as it does where they have a unit.
    pub(crate) held: bool,
    /// What it says to hold in every row, a line of TOML.
    pub(crate) coverage: Option<String>,
    pub(crate) schema: &'a Schema,
    pub(crate) path: &'a Path,
}

impl Node {
    pub(crate) fn start(folder: &Path) -> Self {
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

impl Site {
    /// The folder of its node, with configuration and certificate; it works with so many threads and partitions.
    pub(crate) fn write(&self, folder: &Path, sites: &[Site], authority: &Authority, parallel: usize) {
        fs::create_dir_all(folder.join("datasets")).unwrap();
        fs::create_dir(folder.join("state")).unwrap();
        let identity = Identity::Node { federation: name("london"), body: name(self.body) };
        certify(authority, &identity, &["127.0.0.1".to_owned()], &folder.join("node"));
        let Site { body, flight, health } = self;
        let mut text = format!(
            "federation = \"london\"\nbody = \"{body}\"\ntitle = \"{body}\"\nlisten = \"{flight}\"\nhealth = \"{health}\"\n\
             state = \"state\"\n[tls]\nca = \"../authority/ca.pem\"\ncert = \"node.pem\"\nkey = \"node.key\"\n[limits]\n\
             memory_mib = {MEMORY_MIB}\nworker_threads = {parallel}\ntarget_partitions = {parallel}\n"
        );
        for Site { body, flight, .. } in sites {
            write!(text, "[[members]]\nbody = \"{body}\"\nendpoint = \"https://{flight}\"\n").unwrap();
        }
        fs::write(folder.join("node.toml"), text).unwrap();
    }

    /// Waits until its node, over `folder`, says that it is ready.
    pub(crate) async fn ready(&self, folder: &Path) {
        let began = Instant::now();
        while !is_ready(self.health) {
            let said = fs::read_to_string(folder.join("node.log")).unwrap_or_default();
            wait(began, &format!("the node of {} is ready; it says {said}", self.body)).await;
        }
    }
}

impl Published<'_> {
    /// Into the folder of a node.
    pub(crate) fn write(&self, folder: &Path) {
        let Self { table, schema, path, .. } = self;
        let standard = if self.shared { format!("standard = \"{table}\"\n") } else { String::new() };
        let coverage = self.coverage.iter().map(|line| format!("[coverage]\n{line}\n")).collect::<String>();
        let unit = if self.held { "[unit]\nkind = \"record\"\nrows = true\n" } else { "" };
        let mut text = format!(
            "name = \"{table}\"\ntitle = \"{table}\"\ndescription = \"Made by a generator\"\nlicence = \"none\"\n\
             form = \"open\"\n{standard}{coverage}{unit}[source]\nkind = \"parquet\"\npath = \"{}\"\n",
            path.display()
        );
        for field in schema.fields() {
            let (column, column_type) = (field.name(), column_type(field.data_type()));
            write!(
                text,
                "[[columns]]\nname = \"{column}\"\ntype = \"{column_type}\"\nrole = \"{}\"\nrequired = true\n",
                role(column)
            )
            .unwrap();
        }
        fs::write(folder.join("datasets").join(format!("{table}.toml")), text).unwrap();
    }
}

/// Keys tell rows apart, but for those of nations and regions, which many rows have in common.
fn role(column: &str) -> &'static str {
    let is_key = column.ends_with("key") && !column.contains("nation") && !column.contains("region");
    if is_key { "identifier" } else { "dimension" }
}

fn column_type(data_type: &DataType) -> String {
    match data_type {
        DataType::Int32 => "integer".to_owned(),
        DataType::Int64 => "bigint".to_owned(),
        DataType::Float64 => "double".to_owned(),
        DataType::Date32 => "date".to_owned(),
        DataType::Decimal128(precision, scale) => format!("decimal({precision},{scale})"),
        _ => "varchar".to_owned(),
    }
}

pub(crate) fn name(text: &str) -> Name {
    text.parse().unwrap()
}

/// A node of each body, at addresses that are free.
pub(crate) fn sites(bodies: &[&'static str]) -> Vec<Site> {
    bodies.iter().map(|body| Site { body, flight: free(), health: free() }).collect()
}

/// What an analyst of `body`, whose node's folder is in this one, proves who they are with.
pub(crate) fn analyst(body: &str, folder: &Path) -> Arc<Credentials> {
    let analysts = Analysts::new(name("london"), name(body), folder.join(body).join("state/analysts"));
    let path = folder.join("asha");
    let made = KeyAndRequest::create(&path.with_extension("key")).unwrap();
    let request = Request::from_pem(made.pem()).unwrap();
    let signed = analysts.add(&name("asha"), &request, Validity::from_now(LIFE), SystemTime::now()).unwrap();
    fs::write(path.with_extension("pem"), signed).unwrap();
    credentials(&folder.join("authority/ca.pem"), &path)
}

/// Those of `<path>.pem` and `<path>.key`.
pub(crate) fn credentials(ca: &Path, path: &Path) -> Arc<Credentials> {
    Credentials::load(ca, &path.with_extension("pem"), &path.with_extension("key")).unwrap()
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

/// A moment, unless it took too long already.
pub(crate) async fn wait(began: Instant, what: &str) {
    assert!(began.elapsed() < PATIENCE, "not within {} s: {what}", PATIENCE.as_secs());
    tokio::time::sleep(Duration::from_millis(50)).await;
}
