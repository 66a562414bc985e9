//! Joins with datasets of which only cells leave: in an order in which it is seen where a cell is not there.
//!
//! An absent cell may be one that was withheld: what would have been added from it is unknown, never nothing (invariant
//! I9). So the sides that are rows, the *labels*, are joined first, and each label row is told how many there are with the same
//! group keys. Every label row finds exactly one cell for each group of the question, if none is absent: keys of cells
//! are only what the labels or the group fix. A group that has fewer rows than labels is not complete, and its figures are NULL.
//!
//! Hence the conditions: inner joins, or left joins of labels with cells; equalities alone, in which NULL equals nothing; each
//! key of a cell equal to something of a label or to a group key; no group key over both a label and a cell.

use std::collections::BTreeSet;

use datafusion::common::{JoinType, NullEquality};
use datafusion::logical_expr::Expr;

use super::compose::Mode;
use super::tree::{self, How, Node, Tree};
use crate::error::Why;
use crate::normal;

/// A tree in which labels come first.
pub(super) struct Ordered {
    pub(super) tree: Tree,
    /// Whether there are labels, so that a row says how many of them its group has.
    pub(super) counted: bool,
    /// Leaves of cells that have a key which the question does not group by.
    pub(super) finer: BTreeSet<usize>,
}

/// The joins of a tree, taken apart.
#[derive(Default)]
struct Parts {
    /// Subtrees without cells.
    labels: Vec<Node>,
    /// Leaves of cells.
    cells: Vec<usize>,
    /// Leaves of cells that keep labels without a cell, and their equalities: label, cell.
    kept: Vec<(usize, Vec<(Expr, Expr)>)>,
    /// What is equal in every row.
    equal: Vec<(Expr, Expr)>,
    /// Conditions on labels.
    conditions: Vec<Expr>,
}

pub(super) fn order(tree: Tree, modes: &[Mode], groups: &[Expr]) -> Result<Ordered, Why> {
    let is_cells = |leaf: usize| modes.get(leaf) == Some(&Mode::Cells);
    let Tree { leaves, root, columns } = tree;
    let mut parts = Parts::default();
    parts.take(root, &is_cells)?;
    let of_cells = |expr: &Expr| tree::leaves(expr).into_iter().any(&is_cells);
    for group in groups {
        let leaves = tree::leaves(group);
        if leaves.len() > 1 && leaves.into_iter().any(is_cells) {
            return Err(Why::new("a group key is computed from both sides of the join"));
        }
    }
    let classes = parts.classes();
    let finer = parts.bound(&classes, groups, &of_cells)?;
    let counted = !parts.labels.is_empty();
    let by = groups.iter().filter_map(|group| parts.label_of(group, &classes, &of_cells)).collect();
    let root = parts.joined(&classes, by, &of_cells)?;
    Ok(Ordered { tree: Tree { leaves, root, columns }, counted, finer })
}

impl Parts {
    fn take(&mut self, node: Node, is_cells: &dyn Fn(usize) -> bool) -> Result<(), Why> {
        if !holds(&node, is_cells) {
            self.labels.push(node);
            return Ok(());
        }
        match node {
            Node::Leaf(leaf) => self.cells.push(leaf),
            Node::Filter { input, predicate } => {
                self.take(*input, is_cells)?;
                if tree::leaves(&predicate).into_iter().any(is_cells) {
                    return Err(Why::new(format!("{predicate} compares what leaves as cells only")));
                }
                self.conditions.push(predicate);
            }
            Node::Join { left, right, how } => self.join(*left, *right, how, is_cells)?,
            Node::Counted { .. } => return Err(Why::new("it is counted already")),
        }
        Ok(())
    }

