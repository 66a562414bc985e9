//! The shapes of the configuration files as written; what they mean is checked in the files beside.

mod dataset;
mod node;

use std::collections::BTreeMap;

use meridian_proto::Form;
use serde::Deserialize;
use toml::{Spanned, Value};

use crate::standards::Kind;

pub(super) use dataset::*;
pub(super) use node::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Contact {
    pub(super) name: Spanned<String>,
    pub(super) email: Spanned<String>,
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
