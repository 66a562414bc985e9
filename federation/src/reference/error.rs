//! Why a reference can't be joined: which one, and what to do; never a value.

use datafusion::error::DataFusionError;
use meridian_proto::DatasetName;

use crate::remote::RemoteError;

/// A reference that can't be joined. Nothing of it has been.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReferenceError {
    /// The other body did not answer, or refused.
    #[error("the reference to {name} can't be fetched: {why}")]
    Fetch {
        /// The dataset.
        name: DatasetName,
        /// What the other body did.
        why: RemoteError,
    },
    /// It is not what was declared.
    #[error(
        "{name} is not what it was when the reference to it was declared: whoever declared it looks at what has changed and \
         puts the sha256 that `meridian reference` prints into the dataset's file"
    )]
    Changed {
        /// The dataset.
        name: DatasetName,
    },
    /// Its key is none.
    #[error(
        "a value of {key} stands in more than one row of {name}, so that it is no key of a reference: whoever declared it \
         names a column without repetitions, or asks {body} to publish one", body = .name.body
    )]
    Repeats {
        /// The dataset.
        name: DatasetName,
        /// Its supposed key.
        key: String,
    },
    /// It is too large for this node.
    #[error(
        "the reference to {name} needs more memory than the node that joins it gives to queries: its operator raises memory_mib, or the dataset is published in fewer rows"
    )]
    Memory {
        /// The dataset.
        name: DatasetName,
    },
    /// It can't be read here.
    #[error("the reference to {name} can't be read: {why}")]
    Unread {
        /// The dataset.
        name: DatasetName,
        /// The cause.
        why: String,
    },
}

impl ReferenceError {
    /// From what happened while `name` was fetched.
    pub(super) fn fetching(name: &DatasetName, error: &DataFusionError) -> Self {
        let name = name.clone();
        match error.find_root() {
            DataFusionError::External(inner) => match inner.downcast_ref::<RemoteError>() {
                Some(why) => Self::Fetch { name, why: why.clone() },
                None => Self::Unread { name, why: inner.to_string() },
            },
            DataFusionError::ResourcesExhausted(_) => Self::Memory { name },
            other => Self::Unread { name, why: other.strip_backtrace() },
        }
    }
}
