//! Whether the rows of a dataset keep to its standard: counted when they are loaded, and when somebody asks.

use chrono::{DateTime, Utc};
use datafusion::prelude::SessionContext;
use meridian_federation::session;
use meridian_proto::Form;

use crate::config::DatasetConfig;
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

/// Says what does not hold of rows that have been loaded, in counts alone. They are given all the same: who asks is better
/// off with them, and the owner's list of valid values may be what is wrong.
pub(super) async fn tell(config: &DatasetConfig, loaded: &Loaded, context: &SessionContext) {
    let Some(standard) = &config.standard else { return };
    let dataset = config.name();
    match standards::conformance(standard, &config.dataset, &loaded.plan, context, false).await {
        Ok(found) if found.holds() => {}
        Ok(found) => {
            let faults = found.faults().join("; ");
            let remedy = "`meridian standard check` names the rows";
            tracing::warn!(dataset, standard = %standard.name, faults, remedy, "not all rows conform to the standard");
        }
        Err(error) => {
            tracing::warn!(dataset, standard = %standard.name, %error, "whether its rows conform is not known")
        }
    }
}
