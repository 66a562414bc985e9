//! The list of rights in a running node: what it does to each dataset's rows, and what the log says of it.
//!
//! An entry is in the sealed list before anything else knows of it. The log is this process's own while the node runs, so
//! the node records what was added meanwhile, and what was added while it was down, each number once: the log itself says
//! which it has. Rights are recorded as in force when they are: the end of one before its rows come back, all others after
//! the rows are gone, so that a release between the two records is never taken for one without the rows when it had them.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meridian_proto::Name;

use super::{kinds, recorded};
use crate::audit::{Log, LogError, Rights};
use crate::config::DatasetConfig;
use crate::rights::{Concerning, Entry, List, Right, RightsError, Store, Watched};
use crate::secrets::Secret;
use crate::sources::{Loaded, Rectified, RightsSpec};

/// The rights that a running node applies.
#[derive(Debug)]
pub(crate) struct Applied {
    list: Arc<Watched>,
    log: Arc<Log>,
    recorded: Mutex<Rights>,
}

impl Applied {
    /// The list of a state folder; all that the log tells of must be in it.
    pub(crate) fn new(state: &Path, secret: &Secret, log: Arc<Log>) -> Self {
        let recorded = log.found().clone();
        let list = Arc::new(Watched::new(Store::new(state, secret), recorded.last()));
        Self { list, log, recorded: Mutex::new(recorded) }
    }

    /// Looks whether the list has changed.
    pub(crate) fn refresh(&self) {
        self.list.refresh();
    }

    /// What is to be done to a dataset's rows.
    pub(crate) fn spec(&self, config: &DatasetConfig) -> RightsSpec {
        let fault = |why: String| RightsSpec { fault: Some(why.into()), ..RightsSpec::default() };
        let list = match self.list.list() {
            Ok(list) => list,
            Err(error) if config.unit.is_some() => return fault(error.to_string()),
            // No entry can be about rows that are about nobody.
            Err(_) => return RightsSpec::default(),
        };
        match list.concerning(&config.dataset.name, kinds(config)) {
            Ok(concerning) => of(concerning),
            Err(misfit) => fault(misfit.to_string()),
        }
    }

    /// Records the entries that the log doesn't have yet. What can't be recorded now is tried again.
    pub(crate) async fn record(&self) {
        let Ok(list) = self.list.list() else { return };
        for entry in list.entries() {
            if self.recorded().rights.contains(&entry.number) {
                continue;
            }
            match self.log.right(recorded(entry)).await {
                Ok(_) => {
                    self.recorded().rights.insert(entry.number);
                    tracing::info!(entry = entry.number, right = entry.right.verb(), "a right was exercised");
                }
                Err(error) => return unrecorded(&error),
            }
        }
    }

    /// Records what is in force in a dataset since it was loaded and its rows have taken the place of the former, and ends
    /// the rectifications that its source no longer needs.
    pub(crate) async fn in_force(&self, dataset: &Name, loaded: &Loaded) {
        self.effects(dataset, loaded, |_| true).await;
        self.correct(loaded).await;
    }

    /// Records the ends of earlier entries that are in force as soon as these rows take the place of the former.
    pub(crate) async fn ends_in_force(&self, dataset: &Name, loaded: &Loaded) {
        self.effects(dataset, loaded, |entry| entry.ends.is_some()).await;
    }

    async fn effects(&self, dataset: &Name, loaded: &Loaded, which: impl Fn(&Entry) -> bool) {
        let Ok(list) = self.list.list() else { return };
        let numbers: Vec<u64> = {
            let recorded = self.recorded();
            let new = |number: &u64| !recorded.effects.contains(&(dataset.to_string(), *number));
            let which = |number: &u64| list.entry(*number).is_some_and(&which);
            loaded.rights.iter().copied().filter(new).filter(which).collect()
        };
        if numbers.is_empty() {
            return;
        }
        match self.log.effect(dataset.as_str(), numbers.clone()).await {
            Ok(_) => {
                tracing::info!(%dataset, entries = ?numbers, "rights are in force");
                self.recorded().effects.extend(numbers.into_iter().map(|number| (dataset.to_string(), number)));
            }
            Err(error) => unrecorded(&error),
        }
    }

    /// Ends the rectifications that were to last until the source holds the right values, and now it does.
    async fn correct(&self, loaded: &Loaded) {
        let Ok(list) = self.list.list() else { return };
        let due = |entry: &&Entry| entry.until_corrected && loaded.corrected.contains(&entry.number);
        let due: Vec<Entry> = list.standing().filter(due).cloned().collect();
        if due.is_empty() {
            return;
        }
        let watched = Arc::clone(&self.list);
        let ended = tokio::task::spawn_blocking(move || {
            due.iter().try_for_each(|entry| {
                watched.store().add(watched.least(), |_: &List| Ok::<_, RightsError>(corrected(entry))).map(drop)
            })
        });
        match ended.await {
            Ok(Ok(())) => self.refresh(),
            Ok(Err(error)) => tracing::error!(%error, "a rectification that the source no longer needs does not end"),
            Err(_) => tracing::error!("a rectification that the source no longer needs does not end"),
        }
    }

    fn recorded(&self) -> MutexGuard<'_, Rights> {
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of(concerning: Concerning) -> RightsSpec {
    let overlays = concerning.overlays.into_iter();
    let rectified = overlays.map(|o| Rectified { entry: o.number, unit: o.unit, column: o.column, value: o.value });
    RightsSpec {
        entries: concerning.numbers.into(),
        left_out: Arc::new(concerning.left_out),
        rectified: rectified.collect(),
        fault: None,
    }
}

/// The end of a rectification.
fn corrected(entry: &Entry) -> Entry {
    Entry {
        right: Right::Corrected,
        at_ms: super::now_ms(),
        ends: Some(entry.number),
        units: Vec::new(),
        values: Vec::new(),
        until_corrected: false,
        reason: String::new(),
        ..entry.clone()
    }
}

/// Nothing is answered while the log takes no records, and this is tried again.
fn unrecorded(error: &LogError) {
    tracing::error!(%error, "rights are not recorded yet");
}
