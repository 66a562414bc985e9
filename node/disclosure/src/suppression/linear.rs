//! The linear programs of the audit, over changes of cells: those that are withheld may change so that all relations hold.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::layer::{Layer, REACH};
use super::simplex::Program;
use super::witness::{Target, Witness, known};

/// Changes below this are none, in steps.
const NOTHING: f64 = 1e-6;
/// What a step of a cell costs that costs nothing otherwise.
const SMALL: f64 = 0.01;
/// What the target gains by a step, beside which costs are small.
const GAIN: f64 = 1e5;

/// Where the search for a witness begins.
const NEAR: Near = Near { cells: 100, of_relation: 8 };
/// Where the search for what to withhold begins, and where it goes on.
const AROUND: Near = Near { cells: 120, of_relation: 8 };
const FURTHER: Near = Near { cells: 250, of_relation: 16 };

/// How far a search goes.
#[derive(Clone, Copy)]
struct Near {
    cells: usize,
    of_relation: usize,
}

/// What is asked of a layer.
#[derive(Clone, Copy)]
pub(super) struct Question<'a> {
    pub(super) layer: &'a Layer,
    pub(super) withheld: &'a [bool],
    /// The cell that must be able to change.
    pub(super) target: Target,
    /// Cells that somebody knows who is their only unit.
    pub(super) pinned: &'a [usize],
    /// Cells that should rather not change.
    pub(super) spared: &'a [usize],
}

