//! What is in force at this node, as the gate asks while an answer streams.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use meridian_proto::DatasetName;

use crate::catalogue::Catalogue;
use crate::clock::Clock;
use crate::gate::{InForce, Terms};

/// The node's clock and catalogue.
#[derive(Debug)]
pub(super) struct Here {
    pub(super) clock: Clock,
    pub(super) catalogue: Arc<Catalogue>,
}

impl InForce for Here {
    fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    fn terms(&self, dataset: &DatasetName) -> Option<Arc<Terms>> {
        self.catalogue.terms(&dataset.dataset)
    }
}
