//! The cells of all declared tables of a dataset, and how they add up.

use std::collections::{BTreeMap, BTreeSet};

use super::{MOST_CELLS, SuppressionError};

/// Which rows a cell is made of: for each dimension the label that they have, `None` where any.
///
/// Labels are numbered from 0. Of a dimension that tables name in filters only, all labels that no filter names are one,
/// whose number is the number of the dimension's labels.
pub type Predicate = Vec<Option<usize>>;

/// A declared table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// The dimensions by which it is grouped; it has all of its margins, too.
    pub dimensions: Vec<usize>,
    /// Dimensions of which all its rows have one label.
    pub filter: Vec<(usize, usize)>,
    /// The measure that is summed beside the count.
    pub sum: Option<usize>,
}

/// The cells of some tables.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Of each dimension the labels that are told apart.
    labels: Vec<Vec<usize>>,
    cells: Vec<Predicate>,
    index: BTreeMap<Predicate, usize>,
    /// By layer: the rows, then each measure.
    layers: Vec<ShapeLayer>,
}

/// Of which cells there is a count, or a sum of one measure.
#[derive(Debug, Clone)]
struct ShapeLayer {
    /// By cell: whether it is published unless it is withheld; `None` where the layer does not have it.
    published: Vec<Option<bool>>,
    relations: Vec<Relation>,
}

/// A cell that is the sum of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Relation {
    pub(super) whole: usize,
    pub(super) parts: Vec<usize>,
}

impl Relation {
    /// All cells that are in it.
    pub(super) fn cells(&self) -> impl Iterator<Item = usize> {
        self.parts.iter().chain([&self.whole]).copied()
    }
}

/// Cells of one layer and whether a table has them.
type Cells = BTreeMap<Predicate, bool>;

impl Shape {
    /// The shape of tables over dimensions of so many labels, and so many measures.
    pub fn new(labels: &[usize], measures: usize, tables: &[Table]) -> Result<Self, SuppressionError> {
        for (place, table) in tables.iter().enumerate() {
            let known = |dimension: usize, label: usize| labels.get(dimension).is_some_and(|count| label < *count);
            let named = table.dimensions.iter().map(|d| (*d, 0)).chain(table.filter.iter().copied());
            let mut seen = BTreeSet::new();
            if !named.clone().all(|(d, label)| known(d, label) && seen.insert(d))
                || table.sum.is_some_and(|measure| measure >= measures)
            {
                return Err(SuppressionError::Table { table: place });
            }
        }
        let labels: Vec<Vec<usize>> =
            (0..labels.len()).map(|dimension| told_apart(labels, tables, dimension)).collect();
        let mut layers = Vec::with_capacity(measures + 1);
        for layer in 0..=measures {
            let in_layer = |table: &&Table| layer == 0 || table.sum == Some(layer - 1);
            let mut cells = Cells::new();
            let in_layer: Vec<&Table> = tables.iter().filter(in_layer).collect();
            for table in &in_layer {
                add(&mut cells, table, &labels, true)?;
            }
            let dimensions = tangled(&in_layer);
            add(&mut cells, &Table { dimensions, filter: Vec::new(), sum: None }, &labels, false)?;
            close(&mut cells, &labels)?;
            layers.push(cells);
        }
        let all: BTreeSet<&Predicate> = layers.iter().flat_map(BTreeMap::keys).collect();
        let cells: Vec<Predicate> = all.into_iter().cloned().collect();
        let index: BTreeMap<Predicate, usize> = cells.iter().cloned().zip(0..).collect();
        let layers = layers.iter().map(|held| ShapeLayer::new(held, &cells, &index, &labels)).collect();
        Ok(Self { labels, cells, index, layers })
    }

    /// All cells, those that are never published among them.
    pub fn cells(&self) -> &[Predicate] {
        &self.cells
    }

    /// The labels of a dimension that are told apart; the last may stand for all others.
    pub fn labels(&self, dimension: usize) -> &[usize] {
        self.labels.get(dimension).map_or(&[], Vec::as_slice)
    }

    /// The cell of a predicate.
    pub fn cell(&self, predicate: &Predicate) -> Option<usize> {
        self.index.get(predicate).copied()
    }

    /// Whether some table has a cell.
    pub fn published(&self, cell: usize) -> bool {
        self.layers.iter().any(|layer| layer.published(cell) == Some(true))
    }

    /// Whether some table has a cell with a measure's sum.
    pub fn sums(&self, cell: usize, measure: usize) -> bool {
        self.layers.get(measure + 1).is_some_and(|layer| layer.published(cell) == Some(true))
    }

    /// How many measures there are, and the rows.
    pub(super) fn layers(&self) -> usize {
        self.layers.len()
    }

    /// Whether a layer publishes a cell; `None` where it does not have it.
    pub(super) fn in_layer(&self, layer: usize, cell: usize) -> Option<bool> {
        self.layers.get(layer).and_then(|layer| layer.published(cell))
    }

    pub(super) fn relations(&self, layer: usize) -> &[Relation] {
        self.layers.get(layer).map_or(&[], |layer| layer.relations.as_slice())
    }
}

