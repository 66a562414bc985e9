//! Parquet files as one table: the engine's own reader over those files that can hold rows of an answer.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, ScalarValue, Statistics, project_schema};
use datafusion::datasource::TableType;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::listing::helpers::expr_applicable_for_cols;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::datasource::table_schema::TableSchema;
use datafusion::error::Result;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;

use super::unchanged::Unchanged;

/// Some Parquet files.
pub(super) struct ParquetFiles {
    pub(super) files: Vec<PartitionedFile>,
    /// The columns of the files.
    pub(super) schema: SchemaRef,
    /// They, and behind them those that the names of folders give.
    pub(super) table_schema: SchemaRef,
    /// The names of the latter.
    pub(super) folders: Vec<String>,
    pub(super) format: ParquetFormat,
    pub(super) reader: Unchanged,
}

impl fmt::Debug for ParquetFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetFiles").field("files", &self.files.len()).finish_non_exhaustive()
    }
}

impl ParquetFiles {
    /// Whether the names of folders alone decide a filter.
    fn is_of_folders(&self, filter: &Expr) -> bool {
        let names: Vec<&str> = self.folders.iter().map(String::as_str).collect();
        !names.is_empty() && !filter.column_refs().is_empty() && expr_applicable_for_cols(&names, filter)
    }

    /// Files with what is known of all of their rows.
    fn counted(&self, group: FileGroup) -> Result<FileGroup> {
        let statistics = self.merged(group.iter().filter_map(|file| file.statistics.as_deref()))?;
        Ok(group.with_statistics(Arc::new(statistics)))
    }

    fn merged<'a>(&self, each: impl Iterator<Item = &'a Statistics>) -> Result<Statistics> {
        Statistics::try_merge_iter(each, &self.table_schema)
    }

    /// Those files whose folders' names the filters let through.
    fn kept(&self, state: &dyn Session, filters: &[Expr]) -> Result<Vec<PartitionedFile>> {
        let of_folders = filters.iter().filter(|filter| self.is_of_folders(filter)).cloned();
        let Some(filter) = conjunction(of_folders) else { return Ok(self.files.clone()) };
        let fields = self.table_schema.fields().iter().skip(self.schema.fields().len());
        let schema = Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()));
        let predicate = state.create_physical_expr(filter, &DFSchema::try_from(Arc::clone(&schema))?)?;
        let columns: Result<Vec<ArrayRef>> = (0..schema.fields().len())
            .map(|at| {
                let values = self.files.iter().filter_map(|file| file.partition_values.get(at).cloned());
                ScalarValue::iter_to_array(values)
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.files.len()));
        let folders = RecordBatch::try_new_with_options(schema, columns?, &options)?;
        let lets_through = predicate.evaluate(&folders)?.into_array(self.files.len())?;
        let kept = self.files.iter().zip(lets_through.as_boolean());
        Ok(kept.filter(|(_, through)| *through == Some(true)).map(|(file, _)| file.clone()).collect())
    }
}

#[async_trait]
impl TableProvider for ParquetFiles {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.table_schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let support = |filter: &&Expr| match self.is_of_folders(filter) {
            true => TableProviderFilterPushDown::Exact,
            false => TableProviderFilterPushDown::Inexact,
        };
        Ok(filters.iter().map(support).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let files = self.kept(state, filters)?;
        if files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(project_schema(&self.table_schema, projection)?)));
        }
        let groups = FileGroup::new(files).split_files(state.config().target_partitions());
        let groups: Vec<FileGroup> = groups.into_iter().map(|group| self.counted(group)).collect::<Result<_>>()?;
        let statistics = self.merged(groups.iter().filter_map(|group| group.file_statistics(None)))?;
        let of_folders: Vec<_> = self.table_schema.fields().iter().skip(self.schema.fields().len()).cloned().collect();
        let schema = TableSchema::builder(Arc::clone(&self.schema)).with_table_partition_cols(of_folders).build();
        let cache = state.runtime_env().cache_manager.get_file_metadata_cache();
        let source = ParquetSource::new(schema)
            .with_table_parquet_options(self.format.options().clone())
            .with_parquet_file_reader_factory(Arc::new(self.reader.with_cache(cache)));
        // The reader knows where the files are: what this address stands for is asked for nothing.
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}
