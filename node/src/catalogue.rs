//! What a caller may name in SQL: this body's datasets, the federation's, `every.<standard>`, and those of other federations.

mod dcat;
mod entry;
mod exchange_model;
mod foreign;
mod freshness;
mod references;
mod search;
#[cfg(test)]
pub(crate) mod testing;
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
use meridian_proto::{BodyName, Dataset, EVERY, Form, Name};

use crate::gate::{Caller, ForeignUse, PublishedTable, Terms};
use crate::peers::Directory;

pub use dcat::{Addresses, Distribution, catalogue as dcat, dataset as dcat_of};
pub use entry::{Entry, public, quality, sizes};
pub use exchange_model::{Lack, record, records};
use foreign::Foreign;
pub use freshness::Freshness;
use references::Declared;
pub use references::referenced;
pub use search::{Hit, Index};
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
    /// The descriptions of other federations that this node trusts.
    abroad: Vec<Arc<Directory>>,
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
    /// What is told of it; nothing of what is made of several datasets.
    pub described: Option<Arc<Dataset>>,
}

impl Catalogue {
    /// The catalogue of the node of `body`, with the descriptions of its federation and of others.
    pub fn new(
        body: Name,
        own: BTreeMap<Name, Own>,
        directory: Arc<Directory>,
        abroad: Vec<Arc<Directory>>,
    ) -> Arc<Self> {
        let federation = directory.federation().clone();
        Arc::new(Self { federation, body, own: RwLock::new(own), views: RwLock::default(), directory, abroad })
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

    /// The datasets of this body, and whether each can be asked.
    pub fn in_order(&self) -> Vec<(Name, bool)> {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        own.iter().map(|(name, own)| (name.clone(), matches!(own, Own::Ready(_)))).collect()
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
            let abroad = |directory: &Arc<Directory>| (directory.federation().clone(), Foreign::abroad(directory));
            Others::All {
                own: Foreign::at_home(&self.directory, &self.body, left_out),
                abroad: self.abroad.iter().map(abroad).collect(),
            }
        };
        let views = self.views.read().unwrap_or_else(PoisonError::into_inner).clone();
        let directories = std::iter::once(&self.directory).chain(&self.abroad).cloned().collect();
        let (federation, body) = (self.federation.clone(), self.body.clone());
        Arc::new(View { federation, body, own, views, foreign, directories })
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
            || self.abroad.iter().any(|other| other.federation().as_str() == name || other.publishes(name))
            || [EVERY, BODY_COLUMN].contains(&name)
            || own.iter().any(is_own)
            || views.iter().any(is_view)
            || self.directory.publishes(name)
    }

    /// Makes sure that these bodies' descriptions are known, asking each body itself for what is missing. Returns those that
    /// are still missing, with the reason.
    pub async fn ensure(&self, bodies: &[BodyName]) -> Vec<(BodyName, String)> {
        let mut silent = Vec::new();
        for directory in std::iter::once(&self.directory).chain(&self.abroad) {
            let name = |body: &Name| BodyName::of(directory.federation(), body, &self.federation);
            let of_it = bodies.iter().filter(|body| name(body.slug()) == **body);
            let asked: Vec<Name> = of_it.map(|body| body.slug().clone()).collect();
            silent.extend(directory.ensure(&asked).await.into_iter().map(|(body, why)| (name(&body), why)));
        }
        silent
    }
}

/// What a caller may name of other bodies.
#[derive(Debug)]
enum Others {
    All {
        own: Foreign,
        /// What is known of other federations, by their names.
        abroad: BTreeMap<Name, Foreign>,
    },
    Declared(Declared),
}

/// The catalogue as one caller sees it, made for one query.
pub struct View {
    federation: Name,
    body: Name,
    own: BTreeMap<Name, Own>,
    views: OwnViews,
    foreign: Others,
    /// What bodies have told of themselves, this node's own federation first.
    directories: Vec<Arc<Directory>>,
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
    /// The bodies that a name, `every.<standard>` or a reference could mean and whose datasets are not known here.
    pub fn missing(&self) -> Vec<BodyName> {
        match &self.foreign {
            Others::All { own, abroad } => {
                let others = abroad.iter().flat_map(|(federation, foreign)| {
                    foreign.missing.iter().map(move |body| BodyName::of_other(federation, body))
                });
                own.missing.iter().cloned().map(BodyName::from).chain(others).collect()
            }
            Others::Declared(declared) => declared.missing.iter().cloned().map(BodyName::from).collect(),
        }
    }

    /// The federations of which something may be named, this node's own first.
    pub fn federations(&self) -> Vec<Name> {
        let others = match &self.foreign {
            Others::All { abroad, .. } => abroad.keys().cloned().collect(),
            Others::Declared(_) => Vec::new(),
        };
        std::iter::once(self.federation.clone()).chain(others).collect()
    }

