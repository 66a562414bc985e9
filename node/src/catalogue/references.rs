//! References that this body's datasets declare, over what the other bodies say that they publish.

use std::collections::BTreeMap;

use datafusion::catalog::TableProvider;
use meridian_federation::reference::References;
use meridian_federation::tables::ForeignTable;
use meridian_proto::{Column, ColumnType, Dataset, DatasetName, Form, Name};

use super::Own;
use crate::gate::{Reference, Referenced};
use crate::peers::Known;
use crate::sources;

/// What a peer's node may name of other bodies' datasets.
#[derive(Debug, Default)]
pub(super) struct Declared {
    tables: BTreeMap<(Name, Name), ForeignTable>,
    /// Bodies whose datasets are declared and whose description is not known.
    pub(super) missing: Vec<Name>,
}

impl Declared {
    /// The references of the datasets that a caller sees, each with its key and its labels and nothing else.
    pub(super) fn of(federation: &Name, own: &BTreeMap<Name, Own>, known: &BTreeMap<Name, Known>) -> Self {
        let mut declared = Self::default();
        for own in own.values() {
            let Own::Ready(table) = own else { continue };
            for reference in &table.terms.references {
                match known.get(&reference.body) {
                    Some(known) => declared.add(federation, reference, &known.description.datasets),
                    None if declared.missing.contains(&reference.body) => {}
                    None => declared.missing.push(reference.body.clone()),
                }
            }
        }
        declared
    }

    fn add(&mut self, federation: &Name, reference: &Reference, described: &[Dataset]) {
        let Reference { body, dataset, .. } = reference;
        let Some(found) = described.iter().find(|found| found.name == *dataset && found.form != Form::None) else {
            return;
        };
        let name = DatasetName { federation: federation.clone(), body: body.clone(), dataset: dataset.clone() };
        let place = (body.clone(), dataset.clone());
        // Several datasets may declare the same reference for different labels.
        let held = self.tables.get(&place).map(|table| table.dataset.columns.clone()).unwrap_or_default();
        let shown = |column: &Column| {
            let named = |name: &Name| *name == column.name;
            named(&reference.key)
                || reference.labels.iter().any(|(label, _)| named(label))
                || held.iter().any(|held| named(&held.name))
        };
        let columns = found.columns.iter().filter(|column| shown(column)).cloned().collect();
        let shown = Dataset { columns, coverage: Vec::new(), standard: None, ..found.clone() };
        self.tables.insert(place, ForeignTable::new(name, shown.into()));
    }

    pub(super) fn table(&self, body: &str, dataset: &str) -> Option<ForeignTable> {
        let mut tables = self.tables.iter();
        tables.find(|((b, d), _)| b.as_str() == body && d.as_str() == dataset).map(|(_, table)| table.clone())
    }
}

/// A table of another body as the reference that was declared to it; `named` remembers that the query names it.
pub fn referenced(table: &dyn TableProvider, reference: &Reference, named: &References) -> Result<Referenced, String> {
    let Some(table) = table.downcast_ref::<ForeignTable>() else {
        return Err("a reference is to one dataset of one body".into());
    };
    let described = |name: &Name| {
        let column = table.dataset.visible_columns().find(|column| column.name == *name);
        column
            .cloned()
            .ok_or_else(|| format!("{} has no column {name}, as {} describes it", table.name, table.name.body))
    };
    let key = described(&reference.key)?;
    if matches!(key.column_type, ColumnType::Double | ColumnType::Bytea) {
        return Err(format!("{} of {} is a {}, and those are no keys", key.name, table.name, key.column_type));
    }
    let mut columns = vec![(key, None)];
    for (name, domain) in &reference.labels {
        let column = described(name)?;
        let value = |text: &String| {
            let unfit =
                || format!("the domain of {name} holds a value that is no {} of {}", column.column_type, table.name);
            sources::literal(column.column_type, text).ok_or_else(unfit)
        };
        let domain = domain.as_ref().map(|texts| texts.iter().map(value).collect::<Result<_, _>>()).transpose()?;
        columns.push((column, domain));
    }
    let labels = reference.labels.iter().map(|(name, _)| name);
    let rows = named.leaf(table, &reference.key, labels, reference.sha256).map_err(|error| error.strip_backtrace())?;
    Ok(Referenced::new(table.name.clone(), reference, columns, rows))
}
