//! Joins of protected rows with a dataset of another body that their owner has declared as a reference.

use std::sync::Arc;

use datafusion::datasource::DefaultTableSource;
use datafusion::logical_expr::{Filter, Join, LogicalPlan, Projection, SubqueryAlias, TableScan};

use super::several::NO_LOOKUP;
use super::{Gated, Walk};
use crate::gate::Refused;
use crate::gate::below::Below;

impl Walk<'_> {
    /// Whether a plan yields rows of other bodies' datasets and of nothing else, unjoined.
    pub(super) fn is_foreign(&self, plan: &LogicalPlan) -> bool {
        match plan {
            LogicalPlan::TableScan(scan) => {
                let source = scan.source.downcast_ref::<DefaultTableSource>();
                source.is_some_and(|source| (self.request.foreign)(source.table_provider.as_ref()).is_some())
            }
            LogicalPlan::SubqueryAlias(SubqueryAlias { input, .. })
            | LogicalPlan::Projection(Projection { input, .. })
            | LogicalPlan::Filter(Filter { input, .. }) => self.is_foreign(input),
            LogicalPlan::Sort(_)
            | LogicalPlan::Aggregate(_)
            | LogicalPlan::Distinct(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Union(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Subquery(_)
            | LogicalPlan::Unnest(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::EmptyRelation(_)
            | LogicalPlan::Repartition(_)
            | LogicalPlan::RecursiveQuery(_)
            | LogicalPlan::Extension(_)
            | LogicalPlan::Statement(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::DescribeTable(_) => false,
        }
    }

    /// A join of which one side is foreign: what it may be depends on whether the other is protected.
    pub(super) fn join_foreign(
        &mut self,
        plan: LogicalPlan,
        join: &Join,
        left: LogicalPlan,
        right: LogicalPlan,
    ) -> Result<Gated, Refused> {
        if self.is_foreign(&right) {
            return match self.gated(left)? {
                Gated::Protected(below) => {
                    let right = self.lookup(right, &below)?.ok_or_else(|| below.operator_refused(NO_LOOKUP))?;
                    below.join(right, join, &mut self.decision).map(Gated::protected)
                }
                Gated::Public(left) => {
                    let right = self.behind(&left, right)?;
                    let right = self.public_of(right)?;
                    self.rebuilt(plan, vec![left, right]).map(Gated::Public)
                }
            };
        }
        match self.behind(&left, right)? {
            Gated::Protected(below) => {
                let left = self.lookup(left, &below)?.ok_or_else(|| below.operator_refused(NO_LOOKUP))?;
                left.join(*below, join, &mut self.decision).map(Gated::protected)
            }
            Gated::Public(right) => {
                let left = self.public(left)?;
                self.rebuilt(plan, vec![left, right]).map(Gated::Public)
            }
        }
    }

    /// The right side of a join, which may refer to its left.
    fn behind(&mut self, left: &LogicalPlan, right: LogicalPlan) -> Result<Gated, Refused> {
        self.outers.push(Arc::clone(left.schema()));
        let gated = self.gated(right);
        self.outers.pop();
        gated
    }

    fn public_of(&self, gated: Gated) -> Result<LogicalPlan, Refused> {
        match gated {
            Gated::Public(plan) => Ok(plan),
            Gated::Protected(below) => Err(below.rows_refused()),
        }
    }

    /// The scan of another body's dataset, if the owner of the rows that it is joined `with` has declared it.
    pub(super) fn reference(&mut self, scan: &TableScan, with: &Below) -> Result<Option<Below>, Refused> {
        let Some(source) = scan.source.downcast_ref::<DefaultTableSource>() else { return Ok(None) };
        let provider = source.table_provider.as_ref();
        let Some(foreign) = (self.request.foreign)(provider) else { return Ok(None) };
        let [name] = foreign.names.as_slice() else { return Ok(None) };
        let reference = with.referenced(name)?;
        let referenced = (self.request.referenced)(provider, &reference).map_err(|why| {
            let (body, dataset) = (&reference.body, &reference.dataset);
            let remedy = format!("ask the owner to look at its reference to {body}.{dataset}, or leave {dataset} out");
            Refused::new("reference.described", why, remedy).about(name)
        })?;
        self.decision.reference(name);
        Below::reference(referenced, &reference, scan, &mut self.decision).map(Some)
    }
}
