//! An engine for tests, which others wrote and which speaks Arrow Flight SQL in Spark's dialect: gone with whoever started it.
//! Included by them.
#![allow(dead_code, reason = "each includer uses a part")]

use std::env;
use std::fs::File;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use arrow_flight::sql::client::FlightSqlServiceClient;
use futures::TryStreamExt;
use tempfile::TempDir;
use tonic::transport::Endpoint;

use crate::ports::free;

/// How its log begins to tell of a statement that is put to it.
const ASKED: &str = "get_flight_info_statement: ";

/// An engine that is up.
pub(crate) struct Sail {
    port: u16,
    running: Option<Running>,
    folder: TempDir,
}

/// A process, and the thread that started it: where that ended, the process would.
struct Running {
    pid: u32,
    waits: JoinHandle<()>,
}

impl Sail {
    /// Up, or why not.
    pub(crate) fn start() -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("engine-").tempdir().map_err(|error| error.to_string())?;
        let port = free().port();
        let mut engine = Self { port, running: None, folder };
        engine.up()?;
        Ok(engine)
    }

    /// Starts it, again where it was stopped; then it knows of no table.
    pub(crate) fn up(&mut self) -> Result<(), String> {
        let program = env::var("MERIDIAN_TEST_ENGINE").map_err(|_| "MERIDIAN_TEST_ENGINE names no Sail")?;
        let log = File::options().create(true).append(true).open(self.path().join("log"));
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", &program, "flight", "server", "--ip", "127.0.0.1", "--port"]);
        command.arg(self.port.to_string()).arg("-C").arg(self.path()).env("RUST_LOG", "sail_flight=debug");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.map_err(|error| error.to_string())?);
        // It ends with the thread that starts it.
        let (started, pid) = mpsc::channel();
        let waits = std::thread::spawn(move || {
            let child = command.spawn().map_err(|error| format!("{command:?}: {error}"));
            started.send(child.as_ref().map(std::process::Child::id).map_err(Clone::clone)).unwrap();
            let _ = child.map(|mut child| child.wait());
        });
        let pid = pid.recv().map_err(|error| error.to_string())??;
        self.running = Some(Running { pid, waits });
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if self.running.as_ref().is_none_or(|running| running.waits.is_finished()) {
                return Err(format!("the engine ended: {}", self.log()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Ends it at once, whatever is under way.
    pub(crate) fn kill(&mut self) {
        if let Some(Running { pid, waits }) = self.running.take() {
            let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
            let _ = waits.join();
        }
    }

    /// The folder that it works in.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Runs statements, one after the other.
    pub(crate) async fn run(&self, statements: &[&str]) {
        let channel =
            Endpoint::from_shared(format!("http://127.0.0.1:{}", self.port)).unwrap().connect().await.unwrap();
        let mut client = FlightSqlServiceClient::new(channel);
        for statement in statements {
            let planned = client.execute((*statement).to_owned(), None).await;
            let planned = planned.unwrap_or_else(|error| panic!("{statement}: {error}"));
            for endpoint in planned.endpoint {
                let rows = client.do_get(endpoint.ticket.unwrap()).await.unwrap();
                rows.try_collect::<Vec<_>>().await.unwrap_or_else(|error| panic!("{statement}: {error}"));
            }
        }
    }

    /// All that it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.path().join("log")).unwrap_or_default()
    }

    /// What was put to it since it had logged so much, a statement a line.
    pub(crate) fn asked(&self, before: &str) -> Vec<String> {
        let log = self.log();
        let lines = log[before.len()..].lines();
        lines.filter_map(|line| Some(line.split_once(ASKED)?.1.to_owned())).collect()
    }
}

impl Drop for Sail {
    fn drop(&mut self) {
        self.kill();
    }
}
