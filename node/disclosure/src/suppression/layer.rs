//! One figure of all cells, the count or the sums of one measure: whole numbers that add up, and how far each of them is
//! to be protected.

use super::SuppressionError;
use super::shape::{Relation, Shape};
use crate::dominance::Dominance;

/// Steps in which a layer's largest need is counted: sums are audited in steps of their own, so that they are small whole
/// numbers.
const STEPS: i128 = 1_000_000;
/// The audit looks no further than this from the true value, in steps.
pub(super) const REACH: i64 = 100_000_000;

/// One figure of a cell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figure {
    /// Units that contribute.
    pub units: u64,
    /// The sum of contributions, in fixed point; rows where rows are counted.
    pub sum: i128,
    /// The sum of absolute contributions.
    pub absolute: i128,
    /// The largest absolute contributions, in descending order.
    pub largest: Vec<i128>,
}

/// What cells are to be protected from.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Cells of fewer units are withheld; at least 2.
    pub threshold: u64,
    /// When few units make too much of a sum.
    pub dominance: Dominance,
    /// Whether each unit has one row, so that rows are units.
    pub single: bool,
    /// Of each measure the lowest and highest contribution, in fixed point.
    pub bounds: Vec<(i128, i128)>,
}

/// One figure of all cells.
#[derive(Debug)]
pub(super) struct Layer {
    /// By cell; `None` where the layer does not have it.
    cells: Vec<Option<Cell>>,
    pub(super) relations: Vec<Relation>,
    /// By cell: the relations that it is in.
    touching: Vec<Vec<usize>>,
    /// Whether no cell is negative, and everybody knows.
    nonnegative: bool,
}

/// A cell of a layer, in the layer's steps.
#[derive(Debug, Clone, Default)]
struct Cell {
    value: i64,
    published: bool,
    primary: bool,
    /// One unit makes all of it.
    single: bool,
    up: i64,
    down: i64,
}

/// The layers of a shape.
pub(super) fn layers(shape: &Shape, figures: &[Vec<Figure>], rules: &Rules) -> Result<Vec<Layer>, SuppressionError> {
    if figures.len() != shape.cells().len() {
        return Err(SuppressionError::Figures);
    }
    (0..shape.layers()).map(|layer| Layer::new(shape, figures, rules, layer)).collect()
}

impl Layer {
    fn new(shape: &Shape, figures: &[Vec<Figure>], rules: &Rules, layer: usize) -> Result<Self, SuppressionError> {
        let held = |cell: usize| shape.in_layer(layer, cell).map(|published| (cell, published));
        let mut protected = Vec::new();
        for (cell, published) in (0..figures.len()).filter_map(held) {
            let figure = figures.get(cell).and_then(|figures| figures.get(layer)).ok_or(SuppressionError::Figures)?;
            protected.push((cell, published, figure));
        }
        let typical = typical(protected.iter().map(|(.., figure)| *figure));
        let bounds = layer.checked_sub(1).and_then(|measure| rules.bounds.get(measure).copied());
        let needs: Vec<Need> = protected.iter().map(|(.., figure)| Need::of(figure, rules, bounds, typical)).collect();
        let most = needs.iter().map(|need| need.up.max(need.down)).max().unwrap_or_default();
        let step = if layer == 0 { 1 } else { (most / STEPS).max(1) };
        let nonnegative = bounds.is_none_or(|(low, _)| low >= 0);
        let mut cells = vec![None; figures.len()];
        for ((cell, published, figure), need) in protected.iter().zip(&needs) {
            if let Some(slot) = cells.get_mut(*cell) {
                *slot = Some(need.cell(figure, *published, step, nonnegative));
            }
        }
        let relations = shape.relations(layer).to_vec();
        let mut touching: Vec<Vec<usize>> = vec![Vec::new(); figures.len()];
        for (at, relation) in relations.iter().enumerate() {
            check(relation, figures, layer)?;
            for cell in relation.cells() {
                if let Some(touching) = touching.get_mut(cell) {
                    touching.push(at);
                }
            }
        }
        Ok(Self { cells, relations, touching, nonnegative })
    }

    fn cell(&self, cell: usize) -> Option<&Cell> {
        self.cells.get(cell).and_then(Option::as_ref)
    }

