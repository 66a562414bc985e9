//! Objects of a store as the engine's reader wants them: by ranges, as they were listed, and with errors that are ours.

use std::error::Error;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileReaderFactory;
use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use datafusion::error::Result;
use datafusion::execution::cache::cache_manager::FileMetadataCache;
use datafusion::parquet::arrow::arrow_reader::ArrowReaderOptions;
use datafusion::parquet::arrow::async_reader::AsyncFileReader;
use datafusion::parquet::errors::{ParquetError, Result as ParquetResult};
use datafusion::parquet::file::metadata::ParquetMetaData;
use datafusion::physical_plan::metrics::{Count, ExecutionPlanMetricsSet, MetricBuilder};
use futures::FutureExt;
use futures::future::BoxFuture;
use meridian_proto::Name;
use object_store::{ObjectMeta, ObjectStore as _, ObjectStoreExt as _};

use crate::sources::store::Pinned;
use crate::sources::{Cause, ObjectFault, Unanswered};

/// The objects of a dataset.
#[derive(Debug, Clone)]
pub(super) struct Objects {
    pinned: Arc<Pinned>,
    told: Arc<Told>,
    cache: Option<Arc<FileMetadataCache>>,
}

/// Who is told of what goes wrong.
#[derive(Debug)]
pub(super) struct Told {
    /// The dataset.
    pub(super) dataset: Name,
    /// Whoever loads it: its objects are others now.
    pub(super) others: Arc<AtomicBool>,
}

impl Objects {
    pub(super) fn new(pinned: Arc<Pinned>, told: Told) -> Self {
        Self { pinned, told: Arc::new(told), cache: None }
    }

    /// The fault that an error is, if it is one of the store.
    pub(super) fn fault(&self, meta: &ObjectMeta, error: &(dyn Error + 'static)) -> Option<ObjectFault> {
        self.pinned.fault(&meta.location, error)
    }

    /// With what is known of footers already.
    pub(super) fn with_cache(&self, cache: Arc<FileMetadataCache>) -> Self {
        Self { cache: Some(cache), ..self.clone() }
    }
}

impl ParquetFileReaderFactory for Objects {
    fn create_reader(
        &self,
        partition: usize,
        file: PartitionedFile,
        _: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let scanned = MetricBuilder::new(metrics).counter("bytes_scanned", partition);
        Ok(Box::new(Reader { objects: self.clone(), meta: file.object_meta, scanned }))
    }
}

/// One object.
struct Reader {
    objects: Objects,
    meta: ObjectMeta,
    scanned: Count,
}

impl Reader {
    fn count(&self, ranges: &[Range<u64>]) {
        let bytes: u64 = ranges.iter().map(|range| range.end - range.start).sum();
        self.scanned.add(usize::try_from(bytes).unwrap_or(usize::MAX));
    }

    /// A fault of the store, told to its operator now and to whoever asks with the answer; other errors as they are.
    fn told(&self, error: impl Error + Send + Sync + 'static) -> ParquetError {
        let Some(fault) = self.objects.fault(&self.meta, &error) else {
            return ParquetError::External(Box::new(error));
        };
        let Told { dataset, others } = self.objects.told.as_ref();
        tracing::error!(%dataset, object = %fault.place.display(), fault = %fault.fault, "a query of the objects failed");
        if fault.fault.is_change() {
            others.store(true, Ordering::Relaxed);
        }
        ParquetError::External(Box::new(Unanswered { datasets: dataset.to_string(), cause: Cause::Store(fault) }))
    }
}

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        self.count(std::slice::from_ref(&range));
        async move {
            let bytes = self.objects.pinned.get_range(&self.meta.location, range).await;
            bytes.map_err(|error| self.told(error))
        }
        .boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        self.count(&ranges);
        async move {
            let bytes = self.objects.pinned.get_ranges(&self.meta.location, &ranges).await;
            bytes.map_err(|error| self.told(error))
        }
        .boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        let policy = options.map(ArrowReaderOptions::column_index_policy);
        async move {
            let metadata = DFParquetMetadata::new(self.objects.pinned.as_ref(), &self.meta)
                .with_file_metadata_cache(self.objects.cache.clone())
                .with_page_index_policy(policy)
                .fetch_metadata()
                .await;
            metadata.map_err(|error| self.told(error))
        }
        .boxed()
    }
}
