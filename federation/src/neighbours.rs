//! The same question with its inner joins in another order: what lies at one body, or at each body of standards, is joined
//! first, and so is a choice among this node's own rows with what it chooses from.
//!
//! DataFusion joins in the order in which a question names its tables. In `customer JOIN orders JOIN lineitem` the customers of
//! one body stand between orders and their lines, which lie together at others and could be joined there. In
//! `orders JOIN customer JOIN nation` a nation of this node's picks some customers, whose keys are enough to ask for their orders
//! alone. Which order moves less is for placement to say: it compares them.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNodeRecursion};
use datafusion::common::{Column, DFSchemaRef, NullEquality};
use datafusion::error::Result;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Join, JoinConstraint, JoinType, LogicalPlan, Operator, Projection, binary_expr};
use datafusion::optimizer::optimize_projections::OptimizeProjections;
use datafusion::optimizer::{OptimizerContext, OptimizerRule};
use meridian_proto::BodyName;

use crate::lower::{self, Foreign};
mod clusters;
mod halves;

use clusters::{Cluster, Size};

/// Most relations of one chain of joins that are put in another order.
const RELATIONS: usize = 24;

/// A plan in another order.
pub(crate) struct Turned {
    pub(crate) plan: LogicalPlan,
    /// Whether it is better than one that moves as much: what is to be joined here becomes less earlier.
    pub(crate) narrows: bool,
}

/// The plan with neighbours joined first, and that with semi joins among them, as far as these are others. One that can't be
/// made is none: the plan as it is may do. Whether others may be told what this node's own rows choose is for the caller to say.
pub(crate) fn regrouped(plan: &LogicalPlan, may_tell: bool) -> Vec<Turned> {
    let lowered = || match halves::lowered(plan)? {
        Some(lowered) => turned(&lowered, may_tell, true),
        None => Ok(None),
    };
    let made = |turned: Result<Option<Turned>>| {
        turned.unwrap_or_else(|_| {
            // The planner's words may quote expressions, and somebody's values in them.
            tracing::debug!("joins can't be put in another order, and stay as they are");
            None
        })
    };
    [made(turned(plan, may_tell, false)), made(lowered())].into_iter().flatten().collect()
}

/// The plan in another order, if it is another one or is so already.
fn turned(plan: &LogicalPlan, may_tell: bool, already: bool) -> Result<Option<Turned>> {
    let (mut changed, mut narrows) = (already, false);
    let turned = plan.clone().transform_up_with_subqueries(|node| {
        Ok(match Chain::of(&node, may_tell).filter(Chain::is_worth_it) {
            Some(chain) => {
                narrows |= chain.clusters().iter().any(Cluster::is_narrowed);
                let turned = chain.joined(node.schema())?;
                changed = true;
                Transformed::yes(turned)
            }
            None => Transformed::no(node),
        })
    });
    let turned = turned.data()?;
    if !changed {
        return Ok(None);
    }
    // What a join no longer needs is left out below it, as it was before.
    let pruned = OptimizeProjections::new().rewrite(turned, &OptimizerContext::new())?.data;
    Ok((already || pruned != *plan).then_some(Turned { plan: pruned, narrows }))
}

/// Where all foreign tables of a relation are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Home {
    Body(BodyName),
    /// At each body that has some of a standard.
    Each,
}

/// Inner joins above one another: what they join, and on which conditions, all of which must hold.
#[derive(Debug)]
struct Chain {
    relations: Vec<Relation>,
    conditions: Vec<Condition>,
    /// Which relations each join is of, as it is.
    joins: Vec<Vec<usize>>,
    /// Whether others may be told what this node's own rows choose.
    may_tell: bool,
}

#[derive(Debug)]
struct Relation {
    plan: LogicalPlan,
    home: Option<Home>,
    /// Whether all of it is here.
    own: bool,
    size: Size,
}

#[derive(Debug)]
struct Condition {
    expr: Expr,
    /// The relations that it is about.
    of: HashSet<usize>,
}

impl Chain {
    /// The chain of which a plan is the top; `None` where there are no two joins of it.
    fn of(top: &LogicalPlan, may_tell: bool) -> Option<Self> {
        if !is_inner(top) {
            return None;
        }
        let (mut relations, mut conditions, mut joins) = (Vec::new(), Vec::new(), Vec::new());
        gather(top, &mut relations, &mut conditions, &mut joins);
        if relations.len() < 3 || relations.len() > RELATIONS || !are_told_apart(&relations) {
            return None;
        }
        let about = |expr: Expr| {
            let of = expr.column_refs().into_iter().map(|column| owner(&relations, column));
            Some(Condition { of: of.collect::<Option<_>>()?, expr })
        };
        let conditions = conditions.into_iter().map(about).collect::<Option<Vec<_>>>()?;
        let relations = relations.into_iter().map(Relation::of).collect::<Option<_>>()?;
        Some(Self { relations, conditions, joins, may_tell })
    }

