//! Objects that a format needs as whole files: fetched to memory that has a path, and never to a disk.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use futures::{StreamExt, TryStreamExt, stream};
use object_store::{ObjectMeta, ObjectStoreExt};
use rustix::fs::{MemfdFlags, memfd_create};

use super::{Listing, ObjectFault, Pinned, StoreFault};

/// Objects that are fetched at once.
const AT_ONCE: usize = 8;
const MIB: u64 = 1024 * 1024;

/// An object in memory, for as long as this is held.
#[derive(Debug)]
pub(in crate::sources) struct InMemory {
    file: File,
    /// What stands for its path in messages.
    pub(in crate::sources) shown: PathBuf,
}

impl InMemory {
    /// By which it can be opened as any file.
    pub(in crate::sources) fn path(&self) -> PathBuf {
        Path::new("/proc/self/fd").join(self.file.as_raw_fd().to_string())
    }
}

/// All objects of a listing.
pub(in crate::sources) async fn fetched(listing: &Listing) -> Result<Vec<InMemory>, ObjectFault> {
    let whole = |fault| ObjectFault { place: listing.place.place(), fault };
    let most = listing.place.store.config().fetch_mib;
    let announced: u64 = listing.objects.iter().map(|object| object.size).fold(0, u64::saturating_add);
    if announced > u64::from(most) * MIB {
        return Err(whole(StoreFault::Large(most)));
    }
    let pinned = Pinned::new(listing).map_err(whole)?;
    let left = AtomicU64::new(u64::from(most) * MIB);
    let fetching = pinned.metas().iter().map(|(shown, meta)| fetch(&pinned, shown, meta, &left));
    stream::iter(fetching.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect().await
}

async fn fetch(pinned: &Pinned, shown: &Path, meta: &ObjectMeta, left: &AtomicU64) -> Result<InMemory, ObjectFault> {
    let wrong = |fault| ObjectFault { place: shown.to_path_buf(), fault };
    let of_client = |error: object_store::Error| {
        pinned.fault(&meta.location, &error).unwrap_or_else(|| wrong(pinned.store().fault(&error)))
    };
    let memory = |error: std::io::Error| wrong(StoreFault::Memory(error.to_string()));
    let mut file = File::from(memfd_create("object", MemfdFlags::CLOEXEC).map_err(|errno| memory(errno.into()))?);
    let mut bytes = pinned.get(&meta.location).await.map_err(of_client)?.into_stream();
    while let Some(chunk) = bytes.try_next().await.map_err(of_client)? {
        // What was announced is not relied upon.
        let fits = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(chunk.len() as u64));
        fits.map_err(|_| wrong(StoreFault::Large(pinned.store().config().fetch_mib)))?;
        file.write_all(&chunk).map_err(memory)?;
    }
    Ok(InMemory { file, shown: shown.to_path_buf() })
}
