//! Why a question cannot be placed: the refusal that the analyst reads.

use datafusion::error::DataFusionError;

/// No placement obeys every body's terms; nothing has been sent to anyone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; {remedy}")]
pub struct PlacementError {
    /// The short name of the rule: that of the owner's gate where its decision is foreseen.
    pub rule: &'static str,
    /// The dataset that could not be used: `london.lfb.incidents`.
    pub dataset: Option<String>,
    /// Its published column.
    pub column: Option<String>,
    /// What is in the way.
    pub reason: String,
    /// What would work.
    pub remedy: String,
    /// The word of the analyst's SQL that it is about, where there is one.
    pub needle: Option<String>,
}

impl PlacementError {
    /// The refusal inside an error of the planner, however deep.
    pub fn find(error: &DataFusionError) -> Option<&Self> {
        match error.find_root() {
            DataFusionError::External(inner) => inner.downcast_ref(),
            _ => None,
        }
    }

    /// A fault of the planner itself rather than of the question.
    pub(crate) fn internal(error: &DataFusionError) -> Self {
        Self {
            rule: "placement.plan",
            dataset: None,
            column: None,
            reason: format!("the question could not be planned over the federation: {}", error.strip_backtrace()),
            remedy: "write it more simply, or report it with its SQL".into(),
            needle: None,
        }
    }
}

impl From<PlacementError> for DataFusionError {
    fn from(error: PlacementError) -> Self {
        Self::External(Box::new(error))
    }
}

/// Why something stays where it is: one clause for people, lower-case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Why(pub(crate) String);

impl Why {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl From<DataFusionError> for Why {
    fn from(error: DataFusionError) -> Self {
        Self(error.strip_backtrace())
    }
}
