//! The datasets of this body: loaded when the node starts, and again when their files change.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use datafusion::prelude::SessionContext;
use meridian_federation::session;
use meridian_proto::{Dataset, DatasetName, Form, Name};

use crate::catalogue::{Catalogue, Own};
use crate::config::{AgreementConfig, Config, DatasetConfig, GrantConfig, NodeConfig, UnitKey};
use crate::gate::{Grant, PublishedTable, Terms, Unit};
use crate::sources::{self, Fingerprint, Loaded, SourceError};

/// Time between looks at the files.
const LOOK: Duration = Duration::from_secs(2);

/// A dataset as it is configured and as it was last loaded.
#[derive(Debug)]
struct Held {
    config: DatasetConfig,
    grants: Vec<Grant>,
    loaded: Option<Loaded>,
    /// The file as it was when loading it was last tried without success.
    failed_at: Option<Fingerprint>,
    own: Own,
}

/// All datasets of this body.
pub(super) struct Datasets {
    node: NodeConfig,
    context: SessionContext,
    held: Mutex<BTreeMap<Name, Held>>,
}

impl Datasets {
    /// Loads every dataset; one whose source can't be read is out of order, and the others go on.
    pub(super) async fn load(config: &Config) -> Arc<Self> {
        let settings = session::session_config().with_target_partitions(config.node.limits.target_partitions);
        let datasets = Self {
            node: config.node.clone(),
            context: SessionContext::new_with_config(settings),
            held: Mutex::default(),
        };
        for dataset in config.datasets.iter().filter(|dataset| dataset.dataset.form != Form::None) {
            let grants = grants(dataset, &config.agreements);
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
            Some(loaded) => loaded.is_stale(),
            None => Fingerprint::of(&held.config.source.path).ok() != held.failed_at,
        });
        stale.map(|held| (held.config.clone(), held.grants.clone())).collect()
    }

    async fn held(&self, config: DatasetConfig, grants: Vec<Grant>) -> Held {
        let before = Fingerprint::of(&config.source.path).ok();
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

    async fn publish(
        &self,
        config: &DatasetConfig,
        grants: &[Grant],
    ) -> Result<(Arc<PublishedTable>, Loaded), Box<dyn std::error::Error + Send + Sync>> {
        let loaded = sources::load(&config.source, &self.context).await?;
        let terms = Terms {
            name: DatasetName {
                federation: self.node.federation.clone(),
                body: self.node.body.clone(),
                dataset: config.dataset.name.clone(),
            },
            dataset: sized(config, Some(&loaded)),
            own: config.own,
            unit: config.unit.as_ref().map(|unit| match &unit.key {
                UnitKey::EachRow => Unit::EachRow,
                UnitKey::Column { name, unique } => Unit::Column { name: name.clone(), unique: *unique },
            }),
            bounds: config.bounds.clone(),
            listed: config.listed,
            grants: grants.to_vec(),
        };
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

/// What the agreements grant of one dataset. A filter that can't be read grants nothing.
fn grants(dataset: &DatasetConfig, agreements: &[AgreementConfig]) -> Vec<Grant> {
    let of = |agreement: &AgreementConfig, grant: &GrantConfig| -> Result<Grant, SourceError> {
        let filter = grant.filter.as_deref().map(|sql| sources::predicate(&dataset.dataset, sql)).transpose()?;
        Ok(Grant {
            agreement: agreement.id.clone(),
            purpose: agreement.purpose.clone(),
            recipients: agreement.recipients.clone(),
            form: grant.form,
            columns: grant.columns.clone(),
            filter,
            threshold: grant.threshold,
            start: agreement.start,
            end: agreement.end,
        })
    };
    let mut found = Vec::new();
    for agreement in agreements {
        for grant in agreement.grants.iter().filter(|grant| grant.dataset == dataset.dataset.name) {
            match of(agreement, grant) {
                Ok(grant) => found.push(grant),
                Err(error) => tracing::error!(agreement = agreement.id, %error, "a grant is not in force"),
            }
        }
    }
    found
}
