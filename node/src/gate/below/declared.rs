//! The release of a dataset that answers its declared tables only: SQL that asks for their cells, in whatever words.

use std::sync::Arc;

use datafusion::common::{DFSchemaRef, ScalarValue};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan};
use meridian_disclosure::suppression::Predicate;

use super::aggregates::{Asking, Contribution};
use super::constants::constant;
use super::release::{released_schema, units};
use super::{Below, Kind};
use crate::gate::Refused;
use crate::gate::facts::Decision;
use crate::gate::release::{self, Figured, Point, Set, Solved, SolvedKey, SolvedSet, Source};
use crate::gate::tables::Tables;

/// What a query may do with the cells of declared tables, in one line.
const HOW: &str = "group by their dimensions, and choose labels by = and IN";

impl Below {
    /// The solved tables, if this dataset answers no others.
    pub(super) fn tables(&self) -> Option<&Arc<Tables>> {
        self.leaves.iter().find_map(|leaf| leaf.terms.tables.as_ref())
    }

    /// Refuses what is no declared table, and names those that are.
    pub(super) fn undeclared(&self, what: &str) -> Refused {
        let leaf = self.leaves.iter().find(|leaf| leaf.terms.tables.is_some()).unwrap_or(&self.leaf);
        Refused::new(
            "statistics.table",
            format!("{} adds no noise and answers its declared tables only, and {what} is none of them", leaf.name),
            leaf.declared(),
        )
        .about(&leaf.name)
    }

    /// Joins and unions make cells that were not solved with the others.
    pub(super) fn combined(&self, other: &Self, what: &str) -> Result<(), Refused> {
        match (self.tables(), other.tables()) {
            (None, None) => Ok(()),
            (Some(_), _) => Err(self.undeclared(what)),
            (None, Some(_)) => Err(other.undeclared(what)),
        }
    }

    /// Refuses a condition that does more than to choose among the labels of one dimension.
    pub(super) fn chooses_labels(&self, predicate: &Expr, decision: &Decision) -> Result<(), Refused> {
        for part in split_conjunction(predicate) {
            let columns: Vec<_> = part.column_refs().into_iter().collect();
            let chosen = match columns.as_slice() {
                [] => constant(part, decision.now)? == Some(ScalarValue::Boolean(Some(true))),
                [column] => self.declared(column).is_some_and(|(_, values)| {
                    values.iter().all(|value| super::groupings::decided(part, column, value, decision).is_some())
                }),
                _ => false,
            };
            if !chosen {
                return Err(self.undeclared("what this condition chooses"));
            }
        }
        Ok(())
    }

    /// The aggregate over solved tables.
    pub(super) fn declared_release(
        &self,
        tables: &Arc<Tables>,
        keys: &[Expr],
        aggregates: &[Expr],
        schema: &DFSchemaRef,
        decision: &mut Decision,
    ) -> Result<LogicalPlan, Refused> {
        if self.threshold() > tables.threshold {
            return Err(self.undeclared("a table of a higher threshold, as the agreement asks for,"));
        }
        let groupings = self.groupings(keys)?;
        let mut dimensions = Vec::new();
        for key in &groupings.keys {
            let place = self.dimension_of(tables, key, decision)?;
            // Under two names it would have labels of which one contradicts the other.
            if dimensions.contains(&place) {
                return Err(self.undeclared("a grouping by one dimension twice"));
            }
            dimensions.push(place);
        }
        let mut asking = Asking::default();
        for aggregate in aggregates {
            self.ask(aggregate, &mut asking, decision)?;
        }
        if !asking.labels.is_empty() || asking.outputs.is_empty() {
            return Err(self.undeclared("a list or number of labels"));
        }
        let layers = asking.figures.iter().map(|asked| match &asked.filter {
            Some(_) => Err(self.undeclared("an aggregate with a condition of its own")),
            None => self.layer(tables, &asked.contribution),
        });
        let layers = layers.collect::<Result<Vec<_>, _>>()?;
        let (mut sets, mut solved) = (Vec::new(), Vec::new());
        for keys in &groupings.sets {
            let of: Vec<usize> = keys.iter().filter_map(|key| dimensions.get(*key).copied()).collect();
            let cells = self.cells(tables, &of)?;
            self.published(tables, &cells, &layers)?;
            let values = |key: &SolvedKey| key.labels.iter().map(|(_, value)| value.clone()).collect();
            let domain: Vec<Vec<ScalarValue>> = cells.keys.iter().map(values).collect();
            let domain = (!domain.is_empty()).then_some(domain);
            let figures = (0..layers.len()).collect();
            sets.push(Set { keys: keys.clone(), number: groupings.number(keys), domain, inner: None, figures });
            solved.push(cells);
        }
        self.tell(tables, decision);
        let figured = |layer: &usize| self.figured_layer(tables, *layer);
        let point = Point {
            datasets: self.datasets(),
            unit: self.units.as_ref().map(|units| units.kind.to_string()).unwrap_or_default(),
            threshold: tables.threshold,
            nearness: 0,
            keys: dimensions.len(),
            figures: layers.iter().map(figured).collect(),
            outputs: asking.outputs,
            sets,
            numbered: groupings.numbered.then(|| Aggregate::grouping_id_type(dimensions.len(), 0)),
            source: Source::Solved(Solved { tables: Arc::clone(tables), layers, sets: solved }),
            // The same for everybody, however often: nothing is remembered, nothing is spent.
            caller: String::new(),
            accounts: Vec::new(),
            question: String::new(),
            day: decision.now.date_naive(),
            tally: Arc::clone(&decision.tally),
        };
        Ok(release::node(point, Vec::new(), released_schema(schema)?))
    }