    /// The relations in groups of neighbours that an equality connects, in the order of their first ones.
    fn groups(&self) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (at, relation) in self.relations.iter().enumerate() {
            let near = |group: &Vec<usize>| group.iter().any(|other| self.are_neighbours(*other, at));
            let mut joined: Vec<usize> = Vec::new();
            if relation.home.is_some() {
                // It may be what connects several.
                let first = groups.iter().position(near);
                while let Some(found) = groups.iter().position(near) {
                    joined.extend(groups.remove(found));
                }
                joined.push(at);
                joined.sort_unstable();
                groups.insert(first.unwrap_or(groups.len()), joined);
            } else {
                groups.push(vec![at]);
            }
        }
        groups
    }

    fn are_neighbours(&self, one: usize, other: usize) -> bool {
        let home = |at: usize| self.relations.get(at).and_then(|relation| relation.home.as_ref());
        home(one).is_some() && home(one) == home(other) && self.are_joined(one, other)
    }

    /// Whether an equality connects two relations.
    fn are_joined(&self, one: usize, other: usize) -> bool {
        self.conditions.iter().any(|condition| {
            condition.of.len() == 2
                && condition.of.contains(&one)
                && condition.of.contains(&other)
                && sides(&condition.expr).is_some()
        })
    }

    /// Whether neighbours don't stand beside each other as it is.
    fn is_worth_it(&self) -> bool {
        let clusters = self.clusters();
        let stands_apart = |cluster: &Cluster| {
            let all = cluster.all();
            all.len() > 1 && !self.joins.contains(&all)
        };
        clusters.len() > 1 && clusters.iter().any(stands_apart)
    }

    /// The joins anew: each cluster by itself, then the clusters; what a condition connects goes before what none does.
    fn joined(self, schema: &DFSchemaRef) -> Result<LogicalPlan> {
        let clusters = self.clusters();
        let mut pending = self.conditions;
        let mut relations: Vec<Option<LogicalPlan>> =
            self.relations.into_iter().map(|relation| Some(relation.plan)).collect();
        let mut made = Vec::with_capacity(clusters.len());
        for Cluster { neighbours, own, .. } in clusters {
            let mut sides = Vec::with_capacity(1 + own.len());
            for part in std::iter::once(neighbours).chain(own) {
                let of_one = |at: usize| {
                    let plan = relations.get_mut(at).and_then(Option::take);
                    plan.map(|plan| (plan, HashSet::from([at])))
                };
                sides.extend(connected(part.into_iter().filter_map(of_one).collect(), &mut pending)?);
            }
            made.extend(connected(sides, &mut pending)?);
        }
        let Some((plan, _)) = connected(made, &mut pending)? else {
            return datafusion::common::internal_err!("a chain of joins has no relation");
        };
        let columns = schema.iter().map(|found| Expr::Column(Column::from(found))).collect();
        Ok(LogicalPlan::Projection(Projection::try_new_with_schema(columns, Arc::new(plan), Arc::clone(schema))?))
    }
}

type Joined = (LogicalPlan, HashSet<usize>);

/// Joins all parts, beginning with the first.
fn connected(mut parts: Vec<Joined>, pending: &mut Vec<Condition>) -> Result<Option<Joined>> {
    if parts.is_empty() {
        return Ok(None);
    }
    let mut all = parts.remove(0);
    while !parts.is_empty() {
        let connects = |part: &Joined| {
            pending.iter().any(|condition| {
                sides(&condition.expr).is_some()
                    && condition.of.iter().all(|at| all.1.contains(at) || part.1.contains(at))
                    && condition.of.iter().any(|at| all.1.contains(at))
                    && condition.of.iter().any(|at| part.1.contains(at))
            })
        };
        let next = parts.iter().position(connects).unwrap_or(0);
        all = join(all, parts.remove(next), pending)?;
    }
    Ok(Some(all))
}

