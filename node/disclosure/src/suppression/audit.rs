//! The audit: a witness for everything that must remain possible, to outsiders and to whoever is alone in a cell; where
//! there is none, more is withheld.

use std::collections::BTreeMap;

use super::SuppressionError;
use super::layer::Layer;
use super::linear::Question;
use super::shape::{Predicate, Shape};
use super::witness::{Target, Witness};

/// Withholds cells until a layer's protected cells are. What other layers add later changes nothing in that: a witness is
/// one still when more is withheld.
pub(super) fn protect(shape: &Shape, layer: &Layer, withheld: &mut [bool]) -> Result<(), SuppressionError> {
    let targets: Vec<Target> =
        layer.held().flat_map(|cell| layer.needs(cell).map(move |change| Target { cell, change })).collect();
    let singles: Vec<usize> = layer.held().filter(|cell| layer.single(*cell)).collect();
    let mut audit = Audit { shape, layer, withheld, witnesses: Vec::new(), changing: BTreeMap::new() };
    targets.into_iter().try_for_each(|target| audit.target(target, &singles))
}

struct Audit<'a> {
    shape: &'a Shape,
    layer: &'a Layer,
    withheld: &'a mut [bool],
    witnesses: Vec<Witness>,
    /// By cell: the witnesses that change it.
    changing: BTreeMap<usize, Vec<usize>>,
}

/// What is withheld for a target that nothing reaches, from little to all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum More {
    Cheapest,
    Around,
    All,
}

impl Audit<'_> {
    /// Sees to one target, for outsiders and for every cell that one unit knows.
    fn target(&mut self, target: Target, singles: &[usize]) -> Result<(), SuppressionError> {
        let insiders = singles.iter().copied().filter(|single| !self.comparable(*single, target.cell));
        let mut open: Vec<usize> = insiders.collect();
        loop {
            let reached = self.reaching(target).next().is_some();
            let before = open.len();
            if reached {
                open.retain(|insider| !self.covered(target, *insider));
            }
            match open.first().copied() {
                None if reached => return Ok(()),
                None => self.sure(target, &[])?,
                // One table may do for all of them, or for some.
                Some(_) if !reached || open.len() < before => {
                    if !self.search(target, &[], &open) {
                        self.widen(target, &[])?;
                    }
                }
                Some(insider) => {
                    self.sure(target, &[insider])?;
                    open.retain(|other| *other != insider);
                }
            }
        }
    }

    /// Finds a witness for somebody who knows these cells, or withholds more.
    fn sure(&mut self, target: Target, pinned: &[usize]) -> Result<(), SuppressionError> {
        if self.search(target, pinned, &[]) { Ok(()) } else { self.widen(target, pinned) }
    }

    /// The witnesses that reach a target.
    fn reaching(&self, target: Target) -> impl Iterator<Item = &Witness> {
        let changing = self.changing.get(&target.cell).map_or(&[][..], Vec::as_slice);
        changing.iter().filter_map(|at| self.witnesses.get(*at)).filter(move |witness| witness.reaches(target))
    }

    /// Whether a witness that leaves an insider's cell as it is reaches the target.
    fn covered(&self, target: Target, insider: usize) -> bool {
        self.reaching(target).any(|witness| witness.change(insider) == 0)
    }

    /// Somebody whose cell holds the target, or is part of it, knows of it by being there.
    fn comparable(&self, one: usize, other: usize) -> bool {
        let cells = self.shape.cells();
        let (Some(one), Some(other)) = (cells.get(one), cells.get(other)) else { return true };
        within(one, other) || within(other, one)
    }

    fn search(&mut self, target: Target, pinned: &[usize], spared: &[usize]) -> bool {
        let question = Question { layer: self.layer, withheld: self.withheld, target, pinned, spared };
        let found = question.witness().filter(|witness| witness.agrees(self.layer, self.withheld));
        let Some(witness) = found else { return false };
        for cell in witness.changed() {
            self.changing.entry(cell).or_default().push(self.witnesses.len());
        }
        self.witnesses.push(witness);
        true
    }

    /// Withholds more until the target is reached.
    fn widen(&mut self, target: Target, pinned: &[usize]) -> Result<(), SuppressionError> {
        for more in [More::Cheapest, More::Around, More::All] {
            let question = Question { layer: self.layer, withheld: self.withheld, target, pinned, spared: &[] };
            let cells = match more {
                More::Cheapest => question.cheapest(),
                More::Around => self.around(target.cell),
                More::All => self.layer.held().collect(),
            };
            for cell in cells {
                if let Some(withheld) = self.withheld.get_mut(cell) {
                    *withheld = true;
                }
            }
            if self.search(target, pinned, &[]) {
                return Ok(());
            }
        }
        // With nothing published, what an insider can tell is by being there.
        if pinned.is_empty() { Err(SuppressionError::Unprotected) } else { Ok(()) }
    }

    fn around(&self, cell: usize) -> Vec<usize> {
        let relations = self.layer.touching(cell);
        relations.flat_map(|relation| relation.cells()).collect()
    }
}

/// Whether all rows of one cell are rows of another.
fn within(cell: &Predicate, of: &Predicate) -> bool {
    cell.iter().zip(of).all(|(label, of)| of.is_none() || label == of)
}
