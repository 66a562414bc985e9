//! A node put together from its configuration, from opened files to the last answer.

mod abroad;
pub(crate) mod conformance;
mod controls;
pub(crate) mod copies;
mod datasets;
mod describe;
mod monitored;
mod notify;
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
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::agreements::Agreements;
use crate::audit::{self, Keeping, Log, LogError, LogKey};
use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::cluster::Workers;
use crate::config::{Config, Counts, NodeConfig, PublicTls, Reader, TelemetryConfig, WorkbenchConfig};
use crate::downloads::{self, Downloads};
use crate::flight;
use crate::history::{History, HistoryError};
use crate::membership::{Means, Members, MembershipError};
use crate::metrics::Metrics;
use crate::news::{self, News};
use crate::peers::Directory;
use crate::portal::Portal;
use crate::query::{Engine, Parts, QueryError};
use crate::register::Registers;
use crate::secrets::{Purpose, Secret, SecretError};
use crate::traces::Exporting;
use crate::web::{self, Readiness};
use crate::witness::{self, Witnessing};
use crate::workbench::{self, Workbench};
pub(crate) use abroad::membership_file;
use describe::Describer;

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
    let listener = listen("the Flight SQL port", "listen", node.listen, TcpListener::bind(node.listen).await)?;
    let (readiness, metrics) = (Readiness::default(), Metrics::new());
    if let Some(address) = node.health {
        let health = listen("the health port", "health", address, web::bind(address).await)?;
        tokio::spawn(web::serve(health, readiness.clone(), Arc::clone(&metrics)));
    }
    let public = match node.public.listen {
        Some(listen) => Some(web::public::Public::bind(listen, node.public.tls.as_ref().map(files)).await?),
        None => None,
    };
    let workbench = match &node.workbench {
        Some(WorkbenchConfig { listen: address, address: named }) => {
            let bound = Workbench::bind(*address, named.as_deref()).await;
            Some(listen("the workbench's port", "[workbench] listen", *address, bound)?)
        }
        None => None,
    };
    let credentials = credentials(node)?;
    credentials.trust(&analysts(node))?;
    let secret = Arc::new(Secret::open(&node.state)?);
    let log = Log::open(&node.state.join("audit"), &keeping(node, &secret))?;
    let peers = peers(node, &credentials);
    let members = members(node, &credentials, &peers, &clock)?;
    let others = abroad::others(node, &credentials, &clock)?;
    let directory =
        Directory::open(Some(node.body.clone()), credentials.home(), Arc::clone(&peers), node.state.join("peers"));
    let witnessing = Witnessing::open(witness::Parts {
        federation: node.federation.clone(),
        body: node.body.clone(),
        log: Arc::clone(&log),
        seed: secret.key(Purpose::Witness),
        credentials: Arc::clone(&credentials),
        peers: Arc::clone(&peers),
        folder: node.state.join("witness"),
    });
    let agreements = Agreements::new(&node.state, Arc::clone(&credentials), Arc::clone(&peers), clock.clone());
    let history = History::open(&node.state.join(copies::HISTORY), &secret.key(Purpose::History))?;
    let rights = Arc::new(rights::Applied::new(&node.state, &secret, Arc::clone(&log)));
    let copied = copies::keep(node.state.clone(), Arc::clone(&history));
    let ground = terms::Ground { secret, history, clock: clock.clone(), rights };
    let datasets = datasets::Datasets::load(&config, ground).await;
    let mut describer = Describer {
        federation: node.federation.clone(),
        body: node.body.clone(),
        title: node.title.clone(),
        credentials: Arc::clone(&credentials),
        directory: Arc::clone(&directory),
        log_keys: witnessing.keys().clone(),
        told: None,
        failed: None,
    };
    let directories = others.iter().map(|other| Arc::clone(&other.directory)).collect();
    let catalogue = Catalogue::new(node.body.clone(), datasets.own(), Arc::clone(&directory), directories);
    datasets.put_views(&catalogue);
    let told = describer.try_tell(datasets.listed());
    told.map_err(|why| Error::Service(format!("its own description: {why}")))?;
    let registers = Registers::open(
        node.body.clone(),
        node.federation.clone(),
        Arc::clone(&credentials),
        Arc::clone(&peers),
        node.state.join(register::KEPT),
    );
    let news = News::new(news::Parts {
        own: node.body.clone(),
        peers: Arc::clone(&peers),
        directory: Arc::clone(&directory),
        registers: Arc::clone(&registers),
        members: members.clone(),
        agreements: Arc::clone(&agreements),
    });
    let workers = workers(node)?;
    let clustered = workers.as_ref().map(|workers| Arc::clone(workers.credentials()));
    let engine = Engine::new(Parts {
        federation: node.federation.clone(),
        body: node.body.clone(),
        catalogue: Arc::clone(&catalogue),
        clock: clock.clone(),
        log: Arc::clone(&log),
        witnessing: Arc::clone(&witnessing),
        agreements: Arc::clone(&agreements),
        near_alert: node.audit.near_alert.into(),
        credentials: Arc::clone(&credentials),
        routes: Routes::new(Arc::clone(&peers), others.iter().map(|other| Arc::clone(&other.peers))),
        members: members.clone(),
        registers: Arc::clone(&registers),
        news: Arc::clone(&news),
        abroad: others.iter().filter_map(|other| other.members.clone()).collect(),
        memory: node.limits.memory_mib << 20,
        // A little less than this node's own limit, so that the body that is slow is named.
        patience: Duration::from_secs(node.limits.seconds).mul_f64(0.9),
        target_partitions: node.limits.target_partitions,
        metrics: Arc::clone(&metrics),
        workers,
    })?;
    let acceptor = credentials.server_acceptor();
    let monitored = monitored::Monitored {
        readiness: readiness.clone(),
        engine: Arc::downgrade(&engine),
        memory: node.limits.memory_mib << 20,
        log: Arc::clone(&log),
        witnessing: Arc::clone(&witnessing),
        peers: std::iter::once(&peers).chain(others.iter().map(|other| &other.peers)).cloned().collect(),
        credentials: Arc::clone(&credentials),
        members: members.clone(),
        catalogue: Arc::clone(&catalogue),
        refused: acceptor.refused(),
        state: node.state.clone(),
        clock: clock.clone(),
    };
    metrics.read_by(move || monitored.read());
    log.hold();
    let (follow, followed) = watch::channel(config.clone());
    let files = files_of(node, &engine, &datasets, &clock)?;
    if let Some(public) = public {
        let known = followed.clone();
        let standards = move || known.borrow().standards.iter().map(|known| Arc::clone(&known.standard)).collect();
        let address = node.public.address.clone();
        let portal = Portal::new(node.body.clone(), Arc::clone(&directory), standards, address);
        let portal = match &files {
            Some(files) => portal.with_files(Arc::clone(files)),
            None => portal,
        };
        public.serve(Arc::clone(&registers), portal, files.clone(), clock.clone())?;
    }
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
    background.extend(clustered.map(|held| tokio::spawn(renewal::keep_cluster(cluster(node), held))));
    background.extend(members.map(|members| tokio::spawn(members.follow_authorities())));
    for abroad::Other { directory, members, .. } in others {
        background.push(tokio::spawn(directory.learn()));
        background.extend(members.map(|members| tokio::spawn(members.follow())));
    }
    tracing::info!(body = %node.body, listen = %node.listen, "ready");
    let limits = flight::Limits {
        streams: node.limits.streams,
        message_bytes: node.limits.message_bytes,
        statement_bytes: node.limits.statement_bytes,
        time: Duration::from_secs(node.limits.seconds),
    };
    let incoming = acceptor.incoming(listener);
    let door = flight::Door::new(engine, limits).map_err(|error| Error::Service(error.to_string()))?;
    if let Some(workbench) = workbench {
        let parts = workbench::Parts {
            door: door.clone(),
            federation: node.federation.clone(),
            body: node.body.clone(),
            title: node.title.clone(),
            saved: node.state.join("questions"),
            portal: portal_address(node),
        };
        background.push(tokio::spawn(workbench.serve(Arc::clone(&credentials), parts)));
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

fn files(tls: &PublicTls) -> web::public::Files {
    web::public::Files { certificate: tls.certificate.clone(), key: tls.key.clone() }
}

fn listen<T>(
    what: &'static str,
    key: &'static str,
    address: std::net::SocketAddr,
    bound: std::io::Result<T>,
) -> Result<T, Error> {
    bound.map_err(|why| Error::Port { what, address, why, key })
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
    let Some(engine) = &node.engine else { return Ok(None) };
    let credentials = cluster(node).node()?;
    Workers::new(&engine.workers, credentials, engine.at_home).map(Some).map_err(|why| Error::Service(why.to_string()))
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
