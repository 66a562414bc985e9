//! What a caller may name in SQL: this body's datasets, the federation's, and `every.<standard>`.

mod references;
mod views;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use datafusion::catalog::{CatalogProvider, CatalogProviderList, SchemaProvider, TableProvider};
use datafusion::common::{Result, plan_datafusion_err};
use meridian_federation::tables::{BODY_COLUMN, EveryPart, EveryTable, ForeignTable};
use meridian_proto::{DatasetName, EVERY, Form, Name};

use crate::gate::{Caller, ForeignUse, PublishedTable, Terms};
use crate::peers::Directory;

use references::Declared;
pub use references::referenced;
use views::Seen;
pub use views::View as OwnView;

/// A dataset of this body: ready to be asked, or out of order.
#[derive(Debug, Clone)]
pub enum Own {
    /// It can be asked.
    Ready(Arc<PublishedTable>),
    /// Its source can't be read; the operator's log says why.
    Broken {
        /// The dataset's terms are valid all the same.
        listed: bool,
    },
}

/// Everything that SQL at this node may name.
#[derive(Debug)]
pub struct Catalogue {
    federation: Name,
    body: Name,
    own: RwLock<BTreeMap<Name, Own>>,
    views: RwLock<OwnViews>,
    directory: Arc<Directory>,
}

/// Views of this body by name.
pub type OwnViews = BTreeMap<Name, Arc<OwnView>>;

/// One table as metadata calls list it.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The federation.
    pub catalog: String,
    /// The body, or `every`.
    pub schema: String,
    /// The dataset or standard.
    pub table: String,
    /// Its columns.
    pub columns: SchemaRef,
    /// For people.
    pub title: String,
}

impl Catalogue {
    /// The catalogue of the node of `body`.
    pub fn new(federation: Name, body: Name, own: BTreeMap<Name, Own>, directory: Arc<Directory>) -> Arc<Self> {
        Arc::new(Self { federation, body, own: RwLock::new(own), views: RwLock::default(), directory })
    }

    /// The descriptions of the federation.
    pub fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    /// Puts a dataset of this body in place of what it was, when its source has changed.
    pub fn replace(&self, name: Name, own: Own) {
        self.own.write().unwrap_or_else(PoisonError::into_inner).insert(name, own);
    }

    /// A dataset of this body is withdrawn.
    pub fn remove(&self, name: &Name) {
        self.own.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// These are the views of this body from now on.
    pub fn set_views(&self, views: OwnViews) {
        *self.views.write().unwrap_or_else(PoisonError::into_inner) = views;
    }

    /// The terms of a dataset of this body as they are now; `None` where it can't be asked.
    pub fn terms(&self, name: &Name) -> Option<Arc<Terms>> {
        match self.own.read().unwrap_or_else(PoisonError::into_inner).get(name)? {
            Own::Ready(table) => Some(Arc::clone(&table.terms)),
            Own::Broken { .. } => None,
        }
    }

    /// What `caller` may name: a peer's node this body's datasets, and what these declare as references. In
    /// `every.<standard>` it is as if the bodies that are left out published nothing.
    pub fn view(self: &Arc<Self>, caller: &Caller, now: DateTime<Utc>, left_out: &BTreeSet<Name>) -> Arc<View> {
        let mut own = self.own.read().unwrap_or_else(PoisonError::into_inner).clone();
        own.retain(|_, own| match own {
            Own::Ready(table) => match table.seen_by(caller, now) {
                Some(seen) => {
                    *table = Arc::new(seen);
                    true
                }
                None => false,
            },
            Own::Broken { .. } => true,
        });
        let foreign = if caller.is_peer() {
            Others::Declared(Declared::of(&self.federation, &own, &self.directory.known()))
        } else {
            Others::All(self.foreign(left_out))
        };
        let views = self.views.read().unwrap_or_else(PoisonError::into_inner).clone();
        Arc::new(View { federation: self.federation.clone(), body: self.body.clone(), own, views, foreign })
    }

    /// Whether a name is published by anybody: that of the federation, a body, a dataset, a standard or a column.
    pub fn publishes(&self, name: &str) -> bool {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        let is_own = |(dataset, own): (&Name, &Own)| match own {
            Own::Ready(table) => dataset.as_str() == name || table.terms.dataset.column(name).is_some(),
            Own::Broken { .. } => dataset.as_str() == name,
        };
        let views = self.views.read().unwrap_or_else(PoisonError::into_inner);
        let is_view = |(view, own): (&Name, &Arc<OwnView>)| view.as_str() == name || own.columns.contains(name);
        self.federation.as_str() == name
            || [EVERY, BODY_COLUMN].contains(&name)
            || own.iter().any(is_own)
            || views.iter().any(is_view)
            || self.directory.publishes(name)
    }

    fn foreign(&self, left_out: &BTreeSet<Name>) -> Foreign {
        let known = self.directory.known();
        let members = self.directory.members();
        let mut tables = BTreeMap::new();
        let mut standards: BTreeMap<Name, Vec<EveryPart>> = BTreeMap::new();
        for (body, known) in &known {
            for dataset in &known.description.datasets {
                let dataset = Arc::new(dataset.clone());
                if let Some(standard) = &dataset.standard {
                    let part = EveryPart { body: body.clone(), dataset: Arc::clone(&dataset) };
                    standards.entry(standard.clone()).or_default().push(part);
                }
                if *body != self.body && dataset.form != Form::None {
                    let name = DatasetName {
                        federation: self.federation.clone(),
                        body: body.clone(),
                        dataset: dataset.name.clone(),
                    };
                    tables.insert((body.clone(), dataset.name.clone()), Arc::new(ForeignTable::new(name, dataset)));
                }
            }
        }
        let missing: BTreeSet<Name> = members.iter().filter(|body| !known.contains_key(*body)).cloned().collect();
        let every = |(standard, parts): (Name, Vec<EveryPart>)| {
            let table =
                EveryTable::new(self.federation.clone(), standard.clone(), parts, missing.iter().cloned().collect());
            Some((standard, Arc::new(table.without(left_out)?)))
        };
        let standards = standards.into_iter().filter_map(every).collect();
        Foreign { members, missing, tables, standards }
    }
}

/// What a caller may name of other bodies.
#[derive(Debug)]
enum Others {
    All(Foreign),
    Declared(Declared),
}

#[derive(Debug)]
struct Foreign {
    members: Vec<Name>,
    missing: BTreeSet<Name>,
    tables: BTreeMap<(Name, Name), Arc<ForeignTable>>,
    standards: BTreeMap<Name, Arc<EveryTable>>,
}

/// The catalogue as one caller sees it, made for one query.
pub struct View {
    federation: Name,
    body: Name,
    own: BTreeMap<Name, Own>,
    views: OwnViews,
    foreign: Others,
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("federation", &self.federation).finish_non_exhaustive()
    }
}

