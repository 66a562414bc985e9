//! Why the gate refuses, in words that say what would be admitted; never a value of a data row.

use std::fmt;

use datafusion::error::DataFusionError;

use super::released::kind;

/// A refusal: a function of the SQL, the terms and the schema alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The short name of the rule.
    pub rule: &'static str,
    /// The dataset, in full.
    pub dataset: Option<String>,
    /// The published column.
    pub column: Option<String>,
    /// Which rule is broken, and by what.
    pub reason: String,
    /// The smallest change that would be admitted; empty where none is known.
    pub remedy: String,
    /// The identifier as it may be found in the SQL, for a caret.
    pub needle: Option<String>,
}

impl Refused {
    pub(super) fn new(rule: &'static str, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { rule, dataset: None, column: None, reason: reason.into(), remedy: remedy.into(), needle: None }
    }

    /// The same words as for a name that does not exist.
    pub(super) fn unknown(dataset: &str) -> Self {
        Self::new("unknown", unknown_dataset(dataset), "").about(dataset)
    }

    /// All cells that an agreement gives have left.
    pub(super) fn spent(agreement: Option<&str>, dataset: &str, allowance: u64) -> Self {
        let agreement = agreement.unwrap_or("its terms");
        Self::new(
            "allowance.spent",
            format!("{agreement} gives {allowance} cells of {dataset}, and all of them have left"),
            "ask the owner to raise the allowance",
        )
        .about(dataset)
    }

    /// What would leave can't be remembered, so it doesn't.
    pub(super) fn forgetful(dataset: &str) -> Self {
        let reason = format!("the history can't be written, so no figures of {dataset} leave");
        Self::new("history", reason, "tell the operator of the node, whose log says why").about(dataset)
    }

    /// What is below a release is for machines of which none answers: no word of where they are.
    pub fn without_workers(workers: usize) -> Self {
        let reason = format!("none of the {workers} workers of this body's cluster answers");
        Self::new(
            "engine",
            reason,
            "ask again in a minute; its operator finds in the node's log which of them are missed",
        )
    }

    pub(super) fn about(mut self, dataset: &str) -> Self {
        self.needle = self.needle.or_else(|| dataset.rsplit('.').next().map(str::to_owned));
        self.dataset = Some(dataset.to_owned());
        self
    }

    pub(super) fn at_column(mut self, column: &str) -> Self {
        self.needle = Some(column.to_owned());
        self.column = Some(column.to_owned());
        self
    }

    pub(super) fn at(mut self, needle: &str) -> Self {
        self.needle = Some(needle.to_owned());
        self
    }
}

/// What is said of a dataset that does not exist and of one that the caller may not know of, alike.
pub fn unknown_dataset(name: &str) -> String {
    format!("no dataset {name} that you may see")
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "; {}", self.remedy) }
    }
}

impl std::error::Error for Refused {}

/// A refusal that travelled through DataFusion's tree walks comes out as it was; anything else is a plan that does
/// not fit its terms. DataFusion's text is told nobody: it lists columns that the caller may not know of, and literals.
impl From<DataFusionError> for Refused {
    fn from(error: DataFusionError) -> Self {
        if let DataFusionError::External(inner) = error.find_root()
            && let Some(refused) = inner.downcast_ref::<Self>()
        {
            return refused.clone();
        }
        tracing::warn!(kind = kind(&error), "a plan could not be rewritten for its terms");
        Self::new(
            "plan",
            "the query can't be brought into the form that the terms of its datasets ask for",
            "write it more simply: name each column once and give each result a name of its own",
        )
    }
}

/// The way into DataFusion's tree walks.
impl From<Refused> for DataFusionError {
    fn from(refused: Refused) -> Self {
        Self::External(Box::new(refused))
    }
}
