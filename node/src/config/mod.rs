//! Reads a node's configuration into types that can't be wrong, and reports every problem with its file and line.

mod addresses;
mod again;
mod agreement;
mod algorithm;
mod cluster;
mod database;
mod dataset;
mod document;
mod duration;
mod engine;
mod files;
mod grant;
mod node;
mod particulars;
mod problem;
mod raw;
mod standard;
mod store;
mod view;
mod workbench;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use meridian_proto::{BodyName, Contact, Name};
use serde::Deserialize;

use node::Folders;
use problem::{File, Folder, Report};

use crate::sources::{AddressList, FlightEngine, Server, Store};

pub use again::{News, Reader};
pub use agreement::AgreementConfig;
pub use algorithm::{AlgorithmConfig, SectionConfig};
pub use cluster::{ClusterConfig, WorkerConfig};
pub use dataset::{
    Belongs, DatasetConfig, DominanceConfig, HistoryMode, NoiseConfig, Precision, TableConfig, UnitConfig, UnitKey,
};
pub use grant::GrantConfig;
pub use particulars::Particulars;
pub(crate) use problem::explained;
pub use problem::{ConfigError, Problem};
pub use standard::{StandardConfig, built_in};
pub use view::ViewConfig;

/// A node's whole configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// What node.toml says.
    pub node: NodeConfig,
    /// The datasets, sorted by file name.
    pub datasets: Vec<DatasetConfig>,
    /// The views, sorted by file name.
    pub views: Vec<ViewConfig>,
    /// The agreements, sorted by file name.
    pub agreements: Vec<AgreementConfig>,
    /// The records of algorithms, sorted by file name.
    pub algorithms: Vec<AlgorithmConfig>,
    /// The standards that the node knows, sorted by name: its own files, and those that are built in.
    pub standards: Vec<StandardConfig>,
}

/// What node.toml says; paths are resolved against its folder.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Whom to ask about the body's datasets where their own files name nobody.
    pub contact: Option<Contact>,
    /// The folder of the datasets' files.
    pub datasets: PathBuf,
    /// The folder of the views' files.
    pub views: PathBuf,
    /// The folder of the agreements' files.
    pub agreements: PathBuf,
    /// The folder of the algorithms' files.
    pub algorithms: PathBuf,
    /// The folder of the standards' files.
    pub standards: PathBuf,
    /// Certificates and key.
    pub tls: TlsPaths,
    /// What the register tells anybody, and where it is served, if it is.
    pub public: PublicConfig,
    /// Where the body's analysts open their workbench in a browser, if they do.
    pub workbench: Option<WorkbenchConfig>,
    /// The machines on which a part of its plans is computed, if there are any.
    pub cluster: Option<ClusterConfig>,
    /// What the node does at most.
    pub limits: Limits,
    /// What becomes of its log.
    pub audit: AuditConfig,
    /// Where traces of its work go, if they go anywhere.
    pub telemetry: Option<TelemetryConfig>,
    /// The federation's authorities, which say who the members are: `https://host:port`. Mostly one.
    pub authorities: Vec<String>,
    /// The bodies of the federation and where their nodes are, where no authority says so.
    pub members: Vec<Member>,
    /// The other federations whose nodes this one trusts.
    pub federations: Vec<FederationConfig>,
    /// The databases whose tables are sources.
    pub databases: Vec<Arc<Server>>,
    /// The engines whose tables are sources.
    pub engines: Vec<Arc<FlightEngine>>,
    /// The object stores whose objects are sources.
    pub stores: Vec<Arc<Store>>,
    /// The address lists in which mappings look.
    pub addresses: Vec<Arc<AddressList>>,
}

/// Another federation that this node trusts. It trusts nobody else whom that one may trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederationConfig {
    /// Its name.
    pub name: Name,
    /// Its trust anchors, PEM.
    pub ca: PathBuf,
    /// Its authorities, which say who its members are: `https://host:port`. Mostly one.
    pub authorities: Vec<String>,
    /// Its bodies and where their nodes are, where no authority says so.
    pub members: Vec<Member>,
}

impl NodeConfig {
    /// Whether a body of whichever federation may be meant by a name.
    pub fn may_be_known(&self, body: &BodyName) -> bool {
        let Some(federation) = body.abroad() else { return self.may_be_member(body.slug()) };
        self.federations.iter().filter(|known| known.name == *federation).any(|known| {
            !known.authorities.is_empty() || known.members.iter().any(|member| member.body == *body.slug())
        })
    }

