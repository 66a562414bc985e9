//! A PostgreSQL server for tests and benchmarks: made in a folder of its own, gone with whoever started it. Included by them.
#![allow(dead_code, reason = "each includer uses a part")]

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;

use crate::ports::free;

/// The account under which a server runs where this process is root, which PostgreSQL refuses to run as; and its own user.
pub(crate) const ACCOUNT: &str = "postgres";
/// Settings of a server whose rows may be lost.
const SETTINGS: [&str; 4] = ["fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=50"];

/// A server that is up. By the socket anybody is let in, by TCP with a password.
pub(crate) struct Postgres {
    programs: PathBuf,
    settings: Vec<String>,
    port: u16,
    running: Option<Running>,
    folder: TempDir,
}

/// A process, and the thread that started it: where that ended, the process would.
struct Running {
    pid: u32,
    waits: JoinHandle<()>,
}

impl Postgres {
    /// Up, or why not.
    pub(crate) fn start(settings: &[&str]) -> Result<Self, String> {
        let programs =
            programs().ok_or("no PostgreSQL server (initdb, postgres, psql) in PATH or /usr/lib/postgresql")?;
        let folder = tempfile::Builder::new().prefix("postgres-").tempdir().map_err(|error| error.to_string())?;
        let port = free().port();
        let settings = settings.iter().map(ToString::to_string).collect();
        let mut server = Self { programs, settings, port, running: None, folder };
        server.owned(server.path())?;
        std::fs::set_permissions(server.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        let mut made = unprivileged(&server.programs.join("initdb"));
        made.args(["--auth-local", "trust", "--auth-host", "scram-sha-256", "--username", ACCOUNT, "--no-sync"]);
        made.args(["--encoding", "UTF8", "--locale", "C", "-D"]).arg(server.path().join("data"));
        let made = made.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
        if !made.status.success() {
            return Err(format!("initdb does not succeed: {}", String::from_utf8_lossy(&made.stderr)));
        }
        server.up()?;
        Ok(server)
    }

    /// The folder of the socket; the account may read what is in it.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Gives a file to the account that the server runs under.
    pub(crate) fn owned(&self, path: &Path) -> Result<(), String> {
        if is_root() && !succeeds(Command::new("chown").arg(ACCOUNT).arg(path)) {
            return Err(format!("a server does not run as root, and there is no account {ACCOUNT}"));
        }
        Ok(())
    }

    /// Starts it, again where it was stopped.
    pub(crate) fn up(&mut self) -> Result<(), String> {
        let mut command = unprivileged(&self.programs.join("postgres"));
        command.arg("-D").arg(self.path().join("data")).arg("-k").arg(self.path());
        command.args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
        for setting in SETTINGS.iter().map(ToString::to_string).chain(self.settings.iter().cloned()) {
            command.args(["-c", &setting]);
        }
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.log_file());
        let log = log.map_err(|error| error.to_string())?;
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let (started, pid) = mpsc::channel();
        let waits = std::thread::spawn(move || {
            let child = command.spawn().map_err(|error| format!("{command:?}: {error}"));
            started.send(child.as_ref().map(Child::id).map_err(Clone::clone)).unwrap();
            let _ = child.map(|mut child| child.wait());
        });
        let pid = pid.recv().map_err(|error| error.to_string())??;
        self.running = Some(Running { pid, waits });
        while !succeeds(self.psql("postgres").args(["-c", "SELECT 1"]).stderr(Stdio::null())) {
            if self.running.as_ref().is_none_or(|running| running.waits.is_finished()) {
                return Err(format!("the server ended: {}", self.log()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Ends it at once, whatever is under way.
    pub(crate) fn kill(&mut self) {
        self.end("-QUIT");
    }

    /// Ends it, with all that it has been told kept.
    pub(crate) fn down(&mut self) {
        // The fast shutdown.
        self.end("-INT");
    }

    fn end(&mut self, signal: &str) {
        if let Some(Running { pid, waits }) = self.running.take() {
            let _ = Command::new("kill").args([signal, &pid.to_string()]).status();
            let _ = waits.join();
        }
    }

    /// psql on a database; rows come one a line, bare.
    pub(crate) fn psql(&self, database: &str) -> Command {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["-X", "-q", "-A", "-t", "-U", ACCOUNT, "-d", database, "-h"]);
        command.arg(self.path()).args(["-p", &self.port.to_string()]);
        command
    }

    /// Runs statements; what they answer.
    pub(crate) fn run(&self, database: &str, sql: &str) -> String {
        let mut psql = self.psql(database);
        psql.args(["-v", "ON_ERROR_STOP=1"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut psql = psql.spawn().unwrap();
        psql.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
        let answer = psql.wait_with_output().unwrap();
        assert!(answer.status.success(), "{sql}");
        String::from_utf8(answer.stdout).unwrap().trim_end().to_owned()
    }

    fn log_file(&self) -> PathBuf {
        self.path().join("log")
    }

    /// All that it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.down();
    }
}

/// The folder of the server's programs: the newest of Debian's, or one of PATH.
fn programs() -> Option<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = debian.map(|entry| entry.path().join("bin")).collect();
    folders.sort_unstable();
    folders.reverse();
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    folders.into_iter().find(|folder| ["initdb", "postgres", "psql"].iter().all(|name| folder.join(name).exists()))
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

/// A command that is not root's, and ends with the thread that starts it.
fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if is_root() {
        command.args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--init-groups"]);
    }
    command.arg("--").arg(program).current_dir("/");
    command
}

/// Whether it ends well; what it says is not looked at.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}
