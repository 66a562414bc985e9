//! Reads a node's configuration into types that can't be wrong, and reports every problem with its file and line.

mod agreement;
mod dataset;
mod grant;
mod node;
mod problem;
mod raw;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use meridian_proto::Name;

use problem::{File, Report};

pub use agreement::AgreementConfig;
pub use dataset::{Belongs, DatasetConfig, DominanceConfig, HistoryMode, NoiseConfig, Precision, UnitConfig, UnitKey};
pub use grant::GrantConfig;
pub use problem::{ConfigError, Problem};

/// A node's whole configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// What node.toml says.
    pub node: NodeConfig,
    /// The datasets, sorted by file name.
    pub datasets: Vec<DatasetConfig>,
    /// The agreements, sorted by file name.
    pub agreements: Vec<AgreementConfig>,
}

/// What node.toml says; paths are resolved against its folder.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// The federation that the node belongs to.
    pub federation: Name,
    /// The body that runs it.
    pub body: Name,
    /// The body's name for people.
    pub title: String,
    /// Where Flight SQL is served.
    pub listen: SocketAddr,
    /// Where health is served: a loopback address.
    pub health: Option<SocketAddr>,
    /// The folder of the node's own files; it may not exist yet.
    pub state: PathBuf,
    /// Certificates and key.
    pub tls: TlsPaths,
    /// What the node does at most.
    pub limits: Limits,
    /// The bodies of the federation and where their nodes are.
    pub members: Vec<Member>,
}

/// Files of certificates and key; each existed when the configuration was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsPaths {
    /// Trust anchors of the federation, PEM.
    pub ca: PathBuf,
    /// The node's own chain, PEM.
    pub cert: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
}

/// What a node does at most; none is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Answers under way at once.
    pub streams: usize,
    /// Bytes of a gRPC message.
    pub message_bytes: usize,
    /// Bytes of a statement's text.
    pub statement_bytes: usize,
    /// Seconds of one query.
    pub seconds: u64,
    /// Mebibytes that all queries share.
    pub memory_mib: usize,
    /// Threads that run queries.
    pub worker_threads: usize,
    /// Partitions into which a query is split.
    pub target_partitions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams: 64,
            message_bytes: 16 * 1024 * 1024,
            statement_bytes: 1024 * 1024,
            seconds: 300,
            memory_mib: 512,
            worker_threads: 2,
            target_partitions: 2,
        }
    }
}

/// A body of the federation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The body.
    pub body: Name,
    /// Its node's address, `https://host:port`.
    pub endpoint: String,
}

impl Config {
    /// Reads node.toml and what it points to; the error holds every problem that was found.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let mut report = Report::default();
        match read(path, &mut report) {
            Some(config) if report.is_empty() => Ok(config),
            _ => Err(report.into_error(path)),
        }
    }

    /// The dataset of that name.
    pub fn dataset(&self, name: &str) -> Option<&DatasetConfig> {
        find(&self.datasets, name)
    }
}

fn read(path: &Path, report: &mut Report) -> Option<Config> {
    let file = File::read(path, report)?;
    let raw: raw::Node = file.parse(report)?;
    let base = file.folder();
    let folders = node::folders(&file, &raw, report);
    let node = node::check(&file, &raw, report);

    let mut datasets = Vec::new();
    let dataset_files = toml_files(&folders.datasets, report);
    for file in &dataset_files {
        if let Some(raw) = file.parse::<raw::Dataset>(report) {
            let checked = dataset::check(file, &base, &raw, &datasets, report);
            datasets.extend(checked);
        }
    }
    let mut agreements: Vec<AgreementConfig> = Vec::new();
    let all_datasets = datasets.len() == dataset_files.len() && (raw.datasets.is_none() || folders.datasets.is_dir());
    let known = agreement::Known { node: node.as_ref(), datasets: &datasets, all_datasets };
    for file in toml_files(&folders.agreements, report) {
        if let Some(raw) = file.parse::<raw::Agreement>(report) {
            let checked = agreement::check(&file, &raw, &known, &agreements, report);
            agreements.extend(checked);
        }
    }
    Some(Config { node: node?, datasets, agreements })
}

fn find<'a>(datasets: &'a [DatasetConfig], name: &str) -> Option<&'a DatasetConfig> {
    datasets.iter().find(|config| config.dataset.name.as_str() == name)
}

/// The `.toml` files of a folder, sorted by name; a folder that isn't there holds none.
fn toml_files(folder: &Path, report: &mut Report) -> Vec<File> {
    let Ok(entries) = folder.read_dir() else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    paths.iter().filter_map(|path| File::read(path, report)).collect()
}
