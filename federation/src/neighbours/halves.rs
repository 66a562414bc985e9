//! Semi and anti joins above inner joins, made of the one relation that they are about where both lie at one place.
//!
//! `WHERE o.id IN (SELECT …)` stands above all joins of a question. It says of each row of `o` by itself whether it stays, as any
//! condition does, so that it may be asked before `o` is joined with anything: at its body, if what it looks for is there too.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::Column;
use datafusion::common::tree_node::{Transformed, TransformedResult};
use datafusion::error::Result;
use datafusion::logical_expr::{Join, JoinType, LogicalPlan, Projection};

use super::{home, is_inner, leaves_out};
use crate::normal::is_of_rows;

/// The plan with such joins where they belong, if that is another one.
pub(super) fn lowered(plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    let mut changed = false;
    let lowered = plan.clone().transform_up_with_subqueries(|node| {
        let LogicalPlan::Join(join) = &node else { return Ok(Transformed::no(node)) };
        Ok(match Half::of(join)?.map(|half| half.below(&join.left)).transpose()?.flatten() {
            Some(lowered) => {
                changed = true;
                Transformed::yes(lowered)
            }
            None => Transformed::no(node),
        })
    });
    let lowered = lowered.data()?;
    Ok(changed.then_some(lowered))
}

/// A join that keeps rows of its left side or drops them, each for what it is by itself.
struct Half<'a> {
    join: &'a Join,
    /// The columns of the left side that decide.
    about: HashSet<Column>,
    /// Those of the right one that stand beside them in a condition.
    sought: HashSet<Column>,
}

impl<'a> Half<'a> {
    /// `None` where it is another join, or one whose condition is more than its columns.
    fn of(join: &'a Join) -> Result<Option<Self>> {
        let is_half = matches!(join.join_type, JoinType::LeftSemi | JoinType::LeftAnti) && !join.null_aware;
        if !is_half || home(&join.right).is_none() {
            return Ok(None);
        }
        let (of_left, of_right) = (join.left.schema(), join.right.schema());
        let (mut about, mut sought) = (HashSet::new(), HashSet::new());
        for expr in join.on.iter().map(|(left, _)| left).chain(&join.filter) {
            if !is_of_rows(expr)? {
                return Ok(None);
            }
            for column in expr.column_refs() {
                match (of_left.has_column(column), of_right.has_column(column)) {
                    (true, false) => {
                        about.insert(column.clone());
                    }
                    (false, true) => {
                        sought.insert(column.clone());
                    }
                    // Which of them is meant is not to be guessed.
                    (true, true) | (false, false) => return Ok(None),
                }
            }
        }
        Ok((!about.is_empty()).then_some(Self { join, about, sought }))
    }

    /// The plan of its left side with the join within it; `None` where no relation of inner joins has all that it is about.
    fn below(&self, plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
        match plan {
            LogicalPlan::Projection(node) if leaves_out(node) => {
                let Some(input) = self.below(&node.input)? else { return Ok(None) };
                let schema = Arc::clone(&node.schema);
                let projection = Projection::try_new_with_schema(node.expr.clone(), Arc::new(input), schema)?;
                Ok(Some(LogicalPlan::Projection(projection)))
            }
            LogicalPlan::Join(join) if is_inner(plan) => {
                let holds = |side: &LogicalPlan| self.about.iter().all(|column| side.schema().has_column(column));
                let (left, right) = match (holds(&join.left), holds(&join.right)) {
                    (true, false) => (self.at(&join.left)?, None),
                    (false, true) => (None, self.at(&join.right)?),
                    (true, true) | (false, false) => return Ok(None),
                };
                if left.is_none() && right.is_none() {
                    return Ok(None);
                }
                let mut joined = join.clone();
                joined.left = left.map_or(joined.left, Arc::new);
                joined.right = right.map_or(joined.right, Arc::new);
                Ok(Some(LogicalPlan::Join(joined)))
            }
            _ => Ok(None),
        }
    }

    /// As far down in a side of an inner join as it can be, or of the side as a whole.
    fn at(&self, side: &LogicalPlan) -> Result<Option<LogicalPlan>> {
        if let Some(below) = self.below(side)? {
            return Ok(Some(below));
        }
        // Further up, a projection may have left out a column that has the name of one of the other side.
        let is_doubtful = self.sought.iter().any(|column| side.schema().has_column(column));
        if is_doubtful || home(side) != home(&self.join.right) {
            return Ok(None);
        }
        let Join { right, on, filter, join_type, join_constraint, null_equality, null_aware, .. } = self.join.clone();
        let left = Arc::new(side.clone());
        let join = Join::try_new(left, right, on, filter, join_type, join_constraint, null_equality, null_aware)?;
        Ok(Some(LogicalPlan::Join(join)))
    }
}