    /// A group key: a dimension of some table, as it is.
    fn dimension_of(&self, tables: &Tables, key: &Expr, decision: &mut Decision) -> Result<usize, Refused> {
        let (_, origin) = self.key(key, decision)?;
        let bare = origin.bare && matches!(origin.kind, Kind::Label { .. });
        let place = tables.layout.dimensions.iter().position(|dimension| dimension.name.as_str() == origin.name);
        place
            .filter(|_| bare)
            .ok_or_else(|| self.undeclared(&format!("a grouping by {}", origin.name)).at(&origin.name))
    }

    /// Which figure of a cell is asked for.
    fn layer(&self, tables: &Tables, contribution: &Contribution) -> Result<usize, Refused> {
        let single = self.units.as_ref().is_some_and(|units| units.single);
        match contribution {
            Contribution::Rows { of: None } => Ok(0),
            Contribution::Units if single => Ok(0),
            Contribution::Units => Err(self.undeclared("a count of units that have several rows")),
            Contribution::Rows { of: Some(value) } => match value {
                Expr::Column(column) if self.is_required(&self.origin_of(column)?.name) => Ok(0),
                _ => Err(self.undeclared("a count of values that may be NULL")),
            },
            Contribution::Sum { measure, .. } => {
                let named = |known: &meridian_proto::Name| format!("{}.{known}", self.leaf.name) == *measure;
                let place = tables.layout.measures.iter().position(named);
                place.map(|place| place + 1).ok_or_else(|| self.undeclared(&format!("a sum of {measure}")))
            }
        }
    }

    fn is_required(&self, column: &str) -> bool {
        self.leaf.terms.dataset.column(column).is_some_and(|column| column.required)
    }

    /// The cells of a grouping: each combination of the labels that conditions left, under the labels that they fixed.
    fn cells(&self, tables: &Tables, grouping: &[usize]) -> Result<SolvedSet, Refused> {
        let mut fixed: Predicate = vec![None; tables.layout.dimensions.len()];
        for ((_, column), left) in &self.domains {
            let place = tables.layout.dimensions.iter().position(|dimension| dimension.name.as_str() == column);
            let Some((place, dimension)) = place.and_then(|at| Some((at, tables.layout.dimensions.get(at)?))) else {
                return Err(self.undeclared(&format!("a choice by {column}")).at(column));
            };
            if grouping.contains(&place) || left.len() == dimension.labels.len() {
                continue;
            }
            let [value] = left.as_slice() else {
                return Err(self.undeclared(&format!("a total over several labels of {column}, or none,")).at(column));
            };
            let label = dimension.labels.iter().position(|label| label == value);
            if let Some(slot) = fixed.get_mut(place) {
                *slot = label;
            }
        }
        let mut keys = Vec::new();
        for place in grouping {
            let Some(dimension) = tables.layout.dimensions.get(*place) else { continue };
            let name = (self.leaf.name.clone(), dimension.name.to_string());
            let left = self.domains.get(&name);
            let chosen = |value: &ScalarValue| left.is_none_or(|left| left.contains(value));
            let labels = dimension.labels.iter().cloned().enumerate().filter(|(_, value)| chosen(value)).collect();
            keys.push(SolvedKey { place: *place, labels });
        }
        Ok(SolvedSet { fixed, keys })
    }

    /// Whether all cells that are asked for belong to declared tables.
    fn published(&self, tables: &Tables, cells: &SolvedSet, layers: &[usize]) -> Result<(), Refused> {
        let asked = cells.predicates();
        if asked.is_empty() {
            return Err(self.undeclared("a choice of no labels"));
        }
        let shape = &tables.layout.shape;
        let held = |cell: usize| {
            layers.iter().all(|layer| match layer.checked_sub(1) {
                None => shape.published(cell),
                Some(measure) => shape.sums(cell, measure),
            })
        };
        if asked.iter().all(|predicate| shape.cell(predicate).is_some_and(held)) {
            return Ok(());
        }
        let named = cells.named(tables);
        let what =
            if named.is_empty() { "this total".to_owned() } else { format!("this figure by {}", named.join(", ")) };
        Err(self.undeclared(&what))
    }

    fn figured_layer(&self, tables: &Tables, layer: usize) -> Figured {
        let measure = layer.checked_sub(1).and_then(|measure| tables.layout.measures.get(measure));
        let Some(measure) = measure else { return units() };
        let precision = self.leaf.column(measure.as_str()).map(|column| column.precision).unwrap_or_default();
        Figured { function: "sum", of: measure.to_string(), kind: release::Kind::Magnitude(precision) }
    }

    fn tell(&self, tables: &Tables, decision: &mut Decision) {
        decision.rule("statistics.table");
        decision.rule("statistics.secondary");
        let (names, k) = (self.datasets().join(", "), tables.threshold);
        let exactness = if tables.rounded { "rounded" } else { "exact" };
        decision.notice(&format!(
            "figures of {names} are {exactness} and come from its declared tables; cells under {k} units, none among them, and others that would tell them are empty (withheld, not zero)"
        ));
    }
}

impl super::leaf::Leaf {
    /// The declared tables as a remedy.
    pub(super) fn declared(&self) -> String {
        let tables = self.terms.tables.as_ref().map(|tables| tables.layout.listed()).unwrap_or_default();
        format!("ask for one of its tables or a margin ({tables}); {HOW}")
    }
}