    fn join(&mut self, left: Node, right: Node, how: How, is_cells: &dyn Fn(usize) -> bool) -> Result<(), Why> {
        let How { kind, on, filter, null_equality, null_aware: _ } = how;
        if null_equality != NullEquality::NullEqualsNothing {
            return Err(Why::new("a join in which NULL equals NULL has no cells to be joined"));
        }
        if let Some(filter) = filter {
            if tree::leaves(&filter).into_iter().any(is_cells) {
                return Err(Why::new("cells are joined by equalities alone"));
            }
            if kind != JoinType::Inner {
                return Err(Why::new("an outer join with cells has no other conditions"));
            }
            self.conditions.push(filter);
        }
        match (kind, left, right) {
            (JoinType::Inner, left, right) => {
                self.take(left, is_cells)?;
                self.take(right, is_cells)?;
                self.equal.extend(on);
            }
            (JoinType::Left, left, Node::Leaf(leaf)) if is_cells(leaf) => {
                self.take(left, is_cells)?;
                self.kept.push((leaf, on));
            }
            (JoinType::Right, Node::Leaf(leaf), right) if is_cells(leaf) => {
                self.take(right, is_cells)?;
                self.kept.push((leaf, on.into_iter().map(|(cell, label)| (label, cell)).collect()));
            }
            (kind, ..) => return Err(Why::new(format!("a {kind} join keeps rows for which no cell is released"))),
        }
        Ok(())
    }

    /// What the labels know of a group key.
    fn label_of(&self, group: &Expr, classes: &[Vec<Expr>], of_cells: &dyn Fn(&Expr) -> bool) -> Option<Expr> {
        if !of_cells(group) {
            return Some(group.clone());
        }
        let class = classes.iter().find(|class| class.contains(group));
        let kept = self.kept.iter().flat_map(|(_, on)| on).find(|(_, cell)| cell == group);
        let equal = class.and_then(|class| class.iter().find(|expr| !of_cells(expr)));
        equal.or(kept.map(|(label, _)| label)).cloned()
    }

    /// Expressions that are equal to each other.
    fn classes(&self) -> Vec<Vec<Expr>> {
        let mut classes: Vec<Vec<Expr>> = Vec::new();
        for (one, other) in &self.equal {
            let (mut joined, rest): (Vec<Vec<Expr>>, Vec<Vec<Expr>>) =
                classes.into_iter().partition(|class| class.contains(one) || class.contains(other));
            let mut class: Vec<Expr> = joined.drain(..).flatten().collect();
            for expr in [one, other] {
                if !class.contains(expr) {
                    class.push(expr.clone());
                }
            }
            classes = rest;
            classes.push(class);
        }
        classes
    }

    /// Whether labels or group fix each key of a cell; the leaves of which one is no group key.
    fn bound(
        &self,
        classes: &[Vec<Expr>],
        groups: &[Expr],
        of_cells: &dyn Fn(&Expr) -> bool,
    ) -> Result<BTreeSet<usize>, Why> {
        let mut finer = BTreeSet::new();
        // Each is applied when the later of its two sides joins.
        if self.equal.iter().any(|(one, other)| [one, other].iter().any(|side| tree::leaves(side).len() != 1)) {
            return Err(Why::new("a key is computed from several sides of the join"));
        }
        for class in classes {
            let asked = class.iter().any(|expr| groups.contains(expr));
            let labelled = class.iter().any(|expr| !of_cells(expr));
            if !asked && !labelled {
                return Err(Why::new(
                    "the keys of its cells are neither labels nor asked for, so that absent ones are not seen",
                ));
            }
            if !asked {
                finer.extend(class.iter().filter(|expr| of_cells(expr)).flat_map(tree::leaves));
            }
        }
        for (leaf, on) in &self.kept {
            if on.iter().any(|(label, _)| of_cells(label)) {
                return Err(Why::new("an outer join of cells with cells leaves open which are absent"));
            }
            let used = |expr: &Expr| tree::leaves(expr).contains(leaf);
            if self.equal.iter().any(|(one, other)| used(one) || used(other)) {
                return Err(Why::new("an outer join of cells is joined again"));
            }
            if on.iter().any(|(label, cell)| !groups.contains(label) && !groups.contains(cell)) {
                finer.insert(*leaf);
            }
        }
        let keyed = |leaf: &usize| {
            let used = |expr: &Expr| tree::leaves(expr).contains(leaf);
            self.equal.iter().any(|(one, other)| used(one) || used(other))
        };
        if !self.cells.iter().all(keyed) || self.kept.iter().any(|(_, on)| on.is_empty()) {
            return Err(Why::new("it is joined by no key"));
        }
        Ok(finer)
    }