    /// All that the caller may name, sorted.
    pub fn listed(&self) -> Vec<Listed> {
        let row = |schema: &Name, table: &Name, columns: SchemaRef, title: &str| Listed {
            catalog: self.federation.to_string(),
            schema: schema.to_string(),
            table: table.to_string(),
            columns,
            title: title.to_owned(),
            described: None,
        };
        let mut rows = Vec::new();
        for (name, own) in &self.own {
            if let Own::Ready(table) = own {
                let dataset = &table.terms.dataset;
                let listed = row(&self.body, name, table.schema(), &dataset.title);
                rows.push(Listed { described: Some(Arc::clone(dataset)), ..listed });
            }
        }
        for (name, view) in self.views.iter().filter(|(name, _)| !self.own.contains_key(*name)) {
            if let Seen::Ready(planned) = view.seen(&self.federation, &self.body, &self.own) {
                let listed = row(&self.body, name, planned.schema(), &view.title);
                rows.push(Listed { described: self.told_of(name), ..listed });
            }
        }
        if let Others::All { own, abroad } = &self.foreign {
            for ((body, name), table) in std::iter::once(own).chain(abroad.values()).flat_map(|foreign| &foreign.tables)
            {
                let listed = row(body, name, table.schema(), &table.dataset.title);
                let described = Some(Arc::clone(&table.dataset));
                rows.push(Listed { catalog: table.name.federation.to_string(), described, ..listed });
            }
            for (standard, table) in &own.standards {
                let listed = row(&self.body, standard, table.schema(), "");
                let title = format!("all datasets that conform to {standard}, {} bodies", table.parts.len());
                rows.push(Listed { schema: EVERY.into(), title, ..listed });
            }
        }
        let order = |row: &Listed| (row.catalog != self.federation.as_str(), row.catalog.clone());
        rows.sort_by(|a, b| (order(a), &a.schema, &a.table).cmp(&(order(b), &b.schema, &b.table)));
        rows
    }

    /// What is told of each dataset that the caller may know of, with the columns that exist for them, sorted. Those that
    /// can't be read at the moment are there, as the federation is told of them.
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self.listed().iter().filter_map(|listed| self.entry(listed)).collect();
        for (name, own) in &self.own {
            if let (Own::Broken { listed: true }, Some(dataset)) = (own, self.told_of(name)) {
                entries.extend(self.of(&self.federation, &self.body, dataset));
            }
        }
        entries.sort_by_cached_key(|entry| (entry.federation != self.federation, entry.id()));
        entries
    }

    fn entry(&self, listed: &Listed) -> Option<Entry> {
        let mut dataset = Arc::clone(listed.described.as_ref()?);
        let is_known = |column: &Name| listed.columns.column_with_name(column.as_str()).is_some();
        if !dataset.columns.iter().all(|column| is_known(&column.name)) {
            let all = Arc::make_mut(&mut dataset);
            all.columns.retain(|column| is_known(&column.name));
            all.coverage.retain(|coverage| is_known(&coverage.column));
        }
        self.of(&listed.catalog.parse().ok()?, &listed.schema.parse().ok()?, dataset)
    }

    fn of(&self, federation: &Name, body: &Name, dataset: Arc<Dataset>) -> Option<Entry> {
        let directory = self.directories.iter().find(|directory| directory.federation() == federation)?;
        let title = directory.description(body).map(|told| told.title.clone());
        let publisher = title.unwrap_or_else(|| body.to_string());
        Some(Entry { federation: federation.clone(), body: body.clone(), publisher, dataset })
    }

    /// What the federation is told of a dataset or view of this body.
    fn told_of(&self, name: &Name) -> Option<Arc<Dataset>> {
        let told = self.directories.first()?.description(&self.body)?;
        let dataset = told.datasets.iter().find(|dataset| dataset.name == *name)?;
        Some(Arc::new(dataset.clone()))
    }

    fn table(&self, schema: &str, name: &str) -> Result<Arc<dyn TableProvider>> {
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
                Seen::Unknown => {
                    let listed = self.listed();
                    let own =
                        listed.iter().filter(|listed| listed.schema == schema).map(|listed| listed.table.as_str());
                    let own: Vec<&str> = own.collect();
                    let hint = if own.is_empty() {
                        String::new()
                    } else {
                        format!("; {schema} publishes: {}", own.join(", "))
                    };
                    Err(plan_datafusion_err!("{}{hint}", unknown_text(self, schema, name)))
                }
            };
        }
        let foreign = match &self.foreign {
            Others::All { own, .. } => own,
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
        foreign.table(schema, name)
    }

    /// A table of another federation.
    fn table_abroad(&self, federation: &str, schema: &str, name: &str) -> Result<Arc<dyn TableProvider>> {
        let (known, found) = match &self.foreign {
            Others::All { abroad, .. } => (abroad.keys().map(Name::as_str).collect(), abroad.get(federation)),
            Others::Declared(_) => (Vec::new(), None),
        };
        let Some(foreign) = found else {
            let others = if known.is_empty() { String::new() } else { format!(" and trusts {}", known.join(", ")) };
            let own = &self.federation;
            return Err(plan_datafusion_err!("no federation '{federation}' here; this node is of {own}{others}"));
        };
        foreign.table(schema, name)
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
        self.0.federations().iter().map(ToString::to_string).collect()
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
    /// The name of another federation.
    foreign: Option<String>,
}

impl CatalogProvider for Bodies {
    fn schema_names(&self) -> Vec<String> {
        let federation = self.foreign.as_deref().unwrap_or(self.view.federation.as_str());
        let listed = self.view.listed().into_iter().filter(|listed| listed.catalog == federation);
        let mut names: Vec<String> = listed.map(|listed| listed.schema).collect();
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
        let federation = self.foreign.as_deref().unwrap_or(self.view.federation.as_str());
        let of_it = |listed: &Listed| listed.catalog == federation && listed.schema == self.name;
        self.view.listed().into_iter().filter(of_it).map(|listed| listed.table).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        self.find(name).map(Some)
    }

    fn table_exist(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }
}

impl Body {
    fn find(&self, name: &str) -> Result<Arc<dyn TableProvider>> {
        match &self.foreign {
            Some(federation) => self.view.table_abroad(federation, &self.name, name),
            None => self.view.table(&self.name, name),
        }
    }
}
