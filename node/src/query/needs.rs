//! What a question needs of other bodies that is not open: the datasets, columns and forms of the smallest agreement that
//! lets it run. Nothing runs, and nobody else is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::{LogicalPlan, TableScan};
use datafusion::optimizer::decorrelate_predicate_subquery::DecorrelatePredicateSubquery;
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::scalar_subquery_to_join::ScalarSubqueryToJoin;
use datafusion::optimizer::{Optimizer, OptimizerContext};
use meridian_federation::{EveryTable, ForeignTable, askable, place};
use meridian_proto::{Dataset, DatasetUse, Form, Role};

use super::{Asked, Engine, Planned, QueryError};
use crate::gate::Intent;

impl Engine {
    /// The datasets of other bodies that a question reads and that are not open, with the columns that it names.
    pub async fn needs(&self, asked: &Asked) -> Result<Vec<DatasetUse>, QueryError> {
        let planned = match self.plan(asked, Intent::Check).await {
            Ok(planned) => planned,
            Err(error) => return Err(self.refuse(asked, error).await),
        };
        let (entry, private) = self.entry(asked, planned.admitted.facts());
        self.parts.log.check(entry, &private).await?;
        let read = read(planned.admitted.plan()).map_err(|error| QueryError::from_planning(&asked.sql, error))?;
        let asked_for = self.asked_for(asked, &planned)?;
        let needed = |(name, used): (String, Used)| {
            let needed = used.dataset.form != Form::Open && asked_for.contains(&name);
            needed.then(|| DatasetUse { form: used.dataset.form, columns: used.columns(), name })
        };
        Ok(read.into_iter().filter_map(needed).collect())
    }

    /// The datasets that others would be asked for: coverage may leave out some of a standard.
    fn asked_for(&self, asked: &Asked, planned: &Planned) -> Result<BTreeSet<String>, QueryError> {
        let placed = place(planned.optimised.clone(), &planned.state).map(|placed| placed.remotes);
        let remotes = placed.or_else(|_| askable(planned.optimised.clone()));
        let remotes = remotes.map_err(|error| QueryError::from_placement(&asked.sql, error))?;
        let parts = remotes.iter().flat_map(|remote| &remote.parts);
        let names = parts
            .flat_map(|part| std::iter::once(part.dataset.clone()).chain(part.beside.iter().map(ToString::to_string)));
        Ok(names.collect())
    }
}

/// What is read of a dataset.
struct Used {
    dataset: Arc<Dataset>,
    columns: BTreeSet<String>,
}

impl Used {
    /// In the dataset's order. A question that names no column, as COUNT(*) does, still needs one that may be granted.
    fn columns(&self) -> Vec<String> {
        let all = self.dataset.columns.iter().filter(|column| column.role != Role::Hidden);
        let mut columns: Vec<String> = all.clone().map(|column| column.name.to_string()).collect();
        columns.retain(|name| self.columns.contains(name));
        if columns.is_empty() {
            columns.extend(all.map(|column| column.name.to_string()).next());
        }
        columns
    }
}

/// What a plan reads of other bodies' datasets, by their full names.
fn read(plan: &LogicalPlan) -> Result<BTreeMap<String, Used>> {
    let rules: Vec<Arc<dyn datafusion::optimizer::OptimizerRule + Send + Sync>> = vec![
        Arc::new(DecorrelatePredicateSubquery::new()),
        Arc::new(ScalarSubqueryToJoin::new()),
        Arc::new(OptimizeProjections::new()),
    ];
    let narrow = Optimizer::with_rules(rules).optimize(plan.clone(), &OptimizerContext::new(), |_, _| {})?;
    let mut read = BTreeMap::new();
    narrow.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            scanned(scan, &mut read)?;
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(read)
}

fn scanned(scan: &TableScan, read: &mut BTreeMap<String, Used>) -> Result<()> {
    let table: Arc<dyn TableProvider> = source_as_provider(&scan.source)?;
    let mut columns: BTreeSet<String> =
        scan.projected_schema.fields().iter().map(|field| field.name().clone()).collect();
    for filter in &scan.filters {
        columns.extend(filter.column_refs().into_iter().map(|column| column.name.clone()));
    }
    let mut of = |name: String, dataset: &Arc<Dataset>| {
        let used = Used { dataset: Arc::clone(dataset), columns: BTreeSet::new() };
        read.entry(name).or_insert(used).columns.extend(columns.iter().cloned());
    };
    if let Some(table) = table.downcast_ref::<ForeignTable>() {
        of(table.name.to_string(), &table.dataset);
    } else if let Some(every) = table.downcast_ref::<EveryTable>() {
        for part in &every.parts {
            of(format!("{}.{}.{}", every.federation, part.body, part.dataset.name), &part.dataset);
        }
    }
    Ok(())
}
