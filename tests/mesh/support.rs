//! What the tests stand on: processes, folders of meshes, meshes that run, a client that records, and logs read back.

mod audit;
mod folder;
mod mesh;
mod process;
mod tap;
mod town;
mod wire;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub(crate) use audit::{Group, Line, chained, groups, journal, log_lines};
pub(crate) use folder::{Demo, Pair, certify, certify_analyst, scratch};
pub(crate) use mesh::{Mesh, PURPOSE};
pub(crate) use process::{Ran, Running, meridian, nodes_below, send_signal};
pub(crate) use tap::Tap;
pub(crate) use town::{Town, free};
pub(crate) use wire::{Answer, Client, remote_ticket, statement, ticket_of};

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
