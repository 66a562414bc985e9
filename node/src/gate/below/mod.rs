//! What is admitted below an aggregate over a `statistics` dataset: one narrow shape, every column traced to where it
//! came from.

mod cells;
mod constants;
mod predicates;
mod totals;
mod values;

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::common::{Column, TableReference};
use datafusion::error::Result as PlanResult;
use datafusion::logical_expr::{Aggregate, Expr, Filter, LogicalPlan, Projection, Sort, SubqueryAlias, TableScan};
use meridian_proto::Role;

use super::Refused;
use super::access::Columns;
use super::facts::Decision;
use super::governed::{self, Mark};
use super::leaf;
use super::table::PublishedTable;
use super::terms::{Terms, Unit};

/// The unit's column below an aggregate: the last one, behind the columns that SQL can name.
const UNIT: &str = "__unit";

/// A subtree over protected rows. The plan's columns are those of `origins`, then the unit's where rows don't count.
#[derive(Debug, Clone)]
pub(super) struct Below {
    plan: LogicalPlan,
    origins: Vec<Origin>,
    choices: Choices,
    leaf: Arc<Leaf>,
}

/// With how many constants each published column has been compared.
type Choices = BTreeMap<String, usize>;

/// The one dataset that it reads.
#[derive(Debug)]
struct Leaf {
    name: String,
    terms: Arc<Terms>,
    threshold: u32,
    granted: Columns,
    unit: Unit,
}

/// Where a column's values come from, which is what may be done with them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    /// The published column, or what stands for several.
    name: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Dimensions, and what is made of them: filter, group, label.
    Label { ranges: bool },
    /// Clamped, then summed.
    Measure,
    /// Names a unit.
    Identifier,
    /// Does not exist for the caller.
    Hidden,
    /// The same in every row.
    Constant,
}

impl Below {
    /// The leaf: the rows that have a unit, marked as protected, under the scan's name.
    pub(super) fn scan(
        table: &PublishedTable,
        scan: &TableScan,
        granted: &Columns,
        threshold: u32,
        decision: &mut Decision,
    ) -> Result<Self, Refused> {
        let terms = &table.terms;
        let name = terms.name.to_string();
        let Some(unit) = terms.unit.clone() else {
            return Err(Refused::new(
                "statistics.unit",
                format!("{name} does not say what a unit is, so that no statistics can leave"),
                format!("ask {} to declare its unit", terms.name.body),
            )
            .about(&name));
        };
        let leaf = Leaf { name, terms: Arc::clone(terms), threshold, granted: granted.clone(), unit };
        if scan.fetch.is_some() {
            return Err(leaf.shape("LIMIT below the aggregate"));
        }
        let origins = leaf::scanned(scan).map(|column| leaf.origin(column)).collect();
        let plan = leaf.plan(table, scan)?;
        let mut below = Self { plan, origins, choices: Choices::new(), leaf: Arc::new(leaf) };
        for filter in &scan.filters {
            below = below.filter(filter, decision)?;
        }
        Ok(below)
    }

