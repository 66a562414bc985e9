//! The shapes of a dataset's file.

use std::collections::BTreeMap;
use std::fmt;

use meridian_proto::{Form, Role};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::{Spanned, Value};

use super::Contact;
use crate::config::HistoryMode;
use crate::sources::AsOf;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dataset {
    pub(crate) name: Spanned<String>,
    pub(crate) title: Spanned<String>,
    pub(crate) description: Spanned<String>,
    pub(crate) licence: Spanned<String>,
    #[serde(default)]
    pub(crate) update_frequency: String,
    #[serde(default)]
    pub(crate) keywords: Vec<Spanned<String>>,
    pub(crate) contact: Option<Contact>,
    pub(crate) last_change: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) members_only: bool,
    pub(crate) form: Spanned<Form>,
    pub(crate) own: Option<Spanned<Form>>,
    pub(crate) recipients: Option<Spanned<Recipients>>,
    pub(crate) listed: Option<bool>,
    pub(crate) standard: Option<Spanned<String>>,
    pub(crate) threshold: Option<Spanned<u32>>,
    #[serde(default)]
    pub(crate) coverage: BTreeMap<Spanned<String>, Spanned<Value>>,
    pub(crate) size: Option<Spanned<String>>,
    pub(crate) unit: Option<Spanned<Unit>>,
    pub(crate) as_of: Option<Spanned<AsOf>>,
    pub(crate) noise: Option<Spanned<Noise>>,
    pub(crate) dominance: Option<Spanned<Dominance>>,
    pub(crate) history: Option<Spanned<HistoryMode>>,
    pub(crate) source: Source,
    pub(crate) mapping: Option<Mapping>,
    #[serde(default)]
    pub(crate) columns: Vec<Column>,
    #[serde(default)]
    pub(crate) references: Vec<Reference>,
    #[serde(default)]
    pub(crate) tables: Vec<Table>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Recipients {
    Members,
    Agreement,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unit {
    pub(crate) kind: Spanned<String>,
    pub(crate) column: Option<Spanned<String>>,
    pub(crate) rows: Option<Spanned<bool>>,
    pub(crate) unique: Option<Spanned<bool>>,
    pub(crate) record_key: Option<Spanned<String>>,
    pub(crate) belongs_to: Option<Spanned<Belongs>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Belongs {
    pub(crate) kind: Spanned<String>,
    pub(crate) column: Spanned<String>,
}

/// The word `none`, or a table.
#[derive(Debug)]
pub(crate) enum Noise {
    None,
    Parameters(NoiseParameters),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NoiseParameters {
    pub(crate) table: Option<Spanned<String>>,
    pub(crate) largest: Option<Spanned<u32>>,
    pub(crate) variance: Option<Spanned<f64>>,
    pub(crate) forbidden: Option<Spanned<u32>>,
    pub(crate) stay: Option<Spanned<f64>>,
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
pub(crate) struct Dominance {
    pub(crate) percent: Option<Spanned<f64>>,
    pub(crate) largest: Option<Spanned<u32>>,
    pub(crate) share: Option<Spanned<f64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Source {
    pub(crate) kind: Spanned<SourceKind>,
    pub(crate) path: Option<Spanned<String>>,
    pub(crate) delimiter: Option<Spanned<String>>,
    pub(crate) header: Option<Spanned<bool>>,
    pub(crate) encoding: Option<Spanned<String>>,
    pub(crate) skip: Option<Spanned<u32>>,
    pub(crate) pad: Option<Spanned<bool>>,
    pub(crate) trim: Option<Spanned<bool>>,
    pub(crate) drop: Option<Spanned<Vec<Dropped>>>,
    pub(crate) sheet: Option<Spanned<String>>,
    pub(crate) database: Option<Spanned<String>>,
    pub(crate) engine: Option<Spanned<String>>,
    pub(crate) table: Option<Spanned<String>>,
    pub(crate) refresh: Option<Spanned<String>>,
    pub(crate) as_text: Option<Spanned<Vec<String>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SourceKind {
    Parquet,
    Csv,
    Excel,
    Jsonl,
    Geojson,
    Sqlite,
    Postgres,
    #[serde(rename = "flight_sql")]
    FlightSql,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Dropped {
    BlankRows,
    RepeatedHeadings,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mapping {
    pub(crate) sql: Spanned<String>,
    pub(crate) addresses: Option<Spanned<String>>,
    pub(crate) least_score: Option<Spanned<f64>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Column {
    pub(crate) name: Spanned<String>,
    #[serde(rename = "type")]
    pub(crate) column_type: Spanned<String>,
    pub(crate) role: Option<Spanned<Role>>,
    pub(crate) ranges: Option<Spanned<bool>>,
    pub(crate) bounds: Option<Spanned<Vec<f64>>>,
    pub(crate) precision: Option<Spanned<f64>>,
    pub(crate) bands: Option<Spanned<Vec<Spanned<Value>>>>,
    pub(crate) domain: Option<Spanned<Vec<Spanned<Value>>>>,
    #[serde(default)]
    pub(crate) concept: String,
    #[serde(default)]
    pub(crate) unit: String,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) required: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reference {
    pub(crate) body: Spanned<String>,
    pub(crate) dataset: Spanned<String>,
    pub(crate) key: Spanned<String>,
    pub(crate) sha256: Spanned<String>,
    pub(crate) labels: Spanned<BTreeMap<Spanned<String>, Label>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Label {
    pub(crate) role: Spanned<Role>,
    pub(crate) domain: Option<Spanned<Vec<Spanned<Value>>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    pub(crate) name: Spanned<String>,
    pub(crate) dimensions: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) filter: BTreeMap<Spanned<String>, Spanned<Value>>,
    pub(crate) sum: Option<Spanned<String>>,
}
