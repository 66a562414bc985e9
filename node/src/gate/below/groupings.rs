//! By what a release is grouped: one grouping or several, and the declared labels of which each has a row.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, GroupingSet};

use super::constants::constant;
use super::{Below, Domains, Kind};
use crate::gate::Refused;
use crate::gate::facts::Decision;

/// Most rows that declared labels may complete an answer to.
const MOST_COMPLETED: usize = 10_000;
/// Most groupings of one release.
const MOST_GROUPINGS: usize = 64;

/// The keys of an aggregate, and which of them each grouping groups by.
pub(super) struct Groupings<'a> {
    pub(super) keys: Vec<&'a Expr>,
    /// Coarsest first; each in the order of `keys`.
    pub(super) sets: Vec<Vec<usize>>,
    /// Whether SQL asks for several, so that the answer has a column for their numbers.
    pub(super) numbered: bool,
}

impl Groupings<'_> {
    /// A grouping's number as DataFusion makes it: a bit for each key, set where it is NULL, the last key lowest.
    pub(super) fn number(&self, set: &[usize]) -> u64 {
        (0..self.keys.len()).fold(0, |number, key| number << 1 | u64::from(!set.contains(&key)))
    }
}

impl Below {
    pub(super) fn groupings<'a>(&self, keys: &'a [Expr]) -> Result<Groupings<'a>, Refused> {
        let [Expr::GroupingSet(grouping)] = keys else {
            let keys: Vec<&Expr> = keys.iter().collect();
            return Ok(Groupings { sets: vec![(0..keys.len()).collect()], keys, numbered: false });
        };
        let keys = grouping.distinct_expr();
        let position = |expr: &Expr| keys.iter().position(|key| *key == expr);
        let positions = |exprs: &[Expr]| {
            let mut set: Vec<usize> = exprs.iter().filter_map(position).collect();
            set.sort_unstable();
            set.dedup();
            set
        };
        let mut sets: Vec<Vec<usize>> = match grouping {
            GroupingSet::Rollup(exprs) => {
                (0..=exprs.len()).map(|n| positions(exprs.get(..n).unwrap_or(exprs))).collect()
            }
            GroupingSet::Cube(exprs) => powerset(&positions(exprs)),
            GroupingSet::GroupingSets(sets) => sets.iter().map(|exprs| positions(exprs)).collect(),
        };
        sets.sort_by_key(|set| (set.len(), set.clone()));
        let all = sets.len();
        sets.dedup();
        if sets.len() != all {
            return Err(self.leaf.expression("the same grouping twice", None));
        }
        if sets.len() > MOST_GROUPINGS {
            return Err(self.leaf.expression(&format!("more than {MOST_GROUPINGS} groupings"), None));
        }
        Ok(Groupings { keys, sets, numbered: true })
    }

    /// All values of each key of a grouping, where all are declared and not too many together.
    pub(super) fn completion(&self, keys: &[&Expr]) -> Option<Vec<Vec<ScalarValue>>> {
        let domains: Vec<Vec<ScalarValue>> = keys.iter().map(|key| self.domain(key)).collect::<Option<_>>()?;
        let rows = domains.iter().try_fold(1_usize, |rows, domain| rows.checked_mul(domain.len()))?;
        (!domains.is_empty() && rows <= MOST_COMPLETED).then_some(domains)
    }

    fn domain(&self, key: &Expr) -> Option<Vec<ScalarValue>> {
        let column = match key {
            Expr::Column(column) => column,
            Expr::Alias(alias) => return self.domain(&alias.expr),
            _ => return None,
        };
        self.declared(column).map(|(_, values)| values)
    }

    /// The declared values of a published column, less those that conditions have ruled out.
    pub(super) fn declared(&self, column: &Column) -> Option<((String, String), Vec<ScalarValue>)> {
        let origin = self.origin_of(column).ok()?;
        if !origin.bare || !matches!(origin.kind, Kind::Label { .. }) {
            return None;
        }
        let name = (origin.leaf.name.clone(), origin.name.clone());
        let all = origin.leaf.column(&origin.name)?.domain.as_ref()?;
        let values = self.domains.get(&name).unwrap_or(all).clone();
        Some((name, values))
    }

    /// The domains after a condition: a value for which one of its parts can't hold is out.
    pub(super) fn narrowed(&self, predicate: &Expr, decision: &Decision) -> Domains {
        let mut domains = self.domains.clone();
        for part in split_conjunction(predicate) {
            let columns: Vec<Column> = part.column_refs().into_iter().cloned().collect();
            let [column] = columns.as_slice() else { continue };
            let Some((name, values)) = self.declared(column) else { continue };
            let holds = |value: &ScalarValue| possible(part, column, value, decision);
            let left = domains.get(&name).unwrap_or(&values).iter().filter(|value| holds(value)).cloned().collect();
            domains.insert(name, left);
        }
        domains
    }
}

/// Whether a condition over one column may hold for a value of it.
fn possible(condition: &Expr, column: &Column, value: &ScalarValue, decision: &Decision) -> bool {
    decided(condition, column, value, decision).is_none_or(|known| known == ScalarValue::Boolean(Some(true)))
}

/// What a condition over one column is for a value of it, if that is known without any row.
pub(super) fn decided(
    condition: &Expr,
    column: &Column,
    value: &ScalarValue,
    decision: &Decision,
) -> Option<ScalarValue> {
    let with = condition.clone().transform_up(|expr| match &expr {
        Expr::Column(found) if found == column => Ok(Transformed::yes(Expr::Literal(value.clone(), None))),
        _ => Ok(Transformed::no(expr)),
    });
    with.ok().and_then(|with| constant(&with.data, decision.now).ok().flatten())
}

fn powerset(keys: &[usize]) -> Vec<Vec<usize>> {
    let mut sets = vec![Vec::new()];
    for key in keys {
        if sets.len() > MOST_GROUPINGS {
            break;
        }
        let with: Vec<Vec<usize>> = sets.iter().map(|set| [set.as_slice(), &[*key]].concat()).collect();
        sets.extend(with);
    }
    sets
}
