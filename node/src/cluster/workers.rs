//! The workers as the node, or one of them, sees them: the way to each, and whether it answers.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion_distributed::grpc::{BoxCloneSyncChannel, create_worker_client};
use datafusion_distributed::{
    ChannelResolver, CoordinatorToWorkerMsg, ExecuteTaskRequest, GetWorkerInfoRequest, GetWorkerInfoResponse,
    MaybeEncoded, SetPlanRequest, WorkerChannel, WorkerResolver, WorkerToCoordinatorMsg,
};
use futures::future::join_all;
use futures::stream::BoxStream;
use http::HeaderMap;
use meridian_certs::{Connector, Credentials};
use tokio::time::timeout;
use url::Url;

use super::codec;

/// What runs here: a worker of another version may read a plan as another one.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// How long a worker may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long one that didn't is left alone.
const RESTING: Duration = Duration::from_secs(10);

/// The workers of a body's cluster.
pub struct Workers {
    urls: Vec<Url>,
    credentials: Arc<Credentials>,
    channels: Channels,
    /// Who did not answer, and when.
    resting: Mutex<HashMap<Url, Instant>>,
    /// Whether the node computes itself where no worker is left.
    pub(super) at_home: bool,
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("urls", &self.urls.len()).finish_non_exhaustive()
    }
}

/// A worker that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Where it is.
    pub url: Url,
    /// Which process it is: another one after a restart.
    pub(super) process: String,
}

/// Why a worker can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It does not answer, or is not who it should be.
    #[error("it can't be reached: {0}")]
    Unreachable(String),
    /// It is of another version of this program.
    #[error("it runs version {0:?} of the program, and this node {own:?}", own = VERSION)]
    Version(String),
    /// Its address is none.
    #[error("its address is none: {0}")]
    Address(String),
}

impl Unfit {
    /// What is wrong, and what to do.
    pub fn told(&self) -> (String, &'static str) {
        let fix = match self {
            Self::Unreachable(_) => "start it with `meridian node worker serve`, and look at its log",
            Self::Version(_) => "bring node and workers to the same version",
            Self::Address(_) => "write https://HOST:PORT",
        };
        (self.to_string(), fix)
    }
}

impl Workers {
    /// The workers at these addresses (`https://host:port`), each to be met with the node's certificate of the cluster.
    pub fn new(
        endpoints: &[String],
        credentials: Arc<Credentials>,
        at_home: bool,
    ) -> std::result::Result<Arc<Self>, Unfit> {
        let urls = endpoints.iter().map(|text| text.parse::<Url>().map_err(|_| Unfit::Address(text.clone())));
        let (urls, channels) =
            (urls.collect::<std::result::Result<Vec<_>, _>>()?, Channels::new(credentials.client_connector()));
        Ok(Arc::new(Self { urls, credentials, channels, resting: Mutex::default(), at_home }))
    }

    /// By which certificate the node is let in, to be renewed.
    pub fn credentials(&self) -> &Arc<Credentials> {
        &self.credentials
    }

    /// Each worker: that it answers, or why it can't be used.
    pub async fn look(&self) -> Vec<(Url, std::result::Result<Found, Unfit>)> {
        self.look_at_all(&self.urls).await
    }

    /// Those that can be used. Who can't is told to the operator, and left alone for a while: no question is to wait for a
    /// machine that is away as long as there are others.
    pub(super) async fn fit(&self) -> Vec<Found> {
        let resting = || self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        let rests = |url: &&Url| resting().get(url).is_some_and(|since| since.elapsed() < RESTING);
        let awake: Vec<Url> = self.urls.iter().filter(|url| !rests(url)).cloned().collect();
        let fit = self.fit_of(&awake).await;
        if fit.is_empty() { self.fit_of(&self.urls).await } else { fit }
    }

    async fn fit_of(&self, urls: &[Url]) -> Vec<Found> {
        let mut fit = Vec::with_capacity(urls.len());
        for (url, found) in self.look_at_all(urls).await {
            let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
            match found {
                Ok(found) => {
                    resting.remove(&url);
                    fit.push(found);
                }
                Err(why) => {
                    tracing::warn!(worker = %url, %why, "a worker of the cluster is not used");
                    resting.insert(url, Instant::now());
                }
            }
        }
        fit
    }