    fn joined(self, classes: &[Vec<Expr>], by: Vec<Expr>, of_cells: &dyn Fn(&Expr) -> bool) -> Result<Node, Why> {
        let Self { labels, cells, kept, equal, conditions } = self;
        let mut keys: Vec<Expr> = Vec::new();
        for class in classes.iter().filter(|class| class.iter().any(of_cells)) {
            keys.extend(class.iter().filter(|expr| !of_cells(expr)).cloned());
        }
        let mut root = None;
        let mut there: BTreeSet<usize> = BTreeSet::new();
        let mut waiting = labels;
        while !waiting.is_empty() {
            let next = waiting
                .iter()
                .position(|node| root.is_none() || !between(&there, &leaves_of(node), classes, &equal).is_empty());
            let next = next.ok_or_else(|| Why::new("its labels are joined with each other by cells only"))?;
            let node = waiting.remove(next);
            let leaves = leaves_of(&node);
            root = Some(match root {
                Some(root) => inner(root, node, between(&there, &leaves, classes, &equal)),
                None => node,
            });
            there.extend(leaves);
        }
        if let Some(labels) = root.take() {
            // A label without a key has no cell, and none is missing.
            let conditions = conditions.into_iter().chain(keys.into_iter().map(Expr::is_not_null)).collect();
            let input = Box::new(match normal::all(conditions) {
                Some(predicate) => Node::Filter { input: Box::new(labels), predicate },
                None => labels,
            });
            root = Some(Node::Counted { input, by });
        } else if !conditions.is_empty() {
            return Err(Why::new("conditions stand above cells"));
        }
        for leaf in cells {
            let only = BTreeSet::from([leaf]);
            root = Some(match root {
                Some(root) => inner(root, Node::Leaf(leaf), between(&there, &only, classes, &equal)),
                None => Node::Leaf(leaf),
            });
            there.insert(leaf);
        }
        for (leaf, on) in kept {
            let root_of_all = root.take().ok_or_else(|| Why::new("there are no labels"))?;
            let how = How { kind: JoinType::Left, ..equalities(on) };
            root = Some(Node::Join { left: Box::new(root_of_all), right: Box::new(Node::Leaf(leaf)), how });
        }
        root.ok_or_else(|| Why::new("there is nothing to join"))
    }
}

/// The equalities between two sets of leaves: those that are written, and one for each that follows.
fn between(
    one: &BTreeSet<usize>,
    other: &BTreeSet<usize>,
    classes: &[Vec<Expr>],
    equal: &[(Expr, Expr)],
) -> Vec<(Expr, Expr)> {
    let within = |expr: &Expr, leaves: &BTreeSet<usize>| {
        let used = tree::leaves(expr);
        !used.is_empty() && used.is_subset(leaves)
    };
    let mut found: Vec<(Expr, Expr)> = Vec::new();
    for (left, right) in equal {
        if within(left, one) && within(right, other) {
            found.push((left.clone(), right.clone()));
        } else if within(right, one) && within(left, other) {
            found.push((right.clone(), left.clone()));
        }
    }
    for class in classes {
        let left = class.iter().find(|expr| within(expr, one));
        let right = class.iter().find(|expr| within(expr, other));
        if let (Some(left), Some(right)) = (left, right)
            && !found.iter().any(|(one, other)| class.contains(one) && class.contains(other))
        {
            found.push((left.clone(), right.clone()));
        }
    }
    found
}

fn inner(left: Node, right: Node, on: Vec<(Expr, Expr)>) -> Node {
    Node::Join { left: Box::new(left), right: Box::new(right), how: equalities(on) }
}

fn equalities(on: Vec<(Expr, Expr)>) -> How {
    let null_equality = NullEquality::NullEqualsNothing;
    How { kind: JoinType::Inner, on, filter: None, null_equality, null_aware: false }
}

fn leaves_of(node: &Node) -> BTreeSet<usize> {
    match node {
        Node::Leaf(leaf) => BTreeSet::from([*leaf]),
        Node::Filter { input, .. } | Node::Counted { input, .. } => leaves_of(input),
        Node::Join { left, right, .. } => leaves_of(left).union(&leaves_of(right)).copied().collect(),
    }
}

fn holds(node: &Node, is_cells: &dyn Fn(usize) -> bool) -> bool {
    leaves_of(node).into_iter().any(is_cells)
}
