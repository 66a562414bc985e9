//! Which plans a worker runs: operators that compute, over Parquet files below the folders that its configuration names, read as
//! they were when the node looked at them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::physical_plan::{FileScanConfig, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::physical_plan::ExecutionPlan;

use crate::sources::UnchangedFiles;

/// Operators that neither read nor write anything but what is below them, or what other workers computed.
const OPERATORS: [&str; 26] = [
    "AggregateExec",
    "BoundedWindowAggExec",
    "BroadcastExec",
    "ChildrenIsolatorUnionExec",
    "CoalesceBatchesExec",
    "CoalescePartitionsExec",
    "CooperativeExec",
    "CrossJoinExec",
    "EmptyExec",
    "FilterExec",
    "GlobalLimitExec",
    "GovernedExec",
    "HashJoinExec",
    "InterleaveExec",
    "LocalLimitExec",
    "NestedLoopJoinExec",
    "NetworkBroadcastExec",
    "NetworkCoalesceExec",
    "NetworkShuffleExec",
    "PlaceholderRowExec",
    "ProjectionExec",
    "RepartitionExec",
    "SortExec",
    "SortMergeJoinExec",
    "SortPreservingMergeExec",
    "UnionExec",
];

/// What a worker may read.
#[derive(Debug, Clone)]
pub(super) struct Readable {
    folders: Vec<PathBuf>,
    files: UnchangedFiles,
}

impl Readable {
    /// Files below these folders.
    pub(super) fn new(folders: Vec<PathBuf>, files: UnchangedFiles) -> Self {
        Self { folders, files }
    }

    /// The plan over files that are read unchanged, or not at all; an error where it is none that runs here.
    pub(super) fn admitted(&self, plan: Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
        let admitted = plan.transform_up(|operator| match self.scan(&operator)? {
            Some(scan) => Ok(Transformed::yes(scan)),
            None if OPERATORS.contains(&operator.name()) => Ok(Transformed::no(operator)),
            None => Err(refused(format!("the operator {} does not run on workers", operator.name()))),
        });
        admitted.map(|admitted| admitted.data)
    }

    /// A scan of files that may be read; `None` for any other operator.
    fn scan(&self, operator: &Arc<dyn ExecutionPlan>) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(scan) = operator.downcast_ref::<DataSourceExec>() else { return Ok(None) };
        let parquet = scan.downcast_to_file_source::<ParquetSource>();
        let (files, source) = parquet.ok_or_else(|| refused("it reads something else than Parquet files".into()))?;
        if files.object_store_url != ObjectStoreUrl::local_filesystem() {
            return Err(refused("it reads from an object store".into()));
        }
        for file in files.file_groups.iter().flat_map(|group| group.iter()) {
            self.may_read(&Path::new("/").join(file.object_meta.location.as_ref()))?;
        }
        let source = source.clone().with_parquet_file_reader_factory(self.files.reader());
        let files: FileScanConfig = FileScanConfigBuilder::from(files.clone()).with_source(Arc::new(source)).build();
        Ok(Some(DataSourceExec::from_data_source(files)))
    }

    /// Whether a file is below a folder that may be read, wherever links lead.
    fn may_read(&self, path: &Path) -> Result<()> {
        let found = path.canonicalize().map_err(|error| refused(format!("{}: {error}", path.display())))?;
        if self.folders.iter().any(|folder| found.starts_with(folder)) {
            return Ok(());
        }
        Err(refused(format!("{} is below none of the folders that `data` in worker.toml names", path.display())))
    }
}

fn refused(why: String) -> DataFusionError {
    tracing::error!(why, "a plan was refused");
    DataFusionError::Plan("a worker has refused its part of the plan; its log says why".into())
}
