//! Turns the file behind a dataset into a plan that yields the published columns, or says why it can't.

mod addresses;
mod behind;
mod boroughs;
mod checks;
mod clean;
mod decimals;
mod error;
mod expressions;
mod files;
mod fingerprint;
mod flight_sql;
mod format;
mod found;
mod functions;
mod geoparquet;
mod held;
mod look;
mod mapping;
mod marked;
mod materialise;
mod parquet;
mod pieces;
mod postgres;
mod predicate;
mod promises;
mod remote;
mod rowwise;
mod scanned;
mod shipped;
mod snapshot;
mod spec;
mod sqlite;
mod store;
mod tls;
mod types;
mod unanswered;
mod units;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use meridian_proto::Form;

pub use addresses::{AddressList, AddressListConfig, Addresses, AddressesFound};
pub use boroughs::gss;
pub use clean::clean;
pub use error::{RecordFault, RecordPlace, SourceError};
pub use fingerprint::Fingerprint;
pub use flight_sql::{EngineConfig, EngineDialect, EngineFault, EngineLogin, EngineTls, FlightEngine, FlightSql};
pub use format::{CsvFormat, ExcelFormat, Tidy};
pub use found::{Found, Place, found, in_source};
pub use functions::{is_day_uk, is_money};
pub use look::{Records, Unread, below, layout, records, tidied};
pub use parquet::UnchangedFiles;
pub use postgres::{Fault, Host, Postgres, Server, ServerConfig};
pub use predicate::predicate;
pub use remote::WholeQueries;
pub use shipped::{ShippedFunction, named_functions, ship_function};
pub use snapshot::{AsOf, Beside, SNAPSHOTS, period_end, period_start};
pub use spec::{OuterUnitSpec, Rectified, RightsSpec, SnapshotStore, SourceKind, SourceSpec, UnitSpec};
pub use sqlite::{Sqlite, SqliteFault};
pub use store::{InStore, Key, ObjectFault, SCHEME as STORE_SCHEME, Store, StoreConfig, StoreFault};
pub use types::{arrow_type, is_covered, literal, published_schema};
pub use unanswered::{Cause, Unanswered};
pub use units::{unit_hash, unit_named};

use behind::Behind;
use mapping::Failure;
use snapshot::Snapshot;

/// The name by which a mapping reads the file.
pub const SOURCE_TABLE: &str = "source";

/// A dataset that can be queried.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Yields the published columns in order with exactly the declared types ([`published_schema`]) and, where there is a
    /// unit, [`crate::gate::UNIT_COLUMN`], every one of them nullable. It is analysed, not optimised; its columns carry no
    /// promised qualifier: alias it.
    pub plan: LogicalPlan,
    /// How many rows it yields.
    pub rows: u64,
    /// When the period began for which its rows stand; `None` for live rows.
    pub as_of: Option<DateTime<Utc>>,
    /// When the files behind it last changed before that; `None` where that is not known.
    pub changed: Option<DateTime<Utc>>,
    /// Another one where its live rows are read from something else or are made otherwise, as far as that can be seen: a
    /// digest of the files' state and of how they are read and mapped.
    pub origin: String,
    /// The entries of the node's list of rights that its rows are made with.
    pub rights: Arc<[u64]>,
    /// The entries whose right values the source was found to hold.
    pub corrected: Vec<u64>,
    /// How many addresses were found, where the mapping looked for some when these rows were made.
    pub addresses: Option<AddressesFound>,
    freshness: Freshness,
    /// The address list as it was before.
    list: Option<Fingerprint>,
}

/// How long rows are what a query is to see.
#[derive(Debug, Clone)]
enum Freshness {
    /// As long as the files are as they were before they were read.
    Files(Fingerprint),
    /// As long as the objects are those that were listed.
    Objects(Arc<store::Watch>),
    /// Until the period ends.
    Period(AsOf, DateTime<Utc>),
    /// Until a query finds its table changed, and no longer than this.
    Table(Arc<remote::Shared>, DateTime<Utc>),
}

impl Loaded {
    /// Whether it has to be loaded again: the file has changed or is gone, the snapshot's period has ended, or rights are
    /// others where they don't wait for the next period.
    pub fn is_stale(&self, rights: &RightsSpec, now: DateTime<Utc>) -> bool {
        rights.fault.is_some()
            || self.list.as_ref().is_some_and(|before| !before.holds())
            || match &self.freshness {
                Freshness::Files(before) => self.rights != rights.entries || !before.holds(),
                Freshness::Objects(watch) => self.rights != rights.entries || watch.differs(),
                Freshness::Period(as_of, start) => period_start(*as_of, now).is_none_or(|current| current > *start),
                Freshness::Table(shared, until) => {
                    self.rights != rights.entries || shared.is_suspicious() || now >= *until
                }
            }
    }
}