/// What a table of other bodies stands for, as the gate asks; `None` for any other table.
pub fn foreign_use(table: &dyn TableProvider) -> Option<ForeignUse> {
    if let Some(table) = table.downcast_ref::<ForeignTable>() {
        let names = vec![table.name.to_string()];
        let statistics = if table.dataset.form == Form::Statistics { names.clone() } else { Vec::new() };
        return Some(ForeignUse { names, statistics });
    }
    let every = table.downcast_ref::<EveryTable>()?;
    let name = |part: &EveryPart| format!("{}.{}.{}", every.federation, part.body, part.dataset.name);
    let statistics = every.parts.iter().filter(|part| part.dataset.form == Form::Statistics).map(name).collect();
    Some(ForeignUse { names: every.parts.iter().map(name).collect(), statistics })
}

/// What is said of a dataset that does not exist and of one that the caller may not know of, alike.
pub fn unknown(federation: &str, body: &str, dataset: &str) -> String {
    crate::gate::unknown_dataset(&format!("{federation}.{body}.{dataset}"))
}

impl View {
    /// The names of bodies that `every.<standard>` or a reference would ask and whose datasets are not known here.
    pub fn missing(&self) -> Vec<Name> {
        match &self.foreign {
            Others::All(foreign) => foreign.missing.iter().cloned().collect(),
            Others::Declared(declared) => declared.missing.clone(),
        }
    }

    /// All that the caller may name, sorted.
    pub fn listed(&self) -> Vec<Listed> {
        let row = |schema: &Name, table: &Name, columns: SchemaRef, title: &str| Listed {
            catalog: self.federation.to_string(),
            schema: schema.to_string(),
            table: table.to_string(),
            columns,
            title: title.to_owned(),
        };
        let mut rows = Vec::new();
        for (name, own) in &self.own {
            if let Own::Ready(table) = own {
                rows.push(row(&self.body, name, table.schema(), &table.terms.dataset.title));
            }
        }
        for (name, view) in self.views.iter().filter(|(name, _)| !self.own.contains_key(*name)) {
            if let Seen::Ready(planned) = view.seen(&self.federation, &self.body, &self.own) {
                rows.push(row(&self.body, name, planned.schema(), &view.title));
            }
        }
        if let Others::All(foreign) = &self.foreign {
            for ((body, name), table) in &foreign.tables {
                rows.push(row(body, name, table.schema(), &table.dataset.title));
            }
            for (standard, table) in &foreign.standards {
                let listed = row(&self.body, standard, table.schema(), "");
                let title = format!("all datasets that conform to {standard}, {} bodies", table.parts.len());
                rows.push(Listed { schema: EVERY.into(), title, ..listed });
            }
        }
        rows.sort_by(|a, b| (&a.schema, &a.table).cmp(&(&b.schema, &b.table)));
        rows
    }

