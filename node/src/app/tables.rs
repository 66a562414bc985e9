//! Solves a dataset's declared tables when it is loaded: once for everybody, until its rows are others.
//!
//! Which cells are published is sealed beside the snapshot and used again: another version of this program may choose other
//! secondary cells of the same rows, and what both patterns withhold could be had from what each publishes.

use std::sync::Arc;

use datafusion::prelude::SessionContext;
use meridian_disclosure::noise::CountTable;
use meridian_proto::Name;

use super::controls::Fixed;
use super::datasets::Broken;
use crate::config::DatasetConfig;
use crate::gate::{self, DeclaredTable, Dominance, PublishedTable, TableLayout, Tables, Terms};
use crate::sources::{self, Beside, Loaded, SourceSpec};

/// What a dataset declares that answers its tables only.
struct Declared {
    layout: TableLayout,
    dominance: Dominance,
    /// By which counts are rounded.
    rounding: Option<CountTable>,
}

/// The declared tables in force, if there are any.
fn declared(config: &DatasetConfig, fixed: &Fixed, terms: &Terms) -> Result<Option<Declared>, Broken> {
    if fixed.tables.is_empty() || terms.unit.is_none() {
        return Ok(None);
    }
    let value = |(name, text): &(Name, String)| {
        let column = config.dataset.column(name.as_str())?;
        Some((name.clone(), sources::literal(column.column_type, text)?))
    };
    let mut tables = Vec::with_capacity(fixed.tables.len());
    for table in &fixed.tables {
        let filter: Option<Vec<_>> = table.filter.iter().map(value).collect();
        let filter = filter.ok_or_else(|| format!("the filter of table {} is no value of its column", table.name))?;
        let (name, dimensions, sum) = (table.name.clone(), table.dimensions.clone(), table.sum.clone());
        tables.push(DeclaredTable { name, dimensions, filter, sum });
    }
    let rounding = fixed.rounding(&config.dataset.name)?;
    Ok(Some(Declared { layout: TableLayout::new(terms, tables)?, dominance: fixed.dominance(), rounding }))
}

/// The declared tables of these rows, solved; `None` where the dataset declares none.
pub(super) async fn solved(
    context: &SessionContext,
    config: &DatasetConfig,
    fixed: &Fixed,
    terms: &Terms,
    source: &SourceSpec,
    loaded: &Loaded,
) -> Result<Option<Arc<Tables>>, Broken> {
    let Some(Declared { layout, dominance, rounding }) = declared(config, fixed, terms)? else { return Ok(None) };
    let table = PublishedTable::new(Arc::new(terms.clone()), loaded.plan.clone())?;
    let largest = dominance.largest.map_or(2, |(n, _)| n.max(2));
    let mut answers = Vec::new();
    for plan in gate::tabulation(&table, &layout, largest)? {
        // The engine's error may quote values: it is not passed on.
        let rows = async { context.execute_logical_plan(plan).await?.collect().await };
        answers.push(rows.await.map_err(|_| format!("the declared tables of {} can't be computed", terms.name))?);
    }
    let terms = terms.clone();
    let kept = sources::kept(source, loaded, Beside::Pattern).await?;
    let anew = kept.is_none();
    let solve = move || Tables::solve(layout, &answers, &terms, dominance, rounding.as_ref(), kept.as_deref());
    // Why a thread ended may quote values as well.
    let tables = tokio::task::spawn_blocking(solve).await.map_err(|_| "the declared tables can't be solved")??;
    if anew {
        sources::keep(source, loaded, Beside::Pattern, tables.published()).await?;
    }
    Ok(Some(Arc::new(tables)))
}
