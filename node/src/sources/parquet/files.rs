//! Finds the Parquet files behind a source, and puts their schemas and statistics together.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::datasource::file_format::FileFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::error::DataFusionError;
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::prelude::SessionContext;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path as Location;
use object_store::{ObjectMeta, ObjectStoreExt};

use super::table::ParquetFiles;
use super::unchanged::{Told, Unchanged};
use crate::sources::behind::Behind;
use crate::sources::files::{named_folders, same_folders, with_folders};
use crate::sources::fingerprint::files_at;
use crate::sources::geoparquet::{self, Elsewhere};
use crate::sources::store::Pinned;
use crate::sources::{ObjectFault, SourceError, SourceSpec, mapping};

/// Files that are looked into at once.
const AT_ONCE: usize = 16;

/// The files, and how they are read.
struct Found {
    /// What stands for each one's path in messages, and the file as its store knows it.
    files: Vec<(PathBuf, ObjectMeta)>,
    /// The folder under which they are; or the one file.
    root: PathBuf,
    reader: Unchanged,
}

/// The files behind a source as one table.
pub(super) async fn table(
    spec: &SourceSpec,
    behind: &Behind,
    session: &SessionContext,
) -> Result<ParquetFiles, SourceError> {
    let found = match behind {
        Behind::Objects { listing, others } => {
            let whole = |fault| SourceError::store(spec, &ObjectFault { place: spec.path.clone(), fault });
            let pinned = Arc::new(Pinned::new(listing).map_err(whole)?);
            let told = Told { dataset: spec.dataset.name.to_string(), others: Arc::clone(others) };
            Found { files: pinned.metas().to_vec(), root: spec.path.clone(), reader: Unchanged::objects(pinned, told) }
        }
        Behind::Files(_) | Behind::Table => on_disk(spec, session).await?,
    };
    if found.files.is_empty() {
        return Err(SourceError::unreadable(spec, &"the folder holds no file that ends in .parquet"));
    }
    let names = folder_names(spec, &found)?;
    let format = ParquetFormat::default().with_force_view_types(false);
    let with_metadata = ParquetFormat::default().with_force_view_types(false).with_skip_metadata(false);
    let schema = schema(spec, &found, &with_metadata, session).await?;
    let table_schema = with_folders(&schema, &names).map_err(|why| SourceError::unreadable(spec, &why))?;
    let files = with_statistics(spec, &found, &format, &schema, session).await?;
    Ok(ParquetFiles { files, schema, table_schema, folders: names, format, reader: found.reader })
}

async fn on_disk(spec: &SourceSpec, session: &SessionContext) -> Result<Found, SourceError> {
    let unreadable = |error: std::io::Error| SourceError::unreadable(spec, &error);
    let root = spec.path.canonicalize().map_err(unreadable)?;
    let paths = files_at(&root, spec.kind.files()).map_err(unreadable)?;
    let store = session.runtime_env().object_store(ObjectStoreUrl::local_filesystem());
    let store = store.map_err(|error| SourceError::unreadable(spec, &mapping::planner_words(&error)))?;
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let wrong = |why: &dyn std::fmt::Display| SourceError::unreadable_at(spec, &path, &why.to_string());
        let location = Location::from_absolute_path(&path).map_err(|error| wrong(&error))?;
        let meta = store.head(&location).await.map_err(|error| wrong(&error))?;
        files.push((path, meta));
    }
    let told = Told { dataset: spec.dataset.name.to_string(), others: Arc::default() };
    Ok(Found { files, root, reader: Unchanged::files(store, told) })
}

/// The columns that the names of folders give, the same above all files.
fn folder_names(spec: &SourceSpec, found: &Found) -> Result<Vec<String>, SourceError> {
    let names =
        |path: &Path| -> Vec<String> { named_folders(&found.root, path).into_iter().map(|(name, _)| name).collect() };
    let first = found.files.first().map(|(path, _)| names(path)).unwrap_or_default();
    for (path, _) in &found.files {
        same_folders(&first, &names(path)).map_err(|why| SourceError::unreadable_at(spec, path, &why))?;
    }
    Ok(first)
}

/// What is said of a file that can't be looked into. The reader's words are on the file's footer, not on its rows.
fn unreadable(
    spec: &SourceSpec,
    found: &Found,
    (path, meta): (&Path, &ObjectMeta),
    error: &DataFusionError,
) -> SourceError {
    match found.reader.fault(meta, error) {
        Some(fault) => SourceError::store(spec, &fault),
        None => SourceError::unreadable_at(spec, path, &mapping::planner_words(error)),
    }
}

/// The columns of all files.
async fn schema(
    spec: &SourceSpec,
    found: &Found,
    format: &ParquetFormat,
    session: &SessionContext,
) -> Result<SchemaRef, SourceError> {
    let state = session.state();
    let looking = found.files.iter().map(|(path, meta)| {
        let (state, store) = (&state, found.reader.store());
        async move {
            let schema = format.infer_schema(state, &store, std::slice::from_ref(meta)).await;
            let schema = schema.map_err(|error| unreadable(spec, found, (path.as_path(), meta), &error))?;
            let elsewhere = geoparquet::check(&schema).map_err(|why| SourceError::unreadable_at(spec, path, &why))?;
            elsewhere.into_iter().for_each(|elsewhere| tell(spec, path, &elsewhere));
            // Files of one layout need not say the same in it.
            let bare = schema.fields().iter().map(|field| field.as_ref().clone().with_metadata(HashMap::new()));
            Ok(Schema::new(bare.collect::<Vec<_>>()))
        }
    });
    let schemas: Vec<Schema> = stream::iter(looking.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect().await?;
    let schema = Schema::try_merge(schemas).map_err(|error| SourceError::unreadable(spec, &error))?;
    Ok(Arc::new(schema))
}

/// Coordinates may be of any reference system; what is not the usual one is not passed over.
fn tell(spec: &SourceSpec, file: &Path, Elsewhere { column, crs }: &Elsewhere) {
    let (dataset, file) = (&spec.dataset.name, file.display());
    let crs = if crs.is_empty() { "unknown" } else { crs };
    tracing::info!(%dataset, %file, column, crs, "geometry that is no longitude and latitude of WGS 84 is taken as it is");
}

/// The files as the engine scans them: what their folders' names say, and what their footers say of their rows.
async fn with_statistics(
    spec: &SourceSpec,
    found: &Found,
    format: &ParquetFormat,
    schema: &SchemaRef,
    session: &SessionContext,
) -> Result<Vec<PartitionedFile>, SourceError> {
    let state = session.state();
    let looking = found.files.iter().map(|(path, meta)| {
        let (state, store) = (&state, found.reader.store());
        async move {
            let statistics = format.infer_stats(state, &store, Arc::clone(schema), meta).await;
            let statistics = statistics.map_err(|error| unreadable(spec, found, (path.as_path(), meta), &error))?;
            let values = named_folders(&found.root, path).into_iter().map(|(_, value)| ScalarValue::from(value));
            let file = PartitionedFile::new_from_meta(meta.clone()).with_partition_values(values.collect());
            Ok(file.with_statistics(Arc::new(statistics)))
        }
    });
    stream::iter(looking.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect().await
}
