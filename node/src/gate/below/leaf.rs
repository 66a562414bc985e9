//! A dataset below a release: what of it may be used how, and how a refusal says so.

use std::sync::Arc;

use datafusion::common::{Column, ScalarValue};
use datafusion::error::Result as PlanResult;
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, Projection, TableScan};
use meridian_proto::{Name, Role};

use super::super::access::Columns;
use super::super::governed::{self, Mark};
use super::super::table::PublishedTable;
use super::super::terms::{ColumnTerms, Terms, UNIT_COLUMN, Unit};
use super::super::{Refused, leaf};
use super::{Choices, Kind, Origin};

/// One dataset that is read below a release.
#[derive(Debug)]
pub(in super::super) struct Leaf {
    pub(super) name: String,
    pub(super) terms: Arc<Terms>,
    pub(super) granted: Columns,
    /// What it protects; none for an open dataset that labels are looked up in.
    pub(super) protection: Option<Protection>,
    /// The key by which it joins where it is a reference to a dataset of another body.
    pub(super) key: Option<Name>,
}

/// What a `statistics` dataset protects, and how far.
#[derive(Debug, Clone)]
pub(super) struct Protection {
    pub(super) unit: Unit,
    pub(super) threshold: u32,
    pub(super) allowance: Option<u64>,
}

impl Leaf {
    /// Its rows under the scan's name, those of a protected one with a unit, and marked.
    pub(super) fn plan(&self, table: &PublishedTable, scan: &TableScan) -> PlanResult<LogicalPlan> {
        if self.protection.is_none() {
            return leaf::whole(table, scan);
        }
        let mut columns: Vec<Expr> = leaf::scanned(scan).map(Column::new_unqualified).map(Expr::Column).collect();
        let unit = Expr::Column(Column::new_unqualified(UNIT_COLUMN));
        columns.push(unit.clone());
        let rows = Projection::try_new(columns, Arc::new(table.published()?))?;
        let marked = governed::node(Mark::Protected, &self.name, LogicalPlan::Projection(rows));
        let known = Filter::try_new(unit.is_not_null(), Arc::new(marked))?;
        leaf::named(LogicalPlan::Filter(known), scan)
    }

    pub(super) fn origin(self: &Arc<Self>, column: &str) -> Origin {
        let (name, kind) = (column.to_owned(), self.kind(column));
        Origin { leaf: Arc::clone(self), name, kind, bare: true, chosen: Choices::new() }
    }

    fn kind(&self, column: &str) -> Kind {
        let published = self.terms.dataset.column(column).filter(|_| self.granted.holds(&self.terms, column));
        let Some(published) = published else { return Kind::Hidden };
        match (&self.protection, published.role) {
            (_, Role::Dimension) => Kind::Label { ranges: published.ranges },
            (None, Role::Identifier | Role::Hidden | Role::Measure) => Kind::Identifier,
            (Some(_), Role::Measure) => Kind::Measure,
            (Some(_), Role::Hidden) => Kind::Hidden,
            (Some(protection), Role::Identifier) => {
                let names = |name: Option<&Name>| name.is_some_and(|name| name.as_str() == column);
                if names(protection.unit.column.as_ref()) {
                    Kind::Unit
                } else if names(protection.unit.belongs_to.as_ref().map(|belongs| &belongs.column)) {
                    Kind::Outer
                } else {
                    Kind::Identifier
                }
            }
        }
    }

    pub(super) fn column(&self, column: &str) -> Option<&ColumnTerms> {
        self.terms.columns.iter().find(|(name, _)| name.as_str() == column).map(|(_, terms)| terms)
    }

    /// The only values at which a column's ranges may be cut.
    pub(super) fn bands(&self, column: &str) -> Option<&[ScalarValue]> {
        self.column(column)?.bands.as_deref()
    }

    /// The columns of one role that this caller may use, as a list for a person.
    pub(super) fn columns(&self, role: Role) -> String {
        let dataset = &self.terms.dataset;
        let of_role = |column: &&meridian_proto::Column| {
            column.role == role && self.granted.holds(&self.terms, column.name.as_str())
        };
        let names: Vec<&str> = dataset.columns.iter().filter(of_role).map(|column| column.name.as_str()).collect();
        if names.is_empty() { "none".to_owned() } else { names.join(", ") }
    }

    /// What is admitted over this dataset, in one line.
    fn admitted(&self) -> String {
        if self.terms.tables.is_some() {
            return self.declared();
        }
        let (dimensions, measures) = (self.columns(Role::Dimension), self.columns(Role::Measure));
        format!(
            "aggregate it with COUNT, or with SUM or AVG of a measure ({measures}), grouped by dimensions ({dimensions})"
        )
    }

    pub(super) fn shape(&self, what: &str) -> Refused {
        Refused::new(
            "statistics.shape",
            format!("only statistics of {} leave, and {what} is none", self.name),
            self.admitted(),
        )
        .about(&self.name)
    }

    pub(super) fn no_column(&self, column: &str) -> Refused {
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

    /// An expression that picks or distorts rows in a way that is not known here.
    pub(super) fn expression(&self, what: &str, column: Option<&str>) -> Refused {
        let over = column.map_or_else(String::new, |column| format!(" over {column}"));
        let remedy = match &self.terms.tables {
            Some(_) => self.declared(),
            None => format!(
                "compare dimensions ({}) with constants by =, <>, IN, IS NULL, combined by AND, OR and NOT",
                self.columns(Role::Dimension)
            ),
        };
        let refused = Refused::new(
            "statistics.expression",
            format!("{what}{over} is not admitted below a statistic of {}", self.name),
            remedy,
        )
        .about(&self.name);
        match column {
            Some(column) => refused.at_column(column),
            None => refused,
        }
    }

    /// A join that is not known to keep units apart.
    pub(super) fn join(&self, reason: impl Into<String>, remedy: impl Into<String>) -> Refused {
        Refused::new("statistics.join", reason, remedy).about(&self.name)
    }
}

impl Origin {
    /// A column, used for what its role does not admit.
    pub(super) fn misused(&self, what: &str) -> Refused {
        let dimensions = self.leaf.columns(Role::Dimension);
        let (role, remedy) = match self.kind {
            Kind::Hidden => return self.leaf.no_column(&self.name),
            Kind::Measure => {
                let bands = match self.leaf.bands(&self.name) {
                    Some(_) => format!(", or cut it at its declared bands ({})", self.bands()),
                    None => String::new(),
                };
                ("a measure", format!("sum or average it; {what} dimensions ({dimensions}){bands}"))
            }
            Kind::Unit => {
                ("an identifier", format!("count it (COUNT(DISTINCT {})); {what} dimensions ({dimensions})", self.name))
            }
            Kind::Identifier | Kind::Outer => ("an identifier", format!("{what} dimensions ({dimensions})")),
            Kind::Label { .. } => ("a dimension", format!("use a measure ({})", self.leaf.columns(Role::Measure))),
            Kind::Constant => ("a constant", self.leaf.admitted()),
        };
        let reason = format!("{} of {} is {role}, and it can't be used to {what}", self.name, self.leaf.name);
        Refused::new("statistics.column", reason, remedy).about(&self.leaf.name).at_column(&self.name)
    }

    /// Its bands as a list for a person.
    pub(super) fn bands(&self) -> String {
        let bands = self.leaf.bands(&self.name).unwrap_or_default();
        bands.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }
}