    /// Whether a body may be meant by a name: a member, or anybody where the authority says who is one.
    pub fn may_be_member(&self, name: &Name) -> bool {
        self.body == *name || !self.authorities.is_empty() || self.members.iter().any(|member| member.body == *name)
    }
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

/// What the register tells anybody, and where they may read it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PublicConfig {
    /// The address, if it is served; a loopback address where there is no certificate.
    pub listen: Option<SocketAddr>,
    /// Certificate chain and key (PEM) that browsers trust; plain HTTP where there is none.
    pub tls: Option<PublicTls>,
    /// Where readers find it, with a slash at its end: `https://data.camden.example/`.
    pub address: Option<String>,
    /// As of when use is counted.
    pub counts: Counts,
    /// The largest file, in MiB, as which open data is given; none is where there is no number.
    pub download_mib: Option<u32>,
}

/// Where the body's analysts open their workbench.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkbenchConfig {
    /// The port: TLS with the node's own certificate, and with an analyst's.
    pub listen: SocketAddr,
    /// What browsers call it where that is another name: `https://node.camden.example:8443`.
    pub address: Option<String>,
}

/// As of when the register counts use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Counts {
    /// As of the end of the last whole day, UTC, so that nobody sees from them when somebody asks.
    #[default]
    Daily,
    /// As it happens.
    Live,
}

/// Files of a certificate that browsers trust; each existed when the configuration was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicTls {
    /// The chain, PEM.
    pub certificate: PathBuf,
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
    /// Mebibytes of Parquet files up to which a dataset with a unit is held in memory, beside what queries share; larger ones
    /// are scanned by every query. Parquet is several times smaller than its rows in memory.
    pub held_mib: u32,
    /// Mebibytes on disk that all queries of the body's own analysts over nothing but open data of its own share, where memory is
    /// not enough; none where it is 0.
    pub spill_mib: u32,
    /// Connections over which the long answer of another body is read at once; more than 16 are 16.
    pub endpoints: usize,
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
            held_mib: 64,
            spill_mib: 4096,
            endpoints: 2,
            worker_threads: 2,
            target_partitions: 2,
        }
    }
}

/// What becomes of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditConfig {
    /// The most days that the private part of a record is kept: literals of the SQL, cells withheld and reused.
    pub private_days: u32,
    /// The days after which records may be sealed: archived and removed, except for their hashes. For good where none is said.
    pub record_days: Option<u32>,
    /// Near pairs of counts that an analyst, or an agreement, may make in a day before there is an alert.
    pub near_alert: u32,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { private_days: 90, record_days: None, near_alert: 20 }
    }
}

/// Where traces of a node's work go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TelemetryConfig {
    /// An OTLP collector on this machine: `http://127.0.0.1:4317`.
    pub otlp: String,
    /// How much of all traces is kept, in percent: 1 to 100.
    pub percent: u8,
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

    /// The standard of that name.
    pub fn standard(&self, name: &str) -> Option<&StandardConfig> {
        self.standards.iter().find(|known| known.standard.name.as_str() == name)
    }
}

fn read(path: &Path, report: &mut Report) -> Option<Config> {
    let file = File::read(path, report)?;
    let raw: raw::Node = file.parse(report)?;
    let base = file.folder();
    let node = node::check(&file, &raw, report);
    let folders = node::folders(&file, &raw);

    let Folders { datasets, views, agreements, algorithms, standards } = &folders;
    let read = [datasets, views, agreements, algorithms, standards].map(|folder| Folder::read(folder));
    for folder in &read {
        report.extend(&folder.problems);
    }
    let [dataset_files, view_files, agreement_files, algorithm_files, standard_files] = read;
    let standards = files::standards(&standard_files, None, report);
    let around = files::Around { base: &base, node: node.as_ref(), standards: &standards };
    let (datasets, all) = files::datasets(&dataset_files, &around, None, report);
    let all_datasets = all && (raw.datasets.is_none() || folders.datasets.is_dir());
    let known = files::Known { node: node.as_ref(), datasets: &datasets, all_datasets };
    let views = files::views(&view_files, &known, None, report);
    let mut agreements = files::agreements(&agreement_files, &known, &views, None, report);
    if let Some(node) = &node {
        agreements.extend(documents(node, &known, &views, &agreements));
    }
    let algorithms = files::algorithms(&algorithm_files, &known, None, report);
    Some(Config { node: node?, datasets, views, agreements, algorithms, standards })
}

/// What others signed as well stands in the way of nothing: where it does not fit, it is said and not in force.
fn documents(
    node: &NodeConfig,
    known: &files::Known<'_>,
    views: &[ViewConfig],
    own: &[AgreementConfig],
) -> Vec<AgreementConfig> {
    let folder = Folder::signed(node);
    let mut report = Report::from(folder.problems.clone());
    let found = files::documents(&folder, known, (views, own), &[], &mut report);
    for problem in report.into_problems() {
        tracing::error!(%problem, "an agreement that all have signed is not in force");
    }
    found
}

fn find<'a>(datasets: &'a [DatasetConfig], name: &str) -> Option<&'a DatasetConfig> {
    datasets.iter().find(|config| config.dataset.name.as_str() == name)
}
