//! The shapes of the configuration files as written; what they mean is checked in the files beside.

use std::collections::BTreeMap;
use std::fmt;

use meridian_proto::{Form, Role};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::{Spanned, Value};

use super::{Counts, HistoryMode};
use crate::sources::AsOf;
use crate::standards::Kind;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Node {
    pub(super) federation: Spanned<String>,
    pub(super) body: Spanned<String>,
    pub(super) title: Spanned<String>,
    pub(super) listen: Spanned<String>,
    pub(super) health: Option<Spanned<String>>,
    pub(super) state: Spanned<String>,
    pub(super) contact: Option<Contact>,
    pub(super) datasets: Option<Spanned<String>>,
    pub(super) views: Option<Spanned<String>>,
    pub(super) agreements: Option<Spanned<String>>,
    pub(super) algorithms: Option<Spanned<String>>,
    pub(super) standards: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) authorities: Vec<Spanned<String>>,
    pub(super) tls: Tls,
    pub(super) public: Option<Public>,
    pub(super) engine: Option<Engine>,
    #[serde(default)]
    pub(super) limits: Limits,
    #[serde(default)]
    pub(super) audit: Audit,
    #[serde(default)]
    pub(super) members: Vec<Member>,
    #[serde(default)]
    pub(super) federations: Vec<Federation>,
    #[serde(default)]
    pub(super) databases: Vec<Database>,
    #[serde(default)]
    pub(super) stores: Vec<Store>,
    #[serde(default)]
    pub(super) addresses: Vec<AddressList>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AddressList {
    pub(super) name: Spanned<String>,
    pub(super) path: Spanned<String>,
    pub(super) memory_mib: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Database {
    pub(super) name: Spanned<String>,
    pub(super) host: Spanned<String>,
    pub(super) port: Option<Spanned<u16>>,
    pub(super) database: Spanned<String>,
    pub(super) user: Spanned<String>,
    pub(super) password_file: Option<Spanned<String>>,
    pub(super) ca: Option<Spanned<String>>,
    pub(super) connections: Option<Spanned<u32>>,
    pub(super) statement_seconds: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Store {
    pub(super) bucket: Spanned<String>,
    pub(super) endpoint: Option<Spanned<String>>,
    pub(super) region: Option<Spanned<String>>,
    pub(super) path_style: Option<Spanned<bool>>,
    pub(super) ca: Option<Spanned<String>>,
    pub(super) access_key: Option<Spanned<String>>,
    pub(super) secret_key_file: Option<Spanned<String>>,
    pub(super) environment: Option<Spanned<bool>>,
    pub(super) request_seconds: Option<Spanned<u32>>,
    pub(super) refresh: Option<Spanned<String>>,
    pub(super) fetch_mib: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Federation {
    pub(super) name: Spanned<String>,
    pub(super) ca: Spanned<String>,
    #[serde(default)]
    pub(super) authorities: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) members: Vec<Member>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    pub(super) ca: Spanned<String>,
    pub(super) cert: Spanned<String>,
    pub(super) key: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Public {
    pub(super) listen: Option<Spanned<String>>,
    pub(super) certificate: Option<Spanned<String>>,
    pub(super) key: Option<Spanned<String>>,
    pub(super) address: Option<Spanned<String>>,
    pub(super) counts: Option<Counts>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Engine {
    pub(super) workers: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    pub(super) at_home: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Worker {
    pub(super) listen: Spanned<String>,
    pub(super) tls: Tls,
    pub(super) data: Vec<Spanned<String>>,
    pub(super) memory_mib: Option<Spanned<u32>>,
    pub(super) worker_threads: Option<Spanned<u32>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Limits {
    pub(super) streams: Option<Spanned<u32>>,
    pub(super) message_bytes: Option<Spanned<u32>>,
    pub(super) statement_bytes: Option<Spanned<u32>>,
    pub(super) seconds: Option<Spanned<u32>>,
    pub(super) memory_mib: Option<Spanned<u32>>,
    pub(super) held_mib: Option<u32>,
    pub(super) worker_threads: Option<Spanned<u32>>,
    pub(super) target_partitions: Option<Spanned<u32>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Audit {
    pub(super) private_days: Option<Spanned<u32>>,
    pub(super) record_days: Option<Spanned<u32>>,
    pub(super) near_alert: Option<Spanned<u32>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Member {
    pub(super) body: Spanned<String>,
    pub(super) endpoint: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dataset {
    pub(super) name: Spanned<String>,
    pub(super) title: Spanned<String>,
    pub(super) description: Spanned<String>,
    pub(super) licence: Spanned<String>,
    #[serde(default)]
    pub(super) update_frequency: String,
    #[serde(default)]
    pub(super) keywords: Vec<Spanned<String>>,
    pub(super) contact: Option<Contact>,
    pub(super) last_change: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) members_only: bool,
    pub(super) form: Spanned<Form>,
    pub(super) own: Option<Spanned<Form>>,
    pub(super) recipients: Option<Spanned<Recipients>>,
    pub(super) listed: Option<bool>,
    pub(super) standard: Option<Spanned<String>>,
    pub(super) threshold: Option<Spanned<u32>>,
    #[serde(default)]
    pub(super) coverage: BTreeMap<Spanned<String>, Spanned<Value>>,
    pub(super) size: Option<Spanned<String>>,
    pub(super) unit: Option<Spanned<Unit>>,
    pub(super) as_of: Option<Spanned<AsOf>>,
    pub(super) noise: Option<Spanned<Noise>>,
    pub(super) dominance: Option<Spanned<Dominance>>,
    pub(super) history: Option<Spanned<HistoryMode>>,
    pub(super) source: Source,
    pub(super) mapping: Option<Mapping>,
    #[serde(default)]
    pub(super) columns: Vec<Column>,
    #[serde(default)]
    pub(super) references: Vec<Reference>,
    #[serde(default)]
    pub(super) tables: Vec<Table>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contact {
    pub(super) name: Spanned<String>,
    pub(super) email: Spanned<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Recipients {
    Members,
    Agreement,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Unit {
    pub(super) kind: Spanned<String>,
    pub(super) column: Option<Spanned<String>>,
    pub(super) rows: Option<Spanned<bool>>,
    pub(super) unique: Option<Spanned<bool>>,
    pub(super) record_key: Option<Spanned<String>>,
    pub(super) belongs_to: Option<Spanned<Belongs>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Belongs {
    pub(super) kind: Spanned<String>,
    pub(super) column: Spanned<String>,
}

/// The word `none`, or a table.
#[derive(Debug)]
pub(super) enum Noise {
    None,
    Parameters(NoiseParameters),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NoiseParameters {
    pub(super) table: Option<Spanned<String>>,
    pub(super) largest: Option<Spanned<u32>>,
    pub(super) variance: Option<Spanned<f64>>,
    pub(super) forbidden: Option<Spanned<u32>>,
    pub(super) stay: Option<Spanned<f64>>,
}

impl<'de> Deserialize<'de> for Noise {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NoiseVisitor)
    }
}

/// Serde's untagged enums lose the places in the file.
struct NoiseVisitor;

impl<'de> Visitor<'de> for NoiseVisitor {
    type Value = Noise;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"none\" or a table such as { largest = 5, variance = 2.0 }")
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<Noise, E> {
        match word {
            "none" => Ok(Noise::None),
            other => Err(E::unknown_variant(other, &["none"])),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Noise, A::Error> {
        NoiseParameters::deserialize(MapAccessDeserializer::new(map)).map(Noise::Parameters)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Dominance {
    pub(super) percent: Option<Spanned<f64>>,
    pub(super) largest: Option<Spanned<u32>>,
    pub(super) share: Option<Spanned<f64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    pub(super) kind: Spanned<SourceKind>,
    pub(super) path: Option<Spanned<String>>,
    pub(super) delimiter: Option<Spanned<String>>,
    pub(super) header: Option<Spanned<bool>>,
    pub(super) encoding: Option<Spanned<String>>,
    pub(super) skip: Option<Spanned<u32>>,
    pub(super) pad: Option<Spanned<bool>>,
    pub(super) trim: Option<Spanned<bool>>,
    pub(super) drop: Option<Spanned<Vec<Dropped>>>,
    pub(super) sheet: Option<Spanned<String>>,
    pub(super) database: Option<Spanned<String>>,
    pub(super) table: Option<Spanned<String>>,
    pub(super) refresh: Option<Spanned<String>>,
    pub(super) as_text: Option<Spanned<Vec<String>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SourceKind {
    Parquet,
    Csv,
    Excel,
    Jsonl,
    Geojson,
    Sqlite,
    Postgres,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Dropped {
    BlankRows,
    RepeatedHeadings,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mapping {
    pub(super) sql: Spanned<String>,
    pub(super) addresses: Option<Spanned<String>>,
    pub(super) least_score: Option<Spanned<f64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Column {
    pub(super) name: Spanned<String>,
    #[serde(rename = "type")]
    pub(super) column_type: Spanned<String>,
    pub(super) role: Option<Spanned<Role>>,
    pub(super) ranges: Option<Spanned<bool>>,
    pub(super) bounds: Option<Spanned<Vec<f64>>>,
    pub(super) precision: Option<Spanned<f64>>,
    pub(super) bands: Option<Spanned<Vec<Spanned<Value>>>>,
    pub(super) domain: Option<Spanned<Vec<Spanned<Value>>>>,
    #[serde(default)]
    pub(super) concept: String,
    #[serde(default)]
    pub(super) unit: String,
    #[serde(default)]
    pub(super) description: String,
    #[serde(default)]
    pub(super) required: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reference {
    pub(super) body: Spanned<String>,
    pub(super) dataset: Spanned<String>,
    pub(super) key: Spanned<String>,
    pub(super) sha256: Spanned<String>,
    pub(super) labels: Spanned<BTreeMap<Spanned<String>, Label>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Label {
    pub(super) role: Spanned<Role>,
    pub(super) domain: Option<Spanned<Vec<Spanned<Value>>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Table {
    pub(super) name: Spanned<String>,
    pub(super) dimensions: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) filter: BTreeMap<Spanned<String>, Spanned<Value>>,
    pub(super) sum: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct View {
    pub(super) name: Spanned<String>,
    pub(super) title: Spanned<String>,
    pub(super) description: Spanned<String>,
    pub(super) listed: Option<bool>,
    pub(super) sql: Spanned<String>,
    #[serde(default)]
    pub(super) columns: BTreeMap<Spanned<String>, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Standard {
    pub(super) name: Spanned<String>,
    pub(super) title: Spanned<String>,
    #[serde(default)]
    pub(super) keys: Vec<Spanned<String>>,
    pub(super) columns: Vec<StandardColumn>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StandardColumn {
    pub(super) name: Spanned<String>,
    #[serde(rename = "type")]
    pub(super) column_type: Spanned<String>,
    #[serde(default)]
    pub(super) concept: String,
    #[serde(default)]
    pub(super) required: bool,
    #[serde(default)]
    pub(super) description: String,
    pub(super) values: Option<Spanned<Vec<Spanned<Value>>>>,
    pub(super) from: Option<Spanned<Value>>,
    pub(super) to: Option<Spanned<Value>>,
    pub(super) pattern: Option<Spanned<String>>,
    pub(super) kind: Option<Kind>,
    #[serde(default)]
    pub(super) synonyms: Vec<Spanned<String>>,
}

/// A section of an algorithm's record; its keys are checked where the standard's are known.
pub(super) type Section = BTreeMap<Spanned<String>, Spanned<String>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Algorithm {
    pub(super) id: Spanned<String>,
    pub(super) sql: Spanned<String>,
    pub(super) datasets: Spanned<Vec<Spanned<String>>>,
    #[serde(default)]
    pub(super) overview: Section,
    #[serde(default)]
    pub(super) owner: Section,
    #[serde(default)]
    pub(super) rationale: Section,
    #[serde(default)]
    pub(super) decisions: Section,
    #[serde(default)]
    pub(super) tool: Section,
    #[serde(default)]
    pub(super) data: Section,
    #[serde(default)]
    pub(super) risks: Section,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Agreement {
    pub(super) id: Spanned<String>,
    pub(super) title: Spanned<String>,
    pub(super) purpose: Spanned<String>,
    pub(super) benefit: Spanned<String>,
    pub(super) legal_power: Spanned<String>,
    pub(super) lawful_basis: Spanned<String>,
    pub(super) recipients: Spanned<Vec<Spanned<String>>>,
    pub(super) parties: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) analysts: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) groups: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) start: Spanned<String>,
    pub(super) end: Spanned<String>,
    pub(super) contact: Spanned<String>,
    #[serde(default)]
    pub(super) controllers: Vec<Spanned<String>>,
    #[serde(default)]
    pub(super) processors: Vec<Spanned<String>>,
    pub(super) special_category: Option<Spanned<String>>,
    pub(super) method: Option<Spanned<String>>,
    pub(super) necessity: Option<Spanned<String>>,
    pub(super) dpia: Option<Spanned<String>>,
    pub(super) dpo_view: Option<Spanned<String>>,
    pub(super) retention: Option<Spanned<String>>,
    pub(super) review: Option<Spanned<String>>,
    pub(super) area: Option<Spanned<String>>,
    pub(super) rights_contact: Option<Spanned<String>>,
    pub(super) trustees: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) trustees_needed: Option<Spanned<u32>>,
    pub(super) grants: Vec<Grant>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Grant {
    pub(super) body: Option<Spanned<String>>,
    pub(super) bodies: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) dataset: Option<Spanned<String>>,
    pub(super) standard: Option<Spanned<String>>,
    pub(super) form: Spanned<Form>,
    pub(super) columns: Option<Spanned<Vec<Spanned<String>>>>,
    pub(super) filter: Option<Spanned<String>>,
    pub(super) threshold: Option<Spanned<u32>>,
    pub(super) allowance: Option<Spanned<u64>>,
    #[serde(default)]
    pub(super) onward: bool,
}
