//! One entry of the list: which right, of whom as a keyed hash, in which datasets.

use std::fmt;

use meridian_proto::Name;
use serde::{Deserialize, Serialize};

/// Which right was exercised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Right {
    /// Article 21.
    Object,
    /// Article 17.
    Erase,
    /// Article 18.
    Restrict,
    /// Article 16.
    Rectify,
    /// Article 15.
    Report,
    /// The end of an earlier entry.
    Withdraw,
    /// The end of a rectification, since the source holds the right value.
    Corrected,
}

impl Right {
    /// The verb of `meridian rights`, as the log has it.
    pub fn verb(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Erase => "erase",
            Self::Restrict => "restrict",
            Self::Rectify => "rectify",
            Self::Report => "report",
            Self::Withdraw => "withdraw",
            Self::Corrected => "corrected",
        }
    }

    /// For people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Object => "objection (Article 21)",
            Self::Erase => "erasure (Article 17)",
            Self::Restrict => "restriction of processing (Article 18)",
            Self::Rectify => "rectification (Article 16)",
            Self::Report => "access (Article 15)",
            Self::Withdraw => "withdrawal",
            Self::Corrected => "end of a rectification: the source holds the right value",
        }
    }

    /// Whether rows of the unit are left out.
    pub fn leaves_out(self) -> bool {
        match self {
            Self::Object | Self::Erase | Self::Restrict => true,
            Self::Rectify | Self::Report | Self::Withdraw | Self::Corrected => false,
        }
    }

    /// Whether it stands until an entry ends it.
    pub fn stands(self) -> bool {
        self.leaves_out() || self == Self::Rectify
    }
}

/// One entry. Its Debug form shows neither unit nor values.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// From 1, without gaps.
    pub number: u64,
    /// When it was made, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// Which right.
    pub right: Right,
    /// What kind of unit.
    pub unit_kind: Name,
    /// The unit's keyed hash, or several where columns of different types spell it differently; none for a report.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<u64>,
    /// Whether it is about the named datasets alone; otherwise about all of the kind, also those that come later.
    #[serde(default)]
    pub named: bool,
    /// The datasets that it concerned when it was made.
    pub datasets: Vec<Name>,
    /// Columns and the texts of their right values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<(Name, String)>,
    /// Whether it ends by itself when the source holds these values.
    #[serde(default)]
    pub until_corrected: bool,
    /// The entry that this one ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends: Option<u64>,
    /// The body's own case.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reference: String,
    /// Why, in words of the body's own.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, right, unit_kind, datasets, .. } = self;
        let mut shown = f.debug_struct("Entry");
        shown.field("number", number).field("right", right).field("unit_kind", unit_kind).field("datasets", datasets);
        shown.finish_non_exhaustive()
    }
}
