//! The joins below an aggregate as one tree, whose leaves are what is not a join, and whose expressions are all over the leaves'
//! columns: `e0_0`, `e0_1` for the first leaf, `e1_0` for the second and so on. Projections and aliases between the joins are gone.

use std::collections::BTreeSet;
use std::ops::Range;

use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchema, JoinType, NullEquality};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::Alias;
use datafusion::logical_expr::{Expr, Filter, Join, LogicalPlan};

use crate::error::Why;

/// What is joined.
pub(super) struct Leaf {
    pub(super) plan: LogicalPlan,
    /// Whether an outer join above may put NULL in the place of its rows.
    pub(super) nullable: bool,
    /// Whether it is only asked if there is a partner, so that its rows multiply nothing.
    pub(super) inner: bool,
}

/// The tree.
pub(super) enum Node {
    Leaf(usize),
    Filter {
        input: Box<Node>,
        predicate: Expr,
    },
    Join {
        left: Box<Node>,
        right: Box<Node>,
        how: How,
    },
    /// The rows, and behind them how many there are with the same values of these expressions.
    Counted {
        input: Box<Node>,
        by: Vec<Expr>,
    },
}

/// Which pairs of rows a join makes.
#[derive(Clone)]
pub(super) struct How {
    pub(super) kind: JoinType,
    pub(super) on: Vec<(Expr, Expr)>,
    pub(super) filter: Option<Expr>,
    pub(super) null_equality: NullEquality,
    pub(super) null_aware: bool,
}

/// A tree, and what each column of the plan is in it.
pub(super) struct Tree {
    pub(super) leaves: Vec<Leaf>,
    pub(super) root: Node,
    pub(super) columns: Vec<Expr>,
}

/// The column of a leaf.
pub(super) fn column(leaf: usize, index: usize) -> Expr {
    Expr::Column(Column::new_unqualified(format!("e{leaf}_{index}")))
}

/// Leaf and index, if the expression is nothing but a leaf's column.
pub(super) fn place(expr: &Expr) -> Option<(usize, usize)> {
    let Expr::Column(Column { relation: None, name, .. }) = expr else { return None };
    let (leaf, index) = name.strip_prefix('e')?.split_once('_')?;
    Some((leaf.parse().ok()?, index.parse().ok()?))
}

/// The leaves' columns in an expression.
pub(super) fn places(expr: &Expr) -> BTreeSet<(usize, usize)> {
    expr.column_refs().into_iter().filter_map(|column| place(&Expr::Column(column.clone()))).collect()
}

/// The leaves in an expression.
pub(super) fn leaves(expr: &Expr) -> BTreeSet<usize> {
    places(expr).into_iter().map(|(leaf, _)| leaf).collect()
}

/// The join that there is to take apart, under projections, filters and aliases at most.
pub(super) fn topmost(plan: &LogicalPlan) -> Option<&LogicalPlan> {
    match plan {
        LogicalPlan::Projection(node) => topmost(&node.input),
        LogicalPlan::SubqueryAlias(node) => topmost(&node.input),
        LogicalPlan::Filter(node) => topmost(&node.input),
        LogicalPlan::Join(join) => {
            (!matches!(join.join_type, JoinType::LeftMark | JoinType::RightMark)).then_some(plan)
        }
        _ => None,
    }
}

/// Whether there is something to take apart.
pub(super) fn is_joined(plan: &LogicalPlan) -> bool {
    topmost(plan).is_some()
}

impl Tree {
    /// The tree of a plan, in which `whole` says of a join whether it is a leaf.
    pub(super) fn of(plan: &LogicalPlan, whole: &mut dyn FnMut(&LogicalPlan) -> bool) -> Result<Self, Why> {
        let mut walk = Walk { leaves: Vec::new(), whole };
        let (root, columns) = walk.walk(plan)?;
        Ok(Self { leaves: walk.leaves, root, columns })
    }
}

type Walked = (Node, Vec<Expr>);

/// The leaves found so far.
struct Walk<'a> {
    leaves: Vec<Leaf>,
    whole: &'a mut dyn FnMut(&LogicalPlan) -> bool,
}

