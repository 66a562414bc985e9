//! The datasets of this body and what is agreed over them: loaded when the node starts, and followed while it runs.
//!
//! One loop looks at the configuration's files and at the sources. Terms take effect at once: what is revoked or
//! withdrawn ends before anything is loaded. Rows are loaded again only where the file behind them, or what the
//! configuration says of them, has changed, and while they are, the loop goes on: a server that is away keeps nobody
//! waiting but those who ask for its datasets. What an answer to the same rows depends on beside them ([`Controls`]) stays
//! as long as their snapshot.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use datafusion::prelude::SessionContext;
use meridian_federation::session;
use meridian_proto::{Dataset, Form, Name, Quality};
use sha2::{Digest, Sha256};
use tokio::sync::{Semaphore, watch};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::conformance;
use super::controls::{Fixed, Made};
use super::describe::Describer;
use super::tables;
use super::terms::{self, Ground};
use super::views::Views;
use crate::catalogue::{Catalogue, Own};
use crate::config::{Config, DatasetConfig, NodeConfig, Reader};
use crate::downloads::{self, Version};
use crate::gate::{Grant, PublishedTable, Tables};
use crate::sources::{self, Inputs, Loaded};

/// Time between looks at the files.
const LOOK: Duration = Duration::from_secs(2);
/// Another one where files of the same rows are written otherwise than before.
const WRITTEN_AS: u32 = 2;
/// Longest time for which a node that starts waits for datasets on servers.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a dataset can't be asked.
pub(super) type Broken = Box<dyn std::error::Error + Send + Sync>;

/// A dataset as it is configured and as it was last loaded.
#[derive(Debug, Clone)]
struct Held {
    config: DatasetConfig,
    grants: Vec<Grant>,
    loaded: Option<Loaded>,
    made: Option<Made>,
    /// The declared tables of the rows that are loaded, as they were solved under what was made.
    tables: Option<Arc<Tables>>,
    /// What holds of the rows that are loaded.
    quality: Option<Quality>,
    /// What loading depended on when it was last tried without success.
    failed_at: Option<Inputs>,
    own: Own,
}

impl Held {
    /// Nothing is loaded yet.
    fn empty(config: DatasetConfig, grants: Vec<Grant>, made: Option<Made>) -> Self {
        let own = Own::Broken { listed: config.listed };
        Self { config, grants, loaded: None, made, tables: None, quality: None, failed_at: None, own }
    }
}

/// All datasets of this body.
pub(super) struct Datasets {
    node: NodeConfig,
    ground: Ground,
    context: SessionContext,
    held: Mutex<BTreeMap<Name, Held>>,
    views: Mutex<Views>,
    /// One source of this machine's own files is read at a time; those on servers wait for these.
    disk: Semaphore,
}

/// What is being loaded while the node runs.
#[derive(Default)]
struct Loading {
    tasks: JoinSet<Held>,
    names: HashMap<Id, Name>,
    /// What the configuration gives: what was loaded for another one is of no use.
    given: BTreeMap<Name, (DatasetConfig, Vec<Grant>)>,
}

impl Loading {
    fn start(&mut self, datasets: &Arc<Datasets>, held: Held) {
        let name = held.config.dataset.name.clone();
        if self.names.values().all(|known| *known != name) {
            let datasets = Arc::clone(datasets);
            let task = self.tasks.spawn(async move { datasets.held(held.config, held.grants, held.made).await });
            self.names.insert(task.id(), name);
        }
    }

    /// Whether it is what the configuration gives.
    fn is_given(&self, held: &Held) -> bool {
        let given = self.given.get(&held.config.dataset.name);
        given.is_some_and(|(config, grants)| *config == held.config && *grants == held.grants)
    }

    /// What has been loaded until then, one after the other.
    async fn next(&mut self, until: Instant) -> Option<Held> {
        loop {
            let done = tokio::select! {
                () = sleep_until(until) => return None,
                Some(done) = self.tasks.join_next_with_id() => done,
            };
            match done {
                Ok((id, held)) => {
                    self.names.remove(&id);
                    return Some(held);
                }
                // Its panic has been told, and it is looked at again.
                Err(panicked) => drop(self.names.remove(&panicked.id())),
            }
        }
    }
}

