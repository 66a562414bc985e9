//! How a bucket is reached, the client for it, and the memory that it could not be reached.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{BackoffConfig, Certificate, ClientOptions, ObjectStore, RetryConfig};

use super::{Key, SCHEME, StoreFault};

/// Longest time until there is a connection.
const CONNECTING: Duration = Duration::from_secs(5);
/// A store that can't be reached is not tried again before: its other datasets need not find out one by one.
const RESTING: Duration = Duration::from_secs(2);
/// How often a request is made again that found no answer, or one of the kind that passes.
const RETRIES: usize = 2;
/// The first wait before that, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// How a bucket is reached, as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// Its name, which is what paths call it.
    pub bucket: String,
    /// The address of the server; Amazon's of the region without one.
    pub endpoint: Option<String>,
    /// The region for which requests are signed.
    pub region: String,
    /// Whether the bucket stands in the path of a request, not before the host's name.
    pub path_style: bool,
    /// An authority that signs the server's certificate, beside those that this machine trusts.
    pub ca: Option<PathBuf>,
    /// Who asks.
    pub key: Key,
    /// The longest that one request may take, in seconds.
    pub request_seconds: u32,
    /// How often is looked whether objects have changed.
    pub refresh: Duration,
    /// The most that a dataset's objects are fetched to memory for, in MiB.
    pub fetch_mib: u32,
}

/// A bucket.
pub struct Store {
    config: StoreConfig,
    unreachable: Mutex<Option<(StoreFault, Instant)>>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("config", &self.config).finish_non_exhaustive()
    }
}

/// The same where it is reached in the same way.
impl PartialEq for Store {
    fn eq(&self, other: &Self) -> bool {
        self.config == other.config
    }
}

impl Eq for Store {}

impl Store {
    /// Nothing is connected yet.
    pub fn new(config: StoreConfig) -> Arc<Self> {
        Arc::new(Self { config, unreachable: Mutex::default() })
    }

    /// How it is reached.
    pub fn config(&self) -> &StoreConfig {
        &self.config
    }

    /// What stands for an object's path in messages.
    pub(super) fn place(&self, key: &str) -> PathBuf {
        PathBuf::from(format!("{SCHEME}{}/{key}", self.config.bucket))
    }

    /// A client with the key as it is now.
    pub(super) fn client(&self) -> Result<AmazonS3, StoreFault> {
        let StoreConfig { bucket, endpoint, region, path_style, ca, key, request_seconds, .. } = &self.config;
        let longest = Duration::from_secs(u64::from(*request_seconds));
        // Plain text only where the configuration was found to name this machine.
        let plain = endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://"));
        let mut options =
            ClientOptions::new().with_connect_timeout(CONNECTING).with_timeout(longest).with_allow_http(plain);
        if let Some(ca) = ca {
            let wrong = |why: String| StoreFault::File {
                path: ca.clone(),
                why: format!(
                    "{why}; `ca` in [[stores]] is a PEM file of the authority that signed the server's certificate"
                ),
            };
            let pem = fs::read(ca).map_err(|error| wrong(error.to_string()))?;
            let certificates = Certificate::from_pem_bundle(&pem).map_err(|_| wrong("it is no PEM file".into()))?;
            if certificates.is_empty() {
                return Err(wrong("it holds no certificate".into()));
            }
            options = certificates.into_iter().fold(options, ClientOptions::with_root_certificate);
        }
        let backoff = BackoffConfig { init_backoff: BACKOFF.0, max_backoff: BACKOFF.1, base: 2.0 };
        let retry = RetryConfig { backoff, max_retries: RETRIES, retry_timeout: longest };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(region)
            .with_virtual_hosted_style_request(!path_style)
            .with_client_options(options)
            .with_retry(retry);
        if let Some(endpoint) = endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        key.with(builder)?.build().map_err(|_| StoreFault::Address("the client refuses it".into()))
    }

    /// Whether the bucket can be listed: its first page is asked for.
    pub async fn reachable(&self) -> Result<(), StoreFault> {
        let client = self.client()?;
        self.asked(async move { client.list(None).try_next().await.map(drop) }).await
    }

    /// What a request without conditions comes to; at once that it can't be reached, where that was found a moment ago.
    pub(super) async fn asked<T>(
        &self,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, StoreFault> {
        let lock = || self.unreachable.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((fault, _)) = lock().as_ref().filter(|(_, since)| since.elapsed() < RESTING) {
            return Err(fault.clone());
        }
        let answer = request.await.map_err(|error| match self.fault(&error) {
            // No condition was asked for.
            StoreFault::Changed => StoreFault::Server("412".into()),
            fault => fault,
        });
        *lock() = match &answer {
            Err(fault @ (StoreFault::Unreachable(_) | StoreFault::Slow(_))) => Some((fault.clone(), Instant::now())),
            _ => None,
        };
        answer
    }

    /// What an error of the client is.
    pub(super) fn fault(&self, error: &object_store::Error) -> StoreFault {
        StoreFault::of(error, self.config.request_seconds)
    }
}