    /// WHERE.
    pub(super) fn filter(self, predicate: &Expr, decision: &mut Decision) -> Result<Self, Refused> {
        let choices = self.choices(predicate)?;
        let predicate = self.predicate(predicate, decision)?;
        let plan = Filter::try_new(predicate, Arc::new(self.plan))?;
        Ok(Self { plan: LogicalPlan::Filter(plan), choices, ..self })
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
        exprs.extend(self.unit().map(Expr::Column));
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
        let schema = leaf::select_schema(self.plan.schema(), self.origins.len())?;
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

    /// The unit's column, where rows don't count.
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

impl Leaf {
    fn plan(&self, table: &PublishedTable, scan: &TableScan) -> PlanResult<LogicalPlan> {
        let shown = leaf::scanned(scan).map(Column::new_unqualified).map(Expr::Column);
        let mut columns: Vec<Expr> = shown.collect();
        if let Unit::Column { name, .. } = &self.unit {
            columns.push(Expr::Column(Column::new_unqualified(name.as_str())).alias(UNIT));
        }
        let rows = Projection::try_new(columns, Arc::new(table.published()?))?;
        let mut plan = governed::node(Mark::Protected, &self.name, LogicalPlan::Projection(rows));
        if matches!(self.unit, Unit::Column { .. }) {
            let known = Expr::Column(Column::new_unqualified(UNIT)).is_not_null();
            plan = LogicalPlan::Filter(Filter::try_new(known, Arc::new(plan))?);
        }
        leaf::named(plan, scan)
    }

    fn origin(&self, column: &str) -> Origin {
        let published = self.terms.dataset.column(column);
        let kind = match published {
            Some(published) if self.granted.holds(&self.terms, column) => match published.role {
                Role::Dimension => Kind::Label { ranges: published.ranges },
                Role::Measure => Kind::Measure,
                Role::Identifier => Kind::Identifier,
                Role::Hidden => Kind::Hidden,
            },
            _ => Kind::Hidden,
        };
        Origin { name: column.to_owned(), kind }
    }

    fn is_unit(&self, origin: &Origin) -> bool {
        matches!(&self.unit, Unit::Column { name, .. } if name.as_str() == origin.name)
            && matches!(origin.kind, Kind::Identifier | Kind::Label { .. })
    }

    /// The columns of one role that this caller may use, as a list for a person.
    fn columns(&self, role: Role) -> String {
        let dataset = &self.terms.dataset;
        let of_role = |column: &&meridian_proto::Column| {
            column.role == role && self.granted.holds(&self.terms, column.name.as_str())
        };
        let names: Vec<&str> = dataset.columns.iter().filter(of_role).map(|column| column.name.as_str()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }

    /// What is admitted over this dataset, in one line.
    fn admitted(&self) -> String {
        let (dimensions, measures) = (self.columns(Role::Dimension), self.columns(Role::Measure));
        format!(
            "aggregate it with COUNT, or with SUM or AVG of a measure ({measures}), grouped by dimensions ({dimensions})"
        )
    }

    fn shape(&self, what: &str) -> Refused {
        Refused::new(
            "statistics.shape",
            format!("only statistics of {} leave, and {what} is none", self.name),
            self.admitted(),
        )
        .about(&self.name)
    }

    fn no_column(&self, column: &str) -> Refused {
        let (dimensions, measures) = (self.columns(Role::Dimension), self.columns(Role::Measure));
        let (reason, remedy) = match &self.granted.agreement {
            Some(agreement) if self.terms.dataset.column(column).is_some_and(|c| c.role != Role::Hidden) => (
                format!("{column} of {} is not granted by {agreement}", self.name),
                format!(
                    "use its dimensions ({dimensions}) and measures ({measures}), or ask the owner to add {column} to {agreement}"
                ),
            ),
            _ => (
                format!("{} has no column {column} that you may use", self.name),
                format!("its dimensions: {dimensions}; its measures: {measures}"),
            ),
        };
        Refused::new("statistics.column", reason, remedy).about(&self.name).at_column(column)
    }

    /// A column, used for what its role does not admit.
    fn misused(&self, origin: &Origin, what: &str) -> Refused {
        let (role, remedy) = match origin.kind {
            Kind::Hidden => return self.no_column(&origin.name),
            Kind::Measure => {
                ("a measure", format!("sum or average it; {what} dimensions ({})", self.columns(Role::Dimension)))
            }
            Kind::Identifier => (
                "an identifier",
                format!(
                    "count it (COUNT(DISTINCT {})); {what} dimensions ({})",
                    origin.name,
                    self.columns(Role::Dimension)
                ),
            ),
            Kind::Label { .. } => ("a dimension", format!("use a measure ({})", self.columns(Role::Measure))),
            Kind::Constant => ("a constant", self.admitted()),
        };
        let refused = Refused::new(
            "statistics.column",
            format!("{} of {} is {role}, and it can't be used to {what}", origin.name, self.name),
            remedy,
        );
        refused.about(&self.name).at_column(&origin.name)
    }

    /// An expression that picks or distorts rows in a way that is not known here.
    fn expression(&self, what: &str, column: Option<&str>) -> Refused {
        let over = column.map_or_else(String::new, |column| format!(" over {column}"));
        let refused = Refused::new(
            "statistics.expression",
            format!("{what}{over} is not admitted below a statistic of {}", self.name),
            format!(
                "compare dimensions ({}) with constants by =, <>, IN, IS NULL, combined by AND, OR and NOT",
                self.columns(Role::Dimension)
            ),
        )
        .about(&self.name);
        match column {
            Some(column) => refused.at_column(column),
            None => refused,
        }
    }
}