impl Datasets {
    /// Loads every dataset; one whose source can't be read is out of order, and the others go on.
    pub(super) async fn load(config: &Config, ground: Ground) -> Arc<Self> {
        let settings = session::session_config().with_target_partitions(config.node.limits.target_partitions);
        let datasets = Self {
            node: config.node.clone(),
            ground,
            context: SessionContext::new_with_config(settings),
            held: Mutex::default(),
            views: Mutex::default(),
            disk: Semaphore::new(1),
        };
        let (elsewhere, here): (Vec<_>, Vec<_>) =
            given(config).into_values().partition(|(dataset, _)| dataset.source.is_elsewhere());
        for (dataset, grants) in here {
            datasets.insert(datasets.held(dataset, grants, None).await);
        }
        let loading = elsewhere.into_iter().map(|(dataset, grants)| datasets.held_soon(dataset, grants));
        for held in futures::future::join_all(loading).await {
            datasets.insert(held);
        }
        datasets.views().configure(&config.views);
        Arc::new(datasets)
    }

    /// For the catalogue.
    pub(super) fn own(&self) -> BTreeMap<Name, Own> {
        self.lock().iter().map(|(name, held)| (name.clone(), held.own.clone())).collect()
    }

    /// For the federation: what is listed, broken or not, since its terms hold all the same.
    pub(super) fn listed(&self) -> Vec<Dataset> {
        let mut listed: Vec<Dataset> = {
            let held = self.lock();
            let listed = held.values().filter(|held| held.config.listed);
            listed.map(|held| described(held).as_ref().clone()).collect()
        };
        listed.extend(self.views().listed(&listed));
        listed
    }

    /// A dataset that anybody may have whole, as it is now; `None` for one that is not open to all, or out of order.
    pub(super) fn version(&self, name: &Name) -> Option<Version> {
        let held = self.lock();
        let held = held.get(name).filter(|held| held.config.listed)?;
        let loaded = held.loaded.as_ref()?;
        let dataset = described(held);
        if !downloads::is_for_anybody(&dataset) {
            return None;
        }
        let day = self.ground.clock.now().date_naive();
        // Of what tells no time of a change, each day's is one.
        let of = loaded.changed.map_or_else(|| day.to_string(), |changed| changed.to_rfc3339());
        let Loaded { rows, as_of, rights, origin, .. } = loaded;
        let all = format!("{WRITTEN_AS} {dataset:?} {of} {rows} {rights:?} {as_of:?} {origin}");
        let id = hex::encode(Sha256::digest(all)).get(..16).map(str::to_owned)?;
        Some(Version { id, dataset })
    }

    /// Puts the views over the datasets as they are now into the catalogue. Before anybody is told of them: who takes
    /// released statistics for rows would add up what is not all there.
    pub(super) fn put_views(&self, catalogue: &Catalogue) {
        let own = self.lock().values().map(described).collect();
        let mut views = self.views();
        if views.follow(own) {
            catalogue.set_views(views.own());
        }
    }

    /// Tells the federation what is published now.
    fn tell(&self, catalogue: &Catalogue, describer: &mut Describer) {
        self.put_views(catalogue);
        describer.tell(self.listed());
    }

    /// Notices changed files, ended periods, changed terms and rights for as long as the node runs. A source that turns
    /// out unreadable puts its dataset out of order; a wrong answer from an old copy would be worse than none.
    pub(super) async fn watch(
        self: Arc<Self>,
        mut reader: Reader,
        catalogue: Arc<Catalogue>,
        mut describer: Describer,
        changed: watch::Sender<Config>,
    ) {
        let rights = &self.ground.rights;
        let mut loading = Loading { given: self.given(), ..Loading::default() };
        loop {
            for (name, loaded) in self.loaded() {
                rights.in_force(&name, &loaded).await;
            }
            rights.record().await;
            let until = Instant::now() + LOOK;
            while let Some(held) = loading.next(until).await {
                // What another configuration gave is of no use; it is stale and loaded again.
                if loading.is_given(&held) {
                    self.put(held, &catalogue).await;
                    self.tell(&catalogue, &mut describer);
                }
            }
            rights.refresh();
            if let Some(config) = tokio::task::block_in_place(|| look(&mut reader)) {
                self.follow(&config, &catalogue, &mut describer).await;
                loading.given = self.given();
                changed.send_replace(config);
            }
            for held in self.stale() {
                loading.start(&self, held);
            }
            self.tell(&catalogue, &mut describer);
        }
    }

