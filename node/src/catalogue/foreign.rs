//! What an analyst may name of other bodies of one federation: of their own, or of another that their node trusts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::plan_datafusion_err;
use datafusion::error::Result;
use meridian_federation::tables::{EveryPart, EveryTable, ForeignTable};
use meridian_proto::{BodyName, DatasetName, EVERY, Form, Name};

use super::unknown;
use crate::peers::Directory;

/// The datasets of the other bodies of one federation.
#[derive(Debug)]
pub(super) struct Foreign {
    federation: Name,
    members: Vec<Name>,
    pub(super) missing: BTreeSet<Name>,
    pub(super) tables: BTreeMap<(Name, Name), Arc<ForeignTable>>,
    /// Of one's own federation alone: a standard's datasets in another are named one by one.
    pub(super) standards: BTreeMap<Name, Arc<EveryTable>>,
    abroad: bool,
}

impl Foreign {
    /// What `body` may name of its own federation. In `every.<standard>` it is as if the bodies that are left out
    /// published nothing.
    pub(super) fn at_home(directory: &Directory, body: &Name, left_out: &BTreeSet<Name>) -> Self {
        let mut standards: BTreeMap<Name, Vec<EveryPart>> = BTreeMap::new();
        for (body, known) in &directory.known() {
            for dataset in &known.description.datasets {
                if let Some(standard) = &dataset.standard {
                    let part = EveryPart { body: body.clone(), dataset: Arc::new(dataset.clone()) };
                    standards.entry(standard.clone()).or_default().push(part);
                }
            }
        }
        let federation = directory.federation();
        let found = Self::of(directory, |of| of.clone().into());
        let every = |(standard, parts): (Name, Vec<EveryPart>)| {
            let missing = found.missing.iter().cloned().collect();
            let table = EveryTable::new(federation.clone(), standard.clone(), parts, missing);
            Some((standard, Arc::new(table.without(left_out)?)))
        };
        let standards = standards.into_iter().filter_map(every).collect();
        let tables = found.tables.into_iter().filter(|((of, _), _)| of != body).collect();
        Self { tables, standards, ..found }
    }

    /// What may be named of another federation.
    pub(super) fn abroad(directory: &Directory) -> Self {
        let found = Self::of(directory, |of| BodyName::of_other(directory.federation(), of));
        Self { abroad: true, ..found }
    }

    fn of(directory: &Directory, named: impl Fn(&Name) -> BodyName) -> Self {
        let federation = directory.federation().clone();
        let (known, members) = (directory.known(), directory.members());
        let mut tables = BTreeMap::new();
        for (body, known) in &known {
            for dataset in known.description.datasets.iter().filter(|dataset| dataset.form != Form::None) {
                let name =
                    DatasetName { federation: federation.clone(), body: body.clone(), dataset: dataset.name.clone() };
                let table = ForeignTable::of(named(body), name, Arc::new(dataset.clone()));
                tables.insert((body.clone(), dataset.name.clone()), Arc::new(table));
            }
        }
        let missing = members.iter().filter(|body| !known.contains_key(*body)).cloned().collect();
        Self { federation, members, missing, tables, standards: BTreeMap::new(), abroad: false }
    }

    /// The table of another body, or of a standard.
    pub(super) fn table(&self, schema: &str, name: &str) -> Result<Arc<dyn TableProvider>> {
        let federation = &self.federation;
        let unknown = || plan_datafusion_err!("{}", unknown(federation.as_str(), schema, name));
        if schema == EVERY {
            if self.abroad {
                return Err(plan_datafusion_err!(
                    "every.{name} is of one's own federation alone: name the datasets of {federation} that are meant, each by its \
                     full name"
                ));
            }
            let standards: Vec<&str> = self.standards.keys().map(Name::as_str).collect();
            let table = self.standards.get(name).ok_or_else(|| {
                plan_datafusion_err!(
                    "no dataset conforms to a standard '{name}'; standards in use: {}",
                    standards.join(", ")
                )
            })?;
            return Ok(Arc::clone(table) as _);
        }
        let Some(body) = self.members.iter().find(|body| body.as_str() == schema) else {
            let bodies: Vec<&str> = self.members.iter().map(Name::as_str).collect();
            return Err(plan_datafusion_err!("no body '{schema}' in {federation}; its bodies: {}", bodies.join(", ")));
        };
        if self.missing.contains(body) {
            return Err(plan_datafusion_err!(
                "{body} has not told what it publishes, and its node can't be reached from here; ask again when it is up"
            ));
        }
        let key = (body.clone(), name.parse::<Name>().map_err(|_| unknown())?);
        self.tables.get(&key).map(|table| Arc::clone(table) as _).ok_or_else(|| {
            let others: Vec<&str> =
                self.tables.keys().filter(|(b, _)| b == body).map(|(_, dataset)| dataset.as_str()).collect();
            let hint =
                if others.is_empty() { String::new() } else { format!("; {body} publishes: {}", others.join(", ")) };
            plan_datafusion_err!("{}{hint}", super::unknown(federation.as_str(), schema, name))
        })
    }
}
