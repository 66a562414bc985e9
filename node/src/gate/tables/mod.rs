//! Declared tables: what a dataset without noise answers, and nothing else. They are solved when the dataset is loaded,
//! all together ([`meridian_disclosure::suppression`]), and the same for everybody.
//!
//! | where | what |
//! | --- | --- |
//! | here | the tables as declared, and as they are published |
//! | `solve` | from the figures of all cells to what is published |
//! | `super::below::tabulate` | the plans that gather those figures |
//! | `super::below::declared` | which SQL asks for published cells |

mod solve;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::LogicalPlan;
use meridian_disclosure::suppression::{Pattern, Predicate, Shape, SuppressionError, Table};
use meridian_proto::{DatasetName, Name};

use super::below::Below;
use super::table::PublishedTable;
use super::terms::Terms;

/// A table as its owner declares it.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredTable {
    /// Its name.
    pub name: Name,
    /// The dimensions by which it is grouped; its margins belong to it.
    pub dimensions: Vec<Name>,
    /// Dimensions of which all its rows have one value.
    pub filter: Vec<(Name, ScalarValue)>,
    /// The measure that is summed beside the count.
    pub sum: Option<Name>,
}

/// The declared tables of a dataset, and their cells.
#[derive(Debug, Clone)]
pub struct TableLayout {
    pub(super) dataset: DatasetName,
    pub(super) tables: Vec<DeclaredTable>,
    pub(super) dimensions: Vec<Dimension>,
    /// The measures that some table sums.
    pub(super) measures: Vec<Name>,
    pub(super) shape: Shape,
}

/// A dimension of some declared table.
#[derive(Debug, Clone)]
pub(super) struct Dimension {
    pub(super) name: Name,
    /// Its domain; places in it are the labels of the shape.
    pub(super) labels: Vec<ScalarValue>,
}

/// What is published of the declared tables.
pub struct Tables {
    pub(super) layout: TableLayout,
    pattern: Pattern,
    /// By cell: rows, then each measure's sum in fixed point.
    values: Vec<Vec<i128>>,
    /// The units that a cell has at least.
    pub(super) threshold: u32,
    /// Whether counts are rounded.
    pub(super) rounded: bool,
}

/// Why declared tables can't be published; nothing of a row is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TablesError {
    /// No set of withheld cells can be given.
    #[error("the declared tables of {dataset}: {why}")]
    Suppression {
        /// The dataset.
        dataset: DatasetName,
        /// Why.
        why: SuppressionError,
    },
    /// A column that a table names is not as it must be.
    #[error("the declared tables of {dataset} name {column}, which {why}")]
    Column {
        /// The dataset.
        dataset: DatasetName,
        /// The column.
        column: Name,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The figures can't be gathered.
    #[error("the declared tables of {dataset} can't be computed: {why}")]
    Figures {
        /// The dataset.
        dataset: DatasetName,
        /// Why.
        why: String,
    },
}

impl TableLayout {
    /// The layout of these tables over a dataset.
    pub fn new(terms: &Terms, tables: Vec<DeclaredTable>) -> Result<Self, TablesError> {
        let dataset = terms.name.clone();
        let filters = tables.iter().flat_map(|table| table.filter.iter().map(|(name, _)| name));
        let names: BTreeSet<&Name> = tables.iter().flat_map(|table| &table.dimensions).chain(filters).collect();
        let mut dimensions = Vec::new();
        for name in names {
            let domain = terms.columns.get(name).and_then(|column| column.domain.clone());
            let missing = || TablesError::Column {
                dataset: dataset.clone(),
                column: name.clone(),
                why: "declares no domain: add domain = […] with all values that it can have to the column",
            };
            dimensions.push(Dimension { name: name.clone(), labels: domain.ok_or_else(missing)? });
        }
        let summed: BTreeSet<&Name> = tables.iter().filter_map(|table| table.sum.as_ref()).collect();
        let measures: Vec<Name> = summed.into_iter().cloned().collect();
        let place = |name: &Name| dimensions.iter().position(|dimension| dimension.name == *name);
        let label = |(name, value): &(Name, ScalarValue)| {
            let place = place(name)?;
            Some((place, dimensions.get(place)?.labels.iter().position(|label| label == value)?))
        };
        let mut shaped = Vec::with_capacity(tables.len());
        for table in &tables {
            let unknown = || TablesError::Column {
                dataset: dataset.clone(),
                column: table.name.clone(),
                why: "is a table with a filter that is not in the column's domain",
            };
            shaped.push(Table {
                dimensions: table.dimensions.iter().filter_map(place).collect(),
                filter: table.filter.iter().map(label).collect::<Option<_>>().ok_or_else(unknown)?,
                sum: table.sum.as_ref().and_then(|sum| measures.iter().position(|measure| measure == sum)),
            });
        }
        let labels: Vec<usize> = dimensions.iter().map(|dimension| dimension.labels.len()).collect();
        let shape = Shape::new(&labels, measures.len(), &shaped)
            .map_err(|why| TablesError::Suppression { dataset: dataset.clone(), why })?;
        Ok(Self { dataset, tables, dimensions, measures, shape })
    }