    /// Brings another configuration into force. Rows that are others are stale then.
    async fn follow(&self, config: &Config, catalogue: &Catalogue, describer: &mut Describer) {
        let given = given(config);
        let withdrawn: Vec<Name> = self.lock().keys().filter(|name| !given.contains_key(*name)).cloned().collect();
        for name in withdrawn {
            catalogue.remove(&name);
            self.lock().remove(&name);
            tracing::info!(dataset = %name, "withdrawn");
        }
        for (name, (dataset, grants)) in given {
            let before = self.lock().get(&name).cloned();
            match before {
                Some(held) if held.config == dataset && held.grants == grants => {}
                Some(held) if self.same_rows(&held.config, &dataset) => {
                    self.put(self.amended(held, dataset, grants).await, catalogue).await;
                }
                Some(held) => {
                    // Other rows: the terms on which the old ones were given are not the owner's any more.
                    self.awaited(Held::empty(dataset, grants, held.made), catalogue);
                }
                None => self.awaited(Held::empty(dataset, grants, None), catalogue),
            }
        }
        self.views().configure(&config.views);
        self.tell(catalogue, describer);
    }

    /// A dataset that nobody can ask before its rows are loaded.
    fn awaited(&self, held: Held, catalogue: &Catalogue) {
        catalogue.replace(held.config.dataset.name.clone(), held.own.clone());
        self.insert(held);
    }

    /// What the configuration gives.
    fn given(&self) -> BTreeMap<Name, (DatasetConfig, Vec<Grant>)> {
        let held = self.lock();
        held.iter().map(|(name, held)| (name.clone(), (held.config.clone(), held.grants.clone()))).collect()
    }

    async fn put(&self, held: Held, catalogue: &Catalogue) {
        let name = held.config.dataset.name.clone();
        if let Some(loaded) = &held.loaded {
            self.ground.rights.ends_in_force(&name, loaded).await;
        }
        catalogue.replace(name.clone(), held.own.clone());
        self.lock().insert(name, held);
    }

    fn same_rows(&self, one: &DatasetConfig, other: &DatasetConfig) -> bool {
        let source = |config| terms::source(&self.node, config, &self.ground);
        source(one).yields_what(&source(other))
    }

    fn stale(&self) -> Vec<Held> {
        let held = self.lock();
        let stale = held.values().filter(|held| match &held.loaded {
            Some(loaded) => loaded.is_stale(&self.ground.rights.spec(&held.config), self.ground.clock.now()),
            None => Some(self.inputs(&held.config)) != held.failed_at,
        });
        stale.cloned().collect()
    }

    fn insert(&self, held: Held) {
        self.lock().insert(held.config.dataset.name.clone(), held);
    }

    /// A dataset whose rows are loaded, or will be while the node runs: it does not wait long for servers to start.
    async fn held_soon(&self, config: DatasetConfig, grants: Vec<Grant>) -> Held {
        let loading = self.held(config.clone(), grants.clone(), None);
        tokio::time::timeout(PATIENCE, loading).await.unwrap_or_else(|_| {
            tracing::warn!(dataset = %config.name(), "its server is slow: the node starts without it, and goes on loading");
            Held::empty(config, grants, None)
        })
    }

    /// A dataset whose rows are loaded.
    async fn held(&self, config: DatasetConfig, grants: Vec<Grant>, made: Option<Made>) -> Held {
        let _turn = match config.source.is_elsewhere() {
            true => None,
            false => self.disk.acquire().await.ok(),
        };
        let before = Some(self.inputs(&config));
        let source = terms::source(&self.node, &config, &self.ground);
        let loaded = sources::load(&source, &self.context, self.ground.clock.now()).await;
        let empty = Held { failed_at: before, ..Held::empty(config, grants, made) };
        match loaded {
            Ok(loaded) => {
                let quality = Some(conformance::quality(&empty.config, &loaded, &self.context).await);
                let held = self.published(Held { quality, ..empty }, loaded).await;
                if held.loaded.is_some() {
                    tracing::info!(dataset = %held.config.name(), "loaded");
                }
                held
            }
            Err(error) => out_of_order(empty, &error),
        }
    }

    /// The same rows under other terms.
    async fn amended(&self, held: Held, config: DatasetConfig, grants: Vec<Grant>) -> Held {
        let Some(loaded) = held.loaded.clone() else {
            let own = Own::Broken { listed: config.listed };
            return Held { config, grants, own, ..held };
        };
        let held = self.published(Held { config, grants, ..held }, loaded).await;
        if held.loaded.is_some() {
            tracing::info!(dataset = %held.config.name(), "its terms have changed");
        }
        held
    }

    /// These rows under the terms that are held.
    async fn published(&self, held: Held, loaded: Loaded) -> Held {
        match self.table(&held, &loaded).await {
            Ok((table, made)) => {
                if let Some(remedy) = terms::endless(&held.config, &table.terms) {
                    tracing::warn!(
                        dataset = %held.config.name(),
                        remedy,
                        "its statistics may be asked without end, and noise and history don't hold against that where \
                         labels tell people apart"
                    );
                }
                let (tables, made) = (table.terms.tables.clone(), Some(made));
                let own = Own::Ready(Arc::new(table));
                Held { loaded: Some(loaded), made, tables, failed_at: None, own, ..held }
            }
            Err(error) => out_of_order(held, error.as_ref()),
        }
    }