    fn table(&self, schema: &str, name: &str) -> Result<Arc<dyn TableProvider>> {
        let unknown = || plan_datafusion_err!("{}", unknown(self.federation.as_str(), schema, name));
        if schema == self.body.as_str() {
            let found = match (self.own.get(name), self.views.get(name)) {
                (Some(Own::Ready(table)), _) => Seen::Ready(Arc::clone(table) as _),
                (Some(Own::Broken { listed: true }), _) => Seen::Broken,
                (Some(Own::Broken { listed: false }), _) | (None, None) => Seen::Unknown,
                (None, Some(view)) => view.seen(&self.federation, &self.body, &self.own),
            };
            return match found {
                Seen::Ready(table) => Ok(table),
                Seen::Broken => Err(plan_datafusion_err!(
                    "{}.{schema}.{name} can't be read at the moment; its operator finds the cause in the node's log",
                    self.federation
                )),
                Seen::Unknown => Err(unknown()),
            };
        }
        let foreign = match &self.foreign {
            Others::All(foreign) => foreign,
            Others::Declared(declared) => {
                return match declared.table(schema, name) {
                    Some(table) => Ok(Arc::new(table)),
                    None => Err(plan_datafusion_err!(
                        "{}; this is the node of {}, which joins its rows with other bodies' datasets where it declares a \
                         reference to them: ask {schema} from your own node, or ask {} to declare it",
                        unknown_text(self, schema, name),
                        self.body,
                        self.body
                    )),
                };
            }
        };
        if schema == EVERY {
            let standards: Vec<&str> = foreign.standards.keys().map(Name::as_str).collect();
            let table = foreign.standards.get(name).ok_or_else(|| {
                plan_datafusion_err!(
                    "no dataset conforms to a standard '{name}'; standards in use: {}",
                    standards.join(", ")
                )
            })?;
            return Ok(Arc::clone(table) as _);
        }
        let Some(body) = foreign.members.iter().find(|body| body.as_str() == schema) else {
            let bodies: Vec<&str> = foreign.members.iter().map(Name::as_str).collect();
            return Err(plan_datafusion_err!(
                "no body '{schema}' in {}; its bodies: {}",
                self.federation,
                bodies.join(", ")
            ));
        };
        if foreign.missing.contains(body) {
            return Err(plan_datafusion_err!(
                "{body} has not told what it publishes, and its node can't be reached from here; ask again when it is up"
            ));
        }
        let key = (body.clone(), name.parse::<Name>().map_err(|_| unknown())?);
        foreign.tables.get(&key).map(|table| Arc::clone(table) as _).ok_or_else(|| {
            let others: Vec<&str> =
                foreign.tables.keys().filter(|(b, _)| b == body).map(|(_, dataset)| dataset.as_str()).collect();
            let hint =
                if others.is_empty() { String::new() } else { format!("; {body} publishes: {}", others.join(", ")) };
            plan_datafusion_err!("{}{hint}", unknown_text(self, schema, name))
        })
    }
}

fn unknown_text(view: &View, schema: &str, name: &str) -> String {
    unknown(view.federation.as_str(), schema, name)
}

/// A [`View`] as DataFusion asks for it: a list of one catalogue, whose schemas are the bodies.
#[derive(Debug)]
pub struct Catalogues(pub Arc<View>);

impl CatalogProviderList for Catalogues {
    fn register_catalog(&self, _name: String, _catalog: Arc<dyn CatalogProvider>) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        vec![self.0.federation.to_string()]
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        let known = name == self.0.federation.as_str();
        let foreign = (!known).then(|| name.to_owned());
        Some(Arc::new(Bodies { view: Arc::clone(&self.0), foreign }))
    }
}

#[derive(Debug)]
struct Bodies {
    view: Arc<View>,
    /// The name of a federation that is none.
    foreign: Option<String>,
}

impl CatalogProvider for Bodies {
    fn schema_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.view.listed().into_iter().map(|listed| listed.schema).collect();
        names.dedup();
        names
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        Some(Arc::new(Body { view: Arc::clone(&self.view), name: name.to_owned(), foreign: self.foreign.clone() }))
    }
}

#[derive(Debug)]
struct Body {
    view: Arc<View>,
    name: String,
    foreign: Option<String>,
}

#[async_trait]
impl SchemaProvider for Body {
    fn table_names(&self) -> Vec<String> {
        let listed = self.view.listed().into_iter().filter(|listed| listed.schema == self.name);
        listed.map(|listed| listed.table).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        if let Some(foreign) = &self.foreign {
            let known = &self.view.federation;
            return Err(plan_datafusion_err!("no federation '{foreign}' here; this node is of {known}"));
        }
        self.view.table(&self.name, name).map(Some)
    }

    fn table_exist(&self, name: &str) -> bool {
        self.view.table(&self.name, name).is_ok()
    }
}
