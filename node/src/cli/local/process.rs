//! The processes of the authority and of the nodes: started, watched until they are ready, and ended with this one.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use futures::StreamExt;
use futures::future::join_all;
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdin, Command};
use tokio::time::{sleep, timeout};

use super::super::format::printable_lines;
use super::super::{Error, say};
use super::ports::Reserved;
use super::{Plan, Progress};

/// Within this a node that was asked to end has ended, or is killed.
const GRACE: Duration = Duration::from_secs(5);
/// Within this a health port answers.
const HEALTH_TIME: Duration = Duration::from_secs(2);
/// How much of a log is shown when its node ended too early (bytes).
const TAIL_BYTES: u64 = 4 << 10;

/// All processes of the mesh.
#[derive(Default)]
pub(crate) struct Processes {
    authority: Option<Process>,
    running: Vec<Process>,
}

struct Process {
    /// What it is, for people.
    what: String,
    log: PathBuf,
    child: Child,
    /// Held open: where it closes the node ends, and so with this process however that ends.
    stdin: Option<ChildStdin>,
}

impl Processes {
    /// Starts the authority, and waits until it can be reached.
    pub(super) async fn start_authority(&mut self, plan: &Plan, port: Reserved) -> Result<(), Error> {
        drop(port);
        let (listen, dir) = (plan.authority.to_string(), plan.authority_folder());
        let mut command = Command::new(program()?);
        command.args(["authority", "serve", "--exit-with-stdin", "--listen", &listen, "--dir"]).arg(&dir);
        let log = plan.dir.join("authority.log");
        let authority = self.authority.insert(Process::start("the authority".into(), &mut command, log)?);
        authority.until(until_reached(plan.authority)).await
    }

    /// Starts the node of every site; each pair of ports is given up right before its process starts.
    pub(super) fn start(&mut self, plan: &Plan, ports: Vec<[Reserved; 2]>) -> Result<(), Error> {
        let program = program()?;
        for (site, ports) in plan.sites.iter().zip(ports) {
            drop(ports);
            let folder = plan.folder(&site.body);
            let mut command = Command::new(&program);
            command.args(["node", "serve", "--exit-with-stdin", "--config"]).arg(folder.join("node.toml"));
            let what = format!("the node of {}", site.body);
            self.running.push(Process::start(what, &mut command, folder.join("node.log"))?);
        }
        Ok(())
    }

    /// Waits until every node says that it is ready; a node that ended instead is the error.
    pub(super) async fn ready(&mut self, plan: &Plan, progress: &Progress) -> Result<(), Error> {
        let (all, mut done) = (self.running.len(), 0);
        let nodes = self.running.iter_mut().zip(&plan.sites);
        let mut waiting: FuturesUnordered<_> = nodes.map(|(node, site)| node.until(until_ready(site.health))).collect();
        while let Some(ready) = waiting.next().await {
            ready?;
            done += 1;
            progress.update(&format!("{done} of {all} nodes are ready"));
        }
        Ok(())
    }

    /// Says which node ends, until none is left.
    pub(crate) async fn watch(&mut self) -> Result<(), Error> {
        let mut ends: FuturesUnordered<_> = self.running.iter_mut().map(Process::end).collect();
        while let Some((what, log, status)) = ends.next().await {
            say(format_args!("{what} has ended ({status}): see {}", log.display()));
        }
        Err(Error::Mesh("no node is left".into()))
    }

    /// Ends all and waits for each: gently, then by force.
    pub(crate) async fn stop(&mut self) {
        self.running.extend(self.authority.take());
        self.running.iter_mut().for_each(|process| drop(process.stdin.take()));
        if timeout(GRACE, self.wait()).await.is_err() {
            for process in &mut self.running {
                // It may have ended just now.
                let _ = process.child.start_kill();
            }
            self.wait().await;
        }
        self.running.clear();
    }