impl Walk<'_> {
    fn walk(&mut self, plan: &LogicalPlan) -> Result<Walked, Why> {
        match plan {
            plan if !is_joined(plan) => Ok(self.leaf(plan)),
            LogicalPlan::Join(_) if (self.whole)(plan) => Ok(self.leaf(plan)),
            LogicalPlan::Projection(node) => {
                let (below, columns) = self.walk(&node.input)?;
                let sides = [(node.input.schema().as_ref(), columns.as_slice())];
                let columns = node.expr.iter().map(|expr| over(expr, &sides)).collect::<Result<_, _>>()?;
                Ok((below, columns))
            }
            LogicalPlan::SubqueryAlias(node) => self.walk(&node.input),
            LogicalPlan::Filter(Filter { predicate, input, .. }) => {
                let (below, columns) = self.walk(input)?;
                let predicate = over(predicate, &[(input.schema().as_ref(), columns.as_slice())])?;
                Ok((Node::Filter { input: Box::new(below), predicate }, columns))
            }
            LogicalPlan::Join(node) => self.join(node),
            other => Ok(self.leaf(other)),
        }
    }

    fn leaf(&mut self, plan: &LogicalPlan) -> Walked {
        let number = self.leaves.len();
        self.leaves.push(Leaf { plan: plan.clone(), nullable: false, inner: false });
        (Node::Leaf(number), (0..plan.schema().fields().len()).map(|index| column(number, index)).collect())
    }

    fn join(&mut self, node: &Join) -> Result<Walked, Why> {
        let Join { left, right, on, filter, join_type, join_constraint: _, schema: _, null_equality, null_aware } =
            node;
        let kind = *join_type;
        let first = self.side(left, Side::of(kind, true))?;
        let second = self.side(right, Side::of(kind, false))?;
        let (of_left, of_right) =
            ((left.schema().as_ref(), first.1.as_slice()), (right.schema().as_ref(), second.1.as_slice()));
        let on = on
            .iter()
            .map(|(one, other)| Ok((over(one, &[of_left])?, over(other, &[of_right])?)))
            .collect::<Result<_, Why>>()?;
        let filter = filter.as_ref().map(|filter| over(filter, &[of_left, of_right])).transpose()?;
        let how = How { kind, on, filter, null_equality: *null_equality, null_aware: *null_aware };
        let columns = match kind {
            JoinType::LeftSemi | JoinType::LeftAnti => first.1,
            JoinType::RightSemi | JoinType::RightAnti => second.1,
            JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => [first.1, second.1].concat(),
            JoinType::LeftMark | JoinType::RightMark => return Err(Why::new("a mark join is not taken apart")),
        };
        Ok((Node::Join { left: Box::new(first.0), right: Box::new(second.0), how }, columns))
    }

    fn side(&mut self, plan: &LogicalPlan, side: Side) -> Result<Walked, Why> {
        let before = self.leaves.len();
        let mut walked = match side {
            Side::Inner => self.leaf(plan),
            Side::Rows | Side::Nullable => self.walk(plan)?,
        };
        // An expression over NULLs need not be NULL: where rows are missing it may not be computed above the join.
        if side == Side::Nullable && !walked.1.iter().all(|expr| place(expr).is_some()) {
            self.leaves.truncate(before);
            walked = self.leaf(plan);
        }
        let of_side: Range<usize> = before..self.leaves.len();
        for leaf in self.leaves.get_mut(of_side).unwrap_or_default() {
            leaf.nullable |= side == Side::Nullable;
            leaf.inner |= side == Side::Inner;
        }
        Ok(walked)
    }
}

/// What a join makes of the rows of one of its sides.
#[derive(PartialEq)]
enum Side {
    Rows,
    Nullable,
    Inner,
}

impl Side {
    fn of(kind: JoinType, left: bool) -> Self {
        match (kind, left) {
            (JoinType::Left, false) | (JoinType::Right, true) | (JoinType::Full, _) => Self::Nullable,
            (JoinType::LeftSemi | JoinType::LeftAnti, false) | (JoinType::RightSemi | JoinType::RightAnti, true) => {
                Self::Inner
            }
            _ => Self::Rows,
        }
    }
}

/// An expression over the leaves' columns.
pub(super) fn over(expr: &Expr, sides: &[(&DFSchema, &[Expr])]) -> Result<Expr, Why> {
    if expr.is_volatile() {
        return Err(Why::new(format!("{expr} gives another value each time")));
    }
    let replaced = expr.clone().transform_up(|part| match part {
        Expr::Column(column) => {
            let mut found = sides.iter().filter_map(|(schema, columns)| {
                schema.maybe_index_of_column(&column).and_then(|index| columns.get(index))
            });
            match (found.next(), found.next()) {
                (Some(known), None) => Ok(Transformed::yes(known.clone())),
                _ => Err(DataFusionError::Plan(format!("{column} is not one column of the join"))),
            }
        }
        Expr::Alias(Alias { expr, relation: _, name: _, metadata: _ }) => Ok(Transformed::yes(*expr)),
        Expr::OuterReferenceColumn(..) => Err(DataFusionError::Plan("it depends on an outer query".into())),
        Expr::ScalarSubquery(ref subquery) if !subquery.outer_ref_columns.is_empty() => {
            Err(DataFusionError::Plan("it depends on an outer query".into()))
        }
        Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_) => {
            Err(DataFusionError::Plan("a subquery in it is not taken apart".into()))
        }
        other => Ok(Transformed::no(other)),
    });
    Ok(replaced.data()?)
}
