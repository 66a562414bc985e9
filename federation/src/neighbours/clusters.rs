//! Which relations of a chain of joins are joined with one another first, and in which order the rest is.

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::utils::split_conjunction;

use super::{Chain, Relation, home};
use crate::lower;
use crate::rules::whole::PASS;

/// Roughly how many rows there are, where they are foreign, and which share of them conditions let pass.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    rows: f64,
    share: f64,
}

/// What is joined with one another first: neighbours, then with them what of this node's own rows chooses among theirs.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) neighbours: Vec<usize>,
    /// Each of those that equalities connect; these may have no more than the neighbours in common.
    pub(super) own: Vec<Vec<usize>>,
    size: Size,
}

impl Cluster {
    pub(super) fn is_narrowed(&self) -> bool {
        !self.own.is_empty()
    }

    pub(super) fn all(&self) -> Vec<usize> {
        let mut all = [self.neighbours.as_slice(), self.own.concat().as_slice()].concat();
        all.sort_unstable();
        all
    }
}

impl Chain {
    fn are_connected(&self, some: &[usize], others: &[usize]) -> bool {
        some.iter().any(|one| others.iter().any(|other| self.are_joined(*one, *other)))
    }

    fn size(&self, of: &[usize]) -> Size {
        of.iter().filter_map(|at| self.relations.get(*at)).fold(Size { rows: 0.0, share: 1.0 }, |all, relation| Size {
            rows: all.rows + relation.size.rows,
            share: all.share * relation.size.share,
        })
    }

    /// What is joined first, each by itself. Rows of this node's own that a condition chooses from go with the smallest of the
    /// neighbours with which an equality connects them, if others are left to be told of that choice.
    pub(super) fn clusters(&self) -> Vec<Cluster> {
        let is_own = |group: &[usize]| group.iter().all(|at| self.relations.get(*at).is_some_and(|r| r.own));
        let (own, groups): (Vec<Vec<usize>>, Vec<Vec<usize>>) =
            self.groups().into_iter().partition(|group| is_own(group));
        let mut clusters: Vec<Cluster> = groups
            .into_iter()
            .map(|neighbours| Cluster { size: self.size(&neighbours), neighbours, own: Vec::new() })
            .collect();
        let mut others = Vec::new();
        for own in self.components(own) {
            let size = self.size(&own);
            let near = clusters.iter_mut().filter(|cluster| self.are_connected(&cluster.neighbours, &own));
            let least = near.min_by(|one, other| one.size.rows.total_cmp(&other.size.rows));
            match least {
                Some(cluster) if self.may_tell && size.share < 1.0 => {
                    cluster.size.share *= size.share;
                    cluster.own.push(own);
                }
                _ => others.extend(own),
            }
        }
        let apart =
            others.into_iter().map(|at| Cluster { size: self.size(&[at]), neighbours: vec![at], own: Vec::new() });
        let foreign = clusters.len();
        clusters.extend(apart);
        if foreign < 2 {
            // There is nobody to tell.
            clusters = clusters.into_iter().flat_map(|cluster| self.taken_apart(cluster)).collect();
        }
        clusters.sort_by_key(|cluster| cluster.neighbours.first().copied());
        self.in_order(clusters)
    }

    fn taken_apart(&self, Cluster { neighbours, own, size: _ }: Cluster) -> Vec<Cluster> {
        let single = own.into_iter().flatten().map(|at| vec![at]);
        let all = std::iter::once(neighbours).chain(single);
        all.map(|neighbours| Cluster { size: self.size(&neighbours), neighbours, own: Vec::new() }).collect()
    }

    /// Those that equalities connect, together.
    fn components(&self, single: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
        let mut components: Vec<Vec<usize>> = Vec::new();
        for mut one in single {
            let (near, rest) = components.into_iter().partition(|other| self.are_connected(&one, other));
            components = rest;
            let near: Vec<Vec<usize>> = near;
            one.extend(near.into_iter().flatten());
            one.sort_unstable();
            components.push(one);
        }
        components
    }

    /// Where own rows narrow what others have: first what chooses most of what is joined with the largest, which is asked with
    /// its keys, then the largest, and what is narrowed before what is not.
    fn in_order(&self, mut clusters: Vec<Cluster>) -> Vec<Cluster> {
        if !clusters.iter().any(Cluster::is_narrowed) {
            return clusters;
        }
        let rows = |cluster: &Cluster| cluster.size.rows;
        let largest = (0..clusters.len())
            .max_by(|one, other| {
                let rows = |at: usize| clusters.get(at).map_or(0.0, rows);
                rows(*one).total_cmp(&rows(*other)).then(other.cmp(one))
            })
            .unwrap_or_default();
        let largest = clusters.remove(largest);
        let of_largest = largest.all();
        clusters.sort_by(|one, other| {
            let by =
                |cluster: &Cluster| (cluster.size.share, if cluster.size.share < 1.0 { rows(cluster) } else { 0.0 });
            let ((share, rows), (of_other, others)) = (by(one), by(other));
            share.total_cmp(&of_other).then(rows.total_cmp(&others))
        });
        let chooses = |cluster: &Cluster| cluster.size.share < 1.0 && self.are_connected(&cluster.all(), &of_largest);
        match clusters.iter().position(chooses) {
            Some(first) => {
                let first = clusters.remove(first);
                clusters.splice(0..0, [first, largest]);
            }
            None => clusters.insert(0, largest),
        }
        clusters
    }
}

impl Relation {
    pub(super) fn of(plan: LogicalPlan) -> Option<Self> {
        let (mut foreign, mut tables, mut rows, mut filters, mut pushed) = (0, 0, 0.0, 0, 0);
        let walked = plan.apply_with_subqueries(|node| {
            match node {
                LogicalPlan::TableScan(scan) => {
                    tables += 1;
                    pushed += scan.filters.len();
                    if let Some(table) = lower::foreign(scan) {
                        foreign += 1;
                        rows += table.rows();
                    }
                }
                LogicalPlan::Filter(filter) => filters += split_conjunction(&filter.predicate).len(),
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        });
        walked.ok()?;
        // What a scan does of a filter may stand above it as well.
        let share = PASS.powi(i32::try_from(filters.max(pushed)).unwrap_or(i32::MAX));
        let own = tables > 0 && foreign == 0;
        Some(Self { home: home(&plan), plan, own, size: Size { rows: rows * share, share } })
    }
}
