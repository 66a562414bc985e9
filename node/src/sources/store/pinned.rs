//! Objects as they were listed: an object that has become another one since is an error, never a mixture.

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::listing::{Listing, Object};
use super::{Store, StoreFault};

/// The objects of a listing, each under a name that no other state of it has: what is kept of one is not taken for another.
#[derive(Debug)]
pub(in crate::sources) struct Pinned {
    client: AmazonS3,
    store: Arc<Store>,
    objects: HashMap<Path, Object>,
    /// In the listing's order: what stands for a path in messages, and the object under its name.
    metas: Vec<(PathBuf, ObjectMeta)>,
}

/// What went wrong with which object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {fault}", place.display())]
pub struct ObjectFault {
    /// The object, or all of them.
    pub place: PathBuf,
    /// What is wrong, and what to do.
    pub fault: StoreFault,
}

impl Pinned {
    /// Of the objects of a listing.
    pub(in crate::sources) fn new(listing: &Listing) -> std::result::Result<Self, StoreFault> {
        let store = Arc::clone(&listing.place.store);
        let client = store.client()?;
        let bucket = &store.config().bucket;
        let mut objects = HashMap::with_capacity(listing.objects.len());
        let mut metas = Vec::with_capacity(listing.objects.len());
        for object in &listing.objects {
            let state = match &object.etag {
                Some(etag) => etag.replace(|c: char| !c.is_ascii_alphanumeric(), ""),
                None => object.changed.timestamp_micros().to_string(),
            };
            let name = format!("{bucket}/{state}/{}", object.key);
            let location = Path::parse(name).map_err(|_| StoreFault::NoPath)?;
            let meta = ObjectMeta {
                location: location.clone(),
                last_modified: object.changed,
                size: object.size,
                e_tag: object.etag.clone(),
                version: None,
            };
            metas.push((listing.shown(object), meta));
            objects.insert(location, object.clone());
        }
        Ok(Self { client, store, objects, metas })
    }

    /// The objects in the listing's order, each with what stands for its path in messages.
    pub(in crate::sources) fn metas(&self) -> &[(PathBuf, ObjectMeta)] {
        &self.metas
    }

    /// The fault that an error is, if it is one of the store: while an answer is on its way the client's errors come bare.
    pub(in crate::sources) fn fault(
        &self,
        location: &Path,
        error: &(dyn std::error::Error + 'static),
    ) -> Option<ObjectFault> {
        as_fault(error).cloned().or_else(|| {
            let fault = self.store.fault(chain(error).find_map(|cause| cause.downcast_ref::<Error>())?);
            let key = self.objects.get(location).map(|object| object.key.as_ref()).unwrap_or_default();
            Some(ObjectFault { place: self.store.place(key), fault })
        })
    }

    /// The bucket.
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    fn unknown(location: &Path) -> Error {
        Error::NotFound { path: location.to_string(), source: "it was not listed".into() }
    }

    fn read_only() -> Error {
        Error::NotSupported { source: "sources are only read".into() }
    }
}

impl fmt::Display for Pinned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.store.place("").display())
    }
}

#[async_trait]
impl ObjectStore for Pinned {
    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let object = self.objects.get(location).ok_or_else(|| Self::unknown(location))?;
        let pinned = match &object.etag {
            Some(etag) => GetOptions { if_match: Some(etag.clone()), ..options },
            None => GetOptions { if_unmodified_since: Some(object.changed), ..options },
        };
        let read = self.client.get_opts(&object.key, pinned).await;
        read.map_err(|error| {
            let fault = self.store.fault(&error);
            let place = self.store.place(object.key.as_ref());
            Error::Generic { store: "S3", source: Box::new(ObjectFault { place, fault }) }
        })
    }

    fn list(&self, _: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let metas: Vec<_> = self.metas.iter().map(|(_, meta)| Ok(meta.clone())).collect();
        stream::iter(metas).boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&Path>) -> Result<ListResult> {
        Err(Self::read_only())
    }

    async fn put_opts(&self, _: &Path, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(Self::read_only())
    }

    async fn put_multipart_opts(&self, _: &Path, _: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        Err(Self::read_only())
    }

    fn delete_stream(&self, _: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        stream::iter([Err(Self::read_only())]).boxed()
    }

    async fn copy_opts(&self, _: &Path, _: &Path, _: CopyOptions) -> Result<()> {
        Err(Self::read_only())
    }
}

/// The fault below what has been wrapped around it.
fn as_fault<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a ObjectFault> {
    chain(error).find_map(|cause| cause.downcast_ref())
}

/// An error and what is below it.
pub(in crate::sources) fn chain<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |cause| cause.source())
}