    async fn table(&self, held: &Held, loaded: &Loaded) -> Result<(PublishedTable, Made), Broken> {
        let Held { config, grants, made, .. } = held;
        let source = terms::source(&self.node, config, &self.ground);
        let said = Fixed::of(config)?;
        let fixed = said.clone().kept(&source, loaded).await?;
        let (made, tables) = match made {
            Some(made) if made.of(&fixed, config) => (made.clone(), held.tables.clone()),
            Some(_) | None => (Made::new(config, fixed, &self.ground)?, None),
        };
        if !made.of(&said, config)
            && let Err(error) = Made::new(config, said, &self.ground)
        {
            tracing::error!(dataset = %config.dataset.name, %error, "it will be out of order with its next snapshot");
        }
        let dataset = told(&made.fixed.dataset(config), config.sized, Some(loaded), held.quality.as_ref());
        let mut terms = terms::terms(&self.node, config, dataset, grants, &made);
        terms.tables = match tables {
            Some(tables) => Some(tables),
            None => tables::solved(&self.context, config, &made.fixed, &terms, &source, loaded).await?,
        };
        let table = PublishedTable::new(Arc::new(terms), loaded.plan.clone())?;
        Ok((table, made))
    }

    fn inputs(&self, config: &DatasetConfig) -> Inputs {
        sources::inputs(&terms::source(&self.node, config, &self.ground), self.ground.clock.now())
    }

    fn loaded(&self) -> Vec<(Name, Loaded)> {
        let held = self.lock();
        held.iter().filter_map(|(name, held)| Some((name.clone(), held.loaded.clone()?))).collect()
    }

    fn views(&self) -> std::sync::MutexGuard<'_, Views> {
        self.views.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Name, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks at the configuration's files and says what is wrong with them; the configuration, where it is another one.
fn look(reader: &mut Reader) -> Option<Config> {
    let news = reader.look()?;
    for problem in &news.problems {
        tracing::error!(
            %problem,
            "the configuration is bad here: a file that can't be understood stays in force as it last was, and an \
             agreement that can't be read does not"
        );
    }
    if !news.restart.is_empty() {
        tracing::warn!(keys = news.restart.join(", "), "node.toml has changed: this takes effect with a restart");
    }
    if news.recovered {
        tracing::info!("the configuration is good again");
    }
    news.changed
}

/// The datasets that are given at all, and what is granted of each.
fn given(config: &Config) -> BTreeMap<Name, (DatasetConfig, Vec<Grant>)> {
    let given = config.datasets.iter().filter(|dataset| dataset.dataset.form != Form::None);
    let with_grants = |dataset: &DatasetConfig| (dataset.clone(), terms::grants(dataset, &config.agreements));
    given.map(|dataset| (dataset.dataset.name.clone(), with_grants(dataset))).collect()
}

fn out_of_order(held: Held, error: &(dyn std::error::Error + 'static)) -> Held {
    tracing::error!(dataset = %held.config.name(), file = %held.config.file.display(), %error, "out of order");
    let own = Own::Broken { listed: held.config.listed };
    Held { loaded: None, quality: None, own, ..held }
}

/// What the federation is told of a dataset.
fn described(held: &Held) -> Arc<Dataset> {
    let dataset =
        held.made.as_ref().map_or_else(|| Arc::clone(&held.config.dataset), |m| m.fixed.dataset(&held.config));
    told(&dataset, held.config.sized, held.loaded.as_ref(), held.quality.as_ref())
}

/// The description with what its rows say: the size class and the day of the last change, where its file declares none, and
/// what holds of them.
fn told(dataset: &Arc<Dataset>, sized: bool, loaded: Option<&Loaded>, quality: Option<&Quality>) -> Arc<Dataset> {
    let Some(loaded) = loaded else { return Arc::clone(dataset) };
    let mut told = dataset.as_ref().clone();
    if !sized {
        told.size_class = sources::size_class(told.form, loaded.rows);
    }
    told.about.last_change = told.about.last_change.or_else(|| loaded.changed.and_then(day));
    told.about.quality = quality.cloned();
    Arc::new(told)
}

/// The day in days since the Unix epoch: no hour of a change is told.
fn day(time: DateTime<Utc>) -> Option<i32> {
    i32::try_from(time.timestamp().div_euclid(24 * 3600)).ok()
}
