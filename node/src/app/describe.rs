//! Tells the federation what this body publishes, and again whenever that changes.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use meridian_certs::Credentials;
use meridian_proto::{Dataset, Description, LogKeys, Name};

use crate::config::NodeConfig;
use crate::peers::Directory;
use crate::query::Parts;

/// Signs descriptions, each newer than the one before.
pub(super) struct Describer {
    federation: Name,
    body: Name,
    title: String,
    credentials: Arc<Credentials>,
    directory: Arc<Directory>,
    log_keys: LogKeys,
    told: Option<Told>,
    /// Why it could not be told, as the log has said.
    failed: Option<String>,
}

/// What was last told.
pub(super) struct Told {
    version: u64,
    datasets: Vec<Dataset>,
    /// The end of the certificate that signed it: a description counts no longer.
    until: SystemTime,
}

impl Describer {
    /// Of the node with these parts; nothing is told yet.
    pub(super) fn new(node: &NodeConfig, parts: &Parts, directory: Arc<Directory>) -> Self {
        Self {
            federation: node.federation.clone(),
            body: node.body.clone(),
            title: node.title.clone(),
            credentials: Arc::clone(&parts.credentials),
            directory,
            log_keys: parts.witnessing.keys().clone(),
            told: None,
            failed: None,
        }
    }

    /// Tells this unless it is what was last told. Where that fails the log says so, and it is tried again.
    pub(super) fn tell(&mut self, datasets: Vec<Dataset>) {
        let until = self.credentials.valid_until();
        if self.told.as_ref().is_some_and(|told| told.datasets == datasets && told.until == until) {
            return;
        }
        match self.try_tell(datasets) {
            Ok(version) => tracing::info!(version, "the federation is told what this body publishes"),
            Err(why) if self.failed.as_ref() == Some(&why) => {}
            Err(why) => {
                tracing::error!(why, "the federation can't be told what this body publishes");
                self.failed = Some(why);
            }
        }
    }

    /// Tells this, and returns the version under which it is known.
    pub(super) fn try_tell(&mut self, datasets: Vec<Dataset>) -> Result<u64, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        // A clock that was set back does not make the news old.
        let version = self.told.as_ref().map_or(now, |told| now.max(told.version.saturating_add(1)));
        let description = Description {
            federation: self.federation.clone(),
            body: self.body.clone(),
            version,
            title: self.title.clone(),
            datasets: datasets.clone(),
            log_keys: Some(self.log_keys.clone()),
        };
        let until = self.credentials.valid_until();
        let signed = self.credentials.sign(description.encode()).map_err(|error| error.to_string())?;
        self.directory.accept(signed)?;
        self.failed = None;
        self.told = Some(Told { version, datasets, until });
        Ok(version)
    }
}