/// What loading depends on, to tell whether a load that went wrong is worth another try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    source: Option<Fingerprint>,
    addresses: Option<Fingerprint>,
    snapshot: Option<Fingerprint>,
    period: Option<DateTime<Utc>>,
    /// Counted on where only trying tells whether it is there again.
    attempt: Option<i64>,
    /// `None` while they can't be known.
    rights: Option<Arc<[u64]>>,
}

/// How often a server that failed is tried again.
const SECONDS_BETWEEN_ATTEMPTS: i64 = 20;

/// What loading would depend on now: files that can't be looked at are none.
pub fn inputs(spec: &SourceSpec, now: DateTime<Utc>) -> Inputs {
    let place = Snapshot::of(spec, now).ok().flatten();
    Inputs {
        source: Fingerprint::of(&spec.path, spec.kind.files()).ok(),
        addresses: spec.addresses.as_ref().and_then(Addresses::fingerprint),
        snapshot: place.and_then(|place| Fingerprint::of(&place.path(), spec.kind.files()).ok()),
        period: period_start(spec.as_of, now),
        attempt: (spec.is_elsewhere() || matches!(spec.kind, SourceKind::Sqlite(_)))
            .then(|| now.timestamp() / SECONDS_BETWEEN_ATTEMPTS),
        rights: spec.rights.fault.is_none().then(|| Arc::clone(&spec.rights.entries)),
    }
}

/// When a right that is exercised now takes effect: as soon as the rows are loaded again (`None`), or with the snapshot of
/// the next period where this one's has been taken.
pub fn takes_effect(spec: &SourceSpec, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let snapshot = Snapshot::of(spec, now).ok().flatten()?;
    if snapshot.path().exists() { period_end(spec.as_of, now) } else { None }
}

/// Loads a source and checks what its dataset promises: types, required columns, unique units, coverage.
///
/// A dataset that is not live comes from the snapshot of the current period, if there is one; otherwise the source is read
/// and the snapshot is taken. A snapshot that can't be opened is an error.
///
/// Of `context` it takes the runtime (memory pool, object stores) and the number of partitions; nothing is registered in it.
pub async fn load(spec: &SourceSpec, context: &SessionContext, now: DateTime<Utc>) -> Result<Loaded, SourceError> {
    if let Some(why) = &spec.rights.fault {
        return Err(SourceError::Rights { dataset: spec.dataset.name.clone(), why: Arc::clone(why) });
    }
    // What is counted is of this time alone.
    let counted = SourceSpec { addresses: spec.addresses.as_ref().map(Addresses::anew), ..spec.clone() };
    match Snapshot::of(spec, now)? {
        Some(snapshot) => load_snapshot(&counted, context, snapshot).await,
        None => load_live(&counted, context, now).await,
    }
}

/// How many addresses were found, which is said.
fn addresses_found(spec: &SourceSpec) -> Option<AddressesFound> {
    let found = spec.addresses.as_ref()?.found();
    let AddressesFound { list, matched, under, ambiguous } = &found;
    let dataset = &spec.dataset.name;
    tracing::info!(%dataset, %list, matched, under, ambiguous, "addresses looked for");
    Some(found)
}

async fn load_live(spec: &SourceSpec, context: &SessionContext, now: DateTime<Utc>) -> Result<Loaded, SourceError> {
    let behind = Behind::of(spec).await?;
    let list = spec.addresses.as_ref().and_then(Addresses::fingerprint);
    // Addresses are looked for once, and not by every query.
    let asked = spec.unit.is_none() && spec.addresses.is_none();
    let mut shared: Arc<remote::Shared> = Arc::default();
    let (mapped, corrected) = match (&spec.kind, asked) {
        (SourceKind::Parquet, true) => (parquet::open(spec, &behind, context).await?, Vec::new()),
        (SourceKind::Parquet, false) if scanned::is_wanted(spec, &behind) => {
            scanned::open(spec, &behind, context).await?
        }
        (SourceKind::Postgres(_) | SourceKind::Sqlite(_) | SourceKind::FlightSql(_), true) => {
            let (mapped, with_queries) = remote::open(spec, Failure::of_queries(spec.dataset.form), context).await?;
            shared = with_queries;
            (mapped, Vec::new())
        }
        (
            SourceKind::Parquet
            | SourceKind::Csv(_)
            | SourceKind::Excel(_)
            | SourceKind::JsonLines
            | SourceKind::GeoJson
            | SourceKind::Postgres(_)
            | SourceKind::Sqlite(_)
            | SourceKind::FlightSql(_),
            _,
        ) => {
            let marked = held::read(spec, &behind, context).await?;
            (held::table(spec, marked.batches, context).await?, marked.corrected)
        }
    };
    let rows = checks::check(spec, &mapped, context).await?;
    shared.counted(rows);
    let (changed, origin) = (behind.newest(), behind.origin(spec, list.as_ref()));
    let freshness = match &spec.kind {
        SourceKind::Postgres(source) => Freshness::Table(shared, now + source.refresh),
        SourceKind::FlightSql(source) => Freshness::Table(shared, now + source.refresh),
        SourceKind::Parquet
        | SourceKind::Csv(_)
        | SourceKind::Excel(_)
        | SourceKind::JsonLines
        | SourceKind::GeoJson
        | SourceKind::Sqlite(_) => behind.freshness(spec),
    };
    Ok(Loaded {
        plan: mapped.published,
        rows,
        as_of: None,
        changed,
        origin,
        rights: Arc::clone(&spec.rights.entries),
        corrected,
        addresses: addresses_found(spec),
        freshness,
        list,
    })
}

