//! The datasets of this body: loaded when the node starts, and again when their files change.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use datafusion::prelude::SessionContext;
use meridian_federation::session;
use meridian_proto::{Dataset, Form, Name};

use super::terms::{self, Ground};
use crate::catalogue::{Catalogue, Own};
use crate::config::{Config, DatasetConfig, NodeConfig};
use crate::gate::{Grant, PublishedTable};
use crate::sources::{self, Inputs, Loaded};

/// Time between looks at the files.
const LOOK: Duration = Duration::from_secs(2);

/// A dataset as it is configured and as it was last loaded.
#[derive(Debug)]
struct Held {
    config: DatasetConfig,
    grants: Vec<Grant>,
    loaded: Option<Loaded>,
    /// What loading depended on when it was last tried without success.
    failed_at: Option<Inputs>,
    own: Own,
}

/// All datasets of this body.
pub(super) struct Datasets {
    node: NodeConfig,
    ground: Ground,
    context: SessionContext,
    held: Mutex<BTreeMap<Name, Held>>,
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
        };
        for dataset in config.datasets.iter().filter(|dataset| dataset.dataset.form != Form::None) {
            let grants = terms::grants(dataset, &config.agreements);
            let held = datasets.held(dataset.clone(), grants).await;
            datasets.lock().insert(dataset.dataset.name.clone(), held);
        }
        Arc::new(datasets)
    }

    /// For the catalogue.
    pub(super) fn own(&self) -> BTreeMap<Name, Own> {
        self.lock().iter().map(|(name, held)| (name.clone(), held.own.clone())).collect()
    }

    /// For the federation: what is listed, broken or not, since its terms hold all the same.
    pub(super) fn listed(&self) -> Vec<Dataset> {
        let held = self.lock();
        let listed = held.values().filter(|held| held.config.listed);
        listed.map(|held| sized(&held.config, held.loaded.as_ref()).as_ref().clone()).collect()
    }

    /// Notices changed files for as long as the node runs. A file that turns out unreadable puts its dataset out of
    /// order; a wrong answer from an old copy would be worse than none.
    pub(super) async fn watch(self: Arc<Self>, catalogue: Arc<Catalogue>) {
        loop {
            tokio::time::sleep(LOOK).await;
            for (config, grants) in self.stale() {
                let name = config.dataset.name.clone();
                let held = self.held(config, grants).await;
                catalogue.replace(name.clone(), held.own.clone());
                self.lock().insert(name, held);
            }
        }
    }

    fn stale(&self) -> Vec<(DatasetConfig, Vec<Grant>)> {
        let held = self.lock();
        let stale = held.values().filter(|held| match &held.loaded {
            Some(loaded) => loaded.is_stale(self.ground.clock.now()),
            None => Some(self.inputs(&held.config)) != held.failed_at,
        });
        stale.map(|held| (held.config.clone(), held.grants.clone())).collect()
    }

    async fn held(&self, config: DatasetConfig, grants: Vec<Grant>) -> Held {
        let before = Some(self.inputs(&config));
        let (own, loaded, failed_at) = match self.publish(&config, &grants).await {
            Ok((table, loaded)) => {
                tracing::info!(dataset = %config.dataset.name, "loaded");
                (Own::Ready(table), Some(loaded), None)
            }
            Err(error) => {
                tracing::error!(dataset = %config.dataset.name, file = %config.file.display(), %error, "out of order");
                (Own::Broken { listed: config.listed }, None, before)
            }
        };
        Held { config, grants, loaded, failed_at, own }
    }

    fn inputs(&self, config: &DatasetConfig) -> Inputs {
        sources::inputs(&terms::source(&self.node, config, &self.ground), self.ground.clock.now())
    }

    async fn publish(
        &self,
        config: &DatasetConfig,
        grants: &[Grant],
    ) -> Result<(Arc<PublishedTable>, Loaded), Box<dyn std::error::Error + Send + Sync>> {
        let source = terms::source(&self.node, config, &self.ground);
        let loaded = sources::load(&source, &self.context, self.ground.clock.now()).await?;
        let terms = terms::terms(&self.node, config, sized(config, Some(&loaded)), grants, &self.ground)?;
        let table = PublishedTable::new(Arc::new(terms), loaded.plan.clone())?;
        Ok((Arc::new(table), loaded))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Name, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The description with its size class, told roughly so that it says nothing about a unit.
fn sized(config: &DatasetConfig, loaded: Option<&Loaded>) -> Arc<Dataset> {
    match loaded {
        Some(loaded) if !config.sized => {
            let size_class = sources::size_class(loaded.rows);
            Arc::new(Dataset { size_class, ..config.dataset.as_ref().clone() })
        }
        _ => Arc::clone(&config.dataset),
    }
}
