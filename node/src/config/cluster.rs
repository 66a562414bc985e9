//! Checks what node.toml says of the body's cluster, and a worker's own file.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::problem::{File, Report};
use super::{ConfigError, TlsPaths, node, raw};

/// Memory of a worker where nothing is said, in MiB.
const DEFAULT_MEMORY_MIB: u32 = 1024;

/// The machines on which the node has a part of its plans computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterConfig {
    /// Where its workers are: `https://host:port`, each once, at least one.
    pub workers: Vec<String>,
    /// Whether the node computes itself where no worker is left, in place of refusing.
    pub at_home: bool,
}

/// What a worker's file says; paths are resolved against its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Certificates and key, of the cluster.
    pub tls: TlsPaths,
    /// The folders below which it may read files; each is there.
    pub data: Vec<PathBuf>,
    /// Mebibytes that all parts of plans share.
    pub memory_mib: usize,
    /// Threads that run them.
    pub worker_threads: usize,
}

/// The workers, or problems.
pub(super) fn check(file: &File, raw: &raw::Cluster, report: &mut Report) -> Option<ClusterConfig> {
    let mut seen = HashSet::new();
    for text in raw.workers.get_ref() {
        let endpoint = node::endpoint(file, ("cluster.workers", "https://10.0.0.2:7001"), text, report);
        if let Some(endpoint) = endpoint
            && !seen.insert(endpoint)
        {
            file.problem(report, text.span(), format!("the worker {} stands twice", text.get_ref()), "remove one");
        }
    }
    if raw.workers.get_ref().is_empty() {
        let fix = "name each worker's address, or remove cluster: without it the node computes itself";
        file.problem(report, raw.workers.span(), "cluster.workers names no worker", fix);
        return None;
    }
    let workers = raw.workers.get_ref().iter().map(|text| text.get_ref().trim_end_matches('/').to_owned());
    Some(ClusterConfig { workers: workers.collect(), at_home: raw.at_home })
}

impl WorkerConfig {
    /// Reads a worker's file; the error holds every problem that was found.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let mut report = Report::default();
        let read = File::read(path, &mut report).and_then(|file| {
            let raw: raw::Worker = file.parse(&mut report)?;
            worker(&file, &raw, &mut report)
        });
        match read {
            Some(config) if report.is_empty() => Ok(config),
            _ => Err(report.into_error(path)),
        }
    }
}

fn worker(file: &File, raw: &raw::Worker, report: &mut Report) -> Option<WorkerConfig> {
    let base = file.folder();
    let listen = node::address(file, "listen", &raw.listen, report);
    let tls = node::tls(file, &base, &raw.tls, report);
    let mut data = Vec::with_capacity(raw.data.len());
    for text in &raw.data {
        let folder = file.existing(report, &base, "data", text);
        if let Some(folder) = &folder
            && !folder.is_dir()
        {
            let what = format!("data is {}, which is no folder", folder.display());
            file.problem(report, text.span(), what, "name the folder that its files are in");
        }
        data.extend(folder);
    }
    let mut number =
        |key, said, default| usize::try_from(node::number(file, key, said, default, report)).unwrap_or(usize::MAX);
    let memory_mib = number("memory_mib", raw.memory_mib.as_ref(), DEFAULT_MEMORY_MIB);
    let worker_threads = number("worker_threads", raw.worker_threads.as_ref(), 2);
    Some(WorkerConfig { listen: listen?, tls: tls?, data, memory_mib, worker_threads })
}
