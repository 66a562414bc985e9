//! A mesh that runs: node processes that end with this one, because it holds the other end of their standard input.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use meridian_certs::{Analysts, Authority, Validity};

use super::folder::{self, Ports};
use super::{Client, Demo, Line, Pair, Ran, Running, certify_analyst, get, meridian, scratch, send_signal, until};

/// What the agreements of the mesh are for.
pub(crate) const PURPOSE: &str = "fire-risk";

/// A folder of bodies, and the processes of those that are up.
pub(crate) struct Mesh {
    pub(crate) dir: PathBuf,
    ports: BTreeMap<String, Ports>,
    nodes: Mutex<BTreeMap<String, Node>>,
}

struct Node {
    child: Child,
    /// Where it closes, the node ends: with this process, however that ends.
    stdin: Option<ChildStdin>,
}

impl Mesh {
    /// All 36 bodies, up, shared by all tests that leave them as they are.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Mesh> = OnceLock::new();
        SHARED.get_or_init(|| {
            let mesh = Self::of(Demo::full().dir.clone());
            mesh.start_all();
            mesh
        })
    }

    /// Three boroughs, up, in a folder of their own.
    pub(crate) fn small() -> Self {
        let mesh = Self::prepared();
        mesh.start_all();
        mesh
    }

    /// Three boroughs in a folder of their own, not yet up: their files can be changed.
    pub(crate) fn prepared() -> Self {
        let dir = scratch("mesh");
        folder::copy(&Demo::small().dir, &dir);
        Self::of(dir)
    }

    /// Lambeth, Barnet and Camden, up, with the published files of this folder.
    pub(crate) fn published(data: &Path) -> Self {
        let mesh = Self::of(Demo::published(data).dir);
        mesh.start_all();
        mesh
    }

    fn of(dir: PathBuf) -> Self {
        let ports = folder::renew(&dir);
        Self { dir, ports, nodes: Mutex::default() }
    }

    /// A folder in which no body is yet.
    pub(super) fn empty(dir: PathBuf) -> Self {
        Self { dir, ports: BTreeMap::new(), nodes: Mutex::default() }
    }

    /// A body whose folder has been made, and where its node listens.
    pub(super) fn add(&mut self, body: &str, flight: SocketAddr, health: SocketAddr) {
        self.ports.insert(body.to_owned(), Ports { flight, health });
    }

    /// Starts every body and waits until each is ready and LODA's node knows what they publish.
    pub(crate) fn start_all(&self) {
        self.start_each();
        until("LODA's node knows what everybody publishes", || {
            let listed = self.run(&["catalogue", "--format", "csv"]);
            let is_known = |body: &str| listed.ok().contains(&format!("london.{body}."));
            self.bodies().filter(|body| *body != "loda").all(is_known).then_some(())
        });
    }

    /// Starts every body and waits until each is ready.
    pub(crate) fn start_each(&self) {
        for body in self.bodies() {
            self.spawn(body, &mut self.serve(body));
        }
        self.bodies().for_each(|body| self.wait_ready(body));
    }

    /// The bodies of the mesh.
    pub(crate) fn bodies(&self) -> impl Iterator<Item = &str> {
        self.ports.keys().map(String::as_str)
    }

    /// The boroughs of the mesh.
    pub(crate) fn boroughs(&self) -> impl Iterator<Item = &str> {
        self.bodies().filter(|body| !["loda", "gla", "lfb"].contains(body))
    }

    /// Has the register of a body that is not up yet count use as it happens.
    pub(crate) fn count_live(&self, body: &str) {
        folder::change(&self.folder(body).join("node.toml"), |node| {
            let public = node.entry("public").or_insert_with(|| toml::Table::new().into());
            public.as_table_mut().expect("a table").insert("counts".into(), "live".into());
        });
    }

    /// The folder of a body.
    pub(crate) fn folder(&self, body: &str) -> PathBuf {
        self.dir.join(body)
    }

    /// Where a body's node speaks Flight SQL.
    pub(crate) fn address(&self, body: &str) -> SocketAddr {
        self.ports[body].flight
    }

    /// Where a body's node tells its health.
    pub(crate) fn health_address(&self, body: &str) -> SocketAddr {
        self.ports[body].health
    }

    /// The command that runs a body's node.
    pub(crate) fn serve(&self, body: &str) -> Command {
        let mut command = meridian();
        command.args(["node", "serve", "--exit-with-stdin", "--config"]).arg(self.folder(body).join("node.toml"));
        command.env("MALLOC_ARENA_MAX", "2");
        command
    }

    /// Starts a body's node and waits until it is ready.
    pub(crate) fn start(&self, body: &str) {
        self.start_by(body, &mut self.serve(body));
    }

    /// Starts a body's node by a command of the test's own.
    pub(crate) fn start_by(&self, body: &str, command: &mut Command) {
        self.spawn(body, command);
        self.wait_ready(body);
    }

    /// Starts a body's node by a command of the test's own, and waits for nothing.
    pub(crate) fn spawn(&self, body: &str, command: &mut Command) {
        // What a node says before it answers is there with the answer.
        let log = OpenOptions::new().append(true).create(true).open(self.log_path(body)).expect("node.log");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(log.try_clone().expect("node.log"))
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("the node of {body}: {error}"));
        let stdin = child.stdin.take();
        self.nodes().insert(body.to_owned(), Node { child, stdin });
    }

    /// Waits until a body's node is ready.
    pub(crate) fn wait_ready(&self, body: &str) {
        until(&format!("the node of {body} is ready"), || {
            let ended = self.nodes().get_mut(body).expect("a node").child.try_wait().expect("its status");
            assert!(ended.is_none(), "the node of {body} ended ({ended:?}): {}", self.log(body));
            is_ready(self.ports[body].health).then_some(())
        });
    }

    /// Kills a body's node.
    pub(crate) fn kill(&self, body: &str) {
        let mut node = self.nodes().remove(body).expect("a node");
        node.child.kill().expect("kill");
        node.child.wait().expect("its end");
    }

    /// Asks a body's node to end, and waits for it.
    pub(crate) fn stop(&self, body: &str) {
        let mut node = self.nodes().remove(body).expect("a node");
        drop(node.stdin.take());
        until(&format!("the node of {body} ends"), || node.child.try_wait().expect("its status"));
    }

    /// Sends a signal to a body's node.
    pub(crate) fn signal(&self, body: &str, name: &str) {
        send_signal(self.nodes()[body].child.id(), name);
    }

    /// What a body's node has said.
    pub(crate) fn log(&self, body: &str) -> String {
        fs::read(self.log_path(body)).map(|text| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
    }

    fn log_path(&self, body: &str) -> PathBuf {
        self.folder(body).join("node.log")
    }

    /// What a body's health port answers to a path.
    pub(crate) fn health(&self, body: &str, path: &str) -> String {
        get(self.ports[body].health, path)
    }

    /// The most memory that a body's node has held, in MiB.
    pub(crate) fn most_memory(&self, body: &str) -> u64 {
        let id = self.nodes()[body].child.id();
        let status = fs::read_to_string(format!("/proc/{id}/status")).expect("the node's status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("its most memory");
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().expect("a number of kB") / 1024
    }

    /// The records of a body's log.
    pub(crate) fn records(&self, body: &str) -> Vec<Line> {
        super::log_lines(&self.folder(body).join("state/audit"))
    }

    /// A `meridian` command of LODA's analyst.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = meridian();
        let (verb, rest) = arguments.split_first().expect("a verb");
        command.arg(verb).arg("--profile").arg(self.profile()).args(rest);
        command
    }

    /// Runs a `meridian` command of LODA's analyst.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        Running::start(&mut self.command(arguments)).end()
    }

    /// Asks a question as LODA's analyst; the answer is CSV.
    pub(crate) fn ask(&self, sql: &str) -> Ran {
        // A statement may begin with a comment, and so with what looks like an option.
        self.run(&["query", "--format", "csv", "--", sql])
    }

    /// The certificate of a body's node.
    pub(crate) fn node_pair(&self, body: &str) -> Pair {
        let own = self.folder(body).join("identity.pem");
        Pair { cert: own.clone(), key: own }
    }

    /// The certificate of LODA's analyst.
    pub(crate) fn asha(&self) -> Pair {
        let asha = self.dir.join("asha");
        Pair { cert: asha.join("analyst.pem"), key: asha.join("analyst.key") }
    }

    /// The federation's authority.
    pub(crate) fn authority(&self) -> Authority {
        Authority::open(&self.dir.join("authority")).expect("the authority")
    }

    /// The analysts of a body.
    pub(crate) fn analysts(&self, body: &str) -> Analysts {
        let [federation, name] = ["london", body].map(|name| name.parse().expect("a name"));
        Analysts::new(federation, name, self.folder(body).join("state/analysts"))
    }

    /// Makes somebody an analyst of a body; where its node is up, it knows that.
    pub(crate) fn analyst(&self, body: &str, name: &str) -> Pair {
        let pair = certify_analyst(&self.analysts(body), name, Validity::from_now(Duration::from_secs(3600)));
        if self.nodes().contains_key(body) {
            until("the node trusts its body's analysts", || self.client(body, Some(&pair)).actions().ok());
        }
        pair
    }

    /// What makes the analyst's commands short.
    pub(crate) fn profile(&self) -> PathBuf {
        folder::profile(&self.dir)
    }

    /// The federation's trust anchor.
    pub(crate) fn ca(&self) -> PathBuf {
        self.dir.join("authority/ca.pem")
    }

    /// A recording client at a body's node, with this certificate.
    pub(crate) fn client(&self, body: &str, pair: Option<&Pair>) -> Client {
        Client::new(&self.ca(), pair, self.address(body))
    }

    /// No node has met a defect of the program.
    #[track_caller]
    pub(crate) fn assert_sound(&self) {
        for body in self.bodies() {
            let log = self.log(body);
            let bad = log.lines().find(|line| line.contains("defect of the program") || line.contains("panicked"));
            assert_eq!(bad, None, "in the log of {body}");
        }
    }

    fn nodes(&self) -> MutexGuard<'_, BTreeMap<String, Node>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Mesh {
    fn drop(&mut self) {
        for node in self.nodes().values_mut() {
            let _ = node.child.kill();
            let _ = node.child.wait();
        }
        if !std::thread::panicking() {
            self.assert_sound();
            remove(&self.dir);
        }
    }
}

fn remove(dir: &Path) {
    let _ = fs::remove_dir_all(dir);
}

fn is_ready(health: SocketAddr) -> bool {
    let Ok(mut stream) = TcpStream::connect_timeout(&health, Duration::from_secs(1)) else { return false };
    let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
    let request = format!("GET /ready HTTP/1.1\r\nHost: {health}\r\nConnection: close\r\n\r\n");
    let mut status = [0; b"HTTP/1.1 200".len()];
    stream.write_all(request.as_bytes()).is_ok() && stream.read_exact(&mut status).is_ok() && &status == b"HTTP/1.1 200"
}
