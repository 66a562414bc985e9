//! Processes of the binary that was just built: run to their end within bounds, signalled, and found under /proc.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::PATIENCE;

/// The binary under test, without what the surroundings would tell it.
pub(crate) fn meridian() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meridian"));
    for variable in ["MERIDIAN_LOG", "MERIDIAN_PROFILE", "RUST_BACKTRACE"] {
        command.env_remove(variable);
    }
    // Nor the profiles of whoever runs the tests.
    command.env("XDG_CONFIG_HOME", "/nowhere");
    command
}

/// A process that has ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code; none where a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ran {
    /// What a process left behind.
    pub(crate) fn of(output: Output) -> Self {
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        Self { code: output.status.code(), stdout: output.stdout, stderr }
    }

    /// What it printed, if it succeeded.
    #[track_caller]
    pub(crate) fn ok(&self) -> &str {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stderr, String::from_utf8_lossy(&self.stdout));
        std::str::from_utf8(&self.stdout).expect("text on stdout")
    }

    /// The rows of the CSV that it printed, heading first. The data of these tests has neither commas nor quotes in it,
    /// but a row of one empty cell is written as two quotes.
    #[track_caller]
    pub(crate) fn csv(&self) -> Vec<Vec<&str>> {
        self.ok().lines().map(|line| line.split(',').map(|cell| cell.trim_matches('"')).collect()).collect()
    }

    /// What it complained of, if it failed with this code, printed nothing and did not break.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32) -> &str {
        let printed = String::from_utf8_lossy(&self.stdout);
        assert_eq!(self.code, Some(code), "{}\n{printed}", self.stderr);
        assert_eq!(printed, "", "{}", self.stderr);
        assert!(!self.stderr.contains("defect") && !self.stderr.contains("panicked"), "{}", self.stderr);
        &self.stderr
    }
}

/// A process that may still run.
pub(crate) struct Running {
    id: u32,
    ended: Receiver<Output>,
}

impl Running {
    /// Starts it, with its output gathered.
    pub(crate) fn start(command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { id: child.id(), ended: gather(child) }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Whether it runs.
    pub(crate) fn is_running(&self) -> bool {
        fs::read_to_string(format!("/proc/{}/stat", self.id)).is_ok_and(|stat| !stat.contains(") Z "))
    }

    /// Waits for its end; one that does not end is killed, and that is a failure.
    #[track_caller]
    pub(crate) fn end(self) -> Ran {
        match self.ended.recv_timeout(PATIENCE * 2) {
            Ok(output) => Ran::of(output),
            Err(_) => {
                send_signal(self.id, "KILL");
                let said = self.ended.recv().map(Ran::of);
                panic!("process {} did not end: {said:?}", self.id);
            }
        }
    }
}

fn gather(child: Child) -> Receiver<Output> {
    let (send, receive) = channel();
    thread::spawn(move || {
        if let Ok(output) = child.wait_with_output() {
            let _ = send.send(output);
        }
    });
    receive
}

/// Sends a signal by name to a process that these tests started.
pub(crate) fn send_signal(id: u32, name: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).output().expect("sh");
    assert!(sent.status.success(), "kill -{name} {id}: {}", String::from_utf8_lossy(&sent.stderr));
}

/// The ids of all node processes whose configuration lies below a folder.
pub(crate) fn nodes_below(folder: &Path) -> Vec<u32> {
    // Another folder's name may begin with this one's.
    let folder = format!("{}/", folder.to_str().expect("a path of text"));
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // Empty for a process that has ended and was not waited for yet.
        let Ok(line) = fs::read(entry.path().join("cmdline")) else { continue };
        let line = String::from_utf8_lossy(&line);
        if line.contains("\0node\0serve\0") && line.contains(&folder) {
            found.push(id);
        }
    }
    found
}
