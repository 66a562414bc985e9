//! What the tests stand on: processes, folders of meshes, meshes that run, a client that records, and logs read back.

mod audit;
mod folder;
mod hostile;
mod mesh;
mod process;
mod sources;
mod tap;
mod terminal;
mod town;
mod wire;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

pub(crate) use crate::ports::free;
pub(crate) use audit::{Group, Line, chained, groups, journal, log_lines};
pub(crate) use folder::{Demo, Pair, certify, certify_analyst, change, copy, scratch};
pub(crate) use hostile::Hostile;
pub(crate) use mesh::{Mesh, PURPOSE};
pub(crate) use process::{Ran, Running, meridian, nodes_below, send_signal};
pub(crate) use sources::{STREAMED, described, know, node_check, parquet, publish_source};
pub(crate) use tap::Tap;
pub(crate) use terminal::Terminal;
pub(crate) use town::{Town, publish};
pub(crate) use wire::{Answer, Client, remote_ticket, statement, ticket, ticket_of};

/// The longest that a single thing may take, on a busy machine too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Asks again until there is an answer; `what` is said where there is none in time.
pub(crate) fn until<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "not within {} s: {what}", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(15));
    }
}

/// Whether this is a longer run on a machine that does nothing else, by the switch `MERIDIAN_SOAK`: times are held to there alone.
pub(crate) fn is_soak() -> bool {
    std::env::var_os("MERIDIAN_SOAK").is_some()
}

/// A file below `tests/clients`.
pub(crate) fn client_script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/clients").join(name)
}

/// Runs a script of `tests/clients` with the Python that has what it needs.
pub(crate) fn python(script: &str, arguments: &[&str]) -> Ran {
    let mut command = Command::new(python_program());
    command.arg(client_script(script)).args(arguments);
    Running::start(&mut command).end()
}

/// Runs a script of `examples/clients` as a profile says; what it writes goes into a folder.
pub(crate) fn example(script: &str, profile: &Path, folder: &Path) -> Ran {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/clients").join(script);
    let mut command = Command::new(python_program());
    command.arg(script).env("MERIDIAN_PROFILE", profile).env("MERIDIAN_MAP", folder);
    Running::start(&mut command).end()
}

/// Has a browser do a task of a script of `tests/clients`.
pub(crate) fn browser(script: &str, task: &str, arguments: &[&str]) -> Ran {
    let mut command = Command::new("node");
    command.env("MERIDIAN_TEST_BROWSER", browser_folder()).arg(client_script(script)).arg(task).args(arguments);
    Running::start(&mut command).end()
}

/// Where playwright and axe are: what `tests/run` names, or where it puts them.
fn browser_folder() -> PathBuf {
    let named = std::env::var_os("MERIDIAN_TEST_BROWSER").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| {
        let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        let cache = cache.unwrap_or_else(|| PathBuf::from(std::env::var_os("HOME").expect("a home")).join(".cache"));
        let lock = std::fs::read(client_script("package-lock.json")).expect("package-lock.json");
        cache.join("meridian").join(format!("browser-{}", &hex::encode(Sha256::digest(lock))[..12]))
    });
    assert!(
        folder.join("node_modules/axe-core").is_dir(),
        "no playwright and axe in {}: run tests/run, which installs them, or name their folder in MERIDIAN_TEST_BROWSER",
        folder.display()
    );
    folder
}

/// What a server of plain HTTP answers to a request, head and body.
pub(crate) fn http(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("a server");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = Vec::new();
    // A server that has had enough may close before it has read all.
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).expect("text")
}

/// What it answers to GET.
pub(crate) fn get(address: SocketAddr, path: &str) -> String {
    http(address, &format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"))
}

fn python_program() -> &'static str {
    static PROGRAM: OnceLock<Option<String>> = OnceLock::new();
    let found = PROGRAM.get_or_init(|| {
        let program = std::env::var("MERIDIAN_TEST_PYTHON").unwrap_or_else(|_| "python3".into());
        let imports = "import duckdb, pyarrow, adbc_driver_flightsql, adbc_driver_manager";
        let works = Command::new(&program).args(["-c", imports]).output().is_ok_and(|output| output.status.success());
        works.then_some(program)
    });
    found.as_deref().expect(
        "no Python with duckdb and the ADBC Flight SQL driver: run tests/run, which installs it, or name one in \
         MERIDIAN_TEST_PYTHON",
    )
}

/// The folder of published files, where the machine has it.
pub(crate) fn published_files() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("MERIDIAN_PUBLISHED").map_or(beside, PathBuf::from);
    folder.is_dir().then_some(folder)
}
