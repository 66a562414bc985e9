//! A dataset of another body as a whole: asked for once for each query that names it, checked before a row of it is used.

use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::DFSchema;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::logical_expr::{Extension, LogicalPlan};
use datafusion::physical_plan::ExecutionPlan;
use futures::TryStreamExt;
use futures::future::try_join_all;
use meridian_proto::{DatasetName, Name};

use super::{ReferenceError, ReferenceNode, content};
use crate::node::{RemoteNode, RemotePart};
use crate::rel::{Rel, ScanColumn, Source};
use crate::remote::RemoteExec;
use crate::tables::ForeignTable;
use crate::{normal, wire};

/// What is asked of another body, and what has arrived.
pub struct Whole {
    name: DatasetName,
    /// The key, then the labels by name.
    schema: SchemaRef,
    sha256: [u8; 32],
    remote: RemoteNode,
    fetched: OnceLock<Fetched>,
}

/// Rows whose content is the declared one, and the memory that they are accounted for.
struct Fetched {
    batches: Vec<RecordBatch>,
    _memory: MemoryReservation,
}

/// The references that one query names: each is fetched once, whether or not the plan comes to read it.
#[derive(Debug, Default)]
pub struct References {
    named: Mutex<Vec<Arc<Whole>>>,
}

impl References {
    /// The leaf of a plan that yields the columns `key` and `labels` of a dataset, unqualified, in this order, if its
    /// content has this SHA-256. The labels are sorted by name.
    pub fn leaf<'a>(
        &self,
        table: &ForeignTable,
        key: &'a Name,
        labels: impl Iterator<Item = &'a Name>,
        sha256: [u8; 32],
    ) -> Result<LogicalPlan> {
        let whole = Whole::new(table, std::iter::once(key).chain(labels), sha256)?;
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        let known = named.iter().find(|known| known.remote == whole.remote && known.sha256 == sha256);
        let whole = match known {
            Some(known) => Arc::clone(known),
            None => {
                let whole = Arc::new(whole);
                named.push(Arc::clone(&whole));
                whole
            }
        };
        let node = ReferenceNode { schema: Arc::new(DFSchema::try_from(Arc::clone(&whole.schema))?), whole };
        Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
    }

    /// Asks the other bodies, all at once, and checks what they answer.
    pub async fn fetch(&self, task: &Arc<TaskContext>) -> std::result::Result<(), ReferenceError> {
        let named = self.named.lock().unwrap_or_else(PoisonError::into_inner).clone();
        try_join_all(named.iter().map(|whole| whole.fetch(task))).await.map(drop)
    }
}

impl Whole {
    fn new<'a>(table: &ForeignTable, columns: impl Iterator<Item = &'a Name>, sha256: [u8; 32]) -> Result<Self> {
        let everything = datafusion::catalog::TableProvider::schema(table);
        let columns: Vec<&Name> = columns.collect();
        let fields = columns.iter().map(|name| everything.field_with_name(name.as_str()).cloned());
        let schema = Arc::new(Schema::new(fields.collect::<std::result::Result<Vec<_>, _>>()?));
        let scanned = columns.iter().map(|name| ScanColumn::Named(name.to_string())).collect();
        let rel = Rel::Scan { source: Source::Dataset(table.name.clone()), columns: scanned };
        let sql = wire::sql(&normal::normal(rel, columns.len())?).map_err(|why| DataFusionError::Plan(why.0))?;
        let (body, dataset) = (table.owner.clone(), table.name.to_string());
        let remote = RemoteNode {
            parts: vec![RemotePart {
                body,
                sql,
                form: table.dataset.form,
                dataset,
                beside: Vec::new(),
                references: Vec::new(),
                of_every: false,
            }],
            schema: Arc::new(DFSchema::try_from(Arc::clone(&schema))?),
            columns: columns.iter().map(ToString::to_string).collect(),
            rows: 10_usize.saturating_pow(table.dataset.size_class),
            keys_of: Vec::new(),
        };
        Ok(Self { name: table.name.clone(), schema, sha256, remote, fetched: OnceLock::new() })
    }

    /// Its full name.
    pub fn name(&self) -> &DatasetName {
        &self.name
    }

    /// What the other body is asked: the same for every query.
    pub fn sql(&self) -> &str {
        self.remote.parts.first().map_or("", |part| part.sql.as_str())
    }

    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Roughly how many rows, as the other body describes it.
    pub(super) fn rows(&self) -> usize {
        self.remote.rows
    }

    /// Its rows, once they have been fetched and checked.
    pub(super) fn batches(&self) -> Option<&[RecordBatch]> {
        self.fetched.get().map(|fetched| fetched.batches.as_slice())
    }

    async fn fetch(&self, task: &Arc<TaskContext>) -> std::result::Result<(), ReferenceError> {
        let fetched = self.received(task).await.map_err(|error| ReferenceError::fetching(&self.name, &error))?;
        let (schema, batches) = (Arc::clone(&self.schema), fetched.batches.clone());
        let content = tokio::task::spawn_blocking(move || content(&schema, &batches)).await;
        let unread = |why: String| ReferenceError::Unread { name: self.name.clone(), why };
        let content = content.map_err(|why| unread(why.to_string()))?.map_err(|why| unread(why.to_string()))?;
        if content.sha256 != self.sha256 {
            return Err(ReferenceError::Changed { name: self.name.clone() });
        }
        if content.repeats {
            let key = self.schema.fields().first().map(|field| field.name().clone()).unwrap_or_default();
            return Err(ReferenceError::Repeats { name: self.name.clone(), key });
        }
        // Once for each query: whoever comes second finds the same rows there.
        let _ = self.fetched.set(fetched);
        Ok(())
    }

    /// Rows as they arrive, and the memory for them and for what their content is computed of.
    async fn received(&self, task: &Arc<TaskContext>) -> Result<Fetched> {
        let memory = MemoryConsumer::new(format!("the reference to {}", self.name)).register(task.memory_pool());
        let mut rows = RemoteExec::new(&self.remote).execute(0, Arc::clone(task))?;
        let mut batches = Vec::new();
        while let Some(batch) = rows.try_next().await? {
            memory
                .try_grow(2 * batch.get_array_memory_size() + batch.num_rows() * std::mem::size_of::<[usize; 3]>())?;
            batches.push(batch);
        }
        Ok(Fetched { batches, _memory: memory })
    }
}

impl fmt::Debug for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Whole").field("name", &self.name).field("sql", &self.sql()).finish_non_exhaustive()
    }
}
