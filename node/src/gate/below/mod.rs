//! What is admitted below an aggregate over `statistics` datasets: a narrow shape, every column traced to where it came
//! from, every row to its unit.
//!
//! | where | what |
//! | --- | --- |
//! | `leaf` | one dataset, and what its columns may be used for |
//! | `values`, `predicates`, `constants`, `totals` | expressions: labels, conditions that pick rows by them |
//! | `join`, `union` | several datasets of the body |
//! | `reference` | a dataset of another body, as it was declared |
//! | `percentiles` | percentiles, as counts of bands |
//! | `aggregates`, `release`, `groupings` | what is asked of each cell, and the plan that gathers it |
//! | `tabulate`, `declared` | a dataset that answers declared tables only: their cells when it is loaded, and when SQL asks |

mod aggregates;
mod constants;
mod declared;
mod fixed;
mod groupings;
mod join;
mod leaf;
mod percentiles;
mod predicates;
mod reference;
mod release;
mod tabulate;
mod totals;
mod union;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::{Column, ScalarValue, TableReference};
use datafusion::logical_expr::{Aggregate, Expr, Filter, LogicalPlan, Projection, Sort, SubqueryAlias, TableScan};
use meridian_proto::Name;

use super::Refused;
use super::access::Columns;
use super::facts::Decision;
use super::table::PublishedTable;
use super::terms::{Terms, UNIT_COLUMN};

pub(super) use fixed::{ShippedFixed, ship as ship_fixed};
use leaf::{Leaf, Protection};

/// A subtree over rows of datasets of this body. The plan's columns are those of `origins`, then the unit's where a
/// dataset is protected.
#[derive(Debug, Clone)]
pub(super) struct Below {
    plan: LogicalPlan,
    origins: Vec<Origin>,
    choices: Choices,
    domains: Domains,
    /// The dataset that refusals speak of where no column does: a protected one where there is any.
    leaf: Arc<Leaf>,
    /// All datasets that are read.
    leaves: Vec<Arc<Leaf>>,
    units: Option<Units>,
}

/// With how many constants each published column has been compared.
type Choices = BTreeMap<(String, String), usize>;

/// What conditions left of the domains of published columns.
type Domains = BTreeMap<(String, String), Vec<ScalarValue>>;

/// What the rows are rows of.
#[derive(Debug, Clone)]
struct Units {
    kind: Name,
    /// No unit has more than one row.
    single: bool,
}

/// Where a column's values come from, which is what may be done with them.
#[derive(Debug, Clone)]
struct Origin {
    leaf: Arc<Leaf>,
    /// The published column, or what stands for several.
    name: String,
    kind: Kind,
    /// Whether it is the published column itself, not made of it.
    bare: bool,
    /// With how many constants published columns were compared to make it.
    chosen: Choices,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Dimensions, and what is made of them: filter, group, label.
    Label { ranges: bool },
    /// Clamped, then summed.
    Measure,
    /// Names a unit of the dataset's own kind.
    Unit,
    /// Names the unit of another kind that the row's own belongs to.
    Outer,
    /// Names something else; joins go by it.
    Identifier,
    /// Does not exist for the caller.
    Hidden,
    /// The same in every row.
    Constant,
}

impl Below {
    /// The rows of a `statistics` dataset that have a unit, marked as protected, under the scan's name.
    pub(super) fn scan(
        table: &PublishedTable,
        scan: &TableScan,
        granted: &Columns,
        (threshold, allowance): (u32, Option<u64>),
        decision: &mut Decision,
    ) -> Result<Self, Refused> {
        let terms = &table.terms;
        let name = terms.name.to_string();
        let Some(unit) = terms.unit.clone() else { return Err(Self::without_unit(terms)) };
        let units = Units { kind: unit.kind.clone(), single: unit.unique };
        let protection = Some(Protection { unit, threshold, allowance });
        let leaf = Leaf { name, terms: Arc::clone(terms), granted: granted.clone(), protection, key: None };
        let plan = leaf.plan(table, scan)?;
        Self::of(leaf, Some(units), plan, scan, decision)
    }

    fn without_unit(terms: &Terms) -> Refused {
        let name = terms.name.to_string();
        Refused::new(
            "statistics.unit",
            format!("{name} does not say what a unit is, so that no statistics can leave"),
            format!("ask {} to declare its unit", terms.name.body),
        )
        .about(&name)
    }

    /// The rows of an open dataset, to be joined with protected ones.
    pub(super) fn lookup(
        table: &PublishedTable,
        scan: &TableScan,
        granted: &Columns,
        decision: &mut Decision,
    ) -> Result<Self, Refused> {
        let terms = Arc::clone(&table.terms);
        let leaf = Leaf { name: terms.name.to_string(), terms, granted: granted.clone(), protection: None, key: None };
        let bare = TableScan { filters: Vec::new(), ..scan.clone() };
        let plan = leaf.plan(table, &bare)?;
        Self::of(leaf, None, plan, scan, decision)
    }

