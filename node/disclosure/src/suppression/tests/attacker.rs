//! An attacker who tries every table there could be: all tables of whole numbers over all dimensions that agree with what
//! is published. Each protected cell really takes every value that must remain possible.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

/// Tables that are tried of one world; one of more is left out, and few are.
const MOST_TRIED: u64 = 1_000_000;

struct World {
    labels: Vec<usize>,
    tables: Vec<Table>,
    rows: Vec<Row>,
    k: u64,
}

fn world(seed: u64) -> World {
    let mut random = StdRng::seed_from_u64(seed);
    let labels: Vec<usize> = match random.random_range(0..4) {
        0 => vec![random.random_range(2..6)],
        1 => vec![2, 3],
        2 => vec![3, 3],
        _ => vec![2, 2, 2],
    };
    let mut tables = Vec::new();
    for _ in 0..random.random_range(1..4) {
        let (mut dimensions, mut filter) = (Vec::new(), Vec::new());
        for (dimension, count) in labels.iter().enumerate() {
            match random.random_range(0..8) {
                0..5 => dimensions.push(dimension),
                5..7 => filter.push((dimension, random.random_range(0..*count))),
                _ => {}
            }
        }
        tables.push(table(&dimensions, &filter));
    }
    let rows = (0..random.random_range(0..14)).map(|_| {
        let measures = vec![random.random_range(0..4)];
        // Unevenly, so that some cells are full and many are not.
        let label = |count: &usize, random: &mut StdRng| {
            let (one, other) = (random.random_range(0..*count), random.random_range(0..*count));
            one.min(other)
        };
        Row { labels: labels.iter().map(|count| label(count, &mut random)).collect(), measures }
    });
    let rows = rows.collect();
    World { labels, tables, rows, k: random.random_range(2..4) }
}

/// All tables over all dimensions that agree with what is known.
struct Attack {
    /// By cell of the table over all dimensions: which of the shape's cells it is in.
    within: Vec<Vec<usize>>,
    /// By cell of the shape: what is still to be given out, where it is known.
    left: Vec<Option<u64>>,
    /// By cell of the shape, of the table so far.
    values: Vec<u64>,
    /// The last place that is in a cell of the shape: there what is known must have been given out.
    last: Vec<usize>,
    /// By cell of the shape: the least and the most in any table.
    least: Vec<u64>,
    most: Vec<u64>,
    largest: u64,
    tried: u64,
}

impl Attack {
    fn new(world: &World, shape: &Shape, known: Vec<Option<u64>>, largest: u64) -> Self {
        let mut all: Vec<Vec<usize>> = vec![vec![]];
        for count in &world.labels {
            all = all.iter().flat_map(|at| (0..*count).map(|label| [at.clone(), vec![label]].concat())).collect();
        }
        let cells = shape.cells();
        let within: Vec<Vec<usize>> = all
            .iter()
            .map(|at| (0..cells.len()).filter(|cell| is_in(&row(at), &cells[*cell], shape)).collect())
            .collect();
        let last = (0..cells.len()).map(|cell| within.iter().rposition(|held| held.contains(&cell)).unwrap());
        Self {
            last: last.collect(),
            within,
            left: known,
            values: vec![0; cells.len()],
            least: vec![u64::MAX; cells.len()],
            most: vec![0; cells.len()],
            largest,
            tried: 0,
        }
    }

    /// Gives out units to the cells from this place on, in all ways.
    fn try_from(&mut self, place: usize) {
        self.tried += 1;
        if self.tried > MOST_TRIED {
            return;
        }
        let Some(cells) = self.within.get(place).cloned() else {
            for cell in 0..self.values.len() {
                self.least[cell] = self.least[cell].min(self.values[cell]);
                self.most[cell] = self.most[cell].max(self.values[cell]);
            }
            return;
        };
        let most = cells.iter().filter_map(|cell| self.left[*cell]).min().unwrap_or(self.largest);
        let ends = cells.iter().filter(|cell| self.last[**cell] == place).filter_map(|cell| self.left[*cell]);
        let least = ends.max().unwrap_or(0);
        for units in least..=most {
            self.give(&cells, units, true);
            let over = |cell: &usize| self.last[*cell] != place || self.left[*cell].is_none_or(|left| left == 0);
            if cells.iter().all(over) {
                self.try_from(place + 1);
            }
            self.give(&cells, units, false);
        }
    }

    fn give(&mut self, cells: &[usize], units: u64, out: bool) {
        for cell in cells {
            let (left, value) = (&mut self.left[*cell], &mut self.values[*cell]);
            if out {
                *value += units;
                *left = left.map(|left| left - units);
            } else {
                *value -= units;
                *left = left.map(|left| left + units);
            }
        }
    }
}

/// What an attacker finds who knows `known`; `None` where there are too many tables.
fn attacked(world: &World, shape: &Shape, known: Vec<Option<u64>>) -> Option<(Vec<u64>, Vec<u64>)> {
    // Nothing is to be told of how large a cell is that nothing published bounds.
    let total: i128 = world.rows.iter().map(|row| row.measures.iter().sum::<i128>().max(1)).sum();
    let mut attack = Attack::new(world, shape, known, u64::try_from(total).unwrap() + world.k);
    attack.try_from(0);
    (attack.tried <= MOST_TRIED).then_some((attack.least, attack.most))
}

