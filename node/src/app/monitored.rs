//! What an operator's monitoring reads of this node's state, whenever it looks.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use meridian_certs::Credentials;
use meridian_federation::remote::Peers;

use crate::audit::Log;
use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::config::NodeConfig;
use crate::membership::Members;
use crate::metrics::Reading;
use crate::query::{Engine, Parts};
use crate::sources::SNAPSHOTS;
use crate::web::Readiness;
use crate::witness::Witnessing;

/// Where it is read.
pub(super) struct Monitored {
    readiness: Readiness,
    /// It holds the metrics that read this.
    engine: Weak<Engine>,
    memory: usize,
    log: Arc<Log>,
    witnessing: Arc<Witnessing>,
    peers: Vec<Arc<Peers>>,
    credentials: Arc<Credentials>,
    members: Option<Arc<Members>>,
    catalogue: Arc<Catalogue>,
    refused: Arc<AtomicU64>,
    state: PathBuf,
    clock: Clock,
}

impl Monitored {
    /// The node with these parts, of which others are told by `readiness`, the nodes that it asks, and the count of connections
    /// that it refused.
    pub(super) fn new(
        node: &NodeConfig,
        engine: &Arc<Engine>,
        parts: &Parts,
        (readiness, peers, refused): (&Readiness, Vec<Arc<Peers>>, Arc<AtomicU64>),
    ) -> Self {
        Self {
            readiness: readiness.clone(),
            engine: Arc::downgrade(engine),
            memory: parts.memory,
            log: Arc::clone(&parts.log),
            witnessing: Arc::clone(&parts.witnessing),
            peers,
            credentials: Arc::clone(&parts.credentials),
            members: parts.members.clone(),
            catalogue: Arc::clone(&parts.catalogue),
            refused,
            state: node.state.clone(),
            clock: parts.clock.clone(),
        }
    }

    /// All of it, as it is now.
    pub(super) fn read(&self) -> Vec<Reading> {
        let held = self.engine.upgrade().map_or(0, |engine| engine.memory_held());
        let version = [(env!("CARGO_PKG_VERSION").to_owned(), 1.0)];
        let mut readings = vec![
            Reading::gauges("build_info", "The version of the program", "version", version),
            Reading::gauge("ready", "Whether the node answers questions", flag(self.readiness.get())),
            Reading::gauge("memory_held_bytes", "Memory that queries hold", held as f64),
            Reading::gauge("memory_limit_bytes", "Memory that queries may hold together", self.memory as f64),
            Reading::counter(
                "connections_refused",
                "Connections whose caller did not prove who they are",
                self.refused.load(Ordering::Relaxed),
            ),
            Reading::gauge(
                "certificate_remaining_seconds",
                "Time until the node's certificate ends",
                self.credentials.valid_until().duration_since(SystemTime::now()).unwrap_or_default().as_secs_f64(),
            ),
        ];
        readings.extend(self.log());
        readings.extend(self.federation());
        readings.extend(self.datasets());
        readings
    }

    fn log(&self) -> Vec<Reading> {
        let published = fs::metadata(self.state.join("audit/checkpoint")).and_then(|data| data.modified()).ok();
        let published = published.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let mut readings = vec![
            Reading::gauge("log_records", "Records of the log", self.log.head().size() as f64),
            Reading::gauge(
                "log_stopped",
                "Whether the log takes no records any more",
                flag(self.log.stopped().is_some()),
            ),
            Reading::gauge(
                "log_witnesses",
                "Other bodies that confirmed the newest checkpoint that any confirmed",
                self.witnessing.confirmed() as f64,
            ),
        ];
        let help = "When the newest checkpoint was published, since 1970";
        readings
            .extend(published.map(|time| Reading::gauge("log_checkpoint_timestamp_seconds", help, time.as_secs_f64())));
        readings
    }

    fn federation(&self) -> Vec<Reading> {
        let mut up: Vec<(String, f64)> = Vec::new();
        for peers in &self.peers {
            up.extend(peers.reached().iter().map(|(body, is_up)| (peers.named(body).to_string(), flag(*is_up))));
        }
        up.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut readings =
            vec![Reading::gauges("peer_up", "Whether another node answered when it was last called", "body", up)];
        if let Some(members) = &self.members {
            let held = members.request();
            let now = self.clock.now().timestamp_millis();
            let age = (now - i64::try_from(held.signed_at).unwrap_or(now)).max(0) as f64 / 1000.0;
            readings.push(Reading::gauge("membership_version", "The version of the membership", held.version as f64));
            let help = "Time since the authority signed the membership";
            readings.push(Reading::gauge("membership_age_seconds", help, age));
        }
        readings
    }

    fn datasets(&self) -> [Reading; 2] {
        let in_order = self.catalogue.in_order();
        let now = self.clock.now();
        let folder = self.state.join(SNAPSHOTS);
        let ages: Vec<(String, f64)> = in_order
            .iter()
            .filter_map(|(name, _)| {
                let began = taken(&folder, name.as_str())?;
                Some((name.to_string(), (now - began).num_seconds().max(0) as f64))
            })
            .collect();
        let in_order = in_order.into_iter().map(|(name, is_in_order)| (name.to_string(), flag(is_in_order)));
        [
            Reading::gauges("dataset_in_order", "Whether a dataset can be asked", "dataset", in_order),
            Reading::gauges("snapshot_age_seconds", "Time since a snapshot's period began", "dataset", ages),
        ]
    }
}

/// When the period began of which a dataset's snapshot is; `None` where there is none.
fn taken(folder: &Path, dataset: &str) -> Option<DateTime<Utc>> {
    let files = fs::read_dir(folder).ok()?.flatten().filter_map(|file| file.file_name().into_string().ok());
    let day = |file: String| {
        let mut parts = file.strip_prefix(dataset)?.strip_prefix('.')?.split('.');
        let day: NaiveDate = parts.nth(1)?.parse().ok()?;
        Some(day.and_time(NaiveTime::MIN).and_utc())
    };
    files.filter_map(day).max()
}

fn flag(is_so: bool) -> f64 {
    if is_so { 1.0 } else { 0.0 }
}
