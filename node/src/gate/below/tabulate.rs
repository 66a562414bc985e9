//! The plans that gather the figures of all cells of a dataset's declared tables, when it is loaded: the same figures as
//! of a release, so that units, bounds and NULL mean the same.

use std::sync::Arc;

use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{Case, Expr, Filter, LogicalPlan};

use super::aggregates::{Asked, Contribution};
use super::leaf::{Leaf, Protection};
use super::release::Gathering;
use super::{Below, Choices, Domains, Units};
use crate::gate::Refused;
use crate::gate::access::Columns;
use crate::gate::table::PublishedTable;
use crate::gate::tables::TableLayout;
use crate::gate::terms::UNIT_COLUMN;

impl Below {
    /// One plan for each grouping, in order: its dimensions, then the figures of the rows and of each measure. `largest` is
    /// how many of the largest contributions are kept.
    pub(in super::super) fn tabulation(
        table: &PublishedTable,
        layout: &TableLayout,
        largest: usize,
    ) -> Result<Vec<LogicalPlan>, Refused> {
        let below = Self::of_nobody(table)?;
        let keys: Vec<Expr> = (0..layout.dimensions.len()).map(|place| key(layout, place)).collect();
        let rows = Asked { contribution: Contribution::Rows { of: None }, filter: None };
        let mut figures = vec![rows];
        for measure in &layout.measures {
            let value = Column::new_unqualified(measure.as_str());
            let origin = below.origin_of(&value)?.clone();
            let precision = origin.leaf.column(measure.as_str()).map(|column| column.precision).unwrap_or_default();
            let value = below.fixed(Expr::Column(value), &origin, precision)?;
            let contribution = Contribution::Sum { value, measure: measure.to_string(), precision };
            figures.push(Asked { contribution, filter: None });
        }
        let gathering = Gathering { below: &below, keys: &keys, dominance: Some((largest, 0.0)), nearness: 0 };
        layout.groupings().iter().map(|grouping| gathering.plan(grouping, None, &figures)).collect()
    }

    /// All rows of a dataset that have a unit. What comes of them goes to nobody as it is.
    fn of_nobody(table: &PublishedTable) -> Result<Self, Refused> {
        let terms = Arc::clone(&table.terms);
        let name = terms.name.to_string();
        let unit = terms.unit.clone().ok_or_else(|| Self::without_unit(&terms))?;
        let units = Some(Units { kind: unit.kind.clone(), single: unit.unique });
        let threshold = terms.threshold(None);
        let protection = Some(Protection { unit, threshold, allowance: None });
        let leaf = Arc::new(Leaf { name, terms, granted: Columns::visible(), protection, key: None });
        let origins = leaf.terms.dataset.columns.iter().map(|column| leaf.origin(column.name.as_str())).collect();
        let known = Expr::Column(Column::new_unqualified(UNIT_COLUMN)).is_not_null();
        let plan = LogicalPlan::Filter(Filter::try_new(known, Arc::new(table.published()?))?);
        let (choices, domains) = (Choices::new(), Domains::new());
        Ok(Self { plan, origins, choices, domains, leaves: vec![Arc::clone(&leaf)], leaf, units })
    }
}

/// A dimension's labels as they are told apart: itself, or by a value that stands for all others of its domain.
fn key(layout: &TableLayout, place: usize) -> Expr {
    let Some(dimension) = layout.dimensions.get(place) else { return Expr::Literal(ScalarValue::Null, None) };
    let column = Expr::Column(Column::new_unqualified(dimension.name.as_str()));
    let told = layout.told_apart(place);
    if told.iter().all(|(label, _)| *label < dimension.labels.len()) && told.len() == dimension.labels.len() {
        return column;
    }
    let literal = |value: &ScalarValue| Expr::Literal(value.clone(), None);
    let named: Vec<usize> = told.iter().map(|(label, _)| *label).collect();
    let when = told.iter().map(|(label, shown)| {
        let of_label: Vec<Expr> = if *label < dimension.labels.len() {
            vec![literal(shown)]
        } else {
            let others = dimension.labels.iter().enumerate().filter(|(label, _)| !named.contains(label));
            others.map(|(_, value)| literal(value)).collect()
        };
        (Box::new(column.clone().in_list(of_label, false)), Box::new(literal(shown)))
    });
    Expr::Case(Case { expr: None, when_then_expr: when.collect(), else_expr: None })
}
