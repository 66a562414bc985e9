//! The objects behind a dataset as they were when they were listed, and whether they are others now.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tokio::task::AbortHandle;

use super::{InStore, StoreFault};
use crate::sources::fingerprint::FilesOf;

/// Most objects of a dataset.
const MOST_OBJECTS: usize = 100_000;

/// An object as it was listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sources) struct Object {
    pub(super) key: Path,
    pub(super) size: u64,
    pub(super) changed: DateTime<Utc>,
    pub(super) etag: Option<String>,
}

impl From<ObjectMeta> for Object {
    fn from(meta: ObjectMeta) -> Self {
        let ObjectMeta { location: key, size, last_modified: changed, e_tag: etag, .. } = meta;
        Self { key, size, changed, etag }
    }
}

/// The objects that belong to a dataset, sorted by key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sources) struct Listing {
    pub(super) place: InStore,
    pub(super) objects: Vec<Object>,
}

impl Listing {
    /// The object at a place, or those below it that belong to a source, as they are now.
    pub(in crate::sources) async fn of(place: &InStore, of: FilesOf) -> Result<Self, StoreFault> {
        let client = place.store.client()?;
        let InStore { store, key } = place;
        let path = Path::parse(key).map_err(|_| StoreFault::NoPath)?;
        if !key.is_empty() && !key.ends_with('/') {
            match store.asked(client.head(&path)).await {
                Ok(found) => return Ok(Self { place: place.clone(), objects: vec![found.into()] }),
                // It may be a prefix; and where it is none, the answer to this has no words, and that to a listing has.
                Err(fault) if fault.is_answer() => {}
                Err(fault) => return Err(fault),
            }
        }
        let mut objects = Vec::new();
        let mut any = false;
        let mut listed = client.list(Some(&path));
        while let Some(meta) = store.asked(listed.try_next()).await? {
            any = true;
            let below = meta.location.as_ref().get(path.as_ref().len()..).unwrap_or_default();
            if of.takes(below) {
                objects.push(Object::from(meta));
            }
            if objects.len() > MOST_OBJECTS {
                return Err(StoreFault::Many(MOST_OBJECTS));
            }
        }
        if !any {
            return Err(StoreFault::Nothing);
        }
        objects.sort_by(|one, other| one.key.cmp(&other.key));
        Ok(Self { place: place.clone(), objects })
    }

    /// When the newest of them last changed; `None` where there are none.
    pub(in crate::sources) fn newest(&self) -> Option<DateTime<Utc>> {
        self.objects.iter().map(|object| object.changed).max()
    }

    /// What tells them from others: keys, lengths, times and entity tags.
    pub(in crate::sources) fn state(&self) -> String {
        format!("{:?}", self.objects)
    }

    /// Their lengths together.
    pub(in crate::sources) fn bytes(&self) -> u64 {
        self.objects.iter().map(|object| object.size).sum()
    }

    /// What stands for an object's path in messages.
    pub(super) fn shown(&self, object: &Object) -> PathBuf {
        self.place.store.place(object.key.as_ref())
    }
}

/// Looks at the objects from time to time, until they are others or nobody wants to know.
#[derive(Debug)]
pub(in crate::sources) struct Watch {
    others: Arc<AtomicBool>,
    task: AbortHandle,
}

impl Watch {
    /// Starts with the objects that a dataset is loaded from; `others` may be set by who reads them, too.
    pub(in crate::sources) fn start(listing: Arc<Listing>, of: FilesOf, others: Arc<AtomicBool>) -> Arc<Self> {
        let seen = Arc::clone(&others);
        let task = tokio::spawn(async move {
            let mut missed = false;
            while !seen.load(Ordering::Relaxed) {
                tokio::time::sleep(listing.place.store.config().refresh).await;
                match Listing::of(&listing.place, of).await {
                    Ok(now) => {
                        missed = false;
                        seen.fetch_or(now != *listing, Ordering::Relaxed);
                    }
                    Err(StoreFault::Nothing) => seen.store(true, Ordering::Relaxed),
                    Err(fault) => {
                        if !missed {
                            let place = listing.place.place();
                            tracing::warn!(place = %place.display(), %fault, "whether it has changed can't be seen");
                        }
                        missed = true;
                    }
                }
            }
        });
        Arc::new(Self { others, task: task.abort_handle() })
    }

    /// Whether the objects are others now.
    pub(in crate::sources) fn differs(&self) -> bool {
        self.others.load(Ordering::Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
    }
}
