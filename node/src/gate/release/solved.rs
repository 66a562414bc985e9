//! A release point over declared tables: their cells are looked up, since they were decided when the dataset was loaded.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, new_empty_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use meridian_disclosure::suppression::Predicate;

use super::Point;
use super::settle::Grouped;
use crate::audit::Cells;
use crate::gate::tables::Tables;

/// Which cells of which tables a release gives.
#[derive(Debug)]
pub(in super::super) struct Solved {
    pub(in super::super) tables: Arc<Tables>,
    /// For each figure: the rows, or a measure.
    pub(in super::super) layers: Vec<usize>,
    /// The cells of each grouping.
    pub(in super::super) sets: Vec<SolvedSet>,
}

/// The cells of one grouping.
#[derive(Debug)]
pub(in super::super) struct SolvedSet {
    /// Labels that all of them have.
    pub(in super::super) fixed: Predicate,
    /// The labels by which they differ.
    pub(in super::super) keys: Vec<SolvedKey>,
}

/// A dimension by which a grouping groups.
#[derive(Debug)]
pub(in super::super) struct SolvedKey {
    /// Its place among the tables' dimensions.
    pub(in super::super) place: usize,
    /// Its labels that are asked for.
    pub(in super::super) labels: Vec<(usize, ScalarValue)>,
}

impl SolvedSet {
    /// The cells, one for each combination of labels.
    pub(in super::super) fn predicates(&self) -> Vec<Predicate> {
        self.rows().into_iter().map(|(predicate, _)| predicate).collect()
    }

    /// The names of the dimensions that are grouped by or chosen from.
    pub(in super::super) fn named(&self, tables: &Tables) -> Vec<String> {
        let used = |place: &usize| {
            self.keys.iter().any(|key| key.place == *place) || self.fixed.get(*place).is_some_and(Option::is_some)
        };
        let dimensions = tables.layout.dimensions.iter().enumerate();
        dimensions.filter(|(place, _)| used(place)).map(|(_, dimension)| dimension.name.to_string()).collect()
    }

    /// The cells, and the labels of each.
    fn rows(&self) -> Vec<(Predicate, Vec<ScalarValue>)> {
        let mut rows = vec![(self.fixed.clone(), Vec::new())];
        for key in &self.keys {
            let with = |(predicate, values): &(Predicate, Vec<ScalarValue>), (label, value): &(usize, ScalarValue)| {
                let (mut predicate, mut values) = (predicate.clone(), values.clone());
                if let Some(slot) = predicate.get_mut(key.place) {
                    *slot = Some(*label);
                }
                values.push(value.clone());
                (predicate, values)
            };
            rows = rows.iter().flat_map(|row| key.labels.iter().map(move |label| with(row, label))).collect();
        }
        rows
    }
}

/// The cells of every grouping, as if they had been gathered and settled; empty ones count as withheld, which they are.
pub(super) fn grouped(point: &Point, solved: &Solved, schema: &SchemaRef) -> Result<Vec<Grouped>> {
    let mut groups = Vec::with_capacity(solved.sets.len());
    for (set, cells) in point.sets.iter().zip(&solved.sets) {
        let rows = cells.rows();
        let mut keys: Vec<ArrayRef> = Vec::with_capacity(cells.keys.len());
        for (at, key) in set.keys.iter().enumerate() {
            let data_type = schema.fields().get(*key).map_or(&DataType::Null, |field| field.data_type());
            let labels: Vec<ScalarValue> = rows.iter().filter_map(|(_, values)| values.get(at).cloned()).collect();
            keys.push(if labels.is_empty() {
                new_empty_array(data_type)
            } else {
                cast(&ScalarValue::iter_to_array(labels)?, data_type)?
            });
        }
        let value = |(predicate, _): &(Predicate, Vec<ScalarValue>), layer: usize| {
            solved.tables.layout.shape.cell(predicate).and_then(|cell| solved.tables.value(cell, layer))
        };
        let answers = solved.layers.iter().map(|layer| rows.iter().map(|row| value(row, *layer)).collect());
        groups.push(Grouped { keys, answers: answers.collect(), rows: rows.len(), unseen: HashSet::new() });
    }
    let cells = || groups.iter().flat_map(|group| &group.answers).flatten();
    let count = |given: bool| cells().filter(|cell| cell.is_some() == given).count().try_into().unwrap_or(u64::MAX);
    let (released, withheld) = (count(true), count(false));
    point.tally.note(Cells { datasets: point.datasets.clone(), released, withheld, ..Cells::default() }, Vec::new());
    Ok(groups)
}