impl Question<'_> {
    /// Another table that agrees with all that is known, in which the target has changed: looked for first among few
    /// cells around it, then among all that are connected with it.
    pub(super) fn witness(&self) -> Option<Witness> {
        let spare = |cell: usize| !self.fixed(cell) && !self.spared.contains(&cell);
        let free = |cell: usize| !self.fixed(cell);
        let spared = |cell: usize| f64::from(u8::from(self.spared.contains(&cell)));
        let near = self.whole(&self.connected(spare, Some(NEAR)), &[&|_| 0.0, &|_| SMALL]);
        let near = near.or_else(|| {
            let (cells, cost) = (self.connected(free, Some(NEAR)), |cell: usize| spared(cell) + SMALL);
            if self.spared.is_empty() { None } else { self.whole(&cells, &[&cost]) }
        });
        near.or_else(|| self.whole(&self.connected(free, None), &[&spared, &|cell| spared(cell) + SMALL]))
    }

    /// The published cells that must be withheld so that the target can change, at the least cost: among some cells around
    /// it, or among all.
    pub(super) fn cheapest(&self) -> Vec<usize> {
        let free = |cell: usize| !self.pinned.contains(&cell);
        let is_known = |cell: usize| known(self.layer, self.withheld, cell);
        let cost = |cell: usize| if is_known(cell) { cost(self.layer, cell) } else { SMALL };
        let steps = [Some(AROUND), Some(FURTHER), None];
        let found = steps.into_iter().find_map(|near| self.whole(&self.connected(free, near), &[&cost]));
        found.map_or_else(Vec::new, |witness| witness.changed().filter(|cell| is_known(*cell)).collect())
    }

    /// Changes of these cells that are whole, at the first costs at which they are, checked exactly. What costs a little
    /// everywhere is a change of few cells, and such are mostly whole.
    fn whole(&self, cells: &BTreeSet<usize>, costs: &[&dyn Fn(usize) -> f64]) -> Option<Witness> {
        for cost in costs {
            // What is not possible at one cost is not at another.
            let changes = self.changes(cells, cost)?;
            #[expect(clippy::cast_possible_truncation, reason = "changes are within reach")]
            let rounded = |(cell, change): (usize, f64)| (cell, change.round() as i64);
            let witness = Witness::checked(self.layer, changes.into_iter().map(rounded).collect());
            if let Some(witness) = witness.filter(|witness| witness.reaches(self.target)) {
                return Some(witness);
            }
        }
        None
    }

    /// Whether a cell can't change.
    fn fixed(&self, cell: usize) -> bool {
        known(self.layer, self.withheld, cell) || self.pinned.contains(&cell)
    }

    /// The target's cell and those that are connected with it by relations among cells that may change. As far as `near`
    /// says, of each relation those that are withheld, with the most room first, then those that cost the least. Cells that
    /// are alone in a relation can't change and are left out.
    fn connected(&self, changes: impl Fn(usize) -> bool, near: Option<Near>) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut open = VecDeque::from([self.target.cell]);
        let most = near.map_or(usize::MAX, |near| near.cells);
        while let Some(cell) = open.pop_front() {
            if found.len() >= most || !changes(cell) || !found.insert(cell) {
                continue;
            }
            for relation in self.layer.touching(cell) {
                let mut next: Vec<usize> =
                    relation.cells().filter(|cell| !found.contains(cell) && changes(*cell)).collect();
                if let Some(near) = near {
                    next.sort_by_key(|cell| self.rank(*cell));
                    next.truncate(near.of_relation);
                }
                open.extend(next);
            }
        }
        self.pruned(found)
    }

    fn pruned(&self, mut cells: BTreeSet<usize>) -> BTreeSet<usize> {
        loop {
            let alone = |cell: &usize| {
                self.layer
                    .touching(*cell)
                    .any(|relation| relation.cells().filter(|cell| cells.contains(cell)).count() == 1)
            };
            let stuck: Vec<usize> = cells.iter().copied().filter(alone).collect();
            if stuck.is_empty() {
                return cells;
            }
            for cell in stuck {
                cells.remove(&cell);
            }
        }
    }

    fn rank(&self, cell: usize) -> (bool, bool, i64, usize) {
        let value = self.layer.value(cell);
        if known(self.layer, self.withheld, cell) {
            (true, value < self.target.change.abs(), value, cell)
        } else {
            (false, false, -value, cell)
        }
    }

    /// Changes of these cells with which all relations hold and the target has changed as far as it must, at the least
    /// cost; `None` where there are none.
    fn changes(&self, cells: &BTreeSet<usize>, cost: impl Fn(usize) -> f64) -> Option<BTreeMap<usize, f64>> {
        if !cells.contains(&self.target.cell) {
            return None;
        }
        let mut program = Program::default();
        // By cell the variables that add up to its change, with their signs.
        let mut variables: BTreeMap<usize, Vec<(usize, f64)>> = BTreeMap::new();
        let mut costly = false;
        for cell in cells {
            let (down, up) = self.layer.room(*cell);
            let (low, high, cost) = (-steps(down), steps(up), cost(*cell));
            let wanted = steps(self.target.change);
            let own = if *cell == self.target.cell && wanted > 0.0 {
                vec![(program.variable(0.0, wanted, GAIN), 1.0)]
            } else if *cell == self.target.cell {
                vec![(program.variable(wanted, 0.0, -GAIN), 1.0)]
            } else if cost > 0.0 {
                costly = true;
                vec![(program.variable(0.0, high, -cost), 1.0), (program.variable(0.0, -low, -cost), -1.0)]
            } else {
                vec![(program.variable(low, high, 0.0), 1.0)]
            };
            variables.insert(*cell, own);
        }
        let relations: BTreeSet<usize> = cells.iter().flat_map(|cell| self.layer.places(*cell)).copied().collect();
        for relation in relations.into_iter().filter_map(|place| self.layer.relations.get(place)) {
            let whole = variables.get(&relation.whole).into_iter().flatten().map(|(at, sign)| (*at, -sign));
            let parts = relation.parts.iter().filter_map(|part| variables.get(part)).flatten().copied();
            program.row(parts.chain(whole).collect());
        }
        let target = variables.get(&self.target.cell).and_then(|own| own.first()).map(|(at, _)| *at);
        let values = program.maximise(if costly { None } else { target })?;
        let value = |(at, sign): &(usize, f64)| values.get(*at).copied().unwrap_or_default() * sign;
        let changes: BTreeMap<usize, f64> =
            variables.iter().map(|(cell, own)| (*cell, own.iter().map(value).sum())).collect();
        let reached = changes.get(&self.target.cell).copied().unwrap_or_default();
        ((reached - steps(self.target.change)).abs() <= NOTHING).then_some(changes)
    }
}

#[expect(clippy::cast_precision_loss, reason = "within reach")]
fn steps(change: i64) -> f64 {
    change.clamp(-REACH, REACH) as f64
}

/// What it costs to withhold a cell, by its size: large cells and margins say more. Of cells that cost the same the
/// earlier goes first, so that there is one answer.
#[expect(clippy::cast_precision_loss, reason = "costs are compared roughly")]
fn cost(layer: &Layer, cell: usize) -> f64 {
    1.0 + (1.0 + layer.value(cell).unsigned_abs() as f64).ln() + cell as f64 * 1e-7
}