    async fn look_at_all(&self, urls: &[Url]) -> Vec<(Url, std::result::Result<Found, Unfit>)> {
        let looks = urls.iter().map(|url| async { (url.clone(), self.look_at(url).await) });
        join_all(looks).await
    }

    /// How many there should be.
    pub(super) fn count(&self) -> usize {
        self.urls.len()
    }

    /// The way to them, by which plans are encoded as they are read there.
    pub(super) fn channels(&self) -> Channels {
        self.channels.clone()
    }

    async fn look_at(&self, url: &Url) -> std::result::Result<Found, Unfit> {
        let unreachable = |why: &dyn fmt::Display| Unfit::Unreachable(why.to_string());
        let mut channel = self.channels.to(url).map_err(|error| unreachable(&error))?;
        let asked = timeout(PATIENCE, channel.get_worker_info(GetWorkerInfoRequest {})).await;
        let answer = asked.map_err(|_| unreachable(&format!("no answer within {} s", PATIENCE.as_secs())))?;
        let said = answer.map_err(|error| unreachable(&root(&error)))?.version;
        match said.split_once('/') {
            Some((VERSION, process)) => Ok(Found { url: url.clone(), process: process.to_owned() }),
            Some((version, _)) => Err(Unfit::Version(version.to_owned())),
            None => Err(Unfit::Version(said)),
        }
    }
}

/// The innermost reason, on one line.
fn root(error: &DataFusionError) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(cause) = inner.source() {
        inner = cause;
    }
    inner.to_string().lines().next().unwrap_or_default().to_owned()
}

/// Those of a question.
pub(super) struct Chosen(pub(super) Vec<Url>);

impl WorkerResolver for Chosen {
    fn get_urls(&self) -> Result<Vec<Url>> {
        Ok(self.0.clone())
    }
}

/// Channels to workers, each made once: mutual TLS with certificates of the cluster.
#[derive(Clone)]
pub(super) struct Channels {
    connector: Connector,
    made: Arc<Mutex<HashMap<Url, BoxCloneSyncChannel>>>,
}

impl Channels {
    pub(super) fn new(connector: Connector) -> Self {
        Self { connector, made: Arc::default() }
    }

    fn to(&self, url: &Url) -> Result<Sending> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = match made.get(url) {
            Some(channel) => channel.clone(),
            None => {
                let endpoint = url.as_str().trim_end_matches('/');
                // Whoever holds a certificate of the cluster; which of them is where, the configuration says.
                let channel = self.connector.channel(endpoint, None);
                let channel = channel.map_err(|error| DataFusionError::External(Box::new(error)))?;
                made.entry(url.clone()).or_insert(BoxCloneSyncChannel::new(channel)).clone()
            }
        };
        Ok(Sending(create_worker_client(channel)))
    }
}

#[async_trait]
impl ChannelResolver for Channels {
    async fn get_worker_client_for_url(&self, url: &Url) -> Result<Box<dyn WorkerChannel>> {
        Ok(Box::new(self.to(url)?))
    }
}

/// A channel that encodes plans by our codec.
struct Sending(Box<dyn WorkerChannel>);

#[async_trait]
impl WorkerChannel for Sending {
    async fn coordinator_channel(
        &mut self,
        headers: HeaderMap,
        mut request: SetPlanRequest,
        messages: BoxStream<'static, CoordinatorToWorkerMsg>,
        metrics: ExecutionPlanMetricsSet,
        context: &Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<WorkerToCoordinatorMsg>>> {
        if let MaybeEncoded::Decoded(plan) = request.plan {
            request.plan = MaybeEncoded::Encoded(codec::encoded(plan)?);
        }
        self.0.coordinator_channel(headers, request, messages, metrics, context).await
    }

    async fn execute_task(
        &mut self,
        headers: HeaderMap,
        request: ExecuteTaskRequest,
        metrics: ExecutionPlanMetricsSet,
        context: &Arc<TaskContext>,
    ) -> Result<Vec<BoxStream<'static, Result<RecordBatch>>>> {
        self.0.execute_task(headers, request, metrics, context).await
    }

    async fn get_worker_info(&mut self, request: GetWorkerInfoRequest) -> Result<GetWorkerInfoResponse> {
        self.0.get_worker_info(request).await
    }
}
