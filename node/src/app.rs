//! A node put together from its configuration, from opened files to the last answer.

mod abroad;
pub(crate) mod conformance;
mod controls;
pub(crate) mod copies;
mod datasets;
mod describe;
mod monitored;
mod notify;
mod ports;
pub(crate) mod register;
pub(crate) mod renewal;
pub(crate) mod rights;
mod tables;
mod terms;
mod views;

use std::collections::HashMap;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use meridian_certs::{Analysts, Cluster, Credentials, Identity};
use meridian_federation::remote::{Peers, Routes};
use meridian_proto::Name;
use tokio::sync::watch;

use crate::audit::{self, Keeping, Log, LogError, LogKey};
use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::cluster::Workers;
use crate::config::{Config, Counts, NodeConfig, Reader, TelemetryConfig};
use crate::downloads::{self, Downloads};
use crate::flight;
use crate::history::{History, HistoryError};
use crate::membership::{Means, Members, MembershipError};
use crate::metrics::Metrics;
use crate::peers::Directory;
use crate::portal::Portal;
use crate::query::{Engine, Footing, Parts, QueryError, Spill};
use crate::secrets::{Purpose, Secret, SecretError};
use crate::traces::Exporting;
use crate::web::{self, Readiness};
use crate::witness::Witnessing;
use crate::workbench;
pub(crate) use abroad::membership_file;
use describe::Describer;
use ports::Ports;

/// The most time that the first answers wait for what witnesses know of the log.
const WITNESS_PATIENCE: Duration = Duration::from_secs(1);