#[test]
fn every_protected_cell_may_be_anything_from_zero_to_below_the_threshold() {
    let (mut judged, mut protected, mut published, mut secondary) = (0, 0, 0, 0);
    for seed in 0..600 {
        let world = world(seed);
        let shape = Shape::new(&world.labels, 0, &world.tables).unwrap();
        let figures = figures(&shape, &world.rows, 0);
        let pattern = solve(&shape, &figures, &rules(world.k)).unwrap();
        let known = |cell: usize| (!pattern.withheld(cell)).then_some(figures[cell][0].units);
        let known: Vec<Option<u64>> = (0..figures.len()).map(known).collect();
        published += known.iter().flatten().count();
        let Some((least, most)) = attacked(&world, &shape, known.clone()) else { continue };
        judged += 1;
        for cell in 0..figures.len() {
            let units = figures[cell][0].units;
            if units >= world.k {
                secondary += usize::from(pattern.withheld(cell) && shape.published(cell));
                continue;
            }
            protected += 1;
            assert!(
                least[cell] == 0 && most[cell] >= world.k - 1,
                "seed {seed}: {:?} of {units} units is between {} and {}",
                shape.cells()[cell],
                least[cell],
                most[cell]
            );
        }
    }
    assert!(judged > 400, "{judged}");
    assert!(protected > 1_000 && published > 500 && secondary > 200, "{protected} {published} {secondary}");
}

/// The same for whoever is alone in a cell, and knows it.
#[test]
fn nor_does_who_is_alone_in_a_cell_learn_another() {
    let mut judged = 0;
    for seed in 0..300 {
        let world = world(seed);
        let shape = Shape::new(&world.labels, 0, &world.tables).unwrap();
        let cells = shape.cells();
        let figures = figures(&shape, &world.rows, 0);
        let pattern = solve(&shape, &figures, &rules(world.k)).unwrap();
        let outside = |cell: usize| (!pattern.withheld(cell)).then_some(figures[cell][0].units);
        let nothing_else = (0..cells.len()).all(|cell| outside(cell).is_none());
        for insider in (0..cells.len()).filter(|cell| figures[*cell][0].units == 1) {
            let known = (0..cells.len()).map(|cell| if cell == insider { Some(1) } else { outside(cell) }).collect();
            let Some((_, most)) = attacked(&world, &shape, known) else { continue };
            let comparable = |one: usize, other: usize| {
                let (one, other) = (&cells[one], &cells[other]);
                one.iter().zip(other).all(|(a, b)| b.is_none() || a == b)
            };
            for cell in (0..cells.len()).filter(|cell| figures[*cell][0].units < world.k) {
                if nothing_else || comparable(cell, insider) || comparable(insider, cell) {
                    continue;
                }
                judged += 1;
                assert!(most[cell] >= world.k - 1, "seed {seed}: {:?} knows {:?}", cells[insider], cells[cell]);
            }
        }
    }
    assert!(judged > 300, "{judged}");
}

/// The attacker is one: with only the small cells withheld, many are told.
#[test]
fn without_secondary_suppression_small_cells_are_told() {
    let mut told = 0;
    for seed in 0..60 {
        let world = world(seed);
        let shape = Shape::new(&world.labels, 0, &world.tables).unwrap();
        let figures = figures(&shape, &world.rows, 0);
        let units = |cell: usize| figures[cell][0].units;
        let known = (0..figures.len()).map(|c| (shape.published(c) && units(c) >= world.k).then(|| units(c))).collect();
        let Some((least, most)) = attacked(&world, &shape, known) else { continue };
        told += (0..figures.len()).filter(|cell| units(*cell) < world.k && least[*cell] == most[*cell]).count();
    }
    assert!(told > 20, "{told}");
}

/// Sums of a measure that is never negative: nobody comes nearer than half of the largest contribution on either side.
#[test]
fn no_sum_is_told_more_closely_than_the_rule_allows() {
    let (mut judged, mut published) = (0, 0);
    for seed in 1_000..1_300 {
        let mut world = world(seed);
        world.tables.iter_mut().step_by(2).for_each(|table| table.sum = Some(0));
        let shape = Shape::new(&world.labels, 1, &world.tables).unwrap();
        let figures = figures(&shape, &world.rows, 1);
        let rules = Rules { dominance: Dominance { percent: 50.0, largest: None }, ..rules(world.k) };
        let pattern = solve(&shape, &figures, &rules).unwrap();
        let sum = |cell: usize| u64::try_from(figures[cell][1].sum).unwrap();
        let known = |cell: usize| (shape.sums(cell, 0) && !pattern.withheld(cell)).then(|| sum(cell));
        let known: Vec<Option<u64>> = (0..figures.len()).map(known).collect();
        published += known.iter().flatten().count();
        let Some((least, most)) = attacked(&world, &shape, known) else { continue };
        for cell in (0..figures.len()).filter(|cell| shape.sums(*cell, 0)) {
            let figure = &figures[cell][1];
            let sensitive = figure.units < world.k || rules.dominance.holds(figure.absolute, &figure.largest);
            if !sensitive {
                continue;
            }
            judged += 1;
            let first = u64::try_from(figure.largest.first().copied().unwrap_or_default()).unwrap();
            let room = first.div_ceil(2);
            assert!(pattern.withheld(cell), "seed {seed}: {:?} is published", shape.cells()[cell]);
            assert!(
                least[cell] + room <= sum(cell) && most[cell] >= sum(cell) + room,
                "seed {seed}: {:?}, which is {}, is between {} and {}",
                shape.cells()[cell],
                sum(cell),
                least[cell],
                most[cell]
            );
        }
    }
    assert!(judged > 300 && published > 100, "{judged} {published}");
}
