//! An object store for tests, which others wrote: made in a folder of its own, gone with whoever started it. Included by them.
#![allow(dead_code, reason = "each includer uses a part")]

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use tempfile::TempDir;

use crate::ports::free;

/// Who may read and write; an account, and its user.
pub(crate) const ACCESS_KEY: &str = "borough:files";
/// The secret of that key.
pub(crate) const SECRET: &str = "secret4711";
/// The region for which requests are to be signed.
pub(crate) const REGION: &str = "eu-west-2";

/// A server that is up.
pub(crate) struct ObjectStore {
    port: u16,
    asks: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    pid: u32,
    waits: Option<JoinHandle<()>>,
    folder: TempDir,
}

impl ObjectStore {
    /// Up, or why not.
    pub(crate) fn start() -> Result<Self, String> {
        let python = env::var("MERIDIAN_TEST_STORE").map_err(|_| "MERIDIAN_TEST_STORE names no Python with Swift")?;
        let folder = tempfile::Builder::new().prefix("store-").tempdir().map_err(|error| error.to_string())?;
        let port = free().port();
        let log = std::fs::File::create(folder.path().join("log")).map_err(|error| error.to_string())?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--", &python]).arg(program());
        command.arg(folder.path().join("swift")).args([&port.to_string(), ACCESS_KEY, SECRET]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        // It ends with the thread that starts it.
        let (started, child) = mpsc::channel::<Result<(u32, ChildStdin, ChildStdout), String>>();
        let waits = std::thread::spawn(move || match command.spawn() {
            Ok(mut child) => {
                started.send(ends(&mut child)).unwrap();
                let _ = child.wait();
            }
            Err(error) => started.send(Err(format!("{command:?}: {error}"))).unwrap(),
        });
        let (pid, stdin, stdout) = child.recv().map_err(|error| error.to_string())??;
        let asks = Mutex::new((stdin, BufReader::new(stdout)));
        let store = Self { port, asks, pid, waits: Some(waits), folder };
        store.bucket("first").map_err(|why| format!("{why}: {}", store.log()))?;
        Ok(store)
    }

    /// Its address.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Makes a bucket.
    pub(crate) fn bucket(&self, name: &str) -> Result<(), String> {
        let mut asks = self.asks.lock().unwrap_or_else(PoisonError::into_inner);
        let (stdin, stdout) = &mut *asks;
        let mut answer = String::new();
        let asked = writeln!(stdin, "{name}").and_then(|()| stdout.read_line(&mut answer));
        match asked {
            Ok(_) if answer.trim_end() == name => Ok(()),
            Ok(_) => Err("the object store makes no bucket".into()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// All that it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Ends it at once, whatever is under way.
    pub(crate) fn kill(&mut self) {
        if let Some(waits) = self.waits.take() {
            let _ = Command::new("kill").args(["-KILL", &self.pid.to_string()]).status();
            let _ = waits.join();
        }
    }
}

impl Drop for ObjectStore {
    fn drop(&mut self) {
        self.kill();
    }
}

fn program() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/store/serve.py")
}

fn ends(child: &mut Child) -> Result<(u32, ChildStdin, ChildStdout), String> {
    let ends = (child.stdin.take(), child.stdout.take());
    let (Some(stdin), Some(stdout)) = ends else { return Err("the object store has no ends".into()) };
    Ok((child.id(), stdin, stdout))
}