/// Joins two parts on every condition that is about them alone and was not used yet.
fn join(left: Joined, right: Joined, pending: &mut Vec<Condition>) -> Result<Joined> {
    let both: HashSet<usize> = left.1.union(&right.1).copied().collect();
    let (now, later): (Vec<Condition>, Vec<Condition>) =
        std::mem::take(pending).into_iter().partition(|condition| condition.of.is_subset(&both));
    *pending = later;
    let (mut on, mut rest) = (Vec::new(), Vec::new());
    for condition in now {
        match keyed(&condition.expr, &left.0, &right.0) {
            Some(pair) => on.push(pair),
            None => rest.push(condition.expr),
        }
    }
    let (left, right) = (Arc::new(left.0), Arc::new(right.0));
    let (kind, constraint) = (JoinType::Inner, JoinConstraint::On);
    let equality = NullEquality::NullEqualsNothing;
    let join = Join::try_new(left, right, on, conjunction(rest), kind, constraint, equality, false)?;
    Ok((LogicalPlan::Join(join), both))
}

/// An equality of the left side with the right one, in this order.
fn keyed(condition: &Expr, left: &LogicalPlan, right: &LogicalPlan) -> Option<(Expr, Expr)> {
    let (one, other) = sides(condition)?;
    let of =
        |expr: &Expr, plan: &LogicalPlan| expr.column_refs().into_iter().all(|column| plan.schema().has_column(column));
    if of(one, left) && of(other, right) {
        Some((one.clone(), other.clone()))
    } else if of(other, left) && of(one, right) {
        Some((other.clone(), one.clone()))
    } else {
        None
    }
}

/// The sides of an equality, both of which are about something.
fn sides(expr: &Expr) -> Option<(&Expr, &Expr)> {
    match expr {
        Expr::BinaryExpr(binary) if binary.op == Operator::Eq => {
            let (left, right) = (binary.left.as_ref(), binary.right.as_ref());
            let is_about = |side: &Expr| !side.column_refs().is_empty();
            (is_about(left) && is_about(right)).then_some((left, right))
        }
        _ => None,
    }
}

fn is_inner(plan: &LogicalPlan) -> bool {
    let LogicalPlan::Join(join) = plan else { return false };
    join.join_type == JoinType::Inner && join.null_equality == NullEquality::NullEqualsNothing && !join.null_aware
}

/// What joins above one another join. Projections that but leave columns out are seen through.
fn gather(
    plan: &LogicalPlan,
    relations: &mut Vec<LogicalPlan>,
    conditions: &mut Vec<Expr>,
    joins: &mut Vec<Vec<usize>>,
) {
    match plan {
        LogicalPlan::Join(join) if is_inner(plan) => {
            let first = relations.len();
            gather(&join.left, relations, conditions, joins);
            gather(&join.right, relations, conditions, joins);
            joins.push((first..relations.len()).collect());
            conditions.extend(join.on.iter().map(|(one, other)| binary_expr(one.clone(), Operator::Eq, other.clone())));
            conditions.extend(join.filter.iter().cloned().flat_map(split_conjunction_owned));
        }
        LogicalPlan::Projection(node) if is_inner_below(&node.input) && leaves_out(node) => {
            gather(&node.input, relations, conditions, joins);
        }
        other => relations.push(other.clone()),
    }
}

fn is_inner_below(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(node) => leaves_out(node) && is_inner_below(&node.input),
        other => is_inner(other),
    }
}

/// Whether a projection is columns of its input under their own names.
fn leaves_out(node: &Projection) -> bool {
    let same = |(expr, (qualifier, field)): (&Expr, (Option<&_>, &Arc<arrow::datatypes::Field>))| match expr {
        Expr::Column(column) => column.relation.as_ref() == qualifier && column.name == *field.name(),
        _ => false,
    };
    node.expr.iter().zip(node.schema.iter()).all(same)
}

/// Whether no column has the name of another relation's.
fn are_told_apart(relations: &[LogicalPlan]) -> bool {
    let mut seen = HashSet::new();
    relations.iter().all(|plan| plan.schema().columns().into_iter().all(|column| seen.insert(column)))
}

fn owner(relations: &[LogicalPlan], column: &Column) -> Option<usize> {
    relations.iter().position(|plan| plan.schema().has_column(column))
}

/// Where all tables of a plan are, if they are foreign and at one place.
fn home(plan: &LogicalPlan) -> Option<Home> {
    let mut found: Vec<Home> = Vec::new();
    let mut local = false;
    let walked = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let home = match lower::foreign(scan) {
                Some(Foreign::One(table)) => Home::Body(table.owner),
                Some(Foreign::Every(_)) => Home::Each,
                None => {
                    local = true;
                    return Ok(TreeNodeRecursion::Stop);
                }
            };
            if !found.contains(&home) {
                found.push(home);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    });
    walked.ok()?;
    match found.as_slice() {
        [_] if !local => found.pop(),
        _ => None,
    }
}
