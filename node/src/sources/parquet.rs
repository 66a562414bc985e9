//! Parquet files, GeoParquet among them, as a scan that filters and projections reach, or as rows to be held.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;

use super::fingerprint::files_at;
use super::geoparquet::{self, Elsewhere};
use super::held::collect;
use super::mapping::{self, Failure, Mapped};
use super::{SourceError, SourceSpec, checks};

/// Plans the mapping over the file, or over the `.parquet` files that the folder holds now.
pub(super) async fn open(spec: &SourceSpec, context: &SessionContext) -> Result<Mapped, SourceError> {
    let session = mapping::session(context.state().config().target_partitions(), context.runtime_env());
    let path = spec.path.canonicalize().map_err(|error| SourceError::unreadable(spec, &error))?;
    let files = files_at(&path, spec.kind.files()).map_err(|error| SourceError::unreadable(spec, &error))?;
    if files.is_empty() {
        return Err(SourceError::unreadable(spec, &"the folder holds no .parquet file"));
    }
    // Each file by its own name, not the folder: the engine remembers a folder's list and would miss new files.
    let format = ParquetFormat::default().with_force_view_types(false);
    let options = ListingOptions::new(Arc::new(format)).with_file_extension("");
    let format = ParquetFormat::default().with_force_view_types(false).with_skip_metadata(false);
    let with_metadata = ListingOptions::new(Arc::new(format)).with_file_extension("");
    let mut urls = Vec::with_capacity(files.len());
    let mut schemas = Vec::with_capacity(files.len());
    for file in &files {
        // The reader's words are on the file's footer, not on its rows.
        let unreadable =
            |error: DataFusionError| SourceError::unreadable_at(spec, file, &mapping::planner_words(&error));
        let url = url_of(file).map_err(unreadable)?;
        let schema = with_metadata.infer_schema(&session.state(), &url).await.map_err(unreadable)?;
        let elsewhere = geoparquet::check(&schema).map_err(|why| SourceError::unreadable_at(spec, file, &why))?;
        elsewhere.into_iter().for_each(|elsewhere| tell(spec, file, &elsewhere));
        // Files of one layout need not say the same in it.
        let bare = schema.fields().iter().map(|field| field.as_ref().clone().with_metadata(HashMap::new()));
        schemas.push(Schema::new(bare.collect::<Vec<_>>()));
        urls.push(url);
    }
    let schema = Schema::try_merge(schemas).map_err(|error| SourceError::unreadable(spec, &error))?;
    let config =
        ListingTableConfig::new_with_multi_paths(urls).with_listing_options(options).with_schema(Arc::new(schema));
    let table = ListingTable::try_new(config)
        .map_err(|error| SourceError::unreadable(spec, &mapping::planner_words(&error)))?;
    mapping::plan(spec, &session, Arc::new(table), Failure::of_queries(spec.dataset.form)).await
}

/// Coordinates may be of any reference system; what is not the usual one is not passed over.
fn tell(spec: &SourceSpec, file: &Path, Elsewhere { column, crs }: &Elsewhere) {
    let (dataset, file) = (&spec.dataset.name, file.display());
    let crs = if crs.is_empty() { "unknown" } else { crs };
    tracing::info!(%dataset, %file, column, crs, "geometry that is no longitude and latitude of WGS 84 is taken as it is");
}

/// The published columns of all rows, for a dataset that is held in memory.
pub(super) async fn read(spec: &SourceSpec, context: &SessionContext) -> Result<Vec<RecordBatch>, SourceError> {
    let mapped = open(spec, context).await?;
    checks::types(spec, &mapped, context).await?;
    // One partition: rows stay in the files' order. The engine's error may quote values: it is not passed on.
    let session = mapping::session(1, context.runtime_env());
    collect(&session, mapped.published).await.map_err(|_| SourceError::evaluation(spec))
}

/// The file's address with every unusual byte escaped, since a bare path may be taken for a pattern.
fn url_of(file: &Path) -> Result<ListingTableUrl, DataFusionError> {
    ListingTableUrl::parse(file_url(file))
}

/// The address of a file, given from the root.
pub(super) fn file_url(file: &Path) -> String {
    let mut url = String::from("file://");
    for byte in file.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => url.push(char::from(*byte)),
            other => url.push_str(&format!("%{other:02X}")),
        }
    }
    url
}