    /// The groupings of which the figures are needed, each as places of dimensions.
    pub(super) fn groupings(&self) -> BTreeSet<Vec<usize>> {
        let grouping = |cell: &Predicate| {
            cell.iter().enumerate().filter(|(_, label)| label.is_some()).map(|(place, _)| place).collect()
        };
        self.shape.cells().iter().map(grouping).collect()
    }

    /// The cells in words that stay the same whatever their order: a label for each dimension that tells it from others.
    fn words(&self) -> Vec<String> {
        let label = |(place, label): (usize, &Option<usize>)| {
            let dimension = self.dimensions.get(place)?;
            let label = (*label)?;
            let value = dimension.labels.get(label).map_or_else(|| "all others".to_owned(), |v| format!("= {v}"));
            Some((dimension.name.as_str(), value))
        };
        let word = |cell: &Predicate| {
            let labels: BTreeMap<&str, String> = cell.iter().enumerate().filter_map(label).collect();
            format!("{labels:?}")
        };
        self.shape.cells().iter().map(word).collect()
    }

    /// The tables as a list for a person.
    pub(super) fn listed(&self) -> String {
        let of = |table: &DeclaredTable| {
            let mut text = format!("{}: COUNT(*)", table.name);
            if let Some(sum) = &table.sum {
                text.push_str(&format!(", SUM({sum})"));
            }
            if !table.dimensions.is_empty() {
                let names: Vec<&str> = table.dimensions.iter().map(Name::as_str).collect();
                text.push_str(&format!(" by {}", names.join(", ")));
            }
            let conditions: Vec<String> =
                table.filter.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            if !conditions.is_empty() {
                text.push_str(&format!(" where {}", conditions.join(" and ")));
            }
            text
        };
        self.tables.iter().map(of).collect::<Vec<_>>().join("; ")
    }
}

/// The plans that gather the figures of all cells, one for each grouping, to be run when the dataset is loaded and given
/// to [`Tables::solve`]; over a table whose terms have no solved tables yet.
pub fn tabulation(
    table: &PublishedTable,
    layout: &TableLayout,
    largest: usize,
) -> Result<Vec<LogicalPlan>, TablesError> {
    Below::tabulation(table, layout, largest)
        .map_err(|refused| TablesError::Figures { dataset: layout.dataset.clone(), why: refused.to_string() })
}

impl Tables {
    /// The cells that are published, one a line, to be kept for as long as rows and declared tables are the same: the
    /// pattern is one of many that protect, and another one beside it would tell what both withhold.
    pub fn published(&self) -> String {
        let words = self.layout.words();
        let mut published: Vec<String> = words
            .into_iter()
            .enumerate()
            .filter(|(cell, _)| !self.pattern.withheld(*cell))
            .map(|(_, word)| word)
            .collect();
        published.sort_unstable();
        published.join("\n")
    }

    /// What is published of a cell's rows (layer 0) or of a measure's sum in fixed point; `None` where it is withheld.
    pub(super) fn value(&self, cell: usize, layer: usize) -> Option<i128> {
        let value = self.values.get(cell)?.get(layer)?;
        (!self.pattern.withheld(cell)).then_some(*value)
    }
}

/// Values are not to be formatted, not even those that are published.
impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables").field("tables", &self.layout.tables).finish_non_exhaustive()
    }
}
