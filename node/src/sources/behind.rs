//! What is behind a source before it is read, by which a change is noticed: while it is read, and later.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::store::{Listing, ObjectFault, Watch};
use super::{Fingerprint, Freshness, SourceError, SourceKind, SourceSpec};

/// What a source is read from.
#[derive(Debug)]
pub(super) enum Behind {
    /// Files on this machine.
    Files(Fingerprint),
    /// Objects of a store.
    Objects {
        /// As they were listed.
        listing: Arc<Listing>,
        /// Set by whoever finds them changed.
        others: Arc<AtomicBool>,
    },
    /// A table of a server, of which nothing tells whether it has changed.
    Table,
}

impl Behind {
    /// As it is now.
    pub(super) async fn of(spec: &SourceSpec) -> Result<Self, SourceError> {
        if matches!(spec.kind, SourceKind::Postgres(_) | SourceKind::FlightSql(_)) {
            return Ok(Self::Table);
        }
        let Some(store) = &spec.store else {
            let files = Fingerprint::of(&spec.path, spec.kind.files());
            return files.map(Self::Files).map_err(|error| SourceError::unreadable(spec, &error));
        };
        let listing = Listing::of(store, spec.kind.files()).await;
        let faulty = |fault| SourceError::store(spec, &ObjectFault { place: spec.path.clone(), fault });
        Ok(Self::Objects { listing: Arc::new(listing.map_err(faulty)?), others: Arc::default() })
    }

    /// When the newest of the files or objects last changed; `None` where nothing tells.
    pub(super) fn newest(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Files(before) => before.newest().map(DateTime::from),
            Self::Objects { listing, .. } => listing.newest(),
            Self::Table => None,
        }
    }

    /// Bytes of the files or objects; `None` where nothing tells.
    pub(super) fn bytes(&self) -> Option<u64> {
        match self {
            Self::Files(before) => Some(before.bytes()),
            Self::Objects { listing, .. } => Some(listing.bytes()),
            Self::Table => None,
        }
    }

    /// A digest of the files or objects, and of what makes rows of them; `list` is the list in which addresses are looked for.
    pub(super) fn origin(&self, spec: &SourceSpec, list: Option<&Fingerprint>) -> String {
        let state = match self {
            Self::Files(before) => format!("{before:?}"),
            Self::Objects { listing, .. } => listing.state(),
            Self::Table => String::new(),
        };
        let SourceSpec { kind, path, mapping, addresses, unit, .. } = spec;
        let score = addresses.as_ref().map(|addresses| addresses.least_score);
        hex::encode(Sha256::digest(format!("{kind:?} {path:?} {mapping:?} {unit:?} {score:?} {list:?} {state}")))
    }

    /// How long rows that were read from files or objects are what a query is to see.
    pub(super) fn freshness(self, spec: &SourceSpec) -> Freshness {
        match self {
            Self::Files(before) => Freshness::Files(before),
            Self::Objects { listing, others } => Freshness::Objects(Watch::start(listing, spec.kind.files(), others)),
            Self::Table => Freshness::Files(Fingerprint::default()),
        }
    }
}

/// The same where nothing has changed.
impl PartialEq for Behind {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Files(one), Self::Files(other)) => one == other,
            (Self::Objects { listing: one, .. }, Self::Objects { listing: other, .. }) => one == other,
            (Self::Table, Self::Table) => true,
            (Self::Files(_) | Self::Objects { .. } | Self::Table, _) => false,
        }
    }
}
