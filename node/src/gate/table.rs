//! A dataset of this body as a table: a name with terms, never scanned itself.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use chrono::{DateTime, Utc};
use datafusion::common::{Column, ScalarValue};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection};
use meridian_proto::{DatasetName, Form};

use super::Caller;
use super::access::{self, Standing};
use super::terms::{Terms, UNIT_COLUMN};

/// A published dataset: its terms, and the plan that yields its rows.
#[derive(Debug, Clone)]
pub struct PublishedTable {
    /// How it may leave.
    pub terms: Arc<Terms>,
    schema: SchemaRef,
    rows: LogicalPlan,
}

/// Why terms and rows do not make a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TermsError {
    /// The plan's columns are others than the published ones.
    #[error(
        "{dataset}: its rows have the columns {found}, and it publishes {published}: make them the same, in the same order"
    )]
    Columns {
        /// The dataset.
        dataset: DatasetName,
        /// What the plan yields.
        found: String,
        /// What is published.
        published: String,
    },
    /// A column that the terms name does not exist.
    #[error("{dataset}: {what} names the column {column}, and it publishes none of that name")]
    Column {
        /// The dataset.
        dataset: DatasetName,
        /// Which part of the terms.
        what: &'static str,
        /// The name.
        column: String,
    },
    /// Bounds that the column's type can't hold, or in the wrong order.
    #[error("{dataset}: the bounds of {column} are no two values of its type in ascending order")]
    Bounds {
        /// The dataset.
        dataset: DatasetName,
        /// The measure.
        column: String,
    },
}

impl PublishedTable {
    /// A table whose rows are `rows`: the published columns in order, and [`UNIT_COLUMN`] where there is a unit; not
    /// optimised.
    pub fn new(terms: Arc<Terms>, rows: LogicalPlan) -> std::result::Result<Self, TermsError> {
        let found: Vec<&str> = rows.schema().fields().iter().map(|field| field.name().as_str()).collect();
        let published = terms.dataset.columns.iter().map(|column| column.name.as_str());
        let published: Vec<&str> = published.chain(terms.unit.as_ref().map(|_| UNIT_COLUMN)).collect();
        if found != published {
            let (found, published) = (found.join(", "), published.join(", "));
            return Err(TermsError::Columns { dataset: terms.name.clone(), found, published });
        }
        let fields = rows.schema().fields().iter().take(terms.dataset.columns.len()).cloned();
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        check(&terms, &schema)?;
        Ok(Self { terms, schema, rows })
    }

    /// The table as this caller may name it: without the columns that do not exist for them; `None` where the dataset
    /// must look as if there were none of its name.
    pub fn seen_by(&self, caller: &Caller, now: DateTime<Utc>) -> Option<Self> {
        match access::standing(&self.terms, caller, now) {
            Standing::Unknown => None,
            Standing::Whole => Some(self.clone()),
            Standing::Visible => Some(self.without_hidden()),
        }
    }

    /// The table without the columns that are for nobody else.
    pub fn without_hidden(&self) -> Self {
        let dataset = &self.terms.dataset;
        let shown = |name: &str| dataset.visible_columns().any(|column| column.name.as_str() == name);
        let fields: Vec<_> = self.schema.fields().iter().filter(|field| shown(field.name())).cloned().collect();
        Self { schema: Arc::new(Schema::new(fields)), ..self.clone() }
    }

    /// All published columns and the unit's, named without a qualifier.
    pub(super) fn published(&self) -> Result<LogicalPlan> {
        let columns =
            self.rows.schema().iter().map(|(qualifier, field)| {
                Expr::Column(Column::new(qualifier.cloned(), field.name())).alias(field.name())
            });
        Projection::try_new(columns.collect(), Arc::new(self.rows.clone())).map(LogicalPlan::Projection)
    }
}

fn check(terms: &Terms, schema: &Schema) -> std::result::Result<(), TermsError> {
    let missing =
        |what, column: &str| TermsError::Column { dataset: terms.name.clone(), what, column: column.to_owned() };
    if let Some(unit) = &terms.unit {
        for name in unit.column.iter().chain(unit.belongs_to.as_ref().map(|belongs| &belongs.column)) {
            schema.field_with_name(name.as_str()).map_err(|_| missing("unit", name.as_str()))?;
        }
    }
    for name in terms.grants.iter().filter_map(|grant| grant.columns.as_ref()).flatten() {
        schema.field_with_name(name.as_str()).map_err(|_| missing("an agreement", name.as_str()))?;
    }
    for (name, column) in &terms.columns {
        let field = schema.field_with_name(name.as_str()).map_err(|_| missing("a column's terms", name.as_str()))?;
        let Some((low, high)) = &column.bounds else { continue };
        let fit = |bound: f64| ScalarValue::Float64(Some(bound)).cast_to(field.data_type()).is_ok_and(|v| !v.is_null());
        if !(low <= high && fit(*low) && fit(*high)) {
            return Err(TermsError::Bounds { dataset: terms.name.clone(), column: name.to_string() });
        }
    }
    Ok(())
}

meridian_federation::unscanned_table!(PublishedTable, |table| {
    DataFusionError::Internal(format!("{} was to be scanned past the gate", table.terms.name))
});

/// Whether a form lets rows leave that nobody needs to be granted.
pub(super) fn is_open(terms: &Terms) -> bool {
    terms.dataset.form == Form::Open
}
