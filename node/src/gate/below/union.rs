//! UNION ALL of protected rows of one kind of unit: a unit that is on both sides is one unit.

use std::sync::Arc;

use datafusion::common::{Column, TableReference};
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, Union};

use super::{Below, Kind, Origin, UNIT_COLUMN, Units, together};
use crate::gate::Refused;

impl Below {
    /// The rows of all inputs, under the columns of the union.
    pub(in super::super) fn union(inputs: Vec<Self>, union: &Union) -> Result<Option<Self>, Refused> {
        let mut inputs = inputs.into_iter();
        let Some(first) = inputs.next() else { return Ok(None) };
        let mut plans = vec![Arc::new(first.positional(union)?)];
        let mut all = first;
        for input in inputs {
            all.combined(&input, "UNION ALL")?;
            let (Some(units), Some(others)) = (&all.units, &input.units) else {
                return Err(all.leaf.shape("UNION of protected and other rows"));
            };
            if units.kind != others.kind {
                return Err(all.leaf.join(
                    format!("a union of rows of {} and of {}", units.kind, others.kind),
                    "ask for the statistics of each, and unite those",
                ));
            }
            let units = Some(Units { kind: units.kind.clone(), single: false });
            plans.push(Arc::new(input.positional(union)?));
            let origins = all.origins.iter().zip(&input.origins).map(|(one, other)| both(one, other)).collect();
            // Each branch may choose other values, so that they add up.
            let choices = all.few(together(all.choices.clone(), input.choices))?;
            let leaves = all.leaves.into_iter().chain(input.leaves).collect();
            all = Self { origins, leaves, units, choices, domains: super::Domains::new(), ..all };
        }
        let plan = LogicalPlan::Union(Union::try_new(plans)?);
        Ok(Some(Self { plan, ..all }))
    }

    /// The columns by position, named as the union's, and the unit.
    fn positional(&self, union: &Union) -> Result<LogicalPlan, Refused> {
        let shown = self.plan.schema().iter().take(self.origins.len());
        let mut columns: Vec<Expr> = shown
            .zip(union.schema.iter())
            .map(|((qualifier, field), (of, named))| {
                Expr::Column(Column::new(qualifier.cloned(), field.name())).alias_qualified(of.cloned(), named.name())
            })
            .collect();
        let unit = self.unit().ok_or_else(|| self.leaf.shape("UNION of protected and other rows"))?;
        columns.push(Expr::Column(unit).alias_qualified(None::<TableReference>, UNIT_COLUMN));
        Ok(LogicalPlan::Projection(Projection::try_new(columns, Arc::new(self.plan.clone()))?))
    }
}

/// What may be done with a column that comes from both: what may be done with either.
fn both(one: &Origin, other: &Origin) -> Origin {
    let terms = |origin: &Origin| origin.leaf.column(&origin.name).map(|column| (column.bounds, column.precision));
    let kind = match (one.kind, other.kind) {
        (Kind::Measure, Kind::Measure) if terms(one) == terms(other) => Kind::Measure,
        (Kind::Unit, Kind::Unit) => Kind::Unit,
        (Kind::Constant, Kind::Constant) => Kind::Constant,
        (Kind::Label { .. } | Kind::Constant, Kind::Label { .. } | Kind::Constant) => Kind::Label { ranges: false },
        _ => Kind::Hidden,
    };
    // A constant on one side and a label on the other is a label; bands and domains are those of no column.
    let bare = one.bare && other.bare && one.name == other.name && kind == Kind::Measure;
    let chosen = together(one.chosen.clone(), other.chosen.clone());
    // The same name in whichever order they are united, since noise goes by it.
    let named = |origin: &Origin| (origin.leaf.name.clone(), origin.name.clone());
    let first = if named(other) < named(one) { other } else { one };
    Origin { kind, bare, chosen, ..first.clone() }
}