impl ShapeLayer {
    fn new(held: &Cells, all: &[Predicate], index: &BTreeMap<Predicate, usize>, labels: &[Vec<usize>]) -> Self {
        let published = all.iter().map(|predicate| held.get(predicate).copied()).collect();
        let mut relations = Vec::new();
        for predicate in held.keys() {
            let Some(whole) = index.get(predicate).copied() else { continue };
            for (dimension, labels) in labels.iter().enumerate() {
                if predicate.get(dimension) != Some(&None) {
                    continue;
                }
                let part = |label: &usize| {
                    let part = with(predicate, dimension, Some(*label));
                    index.get(&part).copied().filter(|_| held.contains_key(&part))
                };
                if let Some(parts) = labels.iter().map(part).collect::<Option<Vec<_>>>() {
                    relations.push(Relation { whole, parts });
                }
            }
        }
        Self { published, relations }
    }

    fn published(&self, cell: usize) -> Option<bool> {
        self.published.get(cell).copied().flatten()
    }
}

/// The labels of a dimension that are told apart: all where a table is grouped by it, otherwise those that filters name,
/// and one for all others.
fn told_apart(labels: &[usize], tables: &[Table], dimension: usize) -> Vec<usize> {
    let count = labels.get(dimension).copied().unwrap_or_default();
    if tables.iter().any(|table| table.dimensions.contains(&dimension)) {
        return (0..count).collect();
    }
    let named = tables.iter().flat_map(|table| &table.filter).filter(|(d, _)| *d == dimension).map(|(_, label)| *label);
    let mut named: BTreeSet<usize> = named.collect();
    if named.len() < count {
        named.insert(count);
    }
    named.into_iter().collect()
}

/// The cells of a table and of all of its margins.
fn add(cells: &mut Cells, table: &Table, labels: &[Vec<usize>], published: bool) -> Result<(), SuppressionError> {
    if !published && table.dimensions.is_empty() {
        return Ok(());
    }
    let mut fixed: Predicate = vec![None; labels.len()];
    for (dimension, label) in &table.filter {
        fixed = with(&fixed, *dimension, Some(*label));
    }
    let mut found = vec![fixed];
    for dimension in &table.dimensions {
        let each = labels.get(*dimension).map_or(&[][..], Vec::as_slice);
        few(found.len().saturating_mul(each.len() + 1))?;
        let finer =
            |cell: &Predicate| each.iter().map(|label| with(cell, *dimension, Some(*label))).collect::<Vec<_>>();
        let more: Vec<Predicate> = found.iter().flat_map(finer).collect();
        found.extend(more);
    }
    for cell in found {
        *cells.entry(cell).or_default() |= published;
    }
    few(cells.len())
}

/// The dimensions of tables that overlap in a circle (a × b, b × c, c × a): margins that fit each other need not be those
/// of any table over all dimensions, so that the cells of all of them together are needed to know what is possible. Where
/// there is no circle they are not (Vorob'ev, *Consistent families of measures and their extensions*, 1962; the reduction
/// is Graham's, and Yu and Ozsoyoglu's).
fn tangled(tables: &[&Table]) -> Vec<usize> {
    let edge = |table: &&Table| table.dimensions.iter().copied().chain(table.filter.iter().map(|(d, _)| *d)).collect();
    let mut edges: Vec<BTreeSet<usize>> = tables.iter().map(edge).collect();
    loop {
        let before = edges.clone();
        let alone = |dimension: &usize| before.iter().filter(|edge| edge.contains(dimension)).count() == 1;
        edges.iter_mut().for_each(|edge| edge.retain(|dimension| !alone(dimension)));
        edges.sort();
        edges.dedup();
        let all = edges.clone();
        edges.retain(|edge| !all.iter().any(|other| other != edge && edge.is_subset(other)));
        if edges == before {
            let rest: BTreeSet<usize> = edges.into_iter().flatten().collect();
            return rest.into_iter().collect();
        }
    }
}

/// Adds what can be had by subtraction: wherever a whole and some of its parts are there, its other parts.
fn close(cells: &mut Cells, labels: &[Vec<usize>]) -> Result<(), SuppressionError> {
    let mut open: Vec<Predicate> = cells.keys().cloned().collect();
    while let Some(cell) = open.pop() {
        for (dimension, labels) in labels.iter().enumerate() {
            let whole = with(&cell, dimension, None);
            let parts: Vec<Predicate> = labels.iter().map(|label| with(&whole, dimension, Some(*label))).collect();
            let begun = parts.iter().any(|part| cells.contains_key(part));
            if !begun || !cells.contains_key(&whole) {
                continue;
            }
            for part in parts {
                if !cells.contains_key(&part) {
                    cells.insert(part.clone(), false);
                    open.push(part);
                    few(cells.len())?;
                }
            }
        }
    }
    Ok(())
}

fn few(cells: usize) -> Result<(), SuppressionError> {
    if cells > MOST_CELLS { Err(SuppressionError::Cells { cells, most: MOST_CELLS }) } else { Ok(()) }
}

fn with(predicate: &Predicate, dimension: usize, label: Option<usize>) -> Predicate {
    let mut changed = predicate.clone();
    if let Some(held) = changed.get_mut(dimension) {
        *held = label;
    }
    changed
}
