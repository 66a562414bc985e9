//! Whether the rows of a dataset keep to its standard: counted when they are loaded, and when somebody asks.

use chrono::{DateTime, Utc};
use datafusion::prelude::SessionContext;
use meridian_federation::session;
use meridian_proto::{Check, Form, Name, Quality};

use crate::config::{DatasetConfig, UnitKey};
use crate::sources::{self, Loaded, SourceError};
use crate::standards::{self, Conformance, RowsError};

/// Why it is not known.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unknown {
    /// The source can't be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The rows can't be counted.
    #[error(transparent)]
    Rows(#[from] RowsError),
}

/// Reads a dataset's source, in its order, and compares its rows; `None` where the node knows no standard for them. Values
/// are shown of what is open.
pub(crate) async fn look(config: &DatasetConfig, now: DateTime<Utc>) -> Result<Option<Conformance>, Unknown> {
    let Some(standard) = &config.standard else { return Ok(None) };
    // One partition: rows keep the source's order, and so their numbers.
    let context = SessionContext::new_with_config(session::session_config().with_target_partitions(1));
    let loaded = sources::load(&config.source, &context, now).await?;
    let shown = config.dataset.form == Form::Open;
    Ok(Some(standards::conformance(standard, &config.dataset, &loaded.plan, &context, shown).await?))
}

/// What holds of rows that have been loaded: the log says what does not, in counts alone. They are given all the same: who
/// asks is better off with them, and the owner's list of valid values may be what is wrong.
///
/// Only of what is open others learn how far the rows keep to the standard. Elsewhere one person more or less would show to
/// the whole federation.
pub(super) async fn quality(config: &DatasetConfig, loaded: &Loaded, context: &SessionContext) -> Quality {
    let dataset = &config.dataset;
    // Nothing is said of hidden columns: whoever is told does not know that they exist.
    let is_shown = |name: &Name| dataset.visible_columns().any(|column| column.name == *name);
    let key = config.unit.as_ref().map(|unit| &unit.key);
    let promised = [
        (Check::Types, true),
        (Check::Required, dataset.visible_columns().any(|column| column.required)),
        (Check::Coverage, dataset.coverage.iter().any(|coverage| is_shown(&coverage.column))),
        (Check::Units, matches!(key, Some(UnitKey::Column { unique: true, .. }))),
        (Check::StandardColumns, config.standard.is_some()),
    ];
    let mut checks: Vec<Check> = promised.into_iter().filter_map(|(check, holds)| holds.then_some(check)).collect();
    let found = compared(config, loaded, context).await.filter(|_| dataset.form == Form::Open);
    let failing = found.as_ref().map(Conformance::failing);
    if failing == Some(0) {
        checks.push(Check::StandardValues);
    }
    let failing_class = failing.filter(|failing| *failing > 0).map(|failing| sources::size_class(Form::Open, failing));
    Quality { checks, failing_class }
}

async fn compared(config: &DatasetConfig, loaded: &Loaded, context: &SessionContext) -> Option<Conformance> {
    let standard = config.standard.as_ref()?;
    let dataset = config.name();
    match standards::conformance(standard, &config.dataset, &loaded.plan, context, false).await {
        Ok(found) => {
            if !found.holds() {
                let faults = found.faults().join("; ");
                let remedy = "`meridian standard check` names the rows";
                tracing::warn!(dataset, standard = %standard.name, faults, remedy, "not all rows conform to the standard");
            }
            Some(found)
        }
        Err(error) => {
            tracing::warn!(dataset, standard = %standard.name, %error, "whether its rows conform is not known");
            None
        }
    }
}
