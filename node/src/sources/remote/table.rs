//! A table or query of another engine as DataFusion scans it: columns, conditions and a limit go into the SELECT that is sent.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::plan_datafusion_err;
use datafusion::datasource::TableType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use meridian_proto::Name;

use super::condition::condition;
use super::exec::EngineExec;
use super::kind::Kind;
use super::query::{Column, Key, Query, Select};
use super::{Engine, Shared};
use crate::sources::{Cause, Fault, Unanswered};

/// Where rows come from, and for which datasets.
#[derive(Debug, Clone)]
pub(in crate::sources) struct Origin {
    pub(super) engine: Arc<dyn Engine>,
    tables: Vec<Arc<Table>>,
}

/// A table of a dataset as it was when that was loaded.
#[derive(Debug)]
struct Table {
    dataset: Name,
    shared: Arc<Shared>,
    shape: Shape,
    /// The columns of which it was said that they hold what has no place here.
    beyond: Mutex<BTreeSet<String>>,
}

/// A SELECT and the columns that it has to have.
#[derive(Debug, Clone)]
pub(in crate::sources) struct Shape {
    pub(in crate::sources) select: Select,
    pub(in crate::sources) columns: Vec<(String, Kind)>,
}

impl Origin {
    pub(in crate::sources) fn new(
        engine: Arc<dyn Engine>,
        dataset: &Name,
        shared: &Arc<Shared>,
        table: &Query,
    ) -> Self {
        let columns: Vec<&Column> = table.columns.iter().collect();
        let shape = Shape { select: table.select(&columns, &[], None), columns: kinds(&columns) };
        let (dataset, shared) = (dataset.clone(), Arc::clone(shared));
        let table = Arc::new(Table { dataset, shared, shape, beyond: Mutex::default() });
        Self { engine, tables: vec![table] }
    }

    /// Both, of one engine.
    pub(super) fn beside(&self, other: &Self) -> Self {
        let tables = self.tables.iter().chain(&other.tables).map(Arc::clone).collect();
        Self { engine: Arc::clone(&self.engine), tables }
    }

    /// What its tables have to look like.
    pub(in crate::sources) fn shapes(&self) -> impl Iterator<Item = &Shape> {
        self.tables.iter().map(|table| &table.shape)
    }

    /// The datasets.
    pub(in crate::sources) fn datasets(&self) -> String {
        let names: BTreeSet<&str> = self.tables.iter().map(|table| table.dataset.as_str()).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    }

    /// What is told of a fault, and to whom; tables that may not be as they were are looked at again.
    pub(in crate::sources) fn unanswered(&self, fault: Fault) -> DataFusionError {
        let (datasets, engine) = (self.datasets(), self.engine.called());
        tracing::error!(datasets, %engine, %fault, "a query of the database failed");
        if fault.is_change() {
            self.tables.iter().for_each(|table| table.shared.suspect());
        }
        DataFusionError::External(Box::new(Unanswered { datasets, cause: Cause::Database(fault) }))
    }

    /// About how many rows its largest table has.
    fn rows(&self) -> usize {
        self.tables.iter().map(|table| table.shared.rows()).max().unwrap_or_default()
    }

    /// Tells the operator, once, of values that are NULL since they have no place here.
    pub(in crate::sources) fn tell_beyond(&self, columns: Vec<String>) {
        let [table] = self.tables.as_slice() else { return };
        for column in columns {
            let new = table.beyond.lock().unwrap_or_else(PoisonError::into_inner).insert(column.clone());
            if new {
                tracing::warn!(
                    dataset = %table.dataset,
                    column,
                    "the column holds infinite dates, or NaN: they are read as NULL; a view can say what they mean"
                );
            }
        }
    }
}

/// A table, or a query, of another engine.
#[derive(Debug)]
pub(in crate::sources) struct EngineTable {
    query: Query,
    schema: SchemaRef,
    origin: Origin,
    is_open: bool,
}

impl EngineTable {
    /// The table of a dataset.
    pub(in crate::sources) fn of_table(query: Query, origin: Origin, is_open: bool) -> Self {
        Self { schema: query.schema(), query, origin, is_open }
    }

    /// A query over tables of open datasets; which of its columns may be NULL.
    pub(super) fn of_query(query: Query, origin: Origin, nullable: &[bool]) -> Self {
        let schema = query.schema();
        let fields = schema.fields().iter().zip(nullable);
        let fields = fields.map(|(field, nullable)| field.as_ref().clone().with_nullable(*nullable));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Self { query, schema, origin, is_open: true }
    }

    /// Whether more than scans may be asked of it.
    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    pub(super) fn query(&self) -> &Query {
        &self.query
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }
}

/// The columns as they come.
fn kinds(columns: &[&Column]) -> Vec<(String, Kind)> {
    columns.iter().map(|column| (column.name.clone(), column.kind)).collect()
}

#[async_trait]
impl TableProvider for EngineTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let how = |filter: &&Expr| match condition(filter, &self.query) {
            Some(_) if self.query.is_bare() && self.query.dialect.is_exact() => TableProviderFilterPushDown::Exact,
            Some(_) if self.query.is_bare() => TableProviderFilterPushDown::Inexact,
            Some(_) | None => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(how).collect())
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let chosen: Vec<usize> = match projection {
            None => (0..self.query.columns.len()).collect(),
            Some(chosen) => chosen.clone(),
        };
        let columns: Vec<&Column> = chosen.iter().filter_map(|index| self.query.columns.get(*index)).collect();
        let schema = Arc::new(self.schema.project(&chosen)?);
        // Never left out: a condition that can't be written is no condition of this scan.
        let written = |filter| {
            let condition = condition(filter, &self.query).filter(|_| self.query.is_bare());
            condition.ok_or_else(|| plan_datafusion_err!("a condition was pushed to a database that it does not have"))
        };
        let conditions = filters.iter().map(written).collect::<Result<Vec<_>>>()?;
        let select = self.query.select(&columns, &conditions, limit);
        // The order as far as its columns are among those that come.
        let key = |key: &Key| {
            let column = chosen.iter().position(|index| *index == key.column)?;
            Some(Key { column, ..key.clone() })
        };
        let kept = self.query.order.iter().take_while(|_| self.query.dialect.keeps_order());
        let order: Vec<Key> = kept.map_while(key).collect();
        let shape = Shape { select, columns: kinds(&columns) };
        let most = [limit, self.query.limit()].into_iter().flatten().min().unwrap_or(usize::MAX);
        let rows = self.origin.rows().min(most);
        Ok(Arc::new(EngineExec::new(self.origin.clone(), shape, (&order, rows), schema)))
    }
}
