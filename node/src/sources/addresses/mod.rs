//! Address lists of the node, in which mappings find their own addresses.
//!
//! | where | what |
//! | --- | --- |
//! | `rows` | the file of a list, row by row |
//! | `functions` | `match_address` and `match_address_score` |
//!
//! A list is read once for all datasets that name it, held in memory, and read again when a dataset is loaded after its file
//! has changed; a changed file makes these datasets load. No query knows the functions: who may call them could find out who
//! is in the list. What they gave is told in classes of counts alone.

mod functions;
mod rows;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::prelude::SessionContext;
use meridian_addresses::{List, Outcome};
use meridian_proto::Name;

use super::fingerprint::{FilesOf, Fingerprint};
use super::{SourceError, SourceSpec};

/// What a node's configuration says of an address list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressListConfig {
    /// What datasets call it.
    pub name: Name,
    /// The file: CSV, a workbook, or JSON lines.
    pub path: PathBuf,
    /// The most memory that it may take, in mebibytes.
    pub memory_mib: usize,
}

/// An address list of the node.
pub struct AddressList {
    config: AddressListConfig,
    held: Mutex<Option<Held>>,
}

/// A list as it was last read.
struct Held {
    of: Fingerprint,
    list: Arc<List>,
}

impl fmt::Debug for AddressList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddressList").field("config", &self.config).finish_non_exhaustive()
    }
}

impl PartialEq for AddressList {
    fn eq(&self, other: &Self) -> bool {
        self.config == other.config
    }
}

impl Eq for AddressList {}

impl AddressList {
    /// A list that nobody has read yet.
    pub fn new(config: AddressListConfig) -> Arc<Self> {
        Arc::new(Self { config, held: Mutex::default() })
    }

    /// What is configured.
    pub fn config(&self) -> &AddressListConfig {
        &self.config
    }

    /// The list as its file is now. Whoever comes while it is read waits for it. The error holds nothing of a row.
    fn read(&self) -> Result<Arc<List>, String> {
        let AddressListConfig { name, path, memory_mib } = &self.config;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let of = self.fingerprint().map_err(|error| error.to_string())?;
        if let Some(held) = held.as_ref().filter(|held| held.of == of) {
            return Ok(Arc::clone(&held.list));
        }
        // The old one makes room for the new one.
        *held = None;
        let list = Arc::new(rows::read(path, memory_mib << 20)?);
        let (addresses, mib) = (list.len(), list.bytes() >> 20);
        tracing::info!(list = %name, addresses, mib, "address list read");
        *held = Some(Held { of, list: Arc::clone(&list) });
        Ok(list)
    }

    fn fingerprint(&self) -> std::io::Result<Fingerprint> {
        Fingerprint::of(&self.config.path, FilesOf::default())
    }
}

/// The address list that a dataset's mapping looks into.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// The list.
    pub list: Arc<AddressList>,
    /// Scores under this are no matches; from 0 to 1.
    pub least_score: f64,
    tally: Arc<Tally>,
}

impl PartialEq for Addresses {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list && self.least_score.to_bits() == other.least_score.to_bits()
    }
}

impl Eq for Addresses {}

/// How many addresses were looked for, by what came of it.
#[derive(Debug, Default)]
struct Tally {
    matched: AtomicU64,
    under: AtomicU64,
    ambiguous: AtomicU64,
}

impl Tally {
    fn count(&self, outcome: &Outcome) {
        let counter = match outcome {
            Outcome::Nothing => return,
            Outcome::Matched(_) => &self.matched,
            Outcome::Under(_) => &self.under,
            Outcome::Ambiguous(_) => &self.ambiguous,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// How many addresses of a dataset were found in its list, in classes: `up to 1000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressesFound {
    /// The list.
    pub list: Name,
    /// One address of the list is meant.
    pub matched: String,
    /// None scores enough.
    pub under: String,
    /// Several score as well.
    pub ambiguous: String,
}

impl fmt::Display for AddressesFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { list, matched, under, ambiguous } = self;
        write!(f, "of the addresses {matched} are in {list}, {under} score too little, {ambiguous} may be several")
    }
}

/// The smallest power of ten, 10 at least, that is no smaller.
fn class(count: u64) -> String {
    if count == 0 {
        return "none".into();
    }
    let digits = count.saturating_sub(1).checked_ilog10().map_or(1, |digits| (digits + 1).max(1));
    10_u64.checked_pow(digits).map_or_else(|| "more".into(), |most| format!("up to {most}"))
}

impl Addresses {
    /// Of this list, with this score at least.
    pub fn new(list: Arc<AddressList>, least_score: f64) -> Self {
        Self { list, least_score, tally: Arc::default() }
    }

    /// Files of the list as they are now.
    pub(super) fn fingerprint(&self) -> Option<Fingerprint> {
        self.list.fingerprint().ok()
    }

    /// The same, with nothing counted yet.
    pub(super) fn anew(&self) -> Self {
        Self::new(Arc::clone(&self.list), self.least_score)
    }

    /// Nothing has been counted: all is looked for again.
    pub(super) fn forget(&self) {
        let Tally { matched, under, ambiguous } = self.tally.as_ref();
        [matched, under, ambiguous].iter().for_each(|counter| counter.store(0, Ordering::Relaxed));
    }

    /// What came of it.
    pub(super) fn found(&self) -> AddressesFound {
        let class = |counter: &AtomicU64| class(counter.load(Ordering::Relaxed));
        let Tally { matched, under, ambiguous } = self.tally.as_ref();
        AddressesFound {
            list: self.list.config.name.clone(),
            matched: class(matched),
            under: class(under),
            ambiguous: class(ambiguous),
        }
    }
}

/// Reads the list that a mapping needs, on a thread that may wait for it.
pub(super) async fn ready(spec: &SourceSpec) -> Result<(), SourceError> {
    let Some(addresses) = &spec.addresses else { return Ok(()) };
    let (list, owned) = (Arc::clone(&addresses.list), spec.clone());
    super::blocking(spec, move || list.read().map(drop).map_err(|why| wrong(&owned, &list, why))).await
}

/// Lets a mapping call the functions, if it names a list.
pub(super) fn register(spec: &SourceSpec, session: &SessionContext) -> Result<(), SourceError> {
    let Some(addresses) = &spec.addresses else { return Ok(()) };
    let list = addresses.list.read().map_err(|why| wrong(spec, &addresses.list, why))?;
    for function in functions::all(addresses, &list) {
        session.register_udf(function);
    }
    Ok(())
}

fn wrong(spec: &SourceSpec, list: &AddressList, why: String) -> SourceError {
    let AddressListConfig { name, path, .. } = &list.config;
    SourceError::Addresses { dataset: spec.dataset.name.clone(), list: name.clone(), path: path.clone(), why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told_in_classes() {
        for (count, said) in [(0, "none"), (1, "up to 10"), (10, "up to 10"), (11, "up to 100"), (1000, "up to 1000")] {
            assert_eq!(class(count), said);
        }
        assert_eq!(class(u64::MAX), "more");
    }
}