/// Why a node does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The certificates or the key can't be used.
    #[error(transparent)]
    Credentials(#[from] meridian_certs::Error),
    /// The certificate is somebody else's.
    #[error("the certificate {cert} is of {found}, and this node is of {expected}: set [tls] cert to the node's own")]
    Identity {
        /// The certificate's file.
        cert: String,
        /// Whose it is.
        found: Identity,
        /// Whose it should be.
        expected: Identity,
    },
    /// The log can't be opened.
    #[error(transparent)]
    Log(#[from] LogError),
    /// A port can't be had.
    #[error("{what} {address} can't be opened: {why}; stop what uses it, or set {key} in node.toml to another")]
    Port {
        /// Which port.
        what: &'static str,
        /// The address.
        address: std::net::SocketAddr,
        /// The operating system's reason.
        why: std::io::Error,
        /// The key in node.toml.
        key: &'static str,
    },
    /// Open data can't be kept as files.
    #[error("the folder of downloads can't be used: {0}; correct it, or remove downloads from [public] in node.toml")]
    Downloads(std::io::Error),
    /// The register can't be served.
    #[error(transparent)]
    Public(#[from] web::public::PublicError),
    /// The node's secret can't be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// Who is in the federation can't be read.
    #[error(transparent)]
    Membership(#[from] MembershipError),
    /// What was answered before can't be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The engine can't be set up.
    #[error(transparent)]
    Engine(#[from] QueryError),
    /// The service ended with an error.
    #[error("the service ended: {0}")]
    Service(String),
}

/// Runs a node until `shutdown` completes. `config` was read from `file` and is followed there. Agreements begin and end, and snapshots are renewed, by `clock`.
pub async fn serve(
    file: &Path,
    config: Config,
    clock: Clock,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), Error> {
    let node = &config.node;
    let exporting = exporting(node)?;
    let (readiness, metrics) = (Readiness::default(), Metrics::new());
    let Ports { listener, public, workbench } = Ports::open(node, &readiness, &metrics).await?;
    let (footing, secret, others) = footing(node, &clock)?;
    let history = History::open(&node.state.join(copies::HISTORY), &secret.key(Purpose::History))?;
    let rights = Arc::new(rights::Applied::new(&node.state, &secret, Arc::clone(&footing.log)));
    let copied = copies::keep(node.state.clone(), Arc::clone(&history));
    let ground = terms::Ground { secret, history, clock: clock.clone(), rights };
    let datasets = datasets::Datasets::load(&config, ground).await;
    let (peers, directory) = (Arc::clone(&footing.peers), Arc::clone(&footing.directory));
    let directories = others.iter().map(|other| Arc::clone(&other.directory)).collect();
    let catalogue = Catalogue::new(node.body.clone(), datasets.own(), Arc::clone(&directory), directories);
    datasets.put_views(&catalogue);
    let parts = parts(node, footing, &catalogue, &others, metrics)?;
    let mut describer = Describer::new(node, &parts, Arc::clone(&directory));
    let told = describer.try_tell(datasets.listed());
    told.map_err(|why| Error::Service(format!("its own description: {why}")))?;
    let engine = Engine::new(parts.clone())?;
    let acceptor = parts.credentials.server_acceptor();
    let everybody = std::iter::once(&peers).chain(others.iter().map(|other| &other.peers)).cloned().collect();
    let monitored = monitored::Monitored::new(node, &engine, &parts, (&readiness, everybody, acceptor.refused()));
    parts.metrics.read_by(move || monitored.read());
    parts.log.hold();
    let (follow, followed) = watch::channel(config.clone());
    let files = files_of(node, &engine, &datasets, &clock)?;
    if let Some(public) = public {
        let registers = Arc::clone(&parts.registers);
        public.serve(registers, portal(node, directory, files.as_ref(), &followed), files.clone(), clock.clone())?;
    }
    let Parts { credentials, log, witnessing, news, agreements, members, registers, workers, .. } = parts;
    let mut background = vec![
        tokio::spawn(witnessed(Arc::clone(&log), witnessing, readiness.clone())),
        tokio::spawn(news.follow()),
        tokio::spawn(copied),
        tokio::spawn(agreements.follow()),
        tokio::spawn(renewal::keep(node.clone(), Arc::clone(&credentials), members.clone())),
        tokio::spawn(datasets.watch(Reader::new(file, config.clone()), catalogue, describer, follow)),
        tokio::spawn(register::keep(followed, registers, log, clock)),
    ];
    background.extend(files.map(|files| tokio::spawn(files.keep())));
    background.extend(
        workers.map(|workers| tokio::spawn(renewal::keep_cluster(cluster(node), Arc::clone(workers.credentials())))),
    );
    background.extend(members.map(|members| tokio::spawn(members.follow_authorities())));
    for abroad::Other { directory, members, .. } in others {
        background.push(tokio::spawn(directory.learn()));
        background.extend(members.map(|members| tokio::spawn(members.follow())));
    }
    tracing::info!(body = %node.body, listen = %node.listen, "ready");
    let incoming = acceptor.incoming(listener);
    let door = flight::Door::new(engine, limits(node)).map_err(|error| Error::Service(error.to_string()))?;
    if let Some(workbench) = workbench {
        background.push(tokio::spawn(workbench.serve(credentials, of_workbench(node, door.clone()))));
    }
    let served = flight::serve(incoming, door, shutdown).await;
    readiness.set(false);
    notify::stopping();
    for task in background {
        task.abort();
    }
    if let Some(exporting) = exporting {
        exporting.end().await;
    }
    served.map_err(|error| Error::Service(error.to_string()))
}

/// What the node has before its datasets are loaded; its secret; and the other federations.
fn footing(node: &NodeConfig, clock: &Clock) -> Result<(Footing, Arc<Secret>, Vec<abroad::Other>), Error> {
    let credentials = credentials(node)?;
    credentials.trust(&analysts(node))?;
    let secret = Arc::new(Secret::open(&node.state)?);
    let log = Log::open(&node.state.join("audit"), &keeping(node, &secret))?;
    let peers = peers(node, &credentials);
    let members = members(node, &credentials, &peers, clock)?;
    let others = abroad::others(node, &credentials, clock)?;
    let directory =
        Directory::open(Some(node.body.clone()), credentials.home(), Arc::clone(&peers), node.state.join("peers"));
    let (seed, state, clock) = (secret.key(Purpose::Witness), node.state.clone(), clock.clone());
    Ok((Footing { credentials, peers, directory, members, log, seed, state, clock }, secret, others))
}

/// What its engine is made of.
fn parts(
    node: &NodeConfig,
    footing: Footing,
    catalogue: &Arc<Catalogue>,
    others: &[abroad::Other],
    metrics: Arc<Metrics>,
) -> Result<Parts, Error> {
    Ok(Parts {
        near_alert: node.audit.near_alert.into(),
        routes: Routes::new(Arc::clone(&footing.peers), others.iter().map(|other| Arc::clone(&other.peers))),
        abroad: others.iter().filter_map(|other| other.members.clone()).collect(),
        memory: node.limits.memory_mib << 20,
        spill: Spill::new(&node.state, u64::from(node.limits.spill_mib) << 20),
        // A little less than this node's own limit, so that the body that is slow is named.
        patience: Duration::from_secs(node.limits.seconds).mul_f64(0.9),
        endpoints: u32::try_from(node.limits.endpoints.min(flight::MOST_ENDPOINTS)).unwrap_or(1),
        target_partitions: node.limits.target_partitions,
        metrics,
        workers: workers(node)?,
        ..Parts::new(footing, Arc::clone(catalogue))
    })
}

/// The pages of what is published.
fn portal(
    node: &NodeConfig,
    directory: Arc<Directory>,
    files: Option<&Arc<Downloads>>,
    followed: &watch::Receiver<Config>,
) -> Portal {
    let known = followed.clone();
    let standards = move || known.borrow().standards.iter().map(|known| Arc::clone(&known.standard)).collect();
    let portal = Portal::new(node.body.clone(), directory, standards, node.public.address.clone());
    match files {
        Some(files) => portal.with_files(Arc::clone(files)),
        None => portal,
    }
}

fn limits(node: &NodeConfig) -> flight::Limits {
    flight::Limits {
        streams: node.limits.streams,
        message_bytes: node.limits.message_bytes,
        statement_bytes: node.limits.statement_bytes,
        time: Duration::from_secs(node.limits.seconds),
    }
}

fn of_workbench(node: &NodeConfig, door: flight::Door) -> workbench::Parts {
    workbench::Parts {
        door,
        federation: node.federation.clone(),
        body: node.body.clone(),
        title: node.title.clone(),
        saved: node.state.join("questions"),
        portal: portal_address(node),
    }
}

/// Open data as files, where the configuration gives it so.
fn files_of(
    node: &NodeConfig,
    engine: &Arc<Engine>,
    datasets: &Arc<datasets::Datasets>,
    clock: &Clock,
) -> Result<Option<Arc<Downloads>>, Error> {
    let Some(most_mib) = node.public.download_mib else { return Ok(None) };
    let datasets = Arc::clone(datasets);
    let opened = Downloads::open(downloads::Parts {
        engine: Arc::clone(engine),
        versions: Box::new(move |name: &Name| datasets.version(name)),
        state: node.state.clone(),
        most_mib,
        clock: clock.clone(),
        live: node.public.counts == Counts::Live,
    });
    opened.map(Some).map_err(Error::Downloads)
}

/// Lets the log be witnessed. The node is ready when the first witnesses were asked, and not if its log is not the newest
/// that they know.
async fn witnessed(log: Arc<Log>, witnessing: Arc<Witnessing>, readiness: Readiness) {
    witnessing.begin(WITNESS_PATIENCE).await;
    let stopped = log.stopped().map(|error| error.to_string());
    readiness.set(stopped.is_none());
    notify::ready(stopped.as_deref());
    witnessing.run().await;
    readiness.set(false);
}

/// Where anybody reads what is published, as far as the node knows.
fn portal_address(node: &NodeConfig) -> Option<String> {
    let public = &node.public;
    let scheme = if public.tls.is_some() { "https" } else { "http" };
    let served = || public.listen.map(|listen| format!("{scheme}://{listen}/"));
    Some(format!("{}catalogue/", public.address.clone().or_else(served)?))
}

/// Spans go to the operator's collector, where there is one.
fn exporting(node: &NodeConfig) -> Result<Option<Exporting>, Error> {
    let begin = |to: &TelemetryConfig| {
        Exporting::begin(&to.otlp, to.percent, node.federation.as_str(), node.body.as_str())
            .map_err(|why| Error::Service(format!("traces can't be sent to {}: {why}", to.otlp)))
    };
    node.telemetry.as_ref().map(begin).transpose()
}

/// The way to the bodies that the configuration names; a membership names others.
pub(crate) fn peers(node: &NodeConfig, credentials: &Credentials) -> Arc<Peers> {
    let endpoints: HashMap<Name, String> =
        node.members.iter().map(|member| (member.body.clone(), member.endpoint.clone())).collect();
    Peers::new(node.federation.clone(), credentials.client_connector(), endpoints)
}

/// Who is in, where an authority says so.
pub(crate) fn members(
    node: &NodeConfig,
    credentials: &Arc<Credentials>,
    peers: &Arc<Peers>,
    clock: &Clock,
) -> Result<Option<Arc<Members>>, MembershipError> {
    if node.authorities.is_empty() {
        return Ok(None);
    }
    let means = Means {
        own: Some(node.body.clone()),
        federation: credentials.home(),
        authorities: node.authorities.clone(),
        peers: Arc::clone(peers),
        clock: clock.clone(),
    };
    Members::open(means, node.state.join(MEMBERSHIP_FILE)).map(Some)
}

/// The analysts of the node's own body.
pub(crate) fn analysts(node: &NodeConfig) -> Analysts {
    Analysts::new(node.federation.clone(), node.body.clone(), node.state.join("analysts"))
}

/// The cluster of the node's own body.
pub(crate) fn cluster(node: &NodeConfig) -> Cluster {
    Cluster::new(node.body.clone(), node.state.join("cluster"))
}

/// The way to the workers of the cluster, where there are any.
pub(crate) fn workers(node: &NodeConfig) -> Result<Option<Arc<Workers>>, Error> {
    let Some(said) = &node.cluster else { return Ok(None) };
    let credentials = cluster(node).node()?;
    Workers::new(&said.workers, credentials, said.at_home).map(Some).map_err(|why| Error::Service(why.to_string()))
}

/// The membership's file in the state folder.
pub(crate) const MEMBERSHIP_FILE: &str = "membership";

/// By which keys the node's log is kept.
fn keeping(node: &NodeConfig, secret: &Secret) -> Keeping {
    let name = audit::origin(node.federation.as_str(), node.body.as_str());
    let log = LogKey::new(&name, &secret.key(Purpose::Log));
    Keeping { key: secret.key(Purpose::Audit), days: node.audit.private_days, log }
}

/// The node's certificate, which must be its body's.
pub(crate) fn credentials(node: &NodeConfig) -> Result<Arc<Credentials>, Error> {
    let others: Vec<_> = node.federations.iter().map(|other| (Some(other.name.clone()), other.ca.as_path())).collect();
    let credentials = Credentials::load_trusting(&node.tls.ca, &node.tls.cert, &node.tls.key, &others)?;
    let expected = Identity::Node { federation: node.federation.clone(), body: node.body.clone() };
    if *credentials.identity() != expected {
        let found = credentials.identity().clone();
        return Err(Error::Identity { cert: node.tls.cert.display().to_string(), found, expected });
    }
    Ok(credentials)
}