async fn load_snapshot(spec: &SourceSpec, context: &SessionContext, snapshot: Snapshot) -> Result<Loaded, SourceError> {
    let start = snapshot.start;
    // What has changed since is of the next snapshot, and nobody is told of it before.
    let newest = Behind::of(spec).await.ok().and_then(|behind| behind.newest());
    let changed = newest.map_or(start, |newest| newest.min(start));
    let (snapshot, kept) = blocking(spec, move || snapshot.read().map(|kept| (snapshot, kept))).await?;
    let (before, batches, rights, corrected) = match kept {
        Some(kept) => (None, kept.batches, kept.rights, Vec::new()),
        None => {
            let before = Behind::of(spec).await?;
            let marked = held::read(spec, &before, context).await?;
            (Some(before), marked.batches, Arc::clone(&spec.rights.entries), marked.corrected)
        }
    };
    let anew = before.is_some();
    let mapped = held::table(spec, batches.clone(), context).await?;
    // Before it is kept: what breaks a promise would break it until the period ends.
    let rows = checks::check(spec, &mapped, context).await?;
    if let Some(before) = before {
        if Behind::of(spec).await? != before {
            return Err(SourceError::unreadable(spec, &"it changed while its snapshot was taken"));
        }
        blocking(spec, move || snapshot.write(&batches)).await?;
    }
    let freshness = Freshness::Period(spec.as_of, start);
    let addresses = if anew { addresses_found(spec) } else { None };
    Ok(Loaded {
        plan: mapped.published,
        rows,
        as_of: Some(start),
        changed: Some(changed),
        // Its period stands for that.
        origin: String::new(),
        rights,
        corrected,
        addresses,
        freshness,
        // Until the period ends, its rows are what they are.
        list: None,
    })
}

/// What is to stay the same as long as the snapshot that these rows come from: the text that is kept beside it; `None` where
/// nothing is yet, and where rows are live.
pub async fn kept(spec: &SourceSpec, loaded: &Loaded, what: Beside) -> Result<Option<String>, SourceError> {
    let Some(start) = loaded.as_of else { return Ok(None) };
    match Snapshot::of(spec, start)? {
        Some(snapshot) => blocking(spec, move || snapshot.beside(what)).await,
        None => Ok(None),
    }
}

/// Keeps a text beside the snapshot that these rows come from; nothing where rows are live.
pub async fn keep(spec: &SourceSpec, loaded: &Loaded, what: Beside, text: String) -> Result<(), SourceError> {
    let Some(start) = loaded.as_of else { return Ok(()) };
    match Snapshot::of(spec, start)? {
        Some(snapshot) => blocking(spec, move || snapshot.put_beside(what, &text)).await,
        None => Ok(()),
    }
}

/// Runs what blocks on a thread for it. Why a thread ended may quote values: it is not passed on.
async fn blocking<T: Send + 'static>(
    spec: &SourceSpec,
    work: impl FnOnce() -> Result<T, SourceError> + Send + 'static,
) -> Result<T, SourceError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(SourceError::evaluation(spec)))
}

/// The size class that is told of rows which may not be counted and of which none is declared: a middling one.
const UNDECLARED_SIZE: u32 = 5;

/// The size class that is told of a dataset of so many rows whose owner declares none: the exponent of the smallest power
/// of ten that is no smaller.
///
/// Only what is open is counted. Elsewhere the number of rows is a release that no control has seen: at a power of ten, one
/// person more or less would show to the whole federation.
pub fn size_class(form: Form, rows: u64) -> u32 {
    match form {
        Form::Open => rows.checked_sub(1).and_then(u64::checked_ilog10).map_or(0, |digits| digits + 1),
        Form::Rows | Form::Statistics | Form::None => UNDECLARED_SIZE,
    }
}