    fn of(
        leaf: Leaf,
        units: Option<Units>,
        plan: LogicalPlan,
        scan: &TableScan,
        decision: &mut Decision,
    ) -> Result<Self, Refused> {
        if scan.fetch.is_some() {
            return Err(leaf.shape("LIMIT below the aggregate"));
        }
        let leaf = Arc::new(leaf);
        let origins = super::leaf::scanned(scan).map(|column| leaf.origin(column)).collect();
        let (choices, domains) = (Choices::new(), Domains::new());
        let mut below = Self { plan, origins, choices, domains, leaves: vec![Arc::clone(&leaf)], leaf, units };
        for filter in &scan.filters {
            below = below.filter(filter, decision)?;
        }
        Ok(below)
    }

    /// WHERE.
    pub(super) fn filter(self, predicate: &Expr, decision: &mut Decision) -> Result<Self, Refused> {
        let choices = self.choices([predicate])?;
        let predicate = self.predicate(predicate, decision)?;
        if self.tables().is_some() {
            self.chooses_labels(&predicate, decision)?;
        }
        let domains = self.narrowed(&predicate, decision);
        let plan = Filter::try_new(predicate, Arc::new(self.plan))?;
        Ok(Self { plan: LogicalPlan::Filter(plan), choices, domains, ..self })
    }

    /// A SELECT list. Columns that may not be used are carried as such and refused where they are used.
    pub(super) fn project(self, projection: &Projection, decision: &mut Decision) -> Result<Self, Refused> {
        let mut exprs = Vec::new();
        let mut origins = Vec::new();
        for (expr, (qualifier, field)) in projection.expr.iter().zip(projection.schema.iter()) {
            let (value, origin) = match expr {
                Expr::Column(column) => (expr.clone(), self.origin_of(column)?.clone()),
                Expr::Alias(alias) if matches!(*alias.expr, Expr::Column(_)) => {
                    (expr.clone(), self.bare_origin(&alias.expr)?)
                }
                _ => {
                    let (value, origin) = self.projected(expr, decision)?;
                    (value.alias_qualified(qualifier.cloned(), field.name()), origin)
                }
            };
            exprs.push(value);
            origins.push(origin);
        }
        exprs.extend(self.unit().map(|unit| named_unit(unit, decision)));
        let plan = Projection::try_new(exprs, Arc::new(self.plan))?;
        Ok(Self { plan: LogicalPlan::Projection(plan), origins, ..self })
    }

    /// FROM … AS.
    pub(super) fn alias(self, alias: TableReference) -> Result<Self, Refused> {
        let plan = SubqueryAlias::try_new(Arc::new(self.plan), alias)?;
        Ok(Self { plan: LogicalPlan::SubqueryAlias(plan), ..self })
    }

    /// ORDER BY below an aggregate says nothing and is dropped, with a fetch it picks rows.
    pub(super) fn sort(self, sort: &Sort, decision: &mut Decision) -> Result<Self, Refused> {
        if sort.fetch.is_some() {
            return Err(self.leaf.shape("LIMIT below the aggregate"));
        }
        for key in &sort.expr {
            self.key(&key.expr, decision)?;
        }
        Ok(self)
    }

    /// GROUP BY: the release.
    pub(super) fn aggregate(self, aggregate: &Aggregate, decision: &mut Decision) -> Result<LogicalPlan, Refused> {
        self.release(&aggregate.group_expr, &aggregate.aggr_expr, &aggregate.schema, decision)
    }

    /// SELECT DISTINCT: the release of labels alone.
    pub(super) fn distinct(self, decision: &mut Decision) -> Result<LogicalPlan, Refused> {
        let shown = self.plan.schema().iter().take(self.origins.len());
        let keys: Vec<Expr> = shown.map(|(q, field)| Expr::Column(Column::new(q.cloned(), field.name()))).collect();
        let schema = super::leaf::select_schema(self.plan.schema(), self.origins.len())?;
        self.release(&keys, &[], &schema, decision)
    }

    /// No rows leave.
    pub(super) fn rows_refused(&self) -> Refused {
        self.leaf.shape("a query without an aggregate")
    }

    /// An operator that is not known below the aggregate.
    pub(super) fn operator_refused(&self, what: &str) -> Refused {
        self.leaf.shape(what)
    }

    /// The unit's column, where a dataset is protected.
    fn unit(&self) -> Option<Column> {
        let (qualifier, field) = self.plan.schema().iter().nth(self.origins.len())?;
        Some(Column::new(qualifier.cloned(), field.name()))
    }

    fn origin_of(&self, column: &Column) -> Result<&Origin, Refused> {
        let index = self.plan.schema().maybe_index_of_column(column);
        index.and_then(|index| self.origins.get(index)).ok_or_else(|| self.leaf.no_column(&column.name))
    }

    fn bare_origin(&self, expr: &Expr) -> Result<Origin, Refused> {
        match expr {
            Expr::Column(column) => self.origin_of(column).cloned(),
            _ => Err(self.leaf.shape("this expression")),
        }
    }
}

/// The unit's column under a qualifier of its own, so that it is never ambiguous.
fn named_unit(unit: Column, decision: &mut Decision) -> Expr {
    let qualifier = TableReference::bare(format!("__units{}", decision.number()));
    Expr::Column(unit).alias_qualified(Some(qualifier), UNIT_COLUMN)
}

/// What both choose by, taken together.
fn together(one: Choices, other: Choices) -> Choices {
    let mut all = one;
    for (column, constants) in other {
        *all.entry(column).or_default() += constants;
    }
    all
}
