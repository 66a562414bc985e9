//! Files and objects as the engine's reader wants them: by ranges, as they were when they were looked at, and with errors that
//! are ours. One that has become another one under a query is an error, never a mixture.

use std::error::Error;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::error::Result as PlanResult;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::errors::{ParquetError, Result as ParquetResult};
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::FutureExt;
use futures::future::BoxFuture;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt as _};

use crate::sources::store::{Pinned, StoreFault, chain};
use crate::sources::{Cause, ObjectFault, Unanswered};

/// The files of a dataset as they were when they were looked at.
#[derive(Debug, Clone)]
pub(super) struct Unchanged {
    place: Place,
    told: Arc<Told>,
    cache: Option<Arc<FileMetadataCache>>,
}

/// Where they are.
#[derive(Debug, Clone)]
enum Place {
    /// On this machine's disks.
    Disk(Arc<dyn ObjectStore>),
    /// In a store, which is asked for nothing but what was listed.
    Store(Arc<Pinned>),
}

/// Who is told of what goes wrong.
#[derive(Debug)]
pub(super) struct Told {
    /// The dataset.
    pub(super) dataset: String,
    /// Whoever loads it: its objects are others now.
    pub(super) others: Arc<AtomicBool>,
}

impl Unchanged {
    /// Files of this machine.
    pub(super) fn files(disk: Arc<dyn ObjectStore>, told: Told) -> Self {
        Self { place: Place::Disk(disk), told: Arc::new(told), cache: None }
    }

    /// Objects of a store.
    pub(super) fn objects(pinned: Arc<Pinned>, told: Told) -> Self {
        Self { place: Place::Store(pinned), told: Arc::new(told), cache: None }
    }

    /// Where they are read from.
    pub(super) fn store(&self) -> Arc<dyn ObjectStore> {
        match &self.place {
            Place::Disk(disk) => Arc::clone(disk),
            Place::Store(pinned) => Arc::<Pinned>::clone(pinned),
        }
    }

    /// The fault that an error is, if it is one of the store, or the file's absence.
    pub(super) fn fault(&self, meta: &ObjectMeta, error: &(dyn Error + 'static)) -> Option<ObjectFault> {
        match &self.place {
            Place::Store(pinned) => pinned.fault(&meta.location, error),
            Place::Disk(_) => {
                let gone = |cause: &object_store::Error| matches!(cause, object_store::Error::NotFound { .. });
                let is_gone = chain(error).any(|cause| cause.downcast_ref().is_some_and(gone));
                is_gone.then(|| on_disk(meta, StoreFault::Gone))
            }
        }
    }

    /// With what is known of footers already.
    pub(super) fn with_cache(&self, cache: Arc<FileMetadataCache>) -> Self {
        Self { cache: Some(cache), ..self.clone() }
    }
}

fn on_disk(meta: &ObjectMeta, fault: StoreFault) -> ObjectFault {
    ObjectFault { place: PathBuf::from(format!("/{}", meta.location)), fault }
}

/// Files of this machine, read as they were when whoever made the plan looked at them.
#[derive(Debug, Clone)]
pub struct UnchangedFiles(Unchanged);

impl UnchangedFiles {
    /// By the disks and the cache of a runtime.
    pub fn new(runtime: &RuntimeEnv) -> PlanResult<Self> {
        let disk = runtime.object_store(ObjectStoreUrl::local_filesystem())?;
        let told = Told { dataset: "of this body".into(), others: Arc::default() };
        Ok(Self(Unchanged::files(disk, told).with_cache(runtime.cache_manager.get_file_metadata_cache())))
    }

    /// What the engine reads by.
    pub fn reader(&self) -> Arc<dyn ParquetFileReaderFactory> {
        Arc::new(self.0.clone())
    }
}

impl ParquetFileReaderFactory for Unchanged {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        _: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> PlanResult<Box<dyn AsyncFileReader + Send>> {
        let scanned = MetricBuilder::new(metrics).counter("bytes_scanned", partition);
        Ok(Box::new(Reader { files: self.clone(), meta: file.object_meta, scanned }))
    }
}

/// One file.
struct Reader {
    files: Unchanged,
    meta: ObjectMeta,
    scanned: Count,
}

impl Reader {
    fn count(&self, ranges: &[Range<u64>]) {
        let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        self.scanned.add(usize::try_from(bytes).unwrap_or(usize::MAX));
    }

    /// A fault of the file, told to its operator now and to whoever asks with the answer; other errors as they are.
    fn told(&self, error: impl Error + Send + Sync + 'static) -> ParquetError {
        match self.files.fault(&self.meta, &error) {
            Some(fault) => self.fault(fault),
            None => ParquetError::External(Box::new(error)),
        }
    }

    fn fault(&self, fault: ObjectFault) -> ParquetError {
        let Told { dataset, others } = self.files.told.as_ref();
        tracing::error!(%dataset, file = %fault.place.display(), fault = %fault.fault, "a query of the files failed");
        if fault.fault.is_change() {
            others.store(true, Ordering::Relaxed);
        }
        ParquetError::External(Box::new(Unanswered { datasets: dataset.clone(), cause: Cause::Store(fault) }))
    }

    /// What was read, where the file is still the one that was looked at. A store is asked for that one alone; a disk gives
    /// what is there, so that it is looked at again when the bytes have come.
    async fn unchanged<T>(&self, read: Result<T, impl Error + Send + Sync + 'static>) -> ParquetResult<T> {
        if let Place::Disk(disk) = &self.files.place {
            let now = disk.head(&self.meta.location).await.map_err(|error| self.told(error))?;
            let state = |meta: &ObjectMeta| (meta.size, meta.last_modified);
            let is_same_file = self.meta.e_tag.is_none() || now.e_tag == self.meta.e_tag;
            if !is_same_file || state(&now) != state(&self.meta) {
                return Err(self.fault(on_disk(&self.meta, StoreFault::Changed)));
            }
        }
        read.map_err(|error| self.told(error))
    }
}

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        self.count(std::slice::from_ref(&range));
        async move { self.unchanged(self.files.store().get_range(&self.meta.location, range).await).await }.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        self.count(&ranges);
        async move { self.unchanged(self.files.store().get_ranges(&self.meta.location, &ranges).await).await }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        let policy = options.map(ArrowReaderOptions::column_index_policy);
        async move {
            let store = self.files.store();
            let metadata = DFParquetMetadata::new(store.as_ref(), &self.meta)
                .with_file_metadata_cache(self.files.cache.clone())
                .with_page_index_policy(policy)
                .fetch_metadata()
                .await;
            self.unchanged(metadata).await
        }
        .boxed()
    }
}
