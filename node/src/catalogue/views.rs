//! Views of this body: queries under a name, in whose place the planner puts their text as this caller may see it.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::datasource::TableType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::parser::Statement;
use meridian_federation::over::{self, Tables};
use meridian_proto::{DatasetName, Name};

use super::Own;

/// A view as its owner has written it.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// For people.
    pub title: String,
    /// What it stands for.
    pub statement: Arc<Statement>,
    /// The datasets of this body that it is over.
    pub bases: Vec<Name>,
    /// The names of its columns.
    pub columns: BTreeSet<Name>,
}

/// What becomes of a name for one caller.
pub(super) enum Seen {
    /// It can be asked.
    Ready(Arc<dyn TableProvider>),
    /// The dataset, or one that the view is over, is out of order, which the caller may know.
    Broken,
    /// It must look as if there were none of its name.
    Unknown,
}

impl View {
    /// The view over the datasets that a caller may name. It is over the columns that are not hidden, whoever asks, and
    /// planned for each question, since datasets and their terms change.
    pub(super) fn seen(&self, federation: &Name, body: &Name, own: &BTreeMap<Name, Own>) -> Seen {
        let mut tables: Vec<(DatasetName, Arc<dyn TableProvider>)> = Vec::with_capacity(self.bases.len());
        let mut broken = false;
        for base in &self.bases {
            match own.get(base) {
                Some(Own::Ready(table)) => {
                    tables.push((table.terms.name.clone(), Arc::new(table.without_hidden()) as _))
                }
                Some(Own::Broken { listed: true }) => broken = true,
                Some(Own::Broken { listed: false }) | None => return Seen::Unknown,
            }
        }
        if broken {
            return Seen::Broken;
        }
        let known = Tables::of(tables).at_home(federation, body);
        // What is wrong speaks of the view's text, not of the question.
        match over::plan(self.statement.as_ref().clone(), &known) {
            Ok(plan) => Seen::Ready(Arc::new(PlannedView::new(plan))),
            Err(_) => Seen::Unknown,
        }
    }
}

/// A view for one question; the planner puts its plan in its place.
#[derive(Debug)]
struct PlannedView {
    plan: LogicalPlan,
    schema: SchemaRef,
}

impl PlannedView {
    fn new(plan: LogicalPlan) -> Self {
        let schema = Arc::clone(plan.schema().inner());
        Self { plan, schema }
    }
}

#[async_trait]
impl TableProvider for PlannedView {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn get_logical_plan(&self) -> Option<Cow<'_, LogicalPlan>> {
        Some(Cow::Borrowed(&self.plan))
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        _projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Err(DataFusionError::Internal("a view was to be scanned past the gate".into()))
    }
}