    async fn wait(&mut self) {
        join_all(self.running.iter_mut().map(|process| process.child.wait())).await;
    }
}

impl Process {
    fn start(what: String, command: &mut Command, log: PathBuf) -> Result<Self, Error> {
        let (out, err) = File::create(&log)
            .and_then(|file| Ok((file.try_clone()?, file)))
            .map_err(|source| Error::Write { path: log.clone(), source })?;
        let mut child = command
            // Many small processes: two arenas of the allocator each, not eight per core.
            .env("MALLOC_ARENA_MAX", "2")
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(err)
            // A terminal's Ctrl-C is for this process, which then ends its nodes in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Error::Mesh(format!("starting {what}: {error}")))?;
        let stdin = child.stdin.take();
        Ok(Self { what, log, child, stdin })
    }

    /// Waits for what shows that it is up; that it ended instead is the error.
    async fn until(&mut self, up: impl Future<Output = ()>) -> Result<(), Error> {
        tokio::select! {
            status = self.child.wait() => {
                let (what, log, status) = (&self.what, self.log.display(), shown(status));
                let tail = tail(&self.log);
                Err(Error::Mesh(format!("{what} ended before it was ready ({status}); the end of {log}:\n{tail}")))
            }
            () = up => Ok(()),
        }
    }

    async fn end(&mut self) -> (&str, &Path, String) {
        let status = self.child.wait().await;
        (&self.what, &self.log, shown(status))
    }
}

fn shown(status: std::io::Result<ExitStatus>) -> String {
    status.map_or_else(|error| error.to_string(), |status| status.to_string())
}

/// The last lines of a log.
fn tail(log: &Path) -> String {
    let read = || {
        let mut file = File::open(log)?;
        let length = fs::metadata(log)?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    };
    let text = read().map_or_else(
        |error| format!("it can't be read: {error}"),
        |bytes| String::from_utf8_lossy(&bytes).into_owned(),
    );
    printable_lines(text.trim_end())
}

/// Where this program is.
fn program() -> Result<PathBuf, Error> {
    std::env::current_exe().map_err(|error| Error::Mesh(format!("looking for this program's own file: {error}")))
}

/// Returns when the health port answers that the node is ready.
async fn until_ready(health: SocketAddr) {
    retried(async || matches!(timeout(HEALTH_TIME, is_ready(health)).await, Ok(Ok(true)))).await;
}

/// Returns when something listens there.
async fn until_reached(address: SocketAddr) {
    retried(async || TcpStream::connect(address).await.is_ok()).await;
}

/// Returns when it is so.
async fn retried(mut is_so: impl AsyncFnMut() -> bool) {
    let mut pause = Duration::from_millis(20);
    while !is_so().await {
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_millis(320));
    }
}

async fn is_ready(health: SocketAddr) -> std::io::Result<bool> {
    let mut stream = TcpStream::connect(health).await?;
    let request = format!("GET /ready HTTP/1.1\r\nHost: {health}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut status = [0; b"HTTP/1.1 200".len()];
    stream.read_exact(&mut status).await?;
    Ok(&status == b"HTTP/1.1 200")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn ready_is_what_answers_200() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let health = listener.local_addr().unwrap();
        let server = async {
            for status in ["503 Service Unavailable", "200 OK"] {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 10];
                stream.read_exact(&mut request).await.unwrap();
                assert_eq!(&request, b"GET /ready");
                let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        };
        tokio::join!(server, until_ready(health));
    }

    #[tokio::test]
    async fn a_process_that_ends_early_is_named_with_the_end_of_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("node.log");
        let mut process =
            Process::start("the node of gla".into(), &mut Command::new("/bin/false"), log.clone()).unwrap();
        fs::write(log, "port in use\u{7}\n").unwrap();
        let error = process.until(std::future::pending()).await.unwrap_err().to_string();
        assert!(error.contains("gla") && error.contains("port in use\\u{7}"), "{error}");
    }
}