    /// The layer's cells.
    pub(super) fn held(&self) -> impl Iterator<Item = usize> + '_ {
        self.cells.iter().enumerate().filter_map(|(at, cell)| cell.as_ref().map(|_| at))
    }

    /// The places of the relations that a cell is in.
    pub(super) fn places(&self, cell: usize) -> &[usize] {
        self.touching.get(cell).map_or(&[], Vec::as_slice)
    }

    /// The relations that a cell is in.
    pub(super) fn touching(&self, cell: usize) -> impl Iterator<Item = &Relation> {
        self.places(cell).iter().filter_map(|place| self.relations.get(*place))
    }

    /// Whether a cell is withheld for what it is.
    pub(super) fn primary(&self, cell: usize) -> bool {
        self.cell(cell).is_some_and(|cell| cell.primary)
    }

    /// Whether a cell's figure is one unit's alone.
    pub(super) fn single(&self, cell: usize) -> bool {
        self.cell(cell).is_some_and(|cell| cell.single)
    }

    /// Whether an outsider sees the figure, as long as it isn't withheld.
    pub(super) fn published(&self, cell: usize) -> bool {
        self.cell(cell).is_some_and(|cell| cell.published)
    }

    /// The true value, in steps.
    pub(super) fn value(&self, cell: usize) -> i64 {
        self.cell(cell).map_or(0, |cell| cell.value)
    }

    /// How far from the true value a cell may be for all that is known of it alone: how far down, and up.
    pub(super) fn room(&self, cell: usize) -> (i64, i64) {
        (if self.nonnegative { self.value(cell).min(REACH) } else { REACH }, REACH)
    }

    /// The changes of a cell that must remain possible, each one or more steps up or down.
    pub(super) fn needs(&self, cell: usize) -> impl Iterator<Item = i64> {
        let cell = self.cell(cell).filter(|cell| cell.primary);
        let (up, down) = cell.map_or((0, 0), |cell| (cell.up, cell.down));
        [up, -down].into_iter().filter(|change| *change != 0)
    }
}

/// How far a cell is to be protected, in fixed point.
struct Need {
    primary: bool,
    up: i128,
    down: i128,
}

impl Need {
    /// A count of fewer units than k may be anything from 0 to k - 1. A sum has p% of its largest contribution on both
    /// sides, and one of few units has room for a typical contribution more, on the sides to which contributions go.
    fn of(figure: &Figure, rules: &Rules, bounds: Option<(i128, i128)>, typical: i128) -> Self {
        let few = figure.units < rules.threshold;
        let threshold = i128::from(rules.threshold);
        let first = figure.largest.first().copied().unwrap_or_default();
        let share = percent(first, rules.dominance.percent);
        match bounds {
            None if rules.single => {
                Self { primary: few, up: (threshold - 1 - figure.sum).max(0), down: figure.sum.max(0) }
            }
            None if few => Self { primary: true, up: (threshold - 1 - figure.sum).max(share), down: figure.sum.max(0) },
            None => {
                let primary = rules.dominance.holds(figure.absolute, &figure.largest);
                Self { primary, up: share, down: share.min(figure.sum) }
            }
            Some((low, high)) => {
                let typical = if few { typical } else { 0 };
                let up = if high > 0 { share.max(typical) } else { share.min(figure.sum.saturating_neg().max(0)) };
                let down = if low < 0 { share.max(typical) } else { share.min(figure.sum.max(0)) };
                let primary = few || rules.dominance.holds(figure.absolute, &figure.largest);
                Self { primary, up, down }
            }
        }
    }

    fn cell(&self, figure: &Figure, published: bool, step: i128, nonnegative: bool) -> Cell {
        let steps =
            |need: i128| i64::try_from(need / step + i128::from(need % step != 0)).unwrap_or(i64::MAX).min(REACH);
        let value = i64::try_from(figure.sum / step).unwrap_or(if figure.sum < 0 { i64::MIN } else { i64::MAX });
        let down = steps(self.down);
        Cell {
            value,
            published,
            primary: self.primary,
            single: figure.units == 1,
            up: steps(self.up),
            down: if nonnegative { down.min(value) } else { down },
        }
    }
}

/// The average absolute contribution of a unit to the largest cell: what is typical.
fn typical<'a>(figures: impl Iterator<Item = &'a Figure>) -> i128 {
    let all = figures.max_by_key(|figure| figure.units);
    all.filter(|all| all.units > 0).map_or(0, |all| all.absolute / i128::from(all.units))
}

fn percent(value: i128, percent: f64) -> i128 {
    // In hundredths of a per cent, upwards.
    #[expect(clippy::cast_possible_truncation, reason = "per cent are 100 at most")]
    let share = (percent * 100.0).ceil() as i128;
    value.saturating_mul(share) / 10_000 + i128::from(value > 0 && share > 0)
}

/// What is wrong here would be taken for protection.
fn check(relation: &Relation, figures: &[Vec<Figure>], layer: usize) -> Result<(), SuppressionError> {
    let sum = |cell: usize| figures.get(cell).and_then(|figures| figures.get(layer)).map(|figure| figure.sum);
    let parts = relation.parts.iter().try_fold(0_i128, |all, part| sum(*part).and_then(|sum| all.checked_add(sum)));
    if parts.is_some() && parts == sum(relation.whole) { Ok(()) } else { Err(SuppressionError::Figures) }
}
