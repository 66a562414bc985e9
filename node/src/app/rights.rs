//! Persons' rights at the node: applied to what is loaded and recorded in the log; exercised by an officer of the body.

mod applied;
mod desk;
mod report;

use meridian_proto::Name;

pub(super) use applied::Applied;
pub(crate) use desk::{Case, Concerned, Desk, DeskError, Done, Effect, Listed, Rectification};
pub(crate) use report::{Access, Held, Release};

use crate::audit;
use crate::config::{DatasetConfig, UnitKey};
use crate::rights::{Entry, Kinds, Right};

/// The kinds of unit by which a dataset's rows can be found.
fn kinds(config: &DatasetConfig) -> Kinds<'_> {
    let Some(unit) = &config.unit else { return Kinds::default() };
    let own = matches!(unit.key, UnitKey::Column { .. }).then_some(&unit.kind);
    Kinds { own, outer: unit.belongs_to.as_ref().map(|belongs| &belongs.kind) }
}

/// An entry as the log has it: without unit, values and reason.
fn recorded(entry: &Entry) -> audit::Right {
    audit::Right {
        number: entry.number,
        right: Right::verb(entry.right).into(),
        ends: entry.ends,
        datasets: entry.datasets.iter().map(Name::to_string).collect(),
        unit_kind: entry.unit_kind.to_string(),
        reference: entry.reference.clone(),
        at_ms: entry.at_ms,
    }
}

/// Milliseconds since the Unix epoch.
fn now_ms() -> u64 {
    u64::try_from(chrono::Utc::now().timestamp_millis()).unwrap_or_default()
}
