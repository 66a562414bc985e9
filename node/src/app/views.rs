//! The views of this body over its datasets as they are now: what is asked of them, and what the federation is told.

use std::sync::Arc;

use meridian_federation::view::{Described, Unfit};
use meridian_proto::Dataset;

use crate::catalogue::{OwnView, OwnViews};
use crate::config::ViewConfig;

/// Views, and what follows for them from the datasets of their body.
#[derive(Debug, Default)]
pub(super) struct Views {
    config: Vec<ViewConfig>,
    own: Vec<Arc<Dataset>>,
    made: Vec<(ViewConfig, Described)>,
}

impl Views {
    /// These are the views from now on, once they [`follow`](Self::follow) the datasets.
    pub(super) fn configure(&mut self, config: &[ViewConfig]) {
        if self.config != config {
            (self.config, self.own) = (config.to_vec(), Vec::new());
        }
    }

    /// Makes the views over these datasets; whether they may be others than before.
    pub(super) fn follow(&mut self, own: Vec<Arc<Dataset>>) -> bool {
        if self.own == own {
            return false;
        }
        self.made.clear();
        for view in &self.config {
            match view.described(&own) {
                Ok(described) => self.made.push((view.clone(), described)),
                // Its datasets have changed, or are withdrawn.
                Err(Unfit { what, fix }) => {
                    tracing::error!(view = view.name(), file = %view.file.display(), what, fix, "out of order");
                }
            }
        }
        self.own = own;
        true
    }

    /// For the catalogue.
    pub(super) fn own(&self) -> OwnViews {
        let own = |(view, described): &(ViewConfig, Described)| {
            let columns = described.dataset.columns.iter().map(|column| column.name.clone()).collect();
            let (title, statement) = (view.title.title.clone(), Arc::clone(&view.statement));
            let own = OwnView { title, statement, bases: described.bases.clone(), columns };
            (described.dataset.name.clone(), Arc::new(own))
        };
        self.made.iter().map(own).collect()
    }

    /// For the federation: what is listed over datasets of which all are.
    pub(super) fn listed(&self, datasets: &[Dataset]) -> Vec<Dataset> {
        let told = |described: &Described| {
            described.bases.iter().all(|base| datasets.iter().any(|dataset| dataset.name == *base))
        };
        let listed = self.made.iter().filter(|(view, described)| view.listed && told(described));
        listed.map(|(_, described)| described.dataset.clone()).collect()
    }
}
