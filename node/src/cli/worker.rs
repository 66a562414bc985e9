//! `meridian node worker …`: the machines of a body's own cluster.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use meridian_certs::{KeyAndRequest, Request, Validity};
use meridian_proto::Name;
use serde::Serialize;
use tokio::runtime;

use super::authority::write_new;
use super::serve::End;
use super::{Error, say};
use crate::app;
use crate::cluster::{self, WorkerParts};
use crate::config::{Config, WorkerConfig};

/// How many days a worker's certificate holds where nobody says.
const DAYS: u64 = 365;
/// Threads for files.
const BLOCKING_THREADS: usize = 8;

/// `meridian node worker …`
#[derive(Debug, Subcommand)]
pub(crate) enum Worker {
    /// Give a machine of this body's own cluster a certificate and a configuration
    Add(Add),
    /// Run a worker until SIGINT or SIGTERM
    Serve(Serve),
}

/// Options of `meridian node worker add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The worker: a lower-case name
    name: Name,
    /// The node's configuration (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Where the worker listens, as the node and the other workers reach it
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// A folder, shared by node and workers, below which it may read files; may be given again
    #[arg(long, value_name = "FOLDER", required = true)]
    data: Vec<PathBuf>,
    /// A new folder with key, certificate and worker.toml, for the worker's machine
    #[arg(long)]
    dir: PathBuf,
    /// How many days the certificate holds
    #[arg(long, default_value_t = DAYS, value_parser = clap::value_parser!(u64).range(1..=700))]
    days: u64,
}

/// Options of `meridian node worker serve`.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The worker's configuration (TOML)
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Log one JSON object per line
    #[arg(long)]
    pub(super) log_json: bool,
    #[command(flatten)]
    end: End,
}

/// A worker's configuration, as it is written.
#[derive(Serialize)]
struct WorkerFile {
    listen: String,
    data: Vec<PathBuf>,
    tls: TlsFile,
}

#[derive(Serialize)]
struct TlsFile {
    ca: &'static str,
    cert: &'static str,
    key: &'static str,
}

impl Worker {
    /// Does it.
    pub(crate) fn run(self) -> Result<(), Error> {
        match self {
            Self::Add(add) => add.run(),
            Self::Serve(serve) => serve.run(),
        }
    }
}

impl Add {
    fn run(self) -> Result<(), Error> {
        let Self { name, config, listen, data, dir, days } = self;
        let node = Config::load(&config).map_err(|errors| Error::Config(errors.to_string()))?.node;
        let cluster = app::cluster(&node);
        fs::create_dir_all(&dir).map_err(|source| Error::Write { path: dir.clone(), source })?;
        let at = |name: &str| dir.join(name);
        let made = KeyAndRequest::create(&at("worker.key"))?;
        let validity = Validity::from_now(Duration::from_secs(days * 24 * 3600));
        let hosts = [listen.ip().to_string()];
        let chain = cluster.add(&name, &Request::from_pem(made.pem())?, &hosts, validity)?;
        write_new(&at("worker.pem"), &chain)?;
        write_new(&at("ca.pem"), &cluster.anchors()?)?;
        let absolute = |path: PathBuf| fs::canonicalize(&path).map_err(|source| Error::Read { path, source });
        let data = data.into_iter().map(absolute).collect::<Result<Vec<_>, _>>()?;
        let tls = TlsFile { ca: "ca.pem", cert: "worker.pem", key: "worker.key" };
        let file = WorkerFile { listen: listen.to_string(), data, tls };
        let text = toml::to_string(&file).map_err(|error| Error::Usage(format!("writing worker.toml: {error}")))?;
        write_new(&at("worker.toml"), &text)?;
        say(format_args!(
            "{name} may work for {days} days: on its machine run meridian node worker serve --config {}\nIn node.toml name it: \
             cluster = {{ workers = [\"https://{listen}\"] }}",
            at("worker.toml").display()
        ));
        Ok(())
    }
}

impl Serve {
    fn run(self) -> Result<(), Error> {
        let WorkerConfig { listen, tls, data, memory_mib, worker_threads } =
            WorkerConfig::load(&self.config).map_err(|errors| Error::Config(errors.to_string()))?;
        let parts = WorkerParts { listen, ca: tls.ca, cert: tls.cert, key: tls.key, data, memory: memory_mib << 20 };
        let mut threads = runtime::Builder::new_multi_thread();
        threads.worker_threads(worker_threads).max_blocking_threads(BLOCKING_THREADS).thread_name("worker");
        self.end
            .run(threads, async |end| cluster::serve(parts, end).await.map_err(|error| Error::Serve(error.to_string())))
    }
}
