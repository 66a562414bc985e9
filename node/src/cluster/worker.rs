//! The worker's own process: takes parts of plans from the node, and gives what it computed to the node or to other workers. It
//! holds no terms, opens no log, and remembers nothing when a question has ended.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::error::DataFusionError;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion_distributed::{
    DistributedExt, Worker, WorkerPlanRewriteEvent, WorkerPlanRewriteEventResponse, WorkerQueryContext,
};
use meridian_certs::{Credentials, Identity};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use super::admitted::Readable;
use super::codec;
use super::door::Door;
use super::sound::Sound;
use super::workers::{Channels, VERSION};
use crate::sources::UnchangedFiles;

/// What a worker is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerParts {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Trust anchor of the cluster, PEM.
    pub ca: PathBuf,
    /// Its own chain, PEM.
    pub cert: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// The folders below which files may be read; each is there.
    pub data: Vec<PathBuf>,
    /// Memory for all parts of plans together, in bytes.
    pub memory: usize,
}

/// Why a worker does not run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Certificate and key can't be had.
    #[error(transparent)]
    Credentials(#[from] meridian_certs::Error),
    /// The port can't be had.
    #[error("{address} can't be opened: {why}; stop what uses it, or set listen in worker.toml to another")]
    Port {
        /// The address.
        address: SocketAddr,
        /// The operating system's reason.
        why: std::io::Error,
    },
    /// A folder can't be read.
    #[error("{}: {why}; correct data in worker.toml", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The operating system's reason.
        why: std::io::Error,
    },
    /// The engine can't be set up.
    #[error("the engine can't be set up: {0}")]
    Engine(#[from] DataFusionError),
    /// The service ended with an error.
    #[error("the service ended: {0}")]
    Service(#[from] tonic::transport::Error),
}

/// Runs a worker until `end` is cancelled. What is under way then breaks off, and who asked is told so, and asks others.
pub async fn serve(parts: WorkerParts, end: CancellationToken) -> Result<(), ServeError> {
    let WorkerParts { listen, ca, cert, key, data, memory } = parts;
    let credentials = Credentials::load(&ca, &cert, &key)?;
    let name = match credentials.identity() {
        Identity::Node { body, .. } | Identity::Analyst { body, .. } => body.clone(),
    };
    let folders = data.into_iter().map(|path| path.canonicalize().map_err(|why| ServeError::Folder { path, why }));
    let folders: Vec<PathBuf> = folders.collect::<Result<_, _>>()?;
    // No row is ever on a disk but in the body's own files.
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(GreedyMemoryPool::new(memory)))
        .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
        .build_arc()?;
    let readable = Readable::new(folders, UnchangedFiles::new(&runtime)?);
    let channels = Channels::new(credentials.client_connector());
    let known = codec::known_functions()?;
    let session = move |WorkerQueryContext { builder, headers: _ }: WorkerQueryContext| {
        let (readable, channels) = (readable.clone(), channels.clone());
        async move {
            let admitted = move |event: WorkerPlanRewriteEvent<'_>| {
                readable.admitted(event.plan).map(WorkerPlanRewriteEventResponse::new)
            };
            let builder = builder
                .with_scalar_functions(known.scalar_functions().values().cloned().collect())
                .with_distributed_user_codec_arc(Arc::new(codec::Ours))
                .with_distributed_channel_resolver(channels)
                .with_distributed_worker_plan_rewrite_handler(admitted);
            Ok::<_, DataFusionError>(builder.build())
        }
    };
    let listener = TcpListener::bind(listen).await.map_err(|why| ServeError::Port { address: listen, why })?;
    // Another one after a restart: what this process had begun is lost then.
    let process = format!("{VERSION}/{}", hex::encode(rand::random::<[u8; 8]>()));
    let worker = Worker::from_session_builder(session).with_runtime_env(runtime).with_version(process);
    tracing::info!(worker = %name, %listen, "ready");
    let served = Server::builder()
        .layer(Door)
        .layer(Sound::until(end.clone()))
        .add_service(worker.into_worker_server())
        .serve_with_incoming(credentials.server_acceptor().incoming(listener));
    tokio::select! {
        served = served => Ok(served?),
        () = end.cancelled() => Ok(()),
    }
}
