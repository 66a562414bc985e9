//! Operators over several inputs, any of which may be protected rows.

use std::sync::Arc;

use datafusion::datasource::DefaultTableSource;
use datafusion::logical_expr::expr::InSubquery;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, LogicalPlan};
use meridian_proto::Form;

use super::{Gated, Walk, not_a_query};
use crate::gate::Refused;
use crate::gate::access::Columns;
use crate::gate::below::Below;
use crate::gate::table::PublishedTable;

/// What protected rows may be joined with, in the words of a refusal.
pub(super) const NO_LOOKUP: &str = "a join of protected rows with anything but datasets of the same body";

impl Walk<'_> {
    /// A join; its right side may be lateral and refer to its left.
    pub(super) fn join(&mut self, plan: LogicalPlan) -> Result<Gated, Refused> {
        let mut inputs = plan.inputs().into_iter().cloned();
        let (Some(left), Some(right)) = (inputs.next(), inputs.next()) else {
            return Err(not_a_query("a join without inputs"));
        };
        let (LogicalPlan::Join(join), left_plan, right_plan) = (&plan, left.clone(), right.clone()) else {
            return Err(not_a_query("a join without inputs"));
        };
        let join = join.clone();
        if self.is_foreign(&left_plan) != self.is_foreign(&right_plan) {
            return self.join_foreign(plan, &join, left_plan, right_plan);
        }
        let left = self.gated(left)?;
        if let Gated::Public(left) = &left {
            self.outers.push(Arc::clone(left.schema()));
        }
        let gated = self.gated(right);
        if matches!(left, Gated::Public(_)) {
            self.outers.pop();
        }
        let decision = &mut self.decision;
        match (left, gated?) {
            (Gated::Public(left), Gated::Public(right)) => self.rebuilt(plan, vec![left, right]).map(Gated::Public),
            (Gated::Protected(left), Gated::Protected(right)) => {
                left.join(*right, &join, decision).map(Gated::protected)
            }
            (Gated::Protected(left), Gated::Public(_)) => {
                let right = self.lookup(right_plan, &left)?.ok_or_else(|| left.operator_refused(NO_LOOKUP))?;
                left.join(right, &join, &mut self.decision).map(Gated::protected)
            }
            (Gated::Public(_), Gated::Protected(right)) => {
                let left = self.lookup(left_plan, &right)?.ok_or_else(|| right.operator_refused(NO_LOOKUP))?;
                left.join(*right, &join, &mut self.decision).map(Gated::protected)
            }
        }
    }

    /// WHERE over protected rows; `IN (SELECT …)` over datasets of this body becomes a semi join.
    pub(super) fn filter(&mut self, below: Below, predicate: &Expr) -> Result<Below, Refused> {
        let mut below = below;
        let mut rest: Option<Expr> = None;
        for part in split_conjunction(predicate) {
            let Expr::InSubquery(InSubquery { expr, subquery, negated: false }) = part else {
                rest = Some(rest.map_or_else(|| part.clone(), |rest| rest.and(part.clone())));
                continue;
            };
            let plan = subquery.subquery.as_ref().clone();
            let rows = if self.is_foreign(&plan) {
                self.lookup(plan, &below)?
            } else {
                match self.gated(plan.clone())? {
                    Gated::Protected(rows) => Some(*rows),
                    Gated::Public(_) => self.lookup(plan, &below)?,
                }
            };
            let rows = rows
                .ok_or_else(|| below.operator_refused("IN with a subquery over anything but datasets of this body"))?;
            below = below.semi_join(expr, rows, &mut self.decision)?;
        }
        match rest {
            Some(rest) => below.filter(&rest, &mut self.decision),
            None => Ok(below),
        }
    }

    /// A plan over one open dataset of this body, or over one of another body that the owner of the protected rows `with`
    /// has declared, as those may be joined with: its columns, filtered as protected ones may be. `None` for any other
    /// plan.
    pub(super) fn lookup(&mut self, plan: LogicalPlan, with: &Below) -> Result<Option<Below>, Refused> {
        match plan {
            LogicalPlan::TableScan(scan) => {
                let source = scan.source.downcast_ref::<DefaultTableSource>();
                let table = source.and_then(|source| source.table_provider.downcast_ref::<PublishedTable>());
                match table.filter(|table| table.terms.dataset.form == Form::Open) {
                    Some(table) => Below::lookup(table, &scan, &Columns::visible(), &mut self.decision).map(Some),
                    None => self.reference(&scan, with),
                }
            }
            LogicalPlan::SubqueryAlias(alias) => match self.lookup(Arc::unwrap_or_clone(alias.input), with)? {
                Some(below) => below.alias(alias.alias).map(Some),
                None => Ok(None),
            },
            LogicalPlan::Projection(projection) => match self.lookup(projection.input.as_ref().clone(), with)? {
                Some(below) => below.project(&projection, &mut self.decision).map(Some),
                None => Ok(None),
            },
            LogicalPlan::Filter(filter) => match self.lookup(Arc::unwrap_or_clone(filter.input), with)? {
                Some(below) => below.filter(&filter.predicate, &mut self.decision).map(Some),
                None => Ok(None),
            },
            _ => Ok(None),
        }
    }

    /// UNION ALL: of what is public, or of rows that are all protected.
    pub(super) fn union(&mut self, plan: LogicalPlan) -> Result<Gated, Refused> {
        let LogicalPlan::Union(union) = &plan else { return Err(not_a_query("this")) };
        let mut open = Vec::new();
        let mut protected = Vec::new();
        for input in &union.inputs {
            match self.gated(input.as_ref().clone())? {
                Gated::Public(input) => open.push(input),
                Gated::Protected(below) => protected.push(*below),
            }
        }
        if let (Some(first), false) = (protected.first(), open.is_empty()) {
            return Err(first.operator_refused("UNION of protected and other rows"));
        }
        match Below::union(protected, union)? {
            Some(below) => Ok(Gated::protected(below)),
            None => self.rebuilt(plan, open).map(Gated::Public),
        }
    }
}
