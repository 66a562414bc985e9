//! The shapes of node.toml, and of a worker's file.

use serde::Deserialize;
use toml::Spanned;

use super::Contact;
use crate::config::Counts;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Node {
    pub(crate) federation: Spanned<String>,
    pub(crate) body: Spanned<String>,
    pub(crate) title: Spanned<String>,
    pub(crate) listen: Spanned<String>,
    pub(crate) health: Option<Spanned<String>>,
    pub(crate) state: Spanned<String>,
    pub(crate) contact: Option<Contact>,
    pub(crate) datasets: Option<Spanned<String>>,
    pub(crate) views: Option<Spanned<String>>,
    pub(crate) agreements: Option<Spanned<String>>,
    pub(crate) algorithms: Option<Spanned<String>>,
    pub(crate) standards: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) authorities: Vec<Spanned<String>>,
    pub(crate) tls: Tls,
    pub(crate) public: Option<Public>,
    pub(crate) workbench: Option<Workbench>,
    pub(crate) cluster: Option<Cluster>,
    #[serde(default)]
    pub(crate) limits: Limits,
    #[serde(default)]
    pub(crate) audit: Audit,
    pub(crate) telemetry: Option<Telemetry>,
    #[serde(default)]
    pub(crate) members: Vec<Member>,
    #[serde(default)]
    pub(crate) federations: Vec<Federation>,
    #[serde(default)]
    pub(crate) databases: Vec<Database>,
    #[serde(default)]
    pub(crate) engines: Vec<Engine>,
    #[serde(default)]
    pub(crate) stores: Vec<Store>,
    #[serde(default)]
    pub(crate) addresses: Vec<AddressList>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AddressList {
    pub(crate) name: Spanned<String>,
    pub(crate) path: Spanned<String>,
    pub(crate) memory_mib: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Database {
    pub(crate) name: Spanned<String>,
    pub(crate) host: Spanned<String>,
    pub(crate) port: Option<Spanned<u16>>,
    pub(crate) database: Spanned<String>,
    pub(crate) user: Spanned<String>,
    pub(crate) password_file: Option<Spanned<String>>,
    pub(crate) ca: Option<Spanned<String>>,
    pub(crate) connections: Option<Spanned<u32>>,
    pub(crate) statement_seconds: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Engine {
    pub(crate) name: Spanned<String>,
    pub(crate) address: Spanned<String>,
    pub(crate) ca: Option<Spanned<String>>,
    pub(crate) certificate: Option<Spanned<String>>,
    pub(crate) key: Option<Spanned<String>>,
    pub(crate) user: Option<Spanned<String>>,
    pub(crate) password_file: Option<Spanned<String>>,
    pub(crate) token_file: Option<Spanned<String>>,
    pub(crate) dialect: Option<Spanned<String>>,
    pub(crate) request_seconds: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Store {
    pub(crate) bucket: Spanned<String>,
    pub(crate) endpoint: Option<Spanned<String>>,
    pub(crate) region: Option<Spanned<String>>,
    pub(crate) path_style: Option<Spanned<bool>>,
    pub(crate) ca: Option<Spanned<String>>,
    pub(crate) access_key: Option<Spanned<String>>,
    pub(crate) secret_key_file: Option<Spanned<String>>,
    pub(crate) environment: Option<Spanned<bool>>,
    pub(crate) request_seconds: Option<Spanned<u32>>,
    pub(crate) refresh: Option<Spanned<String>>,
    pub(crate) fetch_mib: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Federation {
    pub(crate) name: Spanned<String>,
    pub(crate) ca: Spanned<String>,
    #[serde(default)]
    pub(crate) authorities: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) members: Vec<Member>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    pub(crate) ca: Spanned<String>,
    pub(crate) cert: Spanned<String>,
    pub(crate) key: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Public {
    pub(crate) listen: Option<Spanned<String>>,
    pub(crate) certificate: Option<Spanned<String>>,
    pub(crate) key: Option<Spanned<String>>,
    pub(crate) address: Option<Spanned<String>>,
    pub(crate) counts: Option<Counts>,
    pub(crate) downloads: Option<Spanned<bool>>,
    pub(crate) download_mib: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Workbench {
    pub(crate) listen: Spanned<String>,
    pub(crate) address: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Telemetry {
    pub(crate) otlp: Spanned<String>,
    pub(crate) percent: Option<Spanned<u8>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cluster {
    pub(crate) workers: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    pub(crate) at_home: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Worker {
    pub(crate) listen: Spanned<String>,
    pub(crate) tls: Tls,
    pub(crate) data: Vec<Spanned<String>>,
    pub(crate) memory_mib: Option<Spanned<u32>>,
    pub(crate) worker_threads: Option<Spanned<u32>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limits {
    pub(crate) streams: Option<Spanned<u32>>,
    pub(crate) message_bytes: Option<Spanned<u32>>,
    pub(crate) statement_bytes: Option<Spanned<u32>>,
    pub(crate) seconds: Option<Spanned<u32>>,
    pub(crate) memory_mib: Option<Spanned<u32>>,
    pub(crate) held_mib: Option<u32>,
    pub(crate) spill_mib: Option<u32>,
    pub(crate) worker_threads: Option<Spanned<u32>>,
    pub(crate) endpoints: Option<Spanned<u32>>,
    pub(crate) target_partitions: Option<Spanned<u32>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Audit {
    pub(crate) private_days: Option<Spanned<u32>>,
    pub(crate) record_days: Option<Spanned<u32>>,
    pub(crate) near_alert: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Member {
    pub(crate) body: Spanned<String>,
    pub(crate) endpoint: Spanned<String>,
}
