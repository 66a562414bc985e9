//! A server behind a dataset gives no answer: told to the operator, and, without any of it, to whoever asks.

use std::error::Error;

use datafusion::error::DataFusionError;

use super::store::{ObjectFault, StoreFault};
use super::{EngineFault, Fault};

/// What whoever asks is told: which dataset, and nothing of its server.
#[derive(Debug, Clone, thiserror::Error)]
#[error("dataset {datasets}: {}", told(.cause))]
pub struct Unanswered {
    /// The dataset, or several of one database.
    pub datasets: String,
    /// For the operator.
    pub cause: Cause,
}

/// What went wrong.
#[derive(Debug, Clone)]
pub enum Cause {
    /// At a database.
    Database(Fault),
    /// At an object store.
    Store(ObjectFault),
}

fn told(cause: &Cause) -> &'static str {
    match cause {
        Cause::Database(Fault::Slow(_) | Fault::Engine(EngineFault::Slow(_))) => {
            "its database takes longer than its owner allows; ask for less at once, or ask its owner"
        }
        Cause::Database(Fault::TooLarge) => "a sum does not fit in its type; CAST what is summed AS DECIMAL(38,0)",
        Cause::Database(Fault::Busy(_) | Fault::Engine(EngineFault::Busy)) => {
            "its database is busy; ask again in a minute"
        }
        Cause::Database(_) => {
            "its database can't be read at the moment; ask again later: its operator finds the cause in the node's log"
        }
        Cause::Store(ObjectFault { fault: StoreFault::Changed | StoreFault::Gone, .. }) => {
            "its files have changed while they were read; ask again in a minute"
        }
        Cause::Store(_) => {
            "its files can't be read at the moment; ask again later: its operator finds the cause in the node's log"
        }
    }
}

/// The cause below what DataFusion and the readers of files have wrapped around it.
pub(super) fn cause(error: &DataFusionError) -> Option<&Cause> {
    let mut at: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(found) = at {
        if let Some(unanswered) = found.downcast_ref::<Unanswered>() {
            return Some(&unanswered.cause);
        }
        at = found.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_is_told_the_dataset_and_nothing_of_the_server() {
        let database = Cause::Database(Fault::Unreachable("10.1.2.3: refused".into()));
        let fault = StoreFault::Unreachable("10.1.2.3: refused".into());
        let store = Cause::Store(ObjectFault { place: "s3://private/homes.parquet".into(), fault });
        for cause in [database, store] {
            let text = Unanswered { datasets: "dwellings".into(), cause }.to_string();
            assert!(text.contains("dwellings") && text.contains("node's log"), "{text}");
            assert!(!text.contains("10.1.2.3") && !text.contains("private"), "{text}");
        }
    }
}
